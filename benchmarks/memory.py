"""Peak memory of ``tmtv threshold`` on 900×400×400 voxels: at most three times the float32 PET."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

from tmtv_engine.image.nifti import write_nifti
from tmtv_engine.image.volume import Grid, Unit, Volume

SHAPE = (900, 400, 400)


def write(folder: Path) -> None:
    """A body of SUV 1 with forty hot boxes, and their mask."""
    rng = np.random.default_rng(0)
    suv, mask = np.zeros(SHAPE, np.float32), np.zeros(SHAPE, np.uint8)
    suv[:, 100:300, 100:300] = 1.0
    for _ in range(40):
        middle = [int(rng.integers(10, n - 10)) for n in SHAPE]
        box = tuple(slice(m - 5, m + 6) for m in middle)
        suv[box], mask[box] = rng.uniform(3, 12), 1
    grid = Grid.axial(SHAPE, (2.0, 2.0, 2.0))
    write_nifti(Volume(suv, grid, Unit.SUV), folder / "pet.nii")
    write_nifti(Volume(mask, grid, Unit.LABEL), folder / "roi.nii")


def main() -> int:
    """Write the volume in one process, measure the command in another."""
    with tempfile.TemporaryDirectory() as name:
        if len(sys.argv) > 1:
            write(Path(sys.argv[1]))
            return 0
        subprocess.run([sys.executable, __file__, name], check=True)
        asked = ["threshold", f"{name}/pet.nii", f"{name}/roi.nii", "-o", f"{name}/out"]
        code = f"""
import resource, sys
from tmtv_tui.cli.app import main
if main({asked!r}):
    sys.exit(1)
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, file=sys.stderr)"""
        done = subprocess.run(
            [sys.executable, "-c", code], check=True, capture_output=True, text=True
        )
    peak = int(done.stderr.split()[-1]) * 1024
    ratio = peak / (int(np.prod(SHAPE)) * 4)
    print(f"peak {peak / 2**20:.0f} MiB, {ratio:.2f} × the float32 PET (≤ 3)")
    return 0 if ratio <= 3 else 1


if __name__ == "__main__":
    sys.exit(main())
