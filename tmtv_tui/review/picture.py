"""Projections to dots of terminal cells: 24 greys or fewer, two to eight dots a cell. No Textual.

A mode's ``cell`` is how many dots a terminal's cell shows, (down, across); a cell is twice as high
as wide.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from tmtv_engine.image.projections import Mip, project_points
from tmtv_engine.image.volume import Grid

GREYS = 24
CELLS = {
    "half": (2, 1),
    "quad": (2, 2),
    "sextant": (3, 2),
    "octant": (4, 2),
    "braille": (4, 2),
    "ascii": (1, 1),
    "kitty": (2, 1),
    "sixel": (2, 1),
}
"""Dots a cell by mode; below pictures in pixels lie half blocks."""
BODY_SUV = 0.5
BODY_MM = 30.0
DITHERED = 16  # fewer greys than this are dithered
BAYER = np.array([[0, 8, 2, 10], [12, 4, 14, 6], [3, 11, 1, 9], [15, 7, 13, 5]]) / 16 + 1 / 32
Pixels = npt.NDArray[np.int64]
Image = npt.NDArray[np.uint8]


@dataclass(frozen=True, eq=False)
class Placed:
    """A ``box`` (top, bottom, left, right) of an image as ``grey`` (down · rows, across · cols),
    0 … 23; a dot of it holds the maximum of the pixels that fall into it.
    """

    grey: Image
    box: tuple[int, int, int, int]
    mode: str = "half"

    @property
    def cell(self) -> tuple[int, int]:
        """Dots a cell, down and across."""
        return CELLS[self.mode]

    @property
    def cells(self) -> tuple[int, int]:
        """Lines and columns that it takes in the terminal."""
        high, wide = self.grey.shape
        return high // self.cell[0], wide // self.cell[1]

    def pixel(self, line: float, column: float) -> tuple[float, float]:
        """The image's (row, col) at a place counted in terminal cells."""
        top, bottom, left, right = self.box
        lines, columns = self.cells
        return (
            top + line / max(1, lines) * (bottom - top),
            left + column / max(1, columns) * (right - left),
        )

    def inside(self, pixels: tuple[Pixels, Pixels]) -> set[tuple[int, int]]:
        """Dots (y, x) that image pixels (rows, cols) fall into; none outside the box."""
        mask = self.mask(pixels).view(np.uint8)
        small = pool(pool(mask, int(self.grey.shape[0]), 0), self.wide, 1)
        return {(int(y), int(x)) for y, x in np.argwhere(small)}

    def mask(self, pixels: tuple[Pixels, Pixels]) -> npt.NDArray[np.bool_]:
        """The box's pixels (rows, cols), true where ``pixels`` are."""
        top, bottom, left, right = self.box
        row, col = pixels
        there = (row >= top) & (row < bottom) & (col >= left) & (col < right)
        found = np.zeros((bottom - top, right - left), bool)
        found[row[there] - top, col[there] - left] = True
        return found

    def spot(self, row: int, col: int) -> tuple[int, int] | None:
        """The dot of one pixel, None outside the box."""
        top, bottom, left, right = self.box
        if not (top <= row < bottom and left <= col < right):
            return None
        high, wide = self.grey.shape
        return _first(row - top, bottom - top, high), _first(col - left, right - left, wide)

    @property
    def wide(self) -> int:
        """Dots across."""
        return int(self.grey.shape[1])


def field_box(mip: Mip) -> tuple[int, int, int, int]:
    """(top, bottom, left, right) of the whole field."""
    return 0, mip.images.shape[1], 0, mip.images.shape[2]


def place(
    suv: npt.NDArray[np.floating],
    box: tuple[int, int, int, int],
    cols: int,
    rows: int,
    white_suv: float,
    mode: str = "half",
    greys: int = GREYS,
    *,
    mm: tuple[float, float] = (1.0, 1.0),
    mean: bool = False,
) -> Placed:
    """Fit the ``box`` of an image in SUV into ``cols`` × ``rows`` cells, dark where hot.

    ``mm``: a pixel's height and width; a cell is twice as high as wide. Shrinking takes the
    maximum (averaging loses half of a small lesion's contrast) unless ``mean``, enlarging
    repeats. Fewer than 16 ``greys`` are dithered (Bayer, 4 × 4), lest brain and muscle look alike.
    """
    top, bottom, left, right = box
    part = suv[top:bottom, left:right]
    down, across = CELLS[mode]
    tall_mm, wide_mm = part.shape[0] * mm[0], part.shape[1] * mm[1]
    scale = max(tall_mm / max(2 * rows, 1), wide_mm / max(cols, 1), 1e-6)
    lines = max(1, min(rows, round(tall_mm / scale / 2)))
    wide = max(1, min(cols, round(wide_mm / scale)))
    small = pool(pool(part, lines * down, 0, mean), wide * across, 1, mean)
    light = 1 - np.clip(small / white_suv, 0, 1)
    return Placed(_levels(light, greys), box, mode)


