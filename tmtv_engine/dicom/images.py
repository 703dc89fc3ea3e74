"""Files to images: a glance at each, copies taken once, images of another kind left out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from pydicom.dataset import Dataset

from tmtv_engine.dicom.brief import glance
from tmtv_engine.dicom.enhanced import frame_heads
from tmtv_engine.dicom.header import Header, number, several, text
from tmtv_engine.dicom.kinds import type_kind
from tmtv_engine.dicom.parse import lenient, read_header, read_whole
from tmtv_engine.errors import BadTag, GeometryError, InputError, MissingTag
from tmtv_engine.image.volume import Array
from tmtv_engine.notices import Notice, notice

KEYWORDS = (
    "SOPClassUID",
    "SOPInstanceUID",
    "StudyInstanceUID",
    "SeriesInstanceUID",
    "FrameOfReferenceUID",
    "PatientID",
    "PatientName",
    "PatientBirthDate",
    "PatientSex",
    "PatientWeight",
    "ImageType",
    "SeriesType",
    "SeriesDate",
    "SeriesTime",
    "AcquisitionDateTime",
    "AcquisitionDate",
    "AcquisitionTime",
    "FrameReferenceTime",
    "ActualFrameDuration",
    "InstanceNumber",
    "ImageIndex",
    "NumberOfSlices",
    "NumberOfTimeSlices",
    "Units",
    "SUVType",
    "CorrectedImage",
    "DecayCorrection",
    "DecayFactor",
    "RadiopharmaceuticalInformationSequence",
    "Modality",
    "ImagePositionPatient",
    "ImageOrientationPatient",
    "SliceThickness",
    "SpacingBetweenSlices",
    "SliceLocation",
    "PixelSpacing",
    "Rows",
    "Columns",
    "SamplesPerPixel",
    "BitsAllocated",
    "BitsStored",
    "HighBit",
    "PixelRepresentation",
    "NumberOfFrames",
    "RescaleSlope",
    "RescaleIntercept",
    "LossyImageCompression",
    "RealWorldValueMappingSequence",
)
LOSSY = tuple(f"1.2.840.10008.1.2.4.{n}" for n in (50, 51, 81))  # JPEG, JPEG-LS near lossless
CLASSES = {
    "PT": ("1.2.840.10008.5.1.4.1.1.128", "1.2.840.10008.5.1.4.1.1.130"),
    "CT": ("1.2.840.10008.5.1.4.1.1.2",),
}


@dataclass(frozen=True)
class Native:
    """Where uncompressed pixels of 16 bits begin in their file, and how they are stored."""

    at: int
    signed: bool
    stored: int = 16
    high: int = 15

    def read(self, path: Path, count: int) -> Array:
        """The stored values: bits above the highest one hold anything and are not read."""
        return self._stored(self._raw(path, count))

    def spills(self, path: Path, count: int) -> bool:
        """Whether the other bits hold more than the sign above and nothing below."""
        if self.stored == 16:
            return False
        raw = self._raw(path, count)
        return not np.array_equal(raw, self._stored(raw) << (self.high + 1 - self.stored))

    def _raw(self, path: Path, count: int) -> Array:
        return np.fromfile(path, "<i2" if self.signed else "<u2", count, offset=self.at)

    def _stored(self, values: Array) -> Array:
        if self.stored == 16:
            return values
        lifted = values.view("<u2") << (15 - self.high)
        return lifted.view(values.dtype) >> (16 - self.stored)


@dataclass(frozen=True, eq=False)
class Image:
    """One image of a file: its header, or a brief of it, and where its pixels lie.

    ``native`` is None where pydicom has to decode them.
    """

    path: Path
    frame: int
    head: Header
    native: Native | None = None

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns, 0 where unknown."""
        rows, columns = self.head.get("Rows"), self.head.get("Columns")
        return (
            rows if isinstance(rows, int) else 0,
            columns if isinstance(columns, int) else 0,
        )

    @property
    def spills(self) -> bool:
        """Whether its pixels hold bits that its header does not speak of."""
        rows, columns = self.shape
        return self.native is not None and self.native.spills(self.path, rows * columns)

    @property
    def lossy(self) -> bool:
        """Whether its pixels were ever compressed with loss, as far as it says."""
        meta = getattr(self.head, "file_meta", None)
        syntax = str(meta.get("TransferSyntaxUID", "")) if meta is not None else ""
        return text(self.head, "LossyImageCompression") == "01" or syntax in LOSSY

    def decoded(self) -> Array:
        """The stored values of the file, (frames, rows, columns)."""
        rows, columns = self.shape
        try:
            if self.native is not None:
                return self.native.read(self.path, rows * columns).reshape(1, rows, columns)
            with lenient():
                dataset = read_whole(self.path)
                frames = int(dataset.get("NumberOfFrames") or 1)
                return np.asarray(dataset.pixel_array).reshape(frames, rows, columns)
        except Exception as error:  # each decoder has its own errors for what it cannot read
            raise InputError(
                f"{self.path}: its pixels cannot be decoded",
                "Copy it again, or export it uncompressed.",
            ) from error


