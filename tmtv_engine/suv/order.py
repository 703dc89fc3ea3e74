"""Whether slices follow each other as those of a body do: swapped, turned or repeated ones show.

Neighbours are more alike than slices further apart. Where a run of slices would fit its two
neighbours better the other way round (a run of two: swapped ones; also two slices that changed
places over some others), it lies the wrong way. Two slices differ by the sum of squares between
the roots of their SUVs, cut at 5: noise then weighs the same in hot and cold places.
"""

from __future__ import annotations

import numpy as np

from tmtv_engine.image.volume import Array, FloatArray, Unit, Volume
from tmtv_engine.notices import Notice, notice

ACROSS = 32  # places along each axis of a slice, for a first look
LEAST = 400  # places in a slice: in fewer, noise decides
THICK_MM = 6.5  # slices further apart are too unlike their neighbours
HIGHEST_SUV = 5.0
BETTER = 0.93
FILLED = 0.05  # of the fullest slice, that a slice is compared at all
FEW = 0.1  # of the slices: more that are repeated were drawn, not measured


def check_order(suv: Volume) -> list[Notice]:
    """A warning of slices that lie swapped or the wrong way round, or are there twice."""
    array = suv.require(Unit.SUV)
    if array[0].size < LEAST or suv.grid.spacing_mm[0] > THICK_MM:
        return []
    steps = [max(1, n // ACROSS) for n in array.shape[1:]]
    planes = _rooted(array[:, :: steps[0], :: steps[1]])
    filled = (planes * planes).sum(axis=1)
    there = np.flatnonzero(filled > FILLED * filled.max())
    if len(there) < 4:
        return []
    first, last = int(there[0]), int(there[-1]) + 1
    told = [*_repeated(array[first:last], first), *_turned(array, planes[first:last], first)]
    return [notice("slice-order", "; ".join(told[:4]))] if told else []


def _rooted(slices: Array) -> FloatArray:
    """The roots of some slices' SUVs, (n, places)."""
    cut = np.clip(slices.reshape(len(slices), -1), 0.0, HIGHEST_SUV)
    return np.asarray(np.sqrt(cut, dtype=np.float32))


def _repeated(array: Array, first: int) -> list[str]:
    pairs = [k for k in range(len(array) - 1) if np.array_equal(array[k], array[k + 1])]
    if len(pairs) > FEW * len(array):
        return []
    return [f"slice {first + k + 2} is slice {first + k + 1} again" for k in pairs]


def _turned(array: Array, planes: FloatArray, first: int) -> list[str]:
    """The run that would fit best the other way round, if one would fit better than it does."""
    apart = _apart(planes)
    seams = np.diagonal(apart, 1)
    now, then = seams[:, None] + seams, apart[:-1, :-1] + apart[1:, 1:]
    share = np.ones_like(now)
    np.divide(then, now, out=share, where=np.triu(now, 2) > 0)
    k, j = (int(i) for i in np.unravel_index(share.argmin(), share.shape))
    if not share[k, j] < BETTER:
        return []
    whole = _apart(_rooted(array[[first + k, first + k + 1, first + j, first + j + 1]]))
    if not whole[0, 2] + whole[1, 3] < BETTER * (whole[0, 1] + whole[2, 3]):
        return []
    return [f"slices {first + k + 2} to {first + j + 1} would fit the other way round"]


def _apart(planes: FloatArray) -> FloatArray:
    """The sum of squares between each two planes, (n, n)."""
    squares = (planes * planes).sum(axis=1, dtype=np.float64)
    both = squares[:, None] + squares - 2.0 * (planes @ planes.T)
    return np.asarray(np.maximum(both, 0.0), np.float64)
