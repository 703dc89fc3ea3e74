"""The rows of a manifest to studies: ``case,pet[,ct][,roi]`` and what else a row may say."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from tmtv_engine.errors import AmbiguousInput, InputError, TmtvError
from tmtv_engine.study.found import Failure, Stock, Study
from tmtv_engine.study.manifest import (
    OVERRIDES,
    PATHS,
    Row,
    Table,
    check_columns,
    overrides_of,
    path_of,
    read_table,
)
from tmtv_engine.study.pairs import image_at
from tmtv_engine.text import clean, safe_name

KNOWN = ("case", "pet", "ct", "roi", "timepoint", *OVERRIDES)


def find_rows(path: Path, search: Callable[[Path], Stock]) -> Stock:
    """A study of each row of a manifest; a broken row is that row's failure.

    ``search`` finds the studies of a folder. Raises `InputError` for a file that is no manifest.
    """
    table = read_table(path, ("case", "pet"))
    check_columns(table)
    if not table.rows:
        raise InputError(f"{path}: has no rows of case,pet", "Its first line: case,pet,ct.")
    stock = Stock()
    lines: dict[str, int] = {}
    for row in table.rows:
        where = path.parent / f"{path.name}:{row.line}"
        try:
            case = _case(table, row, lines)
            study = _study(table, row, case, search)
            stock += Stock(studies=(replace(study, row=where),))
        except TmtvError as error:
            stock += Stock(failures=(Failure(where, error, row.get("patient")),))
    return stock


def _case(table: Table, row: Row, lines: dict[str, int]) -> str:
    where = f"{table.path}: line {row.line}"
    if row.fault:
        raise InputError(f"{where}: {row.fault}", "Correct the row.")
    if not row.get("case") or not row.get("pet"):
        raise InputError(f"{where}: a row without its case or pet", "Fill it in.")
    case = safe_name(row.get("case"))
    first = lines.setdefault(case.lower(), row.line)
    if first != row.line:
        what = f"{where}: the case {case!r} stands in line {first} already"
        raise AmbiguousInput(what, "Give each its own name.")
    return case


def _study(table: Table, row: Row, case: str, search: Callable[[Path], Stock]) -> Study:
    pet, ct, roi, organs = (path_of(table, row, column) for column in PATHS)
    extra = {k: v for k, v in row.cells.items() if k and k not in KNOWN and v}
    if organs is not None:
        extra["organs"] = str(organs)
    if pet is None:
        raise InputError(f"{table.path}: line {row.line}: names no pet", "Fill it in.")
    found = _pet_of(pet, search)
    if ct is not None:
        found = replace(found, ct=_ct_of(ct))
    elif found.kind == "nifti" and pet.is_file():
        found = replace(found, ct=())  # a row says all that belongs to it
    return replace(
        found,
        case=case,
        roi=roi,
        extra=extra,
        overrides=overrides_of(table, row),
        named=True,
        patient_id=clean(row.get("patient")) or found.patient_id,
        timepoint=clean(row.get("timepoint")),
    )


def _pet_of(pet: Path, search: Callable[[Path], Stock]) -> Study:
    if pet.is_file() and not pet.name.lower().endswith(".zip"):
        try:
            return Study("", "nifti", image_at(pet), (), pet.parent)
        except InputError:
            pass  # perhaps one file of DICOM
    stock = search(pet)
    if stock.failures:
        raise stock.failures[0].error
    if len(stock.studies) != 1:
        found = len(stock.studies)
        raise AmbiguousInput(f"{pet}: holds {found} studies with a PET", "Name one folder a row.")
    return stock.studies[0]


def _ct_of(ct: Path) -> tuple[Path, ...]:
    if ct.is_file() and not _is_dicom(ct):
        return image_at(ct)
    from tmtv_engine.dicom.discover import find_series

    scans = [s for s in find_series(ct) if s.modality == "CT"]
    if not scans:
        raise InputError(f"{ct}: holds no CT", "Correct the row.")
    return max(scans, key=lambda s: (len(s.files), s.uid)).files


def _is_dicom(path: Path) -> bool:
    from tmtv_engine.dicom.discover import find_series

    return os.path.isfile(path) and bool(find_series(path))
