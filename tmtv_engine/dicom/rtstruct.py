"""RTSTRUCT contours to masks, by position: a voxel belongs to an ROI if its centre lies inside."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from pydicom.dataset import Dataset

from tmtv_engine.errors import GeometryError, InputError
from tmtv_engine.image.volume import FloatArray, Grid, Mask
from tmtv_engine.text import clean


@dataclass(frozen=True, eq=False)
class DrawnRoi:
    """One ROI of an RTSTRUCT: its number, name and closed contours, each (n, 3) LPS mm."""

    number: int
    name: str
    contours: tuple[FloatArray, ...]


def read_contours(dataset: Dataset, path: Path) -> tuple[list[DrawnRoi], str]:
    """The ROIs of an RTSTRUCT in its own order, and their frame of reference's UID."""
    names = {int(r.ROINumber): r for r in dataset.get("StructureSetROISequence") or []}
    rois = []
    for item in dataset.get("ROIContourSequence") or []:
        number = int(item.ReferencedROINumber)
        name = clean(names[number].get("ROIName", "")) if number in names else ""
        contours = tuple(_closed(item.get("ContourSequence") or [], path))
        if contours:
            rois.append(DrawnRoi(number, name or f"ROI {number}", contours))
    if not rois:
        raise InputError(f"{path}: holds no closed contour", "Give an RTSTRUCT with drawn ROIs.")
    frames = {str(r.get("ReferencedFrameOfReferenceUID", "")) for r in names.values()}
    return rois, frames.pop() if len(frames) == 1 else ""


def _closed(items: Iterable[Any], path: Path) -> Iterable[FloatArray]:
    for item in items:
        if item.get("ContourGeometricType", "CLOSED_PLANAR") != "CLOSED_PLANAR":
            continue
        points = np.array(item.ContourData, dtype=np.float64)
        if len(points) % 3 or not np.isfinite(points).all():
            raise InputError(f"{path}: ContourData is no list of points", "Export it anew.")
        if len(points) >= 9:
            yield points.reshape(-1, 3)


def fill(contours: Iterable[FloatArray], grid: Grid, path: Path) -> Mask:
    """The voxels of ``grid`` whose centres lie inside the contours, (z, y, x).

    Contours of one plane are combined by even and odd, so that inner ones are holes. A slice
    takes the plane nearest to it, up to half the planes' distance, or only its own where the
    contours run along the grid's voxel edges. Raises `GeometryError` for contours that do not
    lie along the slices.
    """
    planes: dict[float, list[FloatArray]] = {}
    for points in contours:
        index = grid.to_index(points)
        if np.ptp(index[:, 0]) > 0.5:
            raise GeometryError(
                f"{path}: contours do not lie along the PET's slices", "Draw them on axial slices."
            )
        planes.setdefault(round(float(index[:, 0].mean()), 2), []).append(index[:, 1:])
    mask = np.zeros(grid.shape, bool)
    heights = np.array(sorted(planes))
    apart = float(np.median(np.diff(heights))) if len(heights) > 1 else 1.0
    reach = 0.5 * (1.0 if _on_edges(planes) else max(1.0, apart))
    for z in range(grid.shape[0]):
        nearest = heights[np.argmin(np.abs(heights - z))]
        if -reach <= nearest - z < reach:
            mask[z] = inside(planes[float(nearest)], grid.shape[1:])
    return mask


def _on_edges(planes: Mapping[float, Sequence[FloatArray]]) -> bool:
    """Whether every corner is one of a voxel: then a slice without a contour is an empty one."""
    corners = np.concatenate([points for several in planes.values() for points in several])
    between = np.abs(corners - np.floor(corners) - 0.5).max()
    off = max(abs(height - round(height)) for height in planes)
    return bool(between < 0.01 and off < 0.02)


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
