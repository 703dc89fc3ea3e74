"""Peak memory of ``tmtv threshold`` on 900×400×400 voxels: at most three times the float32 PET.

    python benchmarks/memory.py [--small]

``--small`` takes 90×80×80 voxels, to see that it runs: Python itself is most of the memory then.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

from tmtv_engine.image.nifti import write_nifti
from tmtv_engine.image.volume import Grid, Unit, Volume

SHAPE, SMALL = (900, 400, 400), (90, 80, 80)


def write(folder: Path, shape: tuple[int, int, int]) -> None:
    """A body of SUV 1 with forty hot boxes, and their mask."""
    rng = np.random.default_rng(0)
    suv, mask = np.zeros(shape, np.float32), np.zeros(shape, np.uint8)
    rows, columns = shape[1] // 4, shape[2] // 4
    suv[:, rows : 3 * rows, columns : 3 * columns] = 1.0
    for _ in range(40):
        middle = [int(rng.integers(10, n - 10)) for n in shape]
        box = tuple(slice(m - 5, m + 6) for m in middle)
        suv[box], mask[box] = rng.uniform(3, 12), 1
    grid = Grid.axial(shape, (2.0, 2.0, 2.0))
    write_nifti(Volume(suv, grid, Unit.SUV), folder / "pet.nii")
    write_nifti(Volume(mask, grid, Unit.LABEL), folder / "roi.nii")


def main() -> int:
    """Write the volume in one process, measure the command in another."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--small", action="store_true", help="see that it runs")
    parser.add_argument("--write", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    shape = SMALL if given.small else SHAPE
    if given.write:
        write(given.write, shape)
        return 0
    with tempfile.TemporaryDirectory() as name:
        size = ["--small"] if given.small else []
        subprocess.run([sys.executable, __file__, "--write", name, *size], check=True)
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
    ratio = peak / (int(np.prod(shape)) * 4)
    print(f"peak {peak / 2**20:.0f} MiB, {ratio:.2f} × the float32 PET (≤ 3)")
    return 0 if given.small or ratio <= 3 else 1


if __name__ == "__main__":
    sys.exit(main())
