"""What a journal says of a case: the lesions as one reader left them. Replay is the state."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from tmtv_engine.case.folder import Case
from tmtv_engine.case.guard import guarded
from tmtv_engine.case.record import CaseRecord, ReviewState
from tmtv_engine.errors import CaseError, UsageError
from tmtv_engine.files import AGAIN, open_own
from tmtv_engine.lesion.find import split_lesion
from tmtv_engine.lesion.lists import Lesions
from tmtv_engine.lesion.origin import Source, Status, first_status
from tmtv_engine.review.bound import check_lines
from tmtv_engine.review.journal import (
    Effective,
    Journal,
    effective,
    journals,
    reading_seconds,
)
from tmtv_engine.review.line import Line

IntArray = npt.NDArray[np.int64]
SPLIT_MM = (10.0, 5.0)
ADDED_LIMIT = 2**30
DECIDED = {"accept": Status.ACCEPTED, "reject": Status.REJECTED}


@dataclass(frozen=True)
class Reading:
    """A case as one reader (None: nobody, the prediction) sees it.

    ``lesions``: all that exist, rejected and candidates too; a split lesion has given way to its
    parts (``splits``: number → parts' numbers; ``parents`` the other way). The mappings are by
    the lesion's number. ``signed`` and ``head`` are hashes of journal lines.
    """

    reader: str | None
    lesions: Lesions
    status: Mapping[int, Status]
    decided_by: Mapping[int, str | None]
    sources: Mapping[int, Source]
    reasons: Mapping[int, str]
    splits: Mapping[int, tuple[int, ...]] = field(default_factory=dict)
    parents: Mapping[int, int] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    flagged: bool = False
    signed: str | None = None
    head: str | None = None
    lines: tuple[Line, ...] = ()
    undoable: Line | None = None
    redoable: Line | None = None
    decisions: int = 0
    seconds: float = 0.0

    @property
    def accepted(self) -> list[int]:
        """Rows of ``lesions`` that count."""
        ids = self.lesions.ids
        return [k for k in range(len(ids)) if self.status[int(ids[k])] == Status.ACCEPTED]

    @property
    def state(self) -> ReviewState:
        """Flagged, done (signed), partial (decided) or todo."""
        if self.flagged:
            return ReviewState.FLAGGED
        if self.signed:
            return ReviewState.DONE
        return ReviewState.PARTIAL if self.decisions else ReviewState.TODO


class Replayer:
    """Replays journals on a case; keeps the voxels and what splitting them costs."""

    def __init__(self, case: Case) -> None:
        self.case = case
        self.base = case.voxels()
        self._parts: dict[tuple[int, ...], list[IntArray]] = {}

    def replay(self, lines: Sequence[Line], reader: str | None) -> Reading:
        """The state after ``lines``; raises `CaseError` where they belong to other lesions."""
        check_lines(self.case, lines, reader)
        left = effective(lines)
        state = _State(self)
        with guarded(self.case.path):
            for line in left.done:
                state.apply(line)
        return state.reading(reader, lines, left)

    def split(self, lesions: Lesions, row: int, distance_mm: float) -> list[IntArray]:
        """The parts of a lesion as flat voxel indices, remembered."""
        span = lesions.span(row)
        digest = hashlib.sha256(lesions.voxels[span].tobytes()).digest()
        key = (*digest, int(distance_mm * 10))
        if key not in self._parts:
            self._parts[key] = split_lesion(lesions, row, distance_mm)
        return self._parts[key]


class _State:
    def __init__(self, replayer: Replayer) -> None:
        self.replayer = replayer
        record = replayer.case.record
        self.lesions = replayer.base
        # a case.json that was refreshed holds review's outcome: start from the prediction
        self.status = predicted_status(record)
        if list(self.status) != [int(i) for i in self.lesions.ids]:
            raise CaseError(f"{replayer.case.name}: voxels.npz holds other lesions", AGAIN)
        self.sources = {row.id: row.source for row in record.lesions if row.id in self.status}
        self.by: dict[int, str | None] = dict.fromkeys(self.status)
        self.reasons: dict[int, str] = {}
        self.splits: dict[int, tuple[int, ...]] = {}
        self.parents: dict[int, int] = {}
        self.notes: list[str] = []
        self.flagged = False

    def apply(self, line: Line) -> None:
        if line.action in DECIDED:
            for number in line.lesions:
                self._known(number, line)
                self.status[number] = DECIDED[line.action]
                self.by[number] = line.reader
                self.reasons.pop(number, None)
                if line.action == "reject" and line.reason:
                    self.reasons[number] = line.reason
        elif line.action == "split":
            for number in line.lesions:
                self._known(number, line)
                self._split(number, float(line.text or SPLIT_MM[0]))
        elif line.action == "add":
            self._add(line)
        elif line.action == "note":
            self.notes.append(line.text or "")
        elif line.action in ("flag", "unflag"):
            self.flagged = line.action == "flag"

    def _known(self, number: int, line: Line) -> None:
        if number not in self.status:
            raise CaseError(f"line {line.seq} of {line.reader}: there is no lesion {number}")

    def _split(self, number: int, distance_mm: float) -> None:
        row = self.lesions.row(number)
        parts = self.replayer.split(self.lesions, row, distance_mm)
        first = max([*self.status, *self.splits]) + 1
        numbers = tuple(range(first, first + len(parts)))
        self.lesions = self.lesions.parted(row, parts, first)
        for new in numbers:
            self.status[new], self.by[new] = self.status[number], self.by[number]
            self.sources[new], self.parents[new] = self.sources[number], number
        for known in (self.status, self.by, self.sources):
            known.pop(number)  # type: ignore[attr-defined]
        self.reasons.pop(number, None)
        self.splits[number] = numbers

    def _add(self, line: Line) -> None:
        added = read_added(self.replayer.case, str(line.text))
        taken = self.lesions.take(
            [k for k, i in enumerate(self.lesions.ids) if self.status[int(i)] == Status.ACCEPTED]
        ).voxels
        free = added.without(taken)
        self.lesions = self.lesions.without(free.voxels).joined(free)
        gone = set(self.status) - {int(i) for i in self.lesions.ids}
        for number in gone:
            self.status.pop(number)
        for number in (int(i) for i in free.ids):
            self.status[number], self.by[number] = Status.ACCEPTED, line.reader
            self.sources[number] = Source.ROI

    def reading(self, reader: str | None, lines: Sequence[Line], left: Effective) -> Reading:
        return Reading(
            reader,
            self.lesions,
            self.status,
            self.by,
            self.sources,
            self.reasons,
            self.splits,
            self.parents,
            tuple(self.notes),
            self.flagged,
            left.signed.hash if left.signed else None,
            lines[-1].hash if lines else None,
            tuple(lines),
            left.done[-1] if left.done else None,
            left.undone[-1] if left.undone else None,
            len(left.done),
            reading_seconds(lines),
        )


def predicted_status(record: CaseRecord) -> dict[int, Status]:
    """The status of each lesion of the prediction before any review, by its number."""
    model, last = record.model.name, record.provenance.last_id
    return {
        row.id: first_status(row.source, model, row.structure)
        for row in record.lesions
        if row.id <= last
    }


def reading_of(case: Case, reader: str | None = None) -> Reading:
    """The case as ``reader`` left it; None: the reading of record.

    That is the last signed one; with none signed, that of the reader who decided last; with
    none at all the prediction. Raises `CaseError` where a journal is broken or the label map is
    not the one that was read, and `UsageError` where that reader has no journal.
    """
    replayer = Replayer(case)
    if reader is None:
        found = of_record(case)
        return replayer.replay(found.lines if found else [], found.reader if found else None)
    for path in journals(case.path):
        if path.name == f"{reader}.jsonl":
            return replayer.replay(Journal(path).read(), reader)
    raise UsageError(f"{case.name}: no reader is called {reader!r}", "See its review folder.")


def of_record(case: Case) -> Journal | None:
    """The journal of the reading of record, None where nobody decided anything."""
    best: tuple[bool, str] | None = None
    chosen = None
    for path in journals(case.path):
        journal = Journal(path)
        left = effective(journal.read())
        decided = [x for x in journal.lines if x.action not in ("open", "close")]
        if not decided:
            continue
        rank = (True, left.signed.at) if left.signed else (False, decided[-1].at)
        if best is None or rank > best:
            best, chosen = rank, journal
    return chosen


def read_added(case: Case, name: str) -> Lesions:
    """The lesions that an ``add`` brought in, from ``review/added-<sha256>.npz``."""
    path = case.path / "review" / f"added-{name}.npz"
    try:
        with open_own(path) as stream:
            raw = stream.read(ADDED_LIMIT)
    except OSError as error:
        raise CaseError(f"{path} is missing", "An imported lesion's voxels are lost.") from error
    if hashlib.sha256(raw).hexdigest() != name:
        raise CaseError(f"{path} was changed", "An imported lesion's voxels are not as imported.")
    return Lesions.load(path, case.voxels().grid)
