"""Studies a minute, memory and waiting of a batch by ``--jobs 1``, ``--jobs 2`` and local Dask.

    python -m benchmarks.batch [--studies 40] [--small 1000] [--keep FOLDER]

Digital patients as DICOM (whole bodies by ``tmtv phantom``) go through the network in a fresh
process a way, one way after another; then tiny NIfTI cases through hot spots, by one process and
by Dask with one worker, so that the difference is Dask's. Only ratios within one run say something
where the machine has other work; its load stands in each line.

Memory is the highest sum of the processes' proportional set sizes (PSS: a page that several share
counts once), looked at every 0.2 s. Dask's scheduler lives in the client's process: `first` is that
of both, `workers` that of all below it. The network waits for what is left of ``wall × lanes``
(a lane is a case in work) when the seconds are taken off that `case.json` tells for the network;
start and end of the run count as waiting. ``OMP_NUM_THREADS`` is 1 unless it is set.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from tmtv_engine.image.nifti import write_nifti
from tmtv_engine.image.volume import Grid, Unit, Volume

ROOT = Path(__file__).resolve().parent.parent
ENVIRONMENT = {"OMP_NUM_THREADS": "1", **os.environ, "PYTHONPATH": str(ROOT)}
RUN = "import sys; from tmtv_tui.cli.app import main; sys.exit(main(sys.argv[1:]))"
LOOK_S = 0.2
MIB = 2**20
TICK = os.sysconf("SC_CLK_TCK")
WAYS = {
    "--jobs 1": (1, ["--jobs", "1"]),
    "--jobs 2": (2, ["--jobs", "2"]),
    "--scheduler local --jobs 2": (2, ["--scheduler", "local", "--jobs", "2"]),
}
SMALL = {
    "--jobs 1": ["--jobs", "1"],
    "--scheduler local --jobs 1": ["--scheduler", "local", "--jobs", "1"],
}


@dataclass
class Cost:
    """Of a run: wall s, CPU s of each process by its id, highest PSS in bytes: sum, first, rest."""

    wall_s: float = 0.0
    cpu_s: dict[int, float] = field(default_factory=dict)
    peak: int = 0
    first: int = 0
    workers: int = 0

    def look(self, root: int) -> None:
        """Take in what the process ``root`` and all below it use at this moment (Linux)."""
        sizes = {}
        for pid in family(root):
            try:
                sizes[pid] = pss_of(pid)
                self.cpu_s[pid] = cpu_of(pid)
            except (OSError, ValueError):  # it ended between two lines
                continue
        first = sizes.pop(root, 0)
        rest = sum(sizes.values())
        self.peak = max(self.peak, first + rest)
        self.first, self.workers = max(self.first, first), max(self.workers, rest)

    @property
    def cpu(self) -> float:
        """CPU seconds of all processes, each until it was last seen."""
        return sum(self.cpu_s.values())


def stat_of(pid: int) -> list[str]:
    """The fields of /proc/PID/stat after the name, which may hold anything: state, parent, …"""
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()


def cpu_of(pid: int) -> float:
    """User and system seconds of a process so far."""
    return sum(map(int, stat_of(pid)[11:13])) / TICK


def pss_of(pid: int) -> int:
    """Proportional set size in bytes."""
    told = Path(f"/proc/{pid}/smaps_rollup").read_text()
    return next(int(line.split()[1]) * 1024 for line in told.splitlines() if line[:4] == "Pss:")


def family(root: int) -> list[int]:
    """``root`` and every process that descends from it."""
    below: dict[int, list[int]] = {}
    for path in Path("/proc").glob("[0-9]*"):
        try:
            below.setdefault(int(stat_of(int(path.name))[1]), []).append(int(path.name))
        except (OSError, IndexError):
            continue
    found = [root]
    for pid in found:
        found.extend(below.get(pid, ()))
    return found


def cost_of(words: list[str]) -> Cost:
    """Run `tmtv` with these words to its end; raises `RuntimeError` where it fails."""
    cost, start = Cost(), time.perf_counter()
    with tempfile.TemporaryFile() as told:
        child = subprocess.Popen(
            [sys.executable, "-c", RUN, *words],
            stdout=subprocess.DEVNULL, stderr=told, env=ENVIRONMENT,
        )  # fmt: skip
        while child.poll() is None:
            cost.look(child.pid)
            time.sleep(LOOK_S)
        cost.wall_s = time.perf_counter() - start
        told.seek(0)
        if child.returncode:
            raise RuntimeError(told.read().decode(errors="replace")[-2000:])
    return cost


def network_seconds(out: Path) -> float:
    """Seconds that the network took in all cases of a run, as they tell it."""
    records = [json.loads(p.read_text("utf-8")) for p in out.glob("*/case.json")]
    return float(sum(r["provenance"]["seconds"]["network"] for r in records))


def between(out: Path) -> float:
    """Seconds from one case's end to the next one's, on average: without the run's start."""
    ends = sorted(p.stat().st_mtime for p in out.glob("*/case.json"))
    return (ends[-1] - ends[0]) / (len(ends) - 1)