def _levels(light: npt.NDArray[np.floating], greys: int) -> Image:
    """0 … 1 to 0 … 23, of which only ``greys`` are used."""
    if greys >= DITHERED:
        return np.asarray(GREYS - 1 - np.rint((1 - light) * (GREYS - 1)), np.uint8)
    high, wide = light.shape
    noise = np.tile(BAYER, (high // 4 + 1, wide // 4 + 1))[:high, :wide]
    step = np.minimum(np.floor(light * (greys - 1) + noise), greys - 1)
    return np.asarray(np.rint(step * ((GREYS - 1) / (greys - 1))), np.uint8)


def _first(at: int, size: int, count: int) -> int:
    """The first of ``count`` dots that ``pool`` fills from position ``at`` of ``size``."""
    found = min(count - 1, int(at * count / size))
    while found + 1 < count and int((found + 1) * (size / count)) <= at and count < size:
        found += 1
    while found > 0 and int(found * (size / count)) > at:
        found -= 1
    while found + 1 < count and int(found * (size / count)) < at and count >= size:
        found += 1
    return found


def pool(image: npt.NDArray[Any], count: int, axis: int, mean: bool = False) -> npt.NDArray[Any]:
    """``count`` dots along an axis: the maximum (mean) of what falls into each, or repeated."""
    edges = (np.arange(count) * (image.shape[axis] / count)).astype(np.int64)
    if count >= image.shape[axis]:
        return np.asarray(np.take(image, edges, axis=axis))
    if not mean:
        return np.asarray(np.maximum.reduceat(image, edges, axis=axis))
    sizes = np.diff(edges, append=image.shape[axis]).reshape((-1, 1) if axis == 0 else (1, -1))
    return np.asarray(np.add.reduceat(image, edges, axis=axis) / sizes)


def ray(grid: Grid, mip: Mip, angle: int, row: int, col: int) -> Pixels:
    """The voxels (n, 3) that projection ``angle`` shows at a pixel."""
    step = min(grid.spacing_mm) / 2
    reach = mip.images.shape[2] * mip.pixel_mm / 2
    near = np.arange(-mip.pixel_mm, mip.pixel_mm + step, step)
    u, v, t = np.meshgrid(
        mip.u0_mm + col * mip.pixel_mm + near,
        mip.v0_mm - row * mip.pixel_mm + near,
        np.arange(-reach, reach + step, step),
        indexing="ij",
    )
    turn = np.deg2rad(float(mip.angles_deg[angle]))
    x = mip.centre_mm[0] + u * np.cos(turn) - t * np.sin(turn)
    y = mip.centre_mm[1] + u * np.sin(turn) + t * np.cos(turn)
    index = np.rint(grid.to_index(np.stack([x, y, v], axis=-1).reshape(-1, 3))).astype(np.int64)
    index = np.unique(index[((index >= 0) & (index < grid.shape)).all(axis=1)], axis=0)
    rows, cols = project_points(grid.affine, index, angle, mip)
    return np.asarray(index[(rows == row) & (cols == col)])


def outline(placed: Placed, pixels: tuple[Pixels, Pixels]) -> set[tuple[int, int]]:
    """Dots just outside a footprint (inside, they would hide a small lesion)."""
    return around(placed, placed.inside(pixels))


def around(placed: Placed, inside: set[tuple[int, int]]) -> set[tuple[int, int]]:
    """The dots beside some, as far as the picture goes."""
    high, wide = placed.grey.shape
    steps = ((-1, 0), (1, 0), (0, -1), (0, 1), (-1, -1), (-1, 1), (1, -1), (1, 1))
    beside = {(y + dy, x + dx) for y, x in inside for dy, dx in steps} - inside
    return {(y, x) for y, x in beside if 0 <= y < high and 0 <= x < wide}


def sides(angle_deg: float) -> tuple[str, str]:
    """What of the patient is at the left and at the right of a projection: R L A P."""
    x, y = np.cos(np.deg2rad(angle_deg)), np.sin(np.deg2rad(angle_deg))
    steep = 0.38  # within 22.5° of an axis one letter is enough
    right = ("L" if x > steep else "R" if x < -steep else "") + (
        "P" if y > steep else "A" if y < -steep else ""
    )
    return right.translate(str.maketrans("LRPA", "RLAP")), right
