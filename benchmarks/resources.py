"""Time, memory and disk of one study: the table of docs/resources.md.

    python benchmarks/resources.py STUDY... [--by WAY...]

Each study goes through `tmtv predict` in a process of its own, by the network and by hot spots,
with the image kept and without. Processor seconds say more than the clock where the machine has
other work; its load stands in the last column.
"""

from __future__ import annotations

import argparse
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tmtv_engine.case.folder import find_cases, read_case

MIB = 2**20
WAYS = {
    "network": ["--model", "vnet"],
    "hot spots": ["--model", "hotspot"],
    "network, --no-image": ["--model", "vnet", "--no-image"],
}
APP = "import sys; from tmtv_tui.cli.app import main; sys.exit(main())"


def measured(study: Path, options: list[str], out: Path) -> tuple[float, float, float]:
    """Wall and processor seconds and peak MiB of one `tmtv predict`."""
    command = [sys.executable, "-c", APP, "predict", str(study), "-o", str(out), "-q", *options]
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    began = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    wall = time.perf_counter() - began
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    spent = after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime
    return wall, spent, after.ru_maxrss / 1024


def size_of(folder: Path) -> float:
    """MiB of the files below a folder."""
    return sum(p.stat().st_size for p in folder.rglob("*") if p.is_file()) / MIB


def one(name: str, study: str) -> None:
    """A line of the table; this process has run nothing else, so that the peak is one run's."""
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder)
        wall, spent, peak = measured(Path(study), WAYS[name], out)
        (case,) = find_cases(out)
        shape = "×".join(map(str, read_case(case).record.pet.shape))
        print(
            f"| {Path(study).name} | {shape} | {name} | {wall:.1f} | {spent:.1f} | {peak:.0f} "
            f"| {size_of(case):.1f} | {os.getloadavg()[0]:.1f} |",
            flush=True,
        )


def main() -> None:
    """Print the table as Markdown."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("studies", nargs="+", metavar="STUDY", help="a folder of one PET")
    parser.add_argument("--by", nargs="+", choices=WAYS, default=list(WAYS), help="all of them")
    parser.add_argument("--line", action="store_true", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.line:
        one(given.by[0], given.studies[0])
        return
    print("| study | voxels | by | wall s | processor s | peak MiB | disk MiB | load |")
    print("|---|---|---|---|---|---|---|---|", flush=True)
    for study in given.studies:
        for name in given.by:
            line = [sys.executable, __file__, study, "--line", "--by", name]
            subprocess.run(line, check=True)


if __name__ == "__main__":
    main()
