"""Maximum intensity projections around the body's long axis, and slices through the lesions.

A projection at angle θ maps a position (x, y, z) in LPS mm to u = (x - cx)·cosθ + (y - cy)·sinθ
and v = z: 0° looks at the front (coronal), 90° at the side (sagittal). Row 0 is the head end.
Quantised to 8 bits: SUV = value · ``suv_per_step``. numpy only.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from tmtv_engine.image.volume import FloatArray, Grid, Unit, Volume

SUV_TOP = 25.0
ANGLES = 24
FINEST_MM = 4.0
AIR_SUV = 0.1
HALF = 0.5 - 1e-6


@dataclass(frozen=True, eq=False)
class Mip:
    """``images`` (A, rows, cols) uint8 at ``angles_deg`` (A,), square pixels of ``pixel_mm``.

    The middle of pixel (0, 0) is at (u0_mm, v0_mm); u is taken about ``centre_mm`` (x, y).
    """

    images: npt.NDArray[np.uint8]
    angles_deg: FloatArray
    pixel_mm: float
    u0_mm: float
    v0_mm: float
    centre_mm: FloatArray
    suv_per_step: float = SUV_TOP / 255

    @classmethod
    def of(cls, a: dict[str, Any]) -> Mip:
        """From the arrays of ``mip.npz``."""
        return cls(
            images=a["images"],
            angles_deg=a["angles_deg"],
            pixel_mm=float(a["pixel_mm"]),
            u0_mm=float(a["u0_mm"]),
            v0_mm=float(a["v0_mm"]),
            centre_mm=a["centre_mm"],
            suv_per_step=float(a["suv_per_step"]),
        )

    def arrays(self) -> dict[str, Any]:
        """What ``mip.npz`` stores."""
        return {k: np.asarray(getattr(self, k)) for k in self.__dataclass_fields__}

    def suv(self, angle: int) -> npt.NDArray[np.float32]:
        """One projection in SUV, (rows, cols)."""
        values = self.images[angle].astype(np.float32) * np.float32(self.suv_per_step)
        return np.asarray(values, np.float32)


def project(suv: Volume, angles: int = ANGLES) -> Mip:
    """Project ``suv`` at ``angles`` angles over the full turn.

    Slab by slab (so that memory stays small) every voxel goes to its nearest pixel, the pixel
    not smaller than the voxel or 4 mm: no maximum is lost and no interpolation invents one.
    The gaps that a turned raster leaves are closed from both neighbours.
    """
    array = suv.require(Unit.SUV)
    pixel = max(*suv.grid.spacing_mm, FINEST_MM)
    centre = _centre(suv.grid)
    corners = suv.grid.to_mm(
        np.array(np.meshgrid(*[(0, n - 1) for n in array.shape])).reshape(3, -1).T
    )
    high, low = corners[:, 2].max(), corners[:, 2].min()
    half = int(np.ceil(np.hypot(*(corners[:, :2] - centre).T).max() / pixel))
    rows = round((high - low) / pixel) + 1
    turns: FloatArray = np.arange(angles, dtype=np.float64) * (360.0 / angles)
    images = np.zeros((angles, rows, 2 * half + 1), np.uint8)
    blocks = _blocks(suv.grid.affine, pixel)
    for z in range(0, array.shape[0], 16 * blocks[0]):
        points, values = _block_maxima(array[z : z + 16 * blocks[0]], z, suv.grid, blocks)
        steps = np.clip(np.rint(values * (255 / SUV_TOP)), 0, 255).astype(np.uint8)
        order = np.argsort(steps, kind="stable")  # the last write wins: the highest
        offset, steps = points[order, :2] - centre, steps[order]
        row = _pixel((high - points[order, 2]) / pixel)
        if len(row):
            _scatter(images, turns, row, offset / pixel, steps)
    for image in images:
        _close_gaps(image)
    return Mip(images, turns, pixel, -half * pixel, float(high), centre)


def project_points(
    affine: FloatArray, index: npt.ArrayLike, angle: int, meta: Mip
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Pixels (row, col) in projection ``angle`` of voxel indices (…, 3) (z, y, x)."""
    blocks = np.array(_blocks(affine, meta.pixel_mm))
    middle = np.asarray(index, dtype=np.float64) // blocks * blocks + (blocks - 1) / 2
    points = middle @ affine[:3, :3].T + affine[:3, 3]
    u = (points[..., :2] - meta.centre_mm) @ _direction(float(meta.angles_deg[angle]))
    row = _pixel((meta.v0_mm - points[..., 2]) / meta.pixel_mm)
    col = _pixel((u - meta.u0_mm) / meta.pixel_mm)
    _, rows, cols = meta.images.shape
    return np.clip(row, 0, rows - 1), np.clip(col, 0, cols - 1)


def _pixel(place: FloatArray) -> npt.NDArray[np.int64]:
    """The nearest whole pixel; halves all to one side, lest rounding to even leave stripes."""
    return np.floor(place + HALF).astype(np.int64)


def _direction(degrees: float) -> FloatArray:
    turn = np.deg2rad(degrees)
    return np.array([np.cos(turn), np.sin(turn)])


def _centre(grid: Grid) -> FloatArray:
    middle = (np.array(grid.shape) - 1) / 2
    return np.asarray(grid.to_mm(middle)[:2])


def _blocks(affine: FloatArray, pixel_mm: float) -> list[int]:
    """How many voxels (z, y, x) go into one before they are projected: what fits in a pixel."""
    spacing = np.linalg.norm(affine[:3, :3], axis=0)
    return [max(1, int(pixel_mm / step + 0.01)) for step in spacing]


def _block_maxima(
    slab: npt.NDArray[Any], first: int, grid: Grid, blocks: list[int]
) -> tuple[FloatArray, npt.NDArray[Any]]:
    """Middles (P, 3) and values (P,) of the maxima of blocks of ``blocks`` voxels (z, y, x).

    ``slab`` starts at slice ``first``. Air below SUV 0.1 is left out.
    """
    for axis, n in enumerate(blocks):
        if n > 1:
            slab = np.maximum.reduceat(slab, np.arange(0, slab.shape[axis], n), axis=axis)
    keep = slab > AIR_SUV
    index = np.argwhere(keep) * blocks + (np.array(blocks) - 1) / 2
    index[:, 0] += first
    return grid.to_mm(np.minimum(index, np.array(grid.shape) - 1)), slab[keep]


def _scatter(
    images: npt.NDArray[np.uint8],
    turns: FloatArray,
    row: npt.NDArray[np.int64],
    offset: FloatArray,
    steps: npt.NDArray[np.uint8],
) -> None:
    """Raise ``images`` to ``steps`` (rising) at ``row`` and the turned ``offset`` in pixels."""
    wide = images.shape[2]
    top, end = int(row.min()), int(row.max()) + 1
    line, (x, y) = (row - top) * wide, np.ascontiguousarray(offset.T)
    for image, degrees in zip(images, turns, strict=True):
        right, back = _direction(degrees)
        place = x * right
        place += y * back
        place += wide // 2 + HALF  # never negative: cut off is rounded down
        part = np.zeros((end - top) * wide, np.uint8)
        part[line + place.astype(np.int64)] = steps
        np.maximum(image[top:end], part.reshape(-1, wide), out=image[top:end])


def _close_gaps(image: npt.NDArray[np.uint8]) -> None:
    gap = image[:, 1:-1] == 0
    sides = np.minimum(image[:, :-2], image[:, 2:])
    image[:, 1:-1][gap] = sides[gap]
