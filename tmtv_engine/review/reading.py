"""What a journal says of a case: the lesions as one reader left them. Replay is the state."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from threading import Lock

from tmtv_engine.case.folder import Case
from tmtv_engine.case.guard import guarded
from tmtv_engine.case.record import ReviewState
from tmtv_engine.errors import CaseError, UsageError
from tmtv_engine.lesion.edit import IntArray
from tmtv_engine.lesion.lists import Lesions
from tmtv_engine.lesion.origin import Source, Status
from tmtv_engine.review.bound import check_lines
from tmtv_engine.review.journal import (
    Effective,
    Journal,
    effective,
    journals,
    reading_seconds,
)
from tmtv_engine.review.line import VISITS, Line
from tmtv_engine.review.source import Pet
from tmtv_engine.review.state import State, Tools

REMEMBERED = 8


@dataclass(frozen=True)
class Reading:
    """A case as one reader (None: nobody, the prediction) sees it.

    ``lesions``: all that exist, rejected and candidates too; a split lesion has given way to its
    parts (``splits``: number → parts' numbers; ``parents`` the other way). The mappings are by
    the lesion's number. ``repaired``: lesions whose voxels a repair made or changed, with the SUV
    that they were grown down to (``floors``) and, asked for, the SUV around them (``around``);
    ``merged``: number → the one that holds it now. ``last`` is the highest number ever given.
    ``signed`` and ``head`` are hashes of journal lines.
    """

    reader: str | None
    lesions: Lesions
    status: Mapping[int, Status]
    decided_by: Mapping[int, str | None]
    sources: Mapping[int, Source]
    reasons: Mapping[int, str]
    splits: Mapping[int, tuple[int, ...]]
    parents: Mapping[int, int]
    merged: Mapping[int, int]
    repaired: frozenset[int]
    floors: Mapping[int, float | None]
    last: int
    notes: tuple[str, ...]
    flagged: bool
    signed: str | None
    head: str | None
    lines: tuple[Line, ...]
    undoable: Line | None
    redoable: Line | None
    decisions: int
    seconds: float
    around: Callable[[], Mapping[int, float]]

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
    """Replays journals on a case; keeps the voxels and what repairing them costs."""

    def __init__(self, case: Case) -> None:
        self.case = case
        self.base = case.voxels()
        self.tools = Tools(case, self.base)
        self._states: OrderedDict[tuple[str, ...], State] = OrderedDict()
        self._lock = Lock()  # a preview is replayed in a thread of its own

    @property
    def pet(self) -> Pet:
        """The case's PET, from which repairs are made."""
        return self.tools.pet

    def replay(self, lines: Sequence[Line], reader: str | None) -> Reading:
        """The state after ``lines``; raises `CaseError` where they belong to other lesions."""
        check_lines(self.case, lines, reader)
        left = effective(lines)
        with guarded(self.case.path), self._lock:
            state = self._state(left.done)
            return self._reading(state, reader, lines, left)

    def ahead(self, reading: Reading, line: Line) -> Reading:
        """What ``line`` would make of a reading, were it written; raises `UsageError` for what
        it cannot do."""
        lines = [*reading.lines, line]
        left = effective(lines)
        with guarded(self.case.path), self._lock:
            state = self._state(left.done[:-1]).copy()
            state.apply(left.done[-1])
            return self._reading(state, reading.reader, lines, left)

    def split(self, lesions: Lesions, row: int, distance_mm: float) -> list[IntArray]:
        """The parts of a lesion as flat voxel indices, remembered."""
        return self.tools.split(lesions, row, distance_mm)

    def _state(self, done: Sequence[Line]) -> State:
        """The state after decisions that stand, on from the longest beginning that is known."""
        hashes = tuple(line.hash for line in done)
        at = max((len(k) for k in self._states if k == hashes[: len(k)]), default=0)
        state = self._states[hashes[:at]].copy() if at else State(self.tools)
        for line in done[at:]:
            try:
                state.apply(line)
            except UsageError as error:
                where = f"line {line.seq} of {line.reader}"
                raise CaseError(f"{where}: {error.what}", "The journal was changed.") from error
        self._states[hashes] = state
        while len(self._states) > REMEMBERED:
            self._states.popitem(last=False)
        return state

    def _reading(
        self, state: State, reader: str | None, lines: Sequence[Line], left: Effective
    ) -> Reading:
        return Reading(
            reader=reader,
            lesions=state.lesions,
            status=state.status,
            decided_by=state.by,
            sources=state.sources,
            reasons=state.reasons,
            splits=state.splits,
            parents=state.parents,
            merged=state.merged,
            repaired=frozenset(state.floors) & frozenset(state.status),
            floors=state.floors,
            last=state.last,
            notes=tuple(state.notes),
            flagged=state.flagged,
            signed=left.signed.hash if left.signed else None,
            head=lines[-1].hash if lines else None,
            lines=tuple(lines),
            undoable=left.done[-1] if left.done else None,
            redoable=left.undone[-1] if left.undone else None,
            decisions=len(left.done),
            seconds=reading_seconds(lines),
            around=partial(self.tools.around, state.lesions, tuple(state.floors)),
        )


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
        decided = [x for x in journal.lines if x.action not in VISITS]
        if not decided:
            continue
        rank = (True, left.signed.at) if left.signed else (False, decided[-1].at)
        if best is None or rank > best:
            best, chosen = rank, journal
    return chosen
