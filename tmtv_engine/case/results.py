"""From lesions and methods to the numbers of `case.json`, `lesions.csv` and `summary.csv`."""

from __future__ import annotations

import contextlib
import csv
import io
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from operator import itemgetter
from pathlib import Path
from typing import Any

import numpy as np

from tmtv_engine.case.folder import find_cases, read_case
from tmtv_engine.errors import CaseError
from tmtv_engine.files import Record, jsonable, locked, write_text
from tmtv_engine.image.volume import FloatArray
from tmtv_engine.lesion.lists import Lesions
from tmtv_engine.lesion.measures import bsa_dubois, centroid_mm, measure, suv_max, suv_peak, total
from tmtv_engine.lesion.origin import Origin, Status, Structure
from tmtv_engine.lesion.thresholds import Method, kept, parse_method, thresholds

TOTAL_KEYS = ("tmtv_ml", "tlg_g", "lesions", "suv_max", "suv_peak", "dmax_mm", "sdmax_per_m")
CUT_KEYS = ("volume_ml", "suv_mean", "tlg_g", "threshold_suv")
SUMMARY_KEYS = ("case", "method", *TOTAL_KEYS, "model", "review", "warnings")


LESION_COLUMNS: Mapping[str, Callable[[Record], Any]] = {
    **{k: itemgetter(k) for k in ("id", "component", "source", "status", "decided_by")},
    "probability": itemgetter("probability"),
    "structure": lambda row: row.get("structure") and row["structure"]["name"],
    "structure_p": lambda row: row.get("structure") and row["structure"]["p"],
    "region": lambda row: row.get("region"),
    **{k: itemgetter(k) for k in ("voxels", "suv_max", "suv_peak")},
    "x_mm": lambda row: row["centroid_mm"][0],
    "y_mm": lambda row: row["centroid_mm"][1],
    "z_mm": lambda row: row["centroid_mm"][2],
}
"""The columns of `lesions.csv` before those of the methods: name and cell of a lesion's row."""


@dataclass(frozen=True, eq=False)
class Cuts:
    """What the cuts need beside the voxels: one row a lesion, and the patient's size.

    ``background`` (n,) shell SUV, NaN where unknown; ``liver`` the threshold in SUV;
    ``bsa_m2`` the body surface, None where height or weight is unknown.
    """

    methods: tuple[Method, ...]
    background: FloatArray
    liver: float | None = None
    bsa_m2: float | None = None

    @classmethod
    def of_record(cls, record: Record, lesions: Lesions) -> Cuts:
        """As a `case.json` record was cut; parts that review made have no background."""
        known = {row["id"]: row["background_suv"] for row in record["lesions"]}
        background = [known.get(int(i)) for i in lesions.ids]
        return cls(
            tuple(parse_method(key) for key in record["provenance"]["methods"]),
            np.array([np.nan if b is None else b for b in background], np.float64),
            record["provenance"].get("liver_threshold_suv"),
            body_surface(record["patient"]),
        )


def body_surface(patient: Record) -> float | None:
    """Body surface (DuBois) in m² of a record's patient, None where it cannot be known."""
    weight, height = patient.get("weight_kg"), patient.get("height_m")
    return bsa_dubois(weight, height) if weight and height else None


