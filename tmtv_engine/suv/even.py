"""Whether activity goes on from slice to slice, as it does in a body: a lost slope breaks it.

What two neighbouring slices both show of the body differs by 1.3 at most (the median over those
voxels, two whole real scans and ten cropped ones), in digital patients by 1.7.
"""

from __future__ import annotations

import numpy as np

from tmtv_engine.image.volume import Array, Unit, Volume
from tmtv_engine.notices import Notice, notice

THIN = 3  # every third voxel across is enough
LEAST = 40  # of them, shown by both
SHARE = 0.3  # of the larger one's, shown by both; of a slice's mean, that is body
MOST = 2.0


def check_even(suv: Volume) -> list[Notice]:
    """A warning of slices much brighter or darker than the next, or blank between others."""
    thin = suv.require(Unit.SUV)[:, ::THIN, ::THIN]
    means = [float(plane[plane > 0].mean()) if (plane > 0).any() else 0.0 for plane in thin]
    filled = np.flatnonzero(means)
    told = []
    for k in range(len(thin) - 1):
        times = _times(thin[k], thin[k + 1], means[k], means[k + 1])
        if max(times, 1 / times) > MOST:
            told.append(f"{times:.3g} times from slice {k + 1} to {k + 2}")
    if len(filled):
        between = means[filled[0] : filled[-1] + 1]
        told += [f"slice {filled[0] + k + 1} is blank" for k, m in enumerate(between) if not m]
    return [notice("slice-jump", "; ".join(told[:4]))] if told else []


def _times(one: Array, other: Array, mean: float, next_mean: float) -> float:
    """By what the body is brighter in the ``other`` slice; 1 where they show too little alike."""
    if not mean or not next_mean:
        return 1.0
    first, second = one > SHARE * mean, other > SHARE * next_mean
    both = first & second
    count = np.count_nonzero(both)
    larger = max(np.count_nonzero(first), np.count_nonzero(second))
    if count < LEAST or count < SHARE * larger:
        return 1.0
    return float(np.median(other[both] / one[both]))
