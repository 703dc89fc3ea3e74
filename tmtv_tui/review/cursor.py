"""The one point that projections, table and slices share: a voxel, and where it lies."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tmtv_engine.image.volume import Grid
from tmtv_engine.lesion.lists import Lesions

Index = tuple[int, int, int]


@dataclass(frozen=True, eq=False)
class Cursor:
    """A voxel ``index`` (z, y, x) of ``grid``, taken to the nearest that there is; ``lesion``:
    the one whose maximum it stands on because that was chosen, None where it was moved.
    """

    grid: Grid
    index: Index
    lesion: int | None = None

    def __post_init__(self) -> None:
        inside = (
            min(max(0, int(i)), n - 1) for i, n in zip(self.index, self.grid.shape, strict=True)
        )
        object.__setattr__(self, "index", tuple(inside))

    @classmethod
    def on_peak(cls, lesions: Lesions, number: int) -> Cursor:
        """The voxel of a lesion's maximum, the first of several; raises `KeyError` for none."""
        row = lesions.row(number)
        best = int(np.argmax(lesions.suv[lesions.span(row)]))
        z, y, x = (int(n) for n in lesions.index(row)[best])
        return cls(lesions.grid, (z, y, x), number)

    @classmethod
    def amid(cls, grid: Grid) -> Cursor:
        """The voxel in the middle of the field, where there is no lesion to begin with."""
        z, y, x = grid.shape
        return cls(grid, (z // 2, y // 2, x // 2))

    @property
    def mm(self) -> tuple[float, float, float]:
        """Where it lies, (x, y, z) in LPS mm."""
        x, y, z = self.grid.to_mm(self.index)
        return float(x), float(y), float(z)

    def step(self, axis: int, by: int) -> Cursor:
        """``by`` voxels along an axis of the array (0 z, 1 y, 2 x), at most to the border."""
        z, y, x = (n + (by if k == axis else 0) for k, n in enumerate(self.index))
        return Cursor(self.grid, (z, y, x))

    def far_mm(self, other: Cursor) -> float:
        """The distance between two voxels' middles, mm."""
        return float(np.linalg.norm(np.subtract(self.mm, other.mm)))
