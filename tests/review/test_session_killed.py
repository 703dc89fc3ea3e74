"""A session killed at any moment: no acknowledged decision is lost."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.review.test_session import failures
from tests.support.cases import make_case
from tmtv_engine.files import sha256_of
from tmtv_engine.review.journal import Journal

ROOT = Path(__file__).resolve().parents[2]
SCRIPT = """
import sys
from tmtv_engine.case.folder import read_case
from tmtv_engine.review.session import Decision, Session, refresh
session = Session(read_case(sys.argv[1]), sys.argv[2])
for k in range(200):
    action = ["reject", "accept", "undo", "redo", "flag", "unflag"][k % 6]
    session.decide(Decision(action, (k % 3 + 1,) if k % 6 < 2 else ()))
    print(session.journal.head, flush=True)
    if k % 5 == 0:
        refresh(session.case)
"""


@pytest.mark.long
def test_sigkill_at_any_moment_loses_no_acknowledged_decision(
    tmp_path: Path, count: Callable[[int, str], int]
) -> None:
    case = make_case(tmp_path)
    for turn in range(count(120, "sessions killed")):
        reader = f"R{turn % 2}"
        arguments = [sys.executable, "-c", SCRIPT, str(case.path), reader]
        child = subprocess.Popen(arguments, stdout=subprocess.PIPE, text=True, cwd=ROOT)
        assert child.stdout is not None
        told = [child.stdout.readline()]
        time.sleep(0.03 * (turn % 6))
        os.kill(child.pid, signal.SIGKILL)
        told += child.stdout.read().splitlines()
        child.stdout.close()
        child.wait()
        assert failures(case) == []
        hashes = {x.hash for x in Journal(case.path / "review" / f"{reader}.jsonl").read()}
        assert {t.strip() for t in told if len(t.strip()) == 64} <= hashes
        json.loads((case.path / "case.json").read_text())
    assert (
        sha256_of(case.path / "voxels.npz") == case.raw["provenance"]["files_sha256"]["voxels.npz"]
    )
