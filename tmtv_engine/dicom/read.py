"""A series of DICOM files to one volume: sorted on the slice normal, strict about what is missing.

Real slice gaps vary by some hundredths of a millimetre at bed joins; beyond 1 % of the spacing
or 0.1 mm, whichever is more, a slice is missing and the series is refused.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
from pydicom.dataset import Dataset

from tmtv_engine.errors import GeometryError, InputError, MissingTag
from tmtv_engine.volume import Array, FloatArray, Grid
from tmtv_engine.warnings import Notice, notice

_NATIVE = ("1.2.840.10008.1.2", "1.2.840.10008.1.2.1")


@dataclass(frozen=True, eq=False)
class Slice:
    """One image: its pixels' source, its header, and where it lies (LPS mm)."""

    path: Path
    frame: int
    head: Dataset
    position_mm: FloatArray
    orientation: FloatArray
    spacing_mm: tuple[float, float]
    slope: float
    intercept: float


@dataclass(frozen=True, eq=False)
class Stack:
    """A read series: float32 array (z, y, x) after slope and intercept, grid, headers by slice."""

    array: Array
    grid: Grid
    slices: tuple[Slice, ...]
    notices: tuple[Notice, ...] = ()


def read_series(files: Sequence[Path], *, allow_gaps: bool = False) -> Stack:
    """Read and rescale a series, single- or multi-frame, slices sorted along their normal.

    Raises `InputError` for a file that cannot be decoded and `GeometryError`, naming the
    positions, for missing, doubled or crooked slices.
    """
    with ThreadPoolExecutor(4) as pool:
        datasets = list(pool.map(_read, files))
    slices, pixels = [], []
    for path, dataset in zip(files, datasets, strict=True):
        for piece, image in _frames(path, dataset):
            slices.append(piece)
            pixels.append(image)
    order, along = _sorted(slices)
    slices = [slices[k] for k in order]
    array = _rescaled([pixels[k] for k in order], slices)
    step = _step(along, slices, allow_gaps)
    notices: tuple[Notice, ...] = ()
    if step.missing:
        array, slices = _filled(array, slices, along, step.mm)
        notices = (notice("gaps", f"{step.missing} slices"),)
    return Stack(array, _grid(slices, step.mm), tuple(slices), notices)


def _read(path: Path) -> Dataset:
    try:
        return pydicom.dcmread(path)
    except (OSError, pydicom.errors.InvalidDicomError, ValueError, EOFError) as error:
        raise InputError(f"{path}: cannot be read as DICOM", "Copy the series again.") from error
    except RecursionError as error:
        raise InputError(f"{path}: its sequences are nested too deep", "Export it anew.") from error


def _frames(path: Path, dataset: Dataset) -> list[tuple[Slice, Array]]:
    pixels = _pixels(path, dataset)
    del dataset.PixelData
    if "PerFrameFunctionalGroupsSequence" not in dataset:
        if pixels.ndim != 2:
            raise GeometryError(f"{path}: several frames without positions", "Export it anew.")
        return [(_slice(path, 0, dataset), pixels)]
    heads = [_frame_head(dataset, k) for k in range(len(pixels))]
    return [(_slice(path, k, head), pixels[k]) for k, head in enumerate(heads)]


def _pixels(path: Path, dataset: Dataset) -> Array:
    shape = (int(dataset.get("Rows", 0)), int(dataset.get("Columns", 0)))
    try:
        native = str(dataset.file_meta.TransferSyntaxUID) in _NATIVE
        if native and dataset.BitsAllocated == 16 and int(dataset.get("NumberOfFrames") or 1) == 1:
            kind = "<i2" if dataset.PixelRepresentation else "<u2"
            return np.frombuffer(dataset.PixelData, kind, shape[0] * shape[1]).reshape(shape)
        decoded: Array = dataset.pixel_array
        return decoded
    except (AttributeError, ValueError, RuntimeError, NotImplementedError) as error:
        raise InputError(
            f"{path}: its pixels cannot be decoded", "Copy it again, or export it uncompressed."
        ) from error


def _frame_head(dataset: Dataset, frame: int) -> Dataset:
    """A frame of a multi-frame image as if it were an image of its own."""
    head = Dataset()
    head.update(dataset)
    shared = list(dataset.get("SharedFunctionalGroupsSequence") or [])
    for group in (*shared, dataset.PerFrameFunctionalGroupsSequence[frame]):
        for element in group:
            if element.VR == "SQ" and element.value:
                head.update(element.value[0])
    if "FrameAcquisitionDateTime" in head:
        head.AcquisitionDateTime = head.FrameAcquisitionDateTime
    return head


def _slice(path: Path, frame: int, head: Dataset) -> Slice:
    for keyword in ("ImagePositionPatient", "ImageOrientationPatient", "PixelSpacing"):
        if not head.get(keyword):
            raise MissingTag(keyword, f"{path}: {keyword} is missing", "Export the series anew.")
    row, column = (float(v) for v in head.PixelSpacing)
    return Slice(
        path,
        frame,
        head,
        np.array(head.ImagePositionPatient, dtype=np.float64),
        np.array(head.ImageOrientationPatient, dtype=np.float64),
        (row, column),
        float(head.get("RescaleSlope", 1.0) or 1.0),
        float(head.get("RescaleIntercept", 0.0) or 0.0),
    )


def _sorted(slices: Sequence[Slice]) -> tuple[list[int], FloatArray]:
    """The order along the normal and the positions on it; refuses what does not fit together."""
    first = slices[0]
    if len(slices) < 2:
        raise GeometryError(f"{first.path}: a single slice is no volume", "Give the whole series.")
    normal = np.cross(first.orientation[:3], first.orientation[3:])
    if abs(np.linalg.norm(normal) - 1.0) > 1e-3:
        raise GeometryError(f"{first.path}: ImageOrientationPatient is skewed", "Export it anew.")
    for other in slices:
        shape = (other.head.Rows, other.head.Columns)
        turned = np.abs(other.orientation - first.orientation).max() > 1e-3
        scaled = not np.allclose(other.spacing_mm, first.spacing_mm, rtol=1e-4)
        if turned or scaled or shape != (first.head.Rows, first.head.Columns):
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


def _rescaled(pixels: Sequence[Array], slices: Sequence[Slice]) -> Array:
    array = np.empty((len(pixels), *pixels[0].shape), np.float32)
    for k, (image, piece) in enumerate(zip(pixels, slices, strict=True)):
        np.multiply(image, np.float32(piece.slope), out=array[k], casting="unsafe")
        if piece.intercept:
            array[k] += np.float32(piece.intercept)
    return array


def _grid(slices: Sequence[Slice], step_mm: float) -> Grid:
    first = slices[0]
    row, column = first.orientation[:3], first.orientation[3:]
    affine = np.eye(4)
    affine[:3, 0] = np.cross(row, column) * step_mm
    affine[:3, 1] = column * first.spacing_mm[0]
    affine[:3, 2] = row * first.spacing_mm[1]
    affine[:3, 3] = first.position_mm
    shape = (len(slices), int(first.head.Rows), int(first.head.Columns))
    return Grid(shape, affine, str(first.head.get("FrameOfReferenceUID", "")))


def header_json(head: Dataset) -> dict[str, Any]:
    """A header as DICOM JSON without pixels, private tags and what differs slice by slice."""
    plain = Dataset()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # values longer than their VR allows
        for element in head:
            if not element.tag.is_private and element.VR not in ("OB", "OW", "UN"):
                plain.add(element)
        found: dict[str, Any] = plain.to_json_dict(suppress_invalid_tags=True)
    return found
