"""Which cases are one patient's, in what order, and how what they measure changed.

A case is not a patient. A change in percent is 100 · (later − earlier) / earlier; None where the
earlier is 0 or either is unknown.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from tmtv_engine.case.record import CaseRecord
from tmtv_engine.files import Record

MEASURES = ("tmtv_ml", "tlg_g", "lesions", "suv_max", "suv_peak", "dmax_mm")


@dataclass(frozen=True)
class Seat:
    """``subject``: the name of the patient's first case, which names no patient.

    ``timepoint``: the manifest's word, else the number by date where a patient has several.
    """

    subject: str
    timepoint: str


def seat_of(record: CaseRecord) -> Seat:
    """The seat of a case by itself."""
    return Seat(record.case, record.study.timepoint or "")


def seats(records: Iterable[CaseRecord]) -> dict[str, Seat]:
    """The seat of each case by its name; cases of one patient id are one patient's.

    First is what has the earliest study date, then the lowest name; without a patient id a case
    stands alone.
    """
    found = {}
    for own in _patients(records):
        for k, record in enumerate(own, start=1):
            number = str(k) if len(own) > 1 else ""
            found[record.case] = Seat(own[0].case, record.study.timepoint or number)
    return found


def since_first(records: Iterable[CaseRecord]) -> dict[str, Mapping[str, Record]]:
    """Of each later case of a patient the `changes` by method since the first by its date.

    Where the dates do not tell which was first there are none.
    """
    found: dict[str, Mapping[str, Record]] = {}
    for first, *later in _patients(records):
        for record in later:
            if first.study.date and record.study.date and first.study.date < record.study.date:
                found[record.case] = {
                    key: changes(asdict(total), asdict(record.totals[key]))
                    for key, total in first.totals.items()
                    if key in record.totals
                }
    return found


def _patients(records: Iterable[CaseRecord]) -> Iterable[list[CaseRecord]]:
    """The cases of each patient, the earliest first."""
    patients: dict[str, list[CaseRecord]] = {}
    for record in records:
        key = f"id {record.patient.id}" if record.patient.id else f"case {record.case}"
        patients.setdefault(key, []).append(record)
    return [sorted(own, key=lambda r: (r.study.date or "9", r.case)) for own in patients.values()]


def changes(before: Mapping[str, Any], after: Mapping[str, Any]) -> Record:
    """Each measure of a method at both times, its change, and that in percent.

    >>> changes({"tmtv_ml": 200.0}, {"tmtv_ml": 50.0})["tmtv_ml"]
    {'baseline': 200.0, 'followup': 50.0, 'change': -150.0, 'percent': -75.0}
    """
    return {k: change(before[k], after[k]) for k in MEASURES if k in before and k in after}


def change(before: float | None, after: float | None) -> Record:
    """One measure at both times and how it changed; None where it cannot be known."""
    known = before is not None and after is not None
    found = {"baseline": before, "followup": after, "change": None, "percent": None}
    if before is not None and after is not None:
        found["change"] = after - before
    if known and before:
        found["percent"] = 100.0 * (found["change"] or 0.0) / before
    return found
