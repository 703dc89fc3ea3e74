"""RTSTRUCT contours to masks, by position: a voxel belongs to an ROI if its centre lies inside."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from pydicom.dataset import Dataset

from tmtv_engine.errors import GeometryError, InputError
from tmtv_engine.image.volume import FloatArray, Grid, Mask
from tmtv_engine.text import clean

FILLED = frozenset({"CLOSED_PLANAR", "CLOSEDPLANAR_XOR", "INTERPOLATED_PLANAR"})
SAME_PLANE_MM = 0.1
FURTHEST = 4096  # voxels that a contour may lie away from the PET's own


@dataclass(frozen=True, eq=False)
class DrawnRoi:
    """One ROI of an RTSTRUCT: its number, name and closed contours, each (n, 3) LPS mm.

    ``skipped`` counts the contours that enclose nothing, by their geometric type; ``frame`` is the
    UID of the frame of reference that the ROI names, "" for none.
    """

    number: int
    name: str
    contours: tuple[FloatArray, ...]
    skipped: Mapping[str, int] = field(default_factory=dict)
    frame: str = ""


@dataclass(frozen=True, eq=False)
class Filled:
    """An ROI on a grid, (z, y, x), and how many of its voxels would lie beyond it.

    ``uneven``: how many planes lie at no multiple of the usual distance from the next, or are no
    slice's nearest although they are as far apart as slices.
    """

    mask: Mask
    outside: int = 0
    uneven: int = 0


def read_contours(dataset: Dataset, path: Path) -> list[DrawnRoi]:
    """The ROIs of an RTSTRUCT in its own order.

    Raises `InputError` where none of them has a closed contour.
    """
    names = {int(r.ROINumber): r for r in dataset.get("StructureSetROISequence") or []}
    rois = []
    for item in dataset.get("ROIContourSequence") or []:
        number = int(item.ReferencedROINumber)
        own = names.get(number, Dataset())
        name = clean(own.get("ROIName", "") or "")
        frame = str(own.get("ReferencedFrameOfReferenceUID", "") or "")
        contours, skipped = _closed(item.get("ContourSequence") or [], path)
        if contours or skipped:
            said = name or f"ROI {number}"
            rois.append(DrawnRoi(number, said, tuple(contours), skipped, frame))
    if not any(roi.contours for roi in rois):
        raise InputError(f"{path}: holds no closed contour", "Give an RTSTRUCT with drawn ROIs.")
    return rois


def _closed(items: Iterable[Any], path: Path) -> tuple[list[FloatArray], dict[str, int]]:
    """The contours that enclose an area, and how many of each type do not."""
    found: list[FloatArray] = []
    skipped: Counter[str] = Counter()
    for item in items:
        kind = clean(item.get("ContourGeometricType", "") or "CLOSED_PLANAR")
        points = np.array(item.get("ContourData") or [], dtype=np.float64).reshape(-1)
        told = item.get("NumberOfContourPoints")
        if len(points) % 3 or not np.isfinite(points).all():
            raise InputError(f"{path}: ContourData is no list of points", "Export it anew.")
        if told is not None and int(told) != len(points) // 3:
            what = f"{path}: a contour of {told} points holds {len(points) // 3}"
            raise InputError(what, "Export it anew.")
        if kind not in FILLED:
            skipped[kind] += 1
        elif len(points) < 9:
            skipped[f"{kind} of {len(points) // 3} points"] += 1
        else:
            found.append(points.reshape(-1, 3))
    return found, dict(skipped)


@dataclass(frozen=True, eq=False)
class _Plane:
    """What is drawn at one ``height`` (slices): polygons (n, 2) in (row, column), each once."""

    height: float
    polygons: tuple[FloatArray, ...]


def fill(contours: Iterable[FloatArray], grid: Grid, path: Path) -> Filled:
    """The voxels of ``grid`` whose centres lie inside the contours.

    All polygons of a plane fill together by even and odd, so that inner ones are holes; the same
    polygon again counts once. A slice takes the plane nearest to it, up to half the planes'
    distance, or only its own where the contours run along the grid's voxel edges. Raises
    `GeometryError` for contours that do not lie along the slices, or lie far off.
    """
    planes = _planes(contours, grid, path)
    heights = np.array([plane.height for plane in planes])
    apart = float(np.median(np.diff(heights))) if len(heights) > 1 else 1.0
    reach = 0.5 * (1.0 if _on_edges(planes) else max(1.0, apart))
    mask = np.zeros(grid.shape, bool)
    outside, used = 0, set()
    for z in range(int(np.floor(heights[0] - reach)), int(np.ceil(heights[-1] + reach)) + 1):
        k = int(np.argmin(np.abs(heights - z)))
        if -reach <= planes[k].height - z < reach:
            outside += _fill_slice(mask, z, planes[k].polygons)
            used.add(k)
    unused = len(planes) - len(used) if apart > 0.99 else 0
    return Filled(mask, outside, unused + _uneven(np.diff(heights)))


def _uneven(gaps: FloatArray) -> int:
    """How many gaps are no multiple of the commonest, to a tenth; of equally common the least."""
    if len(gaps) < 2:
        return 0
    counts = Counter(np.round(gaps, 1).tolist())
    most = max(counts.values())
    usual = np.median(gaps[np.round(gaps, 1) == min(g for g, n in counts.items() if n == most)])
    steps = gaps / usual
    return int((np.abs(steps - np.round(steps)) > 0.1).sum())


def _planes(contours: Iterable[FloatArray], grid: Grid, path: Path) -> list[_Plane]:
    """The contours by plane, rising; those within 0.1 mm of each other are one plane."""
    drawn: list[tuple[float, FloatArray]] = []
    shape = np.array(grid.shape)
    for points in contours:
        index = grid.to_index(points)
        if np.ptp(index[:, 0]) > 0.5:
            what = f"{path}: contours do not lie along the PET's slices"
            raise GeometryError(what, "Draw them on axial slices.")
        if (index < -FURTHEST).any() or (index > shape + FURTHEST).any():
            raise GeometryError(f"{path}: contours lie far off the PET", "Are they of one study?")
        drawn.append((round(float(index[:, 0].mean()), 6), index[:, 1:]))
    drawn.sort(key=lambda pair: pair[0])
    step = SAME_PLANE_MM / grid.spacing_mm[0]
    planes: list[list[tuple[float, FloatArray]]] = []
    for height, polygon in drawn:
        if planes and height - planes[-1][0][0] <= step:
            planes[-1].append((height, polygon))
        else:
            planes.append([(height, polygon)])
    return [_plane(own) for own in planes]


def _plane(drawn: Sequence[tuple[float, FloatArray]]) -> _Plane:
    polygons = {_key(polygon): polygon for _, polygon in drawn}
    middle = round(float(np.mean([height for height, _ in drawn])), 6)
    return _Plane(middle, tuple(polygons.values()))


def _key(polygon: FloatArray) -> bytes:
    """The same for a polygon that begins elsewhere, runs the other way or repeats a point."""
    points = np.round(polygon, 3) + 0.0  # no minus zero
    points = points[(points != np.roll(points, 1, axis=0)).any(axis=1)]
    if not len(points):
        return b""
    first = int(np.lexsort((points[:, 1], points[:, 0]))[0])
    onward = np.roll(points, -first, axis=0)
    back = np.roll(onward[::-1], 1, axis=0)
    return bytes(min(onward.tobytes(), back.tobytes()))


def _on_edges(planes: Sequence[_Plane]) -> bool:
    """Whether every corner is one of a voxel: then a slice without a contour is an empty one."""
    corners = np.concatenate([points for plane in planes for points in plane.polygons])
    between = np.abs(corners - np.floor(corners) - 0.5).max()
    off = max(abs(plane.height - round(plane.height)) for plane in planes)
    return bool(between < 0.01 and off < 0.02)


def _fill_slice(mask: Mask, z: int, polygons: Sequence[FloatArray]) -> int:
    """Fill slice ``z`` of ``mask``, which may lie beyond it; returns how many voxels are beyond."""
    corners = np.concatenate(polygons)
    low = np.floor(corners.min(axis=0)).astype(int)
    high = np.ceil(corners.max(axis=0)).astype(int) + 1
    drawn = inside([points - low for points in polygons], (high[0] - low[0], high[1] - low[1]))
    total = int(drawn.sum())
    if not 0 <= z < mask.shape[0]:
        return total
    start, end = np.maximum(low, 0), np.minimum(high, mask.shape[1:])
    if (start >= end).any():
        return total
    part = drawn[start[0] - low[0] : end[0] - low[0], start[1] - low[1] : end[1] - low[1]]
    mask[z, start[0] : end[0], start[1] : end[1]] = part
    return total - int(part.sum())


def inside(polygons: Iterable[FloatArray], shape: tuple[int, int]) -> Mask:
    """Even–odd filling: pixels (row, column) of ``shape`` whose centres lie inside.

    Each polygon is (n, 2) in index coordinates (row, column), closed by itself. Every edge
    toggles the pixels to its right on each row centre that it crosses.
    """
    toggles = np.zeros((shape[0], shape[1] + 1), np.int64)
    for points in polygons:
        for (r0, c0), (r1, c1) in zip(points, np.roll(points, -1, axis=0), strict=True):
            low, high = min(r0, r1), max(r0, r1)
            rows = np.arange(max(0, int(np.ceil(low))), min(shape[0], int(np.ceil(high))))
            if len(rows):
                columns = c0 + (rows - r0) * (c1 - c0) / (r1 - r0)
                start = np.clip(np.ceil(columns), 0, shape[1]).astype(np.int64)
                np.add.at(toggles, (rows, start), 1)
    return np.asarray(np.cumsum(toggles, axis=1)[:, :-1] % 2 == 1)
