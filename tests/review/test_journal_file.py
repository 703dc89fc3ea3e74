"""The journal's file when a disk, a writer or a hand fails: nothing counts that is not whole."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tmtv_engine.errors import CaseError, UsageError
from tmtv_engine.review import journal as room
from tmtv_engine.review.journal import (
    JOURNAL_LIMIT,
    Bound,
    Decision,
    Journal,
    journal_path,
    journals,
    login,
)
from tmtv_engine.review.line import Line, line_hash

BOUND = Bound("case-1", "0" * 64)


def put(journal: Journal, *decisions: Decision) -> None:
    for decision in decisions:
        journal.append(BOUND, lambda _, d=decision: d)  # type: ignore[misc]


def written(tmp_path: Path, *numbers: int) -> Journal:
    """A journal that accepts some lesions."""
    journal = Journal(journal_path(tmp_path, "AB"))
    put(journal, *(Decision("accept", (n,)) for n in numbers))
    return journal


def lesions(path: Path) -> list[tuple[int, ...]]:
    return [line.lesions for line in Journal(path).read()]


class Disk:
    """`os.write` on a disk that takes ``room`` bytes more, and then has no space left."""

    def __init__(self, free: int, step: int = 2**20) -> None:
        self.free, self.step, self.real = free, step, os.write

    def write(self, handle: int, raw: bytes) -> int:
        take = min(len(raw), self.free, self.step)
        if not take:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        self.free -= take
        return self.real(handle, raw[:take])


@pytest.mark.parametrize("free", [0, 1, 100])
def test_a_full_disk_leaves_the_journal_as_it_was_and_the_reader_can_go_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, free: int
) -> None:
    journal = written(tmp_path, 1)
    before = journal.path.read_bytes()
    with monkeypatch.context() as patch:
        patch.setattr(os, "write", Disk(free).write)
        with pytest.raises(CaseError, match="No space left on device") as caught:
            put(journal, Decision("accept", (2,)))
    assert caught.value.remedy == "The decision was not recorded."
    assert journal.path.read_bytes() == before
    assert [line.lesions for line in journal.lines] == [(1,)]
    put(journal, Decision("accept", (3,)))
    assert lesions(journal.path) == [(1,), (3,)]


def test_a_full_disk_leaves_no_empty_journal(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    journal = written(tmp_path)
    with monkeypatch.context() as patch:
        patch.setattr(os, "write", Disk(50).write)
        with pytest.raises(CaseError):
            put(journal, Decision("accept", (1,)))
    assert not journal.path.exists()
    assert journal.read() == []
    put(journal, Decision("accept", (2,)))
    assert lesions(journal.path) == [(2,)]


def test_a_write_may_take_a_line_in_pieces(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    journal = written(tmp_path, 1)
    monkeypatch.setattr(os, "write", Disk(2**20, step=7).write)
    put(journal, Decision("accept", (2,)), Decision("accept", (3,)))
    assert lesions(journal.path) == [(1,), (2,), (3,)]


def test_a_torn_tail_longer_than_the_next_line_is_cut_off_whole(tmp_path: Path) -> None:
    journal = written(tmp_path, 1)
    whole = journal.path.read_bytes()
    journal.path.write_bytes(whole + b"x" * 5000)
    for reader in (journal, Journal(journal.path)):
        assert [line.lesions for line in reader.read()] == [(1,)]
    put(journal, Decision("accept", (2,)))
    raw = journal.path.read_bytes()
    assert raw.startswith(whole)
    assert raw.count(b"\n") == 2
    assert raw.endswith(b"\n")
    assert lesions(journal.path) == [(1,), (2,)]


def test_a_torn_tail_alone_is_an_empty_journal(tmp_path: Path) -> None:
    journal = written(tmp_path, 1)
    journal.path.write_bytes(journal.path.read_bytes()[:-1])
    again = Journal(journal.path)
    assert again.read() == []
    assert again.head == ""
    put(again, Decision("accept", (2,)))
    assert lesions(journal.path) == [(2,)]


def test_each_line_is_flushed_before_it_counts_and_a_new_file_s_folder_with_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    journal = written(tmp_path)
    flushed: list[object] = []
    real = os.fsync

    def fsync(handle: int) -> None:
        flushed.append(os.readlink(f"/proc/self/fd/{handle}"))
        assert Path(str(flushed[-1])) != journal.path or os.fstat(handle).st_size > ends[-1]
        real(handle)

    ends = [0]
    monkeypatch.setattr(os, "fsync", fsync)
    put(journal, Decision("accept", (1,)))
    assert flushed.count(str(journal.path)) == 1
    assert flushed.index(str(journal.path)) < flushed.index(str(journal.path.parent))
    ends.append(journal.path.stat().st_size)
    flushed.clear()
    put(journal, Decision("accept", (2,)))
    assert flushed == [str(journal.path)]


def test_a_line_that_could_not_be_flushed_does_not_count(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    journal = written(tmp_path, 1)
    before = journal.path.read_bytes()

    def fails(handle: int) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", fails)
        with pytest.raises(CaseError, match="Input/output error"):
            put(journal, Decision("accept", (2,)))
    assert journal.path.read_bytes() == before
    assert len(journal.lines) == 1


def test_no_handle_is_left_open(tmp_path: Path) -> None:
    journal = written(tmp_path, 1)
    before = len(os.listdir("/proc/self/fd"))
    put(journal, *(Decision("accept", (n,)) for n in range(2, 12)))
    journal.read()
    assert len(os.listdir("/proc/self/fd")) == before


def test_a_journal_that_became_shorter_is_told_while_it_is_open(tmp_path: Path) -> None:
    journal = written(tmp_path, 1, 2)
    raw = journal.path.read_bytes()
    first = raw[: raw.index(b"\n") + 1]
    journal.path.write_bytes(first)
    with pytest.raises(CaseError, match="has become shorter"):
        journal.read()
    with pytest.raises(CaseError, match="has become shorter"):
        put(journal, Decision("accept", (3,)))
    assert journal.path.read_bytes() == first
    journal.path.write_bytes(raw[:-1])
    with pytest.raises(CaseError, match="has become shorter"):
        journal.read()
    journal.path.write_bytes(raw)
    assert len(journal.read()) == 2


def test_a_journal_that_is_gone_is_told_while_it_is_open(tmp_path: Path) -> None:
    journal = written(tmp_path, 1)
    journal.path.unlink()
    with pytest.raises(CaseError, match="is gone"):
        journal.read()
    assert Journal(journal.path).read() == []


def test_what_another_appended_is_taken_in_once(tmp_path: Path) -> None:
    one, two = written(tmp_path, 1), Journal(journal_path(tmp_path, "AB"))
    put(two, Decision("accept", (2,)))
    put(one, Decision("accept", (3,)))
    put(two, Decision("accept", (4,)))
    assert [line.lesions for line in one.read()] == [(1,), (2,), (3,), (4,)]
    assert [line.seq for line in two.read()] == [1, 2, 3, 4]
    assert one.head == two.head == one.lines[-1].hash


def test_a_journal_of_16_mib_is_the_largest(tmp_path: Path) -> None:
    journal = written(tmp_path, 1)
    raw = journal.path.read_bytes()
    for size, fits in ((JOURNAL_LIMIT, True), (JOURNAL_LIMIT + 1, False)):
        journal.path.write_bytes(raw + bytes(size - len(raw)))  # a torn tail
        if fits:
            assert lesions(journal.path) == [(1,)]
        else:
            with pytest.raises(CaseError, match="larger than any journal"):
                lesions(journal.path)
    assert JOURNAL_LIMIT == 16777216


def test_lines_out_of_order_lost_or_doubled_are_told(tmp_path: Path) -> None:
    journal = written(tmp_path, 1, 2, 3)
    one, two, three = journal.path.read_bytes().splitlines(keepends=True)
    for raw in (two + three, one + three, one + one, two + one, one + two + two):
        journal.path.write_bytes(raw)
        with pytest.raises(CaseError, match="does not follow the one before"):
            Journal(journal.path).read()


def _rewritten(path: Path, change: Callable[[int, dict[str, Any]], dict[str, Any]]) -> None:
    """The journal with other lines, each with a hash that is right."""
    from tmtv_engine.files import canonical

    raw, prev = b"", ""
    for number, line in enumerate(Journal(path).read()):
        told = change(number, {**line.fields(), "prev": prev})
        told["hash"] = prev = line_hash(told)
        raw += canonical(told) + b"\n"
    path.write_bytes(raw)


def test_a_chain_that_is_whole_but_counts_otherwise_is_told(tmp_path: Path) -> None:
    journal = written(tmp_path, 1, 2)
    _rewritten(journal.path, lambda k, told: {**told, "seq": 5 + k})
    with pytest.raises(CaseError, match="line 1 does not follow"):
        Journal(journal.path).read()


def test_another_reader_s_journal_is_told(tmp_path: Path) -> None:
    journal = written(tmp_path, 1)
    copied = journal.path.with_name("CD.jsonl")
    copied.write_bytes(journal.path.read_bytes())
    with pytest.raises(CaseError, match="line 1 is by AB, not by CD"):
        Journal(copied).read()
    assert [p.name for p in journals(tmp_path)] == ["AB.jsonl", "CD.jsonl"]


def test_lines_of_before_may_begin_a_journal_and_none_may_follow(tmp_path: Path) -> None:
    def old(told: dict[str, Any]) -> dict[str, Any]:
        kept = {k: v for k, v in told.items() if k not in ("case", "prediction", "parameters")}
        return {**kept, "labels_sha256": "1" * 64}

    journal = written(tmp_path, 1, 2, 3)
    raw = journal.path.read_bytes()
    _rewritten(journal.path, lambda k, told: old(told) if k < 2 else told)
    assert [line.bound for line in Journal(journal.path).read()] == [False, False, True]
    journal.path.write_bytes(raw)
    _rewritten(journal.path, lambda k, told: old(told) if k == 2 else told)
    with pytest.raises(CaseError, match="line 3 is unbound after bound ones"):
        Journal(journal.path).read()


def _fails_after(journal: Journal, *numbers: int) -> None:
    with journal.together():
        put(journal, *(Decision("accept", (n,)) for n in numbers))
        raise ValueError("enough")


def test_all_of_a_block_or_none(tmp_path: Path) -> None:
    journal = written(tmp_path, 1)
    before = journal.path.read_bytes()
    with pytest.raises(ValueError, match="enough"):
        _fails_after(journal, 2, 3)
    assert journal.path.read_bytes() == before
    assert [line.lesions for line in journal.lines] == [(1,)]
    with journal.together():
        put(journal, Decision("accept", (4,)), Decision("accept", (5,)))
    assert lesions(journal.path) == [(1,), (4,), (5,)]


def test_a_block_that_fails_on_a_new_journal_leaves_none(tmp_path: Path) -> None:
    journal = written(tmp_path)
    for numbers in ((2,), ()):
        with pytest.raises(ValueError, match="enough"):
            _fails_after(journal, *numbers)
        assert not journal.path.exists()
        assert journal.lines == []
    put(journal, Decision("accept", (3,)))
    assert lesions(journal.path) == [(3,)]


def test_an_error_of_who_decides_or_seals_writes_nothing(tmp_path: Path) -> None:
    journal = written(tmp_path, 1)
    before = journal.path.read_bytes()
    seen: list[str] = []

    def refuses(_: object) -> Decision:
        raise UsageError("no")

    def seals(line: Line) -> None:
        seen.append(line.hash)
        assert journal.path.read_bytes() == before
        if len(seen) == 1:
            raise UsageError("no")

    with pytest.raises(UsageError):
        journal.append(BOUND, refuses)
    with pytest.raises(UsageError):
        journal.append(BOUND, lambda _: Decision("accept", (2,)), seals)
    assert journal.path.read_bytes() == before
    line = journal.append(BOUND, lambda _: Decision("accept", (2,)), seals)
    assert seen[1] == line.hash == journal.lines[-1].hash


def test_a_draft_writes_nothing_and_its_next_line_may_be_another(tmp_path: Path) -> None:
    journal = written(tmp_path, 1)
    before = journal.path.read_bytes()
    draft = journal.draft(Decision("accept", (9,)), BOUND)
    assert (draft.seq, draft.prev, draft.reader) == (2, journal.lines[0].hash, "AB")
    assert draft.hash == line_hash(draft.fields())
    assert journal.path.read_bytes() == before
    assert draft.at.endswith("Z")
    assert len(draft.at) == len("2026-01-01T00:00:00.000000Z")


def test_a_journal_behind_a_link_is_not_written_nor_listed(tmp_path: Path) -> None:
    journal = written(tmp_path, 1)
    aside = tmp_path / "aside.jsonl"
    journal.path.rename(aside)
    journal.path.symlink_to(aside)
    before = aside.read_bytes()
    with pytest.raises(CaseError):
        Journal(journal.path).read()
    with pytest.raises(CaseError):
        put(Journal(journal.path), Decision("accept", (2,)))
    assert aside.read_bytes() == before
    other = tmp_path / "other"
    other.mkdir()
    (other / "review").symlink_to(tmp_path / "review")
    with pytest.raises(CaseError, match="is a link"):
        journals(other)


def test_one_thread_may_be_alone_twice_and_is_no_longer_afterwards(tmp_path: Path) -> None:
    import subprocess
    import sys

    case = tmp_path / "case"
    case.mkdir()
    ask = (
        "import sys, pathlib\nfrom tmtv_engine.review.journal import alone\n"
        "with alone(pathlib.Path(sys.argv[1])): print('alone')"
    )

    def another() -> str:
        command = [sys.executable, "-c", ask, str(case)]
        return subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip()

    with room.alone(case), room.alone(case):
        pass
    assert another() == "alone"
    with pytest.raises(ValueError, match="x"), room.alone(case):
        raise ValueError("x")
    assert another() == "alone"
    with room.alone(case):
        with room.alone(case):
            pass
        assert Path(os.path.abspath(case)) in room._HELD.__dict__["cases"]


def test_what_a_reader_writes_is_cut_to_a_length() -> None:
    told = Decision("reject", (1,), reason="r" * 1000, text="t" * 9000)
    assert (told.reason, told.text) == ("r" * 200, "t" * 2000)
    assert Decision("note", text="").text == ""
    assert Decision("note").text is None


def test_a_login_that_is_none_is_a_reader(monkeypatch: pytest.MonkeyPatch) -> None:
    def nobody() -> str:
        raise KeyError("uid")

    monkeypatch.setattr("getpass.getuser", lambda: "anna b")
    assert login() == "anna_b"
    monkeypatch.setattr("getpass.getuser", nobody)
    assert login() == "reader"
