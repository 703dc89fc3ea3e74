"""Arrays that know where they lie and what they measure.

Arrays are indexed (z, y, x); positions are LPS millimetres (x, y, z). The affine of a
`Grid` takes a column (z, y, x, 1) of an index to a column (x, y, z, 1) of a position, so
that its first three columns are the steps along the array's own axes.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import Enum
from typing import Any

import numpy as np
import numpy.typing as npt

from tmtv_engine.errors import GeometryError

Array = npt.NDArray[Any]
FloatArray = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]


class Unit(Enum):
    """What the numbers of a `Volume` measure."""

    SUV = "SUVbw g/mL"
    HU = "HU"
    BQML = "Bq/mL"
    PROBABILITY = "probability"
    LABEL = "label"


@dataclass(frozen=True, eq=False)
class Grid:
    """A regular grid of voxels: ``shape`` (z, y, x), ``affine`` 4×4 index → LPS mm."""

    shape: tuple[int, int, int]
    affine: FloatArray
    frame_uid: str = ""

    def __post_init__(self) -> None:
        affine = np.array(self.affine, dtype=np.float64)
        if affine.shape != (4, 4) or abs(np.linalg.det(affine[:3, :3])) < 1e-9:
            raise GeometryError("the grid's affine is not an invertible 4×4 matrix")
        affine.flags.writeable = False
        object.__setattr__(self, "affine", affine)
        object.__setattr__(self, "shape", tuple(int(n) for n in self.shape))

    @classmethod
    def axial(
        cls,
        shape: tuple[int, int, int],
        spacing_mm: tuple[float, float, float],
        origin_mm: tuple[float, float, float] = (0.0, 0.0, 0.0),
        frame_uid: str = "",
    ) -> Grid:
        """A grid along the LPS axes: ``spacing_mm`` (z, y, x), ``origin_mm`` (x, y, z)."""
        affine = np.zeros((4, 4))
        for axis, step in enumerate(spacing_mm):
            affine[2 - axis, axis] = step
        affine[:3, 3] = origin_mm
        affine[3, 3] = 1.0
        return cls(shape, affine, frame_uid)

    @property
    def spacing_mm(self) -> tuple[float, float, float]:
        """Distance between neighbours along (z, y, x), mm."""
        z, y, x = np.linalg.norm(self.affine[:3, :3], axis=0)
        return float(z), float(y), float(x)

    @property
    def voxel_ml(self) -> float:
        """Volume of one voxel, mL."""
        return float(abs(np.linalg.det(self.affine[:3, :3]))) / 1000.0

    def to_mm(self, index: npt.ArrayLike) -> FloatArray:
        """Positions (…, 3) in LPS mm (x, y, z) of indices (…, 3) in (z, y, x)."""
        points = np.asarray(index, dtype=np.float64)
        return np.asarray(points @ self.affine[:3, :3].T + self.affine[:3, 3])

    def to_index(self, position_mm: npt.ArrayLike) -> FloatArray:
        """Fractional indices (…, 3) in (z, y, x) of LPS positions (…, 3) in (x, y, z) mm."""
        points = np.asarray(position_mm, dtype=np.float64) - self.affine[:3, 3]
        return np.asarray(points @ np.linalg.inv(self.affine[:3, :3]).T)

    def matches(self, other: Grid, tolerance_mm: float = 0.01) -> bool:
        """Whether every voxel of ``other`` lies within ``tolerance_mm`` of this grid's."""
        if self.shape != other.shape:
            return False
        corners = np.array(np.meshgrid(*[(0, n - 1) for n in self.shape])).reshape(3, -1).T
        apart = np.linalg.norm(self.to_mm(corners) - other.to_mm(corners), axis=1)
        return bool(apart.max() <= tolerance_mm)


@dataclass(frozen=True, eq=False)
class Volume:
    """An array (z, y, x) on a `Grid`, in a `Unit`; the array is a read-only view."""

    array: Array
    grid: Grid
    unit: Unit

    def __post_init__(self) -> None:
        if self.array.shape != self.grid.shape:
            raise GeometryError(f"an array of {self.array.shape} on a grid of {self.grid.shape}")
        view = self.array.view()
        view.flags.writeable = False
        object.__setattr__(self, "array", view)

    def with_array(self, array: Array, unit: Unit | None = None) -> Volume:
        """The same place with other numbers."""
        return replace(self, array=array, unit=unit or self.unit)

    def require(self, unit: Unit) -> Array:
        """The array, if it is in ``unit``; raises `GeometryError` otherwise."""
        if self.unit is not unit:
            raise GeometryError(f"expected {unit.value}, got {self.unit.value}")
        return self.array
