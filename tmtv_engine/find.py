"""Mask to lesions: connected components, watershed of the large ones, numbers given once."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from tmtv_engine.lesions import Lesions, from_labels
from tmtv_engine.volume import Array, Grid, Unit, Volume

SPLIT_OVER_ML = 30.0
SEED_DISTANCE_MM = 20.0

IntArray = npt.NDArray[np.int64]


def components(mask: Array) -> npt.NDArray[np.uint32]:
    """26-connected components of a boolean array, numbered by their first voxel in raster order."""
    import cc3d

    found = np.ascontiguousarray(cc3d.connected_components(np.ascontiguousarray(mask)))
    flat = found.reshape(-1)
    where = np.flatnonzero(flat)
    values, first = np.unique(flat[where], return_index=True)
    number = np.zeros(int(values.max(initial=0)) + 1, np.uint32)
    number[values[np.argsort(first)]] = np.arange(1, len(values) + 1)
    numbered: npt.NDArray[np.uint32] = number[found]
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
    whole = from_labels(mask.with_array(components(mask.array != 0), Unit.LABEL), suv)
    voxel_ml = suv.grid.voxel_ml
    whole = whole.take(np.flatnonzero(whole.counts * voxel_ml >= min_ml))
    parts: list[IntArray] = []
    of: list[int] = []
    for row in range(len(whole)):
        own = whole.voxels[whole.span(row)]
        large = len(own) * voxel_ml > split_over_ml
        pieces = split(suv.grid, own, whole.suv[whole.span(row)], seed_distance_mm) if large else []
        for piece in pieces or [own]:
            parts.append(piece)
            of.append(row + 1)
    return _gather(suv, whole, parts, of)


def split_lesion(lesions: Lesions, row: int, seed_distance_mm: float) -> list[IntArray]:
    """A lesion's voxels as watershed parts, from its voxel list alone (flat indices)."""
    span = lesions.span(row)
    return split(lesions.grid, lesions.voxels[span], lesions.suv[span], seed_distance_mm)


def split(
    grid: Grid, voxels: IntArray, suv: npt.NDArray[np.float32], seed_distance_mm: float
) -> list[IntArray]:
    """Watershed of one lesion on −SUV, 26-connected, parts by the raster index of their maximum.

    ``voxels`` (N,) flat indices with their ``suv``. Seeds are the local maxima (a plateau is
    one) by falling SUV, then raster index, at least ``seed_distance_mm`` apart.
    """
    from skimage.segmentation import watershed

    index = np.stack(np.unravel_index(voxels, grid.shape), axis=-1)
    low = index.min(axis=0)
    at = tuple((index - low).T)
    box = np.full(index.max(axis=0) - low + 1, -np.inf, np.float32)
    box[at] = suv
    seeds = _seeds(box, at, suv, voxels, np.array(grid.spacing_mm), seed_distance_mm)
    if len(seeds) == 1:
        return [voxels]
    seeds = np.sort(seeds)
    markers = np.zeros(box.shape, np.int32)
    markers[tuple(axis[seeds] for axis in at)] = np.arange(1, len(seeds) + 1)
    inside = np.isfinite(box)
    flooded = watershed(
        np.where(inside, -box, 0.0), markers, mask=inside, connectivity=np.ones((3, 3, 3))
    )
    part = flooded[at]
    return [voxels[part == k] for k in range(1, len(seeds) + 1)]


def _seeds(
    box: Array,
    at: tuple[IntArray, ...],
    suv: npt.NDArray[np.float32],
    voxels: IntArray,
    spacing_mm: npt.NDArray[np.float64],
    apart_mm: float,
) -> IntArray:
    """Positions in the voxel list of the seeds, the highest first."""
    peaks = np.flatnonzero(_local_maxima(box)[at])
    peaks = peaks[np.lexsort((voxels[peaks], -suv[peaks]))]
    position = np.stack(at, axis=-1)[peaks] * spacing_mm
    free = np.ones(len(peaks), bool)
    chosen = []
    for k in range(len(peaks)):
        if free[k]:
            chosen.append(peaks[k])
            free &= np.linalg.norm(position - position[k], axis=1) >= apart_mm
    return np.array(chosen, dtype=np.int64)


def _local_maxima(box: Array) -> npt.NDArray[np.bool_]:
    """The first voxel of each region of equal value that no neighbour exceeds (−inf: outside)."""
    import cc3d

    _, rank = np.unique(box, return_inverse=True)
    outside = ~np.isfinite(box)
    rank = np.where(outside, 0, rank.reshape(box.shape) + 1).astype(np.uint32)
    plateau = cc3d.connected_components(rank, connectivity=26)
    padded = np.pad(rank, 1)
    highest = np.zeros_like(rank)
    z, y, x = rank.shape
    for dz, dy, dx in np.ndindex(3, 3, 3):
        np.maximum(highest, padded[dz : dz + z, dy : dy + y, dx : dx + x], out=highest)
    lower = np.unique(plateau[highest > rank])
    top = ~np.isin(plateau, lower) & ~outside
    _, first = np.unique(np.where(top, plateau, 0), return_index=True)
    found = np.zeros(rank.size, bool)
    found[first] = True
    return np.asarray(found.reshape(rank.shape) & top)


def _gather(suv: Volume, whole: Lesions, parts: list[IntArray], of: list[int]) -> Lesions:
    """Parts (flat indices, in order) as lesions, the sphere means taken over from the whole."""
    if not parts:
        return whole
    voxels = np.concatenate(parts)
    by_voxel = np.argsort(whole.voxels)
    source = by_voxel[np.searchsorted(whole.voxels[by_voxel], voxels)]
    return Lesions(
        suv.grid,
        np.arange(1, len(parts) + 1),
        np.array(of, dtype=np.int64),
        np.concatenate([[0], np.cumsum([len(part) for part in parts])]).astype(np.int64),
        voxels,
        whole.suv[source],
        whole.peak[source],
    )