def images_of(path: Path) -> list[Image]:
    """The images of a file by a glance at it, or by its whole header where that is not enough."""
    try:
        brief = glance(path, KEYWORDS)
    except OSError as error:
        raise InputError(f"{path}: cannot be read", "Copy the series again.") from error
    if brief is not None and brief.pixels is not None:
        at, length = brief.pixels
        plain = (brief.get("SamplesPerPixel", 1), brief.get("BitsAllocated")) == (1, 16)
        image = Image(path, 0, brief)
        size = 2 * image.shape[0] * image.shape[1]
        if plain and length != 0xFFFFFFFF and brief.get("NumberOfFrames", "1") == "1":
            _check_rest(path, length - size, image.shape[1])
        if plain and size <= length != 0xFFFFFFFF and brief.get("NumberOfFrames", "1") == "1":
            return [Image(path, 0, brief, _native(path, brief, at))]
    dataset = read_header(path)
    if "PerFrameFunctionalGroupsSequence" in dataset:
        with lenient():
            return [Image(path, k, head) for k, head in enumerate(frame_heads(dataset, path))]
    if str(dataset.get("NumberOfFrames") or 1) != "1":
        raise GeometryError(f"{path}: several frames without positions", "Export it anew.")
    return [Image(path, 0, dataset)]


def _check_rest(path: Path, rest: int, columns: int) -> None:
    """Refuse pixels of which a row and more would not be read: Rows or Columns is wrong."""
    if columns and rest >= 2 * columns:
        what = f"{path}: its pixels hold {rest} bytes more than Rows and Columns say"
        raise BadTag("Columns", what, "Export it anew.")


def _native(path: Path, head: Header, at: int) -> Native:
    signed, stored = head.get("PixelRepresentation"), head.get("BitsStored", 16)
    if signed not in (0, 1):
        what = f"{path}: PixelRepresentation is missing"
        raise MissingTag("PixelRepresentation", what, "Export it anew.")
    high = head.get("HighBit", stored - 1 if isinstance(stored, int) else 15)
    if not (isinstance(stored, int) and isinstance(high, int) and 1 <= stored <= high + 1 <= 16):
        raise BadTag("BitsStored", f"{path}: {stored} bits up to bit {high}", "Export it anew.")
    return Native(at, bool(signed), stored, high)


def once(images: Sequence[Image]) -> tuple[list[Image], tuple[Notice, ...]]:
    """Each SOP instance once; raises `GeometryError` for two images under one UID."""
    kept: dict[tuple[str, int], Image] = {}
    copies: list[Path] = []
    for image in images:
        uid = text(image.head, "SOPInstanceUID") or str(image.path)
        first = kept.setdefault((uid, image.frame), image)
        if first is image:
            continue
        if not _same(first, image):
            what = f"{first.path} and {image.path.name}: two images with one SOPInstanceUID"
            raise GeometryError(what, "Export the series anew.")
        copies.append(image.path)
    return list(kept.values()), _told("copies", copies)


def _same(one: Image, other: Image) -> bool:
    """Whether two images lie in one place and hold the same values."""
    place = ("ImagePositionPatient", "ImageOrientationPatient", "PixelSpacing")
    for keyword in place:
        if _rounded(one.head, keyword, 6) != _rounded(other.head, keyword, 6):
            return False
    for keyword in ("RescaleSlope", "RescaleIntercept"):
        if number(one.head, keyword) != number(other.head, keyword):
            return False
    return one.shape == other.shape and np.array_equal(
        one.decoded()[one.frame], other.decoded()[other.frame]
    )


def of_one_kind(images: Sequence[Image]) -> tuple[list[Image], tuple[Notice, ...]]:
    """The images of the volume, without those whose class or ImageType says that they are none.

    That is a MIP, a scout, a report or a screen capture in the series of a PET or CT; a type
    that other images do not have counts only for an image that also lies otherwise.
    """
    classed = [i for i in images if _of_its_modality(i)]
    kept = classed or list(images)
    kept = [i for i in kept if not _named_foreign(i)] or kept
    if len(kept) > 2:
        kind, shape = _commonest(kept, _type), _commonest(kept, _lie)
        kept = [i for i in kept if _type(i) == kind or _lie(i) == shape]
    ids = {id(i) for i in kept}
    return kept, _told("foreign-images", [i.path for i in images if id(i) not in ids])


def _of_its_modality(image: Image) -> bool:
    known = CLASSES.get(text(image.head, "Modality"))
    return known is None or text(image.head, "SOPClassUID").startswith(known)


def _named_foreign(image: Image) -> bool:
    return bool(type_kind(image.head))


def _type(image: Image) -> object:
    return tuple(str(v) for v in several(image.head.get("ImageType"))[:2])


def _lie(image: Image) -> object:
    placed = bool(several(image.head.get("ImagePositionPatient")))
    return image.shape, placed, tuple(_rounded(image.head, "ImageOrientationPatient", 2))


def _rounded(head: Header, keyword: str, digits: int) -> list[object]:
    """An attribute's numbers, to compare; what is no number stays as it is."""
    values = several(head.get(keyword))
    try:
        return [round(float(v), digits) for v in values]
    except (TypeError, ValueError):
        return [str(v) for v in values]


def _commonest(images: Sequence[Image], of: object) -> object:
    return Counter(of(i) for i in images).most_common(1)[0][0]  # type: ignore[operator]


def _told(code: str, paths: Sequence[Path]) -> tuple[Notice, ...]:
    if not paths:
        return ()
    names = ", ".join(p.name for p in paths[:5]) + (" …" if len(paths) > 5 else "")
    return (notice(code, names),)


def whole_head(image: Image) -> Dataset:
    """The full header of an image."""
    return image.head if isinstance(image.head, Dataset) else read_header(image.path)
