"""A volume onto another grid."""

from __future__ import annotations

from typing import Literal

import numpy as np

from tmtv_engine.volume import Grid, Volume


def resample(volume: Volume, to: Grid, *, order: Literal[0, 1] = 1, outside: float = 0.0) -> Volume:
    """``volume`` at the voxel centres of ``to``: nearest (0) or linear (1), ``outside`` beyond.

    The same grid gives the same numbers.
    """
    from scipy.ndimage import affine_transform

    if volume.grid.matches(to, 1e-6):
        return Volume(volume.array, to, volume.unit)
    step = np.linalg.inv(volume.grid.affine) @ to.affine
    array = affine_transform(
        volume.array, step[:3, :3], step[:3, 3], to.shape, order=order, cval=outside
    )
    return Volume(array, to, volume.unit)
