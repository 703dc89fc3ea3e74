"""Folders of DICOM, of any depth and naming, to series."""

from __future__ import annotations

import filecmp
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tmtv_engine.dicom.brief import glance, is_bare
from tmtv_engine.dicom.whose import NOBODY, Whose
from tmtv_engine.errors import InputError
from tmtv_engine.text import clean

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

    from tmtv_engine.dicom.header import Header

_TAGS = [
    "SOPClassUID",
    "SOPInstanceUID",
    "Modality",
    "StudyInstanceUID",
    "SeriesInstanceUID",
    "FrameOfReferenceUID",
    "SeriesDescription",
    "SeriesType",
    "CorrectedImage",
    "ImagePositionPatient",
    "NumberOfFrames",
    "NumberOfTimeSlices",
    "ImageType",
    "PatientID",
    "PatientName",
    "PatientBirthDate",
]
_GROUPS = ["PerFrameFunctionalGroupsSequence"]


@dataclass(frozen=True)
class Series:
    """One series of a folder: who it is, and its files, each SOP instance once.

    ``instances`` are the files' SOP Instance UIDs; ``copies`` are further files with one of
    them, each beside the file that was taken.
    """

    uid: str
    study_uid: str
    modality: str
    frame_uid: str
    description: str
    files: tuple[Path, ...]
    corrected: tuple[str, ...] = ()
    kind: tuple[str, ...] = ()
    reach_mm: tuple[float, float] = (0.0, 0.0)
    frames: int = 0
    instances: tuple[str, ...] = ()
    copies: tuple[tuple[Path, Path], ...] = ()
    whose: Whose = NOBODY

    @property
    def extent_mm(self) -> float:
        """From the lowest image to the highest, along z."""
        return self.reach_mm[1] - self.reach_mm[0]

    @property
    def attenuation_corrected(self) -> bool:
        """Whether CorrectedImage names ATTN."""
        return "ATTN" in self.corrected

    @property
    def dynamic(self) -> bool:
        """Whether the header calls it a time course."""
        return any(word in ("DYNAMIC", "GATED") for word in self.kind)

    def __str__(self) -> str:
        name = f"{self.description!r} " if self.description else ""
        return f"{self.uid} {name}({self.frames} images, {self.extent_mm:.0f} mm)"


@dataclass(frozen=True)
class Sorted:
    """Files by series; ``others`` are no DICOM image or object, each with the reason."""

    series: tuple[Series, ...]
    others: tuple[tuple[Path, str], ...]


@dataclass
class _Gathered:
    """A series so far: its first file's header, and of each file only what differs.

    A thousand studies are a million files, whose headers would be gigabytes.
    """

    path: Path
    first: Header
    files: list[Path] = field(default_factory=list)
    instances: list[str] = field(default_factory=list)
    taken: dict[str, Path] = field(default_factory=dict)
    copies: list[tuple[Path, Path]] = field(default_factory=list)
    heights: list[float] = field(default_factory=list)
    frames: int = 0

    def add(self, path: Path, head: Header) -> None:
        """One file more; one that says it is an instance that is there is a copy."""
        uid = str(head.get("SOPInstanceUID", ""))
        if (uid or str(path)) in self.taken:
            self.copies.append((path, self.taken[uid or str(path)]))
            return
        self.taken[uid or str(path)] = path
        self.files.append(path)
        self.instances.append(uid)
        self.heights += _along(head)
        self.frames += _count(head)


def find_series(folder: Path) -> list[Series]:
    """Every series of PET, CT, RTSTRUCT or SEG below ``folder``, by study, modality and UID.

    Files that are not DICOM are passed over; raises `InputError` where nothing is left.
    """
    return list(sort_files(_files(folder)).series)


def sort_files(files: Iterable[Path]) -> Sorted:
    """The series that ``files`` belong to, by study, modality and UID, and what is none."""
    gathered: dict[tuple[str, str], _Gathered] = {}
    others: list[tuple[Path, str]] = []
    for path in files:
        try:
            head = head_of(path)
        except OSError as error:
            others.append((path, f"cannot be read: {error.strerror or type(error).__name__}"))
            continue
        if head is None:
            others.append((path, _why_not(path)))
            continue
        key = (str(head.get("StudyInstanceUID", "")), str(head.get("SeriesInstanceUID", "")))
        gathered.setdefault(key, _Gathered(path, head)).add(path, head)
    found = [_series(own) for own in gathered.values()]
    return Sorted(
        tuple(sorted(found, key=lambda s: (s.study_uid, s.modality, s.uid))), tuple(others)
    )


