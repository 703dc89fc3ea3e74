"""A case that is open in the app: session, pictures and the lesion × method table."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from pathlib import Path

from tmtv_engine.case.folder import Case, read_case
from tmtv_engine.case.guard import guarded
from tmtv_engine.case.record import LesionRow
from tmtv_engine.errors import TmtvError
from tmtv_engine.image.projections import Mip
from tmtv_engine.lesion.methods import parse_method
from tmtv_engine.lesion.origin import Status
from tmtv_engine.review.compare import settle_as, start_from
from tmtv_engine.review.journal import Decision
from tmtv_engine.review.line import Action
from tmtv_engine.review.reading import Reading
from tmtv_engine.review.session import Session, session_text
from tmtv_engine.review.state import predicted_status
from tmtv_tui.review.prints import Prints
from tmtv_tui.review.table import Table


class Opened:
    """What a case screen shows; `decide` is the only thing that changes it."""

    def __init__(self, case: Case, session: Session, mip: Mip, methods: Sequence[str]) -> None:
        self.case, self.session, self.mip = case, session, mip
        self.methods = list(methods)
        self.rows = {row.id: row for row in case.record.lesions}
        self.before: dict[str, tuple[float, float, int]] = {}
        self.prints = Prints(mip)
        self._first: Table | None = None
        self._repaired: frozenset[int] = frozenset()
        self._measure()

    @classmethod
    def of(cls, path: Path, reader: str, extra: Sequence[str] = ()) -> Opened:
        """Read the case and replay the reader's journal; raises `TmtvError`."""
        case = read_case(path)
        methods = dict.fromkeys([*case.record.predicted_totals, *extra])
        with guarded(path):
            return cls(case, Session(case, reader), case.mip(), list(methods))

    @property
    def reading(self) -> Reading:
        """The state after the last decision."""
        return self.session.reading

    def origin(self, lesion: int) -> LesionRow | None:
        """What the prediction says of a lesion, or of the one that it was split from."""
        number: int | None = lesion
        while number is not None and number not in self.rows:
            number = self.reading.parents.get(number)
        return None if number is None else self.rows[number]

    def open(self) -> None:
        """Write that the case was opened; a journal that refuses does not keep it closed."""
        self._bound(Action.OPEN)

    def close(self) -> None:
        """Write that the case was closed."""
        self._bound(Action.CLOSE)

    def _bound(self, action: Action) -> None:
        with contextlib.suppress(TmtvError):
            self.session.decide(Decision(action, text=session_text()))

    def decide(self, decision: Decision) -> Reading:
        """Record a decision and bring the table along."""
        before = self.reading.lesions
        found = self.session.decide(decision)
        if found.lesions is not before:
            self._measure()
        return found

    def settle_as(self, theirs: Reading, lesion: int) -> None:
        """Decide a lesion as another reader did; raises `TmtvError` where that cannot be."""
        before = self.reading.lesions
        try:
            settle_as(self.session, theirs, lesion)
        finally:
            if self.reading.lesions is not before:
                self._measure()

    def start_from(self, reader: str) -> str:
        """Begin with another reader's decisions where there are none yet; says what was done."""
        before = self.reading.lesions
        try:
            count = start_from(self.session, reader)
        except TmtvError as error:
            return str(error)
        if self.reading.lesions is not before:
            self._measure()
        return f"started from {reader}: {count} decisions" if count else ""

    def refresh(self) -> None:
        """Take in what another session of this reader decided."""
        before = self.reading.lesions
        if self.session.refresh().lesions is not before:
            self._measure()

    def add_method(self, text: str) -> str:
        """One more method; returns its key. Raises `UsageError` for none."""
        key = parse_method(text).key
        if key not in self.methods:
            reading = self.reading  # refuses before anything changes
            Table.of(self.case, reading.lesions, [key], reading.around)
            self.methods.append(key)
            self._measure()
        return key

    def angle(self, at: int) -> float:
        """Degrees of a stored projection."""
        return float(self.mip.angles_deg[at])

    def _measure(self) -> None:
        base, now = self.session.replayer.base, self.reading
        if self._first is None or list(self._first.volume_ml) != self.methods:
            self._first = self.table = Table.of(self.case, base, self.methods)
            status = predicted_status(self.case.record)
            rows = [k for k, i in enumerate(base.ids) if status[int(i)] == Status.ACCEPTED]
            self.before = {key: self._first.total(key, rows) for key in self._first.volume_ml}
        if now.lesions is base:
            self.table = self._first
        else:
            self.table = self.table.after(self.case, now.lesions, now.around, self._around_anew())

    def _around_anew(self) -> set[int]:
        """Lesions that a method may cut otherwise because of what lies around them now."""
        if not any(parse_method(key).needs_background for key in self.methods):
            return set()
        before, self._repaired = self._repaired, self.reading.repaired
        return set(before | self._repaired) & set(self.reading.status)
