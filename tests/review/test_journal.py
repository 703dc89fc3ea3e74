"""Journals: canonical, chained, flushed, torn lines cut, whole under many writers and SIGKILL."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import pytest

from tmtv_engine.errors import CaseError, UsageError
from tmtv_engine.review.journal import (
    Bound,
    Decision,
    Journal,
    effective,
    journal_path,
    reading_seconds,
)
from tmtv_engine.review.line import Line

BOUND = Bound("case-1", "0" * 64)
ROOT = Path(__file__).resolve().parents[2]


def put(journal: Journal, *decisions: Decision) -> None:
    for decision in decisions:
        journal.append(BOUND, lambda lines, d=decision: d)  # type: ignore[misc]


def make(tmp_path: Path, reader: str = "AB") -> Journal:
    return Journal(journal_path(tmp_path, reader))


def test_a_line_is_canonical_json_with_the_contract_s_keys_and_hash(tmp_path: Path) -> None:
    journal = make(tmp_path)
    put(journal, Decision("reject", (3, 1), reason="bladder"), Decision("note", text="Übel"))
    raw = journal.path.read_bytes()
    assert raw.endswith(b"\n")
    first, second = [json.loads(line) for line in raw.splitlines()]
    keys = (
        "seq at reader host case prediction action lesions target reason text parameters prev hash"
    )
    assert list(first) == sorted(keys.split(" "))
    assert (first["seq"], first["lesions"], first["reason"]) == (1, [3, 1], "bladder")
    for line in (first, second):  # independently: sorted keys, no spaces, UTF-8
        told = {k: v for k, v in line.items() if k != "hash"}
        text = json.dumps(told, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
        assert line["hash"] == hashlib.sha256(text.encode("utf-8")).hexdigest()
    assert (first["prev"], second["prev"]) == ("", first["hash"])
    assert "Übel".encode() in raw


def test_every_changed_byte_is_found(tmp_path: Path) -> None:
    journal = make(tmp_path)
    put(journal, Decision("accept", (1,)), Decision("reject", (2,), reason="brain"))
    raw = journal.path.read_bytes()
    for at in range(len(raw) - 1):
        journal.path.write_bytes(raw[:at] + bytes([raw[at] ^ 1]) + raw[at + 1 :])
        with pytest.raises(CaseError):
            Journal(journal.path).read()


def test_a_torn_last_line_is_no_decision_and_is_cut_off(tmp_path: Path) -> None:
    journal = make(tmp_path)
    put(journal, Decision("accept", (1,)), Decision("accept", (2,)))
    raw = journal.path.read_bytes()
    lines = raw.splitlines(keepends=True)
    for cut in range(1, len(lines[1])):
        journal.path.write_bytes(raw[:-cut])
        assert [x.lesions for x in Journal(journal.path).read()] == [(1,)]
    again = Journal(journal.path)
    put(again, Decision("reject", (2,)))
    assert [x.action for x in Journal(journal.path).read()] == ["accept", "reject"]


def test_undo_and_redo_name_their_target_and_a_decision_clears_redo(tmp_path: Path) -> None:
    journal = make(tmp_path)
    put(journal, Decision("accept", (1,)), Decision("reject", (2,)), Decision("undo", target=2))
    left = effective(journal.lines)
    assert ([x.seq for x in left.done], [x.seq for x in left.undone]) == ([1], [2])
    put(journal, Decision("redo", target=2))
    assert [x.seq for x in effective(journal.lines).done] == [1, 2]
    put(journal, Decision("undo", target=2), Decision("note", text="x"))
    assert effective(journal.lines).undone == ()
    put(journal, Decision("undo", target=1))
    with pytest.raises(CaseError, match="nothing to undo"):
        effective(journal.lines)


@pytest.mark.parametrize("name", ["../x", "a/b", "", ".hidden", "a b", "x" * 65])
def test_a_reader_s_name_is_a_file_name(tmp_path: Path, name: str) -> None:
    with pytest.raises(UsageError):
        journal_path(tmp_path, name)


def test_hostile_text_is_cleaned_before_it_is_recorded() -> None:
    assert Decision("note", text="a\x1b]0;x\x07b\u202e").text == "a]0;xb"
    with pytest.raises(UsageError):
        Decision("delete")


def test_reading_time_leaves_out_idle_gaps_and_what_lies_between_sessions(tmp_path: Path) -> None:
    journal = make(tmp_path)
    put(journal, *[Decision(a) for a in ("open", "flag", "unflag", "close", "open", "close")])
    at = ["00:00", "01:00", "07:00", "07:10", "20:00", "24:59"]  # 60 + (360 idle) + 10 + 299
    lines = [
        type(x)(**{**vars(x), "at": f"2026-01-01T10:{t}.000000Z"})
        for x, t in zip(journal.lines, at, strict=True)
    ]
    assert reading_seconds(lines) == 60 + 10 + 299


WRITER = """
import sys
from pathlib import Path
from tmtv_engine.review.journal import Bound, Decision, Journal
BOUND = Bound("case-1", "0" * 64)
journal = Journal(Path(sys.argv[1]))
for k in range(int(sys.argv[2])):
    line = journal.append(BOUND, lambda lines: Decision("accept", (k,), text=sys.argv[3]))
    print(line.seq, line.hash, flush=True)
