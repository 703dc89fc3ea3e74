"""A coarse network says where, the uptake itself how far: each region redrawn by the four cuts.

Voxels of 8 mm cannot draw a node of 1 mL. What such a network finds is therefore taken as a
reader's generous ROI and cut as the paper cuts one (2.3): 41 %, 2.5, 4.0 and Otsu.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from tmtv_engine.image.volume import Array, Mask, Unit, Volume
from tmtv_engine.lesion.find import component_voxels, find_lesions
from tmtv_engine.lesion.thresholds import probability as agreement

EDGE = 0.2
SURE = 0.5
ENOUGH = 0.4


def redraw(chance: Volume, suv: Volume) -> Volume:
    """``chance`` (z, y, x), 0 … 1, with every region in it drawn anew from the uptake.

    A region is a component of chance above 0.2 that exceeds 0.5 somewhere, split like a lesion
    above 30 mL. What two of the four cuts keep of it is drawn. It stays where the mean chance m
    of that is at least 0.4, and of it the pieces that exceed 0.5 somewhere; a voxel that the share
    s of the cuts keep then has the chance (1 + m s) / 2. Everything else keeps its chance, but at
    most one half.
    """
    array = chance.require(Unit.PROBABILITY)
    voxels, values = _drawn(array, chance, suv)  # and all that this takes is gone
    plain = np.minimum(array, SURE, order="C").astype(np.float32, copy=False)
    plain.reshape(-1)[voxels] = values
    return chance.with_array(plain, Unit.PROBABILITY)


def _drawn(
    array: Array, chance: Volume, suv: Volume
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float64]]:
    """The voxels that are drawn, and the chance of each."""
    regions = find_lesions(chance.with_array(_sure(array > EDGE, array), Unit.LABEL), suv)
    share = agreement(regions)
    drawn = share >= SURE
    row, voxels, share = regions.owner[drawn], regions.voxels[drawn], share[drawn]
    count = np.bincount(row, minlength=len(regions))
    total = np.bincount(row, array.reshape(-1)[voxels], minlength=len(regions))
    mean = (total / np.maximum(count, 1))[row]
    kept = mean >= ENOUGH
    mask = np.zeros(array.shape, bool)
    mask.reshape(-1)[voxels[kept]] = True
    kept &= _sure(mask, array).reshape(-1)[voxels]
    return voxels[kept], (1 + mean[kept] * share[kept]) / 2


def _sure(mask: Mask, chance: Array) -> Mask:
    """The components of a mask whose chance exceeds 0.5 somewhere, in the mask itself."""
    voxels, number = component_voxels(mask)
    sure = np.zeros(int(number.max(initial=0)) + 1, bool)
    sure[number[chance.reshape(-1)[voxels] > SURE]] = True
    mask.reshape(-1)[voxels] = sure[number]
    return mask
