"""One whole body of 15 million voxels from shell to finished folder: wall, CPU, imports, memory.

    python -m benchmarks.whole_body [--runs 3] [--model vnet] [--ct] [--keep FOLDER]

A digital patient on 545 × 168 × 168 voxels as DICOM, predicted by fresh processes. By turns with
each, so that load falls on both, a yardstick: a fresh process that imports torch and NumPy. What
imports take is measured in a run of its own (``-X importtime`` slows it a little), and the stages
are those that `case.json` tells.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SHAPE = (545, 168, 168)
RUN = "import sys; from tmtv_tui.cli.app import main; sys.exit(main(sys.argv[1:]))"
YARDSTICK = "import numpy, torch"
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(ROOT)}
ENVIRONMENT.pop("PYTHONDONTWRITEBYTECODE", None)  # an installed package is compiled once


@dataclass(frozen=True)
class Cost:
    """Of one process: wall and CPU seconds, peak resident memory in bytes, what it said."""

    wall_s: float
    cpu_s: float
    peak: int
    err: str


def cost_of(words: list[str]) -> Cost:
    """Run Python with these words and wait for it; raises where it fails."""
    with tempfile.TemporaryFile() as told:
        start = time.perf_counter()
        child = subprocess.Popen(
            [sys.executable, *words],
            stdout=subprocess.DEVNULL,
            stderr=told,
            env=ENVIRONMENT,
        )
        _, status, used = os.wait4(child.pid, 0)
        wall = time.perf_counter() - start
        child.returncode = os.waitstatus_to_exitcode(status)
        told.seek(0)
        err = told.read().decode(errors="replace")
    if child.returncode:
        raise RuntimeError(err[-2000:])
    return Cost(wall, used.ru_utime + used.ru_stime, used.ru_maxrss * 1024, err)


def write_body(folder: Path, seed: int, with_ct: bool) -> None:
    """The digital patient of ``seed`` on that grid, over its own field of view, as DICOM."""
    from tmtv_engine.image.resample import resample
    from tmtv_engine.image.volume import Grid
    from tmtv_engine.phantom.dicom import write_patient
    from tmtv_engine.phantom.draw import draw_patient

    drawn = draw_patient(seed)
    old = drawn.suv.grid
    z, y, x = (n * s / m for n, s, m in zip(old.shape, old.spacing_mm, SHAPE, strict=True))
    low = old.affine[:3, 3]
    grid = Grid.axial(SHAPE, (z, y, x), (low[0], low[1], low[2]))
    suv = resample(drawn.suv, grid)
    ct = resample(drawn.ct, grid, outside=-1000.0) if with_ct else None
    write_patient(folder, suv, ct, seed=seed, weight_kg=drawn.weight_kg, height_m=drawn.height_m)


def import_seconds(err: str) -> dict[str, float]:
    """Seconds that importing took itself, by the first name of the module; from importtime."""
    found: dict[str, float] = {}
    for own, name in re.findall(r"import time: +(\d+) \| +\d+ \| +([\w.]+)", err):
        top = name.partition(".")[0]
        found[top] = found.get(top, 0.0) + int(own) / 1e6
    return found


def main() -> int:
    """Print the figures; 0 where the aims are met (4 s of CPU-bound wall, 0.4 GB)."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--model", default="vnet")
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--ct", action="store_true")
    parser.add_argument("--keep", type=Path, help="where the patient is, or is to be, written")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        source = given.keep or Path(name) / "in"
        if not source.is_dir():  # in another process: a child's peak begins with its parent's
            args = (source, given.seed, given.ct)
            drawer = multiprocessing.get_context("spawn").Process(target=write_body, args=args)
            drawer.start()
            drawer.join()
            if drawer.exitcode:
                return drawer.exitcode
        asked = ["predict", str(source), "--model", given.model, "--fresh", "-q"]
        out = str(Path(name) / "out")
        runs, yards = [], []
        for _ in range(given.runs):
            yards.append(cost_of(["-c", YARDSTICK]))
            runs.append(cost_of(["-c", RUN, *asked, "-o", out]))
        slow = cost_of(["-X", "importtime", "-c", RUN, *asked, "-o", out])
        (case,) = Path(out).glob("*/case.json")
        stages = json.loads(case.read_text("utf-8"))["provenance"]["seconds"]
    wall, cpu = (
        statistics.median(values) for values in ([r.wall_s for r in runs], [r.cpu_s for r in runs])
    )
    yard = statistics.median(y.cpu_s for y in yards)
    peak = max(r.peak for r in runs)
    imports = import_seconds(slow.err)
    print(
        f"{SHAPE} voxels, model {given.model}, {'with' if given.ct else 'no'} CT, {given.runs} runs"
    )
    print(
        f"wall {wall:.2f} s (median; {', '.join(f'{r.wall_s:.2f}' for r in runs)}), "
        f"CPU {cpu:.2f} s, {cpu / yard:.1f} × importing torch and NumPy ({yard:.2f} s CPU)"
    )
    print(
        f"peak {peak / 2**20:.0f} MiB, {peak / (SHAPE[0] * SHAPE[1] * SHAPE[2] * 4):.1f} × the "
        f"float32 PET"
    )
    total = sum(imports.values())
    largest = sorted(imports.items(), key=lambda x: -x[1])[:8]
    print(
        f"imports {total:.2f} s of {slow.wall_s:.2f} s ({total / slow.wall_s:.0%}): "
        + ", ".join(f"{n} {s:.2f}" for n, s in largest)
    )
    print("stages of that run: " + ", ".join(f"{n} {s:.2f} s" for n, s in stages.items()))
    print(f"load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")
    return 0 if wall < 4 and peak < 0.4e9 else 1


if __name__ == "__main__":
    sys.exit(main())
