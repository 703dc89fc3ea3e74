"""Where the body is: its mask on voxels of a model, and the grid that lays it the same way."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import torch.nn.functional as F
from torch import Tensor

from tmtv_engine.image.resample import BODY_SUV, SCATTER_ML, resample
from tmtv_engine.image.volume import Grid, Unit, Volume

MASK_SUV = 0.1
MARGIN = 3  # voxels of air kept round the body on every side: the mask reaches two
PLANE_MM = 8.0


def body_mask(suv: Tensor) -> Tensor:
    """1 where the mean of 3×3×3 voxels exceeds SUV 0.1, and one voxel round it: (B, 1, z, y, x).

    Only what lies near a voxel decides about it, so that no margin and no cut changes the rest.
    """
    inside = F.avg_pool3d(suv, 3, 1, 1) > MASK_SUV
    for axis in (2, 3, 4):  # a maximum of 3×3×3, an axis at a time: three times as fast
        last, wide = inside.shape[axis] - 1, inside.clone()
        wide.narrow(axis, 1, last).logical_or_(inside.narrow(axis, 0, last))
        wide.narrow(axis, 0, last).logical_or_(inside.narrow(axis, 1, last))
        inside = wide
    return inside.to(suv.dtype)


def body_grid(suv: Volume, spacing_mm: float, multiple: int) -> Grid:
    """The axial grid round the body: head end and back at its ends, the middle amid its columns.

    Every extent is a multiple of ``multiple`` voxels. The body is told by its uptake alone, so
    that the grid is the same for any margin, matrix and place of the same body; and a body that
    is longer, deeper or wider has head, back and midline in the same phase of the strides.
    """
    (left, right), (_, back), (_, head) = ends = [_extent_mm(suv, axis) for axis in range(3)]
    room = 2 * MARGIN * spacing_mm
    voxels = [(high - low + room) / spacing_mm for low, high in ends]
    nx, ny, nz = (
        _rounded(n, m) for n, m in zip(voxels, (2 * multiple, multiple, multiple), strict=True)
    )
    origin = (
        (left + right) / 2 - (nx - 1) / 2 * spacing_mm,
        back + (MARGIN - ny + 0.5) * spacing_mm,
        head + (MARGIN - nz + 0.5) * spacing_mm,
    )
    return Grid.axial((nz, ny, nx), (spacing_mm,) * 3, origin, suv.grid.frame_uid)


def laid(volume: Volume, grid: Grid, outside: float = 0.0) -> npt.NDArray[np.float32]:
    """``volume`` on ``grid``, each voxel the mean of eight places in it (z, y, x) float32.

    A voxel of 8 mm holds several of the PET's: one place in it would be noise, and would move
    with the phase of the two grids.
    """
    fine = _halved(grid)
    array = np.asarray(resample(volume, fine, outside=outside).array, np.float32)
    nz, ny, nx = grid.shape
    mean = array.reshape(nz, 2, ny, 2, nx, 2).mean(axis=(1, 3, 5))
    return np.asarray(mean, np.float32)


def _halved(grid: Grid) -> Grid:
    spacing = tuple(s / 2 for s in grid.spacing_mm)
    shape = tuple(2 * n for n in grid.shape)
    origin = tuple(grid.affine[:3, 3] - np.array(spacing[::-1]) / 2)
    return Grid.axial(shape, spacing, origin, grid.frame_uid)  # type: ignore[arg-type]


def _rounded(voxels: float, multiple: int) -> int:
    return int(np.ceil(voxels / multiple - 1e-6)) * multiple


def _extent_mm(suv: Volume, axis: int) -> tuple[float, float]:
    """Where the body begins and ends along LPS ``axis``, mm; an image without one is all body.

    It begins with the first plane of voxels that holds more than scattered noise: 5 mL in 8 mm.
    """
    inside = suv.require(Unit.SUV) > BODY_SUV
    row = suv.grid.affine[axis, :3]
    main = int(np.abs(row).argmax())
    if np.abs(np.delete(row, main)).max() > 1e-3 * abs(row[main]):
        return _oblique_mm(suv, inside, axis)
    planes = inside.sum(axis=tuple(k for k in range(3) if k != main))
    limit = SCATTER_ML * abs(row[main]) / PLANE_MM / suv.grid.voxel_ml
    filled = np.flatnonzero(planes > limit)
    first, last = (0, len(planes) - 1) if not len(filled) else (filled[0], filled[-1])
    ends = suv.grid.affine[axis, 3] + row[main] * np.array([first - 0.5, last + 0.5])
    return float(ends.min()), float(ends.max())


def _oblique_mm(suv: Volume, inside: npt.NDArray[np.bool_], axis: int) -> tuple[float, float]:
    """The same of a grid that lies aslant: all but one in a thousand of the body's voxels."""
    voxels = np.argwhere(inside if inside.any() else np.ones_like(inside))
    places = voxels @ suv.grid.affine[axis, :3] + suv.grid.affine[axis, 3]
    low, high = np.quantile(places, (0.001, 0.999))
    return float(low), float(high)
