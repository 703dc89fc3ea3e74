"""What decisions make of a case's lesions, one after the other, from the prediction on."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from copy import copy

import numpy as np

from tmtv_engine.case.folder import Case
from tmtv_engine.case.record import CaseRecord
from tmtv_engine.errors import CaseError, UsageError
from tmtv_engine.files import AGAIN
from tmtv_engine.lesion.edit import IntArray, around, flood, nearest, united
from tmtv_engine.lesion.find import split_lesion
from tmtv_engine.lesion.lists import Lesions
from tmtv_engine.lesion.origin import Source, Status, first_status
from tmtv_engine.review.added import read_added
from tmtv_engine.review.line import Action, Line
from tmtv_engine.review.repairs import Answer, Erasure, Growth, Union, left_by, parameters
from tmtv_engine.review.source import Pet

SPLIT_MM = (10.0, 5.0)
DECIDED = {Action.ACCEPT: Status.ACCEPTED, Action.REJECT: Status.REJECTED}


class Tools:
    """What a replay needs beside the lines; each result is computed once."""

    def __init__(self, case: Case, base: Lesions) -> None:
        self.case, self.base = case, base
        self.pet = Pet(case, base.grid)
        self._parts: dict[tuple[bytes, float], list[IntArray]] = {}
        self._floods: dict[Growth, Lesions] = {}
        self.answers: dict[str, Lesions] = {}
        self._around: dict[tuple[bytes, bytes], float] = {}

    def split(self, lesions: Lesions, row: int, distance_mm: float) -> list[IntArray]:
        """The parts of a lesion as flat voxel indices."""
        key = (_digest(lesions.voxels[lesions.span(row)]), int(distance_mm * 10))
        if key not in self._parts:
            self._parts[key] = split_lesion(lesions, row, distance_mm)
        return self._parts[key]

    def flood(self, growth: Growth) -> Lesions:
        """What a growth takes where nobody holds anything."""
        if growth not in self._floods:
            window = self.pet.window(growth.seed, growth.reach)
            self._floods[growth] = flood(window, growth.seed, growth.threshold, growth.reach)
        return self._floods[growth]

    def answer(self, name: str) -> Lesions:
        """What a model answered to a reader's clicks, as one lesion, by the hash of its file."""
        if name not in self.answers:
            self.answers[name] = read_added(self.case, name)
        return self.answers[name]

    def around(self, lesions: Lesions, numbers: Sequence[int]) -> Mapping[int, float]:
        """The background of `lesion.thresholds` around some lesions, NaN where there is none."""
        from tmtv_engine.lesion.thresholds import background_suv

        there = [n for n in numbers if n in lesions.ids]
        everyone = _digest(lesions.voxels)
        keys = {n: (_digest(lesions.voxels[lesions.span(lesions.row(n))]), everyone) for n in there}
        if any(key not in self._around for key in keys.values()):
            rows = [lesions.row(n) for n in there]
            found = background_suv(lesions, self.pet.volume(), rows)
            self._around |= dict(zip(keys.values(), map(float, found), strict=True))
        return {n: self._around[key] for n, key in keys.items()}


