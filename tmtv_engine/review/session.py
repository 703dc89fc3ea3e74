"""Reviewing a case: decisions go to the reader's journal, `case.json` and `summary.csv` follow.

The journal is the truth; what stands in `case.json` is derived from it by `refresh` and can be
derived again at any time. The app and the commands both come through `Session`.
"""

from __future__ import annotations

import contextlib
import os
import socket
import warnings
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from msgspec import to_builtins

from tmtv_engine.case.cuts import Cuts
from tmtv_engine.case.folder import Case, read_case
from tmtv_engine.case.guard import guarded
from tmtv_engine.case.record import CaseRecord
from tmtv_engine.case.tables import update_summary
from tmtv_engine.errors import CaseError, DiskError, UsageError
from tmtv_engine.files import (
    Record,
    dump_json,
    jsonable,
)
from tmtv_engine.lesion.lists import Lesions
from tmtv_engine.review.added import is_kept, kept_added
from tmtv_engine.review.bound import Watch
from tmtv_engine.review.journal import (
    Decision,
    Effective,
    Journal,
    alone,
    effective,
    journal_path,
    journals,
    login,
)
from tmtv_engine.review.line import REPAIRS, UNDOABLE, VISITS, Action, Line
from tmtv_engine.review.outcome import as_recorded, review_sha256, reviewed_record, totals_sha256
from tmtv_engine.review.reading import Reading, Replayer
from tmtv_engine.review.state import SPLIT_MM

NEEDS_LESIONS = (REPAIRS - {Action.ADD}) | {Action.ACCEPT, Action.REJECT, Action.SPLIT}


class Session:
    """One reader at one case: decide, and have the state at once.

    ``reader`` defaults to the login name. Other processes may write to the same journal: their
    lines are taken in with the next decision.
    """

    def __init__(self, case: Case, reader: str | None = None) -> None:
        self.case = case
        self.reader = reader or login()
        self.journal = Journal(journal_path(case.path, self.reader))
        with guarded(case.path):
            self.watch = Watch(case)
            self.replayer = Replayer(case)
            self.reading = self.replayer.replay(self.journal.read(), self.reader)

    def decide(self, decision: Decision, seal: Callable[[Line], object] | None = None) -> Reading:
        """Record a decision (on disk when this returns) and return the state after it.

        ``seal`` sees the line before it is written; what it raises leaves all as it was.
        Raises `UsageError` for what cannot be decided (no such lesion, nothing to undo) and
        `CaseError` where the reading is signed, the journal broken or the case predicted anew.
        """

        def checked(lines: Sequence[Line]) -> Decision:
            self.watch.check()
            self._sync(lines)
            return _checked(decision, self)

        with self._keeping(decision):
            self.journal.append(self.watch.bound, checked, seal)
        self.reading = self.replayer.replay(self.journal.lines, self.reader)
        return self.reading

    def _keeping(self, decision: Decision) -> AbstractContextManager[object]:
        """What keeps a model's answer, which the decision names by its hash, if it is new."""
        name, answers = decision.text or "", self.replayer.tools.answers
        if decision.parameters is None or name not in answers or is_kept(self.case, name):
            return contextlib.nullcontext()
        return kept_added(self.case, answers[name])

    def preview(self, decision: Decision) -> Reading:
        """What ``decide`` would return for a repair; nothing is written.

        Raises `UsageError` for what cannot be done and `CaseError` where there is no PET for it.
        """
        return self._ahead(_numbered(decision, self.reading))

    def tried(self, decision: Decision) -> Decision:
        """A split or repair with its number filled in, once it has been seen to go.

        Done before in a worker, it makes `decide` quick: what it costs is remembered.
        """
        if decision.action == Action.SPLIT:
            return _split(decision, self)
        numbered = _numbered(decision, self.reading)
        self._ahead(numbered)
        return numbered

    def _ahead(self, decision: Decision) -> Reading:
        line = self.journal.draft(decision, self.watch.bound)
        return self.replayer.ahead(self.reading, line)

    def refresh(self) -> Reading:
        """Take in what others have written to this journal."""
        self._sync(self.journal.read())
        return self.reading

    def add(self, lesions: Lesions) -> Reading:
        """As `add_lesions`; `case.json` does not follow yet."""
        reading = self.reading
        if not lesions.grid.matches(reading.lesions.grid):
            raise UsageError("the lesions to add are not on the case's PET grid")
        first = reading.last + 1
        ids = np.arange(first, first + len(lesions), dtype=np.int64)
        with kept_added(self.case, lesions.renumbered(ids, ids)) as name:
            return self.decide(Decision(Action.ADD, tuple(int(i) for i in ids), text=name))

    def _sync(self, lines: Sequence[Line]) -> None:
        if len(lines) != len(self.reading.lines):
            self.reading = self.replayer.replay(lines, self.reader)


