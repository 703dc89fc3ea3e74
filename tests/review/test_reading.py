"""What journals make of a case: whose reading counts, what a preview leaves alone, what is kept."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, tzinfo
from pathlib import Path

import numpy as np
import pytest

from tests.review.test_session import two_peaks
from tests.support.cases import make_case, make_volume
from tmtv_engine.case.folder import Case
from tmtv_engine.errors import CaseError, UsageError
from tmtv_engine.lesion.lists import Lesions, from_labels
from tmtv_engine.lesion.thresholds import background_suv
from tmtv_engine.review.bound import bound_of
from tmtv_engine.review.journal import Decision, Journal, journal_path
from tmtv_engine.review.line import Line
from tmtv_engine.review.reading import REMEMBERED, Reading, Replayer, of_record, reading_of
from tmtv_engine.review.repairs import erase, merge
from tmtv_engine.review.session import Session
from tmtv_engine.review.state import State

START = datetime(2026, 1, 1, 10, tzinfo=UTC)


@pytest.fixture(scope="module")
def case(tmp_path_factory: pytest.TempPathFactory) -> Case:
    """Lesions 1 and 2 accepted, 3 a candidate; each test reads it under names of its own."""
    return make_case(tmp_path_factory.mktemp("reading"))


def reject(*lesions: int, reason: str | None = None) -> Decision:
    return Decision("reject", lesions, reason=reason)


def decided(case: Case, reader: str, *decisions: Decision) -> Reading:
    session = Session(case, reader)
    for decision in decisions:
        session.decide(decision)
    return session.reading


def journal(case: Case, reader: str, *decisions: Decision) -> list[Line]:
    """Lines written past what a session would let through."""
    found = Journal(journal_path(case.path, reader))
    for decision in decisions:
        found.append(bound_of(case), lambda _, d=decision: d)  # type: ignore[misc]
    return found.read()


def shape(reading: Reading) -> dict[int, tuple[str, int]]:
    """Status and number of voxels of each lesion that exists."""
    ids, counts = reading.lesions.ids.tolist(), reading.lesions.counts.tolist()
    return {n: (str(reading.status[n]), voxels) for n, voxels in zip(ids, counts, strict=True)}


def test_a_case_that_nobody_read_is_the_prediction(case: Case) -> None:
    reading = Replayer(case).replay([], None)
    assert (reading.reader, reading.state, reading.decisions) == (None, "todo", 0)
    assert (reading.head, reading.signed, reading.lines, reading.seconds) == (None, None, (), 0.0)
    assert (reading.undoable, reading.redoable, reading.last) == (None, None, 3)
    assert reading.accepted == [0, 1]
    assert reading.decided_by == {1: None, 2: None, 3: None}
    assert (reading.repaired, reading.notes, reading.flagged) == (frozenset(), (), False)


def test_what_a_reading_says_of_its_journal(case: Case) -> None:
    told = [
        Decision("open"),
        reject(1, reason="brain"),
        Decision("note", text="twice"),
        Decision("accept", (3,)),
        Decision("undo"),
        Decision("note", text="twice"),
        Decision("undo"),
    ]
    reading = decided(case, "say", *told)
    lines = Journal(journal_path(case.path, "say")).read()
    assert reading.reader == "say"
    assert reading.lines == tuple(lines)
    assert reading.head == lines[-1].hash
    assert (reading.undoable, reading.redoable) == (lines[2], lines[5])
    assert (reading.decisions, reading.state) == (2, "partial")
    assert reading.notes == ("twice",)
    assert reading.reasons == {1: "brain"}
    assert reading.accepted == [1]
    assert reading.decided_by == {1: "say", 2: None, 3: None}
    assert reading.seconds == pytest.approx((lines[-1].time - lines[0].time).total_seconds())


def test_the_state_of_a_reading(case: Case) -> None:
    session = Session(case, "state")
    states = [session.reading.state]
    signs = ("open", "sign", "flag"), ("unsign", "flag", "unflag", "undo", "undo")
    for action in (*signs[0][:2], *signs[1]):
        states.append(session.decide(Decision(action)).state)
    #                 open    sign    unsign  flag       unflag     undo       undo
    assert states == ["todo", "todo", "done", "todo", "flagged", "partial", "flagged", "todo"]
    session.decide(Decision("flag"))
    assert session.decide(Decision("sign")).state == "flagged"


def test_a_preview_leaves_everything_as_it_was(case: Case) -> None:
    session = Session(case, "ahead")
    session.decide(reject(1))
    before, reading = journal_path(case.path, "ahead").read_bytes(), session.reading
    shown = shape(reading)
    draft = session.journal.draft(erase(2, above=5.0), session.watch.bound)
    ahead = session.replayer.ahead(reading, draft)
    again = session.replayer.ahead(reading, draft)
    assert shape(ahead) == shape(again)
    assert ahead.repaired == {2}
    assert (ahead.decisions, ahead.lines, ahead.undoable) == (2, (*reading.lines, draft), draft)
    suv, labels = make_volume()
    left = int(((labels.array == 2) & (suv.array <= np.float32(5.0))).sum())
    assert shape(ahead) == {**shown, 2: ("accepted", left)}
    assert 0 < left < shown[2][1]
    assert shape(reading) == shown
    assert shape(session.replayer.replay(reading.lines, "ahead")) == shown
    assert journal_path(case.path, "ahead").read_bytes() == before
    assert shape(session.decide(erase(2, above=5.0))) == shape(ahead)


def test_what_a_preview_cannot_do_is_the_reader_s_and_what_a_journal_cannot_the_file_s(
    case: Case,
) -> None:
    session = Session(case, "cannot")
    draft = session.journal.draft(Decision("add", (9,), parameters={}), session.watch.bound)
    with pytest.raises(UsageError, match="number 4"):
        session.replayer.ahead(session.reading, draft)
    lines = journal(case, "changed", reject(1), Decision("add", (9,), parameters={}))
    with pytest.raises(CaseError, match="line 2 of changed: the lesion to add is number 4"):
        Replayer(case).replay(lines, "changed")
    assert Replayer(case).replay(lines[:1], "changed").decisions == 1


def applied(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The lines that are applied from now on."""
    seen: list[int] = []
    real = State.apply

    def apply(self: State, line: Line) -> None:
        seen.append(line.seq)
        real(self, line)

    monkeypatch.setattr(State, "apply", apply)
    return seen