class State:
    """The lesions as decisions left them; `apply` takes one more. Mappings are by number.

    ``floors`` are of lesions that a repair made or changed: the SUV that they were grown down to.
    ``last`` is the highest number ever given: none is given twice.
    """

    def __init__(self, tools: Tools) -> None:
        self.tools = tools
        record = tools.case.record
        self.lesions = tools.base
        # a case.json that was refreshed holds review's outcome: start from the prediction
        self.status = predicted_status(record)
        if list(self.status) != [int(i) for i in self.lesions.ids]:
            raise CaseError(f"{tools.case.name}: voxels.npz holds other lesions", AGAIN)
        rows = [row.predicted_row for row in record.lesions if row.id in self.status]
        self.sources = {row.id: row.source for row in rows}
        self._known = {row.id: row.floor_suv for row in rows}
        self.by: dict[int, str | None] = dict.fromkeys(self.status)
        self.reasons: dict[int, str] = {}
        self.splits: dict[int, tuple[int, ...]] = {}
        self.parents: dict[int, int] = {}
        self.merged: dict[int, int] = {}
        self.floors: dict[int, float | None] = {}
        self.notes: list[str] = []
        self.flagged = False
        self.last = max(self.status, default=0)

    def copy(self) -> State:
        """The same state, to go on from."""
        other = copy(self)
        for name, value in vars(self).items():
            if isinstance(value, dict | list) and name != "_known":
                setattr(other, name, value.copy())
        return other

    def apply(self, line: Line) -> None:
        """Take one decision more. Raises `UsageError` for a repair that cannot be."""
        if line.action is not Action.ADD:
            for number in line.lesions:
                if number not in self.status:
                    where = f"line {line.seq} of {line.reader}"
                    raise CaseError(f"{where}: there is no lesion {number}")
        step = STEPS.get(line.action)
        if step is not None:
            step(self, line)

    def _decide(self, line: Line) -> None:
        for number in line.lesions:
            self.status[number] = DECIDED[line.action]
            self.by[number] = line.reader
            self.reasons.pop(number, None)
            if line.action is Action.REJECT and line.reason:
                self.reasons[number] = line.reason

    def _note(self, line: Line) -> None:
        self.notes.append(line.text or "")

    def _flag(self, line: Line) -> None:
        self.flagged = line.action is Action.FLAG

    def _split(self, line: Line) -> None:
        for number in line.lesions:
            row = self.lesions.row(number)
            parts = self.tools.split(self.lesions, row, float(line.text or SPLIT_MM[0]))
            numbers = tuple(range(self.last + 1, self.last + 1 + len(parts)))
            self.lesions = self.lesions.parted(row, parts, numbers[0])
            for new in numbers:
                self.status[new], self.by[new] = self.status[number], self.by[number]
                self.sources[new], self.parents[new] = self.sources[number], number
                if number in self.floors:
                    self.floors[new] = self.floors[number]
            self.last = numbers[-1]
            self._gone([number])
            self.splits[number] = numbers

    def _add(self, line: Line) -> None:
        """A lesion around a seed, or those of an imported file."""
        if line.parameters is None:
            added, source = read_added(self.tools.case, str(line.text)), Source.ROI
            free = added.without(self._held())
        else:
            if line.lesions != (self.last + 1,):
                raise UsageError(f"the lesion to add is number {self.last + 1}")
            free, self.floors[line.lesions[0]] = self._region(line, self._held())
            free = free.renumbered([line.lesions[0]], [line.lesions[0]])
            source = Source.READER
        self._take(free.voxels, mark=line.parameters is not None)
        self.lesions = self.lesions.joined(free)
        for number in (int(i) for i in free.ids):
            self.status[number], self.by[number] = Status.ACCEPTED, line.reader
            self.sources[number] = source
            self.last = max(self.last, number)

    def _grow(self, line: Line) -> None:
        (number,) = _one(line)
        region, down_to = self._region(line, self._held(but=number))
        own = self.lesions.voxels[self.lesions.span(self.lesions.row(number))]
        new = region.without(own)
        if not len(new):
            raise UsageError(f"lesion {number} holds all of it already", "Take a lower threshold.")
        self._take(new.voxels, mark=True)
        guest = [int(self.lesions.ids.max()) + 1]
        lesions = self.lesions.joined(new.renumbered(guest, guest))
        self.lesions = united(lesions, [number, *guest])
        floors = [f for f in (down_to, self._floor(number)) if f is not None]
        self._touched(number, line, max(floors, default=None))

    def _erase(self, line: Line) -> None:
        (number,) = _one(line)
        row = self.lesions.row(number)
        self.lesions = self.lesions.without(left_by(parameters(line, Erasure), self.lesions, row))
        self._touched(number, line, self._floor(number))

    def _merge(self, line: Line) -> None:
        parameters(line, Union)
        numbers = sorted(set(line.lesions))
        if len(numbers) < 2:
            raise UsageError("two lesions at least can be merged")
        floors = [f for f in map(self._floor, numbers) if f is not None]
        counts = Status.ACCEPTED in {self.status[n] for n in numbers}
        self.lesions = united(self.lesions, numbers)
        if counts:
            self.status[numbers[0]] = Status.ACCEPTED
        self._touched(numbers[0], line, max(floors, default=None))
        self._gone(numbers[1:])
        self.merged |= dict.fromkeys(numbers[1:], numbers[0])

    def _region(self, line: Line, held: IntArray) -> tuple[Lesions, float | None]:
        """What a line takes around its seed where nobody holds it, and the SUV that it was grown
        down to: a flood's, or a model's answer, which lies beside the journal."""
        growth = parameters(line, Growth) if line.text is None else None
        point = growth.seed if growth else parameters(line, Answer).seed
        seed = nearest(self.lesions.grid, point)
        flat = int(np.ravel_multi_index(tuple(seed), self.lesions.grid.shape))
        if flat in held:
            number = int(self.lesions.ids[self.lesions.owner[self.lesions.voxels == flat][0]])
            raise UsageError(f"lesion {number} holds that point", "Grow that one, or reject it.")
        if growth:
            return around(self.tools.flood(growth), seed, held), growth.threshold
        answer = self.tools.answer(str(line.text))
        if len(answer) != 1 or flat not in answer.voxels:
            raise UsageError("the answer kept beside the journal is not of that point")
        return around(answer, seed, held), None

    def _held(self, but: int | None = None) -> IntArray:
        """The voxels of accepted lesions."""
        ids = [int(i) for i in self.lesions.ids]
        rows = [k for k, i in enumerate(ids) if self.status[i] == Status.ACCEPTED and i != but]
        return self.lesions.take(rows).voxels

    def _take(self, voxels: IntArray, mark: bool) -> None:
        """Take voxels from whoever has them; who has none left is gone."""
        before = self.lesions
        self.lesions = before.without(voxels)
        there = {int(i) for i in self.lesions.ids}
        if mark and self.lesions is not before:
            for row in np.unique(before.owner[np.isin(before.voxels, voxels)]):
                number = int(before.ids[row])
                self.floors[number] = self._floor(number)
        for number in set(self.status) - there:
            self.status.pop(number)
            self.floors.pop(number, None)

    def _gone(self, numbers: Sequence[int]) -> None:
        for number in numbers:
            for known in (self.status, self.by, self.sources, self.reasons, self.floors):
                known.pop(number, None)

    def _touched(self, number: int, line: Line, floor: float | None) -> None:
        """A lesion that a repair changed; a candidate is still to be decided on."""
        self.floors[number] = floor
        if self.status[number] != Status.CANDIDATE:
            self.by[number] = line.reader

    def _floor(self, number: int) -> float | None:
        if number in self.floors:
            return self.floors[number]
        while number in self.parents:
            number = self.parents[number]
        return self._known.get(number)


STEPS: Mapping[Action, Callable[[State, Line], None]] = {
    Action.ACCEPT: State._decide,
    Action.REJECT: State._decide,
    Action.SPLIT: State._split,
    Action.ADD: State._add,
    Action.GROW: State._grow,
    Action.ERASE: State._erase,
    Action.MERGE: State._merge,
    Action.NOTE: State._note,
    Action.FLAG: State._flag,
    Action.UNFLAG: State._flag,
}


def _one(line: Line) -> tuple[int]:
    if len(line.lesions) != 1:
        raise UsageError(f"one lesion at a time for {line.action}", "Give its number.")
    return (line.lesions[0],)


def _digest(voxels: IntArray) -> bytes:
    return hashlib.sha256(voxels.tobytes()).digest()


def predicted_status(record: CaseRecord) -> dict[int, Status]:
    """The status of each lesion of the prediction before any review, by its number."""
    model, last = record.model.name, record.provenance.last_id
    return {
        row.id: first_status(row.source, model, row.structure)
        for row in record.lesions
        if row.id <= last
    }
