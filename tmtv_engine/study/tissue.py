"""The SUV of an organ: inside its border, without what a lesion holds."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from tmtv_engine.image.resample import resample
from tmtv_engine.image.volume import FloatArray, Grid, Mask, Unit, Volume

DEEP_MM = {"liver": 10.0, "blood pool": 5.0}
"""How far inside an organ's border its SUV is taken: what is nearer is spilled over."""


def deep_suv(
    suv: Volume, organ: Volume, without: npt.NDArray[np.int64], deep_mm: float
) -> FloatArray:
    """The SUVs of the PET's voxels that lie further than ``deep_mm`` inside ``organ``, (n,).

    ``organ`` is a label map (0: not it) on a grid of its own; ``without`` are flat voxels of the
    PET that do not count. Beyond the image is not inside the organ.
    """
    from scipy.ndimage import distance_transform_edt

    box = _box(organ, suv.grid)
    if box is None:
        return np.zeros(0)
    part = Grid(_shape(box), _begun_at(suv.grid, box), suv.grid.frame_uid)
    there = np.pad(resample(organ, part, order=0).array != 0, 1)
    far = distance_transform_edt(there, sampling=suv.grid.spacing_mm)[1:-1, 1:-1, 1:-1]
    kept: Mask = far > deep_mm
    z, y, x = np.unravel_index(without, suv.grid.shape)
    index = [a - s.start for a, s in zip((z, y, x), box, strict=True)]
    own = np.all([(a >= 0) & (a < n) for a, n in zip(index, kept.shape, strict=True)], axis=0)
    kept[tuple(a[own] for a in index)] = False
    return np.asarray(suv.require(Unit.SUV)[box][kept], np.float64)


def _box(organ: Volume, grid: Grid) -> tuple[slice, slice, slice] | None:
    """The voxels of ``grid`` that the organ may lie in, None of none."""
    places = np.argwhere(organ.array)
    if not len(places):
        return None
    ends = np.array([places.min(axis=0) - 1, places.max(axis=0) + 1])
    corners = np.array(np.meshgrid(*ends.T)).reshape(3, -1).T
    index = grid.to_index(organ.grid.to_mm(corners))
    low = np.maximum(np.floor(index.min(axis=0)).astype(int), 0)
    high = np.minimum(np.ceil(index.max(axis=0)).astype(int) + 1, grid.shape)
    if (high <= low).any():
        return None
    z, y, x = (slice(int(a), int(b)) for a, b in zip(low, high, strict=True))
    return z, y, x


def _shape(box: tuple[slice, slice, slice]) -> tuple[int, int, int]:
    z, y, x = (s.stop - s.start for s in box)
    return z, y, x


def _begun_at(grid: Grid, box: tuple[slice, slice, slice]) -> FloatArray:
    affine = grid.affine.copy()
    affine[:3, 3] = grid.to_mm([s.start for s in box])
    return affine
