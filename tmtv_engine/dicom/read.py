"""A series of DICOM files to one volume: sorted on the slice normal, strict about what is missing.

Real slice gaps vary by some hundredths of a millimetre at bed joins; beyond 1 % of the spacing
or 0.1 mm, whichever is more, a slice is missing and the series is refused.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np
from pydicom.dataset import Dataset

from tmtv_engine.dicom.brief import glance
from tmtv_engine.dicom.header import Header, number
from tmtv_engine.dicom.parse import lenient, read_header, read_whole
from tmtv_engine.errors import BadTag, GeometryError, InputError, MissingTag
from tmtv_engine.image.volume import Array, FloatArray, Grid
from tmtv_engine.notices import Notice, notice

_OF_A_SLICE = (
    "SOPInstanceUID",
    "FrameOfReferenceUID",
    "AcquisitionDateTime",
    "AcquisitionDate",
    "AcquisitionTime",
    "FrameReferenceTime",
    "ActualFrameDuration",
    "Modality",
    "ImagePositionPatient",
    "ImageOrientationPatient",
    "PixelSpacing",
    "Rows",
    "Columns",
    "SamplesPerPixel",
    "BitsAllocated",
    "PixelRepresentation",
    "NumberOfFrames",
    "RescaleSlope",
    "RescaleIntercept",
)


@dataclass(frozen=True, eq=False)
class Slice:
    """One image: its file, its header, where it lies (LPS mm) and how it is rescaled.

    ``native`` is where uncompressed pixels begin in the file, and their type; None where
    pydicom has to decode them. ``shape`` is (rows, columns).
    """

    path: Path
    frame: int
    head: Header
    shape: tuple[int, int]
    position_mm: FloatArray
    orientation: FloatArray
    spacing_mm: tuple[float, float]
    slope: float
    intercept: float
    native: tuple[int, str] | None = None


@dataclass(frozen=True, eq=False)
class Stack:
    """A read series: float32 array (z, y, x) after slope and intercept, grid, headers by slice.

    The first slice's header is whole; the others may hold only what differs by slice.
    """

    array: Array
    grid: Grid
    slices: tuple[Slice, ...]
    notices: tuple[Notice, ...] = ()


def read_series(files: Sequence[Path], *, allow_gaps: bool = False) -> Stack:
    """Read and rescale a series, single- or multi-frame, slices sorted along their normal.

    Raises `InputError` for a file that cannot be decoded and `GeometryError`, naming the
    positions, for missing, doubled or crooked slices.
    """
    slices = [piece for path in files for piece in _slices(path)]
    order, along = _sorted(slices)
    slices = [slices[k] for k in order]
    step = _step(along, slices, allow_gaps)
    if not isinstance(slices[0].head, Dataset):
        slices[0] = replace(slices[0], head=read_header(slices[0].path))
    array = _pixels(slices)
    notices: tuple[Notice, ...] = ()
    if step.missing:
        array, slices = _filled(array, slices, along, step.mm)
        notices = (notice("gaps", f"{step.missing} slices"),)
    return Stack(array, _grid(slices, step.mm), tuple(slices), notices)


def _slices(path: Path) -> list[Slice]:
    """The images of a file by a glance at it, or by its whole header where that is not enough."""
    try:
        brief = glance(path, _OF_A_SLICE)
    except OSError as error:
        raise InputError(f"{path}: cannot be read", "Copy the series again.") from error
    if brief is not None and brief.pixels is not None:
        at, length = brief.pixels
        plain = (brief.get("SamplesPerPixel", 1), brief.get("BitsAllocated")) == (1, 16)
        size = 2 * _whole(brief, "Rows") * _whole(brief, "Columns")
        if plain and size <= length != 0xFFFFFFFF and brief.get("NumberOfFrames", "1") == "1":
            native = (at, "<i2" if brief.get("PixelRepresentation") else "<u2")
            return [_slice(path, 0, brief, native)]
    dataset = read_header(path)
    if "PerFrameFunctionalGroupsSequence" in dataset:
        heads = list(_frame_heads(dataset))
        if str(dataset.get("NumberOfFrames")) != str(len(heads)):
            raise BadTag("NumberOfFrames", f"{path}: not one group a frame", "Export it anew.")
        return [_slice(path, k, head) for k, head in enumerate(heads)]
    if str(dataset.get("NumberOfFrames") or 1) != "1":
        raise GeometryError(f"{path}: several frames without positions", "Export it anew.")
    return [_slice(path, 0, dataset)]


def _whole(head: Header, keyword: str) -> int:
    value = head.get(keyword)
    return value if isinstance(value, int) else 0


def _frame_heads(dataset: Dataset) -> Iterator[Dataset]:
    """The frames of a multi-frame image as if each were an image of its own."""
    shared = list(dataset.get("SharedFunctionalGroupsSequence") or [])
    frames = list(dataset.PerFrameFunctionalGroupsSequence)
    base = Dataset()
    base.update({e.tag: e for e in dataset if e.tag.group != 0x5200})
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


def _slice(path: Path, frame: int, head: Header, native: tuple[int, str] | None = None) -> Slice:
    row, column = _numbers(path, head, "PixelSpacing", 2)
    shape = (_whole(head, "Rows"), _whole(head, "Columns"))
    if not shape[0] or not shape[1]:
        raise MissingTag("Rows", f"{path}: Rows or Columns is missing", "Export it anew.")
    if head.get("SamplesPerPixel", 1) != 1:
        raise BadTag("SamplesPerPixel", f"{path}: a picture in colour", "Give the PET itself.")
    return Slice(
        path,
        frame,
        head,
        shape,
        _numbers(path, head, "ImagePositionPatient", 3),
        _numbers(path, head, "ImageOrientationPatient", 6),
        (float(row), float(column)),
        *_scaling(path, head),
        native,
    )


def _scaling(path: Path, head: Header) -> tuple[float, float]:
    """Slope and intercept; 1 and 0 may be taken for granted in neither PET nor CT."""
    slope, intercept = number(head, "RescaleSlope"), number(head, "RescaleIntercept")
    modality = head.get("Modality")
    if slope is None and modality in ("PT", "CT"):
        raise MissingTag("RescaleSlope", f"{path}: RescaleSlope is missing", "Export it anew.")
    if intercept is None and modality == "CT":
        what = f"{path}: RescaleIntercept is missing"
        raise MissingTag("RescaleIntercept", what, "Export it anew.")
    if slope == 0.0:
        raise BadTag("RescaleSlope", f"{path}: it is 0", "Export the series anew.")
    return (1.0 if slope is None else slope), intercept or 0.0


def _numbers(path: Path, head: Header, keyword: str, count: int) -> FloatArray:
    values = head.get(keyword)
    if not values:
        raise MissingTag(keyword, f"{path}: {keyword} is missing", "Export the series anew.")
    try:
        found = np.array([float(v) for v in values])
    except (TypeError, ValueError):
        found = np.empty(0)
    if len(found) != count or not np.isfinite(found).all():
        raise BadTag(keyword, f"{path}: it is not {count} numbers", "Export the series anew.")
    return found


def _pixels(slices: Sequence[Slice]) -> Array:
    """The rescaled pixels (z, y, x), each file read once and straight into its place."""
    array = np.empty((len(slices), *slices[0].shape), np.float32)
    order = sorted(range(len(slices)), key=lambda k: str(slices[k].path))
    groups = [list(ks) for _, ks in groupby(order, key=lambda k: slices[k].path)]

    def place(group: list[int]) -> None:
        frames = _decoded(slices[group[0]])
        for k in group:
            piece = slices[k]
            np.multiply(
                frames[piece.frame], np.float32(piece.slope), out=array[k], casting="unsafe"
            )
            if piece.intercept:
                array[k] += np.float32(piece.intercept)

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(place, groups))
    return array


def _decoded(piece: Slice) -> Array:
    """The stored values of a file, (frames, rows, columns)."""
    rows, columns = piece.shape
    try:
        if piece.native is not None:
            at, kind = piece.native
            flat = np.fromfile(piece.path, kind, rows * columns, offset=at)
            return flat.reshape(1, rows, columns)
        with lenient():
            dataset = read_whole(piece.path)
            frames = int(dataset.get("NumberOfFrames") or 1)
            return np.asarray(dataset.pixel_array).reshape(frames, rows, columns)
    except Exception as error:  # each decoder has its own errors for what it cannot read
        raise InputError(
            f"{piece.path}: its pixels cannot be decoded",
            "Copy it again, or export it uncompressed.",
        ) from error


def _sorted(slices: Sequence[Slice]) -> tuple[list[int], FloatArray]:
    """The order along the normal and the positions on it; refuses what does not fit together."""
    first = slices[0]
    if len(slices) < 2:
        raise GeometryError(f"{first.path}: a single slice is no volume", "Give the whole series.")
    normal = np.cross(first.orientation[:3], first.orientation[3:])
    if abs(np.linalg.norm(normal) - 1.0) > 1e-3:
        raise GeometryError(f"{first.path}: ImageOrientationPatient is skewed", "Export it anew.")
    for other in slices:
        turned = np.abs(other.orientation - first.orientation).max() > 1e-3
        scaled = not np.allclose(other.spacing_mm, first.spacing_mm, rtol=1e-4)
        if turned or scaled or other.shape != first.shape:
            raise GeometryError(f"{other.path}: lies otherwise than the rest", "Split the series.")
    along = np.array([piece.position_mm @ normal for piece in slices])
    order = np.lexsort((np.arange(len(along)), along))
    return [int(k) for k in order], along[order]


@dataclass(frozen=True)
class _Step:
    mm: float
    missing: int = 0


def _step(along: FloatArray, slices: Sequence[Slice], allow_gaps: bool) -> _Step:
    """The distance of slices; refuses doubled ones and, unless allowed, missing ones."""
    gaps = np.diff(along)
    typical = float(np.median(gaps))
    tolerance = max(0.01 * typical, 0.1)
    doubled = np.flatnonzero(gaps < min(0.1, 0.5 * typical) if typical > 0.1 else gaps < 0.1)
    if typical <= 0.0 or len(doubled):
        where = ", ".join(f"{along[k]:.2f}" for k in doubled[:5])
        raise GeometryError(
            f"{slices[0].path.parent}: several images at one position ({where} mm)",
            "A dynamic series, two time points or doubled files: give one static series.",
        )
    off = np.flatnonzero(np.abs(gaps - typical) > tolerance)
    if not len(off):
        return _Step(float((along[-1] - along[0]) / (len(along) - 1)))
    steps = gaps / typical
    whole = np.abs(steps - np.round(steps)) * typical <= tolerance
    missing = int(np.round(steps).sum()) - len(gaps)
    if allow_gaps and whole.all():
        return _Step(float((along[-1] - along[0]) / (len(along) - 1 + missing)), missing)
    holes = "; ".join(f"{along[k]:.2f} to {along[k + 1]:.2f} mm" for k in off[:5])
    raise GeometryError(
        f"{slices[0].path.parent}: slices are missing or uneven ({holes}; step {typical:.2f} mm)",
        "Copy the series again, or interpolate with --allow-gaps.",
    )


def _filled(
    array: Array, slices: list[Slice], along: FloatArray, step_mm: float
) -> tuple[Array, list[Slice]]:
    """Missing slices interpolated between their neighbours; their headers are the one below's."""
    number = np.round((along - along[0]) / step_mm).astype(int)
    whole = np.empty((number[-1] + 1, *array.shape[1:]), np.float32)
    pieces = []
    for k in range(number[-1] + 1):
        low = int(np.searchsorted(number, k, side="right")) - 1
        high = min(low + 1, len(number) - 1)
        span = max(int(number[high] - number[low]), 1)
        part = (k - number[low]) / span
        whole[k] = (1 - part) * array[low] + part * array[high]
        pieces.append(slices[low])
    return whole, pieces


def _grid(slices: Sequence[Slice], step_mm: float) -> Grid:
    first = slices[0]
    row, column = first.orientation[:3], first.orientation[3:]
    affine = np.eye(4)
    affine[:3, 0] = np.cross(row, column) * step_mm
    affine[:3, 1] = column * first.spacing_mm[0]
    affine[:3, 2] = row * first.spacing_mm[1]
    affine[:3, 3] = first.position_mm
    return Grid((len(slices), *first.shape), affine, str(first.head.get("FrameOfReferenceUID", "")))


def header_json(head: Dataset) -> dict[str, Any]:
    """A header as DICOM JSON without pixels, private tags and what differs slice by slice."""
    plain = Dataset()
    with lenient():
        for element in head:
            if not element.tag.is_private and element.VR not in ("OB", "OW", "UN"):
                plain.add(element)
        found: dict[str, Any] = plain.to_json_dict(suppress_invalid_tags=True)
    return found
