"""What every writer needs: the reviewed lesions, their cuts, the source's headers, names and times.

Everything is derived from the inputs and the reading, so that exporting twice gives the same
bytes, a changed review gives a new series, and a lesion has one tracking UID wherever it appears.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property

import numpy as np
import numpy.typing as npt
from pydicom.datadict import dictionary_VR
from pydicom.dataelem import RawDataElement
from pydicom.dataset import Dataset
from pydicom.uid import UID

from tmtv_engine import __version__
from tmtv_engine.case.cuts import Cuts
from tmtv_engine.case.folder import Case
from tmtv_engine.case.record import LesionRow
from tmtv_engine.dicom.parse import lenient
from tmtv_engine.errors import CaseError
from tmtv_engine.export.encode import items_of
from tmtv_engine.files import Record, canonical
from tmtv_engine.lesion.lists import Lesions
from tmtv_engine.lesion.methods import Method
from tmtv_engine.review.line import VISITS, Line
from tmtv_engine.review.reading import Reading, reading_of
from tmtv_engine.review.sign import signature_of
from tmtv_engine.text import clean

MAKER = "tmtv"
_LENGTHS = {"SH": 16, "LO": 64}
_PATTERNS = {
    "DA": r"\d{8}",
    "TM": r"([01]\d|2[0-3])([0-5]\d([0-5]\d(\.\d{1,6})?)?)?",
    "CS": r"[A-Z0-9 _]{1,16}",
}
UNICODE = "ISO_IR 192"
_DRAWN = ("1.2.826.0.1.3680043.8.498.", "1.2.826.0.1.3680043.10.511.")  # pydicom's, highdicom's
_CAPTURED = "{}OfSecondaryCapture"
_COPIED = (
    "PatientName",
    "PatientID",
    "PatientBirthDate",
    "PatientSex",
    "StudyInstanceUID",
    "StudyDate",
    "StudyTime",
    "StudyID",
    "AccessionNumber",
    "ReferringPhysicianName",
)


_REFERRED = (
    "SOPClassUID",
    "Modality",
    "SeriesInstanceUID",
    "FrameOfReferenceUID",
    "ImageOrientationPatient",
    "PixelSpacing",
    "Rows",
    "Columns",
)


@dataclass(frozen=True, eq=False)
class Job:
    """One case to export: ``rows`` are the accepted rows of ``reading.lesions``."""

    case: Case
    reading: Reading
    cuts: Cuts
    rows: tuple[int, ...]
    source: Record

    @property
    def methods(self) -> tuple[Method, ...]:
        """The methods that the case was cut by."""
        return self.cuts.methods

    @property
    def reviewed(self) -> bool:
        """Whether a reader has decided anything."""
        return self.reading.decisions > 0

    @property
    def by_hand(self) -> bool:
        """Whether a person had a part in it: a reader, or whoever drew the ROIs."""
        return self.reviewed or self.case.record.model.name == "roi"

    @cached_property
    def seed(self) -> tuple[str, ...]:
        """What makes this export the one it is: the inputs, the prediction and the reading.

        Not when or how fast it was made: the same study predicted anew is the same export.
        """
        record = self.case.raw
        told = {key: record[key] for key in ("model", "pet", "overrides", "predicted_totals")}
        inputs = record["provenance"].get("inputs_sha256")
        digest = hashlib.sha256(canonical([__version__, inputs, told]))
        lesions = self.case.voxels()
        for array in (lesions.ids, lesions.voxels, lesions.suv):
            digest.update(array.tobytes())
        for row in self.case.record.lesions:
            digest.update(canonical([row.structure and row.structure.name, row.region]))
        series = str(record["pet"]["series_uid"])
        head = self.last.hash if self.last else ""
        return (series, digest.hexdigest(), head, *([self.signature] if self.signature else []))

    @cached_property
    def told(self) -> Mapping[int, LesionRow]:
        """What the case tells of each lesion, by its number."""
        return {row.id: row for row in self.case.record.lesions}

    @cached_property
    def signature(self) -> str | None:
        """The SSH signature of the reading as it is signed now, None where it has none."""
        signed, reader = self.reading.signed, self.reading.reader
        if signed is None or reader is None:
            return None
        return signature_of(self.case.path, reader, signed)

    @cached_property
    def last(self) -> Line | None:
        """The last line of the journal that is more than looking, None where there is none."""
        lines = [line for line in self.reading.lines if line.action not in VISITS]
        return lines[-1] if lines else None

    def uid(self, *parts: object) -> UID:
        """A UID for a part of this export."""
        return uid_of(*self.seed, *parts)

    def tracking_uid(self, row: int) -> UID:
        """The UID that a lesion keeps across methods and re-runs: its PET's and its voxels'."""
        voxels = self.reading.lesions.voxels[self.reading.lesions.span(row)]
        return uid_of(self.seed[0], hashlib.sha256(voxels.tobytes()).hexdigest())

    def tracking_id(self, row: int) -> str:
        """The name that a lesion keeps: its number."""
        return f"lesion {int(self.reading.lesions.ids[row])}"

    def at(self) -> datetime:
        """When the content came to be: the last decision, or the PET's own time."""
        if self.last:
            return self.last.time.replace(tzinfo=None)
        head = self.header()
        days = (fitting(name, head.get(name) or "") for name in ("SeriesDate", "StudyDate"))
        clocks = (fitting(name, head.get(name) or "") for name in ("SeriesTime", "StudyTime"))
        day, clock = next(filter(None, days), "19000101"), next(filter(None, clocks), "")
        return datetime.strptime(day + clock[:6].ljust(6, "0"), "%Y%m%d%H%M%S")

    def header(self) -> Dataset:
        """The PET's header without what differs slice by slice."""
        if self.source["kind"] != "dicom":
            raise CaseError(
                f"{self.case.name}: was read from NIfTI, there is no DICOM to refer to",
                "Export nifti, csv or page, or predict from the DICOM.",
            )
        with lenient():  # what a scanner wrote; what we write of it goes through `fitting`
            return Dataset.from_json(json.dumps(self.source["pet"]["header"]))

    @cached_property
    def slices(self) -> list[Dataset]:
        """One dataset a slice of the PET, in the array's order: what a reference to it needs.

        Those of a multi-frame PET are all of one SOP instance, with their ReferencedFrameNumber.
        """
        head = self.header()
        lean = patient_of(head)
        for keyword in _REFERRED:
            if keyword in head:
                lean[keyword] = head[keyword]
        for keyword in ("Manufacturer", "PositionReferenceIndicator"):
            setattr(lean, keyword, fitting(keyword, head.get(keyword) or ""))
        lean.SliceThickness = head.get("SliceThickness") or f"{self.lesions.grid.spacing_mm[0]:.6f}"
        found = []
        for instance in self.source["pet"]["instances"]:
            piece = Dataset()
            piece.update(lean)
            piece.SOPInstanceUID = instance["uid"]
            piece.ImagePositionPatient = [round(float(v), 6) for v in instance["position_mm"]]
            if "frame" in instance:
                piece.ReferencedFrameNumber = instance["frame"]
            found.append(piece)
        return found

    @cached_property
    def encoded(self) -> dict[object, RawDataElement]:
        """What the SEGs of this export have encoded already, by what it says."""
        return {}

    def keep(self, method: Method) -> npt.NDArray[np.bool_]:
        """The voxels that a method leaves of every lesion, (N,)."""
        return self.cuts.keep(method)

    @property
    def lesions(self) -> Lesions:
        """Every lesion of the reading."""
        return self.reading.lesions

    def cut(self, method: Method) -> list[tuple[int, npt.NDArray[np.int64]]]:
        """For each accepted row that the method leaves anything of: its flat voxel indices."""
        keep = self.keep(method)
        found = []
        for row in self.rows:
            span = self.lesions.span(row)
            voxels = self.lesions.voxels[span][keep[span]]
            if len(voxels):
                found.append((row, voxels))
        return found

    def algorithm(self) -> tuple[str, str]:
        """Name and version of what found the lesions, with the model's hash."""
        model = self.case.record.model
        digest = (model.sha256 or "")[:16]
        return clean(f"tmtv {model.name}"), f"{__version__} {digest}".strip()