def _checked(decision: Decision, session: Session) -> Decision:
    """``decision`` with its target and parameter filled in, or an error that says why not."""
    reading = session.reading
    left = effective(reading.lines)
    action = decision.action
    if reading.signed and action not in VISITS | {Action.UNSIGN}:
        raise CaseError(
            f"{session.case.name} is signed by {session.reader}", "Re-open it first (unsign)."
        )
    if action == Action.UNSIGN and not reading.signed:
        raise UsageError(f"{session.case.name} is not signed")
    unknown = [str(n) for n in decision.lesions if n not in reading.status]
    if unknown and action != Action.ADD:
        raise UsageError(
            f"{session.case.name} has no lesion {', '.join(unknown)}", _explain(decision, reading)
        )
    if action in NEEDS_LESIONS and not decision.lesions:
        raise UsageError(f"which lesion to {action}?", "Give its number.")
    if action in (Action.UNDO, Action.REDO):
        return _step(action, left)
    if action == Action.SPLIT:
        return _split(decision, session)
    if action in REPAIRS and (action != Action.ADD or decision.parameters is not None):
        return session.tried(decision)
    if action == Action.SIGN:
        return _signature(session.case.record, reading)
    return decision


def _numbered(decision: Decision, reading: Reading) -> Decision:
    """An added lesion takes the next number."""
    if decision.action != Action.ADD:
        return decision
    return replace(decision, lesions=(reading.last + 1,))


def _explain(decision: Decision, reading: Reading) -> str:
    for number in decision.lesions:
        if number in reading.splits:
            parts = ", ".join(map(str, reading.splits[number]))
            return f"Lesion {number} was split into {parts}."
        if number in reading.merged:
            return f"Lesion {number} was merged into {reading.merged[number]}."
    return "See the numbers in case.json."


def _step(action: str, left: Effective) -> Decision:
    found = left.done if action == Action.UNDO else left.undone
    if not found:
        raise UsageError(f"there is nothing to {action}")
    return Decision(action, target=found[-1].seq)


def _split(decision: Decision, session: Session) -> Decision:
    """Seeds at 10 mm, or 5 mm where that leaves one part or was done before."""
    if len(decision.lesions) != 1:
        raise UsageError("one lesion at a time can be split")
    (number,) = decision.lesions
    lesions = session.reading.lesions
    done = {
        line.lesions[0]: float(line.text or 0)
        for line in session.reading.lines
        if line.action == Action.SPLIT
    }
    before = done.get(session.reading.parents.get(number, 0), 99.0)
    for distance in SPLIT_MM:
        if distance >= before:
            continue
        if len(session.replayer.split(lesions, lesions.row(number), distance)) > 1:
            return Decision(Action.SPLIT, (number,), text=f"{distance:g}")
    raise UsageError(
        f"lesion {number} has one maximum only and cannot be split further",
        "Reject or accept it whole.",
    )


