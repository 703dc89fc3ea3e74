"""The books of a batch: `summary.csv`, `cases.csv`, `failures.csv`; what is to be tried again."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from tmtv_engine.batch.outcome import Outcome
from tmtv_engine.case.folder import find_cases
from tmtv_engine.case.record import CaseRecord
from tmtv_engine.case.tables import write_summary
from tmtv_engine.case.timepoints import Seat, seats
from tmtv_engine.errors import CaseError, InputError, MissingTag, TmtvError
from tmtv_engine.files import PRIVATE, load_json, locked, make_folder, write_text
from tmtv_engine.study.found import Failure, place_of
from tmtv_engine.study.manifest import read_table
from tmtv_engine.text import clean, csv_text

if TYPE_CHECKING:
    from tmtv_engine.case.folder import Case
    from tmtv_engine.study.found import Leftover, Stock, Study

FAILURES = "failures.csv"
CASES = "cases.csv"
CASE_KEYS = ("case", "patient_id", "study_date", "timepoint", "subject", "source")
FAILURE_KEYS = ("path", "patient_id", "study_date", "what", "tag", "way_out", "kind", "case")
MEND = "Save it as CSV in UTF-8, or delete it: a run without --retry tries all again."
_LOCK = ".summary.lock"
_CELL = 2000


def bring_up(out: Path) -> None:
    """Write `summary.csv` and `cases.csv` anew from every case that is in ``out``."""
    if not out.is_dir():
        return
    records = write_summary(out)
    placed = seats(records)
    rows = [_row(out, record, placed[record.case]) for record in records]
    if rows:
        write_text(out / CASES, csv_text([CASE_KEYS, *rows]), PRIVATE)


def _row(out: Path, record: CaseRecord, seat: Seat) -> list[str | None]:
    who = [record.case, record.patient.id, record.study.date]
    return [*who, seat.timepoint, seat.subject, _source(out / record.case)]


def _source(folder: Path) -> str:
    """The file or folder that a case was made from, empty where it does not tell."""
    try:
        named = load_json(folder / "source.json").get("inputs") or ()
    except TmtvError:
        return ""
    paths = [Path(clean(p, _CELL)) for p in named if isinstance(p, str)]
    return str(place_of(paths)) if paths else ""


def names_given(out: Path) -> dict[str, str]:
    """What the cases in ``out`` are called, by an image of each (`study.names.images_of`)."""
    found = {}
    for folder in find_cases(out):
        with suppress(CaseError, KeyError, IndexError, TypeError):  # one that tells none has none
            source = load_json(folder / "source.json")
            nifti = source["kind"] == "nifti"
            image = source["inputs"][0] if nifti else source["pet"]["instances"][0]["uid"]
            if image:  # instances without a UID are nobody's
                found[str(image)] = folder.name
    return found


def failed_before(out: Path) -> list[Failure]:
    """What `failures.csv` says failed, if it is there; raises `CaseError` where it is broken."""
    return [
        Failure(
            Path(row["path"]),
            MissingTag(row["tag"], row["what"], row["way_out"]),
            row["patient_id"],
            row["study_date"],
            kind="export" if row["kind"] == "export" else "failure",
            case=row["case"],
        )
        for row in _rows_of(out / FAILURES)
        if row["kind"] in ("failure", "export")
    ]


def _rows_of(path: Path) -> list[dict[str, str]]:
    """The rows of a `failures.csv`, of an earlier version too; none where it is not there.

    Raises `CaseError` where somebody left it so that a row would be lost.
    """
    if not path.is_file():
        return []
    try:
        rows = read_table(path, ("path", "kind")).rows
    except InputError as error:
        raise CaseError(error.what, MEND) from error
    for row in rows:
        if row.fault:
            raise CaseError(f"{path}:{row.line}: {row.fault}", MEND)
    return [{key: row.get(key) for key in FAILURE_KEYS} for row in rows]


def exported_now(case: Case) -> None:
    """Take the failed export of ``case`` out of the `failures.csv` beside it: it is written now."""
    out = case.path.resolve().parent
    if not (out / FAILURES).is_file():
        return
    with locked(out, _LOCK):
        rows = _rows_of(out / FAILURES)
        left = [r for r in rows if (r["kind"], r["case"]) != ("export", case.name)]
        if len(left) < len(rows):
            _write(out / FAILURES, [list(row.values()) for row in left])


def to_retry(out: Path, stock: Stock) -> Stock:
    """Of ``stock`` the studies that failed before, wherever in them the failure was told of."""
    failed = _Around(f.path for f in failed_before(out))
    studies = (s for s in stock.studies if any(place in failed for place in _places(s)))
    return replace(stock, studies=tuple(studies))


def untried(
    before: Sequence[Failure], stock: Stock, outcomes: Sequence[Outcome]
) -> tuple[Failure, ...]:
    """What failed before and was not looked at now: not reached, or not below what was named.

    An export that failed is not looked at where its case stands and no export was asked for.
    """
    places = [f.path for f in stock.failures]
    exports = list(places)
    for outcome in outcomes:
        own = _places(outcome.study) if outcome.study else []
        places += own
        tried = outcome.written is not None or outcome.unexported is not None
        exports += own if tried or outcome.state == "failed" else []
    looked = {"failure": _Around(places), "export": _Around(exports)}
    return tuple(f for f in before if f.path not in looked[f.kind])


def _places(study: Study) -> list[Path]:
    """Where a failure of a study may have been told of: its PET, its row, its zips."""
    return [study.path, *study.archives, *([study.row] if study.row else [])]


class _Around:
    """Some places, and what lies above or below one of them, by whatever links it is called."""

    def __init__(self, places: Iterable[Path]) -> None:
        self.places = {_real(p) for p in places}
        self.above = {p for place in self.places for p in place.parents}

    def __contains__(self, path: Path) -> bool:
        """Whether ``path`` is one of the places, above it or below it."""
        one = _real(path)
        return one in self.above or any(p in self.places for p in (one, *one.parents))


def _real(path: Path) -> Path:
    return Path(clean(os.path.realpath(path), _CELL))


def failures_of(outcomes: Sequence[Outcome]) -> list[Failure]:
    """The failed ones of a batch, and exports that failed, each with its place and whose it is."""
    return [
        Failure(
            Path(o.place),
            o.unexported or o.error or TmtvError("no reason is known"),
            o.study.patient_id if o.study else "",
            o.study.study_date if o.study else "",
            kind="export" if o.unexported else "failure",
            case=o.name if o.unexported else "",
        )
        for o in outcomes
        if o.state == "failed" or o.unexported
    ]


def write_failures(
    out: Path, failures: Sequence[Failure], leftovers: Sequence[Leftover]
) -> Path | None:
    """Write ``out/failures.csv``: a row a study or an export that failed, and a row a leftover.

    Readable by its owner only, as it may name patients. Of nothing there is no file, and one of
    an earlier run goes. Returns its path if it was written.
    """
    rows = [_failure(f) for f in failures]
    rows += [[os.path.abspath(o.path), "", "", o.why, "", "", "leftover", ""] for o in leftovers]
    return _write(out / FAILURES, rows)


def _failure(one: Failure) -> list[str]:
    who = [os.path.abspath(one.path), one.patient_id, one.study_date]
    return [*who, one.error.what, _tag(one.error), one.error.remedy, one.kind, one.case]


def _write(path: Path, rows: Sequence[Sequence[str]]) -> Path | None:
    if not rows:
        path.unlink(missing_ok=True)
        return None
    make_folder(path.parent)
    cells = [[clean(told, _CELL) for told in row] for row in rows]
    write_text(path, csv_text([FAILURE_KEYS, *cells]), PRIVATE)
    return path


def _tag(error: TmtvError) -> str:
    return str(getattr(error, "keyword", ""))