def test_a_replay_goes_on_from_the_longest_beginning_it_knows(
    case: Case, monkeypatch: pytest.MonkeyPatch
) -> None:
    count = 2 * REMEMBERED
    lines = journal(case, "long", *(reject(1 + k % 3) for k in range(count)))
    replayer, seen = Replayer(case), applied(monkeypatch)
    for k in range(1, count + 1):
        replayer.replay(lines[:k], "long")
    assert seen == list(range(1, count + 1))  # each once
    assert len(replayer._states) == REMEMBERED == 8
    seen.clear()
    replayer.replay(lines[: count - 1], "long")  # known
    assert seen == []
    replayer.replay(lines[: count - 8], "long")  # forgotten, and all before it
    assert seen == list(range(1, count - 7))
    other = journal(case, "other", reject(1), reject(2))
    seen.clear()
    replayer.replay(other, "other")  # another's first line is none of these
    assert seen == [1, 2]


def test_a_replay_changes_no_state_that_it_goes_on_from(case: Case) -> None:
    lines = journal(
        case, "keep", reject(1), reject(2), Decision("flag"), Decision("note", text="x")
    )
    replayer = Replayer(case)
    one = replayer.replay(lines[:1], "keep")
    whole = replayer.replay(lines, "keep")
    assert (one.accepted, one.flagged, one.notes) == ([1], False, ())
    assert (whole.accepted, whole.flagged, whole.notes) == ([], True, ("x",))
    again = replayer.replay(lines[:1], "keep")
    assert (again.accepted, again.flagged, again.notes, again.last) == ([1], False, (), 3)


class At(datetime):
    """A clock that stands at ``moment``."""

    moment = START

    @classmethod
    def now(cls, tz: tzinfo | None = None) -> At:
        return cls.fromtimestamp(cls.moment.timestamp(), tz)


def at(monkeypatch: pytest.MonkeyPatch, minutes: int) -> None:
    monkeypatch.setattr("tmtv_engine.review.journal.datetime", At)
    monkeypatch.setattr(At, "moment", START + timedelta(minutes=minutes))


