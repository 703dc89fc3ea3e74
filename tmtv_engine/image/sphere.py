"""The voxels whose centres lie in a sphere."""

from __future__ import annotations

import numpy as np

from tmtv_engine.errors import InputError
from tmtv_engine.image.volume import FloatArray, Unit, Volume


def sphere_suv(
    suv: Volume, centre_mm: tuple[float, float, float], radius_mm: float, option: str
) -> FloatArray:
    """The SUVs in a sphere at ``centre_mm`` (x, y, z) LPS mm, its surface included, (n,).

    Raises `InputError`, naming the ``option`` that gave it, where it does not lie inside the PET.
    """
    array = suv.require(Unit.SUV)
    corner = np.array(np.meshgrid(*[(-1, 1)] * 3)).reshape(3, -1).T * radius_mm
    box = suv.grid.to_index(np.array(centre_mm) + corner)
    low, high = np.floor(box.min(axis=0)).astype(int), np.ceil(box.max(axis=0)).astype(int)
    if (low < 0).any() or (high >= array.shape).any():
        name = option.removeprefix("--").replace("-", " ")
        raise InputError(
            f"the {name} at {centre_mm} mm does not lie inside the PET",
            f"Give its middle in LPS mm: {option} x,y,z",
        )
    ranges = [np.arange(a, b + 1) for a, b in zip(low, high, strict=True)]
    index = np.stack(np.meshgrid(*ranges, indexing="ij"), axis=-1).reshape(-1, 3)
    apart = np.linalg.norm(suv.grid.to_mm(index) - centre_mm, axis=1)
    return np.asarray(array[tuple(index[apart <= radius_mm].T)], np.float64)
