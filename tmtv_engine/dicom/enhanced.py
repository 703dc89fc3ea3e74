"""Multi-frame images: each frame as if it were an image of its own.

An Enhanced PET says in other words what a PET image says (PS3.3 C.8.22): they are put into the
words that the SUV rules read. What cannot be put so is refused as an Enhanced PET.
"""

from __future__ import annotations

from collections.abc import Iterator
from copy import deepcopy
from pathlib import Path

from pydicom.dataset import Dataset
from pydicom.sequence import Sequence

from tmtv_engine.dicom.header import number, text
from tmtv_engine.errors import BadTag, MissingTag

ENHANCED_PET = "1.2.840.10008.5.1.4.1.1.130"
_UNITS = {"BQML": "BQML", "BQ/ML": "BQML", "GML": "GML", "CM2ML": "CM2ML"}
_MOST_MBQ = 1e5  # above it, a dose is in Bq all the same


def frame_heads(dataset: Dataset, path: Path) -> list[Dataset]:
    """The headers of a multi-frame image's frames; raises `BadTag` where they do not fit."""
    frames = list(dataset.PerFrameFunctionalGroupsSequence)
    if str(dataset.get("NumberOfFrames")) != str(len(frames)):
        raise BadTag("NumberOfFrames", f"{path}: not one group a frame", "Export it anew.")
    shared = list(dataset.get("SharedFunctionalGroupsSequence") or [])
    base = Dataset()
    base.update({e.tag: e for e in dataset if e.tag.group != 0x5200})
    heads = list(_merged(base, shared, frames))
    if text(dataset, "SOPClassUID") == ENHANCED_PET:
        drugs = _drugs(dataset)
        for head in heads:
            _in_plain_words(head, drugs, path)
    return heads


def _merged(base: Dataset, shared: list[Dataset], frames: list[Dataset]) -> Iterator[Dataset]:
    for frame in frames:
        head = Dataset()
        head.update(base)
        for group in (*shared, frame):
            for element in group:
                if element.VR == "SQ" and element.value:
                    head.update(element.value[0])
        if "FrameAcquisitionDateTime" in head:
            head.AcquisitionDateTime = head.FrameAcquisitionDateTime
        if "FrameAcquisitionDuration" in head and "ActualFrameDuration" not in head:
            head.ActualFrameDuration = str(int(head.FrameAcquisitionDuration))
        yield head


def _in_plain_words(head: Dataset, drugs: Sequence, path: Path) -> None:
    """Units, corrections and dose of an Enhanced PET's frame, as a PET image has them."""
    what = f"{path}: an Enhanced PET"
    unit = _UNITS.get(text(head, "RescaleType").upper())
    if unit is None:
        told = f"{what} whose RescaleType is {text(head, 'RescaleType') or 'missing'}"
        raise BadTag("RescaleType", told, "Export it as PET images, one a slice.")
    head.Units = unit
    corrected = _says_yes(head, "DecayCorrected")
    named = {"AttenuationCorrected": "ATTN", "DecayCorrected": "DECY", "ScatterCorrected": "SCAT"}
    head.CorrectedImage = [word for keyword, word in named.items() if _says_yes(head, keyword)]
    head.DecayCorrection = "START" if corrected else "NONE"
    if corrected and not text(head, "DecayCorrectionDateTime"):
        told = f"{what} that is decay corrected to no moment: DecayCorrectionDateTime is missing"
        raise MissingTag("DecayCorrectionDateTime", told, "Export it as PET images, one a slice.")
    head.RadiopharmaceuticalInformationSequence = drugs


def _says_yes(head: Dataset, keyword: str) -> bool:
    return text(head, keyword).upper() == "YES"


def _drugs(dataset: Dataset) -> Sequence:
    """The radiopharmaceuticals with their dose in Bq (an Enhanced PET's is in MBq)."""
    drugs = deepcopy(dataset.get("RadiopharmaceuticalInformationSequence") or Sequence())
    for drug in drugs:
        dose = number(drug, "RadionuclideTotalDose")
        if dose and dose < _MOST_MBQ:
            drug.RadionuclideTotalDose = f"{dose * 1e6:.10g}"
    return drugs