def lesion_rows(
    lesions: Lesions,
    cuts: Cuts,
    origins: Sequence[Origin],
    decided: Sequence[tuple[Status, str | None]],
) -> list[Record]:
    """The ``lesions`` of `case.json`: measures, where each comes from, its status and reader."""
    centres, highest, peaks = centroid_mm(lesions), suv_max(lesions), suv_peak(lesions)
    rows: list[Record] = [
        {
            "id": int(lesions.ids[k]),
            "component": int(lesions.components[k]),
            "source": origins[k].source,
            "structure": _plain(origins[k].structure),
            "region": origins[k].region,
            "status": decided[k][0],
            "decided_by": decided[k][1],
            "floor_suv": origins[k].floor_suv,
            "background_suv": cuts.background[k],
            "probability": origins[k].probability,
            "centroid_mm": centres[k],
            "suv_max": highest[k],
            "suv_peak": peaks[k],
            "voxels": int(lesions.counts[k]),
            "methods": {},
        }
        for k in range(len(lesions))
    ]
    for method in cuts.methods:
        keep = kept(lesions, method, cuts.background, cuts.liver)
        at = thresholds(lesions, method, cuts.background, cuts.liver)
        m = measure(lesions, keep)
        for k, row in enumerate(rows):
            values = (m.volume_ml[k], m.suv_mean[k], m.tlg_g[k], at[k])
            row["methods"][method.key] = dict(zip(CUT_KEYS, values, strict=True))
    found: list[Record] = jsonable(rows)
    return found


def _plain(structure: Structure | None) -> Record | None:
    return None if structure is None else asdict(structure)


def totals(lesions: Lesions, cuts: Cuts, accepted: Sequence[int]) -> Record:
    """The ``totals`` of `case.json` over the rows ``accepted`` of ``lesions``."""
    found: Record = {}
    rows = np.asarray(accepted, np.int64)
    for method in cuts.methods:
        keep = kept(lesions, method, cuts.background, cuts.liver)
        sums = total(lesions, keep, rows, cuts.bsa_m2)
        found[method.key] = {key: getattr(sums, key) for key in TOTAL_KEYS}
    plain: Record = jsonable(found)
    return plain


def lesions_csv(record: Record) -> str:
    """`lesions.csv`: one row a lesion, its measures and then each method's; unknown is empty."""
    keys = list(record["totals"])
    header = [*LESION_COLUMNS, *(f"{column}_{key}" for key in keys for column in CUT_KEYS)]
    rows = [
        [cell(lesion) for cell in LESION_COLUMNS.values()]
        + [lesion["methods"][k][c] for k in keys for c in CUT_KEYS]
        for lesion in record["lesions"]
    ]
    return _csv([header, *rows])


def summary_rows(record: Record) -> list[list[Any]]:
    """The rows of `summary.csv` of one case, one a method."""
    codes = " ".join(w["code"] for w in record["warnings"])
    about = [record["model"]["name"], record["review"]["status"], codes]
    return [
        [record["case"], key, *(sums[k] for k in TOTAL_KEYS), *about]
        for key, sums in record["totals"].items()
    ]


def update_summary(out: Path, record: Record) -> None:
    """Replace one case's rows in ``out/summary.csv``, under a lock, atomically."""
    with locked(out, ".summary.lock", timeout=600):
        path = out / "summary.csv"
        rows = _read_rows(path) if path.exists() else []
        others = [row for row in rows if row[0] != record["case"]]
        mine = [[_cell(v) for v in row] for row in summary_rows(record)]
        write_text(path, _csv([list(SUMMARY_KEYS), *sorted(others + mine, key=lambda r: r[0])]))


def write_summary(out: Path) -> None:
    """Write ``out/summary.csv`` anew from every case in ``out``."""
    with locked(out, ".summary.lock", timeout=600):
        rows = []
        for folder in find_cases(out):
            with contextlib.suppress(CaseError):  # a broken case has no row; others keep theirs
                rows += summary_rows(read_case(folder).record)
        write_text(out / "summary.csv", _csv([list(SUMMARY_KEYS), *rows]))


def _read_rows(path: Path) -> list[list[str]]:
    with path.open(encoding="utf-8", newline="") as stream:
        return [row for row in list(csv.reader(stream))[1:] if row]


def _csv(rows: Sequence[Sequence[Any]]) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows([[_cell(v) for v in row] for row in rows])
    return text.getvalue()


def _cell(value: Any) -> str:
    """Unknown is empty; text that a spreadsheet would run as a formula is quoted."""
    if value is None:
        return ""
    text = repr(value) if isinstance(value, float) else str(value)
    return "'" + text if isinstance(value, str) and text[:1] in "=+@" and text[1:] else text