def of(case: Case) -> str | None:
    """Whose reading is of record."""
    found = of_record(case)
    assert (found.reader if found else None) == reading_of(case).reader
    return found.reader if found else None


def test_the_reading_of_record(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    case = make_case(tmp_path, methods=("41",))
    assert of(case) is None
    at(monkeypatch, 0)
    decided(case, "D", Decision("open"), Decision("close"))
    assert of(case) is None  # opening decides nothing
    decided(case, "B", reject(1))
    decided(case, "C", reject(2))
    assert of(case) == "B"  # of one moment the first by name
    at(monkeypatch, 1)
    decided(case, "C", Decision("undo"))
    assert of(case) == "C"  # an undo is a decision
    at(monkeypatch, 2)
    decided(case, "B", Decision("open"), Decision("close"))
    assert of(case) == "C"  # looking at it again is none
    at(monkeypatch, 3)
    decided(case, "B", Decision("sign"))
    at(monkeypatch, 4)
    decided(case, "A", reject(1), reject(2))
    assert of(case) == "B"  # a signature counts more than what came later
    at(monkeypatch, 5)
    decided(case, "A", Decision("sign"))
    assert of(case) == "A"  # the last one
    at(monkeypatch, 6)
    decided(case, "A", Decision("unsign"))
    assert of(case) == "B"
    assert reading_of(case).status == {1: "rejected", 2: "accepted", 3: "candidate"}
    assert reading_of(case, "A").status[2] == "rejected"
    decided(case, "B", Decision("unsign"))
    assert of(case) == "A"  # of 6 both: the first by name
    with pytest.raises(UsageError, match="no reader is called 'E'"):
        reading_of(case, "E")


def row_at(z: int) -> Lesions:
    """A lesion of three voxels in slice ``z``, away from all others."""
    suv, labels = make_volume()
    mask = np.zeros(suv.array.shape, np.uint16)
    mask[z, 25, 5:8] = 1
    return from_labels(labels.with_array(mask), suv)


def test_no_number_is_given_twice(tmp_path: Path) -> None:
    """Split, split again, and one added: the numbers of what is gone stay with what is gone."""
    case = two_peaks(tmp_path)
    session = Session(case, "AB")
    first = session.decide(Decision("split", (1,)))
    assert (first.splits, first.parents, first.last) == ({1: (2, 3)}, {2: 1, 3: 1}, 3)
    assert first.lesions.ids.tolist() == [2, 3]
    large = 2 if first.lesions.counts[0] == 6 else 3
    second = session.decide(Decision("split", (large,)))
    assert second.splits == {1: (2, 3), large: (4, 5)}
    assert second.parents == {2: 1, 3: 1, 4: large, 5: large}
    assert second.last == 5
    third = session.add(row_at(3))
    assert sorted(third.lesions.ids.tolist()) == sorted([5 - large, 4, 5, 6])
    assert third.last == 6
    gone = session.decide(merge([4, 6]))
    assert (6 in gone.status, gone.merged, gone.last) == (False, {6: 4}, 6)
    fourth = session.add(row_at(15))
    assert (7 in fourth.status, fourth.last) == (True, 7)
    # what is undone was never given
    for _ in range(4):
        session.decide(Decision("undo"))
    assert (session.reading.last, session.reading.lesions.ids.tolist()) == (3, [2, 3])


def test_only_what_is_still_there_was_repaired(case: Case) -> None:
    reading = decided(case, "repair", erase(2, above=5.0), merge([1, 2]), reject(3))
    assert reading.repaired == {1}
    assert reading.merged == {2: 1}
    around = reading.around()
    assert set(around) == {1}
    everywhere = background_suv(reading.lesions, make_volume()[0])
    assert around[1] == pytest.approx(everywhere[reading.lesions.row(1)])
    assert decided(case, "none", reject(1)).around() == {}


def test_a_replay_refuses_lines_of_another_prediction(case: Case) -> None:
    stray = Journal(journal_path(case.path, "stray"))
    other = bound_of(case)
    wrong = type(other)(other.case, "f" * 64)
    stray.append(wrong, lambda _: reject(1))
    with pytest.raises(CaseError, match="line 1 of stray was decided on other lesions"):
        Replayer(case).replay(stray.read(), "stray")
    stray.path.unlink()
