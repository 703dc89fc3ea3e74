"""Digital patients a second: drawn, varied for training, on one process and on two.

    python benchmarks/phantom.py [--patients 24] [--anatomies FOLDER] [--device cpu]

Beside it, in the same run, the first version's drawing of as many patients (from the commit
`FIRST_VERSION`, where the clone holds it): without organ maps, names or variation. Wall seconds
and, because a busy machine stretches them, processor seconds; one thread a process. The patients
are written as DICOM at last, as `tmtv phantom` does.
"""

from __future__ import annotations

import argparse
import io
import os
import subprocess
import sys
import tarfile
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import torch

from tmtv_engine.phantom.anatomies import Anatomies
from tmtv_engine.phantom.cohort import sample_of
from tmtv_engine.phantom.draw import draw_tensors
from tmtv_engine.phantom.person import TRAINING_SEEDS
from tmtv_engine.phantom.write import write_drawn

FIRST = TRAINING_SEEDS + 3000
FIRST_VERSION = "e2a48d4"
ROOT = Path(__file__).resolve().parent.parent
OLD = """
import sys, time, torch
torch.set_num_threads(1)
from tmtv_engine.phantom.draw import draw_tensors
draw_tensors(2999)
wall, cpu = time.perf_counter(), time.process_time()
for seed in range(3000, 3000 + int(sys.argv[1])):
    draw_tensors(seed)
print(time.perf_counter() - wall, time.process_time() - cpu)
"""


def main() -> None:
    """Print seconds a patient of each kind, and patients a second on one and two processes."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--patients", type=int, default=24)
    parser.add_argument("--anatomies", type=Path)
    parser.add_argument("--device", default="cpu")
    given = parser.parse_args()
    torch.set_num_threads(1)
    maps = None if given.anatomies is None else Anatomies.load(given.anatomies)
    count = given.patients

    def drawn(mm: float) -> Callable[[int], object]:
        def draw(seed: int) -> float:
            found = draw_tensors(seed, spacing_mm=mm, device=given.device, anatomies=maps)
            return float(found.suv.sum())  # waits for a GPU

        return draw

    now = _timed(drawn(8.0), count)
    _say(f"8 mm, {given.device}, with CT", now)
    _say("8 mm, for training: half with CT, varied", _timed(_Training(maps), count))
    _say("4 mm, with CT", _timed(drawn(4.0), max(1, count // 6)))
    both = _two(_Training(maps), count)
    print(f"two processes, for training: {count / both:.2f} patients a second")
    before = _first_version(count)
    if before is not None:
        _say(f"the first version ({FIRST_VERSION}), drawing alone", before)
        print(f"drawing alone, processor time: {now[1] / before[1]:.2f} times the first version's")
    written = _timed(_write, max(1, count // 12))
    _say("4 mm, written as DICOM", written)


class _Training:
    """Draws and varies a patient as a training asks for it."""

    def __init__(self, maps: Anatomies | None) -> None:
        self.maps = maps

    def __call__(self, seed: int) -> float:
        torch.set_num_threads(1)
        return float(sample_of(seed, 8.0, self.maps, varied=True).suv.sum())


def _timed(draw: Callable[[int], object], count: int) -> tuple[float, float]:
    """Wall and processor seconds a patient."""
    draw(FIRST - 1)
    wall, cpu = time.perf_counter(), time.process_time()
    for seed in range(FIRST, FIRST + count):
        draw(seed)
    return (time.perf_counter() - wall) / count, (time.process_time() - cpu) / count


def _two(draw: _Training, count: int) -> float:
    """Wall seconds of two processes for all patients, once both are up."""
    with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as pool:
        list(pool.map(draw, range(FIRST - 4, FIRST)))
        start = time.perf_counter()
        list(pool.map(draw, range(FIRST, FIRST + count)))
        return time.perf_counter() - start


def _first_version(count: int) -> tuple[float, float] | None:
    """The same of the first version's own code, in a process of its own."""
    packed = subprocess.run(
        ["git", "-C", str(ROOT), "archive", FIRST_VERSION, "tmtv_engine"], capture_output=True
    )
    if packed.returncode:
        print(f"the first version is not in this clone ({FIRST_VERSION})")
        return None
    with tempfile.TemporaryDirectory() as name:
        with tarfile.open(fileobj=io.BytesIO(packed.stdout)) as files:
            files.extractall(name, filter="data")
        told = subprocess.run(
            [sys.executable, "-c", OLD, str(count)],
            env={**os.environ, "PYTHONPATH": name},
            cwd=name,
            capture_output=True,
            text=True,
            check=True,
        )
    wall, cpu = (float(v) / count for v in told.stdout.split())
    return wall, cpu


def _write(seed: int) -> None:
    with tempfile.TemporaryDirectory() as name:
        write_drawn(Path(name), seed, "dicom")


def _say(what: str, each: tuple[float, float]) -> None:
    wall, cpu = each
    print(f"{what}: {wall:.2f} s a patient, {1 / wall:.2f} a second ({cpu:.2f} s of processor)")


if __name__ == "__main__":
    main()
