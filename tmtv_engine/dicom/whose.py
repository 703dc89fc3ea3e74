"""Whose an object says that it is, and whether two say the same."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tmtv_engine.text import clean

if TYPE_CHECKING:
    from tmtv_engine.dicom.header import Header


@dataclass(frozen=True)
class Whose:
    """A patient as a header names one; empty where it does not.

    ``name`` is without case, signs and groups of other scripts: `Doe^John^^` is `DOE JOHN`.
    """

    patient_id: str = ""
    name: str = ""
    born: str = ""

    @classmethod
    def of(cls, head: Header) -> Whose:
        """Whose a header says that it is."""
        keywords = ("PatientID", "PatientName", "PatientBirthDate")
        number, name, born = (clean(head.get(k, "") or "") for k in keywords)
        return cls(number, plain_name(name), born)

    def differs(self, other: Whose) -> bool:
        """Whether both name a PatientID, and not the same."""
        return _apart(self.patient_id, other.patient_id)

    def unclear(self, other: Whose) -> bool:
        """Whether no PatientID tells them apart, but their names or birth dates do."""
        told = _apart(self.name, other.name) or _apart(self.born, other.born)
        return told and not self.differs(other)


NOBODY = Whose()


def plain_name(name: str) -> str:
    """A PatientName's first group in one way of writing it."""
    parts = re.split(r"[\^\s,._-]+", name.split("=")[0].upper())
    return " ".join(part for part in parts if part)


def _apart(one: str, other: str) -> bool:
    return bool(one and other and one != other)
