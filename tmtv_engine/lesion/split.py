"""One lesion into parts: watershed of its own voxels on −SUV, 26-connected."""

from __future__ import annotations

import heapq
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from tmtv_engine.image.volume import Grid

IntArray = npt.NDArray[np.int64]
FloatRow = npt.NDArray[np.float32]
NOISE_MM = 1e-6  # exactly 20 mm is 20 mm, whatever the header rounds


@dataclass(frozen=True, eq=False)
class Patch:
    """N voxels of one lesion in their bounding box, which has a margin of one voxel.

    ``voxels`` (N,) flat indices on the PET's grid, rising; ``suv`` (N,); ``at`` (N,) flat indices
    in the box of ``shape``; ``steps`` (26,) from a voxel of the box to its neighbours.
    """

    voxels: IntArray
    suv: FloatRow
    index: IntArray
    shape: tuple[int, int, int]
    at: IntArray
    steps: IntArray

    @classmethod
    def of(cls, grid: Grid, voxels: IntArray, suv: FloatRow) -> Patch:
        """The patch of a voxel list."""
        index = np.stack(np.unravel_index(voxels, grid.shape), axis=-1).astype(np.int64)
        low = index.min(axis=0)
        z, y, x = (int(n) for n in index.max(axis=0) - low + 3)
        stride = np.array([y * x, x, 1])
        around = np.indices((3, 3, 3)).reshape(3, -1).T - 1
        steps = np.delete(around, 13, axis=0) @ stride
        return cls(voxels, suv, index, (z, y, x), (index - low + 1) @ stride, steps)

    def box(self, values: npt.NDArray[np.generic], outside: float) -> npt.NDArray[np.generic]:
        """``values`` (N,) as the flat array of the box, ``outside`` where no voxel is."""
        flat = np.full(int(np.prod(self.shape)), outside, values.dtype)
        flat[self.at] = values
        return flat


def split(
    grid: Grid,
    voxels: IntArray,
    suv: FloatRow,
    seed_distance_mm: float,
    *,
    connected: bool = False,
) -> list[IntArray]:
    """A lesion's parts as positions in its voxel list, by the raster index of their maximum.

    ``voxels`` (N,) rising flat indices with their ``suv``. Seeds are the local maxima (a plateau
    is one) by falling SUV, then raster index, at least ``seed_distance_mm`` apart, and at least
    one in each connected piece. Every position belongs to exactly one part. ``connected`` says
    that the voxels are one component, which spares the flood where there is one seed; it also
    floods by scikit-image, whose import only a prediction can afford. A review's flood gives the
    same parts without it (but for voxels of equal SUV between two parts), slower.
    """
    parts: list[IntArray] = []
    rest = np.arange(len(voxels))
    while len(rest):
        patch = Patch.of(grid, voxels[rest], suv[rest])
        chosen = seeds(patch, np.array(grid.spacing_mm), seed_distance_mm)
        if not len(chosen):  # NaN has no maximum
            return [*parts, rest]
        if connected and len(chosen) == 1:
            part = np.zeros(len(rest), np.int64)
        elif connected:
            part = _flood_in_box(patch, chosen)
        else:
            part = _flood(patch, chosen)
        order = np.argsort(part, kind="stable")
        ends = np.searchsorted(part[order], np.arange(-1, len(chosen)), side="right")
        pieces = np.split(order, ends)[:-1]
        parts += [rest[piece] for piece in pieces[1:]]
        rest = rest[pieces[0]]
    return sorted(parts, key=lambda p: int(p[np.argmax(suv[p])]))


def seeds(patch: Patch, spacing_mm: npt.NDArray[np.float64], apart_mm: float) -> IntArray:
    """Positions in the patch's voxel list of its seeds, the highest first."""
    peaks = local_maxima(patch)
    peaks = peaks[np.lexsort((peaks, -patch.suv[peaks]))]
    place = patch.index[peaks] * spacing_mm
    free = np.ones(len(peaks), bool)
    chosen = []
    for k in range(len(peaks)):
        if free[k]:
            chosen.append(peaks[k])
            free &= np.linalg.norm(place - place[k], axis=1) >= apart_mm - NOISE_MM
    return np.array(chosen, dtype=np.int64)


def local_maxima(patch: Patch) -> IntArray:
    """Positions of the first voxel of each plateau that no neighbour exceeds, rising."""
    values = patch.box(patch.suv, -np.inf)
    highest = np.full(len(patch.at), -np.inf, patch.suv.dtype)
    for step in patch.steps:
        np.maximum(highest, values[patch.at + step], out=highest)
    top = np.flatnonzero(patch.suv >= highest)
    level = top[patch.suv[top] == highest[top]]
    if not len(level):
        return top
    return np.setdiff1d(top, level[~_first_of_plateau(patch, values, level)])


def _first_of_plateau(
    patch: Patch, values: npt.NDArray[np.generic], level: IntArray
) -> npt.NDArray[np.bool_]:
    """Of the positions ``level``, which have an equal but no higher neighbour: those that stand
    for a whole plateau of such."""
    number = np.full(len(values), -1, np.int64)
    number[patch.at[level]] = np.arange(len(level))
    pairs, slope = [], np.zeros(len(level), bool)
    for step in patch.steps:
        near = patch.at[level] + step
        equal = np.flatnonzero(values[near] == patch.suv[level])
        other = number[near[equal]]
        slope[equal[other < 0]] = True
        pairs.append(np.stack([equal, other])[:, other >= 0])
    one, two = np.concatenate(pairs, axis=1)
    first = np.arange(len(level))
    while True:
        lower = first.copy()
        np.minimum.at(lower, one, first[two])
        lower = lower[lower]
        if np.array_equal(lower, first):
            break
        first = lower
    whole = np.ones(len(level), bool)
    whole[first[slope]] = False
    return np.asarray(whole & (first == np.arange(len(level))))


def _flood(patch: Patch, chosen: IntArray) -> IntArray:
    """The seed (0 …) that floods each voxel, −1 where none does; a heap over the voxels alone."""
    number = patch.box(np.arange(len(patch.at)), -1)
    near = number[patch.at[:, None] + patch.steps].tolist()
    height = (-patch.suv).tolist()
    part = [-1] * len(height)
    heap = []
    for k, seed in enumerate(chosen.tolist()):
        part[seed] = k
        heap.append((height[seed], 0, seed))
    heapq.heapify(heap)
    age = 0
    while heap:
        _, _, here = heapq.heappop(heap)
        for there in near[here]:
            if there >= 0 and part[there] < 0:
                part[there] = part[here]
                age += 1
                heapq.heappush(heap, (height[there], age, there))
    return np.array(part, dtype=np.int64)


def _flood_in_box(patch: Patch, chosen: IntArray) -> IntArray:
    """`_flood` by scikit-image."""
    from skimage.segmentation import watershed

    markers = np.zeros(int(np.prod(patch.shape)), np.int32)
    markers[patch.at[chosen]] = np.arange(1, len(chosen) + 1)
    inside = patch.box(np.ones(len(patch.at), bool), False)
    flooded = watershed(
        patch.box(-patch.suv, 0.0).reshape(patch.shape),
        markers.reshape(patch.shape),
        mask=inside.reshape(patch.shape),
        connectivity=np.ones((3, 3, 3)),
    )
    return np.asarray(flooded.reshape(-1)[patch.at], dtype=np.int64) - 1
