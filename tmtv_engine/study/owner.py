"""Whose PET it is and which, to ask ROIs whether they were drawn on it."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tmtv_engine.dicom.whose import NOBODY, Whose
from tmtv_engine.notices import Notice, notice, refuse
from tmtv_engine.text import clean

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

_TAGS = {
    "PatientName": "00100010",
    "PatientID": "00100020",
    "PatientBirthDate": "00100030",
    "StudyInstanceUID": "0020000D",
    "SeriesInstanceUID": "0020000E",
}


@dataclass(frozen=True)
class Owner:
    """The patient, the study and the series of a PET, empty where nobody says."""

    whose: Whose = NOBODY
    study_uid: str = ""
    series_uid: str = ""

    @property
    def series(self) -> set[str]:
        """The series, where it is known."""
        return {self.series_uid} - {""}

    @classmethod
    def of_source(cls, source: Mapping[str, Any]) -> Owner:
        """That of a case's `source.json`, which holds the PET's header as DICOM JSON."""
        pet = source.get("pet")
        header = pet.get("header") if isinstance(pet, dict) else None
        if not isinstance(header, dict):
            return cls()
        said = {k: _value(header, tag) for k, tag in _TAGS.items()}
        whose = Whose.of(said)
        return cls(whose, said["StudyInstanceUID"], said["SeriesInstanceUID"])


NO_OWNER = Owner()


def _value(header: Mapping[str, Any], tag: str) -> str:
    """The first value of an element of DICOM JSON, of a name its first group."""
    element = header.get(tag)
    values = element.get("Value") if isinstance(element, dict) else None
    first = values[0] if isinstance(values, list) and values else ""
    if isinstance(first, dict):
        first = first.get("Alphabetic", "")
    return clean(first) if isinstance(first, str) else ""


def check_owner(
    rois: Dataset, owner: Owner, path: Path, accepted: Collection[str]
) -> tuple[Notice, ...]:
    """Refuse ROIs of another patient than the PET's, unless accepted; warn where that is unclear,
    and where all that they were drawn on is another study."""
    whose = Whose.of(rois)
    if whose.differs(owner.whose):
        what = f"{path}: its PatientID is not that of the PET"
        return (refuse("other-patient", what, accepted),)
    if whose.unclear(owner.whose):
        return (notice("patient-unclear", "ROIs"),)
    studies = {uid for uid in _studies(rois) if uid}
    if owner.study_uid and studies and owner.study_uid not in studies:
        return (notice("other-study", path.name),)
    return ()


def _studies(rois: Dataset) -> list[str]:
    """The studies that an object says it was drawn on, else the one that it belongs to."""
    named = list(rois.get("ReferencedStudySequence") or [])
    for frame in rois.get("ReferencedFrameOfReferenceSequence") or []:
        named += frame.get("RTReferencedStudySequence") or []
    said = [clean(item.get("ReferencedSOPInstanceUID", "") or "") for item in named]
    return [uid for uid in said if uid] or [clean(rois.get("StudyInstanceUID", "") or "")]


def drawn_on(rois: Dataset) -> set[str]:
    """The series that a SEG names as those it was drawn on; {""} where it names none."""
    items = rois.get("ReferencedSeriesSequence") or []
    return {clean(item.get("SeriesInstanceUID", "") or "") for item in items} or {""}
