"""Mask to lesions: connected components, watershed of the large ones, numbers given once."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from tmtv_engine.image.volume import Array, Volume
from tmtv_engine.lesion.lists import Lesions, from_voxels
from tmtv_engine.lesion.split import split

SPLIT_OVER_ML = 30.0
SEED_DISTANCE_MM = 20.0
NOISE = 1e-9  # a share: exactly 30 mL is 30 mL, however many voxels it is the sum of

IntArray = npt.NDArray[np.int64]
Box = tuple[slice, slice, slice]


def components(mask: Array) -> npt.NDArray[np.uint32]:
    """26-connected components of a boolean array, numbered by their first voxel in raster order."""
    import cc3d

    found = cc3d.connected_components(np.ascontiguousarray(mask), out_dtype=np.uint32)
    numbered: npt.NDArray[np.uint32] = np.ascontiguousarray(found)
    flat = numbered.ravel()
    where = np.flatnonzero(mask)
    flat[where] = _in_raster_order(flat[where])
    return numbered


def find_lesions(
    mask: Volume,
    suv: Volume,
    *,
    split_over_ml: float = SPLIT_OVER_ML,
    seed_distance_mm: float = SEED_DISTANCE_MM,
    min_ml: float = 0.0,
) -> Lesions:
    """The lesions of a mask (paper 2.5): components, those over ``split_over_ml`` watershed.

    Every voxel of the mask belongs to exactly one lesion, but for components below ``min_ml``.
    Lesions are numbered by component, then by the raster index of their maximum.
    """
    whole = from_voxels(suv, *component_voxels(np.asarray(mask.array, bool)))
    voxel_ml = suv.grid.voxel_ml
    if min_ml:
        whole = whole.take(np.flatnonzero(whole.counts * voxel_ml >= min_ml * (1 - NOISE)))
    parts: list[IntArray] = []
    of: list[int] = []
    for row in range(len(whole)):
        span = whole.span(row)
        start, count = span.start, span.stop - span.start
        pieces = [np.arange(count)]
        if count * voxel_ml > split_over_ml * (1 + NOISE):
            own, heights = whole.voxels[span], whole.suv[span]
            pieces = split(suv.grid, own, heights, seed_distance_mm, connected=True)
        parts += [start + piece for piece in pieces]
        of += [row + 1] * len(pieces)
    return whole.regrouped(parts, np.arange(1, len(parts) + 1), of)


def split_lesion(lesions: Lesions, row: int, seed_distance_mm: float) -> list[IntArray]:
    """A lesion's voxels as watershed parts, from its voxel list alone (flat indices).

    A lesion in several pieces, as ROIs may be, falls apart into them at any distance.
    """
    span = lesions.span(row)
    voxels = lesions.voxels[span]
    return [voxels[p] for p in split(lesions.grid, voxels, lesions.suv[span], seed_distance_mm)]


def component_voxels(mask: npt.NDArray[np.bool_]) -> tuple[IntArray, npt.NDArray[np.uint32]]:
    """Flat indices of a mask (z, y, x), rising, and the component of each (`components`)."""
    import cc3d

    voxels = np.flatnonzero(mask)
    if not len(voxels):
        return voxels, np.zeros(0, np.uint32)
    part = mask[box_of(mask)].copy()  # cc3d takes no read-only one
    return voxels, _in_raster_order(cc3d.connected_components(part)[part])


def box_of(mask: npt.NDArray[np.bool_], reach: Sequence[int] = (0, 0, 0)) -> Box:
    """The box round a mask (z, y, x) that is nowhere empty, ``reach`` voxels wider on each side
    where the image has them."""
    box = []
    for axis, more in enumerate(reach):
        there = np.flatnonzero(mask.any(axis=tuple(k for k in range(3) if k != axis)))
        box.append(slice(max(0, int(there[0]) - more), int(there[-1]) + 1 + more))
    return box[0], box[1], box[2]


def _in_raster_order(values: Array) -> npt.NDArray[np.uint32]:
    """Labels renumbered 1 … n in the order in which they first appear."""
    found, first = np.unique(values, return_index=True)
    number = np.zeros(int(found.max(initial=0)) + 1, np.uint32)
    number[found[np.argsort(first)]] = np.arange(1, len(found) + 1)
    return number[values]
