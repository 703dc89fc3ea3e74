"""Folders of DICOM, of any depth and naming, to series."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tmtv_engine.dicom.brief import glance
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
]
_GROUPS = ["PerFrameFunctionalGroupsSequence"]


@dataclass(frozen=True)
class Series:
    """One series of a folder: who it is, and its files."""

    uid: str
    study_uid: str
    modality: str
    frame_uid: str
    description: str
    files: tuple[Path, ...]
    corrected: tuple[str, ...] = ()
    kind: tuple[str, ...] = ()
    extent_mm: float = 0.0
    frames: int = 0

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


def find_series(folder: Path) -> list[Series]:
    """Every series of PET, CT, RTSTRUCT or SEG below ``folder``, by study, modality and UID.

    Files that are not DICOM are passed over; raises `InputError` where nothing is left.
    """
    gathered: dict[tuple[str, str], list[tuple[Path, Header]]] = {}
    for path in _files(folder):
        head = _head(path)
        if head is None:
            continue
        key = (str(head.get("StudyInstanceUID", "")), str(head.get("SeriesInstanceUID", "")))
        gathered.setdefault(key, []).append((path, head))
    found = [_series(heads) for heads in gathered.values()]
    return sorted(found, key=lambda s: (s.study_uid, s.modality, s.uid))


def _files(folder: Path) -> Iterator[Path]:
    if not folder.exists():
        raise InputError(f"{folder}: there is no such folder", "Give a folder of DICOM or NIfTI.")
    if folder.is_file():
        yield folder
        return
    for root, folders, names in os.walk(folder):
        folders.sort()
        yield from (Path(root) / name for name in sorted(names))


def _head(path: Path) -> Header | None:
    """What discovery asks of a file; None for one that is no DICOM image or object."""
    try:
        brief = glance(path, _TAGS)
    except OSError:
        return None
    head: Header | None = brief
    if brief is None or brief.get("NumberOfFrames", "1") not in ("", "1"):
        head = _whole_head(path)
    return head if head is not None and head.get("SeriesInstanceUID") else None


def _whole_head(path: Path) -> Dataset | None:
    """By pydicom: several frames, big-endian or compressed data, text in any character set."""
    from tmtv_engine.dicom.parse import read_header

    try:
        with path.open("rb") as file:
            if file.read(132)[128:] != b"DICM":
                return None
        return read_header(path, [*_TAGS, *_GROUPS])
    except (OSError, InputError):
        return None


def _series(heads: list[tuple[Path, Header]]) -> Series:
    path, first = heads[0]
    heights = [at for _, h in heads for at in _along(h)]
    kind = [str(v) for v in _list(first.get("SeriesType")) + _list(first.get("ImageType"))]
    described = _whole_head(path) or first
    return Series(
        uid=str(first.get("SeriesInstanceUID")),
        study_uid=str(first.get("StudyInstanceUID", "")),
        modality=clean(first.get("Modality", "")),
        frame_uid=str(first.get("FrameOfReferenceUID", "")),
        description=clean(described.get("SeriesDescription", "")),
        files=tuple(path for path, _ in heads),
        corrected=tuple(str(v) for v in _list(first.get("CorrectedImage"))),
        kind=tuple(kind),
        extent_mm=max(heights) - min(heights) if heights else 0.0,
        frames=sum(_count(h) for _, h in heads),
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


def _list(value: Any) -> list[Any]:
    if value is None or value == "":
        return []
    return [value] if isinstance(value, str) else list(value)
