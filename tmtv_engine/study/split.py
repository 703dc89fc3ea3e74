"""`split.csv` of a training: who is in which set, and why; a manifest that trains so again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from tmtv_engine.errors import InputError
from tmtv_engine.files import PRIVATE, make_folder, write_text
from tmtv_engine.study.found import Stock, Study, place_of
from tmtv_engine.study.manifest import OVERRIDES
from tmtv_engine.study.stock import take_stock
from tmtv_engine.text import csv_text

SPLIT = "split.csv"
SETS = ("train", "val", "test")
COLUMNS = ("case", "pet", "ct", "roi", "patient", "timepoint", "subtype", "split", "why")


def write_split(run: Path, parts: Mapping[str, Sequence[Study]], why: str) -> Path:
    """Write who is in which part, and ``why``; readable by its owner only, as paths may name."""
    rows = [
        [*_cells(study), name, why, *_overrides(study)]
        for name, studies in parts.items()
        for study in studies
    ]
    path = make_folder(run) / SPLIT
    write_text(path, csv_text([[*COLUMNS, *OVERRIDES], *rows]), PRIVATE)
    return path


def _cells(study: Study) -> list[str]:
    """The row of a study, but for its set: paths are whole, so that the file may move."""
    ct = study.ct if study.kind == "nifti" else ()  # of DICOM it lies beside the PET
    places = (study.path, place_of(ct) if ct else None, study.roi)
    pet, scan, roi = ("" if p is None else str(p.absolute()) for p in places)
    more = (study.patient_id, study.timepoint, study.extra.get("subtype", ""))
    return [study.case, pet, scan, roi, *more]


def _overrides(study: Study) -> list[object]:
    told = study.overrides.record() if study.overrides else {}
    return [told.get(name) for name in OVERRIDES]


def read_split(run: Path, names: Sequence[str] = SETS) -> dict[str, Stock]:
    """The stock of each of the sets ``names`` that a run's `split.csv` fills.

    Broken rows are failures of the first of ``names``. Raises `InputError` where there is no file.
    """
    path = run / SPLIT
    if not path.is_file():
        raise InputError(f"{run}: holds no {SPLIT}", "Train it with tmtv train, which writes one.")
    stock = take_stock([path])
    found = {name: Stock() for name in SETS}
    found[names[0]] = Stock(failures=stock.failures)
    for study in stock.studies:
        name = study.extra.get("split", "")
        if name not in found:
            what = f"{path}: {study.case} is in the set {name!r}"
            raise InputError(what, f"Write one of {', '.join(SETS)}.")
        found[name] += Stock(studies=(study,))
    return {n: own for n, own in found.items() if n in names and (own.studies or own.failures)}