def job_of(case: Case) -> Job:
    """The export of a case's reading of record (the prediction where nobody has decided)."""
    reading = reading_of(case)
    cuts = Cuts.of_record(case.record, reading.lesions, reading.around)
    return Job(case, reading, cuts, tuple(reading.accepted), case.source())


def uid_of(*parts: object) -> UID:
    """A UID below 2.25 from the SHA-256 of ``parts``."""
    digest = hashlib.sha256("\n".join(str(p) for p in ("tmtv", *parts)).encode()).hexdigest()
    return UID(f"2.25.{int(digest[:31], 16)}")


def patient_of(head: Dataset) -> Dataset:
    """Patient and study of a header, cleaned, for an object of ours; names in any script."""
    found = Dataset()
    found.SpecificCharacterSet = UNICODE
    for keyword in _COPIED:
        value = head.get(keyword)
        setattr(found, keyword, "" if value is None else fitting(keyword, value))
    return found


def fitting(keyword: str, value: object) -> str:
    """A header's text as its VR allows it: cleaned, cut to length, empty where it is no value."""
    vr = dictionary_VR(keyword)
    text = clean(value, 194).replace("\\", " ")
    if vr == "PN":
        return "=".join(group[:64] for group in text.split("=")[:3])
    if vr in _PATTERNS:
        return text if re.fullmatch(_PATTERNS[vr], text, re.ASCII) and _is_day(vr, text) else ""
    return text[: _LENGTHS.get(vr, 64)]


def _is_day(vr: str, text: str) -> bool:
    try:
        return vr != "DA" or bool(datetime.strptime(text, "%Y%m%d"))
    except ValueError:
        return False


def dated(dataset: Dataset, at: datetime) -> None:
    """Replace the times of writing by the time of the content."""
    day, clock = at.strftime("%Y%m%d"), at.strftime("%H%M%S")
    for name in ("InstanceCreation{}", "Content{}", "Series{}", "StructureSet{}", _CAPTURED):
        for kind, value in (("Date", day), ("Time", clock)):
            if name.format(kind) in dataset:
                setattr(dataset, name.format(kind), value)
    for equipment in dataset.get("ContributingEquipmentSequence") or []:
        equipment.ContributionDateTime = day + clock


def settle(dataset: Dataset, make: Callable[..., UID]) -> None:
    """Give every UID that a library drew at random one of ours, the same for the same."""
    drawn: dict[str, UID] = {}
    for item in items_of(dataset):
        for element in item.values():
            if element.VR == "UI" and str(element.value).startswith(_DRAWN):
                element.value = drawn.setdefault(element.value, make("drawn", len(drawn)))
