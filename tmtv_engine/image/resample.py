"""A volume onto another grid; the grid that a model works on, and its windows."""

from __future__ import annotations

import itertools
from typing import Literal

import numpy as np
import numpy.typing as npt

from tmtv_engine.image.volume import Array, FloatArray, Grid, Unit, Volume

Shape = tuple[int, int, int]
Box = tuple[slice, slice, slice]

BODY_SUV = 0.2
SCATTER_ML = 5.0
BIN_MM = 8.0


def resample(volume: Volume, to: Grid, *, order: Literal[0, 1] = 1, outside: float = 0.0) -> Volume:
    """``volume`` at the voxel centres of ``to``: nearest (0) or linear (1), ``outside`` beyond.

    The same grid gives the same numbers.
    """
    from scipy.ndimage import affine_transform

    if volume.grid.matches(to, 1e-6):
        return Volume(volume.array, to, volume.unit)
    step = np.linalg.inv(volume.grid.affine) @ to.affine
    matrix, offset = step[:3, :3], step[:3, 3]
    along = np.diag(matrix)
    if np.abs(matrix - np.diag(along)).max() < 1e-9 and (along > 0).all():
        if order == 1 and volume.array.dtype.kind == "f":
            return Volume(
                _straight(volume.array, along, offset, to.shape, outside), to, volume.unit
            )
        matrix = along  # parallel axes: the same numbers in a third of the time
    array = affine_transform(
        volume.array, matrix, offset, to.shape, order=order, cval=outside, mode="grid-constant"
    )
    return Volume(array, to, volume.unit)


def _straight(
    array: Array, along: FloatArray, offset: FloatArray, shape: Shape, outside: float
) -> Array:
    """Linear interpolation where the axes are parallel: one axis after the other, plane by plane.

    SciPy takes eight neighbours for each voxel; this is its answer, computed in float64 as there,
    in an eighth of the time.
    """
    out = np.empty(shape, array.dtype)
    (z, z_share), (y, y_share), (x, x_share) = (
        _neighbours(*side) for side in zip(array.shape, along, offset, shape, strict=True)
    )
    plane = np.full((array.shape[1] + 2, array.shape[2] + 2), float(outside))
    none = np.full(array.shape[1:], float(outside))
    for k in range(shape[0]):
        below, above = (
            array[i - 1] if 1 <= i <= len(array) else none for i in (int(z[k]), int(z[k]) + 1)
        )
        plane[1:-1, 1:-1] = below * (1 - z_share[k]) + above * z_share[k]
        rows = plane[y] * (1 - y_share)[:, None] + plane[y + 1] * y_share[:, None]
        out[k] = rows[:, x] * (1 - x_share) + rows[:, x + 1] * x_share
    return out


def _neighbours(
    size: int, step: float, first: float, count: int
) -> tuple[npt.NDArray[np.intp], FloatArray]:
    """For each of ``count`` places along an axis of ``size`` voxels and one of air at either end:
    the voxel below, and the share (0 … 1) that the next one has."""
    place = np.clip(step * np.arange(count) + first, -1.0, size)
    below = np.minimum(np.floor(place), size - 1)
    return below.astype(np.intp) + 1, place - below


def beyond_ml(labels: Volume, grid: Grid) -> float:
    """Volume, mL, of the labelled voxels whose centres lie in no voxel of ``grid``."""
    index = grid.to_index(labels.grid.to_mm(np.argwhere(labels.array)))
    within = (index >= -0.5 - 1e-6) & (index < np.array(grid.shape) - 0.5 + 1e-6)
    return float((~within.all(axis=1)).sum()) * labels.grid.voxel_ml


