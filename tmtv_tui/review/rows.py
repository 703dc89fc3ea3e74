"""A line of the worklist, read from a case folder; no Textual."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tmtv_engine.case.folder import read_case
from tmtv_engine.case.record import CaseRecord, ReviewState
from tmtv_engine.errors import TmtvError
from tmtv_engine.files import open_own
from tmtv_engine.lesion.measures import Total
from tmtv_engine.lesion.origin import Status
from tmtv_engine.notices import REVIEWED, Notice
from tmtv_engine.review.journal import JOURNAL_LIMIT, Journal, effective, journal_path, journals
from tmtv_engine.review.line import Action
from tmtv_engine.review.session import Presence, who_has_open
from tmtv_engine.review.state import predicted_status
from tmtv_engine.text import clean
from tmtv_tui.review.quality import quality_lines

BROKEN = "broken"
STATES = {**{state.value: state.glyph for state in ReviewState}, BROKEN: "#"}
LEFT = (ReviewState.TODO, ReviewState.PARTIAL)
"""The states of a case that is still to be read."""


@dataclass(frozen=True)
class CaseRow:
    """``predicted`` and ``reviewed``: TMTV mL by method. ``open_by``: who has it open now.

    ``name``: the case's, after that of its folder where they differ. ``broken`` says why a case
    cannot be read at all, or, where it ``reads``, why it did not open.
    """

    path: Path
    name: str
    state: str
    lesions: int
    candidates: int
    predicted: Mapping[str, float]
    reviewed: Mapping[str, float]
    readers: tuple[str, ...] = ()
    open_by: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    messages: tuple[str, ...] = ()
    patient: str = ""
    date: str = ""
    broken: str = ""
    reads: bool = True

    def haystack(self) -> str:
        """What a filter looks in."""
        parts = [self.name, self.state, self.patient, self.date, self.broken]
        return " ".join([*parts, *self.readers, *self.open_by, *self.warnings]).lower()


def alias(name: str) -> str:
    """What a blind reading calls a case: 12 hex digits as they are, else eight of its hash."""
    if re.fullmatch(r"[0-9a-f]{12}", name):
        return name
    return hashlib.sha256(name.encode()).hexdigest()[:8]


def order_of(name: str, seed: int) -> str:
    """A case's place in the random order of ``seed``: the same while others come and go."""
    return hashlib.sha256(f"{seed}:{name}".encode()).hexdigest()


def day(date: object) -> str:
    """A date as people write it; DICOM has no dashes."""
    return re.sub(r"\A(\d{4})(\d\d)(\d\d)\Z", r"\1-\2-\3", clean(date or ""))


def name_of(path: Path, case: str) -> str:
    """What a case is called: by its folder, and by its own name where that is another."""
    folder, own = clean(path.name), clean(case)
    return folder if folder == own else f"{folder} (case {own})"


def broken_row(path: Path, error: object, blind: str | None = None, reads: bool = False) -> CaseRow:
    """The line of a case that ``error`` keeps closed; blind it does not say what."""
    what = error.what if isinstance(error, TmtvError) else f"{type(error).__name__}: {error}"
    what = error if isinstance(error, str) else what
    name = path.name if blind is None else alias(path.name)
    told = clean(what if blind is None else "cannot be read", 200).replace(f"{path}/", "")
    return CaseRow(path, clean(name), BROKEN, 0, 0, {}, {}, broken=told, reads=reads)


def case_row(path: Path, blind: str | None = None) -> CaseRow:
    """The line of a folder; a broken one is a line too. ``blind``: the one reader who is seen."""
    try:
        record = read_case(path).record
        return _row(path, record) if blind is None else _blind(path, record, blind)
    except Exception as error:  # a broken case is a row, whatever breaks it
        return broken_row(path, error, blind)


def _row(path: Path, record: CaseRecord) -> CaseRow:
    states = [row.status for row in record.lesions]
    return CaseRow(
        path,
        name_of(path, record.case),
        record.review.status,
        states.count(Status.ACCEPTED),
        states.count(Status.CANDIDATE),
        _volumes(record.predicted_totals),
        _volumes(record.totals),
        tuple(clean(r) for r in record.review.readers),
        tuple(clean(p.reader) for p in _present(path)),
        *_told(record, record.warnings),
        clean(record.patient.id or ""),
        " ".join(filter(None, (day(record.study.date), clean(record.study.timepoint or "")))),
    )


def _blind(path: Path, record: CaseRecord, reader: str) -> CaseRow:
    """The prediction and how far this reader has come; nothing of the patient or of others."""
    states = list(predicted_status(record).values())
    journal = Journal(journal_path(path, reader))
    left = effective(journal.read())
    flags = [x.action for x in left.done if x.action in (Action.FLAG, Action.UNFLAG)]
    state = ReviewState.PARTIAL if left.done else ReviewState.TODO
    state = ReviewState.DONE if left.signed else state
    volumes = _volumes(record.predicted_totals)
    return CaseRow(
        path,
        alias(path.name),
        ReviewState.FLAGGED if flags[-1:] == [Action.FLAG] else state,
        states.count(Status.ACCEPTED),
        states.count(Status.CANDIDATE),
        volumes,
        volumes,
        (),
        (),
        *_told(record, [w for w in record.warnings if w.code not in REVIEWED]),
    )


def _told(
    record: CaseRecord, warnings: Sequence[Notice]
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The codes, and the whole lines with the study's quality after them."""
    codes = tuple(clean(w.code) for w in warnings)
    lines = [f"{w.code}: {w.message}" for w in warnings]
    lines += quality_lines(record.quality or {})
    return codes, tuple(clean(line, 1000) for line in lines)


def _present(path: Path) -> list[Presence]:
    """Who has the case open; the chain is read only where an ``open`` lacks its ``close``."""
    for journal in journals(path):
        with open_own(journal) as stream:  # a link or a device is no journal
            raw = stream.read(JOURNAL_LIMIT)
        if raw.count(b'"action":"open"') > raw.count(b'"action":"close"'):
            break
    else:
        return []
    try:
        return who_has_open(path)
    except TmtvError:  # a broken journal is told when the case is opened
        return []


def _volumes(totals: Mapping[str, Total]) -> dict[str, float]:
    return {clean(k): v.tmtv_ml for k, v in totals.items()}