"""


def start(path: Path, count: int, name: str) -> subprocess.Popen[str]:
    arguments = [sys.executable, "-c", WRITER, str(path), str(count), name]
    return subprocess.Popen(arguments, stdout=subprocess.PIPE, text=True, cwd=ROOT)


def test_several_processes_write_one_whole_chain(tmp_path: Path) -> None:
    path = journal_path(tmp_path, "AB")
    writers = [start(path, 25, name) for name in "abc"]
    for writer in writers:
        assert len((writer.communicate(timeout=60)[0]).splitlines()) == 25
    lines = Journal(path).read()
    assert [x.seq for x in lines] == list(range(1, 76))
    for name in "abc":
        assert [x.lesions for x in lines if x.text == name] == [(k,) for k in range(25)]


@pytest.mark.long
def test_no_acknowledged_decision_is_lost_to_sigkill(
    tmp_path: Path, count: Callable[[int, str], int]
) -> None:
    path = journal_path(tmp_path, "AB")
    told: list[str] = []
    for turn in range(count(160, "writers killed")):
        writer = start(path, 200, "a")
        assert writer.stdout is not None
        told.append(writer.stdout.readline())
        time.sleep(0.004 * (turn % 8))
        os.kill(writer.pid, signal.SIGKILL)
        told += writer.stdout.read().splitlines()
        writer.stdout.close()
        writer.wait()
        hashes = [x.hash for x in Journal(path).read()]
        whole = [x.split() for x in told if len(x.split()) == 2 and len(x.split()[1]) == 64]
        assert all(hashes[int(seq) - 1] == value for seq, value in whole)


def _answer(decision: Decision, _: Sequence[Line]) -> Decision:
    return decision


def test_a_reason_given_after_a_reject_is_one_decision_with_it(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "AB.jsonl")
    for decision in (
        Decision("reject", (1,)),
        Decision("reject", (2,)),
        Decision("reject", (2,), target=2, reason="brain"),
        Decision("reject", (3,), target=1, reason="of another line"),
    ):
        journal.append(BOUND, partial(_answer, decision))
    assert [line.seq for line in effective(journal.lines).done] == [1, 3, 4]
    journal.append(BOUND, lambda _: Decision("undo", target=4))
    journal.append(BOUND, lambda _: Decision("undo", target=3))
    left = effective(journal.lines)
    assert [line.seq for line in left.done] == [1]
    assert [line.reason for line in left.undone] == ["of another line", "brain"]
