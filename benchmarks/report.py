"""Two benchmarks of the report.

The table: 400 patients, three methods and subtypes, in a fresh process: below 3 s, no torch.
The label maps: cases of 545×168×168 voxels against reference masks in NIfTI, by the report's two
processes, beside a plain loop that loads the same two files and compares them densely.
"""

from __future__ import annotations

import argparse
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from tmtv_engine.image.nifti import read_nifti, write_nifti
from tmtv_engine.image.volume import Grid, Unit, Volume

RUNS = 5
LIMIT_S = 3.0
SHAPE = (545, 168, 168)
SPACING_MM = (2.0, 4.07, 4.07)
CODE = """
import sys
from tmtv_tui.cli.app import main
status = main(["report", sys.argv[1], "-o", sys.argv[2], "-q", "--json"])
sys.exit(status or ("torch" in sys.modules))
"""


def write_table(path: Path, patients: int = 400) -> None:
    """Volumes and Dice of so many patients, drawn from a fixed seed."""
    rng = np.random.default_rng(1)
    lines = ["case,method,tmtv_ref_ml,tmtv_ml,dice,subtype"]
    for k in range(patients):
        for method in ("41", "2.5", "4.0"):
            volume = rng.gamma(1.2, 200)
            found, dice = volume * rng.lognormal(0, 0.3), rng.beta(8, 3)
            lines.append(f"p{k},{method},{volume},{found},{dice},{('HL', 'FL', 'DLBCL')[k % 3]}")
    path.write_text("\n".join(lines) + "\n", "utf-8")


def seconds(folder: Path) -> float:
    """Wall time of one fresh process: numbers, tables, figures and page."""
    command = [sys.executable, "-c", CODE, str(folder / "t.csv"), str(folder / "out")]
    start = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - start


def make_case(folder: Path) -> None:
    """One patient of forty hot spheres in noise, predicted by its hot spots, and its true mask."""
    from tmtv_tui.cli.app import main as tmtv

    rng = np.random.default_rng(2)
    suv = rng.normal(1.0, 0.1, SHAPE).astype(np.float32).clip(0)
    labels = np.zeros(SHAPE, np.uint8)
    index = np.indices(SHAPE, dtype=np.float32) * np.reshape(SPACING_MM, (3, 1, 1, 1))
    size = np.array(SHAPE) * SPACING_MM
    for centre in rng.uniform(0.15, 0.85, (40, 3)) * size:
        far = np.sqrt(sum((index[k] - centre[k]) ** 2 for k in range(3)))
        suv += 9 * np.exp(-((far / 14) ** 2)).astype(np.float32)
        labels[far < 16] = 1
    grid = Grid.axial(SHAPE, SPACING_MM, (-340.0, -340.0, -1000.0))
    write_nifti(Volume(suv, grid, Unit.SUV), folder / "pet.nii.gz")
    write_nifti(Volume(labels, grid, Unit.LABEL), folder / "mask.nii.gz")
    tmtv(["predict", str(folder), "--model", "hotspot", "-o", str(folder / "out"), "-q"])


def compare_maps(folder: Path, cases: int) -> None:
    """Print our seconds a case, the plain loop's, their ratio, and the memory of one process."""
    from tmtv_engine.case.folder import find_cases
    from tmtv_engine.report.folders import JOBS, Job, compare_all

    make_case(folder)
    (case,) = find_cases(folder / "out")
    jobs = [Job(case, folder / "mask.nii.gz", mode="components")] * cases
    start = time.perf_counter()
    compared = list(compare_all(jobs, JOBS))
    ours = (time.perf_counter() - start) / cases
    told = next(p.overlaps["dice"] for p in compared[0].pairs if p.method == "4.0")
    start = time.perf_counter()
    plain = plain_dice(folder, case)
    theirs = time.perf_counter() - start
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
    assert told is not None
    assert abs(told - plain) < 1e-12, (told, plain)
    print(
        f"label maps {SHAPE}: {ours:.2f} s a case in {JOBS} processes, all methods; plain, one "
        f"method: {theirs:.2f} s; ratio {ours / theirs:.2f}; peak {peak:.0f} MiB a process"
    )


def plain_dice(folder: Path, case: Path) -> float:
    """The Dice at SUV 4.0 from whole arrays, as a script would take it."""
    suv = read_nifti(folder / "pet.nii.gz", Unit.SUV).array
    mask = read_nifti(folder / "mask.nii.gz", Unit.LABEL).array
    found = read_nifti(case / "lesions.nii.gz", Unit.LABEL).array
    first, second = (found > 0) & (suv > 4.0), (mask > 0) & (suv > 4.0)
    return float(2 * np.count_nonzero(first & second) / (first.sum() + second.sum()))


def main() -> int:
    """The table's median of five runs after one that fills the caches; then the label maps."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cases", type=int, default=40, help="label maps to compare")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_table(folder / "t.csv")
        seconds(folder)
        took = statistics.median(seconds(folder) for _ in range(RUNS))
        print(f"tmtv report, 400 patients: {took:.2f} s (< {LIMIT_S:.0f}), torch not imported")
        compare_maps(folder, given.cases)
    return 0 if took < LIMIT_S else 1


if __name__ == "__main__":
    sys.exit(main())
