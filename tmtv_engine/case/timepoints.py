"""Which cases are one patient's, and in what order: a case is not a patient."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from tmtv_engine.case.record import CaseRecord


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
    patients: dict[str, list[CaseRecord]] = {}
    for record in records:
        key = f"id {record.patient.id}" if record.patient.id else f"case {record.case}"
        patients.setdefault(key, []).append(record)
    found = {}
    for own in patients.values():
        own.sort(key=lambda r: (r.study.date or "9", r.case))
        for k, record in enumerate(own, start=1):
            number = str(k) if len(own) > 1 else ""
            found[record.case] = Seat(own[0].case, record.study.timepoint or number)
    return found
