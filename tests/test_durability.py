"""What was reported as written is there after a power cut, and nothing is ever there by half.

A real process is traced; the cut is tried after each of its system calls (`support.powercut`).
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.exports import small_case
from tests.support.powercut import Disk, needs_strace, traced

pytestmark = needs_strace
LOOSE = """
import sys
from pathlib import Path
out = Path(sys.argv[1])
(out / "a").write_text("x")
print("done", flush=True)
"""
PREDICT = """
import sys
from pathlib import Path
from tests.support.cases import make_case
for turn in range(2):  # the second takes the first one's place
    make_case(Path(sys.argv[1]), methods=("41",))
    print("done", flush=True)
"""
DECIDE = """
import sys
from pathlib import Path
from tmtv_engine.review.journal import Decision
from tmtv_engine.review.session import Session, refresh
from tests.support.cases import make_case
case = make_case(Path(sys.argv[1]), methods=("41",))
session = Session(case, "AB")
for number in (1, 2, 3):
    session.decide(Decision("reject", (number,)))
    print((case.path / "review" / "AB.jsonl").stat().st_size, flush=True)
refresh(case)
print("refreshed", flush=True)
"""
EXPORT = """
import sys
from pathlib import Path
from tmtv_engine.case.folder import read_case
from tmtv_engine.export.objects import write_objects
print(*write_objects(read_case(Path(sys.argv[1])), ["csv", "nifti", "sr"]), flush=True)
"""


def files(folder: Path) -> set[Path]:
    """What stands there in the end, beside locks."""
    return {p for p in folder.rglob("*") if p.is_file() and not p.name.endswith(".lock")}


def last(code: str, root: Path, *arguments: object) -> Disk:
    """The disk when the script is over."""
    *_, (disk, _) = traced(code, root, *arguments)
    return disk


@pytest.fixture
def out(tmp_path: Path) -> Path:
    folder = tmp_path / "out"
    folder.mkdir()
    return folder


def test_the_cut_takes_what_was_not_synced(out: Path) -> None:
    """The model itself: a plain write does not survive."""
    assert not last(LOOSE, out, out).survives(out / "a")
    assert (out / "a").exists()


def test_a_predicted_case_survives_and_is_never_there_by_half(out: Path) -> None:
    wanted = 8
    said: dict[str, int] = {}
    for disk, printed in traced(PREDICT, out, out):
        kept = disk.find(out / "case-1", kept=True)
        if kept is not None and kept.kept:
            whole = [node.whole for node in kept.kept.values()]
            assert (all(whole), len(whole) >= wanted) == (True, True)
        if printed not in said:
            said[printed] = sum(disk.survives(p) for p in files(out / "case-1"))
    assert said["done\n"] >= wanted
    assert said["done\ndone\n"] >= wanted
    assert all(disk.survives(p) for p in files(out))


def test_a_decision_that_was_acknowledged_survives(out: Path) -> None:
    journal, told = out / "case-1" / "review" / "AB.jsonl", list[int]()
    for disk, printed in traced(DECIDE, out, out):
        told = [int(line) for line in printed.split() if line.isdigit()]
        if told:
            node = disk.find(journal, kept=True)
            assert node is not None
            assert node.kept_size >= told[-1]
    assert len(told) == 3
    assert all(disk.survives(p) for p in files(out))
    assert {"AB.jsonl", "case.json", "summary.csv"} <= {p.name for p in files(out)}


def test_exports_survive(out: Path) -> None:
    case = small_case(out.parent)
    disk = last(EXPORT, case.path, case.path)
    written = files(case.path / "export")
    assert {p.suffix for p in written} == {".csv", ".gz", ".dcm"}
    assert all(disk.survives(p) for p in written)