def _files(folder: Path) -> Iterator[Path]:
    if not folder.exists():
        raise InputError(f"{folder}: there is no such folder", "Give a folder of DICOM or NIfTI.")
    if folder.is_file():
        yield folder
        return
    for root, folders, names in os.walk(folder):
        folders.sort()
        paths = (Path(root) / name for name in sorted(names))
        yield from (path for path in paths if path.is_file())  # a FIFO would never end


def _why_not(path: Path) -> str:
    """Why a file that can be opened is no DICOM image."""
    with path.open("rb") as file:
        start = file.read(132)
    if not start:
        return "an empty file"
    if start[128:] == b"DICM" or is_bare(start):
        return "a DICOM file without SeriesInstanceUID, or broken"
    return "neither DICOM nor an image that is read"


def head_of(path: Path) -> Header | None:
    """What discovery asks of a file, None for one that is no DICOM image; raises `OSError`."""
    brief = glance(path, _TAGS)
    head: Header | None = brief
    if brief is None or brief.get("NumberOfFrames", "1") not in ("", "1"):
        head = _whole_head(path)
    return head if head is not None and head.get("SeriesInstanceUID") else None


def _whole_head(path: Path) -> Dataset | None:
    """By pydicom: several frames, big-endian or compressed data, text in any character set."""
    from tmtv_engine.dicom.parse import read_header

    with path.open("rb") as file:
        start = file.read(132)
    if start[128:] != b"DICM" and not is_bare(start):
        return None
    try:
        return read_header(path, [*_TAGS, *_GROUPS])
    except InputError:
        return None


def _series(own: _Gathered) -> Series:
    first = own.first
    kind = [str(v) for v in _list(first.get("SeriesType")) + _list(first.get("ImageType"))]
    described = _whole_head(own.path) or first
    return Series(
        uid=str(first.get("SeriesInstanceUID")),
        study_uid=str(first.get("StudyInstanceUID", "")),
        modality=clean(first.get("Modality", "")),
        frame_uid=str(first.get("FrameOfReferenceUID", "")),
        description=clean(described.get("SeriesDescription", "")),
        files=tuple(own.files),
        corrected=tuple(str(v) for v in _list(first.get("CorrectedImage"))),
        kind=tuple(kind),
        reach_mm=(min(own.heights), max(own.heights)) if own.heights else (0.0, 0.0),
        frames=own.frames,
        instances=tuple(own.instances),
        copies=tuple(own.copies),
        whose=Whose.of(described),
    )


def _count(head: Header) -> int:
    try:
        return int(head.get("NumberOfFrames") or 1)
    except (TypeError, ValueError):
        return 1


def _along(head: Header) -> list[float]:
    """The heights (z, mm) of a file's images."""
    places = [head.get("ImagePositionPatient")]
    for frame in head.get("PerFrameFunctionalGroupsSequence") or []:
        places += [p.get("ImagePositionPatient") for p in frame.get("PlanePositionSequence") or []]
    try:
        return [float(place[2]) for place in places if place]
    except (IndexError, TypeError, ValueError):
        return []


_SHOWN = (  # what numbers and places depend on
    "ImagePositionPatient",
    "ImageOrientationPatient",
    "PixelSpacing",
    "RescaleSlope",
    "RescaleIntercept",
    "Units",
    "PatientWeight",
    "PatientSize",
    "SeriesTime",
    "AcquisitionTime",
    "DecayCorrection",
    "RadiopharmaceuticalInformationSequence",
)


def same_image(one: Path, other: Path) -> bool:
    """Whether two files are the same bytes, or else the same pixels, place and scale to SUV."""
    from tmtv_engine.dicom.parse import read_whole

    try:
        if filecmp.cmp(one, other, shallow=False):
            return True
        first, second = read_whole(one), read_whole(other)
        if any(first.get(k) != second.get(k) for k in _SHOWN):
            return False
        return bool(first.pixel_array.tobytes() == second.pixel_array.tobytes())
    except Exception:  # one that cannot be decoded is not known to be the same
        return False


def _list(value: Any) -> list[Any]:
    if value is None or value == "":
        return []
    many = hasattr(value, "__iter__") and not isinstance(value, (str, bytes))
    return list(value) if many else [value]
