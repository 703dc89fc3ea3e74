"""Where the slices of a series lie: order, step, holes, ends, and shifts beside each other.

Real slice gaps vary by some hundredths of a millimetre at bed joins; beyond 1 % of the spacing
or 0.1 mm, whichever is more, a slice is missing and the series is refused.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tmtv_engine.dicom.header import Header, number
from tmtv_engine.dicom.images import Image
from tmtv_engine.errors import BadTag, GeometryError, MissingTag
from tmtv_engine.image.volume import Array, FloatArray, Grid

MOST = 1e30  # what single precision holds with room for a factor
_AGAIN = "Copy the series again, or take it as it is with --allow-gaps."


@dataclass(frozen=True, eq=False)
class Slice:
    """One image with its place (LPS mm) and how it is rescaled; ``shape`` is (rows, columns)."""

    image: Image
    position_mm: FloatArray
    orientation: FloatArray
    spacing_mm: tuple[float, float]
    slope: float
    intercept: float

    @property
    def path(self) -> Path:
        """The file."""
        return self.image.path

    @property
    def frame(self) -> int:
        """The frame in the file, from 0."""
        return self.image.frame

    @property
    def head(self) -> Header:
        """The header, or a brief of it."""
        return self.image.head

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""
        return self.image.shape


@dataclass(frozen=True)
class Step:
    """The distance of slices in mm, and how many are missing between them and at an end."""

    mm: float
    missing: int = 0
    short: int = 0


def slice_of(image: Image) -> Slice:
    """An image in its place; raises `MissingTag` or `BadTag` for one that has none."""
    path, head = image.path, image.head
    row, column = _numbers(path, head, "PixelSpacing", 2)
    if not all(image.shape):
        raise MissingTag("Rows", f"{path}: Rows or Columns is missing", "Export it anew.")
    if row <= 0 or column <= 0:
        raise BadTag("PixelSpacing", f"{path}: {row:g} by {column:g} mm", "Export it anew.")
    if head.get("SamplesPerPixel", 1) != 1:
        raise BadTag("SamplesPerPixel", f"{path}: a picture in colour", "Give the PET itself.")
    return Slice(
        image,
        _numbers(path, head, "ImagePositionPatient", 3),
        _numbers(path, head, "ImageOrientationPatient", 6),
        (float(row), float(column)),
        *_scaling(path, head),
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
    scaling = (1.0 if slope is None else slope), intercept or 0.0
    if max(map(abs, scaling)) > MOST:
        what = f"{path}: {scaling[0]:g} and {scaling[1]:g} are no scaling"
        raise BadTag("RescaleSlope", what, "Export it anew.")
    return scaling


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


def in_order(slices: Sequence[Slice]) -> tuple[list[Slice], FloatArray]:
    """The slices along their normal and their places on it; refuses what does not fit together."""
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
    return [slices[int(k)] for k in order], along[order]


def step_of(
    slices: Sequence[Slice],
    along: FloatArray,
    promised: int,
    allow_gaps: bool,
    beside: str = "",
    thinned: tuple[int, str] = (1, ""),
) -> Step:
    """The distance of slices; refuses doubled ones and, unless allowed, missing ones.

    ``promised`` slices are what the headers speak of (0: nothing); ``beside`` names files that
    could not be read and may be the missing ones. ``thinned``: over how many slices each step
    goes, and what says so, where all lie evenly but others lay between them.
    """
    folder, gaps = slices[0].path.parent, np.diff(along)
    typical = float(np.median(gaps))
    tolerance = max(0.01 * typical, 0.1)
    doubled = np.flatnonzero(gaps < min(0.1, 0.5 * typical) if typical > 0.1 else gaps < 0.1)
    if typical <= 0.0 or len(doubled):
        where = ", ".join(f"{along[k]:.2f}" for k in doubled[:5])
        raise GeometryError(
            f"{folder}: several images at one position ({where} mm)",
            "A dynamic series, two time points or doubled files: give one static series.",
        )
    off = np.flatnonzero(np.abs(gaps - typical) > tolerance)
    steps = gaps / typical
    whole = np.abs(steps - np.round(steps)) * typical <= tolerance
    times, why = thinned
    missing = times * int(np.round(steps).sum()) - len(gaps) if len(off) or times > 1 else 0
    if len(off) and not (allow_gaps and whole.all()):
        holes = "; ".join(f"{along[k]:.2f} to {along[k + 1]:.2f} mm" for k in off[:5])
        what = f"{folder}: slices are missing or uneven ({holes}; step {typical:.2f} mm){beside}"
        raise GeometryError(what, _AGAIN)
    short = max(promised - len(slices) - missing, 0)
    if times > 1 and not allow_gaps:
        of = f" of {promised}" if promised else ""
        ends = f", {short} at an end" if short else ""
        what = (
            f"{folder}: {len(slices)}{of} slices, each {typical:.2f} mm from the next where {why}: "
            f"{missing} are missing between them{ends}{beside}"
        )
        raise GeometryError(what, _AGAIN)
    if short and not allow_gaps:
        what = f"{folder}: {len(slices)} of {promised} slices, {short} missing at an end{beside}"
        raise GeometryError(what, _AGAIN)
    return Step(float((along[-1] - along[0]) / (len(along) - 1 + missing)), missing, short)


def shifts_px(slices: Sequence[Slice]) -> FloatArray:
    """How far each slice lies beside the first, (z, 2) in pixels along (rows, columns).

    0 where that is within 1 % of a pixel or 0.01 mm, which is rounding.
    """
    first = slices[0]
    row, column = first.orientation[:3], first.orientation[3:]
    places = np.array([s.position_mm - first.position_mm for s in slices])
    apart = np.stack([places @ column, places @ row], axis=1)
    spacing = np.array(first.spacing_mm)
    return np.where(np.abs(apart) > np.maximum(0.01 * spacing, 0.01), apart / spacing, 0.0)


def unshifted(array: Array, shifts: FloatArray) -> Array:
    """The slices (z, y, x) resampled onto the first one's place, linearly; edges go on."""
    from scipy import ndimage

    whole = array.copy()
    for k in np.flatnonzero(shifts.any(axis=1)):
        whole[k] = ndimage.shift(array[k], shifts[k], order=1, mode="nearest")
    return whole


def filled(
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


def grid_of(slices: Sequence[Slice], step_mm: float) -> Grid:
    """The grid of slices in order."""
    first = slices[0]
    row, column = first.orientation[:3], first.orientation[3:]
    affine = np.eye(4)
    affine[:3, 0] = np.cross(row, column) * step_mm
    affine[:3, 1] = column * first.spacing_mm[0]
    affine[:3, 2] = row * first.spacing_mm[1]
    affine[:3, 3] = first.position_mm
    return Grid((len(slices), *first.shape), affine, str(first.head.get("FrameOfReferenceUID", "")))