def write_small(folder: Path, count: int) -> None:
    """``count`` bodies of 24×20×16 voxels of 4 mm with one hot box, each a little hotter."""
    for k in range(count):
        suv = np.zeros((24, 20, 16), np.float32)
        suv[1:-1, 3:-3, 3:-3] = 1.0
        suv[10:14, 8:12, 6:10] = 6.0 + k / count
        place = folder / f"p{k:04}"
        place.mkdir(parents=True)
        grid = Grid.axial((24, 20, 16), (4.0, 4.0, 4.0))
        write_nifti(Volume(suv, grid, Unit.SUV), place / "pet.nii.gz")


def studies(source: Path, count: int, folder: Path) -> None:
    """Print what each way takes for the digital studies."""
    print(f"{count} digital studies, the network")
    print("| way | studies a minute | × jobs 1 | CPU s | network waits | peak MiB | load |")
    print("|---|---|---|---|---|---|---|", flush=True)
    base = 0.0
    for number, (name, (lanes, words)) in enumerate(WAYS.items()):
        out = folder / f"out{number}"
        asked = ["predict", str(source), "--model", "vnet", "-q"]
        cost = cost_of([*asked, "-o", str(out), *words])
        base = base or cost.wall_s
        waits = 1 - network_seconds(out) / (cost.wall_s * lanes)
        print(
            f"| `{name}` | {60 * count / cost.wall_s:.2f} | {base / cost.wall_s:.2f} "
            f"| {cost.cpu:.1f} | {waits:.0%} | {cost.peak / MIB:.0f} "
            f"| {os.getloadavg()[0]:.1f} |",
            flush=True,
        )


def small(count: int, folder: Path) -> None:
    """Print what each way takes for tiny cases, and what Dask adds to each."""
    write_small(folder / "small", count)
    print(f"\n{count} tiny cases, hot spots")
    print(
        "| way | wall s | ms a case | CPU ms a case, start too | first MiB | workers MiB | load |"
    )
    print("|---|---|---|---|---|---|---|", flush=True)
    each = []
    for number, (name, words) in enumerate(SMALL.items()):
        out = folder / f"small{number}"
        asked = ["predict", str(folder / "small"), "--model", "hotspot", "-q", "-o", str(out)]
        cost = cost_of([*asked, *words])
        each.append(between(out))
        print(
            f"| `{name}` | {cost.wall_s:.1f} | {1000 * each[-1]:.1f} "
            f"| {1000 * cost.cpu / count:.1f} | {cost.first / MIB:.0f} | {cost.workers / MIB:.0f} "
            f"| {os.getloadavg()[0]:.1f} |",
            flush=True,
        )
    print(f"Dask adds {1000 * (each[1] - each[0]):.1f} ms a case ({each[1] / each[0]:.2f} ×)")


def main() -> None:
    """Print both tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--studies", type=int, default=40, help="digital studies; 0 for none")
    parser.add_argument("--small", type=int, default=1000, help="tiny cases, 2 or more; 0: none")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--keep", type=Path, help="where the studies are, or are to be, written")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        source = given.keep or folder / "in"
        if given.studies:
            if not source.is_dir():
                drawn = ["-n", str(given.studies), "--seed", str(given.seed), "-q"]
                cost_of(["phantom", str(source), *drawn])
            studies(source, given.studies, folder)
        if given.small:
            small(given.small, folder)


if __name__ == "__main__":
    main()
