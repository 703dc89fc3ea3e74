"""The books of a batch: `summary.csv`, `cases.csv`, `failures.csv`; what is to be tried again."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from tmtv_engine.batch.outcome import Outcome
from tmtv_engine.case.record import CaseRecord
from tmtv_engine.case.tables import write_summary
from tmtv_engine.case.timepoints import Seat, seats
from tmtv_engine.errors import MissingTag, TmtvError
from tmtv_engine.files import PRIVATE, load_json, make_folder, write_text
from tmtv_engine.study.found import Failure, place_of
from tmtv_engine.text import cell_text, clean, csv_text

if TYPE_CHECKING:
    from tmtv_engine.study.found import Leftover, Stock, Study

FAILURES = "failures.csv"
CASES = "cases.csv"
CASE_KEYS = ("case", "patient_id", "study_date", "timepoint", "subject", "source")
FAILURE_KEYS = ("path", "patient_id", "study_date", "what", "tag", "way_out", "kind")
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


def failed_before(out: Path) -> list[Failure]:
    """What `failures.csv` says failed; nothing where it is not there."""
    path = out / FAILURES
    if not path.is_file():
        return []
    with path.open(encoding="utf-8", newline="") as stream:
        rows = [{k: cell_text(v or "") for k, v in row.items() if k in FAILURE_KEYS}
                for row in csv.DictReader(stream)]  # fmt: skip
    return [
        Failure(
            Path(row["path"]),
            MissingTag(row["tag"], row["what"], row["way_out"]),
            row["patient_id"],
            row["study_date"],
            kind="export" if row["kind"] == "export" else "failure",
        )
        for row in rows
        if row.get("kind") in ("failure", "export")
    ]


def to_retry(out: Path, stock: Stock) -> Stock:
    """Of ``stock`` the studies that failed before, wherever in them the failure was told of."""
    failed = failed_before(out)
    studies = (s for s in stock.studies if any(_about(f.path, _places(s)) for f in failed))
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
        exports += own if tried or outcome.case is None else []
    looked = {"failure": places, "export": exports}
    return tuple(f for f in before if not _about(f.path, looked[f.kind]))


def _places(study: Study) -> list[Path]:
    """Where a failure of a study may have been told of: its PET, its row, its zips."""
    return [study.path, *study.archives, *([study.row] if study.row else [])]


def _about(failed: Path, places: Sequence[Path]) -> bool:
    """Whether a failure was in one of the places, above it or below it."""
    one = Path(clean(failed.absolute(), _CELL))
    others = [Path(clean(p.absolute(), _CELL)) for p in places]
    return any(one.is_relative_to(p) or p.is_relative_to(one) for p in others)


def failures_of(outcomes: Sequence[Outcome]) -> list[Failure]:
    """The failed ones of a batch, and exports that failed, each with its place and whose it is."""
    return [
        Failure(
            Path(o.place),
            o.unexported or o.error or TmtvError("no reason is known"),
            o.study.patient_id if o.study else "",
            o.study.study_date if o.study else "",
            kind="export" if o.unexported else "failure",
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
    path = out / FAILURES
    if not failures and not leftovers:
        path.unlink(missing_ok=True)
        return None
    rows = [
        [str(f.path), f.patient_id, f.study_date, f.error.what, _tag(f.error), f.error.remedy]
        for f in failures
    ]
    rows = [[*row, f.kind] for row, f in zip(rows, failures, strict=True)]
    rows += [[str(o.path), "", "", o.why, "", "", "leftover"] for o in leftovers]
    cells = [[clean(told, _CELL) for told in row] for row in rows]
    make_folder(out)
    write_text(path, csv_text([FAILURE_KEYS, *cells]), PRIVATE)
    return path


def _tag(error: TmtvError) -> str:
    return str(getattr(error, "keyword", ""))
