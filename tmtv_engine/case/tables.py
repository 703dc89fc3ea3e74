"""`lesions.csv` and `summary.csv`: their columns are tables of name and cell."""

from __future__ import annotations

import contextlib
import csv
from collections.abc import Callable, Mapping, Sequence
from dataclasses import astuple, fields
from operator import attrgetter
from pathlib import Path
from typing import Any

from tmtv_engine.case.folder import find_cases, read_case
from tmtv_engine.case.record import CaseRecord, Cut, LesionRow
from tmtv_engine.case.timepoints import Seat, seat_of, seats
from tmtv_engine.errors import CaseError
from tmtv_engine.files import locked, write_text
from tmtv_engine.lesion.measures import Total
from tmtv_engine.text import cell, cell_text, csv_text

LESION_COLUMNS: Mapping[str, Callable[[LesionRow], Any]] = {
    **{k: attrgetter(k) for k in ("id", "component", "source", "status", "decided_by")},
    "probability": attrgetter("probability"),
    "structure": lambda row: row.structure and row.structure.name,
    "structure_p": lambda row: row.structure and row.structure.p,
    "region": attrgetter("region"),
    **{k: attrgetter(k) for k in ("voxels", "suv_max", "suv_peak")},
    "x_mm": lambda row: row.centroid_mm[0],
    "y_mm": lambda row: row.centroid_mm[1],
    "z_mm": lambda row: row.centroid_mm[2],
}
"""The columns of `lesions.csv` before those of the methods."""
CUT_COLUMNS: Mapping[str, Callable[[Cut], Any]] = {k: attrgetter(k) for k in Cut.__struct_fields__}
"""Its columns of every method; the method's key follows the name."""
SUMMARY_COLUMNS: Mapping[str, Callable[[CaseRecord, str, Total], Any]] = {
    "case": lambda record, key, sums: record.case,
    "method": lambda record, key, sums: key,
    **{
        name: lambda record, key, sums, name=name: getattr(sums, name)  # type: ignore[misc]
        for name in Total.__dataclass_fields__
    },
    "model": lambda record, key, sums: record.model.name,
    "review": lambda record, key, sums: record.review.status,
    "warnings": lambda record, key, sums: " ".join(w.code for w in record.warnings),
}
"""The columns of `summary.csv`: a row a case and method."""
SEATS = tuple(f.name for f in fields(Seat))
"""Its last columns, which take all cases of a patient to tell."""


def lesions_csv(record: CaseRecord) -> str:
    """`lesions.csv`: one row a lesion, its measures and then each method's; unknown is empty."""
    keys = list(record.totals)
    header = [*LESION_COLUMNS, *(f"{column}_{key}" for key in keys for column in CUT_COLUMNS)]
    rows = [
        [cell(lesion) for cell in LESION_COLUMNS.values()]
        + [cell(lesion.methods[key]) for key in keys for cell in CUT_COLUMNS.values()]
        for lesion in record.lesions
    ]
    return csv_text([header, *rows])


def summary_rows(record: CaseRecord) -> list[list[Any]]:
    """The rows of `summary.csv` of one case, one a method, less its seat."""
    return [
        [cell(record, key, sums) for cell in SUMMARY_COLUMNS.values()]
        for key, sums in record.totals.items()
    ]


def update_summary(out: Path, record: CaseRecord) -> None:
    """Replace one case's rows in ``out/summary.csv``, under a lock, atomically.

    Its seat among its patient's cases stays what it was; `write_summary` tells it anew.
    """
    with locked(out, ".summary.lock", timeout=600):
        path = out / "summary.csv"
        header, rows = _read_rows(path) if path.exists() else ([], [])
        if header != [*SUMMARY_COLUMNS, *SEATS]:  # none, or one of before these columns
            rows = [] if not header else [list(map(_text, r)) for r in _all_rows(_records(out))]
        own = [row for row in rows if row[0] == record.case]
        seat = Seat(*own[0][-2:]) if own and not record.study.timepoint else seat_of(record)
        mine = [list(map(_text, [*row, *astuple(seat)])) for row in summary_rows(record)]
        others = [row for row in rows if row[0] != record.case]
        _write(path, sorted(others + mine, key=lambda r: r[0]))


def write_summary(out: Path) -> list[CaseRecord]:
    """Write ``out/summary.csv`` anew from every case in ``out``; returns their records."""
    with locked(out, ".summary.lock", timeout=600):
        records = _records(out)
        _write(out / "summary.csv", _all_rows(records))
    return records


def _records(out: Path) -> list[CaseRecord]:
    found = []
    for folder in find_cases(out):
        with contextlib.suppress(CaseError):  # a broken case has no row; others keep theirs
            found.append(read_case(folder).record)
    return found


def _all_rows(records: Sequence[CaseRecord]) -> list[list[Any]]:
    placed = seats(records)
    return [[*row, *astuple(placed[r.case])] for r in records for row in summary_rows(r)]


def _write(path: Path, rows: Sequence[Sequence[Any]]) -> None:
    write_text(path, csv_text([[*SUMMARY_COLUMNS, *SEATS], *rows]))


def _text(value: object) -> str:
    return cell_text(cell(value))


def _read_rows(path: Path) -> tuple[list[str], list[list[str]]]:
    with path.open(encoding="utf-8", newline="") as stream:
        header, *rows = list(csv.reader(stream)) or [[]]
    return header, [[cell_text(told) for told in row] for row in rows if row]
