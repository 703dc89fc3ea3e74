"""Predictions and exports killed at any moment: whole or absent, and no leftover after the next."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.cases import make_case
from tests.support.exports import small_case
from tmtv_engine.case.folder import find_cases, read_case
from tmtv_engine.export.objects import write_objects
from tmtv_engine.files import PART
from tmtv_engine.review.verify import verify

ROOT = Path(__file__).resolve().parents[1]
PREDICT = """
import sys
from pathlib import Path
from tests.support.cases import make_case
print("begun", flush=True)
while True:
    make_case(Path(sys.argv[1]), methods=("41",))
"""
EXPORT = """
import sys
from pathlib import Path
from tmtv_engine.case.folder import read_case
from tmtv_engine.export.objects import write_objects
case = read_case(Path(sys.argv[1]))
print("begun", flush=True)
while True:
    write_objects(case, ["csv", "nifti", "seg"])
"""


def killed(code: str, argument: Path, after_s: float) -> None:
    """Run a script and kill it some time after it has begun."""
    child = subprocess.Popen(
        [sys.executable, "-c", code, str(argument)],
        stdout=subprocess.PIPE, cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    assert child.stdout is not None
    assert child.stdout.readline() == b"begun\n"
    time.sleep(after_s)
    os.kill(child.pid, signal.SIGKILL)
    child.communicate()


def left(folder: Path) -> list[str]:
    return [p.name for p in folder.rglob(f".*{PART}")]


@pytest.mark.long
def test_a_killed_prediction_is_whole_or_absent(
    tmp_path: Path, count: Callable[[int, str], int]
) -> None:
    chance = random.Random(1)
    for _ in range(count(100, "predictions killed")):
        killed(PREDICT, tmp_path, chance.random() * 0.4)
        for path in find_cases(tmp_path):
            assert [f for f in verify(path) if f.failed] == []
        case = make_case(tmp_path, methods=("41",))
        assert left(tmp_path) == []
        assert [f for f in verify(case.path) if f.failed] == []


@pytest.mark.long
def test_a_killed_export_is_whole_or_absent(
    tmp_path: Path, count: Callable[[int, str], int]
) -> None:
    case = small_case(tmp_path)
    wanted = {p.name: p.read_bytes() for p in write_objects(case, ["csv", "nifti", "seg"])}
    chance = random.Random(2)
    for _ in range(count(100, "exports killed")):
        killed(EXPORT, case.path, chance.random() * 0.4)
        there = {p.name: p.read_bytes() for p in (case.path / "export").iterdir() if p.is_file()}
        assert {k: v for k, v in there.items() if not k.startswith(".")} == wanted
        write_objects(read_case(case.path), ["csv", "nifti", "seg"])
        assert left(case.path) == []