def model_grid(suv: Volume, spacing_mm: float, shape: Shape, multiple: int = 16) -> Grid:
    """The axial grid that a model sees ``suv`` on, at least ``shape`` (z, y, x) voxels.

    Its top is the image's head end; x and y are centred on the body, not on the field of view.
    Where image or body do not fit it grows, in steps of ``multiple`` voxels.
    """
    low, high = _bounds(suv.grid)
    body = [_extent(suv, axis) for axis in (0, 1)]
    reach = [high[2] - low[2], body[1][1] - body[1][0], body[0][1] - body[0][0]]
    size = [
        n if r <= n * spacing_mm else int(np.ceil(r / spacing_mm / multiple)) * multiple
        for n, r in zip(shape, reach, strict=True)
    ]
    middle = [sum(ends) / 2 for ends in body]
    origin = (
        middle[0] - (size[2] - 1) / 2 * spacing_mm,
        middle[1] - (size[1] - 1) / 2 * spacing_mm,
        high[2] - (size[0] - 0.5) * spacing_mm,
    )
    return Grid.axial((size[0], size[1], size[2]), (spacing_mm,) * 3, origin, suv.grid.frame_uid)


def windows(shape: Shape, window: Shape, overlap: float = 0.25) -> list[Box]:
    """Boxes of ``window`` voxels that cover ``shape``, neighbours sharing at least ``overlap``.

    A window wider than the image is cut to it.
    """
    sides = []
    for size, wide in zip(shape, window, strict=True):
        wide = min(size, wide)
        count = 1 + int(np.ceil((size - wide) / max(1, wide * (1 - overlap))))
        starts = np.round(np.linspace(size - wide, 0, count)).astype(int)
        sides.append([slice(int(a), int(a) + wide) for a in starts])
    return [(z, y, x) for z, y, x in itertools.product(*sides)]


def ramp(shape: Shape) -> npt.NDArray[np.float32]:
    """Weights (z, y, x) with which a window counts: most in its middle, never nothing."""
    sides = [np.minimum(np.arange(1, n + 1), np.arange(n, 0, -1)) / n for n in shape]
    weights = sides[0][:, None, None] * sides[1][:, None] * sides[2]
    return np.asarray(weights, dtype=np.float32)


def _bounds(grid: Grid) -> tuple[FloatArray, FloatArray]:
    """The lowest and highest corner of the voxels' outer edges, LPS mm (x, y, z)."""
    corners = np.array(np.meshgrid(*[(-0.5, n - 0.5) for n in grid.shape])).reshape(3, -1).T
    points = grid.to_mm(corners)
    return points.min(axis=0), points.max(axis=0)


def _extent(suv: Volume, axis: int) -> tuple[float, float]:
    """Where the body begins and ends along LPS ``axis`` (0: x, 1: y), mm.

    The body is what exceeds SUV 0.2, in bins of 8 mm that hold more than scattered noise; an
    image without any is taken whole.
    """
    low, high = _bounds(suv.grid)
    thin: Box = tuple(slice(None, None, max(1, round(4.0 / s))) for s in suv.grid.spacing_mm)  # type: ignore[assignment]
    inside = suv.require(Unit.SUV)[thin] > BODY_SUV
    voxel_ml = suv.grid.voxel_ml * np.prod([s.step for s in thin])
    bins = np.arange(low[axis], high[axis] + BIN_MM, BIN_MM)
    row = suv.grid.affine[axis, :3] * [s.step for s in thin]
    if np.count_nonzero(row) == 1:  # one array axis runs along it: count its planes
        others = tuple(k for k in range(3) if row[k] == 0)
        planes = inside.sum(axis=others)
        places = np.arange(len(planes)) * row.sum()
    else:
        planes, places = None, np.argwhere(inside) @ row
    counts, _ = np.histogram(places + suv.grid.affine[axis, 3], bins, weights=planes)
    filled = np.flatnonzero(counts * voxel_ml > SCATTER_ML)
    if not len(filled):
        return float(low[axis]), float(high[axis])
    return float(bins[filled[0]]), float(min(bins[filled[-1] + 1], high[axis]))