def record(
    case: Case,
    decision: Decision,
    reader: str | None = None,
    seal: Callable[[Line], object] | None = None,
    answer: Lesions | None = None,
) -> Reading:
    """Record one decision of ``reader`` (default: the login name) and refresh the case.

    ``answer``: a model's, which the decision names by its hash and which is kept with it.

    What cannot be followed by `case.json` (a full disk, another's broken journal) is not recorded.
    """
    with alone(case.path), guarded(case.path):
        session = Session(case, reader)
        keeping = contextlib.nullcontext() if answer is None else kept_added(case, answer)
        with keeping, session.journal.together():  # a case.json that fails takes it back
            reading = session.decide(decision, seal)
            done = follow(case)
    summed(case, done.record)
    return reading


def add_lesions(case: Case, lesions: Lesions, reader: str | None = None) -> Reading:
    """Bring in lesions from elsewhere as accepted ones, with the next free numbers.

    They are on the case's PET grid; voxels of lesions that are accepted now stay theirs. The
    voxels are kept in ``review/added-<sha256>.npz``, which the journal's line names.
    """
    with alone(case.path), guarded(case.path):
        session = Session(case, reader)
        with session.journal.together():
            found = session.add(lesions)
            done = follow(case)
    summed(case, done.record)
    return found


def _signature(record: CaseRecord, reading: Reading) -> Decision:
    """What a signature vouches for: the totals of a reading by method, and their hash."""
    sums = Cuts.of_record(record, reading.lesions, reading.around).totals(reading.accepted)
    told: Record = jsonable(to_builtins(sums))
    parameters = {"methods": list(told), "totals": told}
    return Decision(Action.SIGN, text=totals_sha256(told), parameters=parameters)


def refresh(case: Case) -> Case:
    """Bring `case.json`'s totals and review part and `summary.csv` up to the reading of record.

    Each file is replaced whole; a lock keeps several processes from overtaking each other.
    """
    done = follow(case)
    update_summary(case.path.parent, done.record)
    return done


def summed(case: Case, record: CaseRecord) -> None:
    """`summary.csv` follows; a disk that refuses is warned of, as the decision is recorded."""
    try:
        update_summary(case.path.parent, record)
    except DiskError as error:
        warnings.warn(f"{error.what}: the next decision brings it up to date", stacklevel=2)


def follow(case: Case) -> Case:
    """Bring `case.json` alone up to the reading of record, and return it."""
    with alone(case.path), guarded(case.path):
        done = as_recorded(read_case(case.path))
        dump_json(case.path / "case.json", done.raw)
    return done


@dataclass(frozen=True)
class Presence:
    """Who has a case open: since when, on which host, in which ``session`` (as `session_text`);
    ``alive`` is None where it can't be told."""

    reader: str
    host: str
    since: str
    alive: bool | None
    session: str | None = None


def who_has_open(case: Path) -> list[Presence]:
    """Sessions that opened the case and did not close it, by reader."""
    found: list[Presence] = []
    for path in journals(case):
        opened: list[Line] = []
        for line in Journal(path).read():
            if line.action == Action.OPEN:
                opened.append(line)
            elif line.action == Action.CLOSE and opened:
                same = [x for x in opened if x.host == line.host and x.text == line.text]
                opened.remove(same[-1] if same else opened[-1])
        found += [Presence(x.reader, x.host, x.at, _alive(x), x.text) for x in opened]
    return [p for p in found if p.alive is not False]


def session_text() -> str:
    """What ``open`` and ``close`` say of the process, so that the two find each other."""
    return f"pid {os.getpid()}"


def _alive(line: Line) -> bool | None:
    """Whether the process that opened still runs; None where that is another host's."""
    if line.host != socket.gethostname() or not (line.text or "").startswith("pid "):
        return None
    try:
        os.kill(int((line.text or "")[4:]), 0)
    except PermissionError:
        return True
    except (OSError, ValueError):
        return False
    return True


__all__ = [
    "UNDOABLE",
    "Decision",
    "Presence",
    "Reading",
    "Session",
    "add_lesions",
    "record",
    "refresh",
    "review_sha256",
    "reviewed_record",
    "session_text",
    "totals_sha256",
    "who_has_open",
]
