"""The three planes of a grid as they are shown: which voxel is where, and whose side is which.

Axial: the patient's right on the left, front above. Coronal: right on the left, head above.
Sagittal: front on the left, head above. A grid that is tilted is shown along its own axes, each
taken for that of the body which it lies nearest to.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import permutations
from typing import Any

import numpy as np
import numpy.typing as npt

from tmtv_engine.image.projections import Mip
from tmtv_engine.image.volume import Grid
from tmtv_engine.lesion.lists import Lesions
from tmtv_tui.review.cursor import Index
from tmtv_tui.review.picture import BODY_MM, BODY_SUV

X, Y, Z = 0, 1, 2  # LPS: to the patient's left, back, head
SIDES = {(X, 1): "L", (X, -1): "R", (Y, 1): "P", (Y, -1): "A", (Z, 1): "H", (Z, -1): "F"}
LAID = {  # what each plane cuts, and what grows downwards and to the right
    "axial": ((Z, -1), (Y, 1), (X, 1)),
    "coronal": ((Y, 1), (Z, -1), (X, 1)),
    "sagittal": ((X, 1), (Z, -1), (Y, 1)),
}
NAMES = tuple(LAID)
Box = tuple[int, int, int, int]


@dataclass(frozen=True)
class Plane:
    """Array axes (0 z, 1 y, 2 x) that it cuts (``across``) and shows down and to the right
    (``down``, ``right``); each with +1 or -1, where the array runs the other way.

    ``letters``: left, right, above, below. ``shape`` of the grid, ``spacing_mm`` of its axes.
    """

    name: str
    across: tuple[int, int]
    down: tuple[int, int]
    right: tuple[int, int]
    shape: tuple[int, int, int]
    spacing_mm: tuple[float, float, float]

    @property
    def mm(self) -> tuple[float, float]:
        """A pixel's height and width, mm."""
        return self.spacing_mm[self.down[0]], self.spacing_mm[self.right[0]]

    @property
    def letters(self) -> tuple[str, str, str, str]:
        """The patient's sides at the left, right, above and below."""
        _, down, right = LAID[self.name]
        left, above = (right[0], -right[1]), (down[0], -down[1])
        return SIDES[left], SIDES[right], SIDES[above], SIDES[down]

    @property
    def size(self) -> tuple[int, int]:
        """Pixels down and to the right."""
        return self.shape[self.down[0]], self.shape[self.right[0]]

    def image(self, cut: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """A cut, its two axes in the array's order, as it is shown."""
        turned = cut.T if self.down[0] > self.right[0] else cut
        return turned[:: self.down[1], :: self.right[1]]

    def pixel(self, index: npt.ArrayLike) -> npt.NDArray[np.int64]:
        """(row, col) of voxels (…, 3)."""
        at = np.asarray(index, np.int64)
        parts = [
            at[..., axis] if way > 0 else self.shape[axis] - 1 - at[..., axis]
            for axis, way in (self.down, self.right)
        ]
        return np.stack(parts, axis=-1)

    def voxel(self, row: int, col: int, at: int) -> Index:
        """The voxel at a pixel of slice ``at``, which counts along the array."""
        found = {self.across[0]: at}
        for (axis, way), n in ((self.down, row), (self.right, col)):
            found[axis] = n if way > 0 else self.shape[axis] - 1 - n
        return found[0], found[1], found[2]

    def box(self, low: Index, high: Index) -> Box:
        """(top, bottom, left, right) of the voxels from ``low`` to ``high``."""
        corners = self.pixel([low, high])
        (top, left), (bottom, right) = corners.min(axis=0), corners.max(axis=0)
        return int(top), int(bottom) + 1, int(left), int(right) + 1


def planes_of(grid: Grid) -> dict[str, Plane]:
    """The three planes by name."""
    steps = grid.affine[:3, :3] / np.linalg.norm(grid.affine[:3, :3], axis=0)
    axes = max(permutations(range(3)), key=lambda p: sum(abs(steps[k, p[k]]) for k in range(3)))

    def of_array(axis: int, way: int) -> tuple[int, int]:
        return axes[axis], way if steps[axis, axes[axis]] > 0 else -way

    found = {}
    for name, sides in LAID.items():
        across, down, right = (of_array(*side) for side in sides)
        found[name] = Plane(name, across, down, right, grid.shape, grid.spacing_mm)
    return found


def body_of(mip: Mip, lesions: Lesions) -> tuple[Index, Index]:
    """The lowest and highest voxel (z, y, x) of the body, arms and all, and of the lesions."""
    grid, half = lesions.grid, mip.pixel_mm / 2
    spans = []
    for turn, middle in zip((0, len(mip.angles_deg) // 4), mip.centre_mm, strict=True):
        seen = mip.images[turn] > BODY_SUV / mip.suv_per_step
        rows, cols = (
            np.flatnonzero(seen.sum(axis=axis) * mip.pixel_mm >= BODY_MM) for axis in (1, 0)
        )
        if not len(rows) or not len(cols):
            return (0, 0, 0), tuple(n - 1 for n in grid.shape)  # type: ignore[return-value]
        u = middle + mip.u0_mm + cols[[0, -1]] * mip.pixel_mm + [-half, half]
        spans.append((u, mip.v0_mm - rows[[-1, 0]] * mip.pixel_mm + [-half, half]))
    z = min(v[0] for _, v in spans), max(v[1] for _, v in spans)
    corners = np.array(np.meshgrid(spans[0][0], spans[1][0], z)).reshape(3, -1).T
    own = lesions.index() if len(lesions) else np.zeros((0, 3))
    index = np.concatenate([np.rint(grid.to_index(corners)), own])
    index = np.clip(index, 0, np.array(grid.shape) - 1).astype(int)
    (z0, y0, x0), (z1, y1, x1) = index.min(axis=0).tolist(), index.max(axis=0).tolist()
    return (z0, y0, x0), (z1, y1, x1)
