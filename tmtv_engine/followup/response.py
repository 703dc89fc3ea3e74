"""How a lymphoma answered: Deauville and qPET from the hottest lesion, liver and blood pool.

- Deauville, after Barrington et al., J Clin Oncol 2014, 32, 3048: 1 no uptake above background;
  2 at most the mediastinum; 3 more, at most the liver; 4 more than the maximum in a large region
  of normal liver; 5 more than twice that (they say two to three times), or new lesions.
- qPET, after Hasenclever et al., Eur J Nucl Med Mol Imaging 2014, 41, 1301: the mean of the
  hottest voxel of the residual and its three hottest neighbours, over the mean of the liver. They
  found it 0.95, 1.3 and 2.0 where readers pass from 2 to 3, to 4 and to 5.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from tmtv_engine.image.volume import FloatArray, Unit, Volume

MARKED = 2.0
HOTTEST = 3


@dataclass(frozen=True)
class Reference:
    """A reference region: ``how`` says in words where it comes from."""

    suv_mean: float
    suv_max: float
    volume_ml: float
    how: str

    @classmethod
    def of(cls, values: FloatArray, voxel_ml: float, how: str) -> Reference | None:
        """The region of these SUVs, None of none."""
        if not values.size:
            return None
        return cls(float(values.mean()), float(values.max()), values.size * voxel_ml, how)


def deauville(
    hottest_suv: float | None,
    new: int,
    liver: Reference | None,
    blood: Reference | None,
) -> int | None:
    """The score of a follow-up whose hottest lesion has ``hottest_suv`` (None: none is left).

    None where it cannot be known: the references are there as far as the score needs them.

    >>> liver, blood = Reference(2.0, 3.0, 30, ""), Reference(1.5, 2.0, 5, "")
    >>> [deauville(v, 0, liver, blood) for v in (None, 2.0, 3.0, 6.0, 6.1)]
    [1, 2, 3, 4, 5]
    """
    if new:
        return 5
    if hottest_suv is None:
        return 1
    if liver is None:
        return None
    if hottest_suv > liver.suv_max:
        return 5 if hottest_suv > MARKED * liver.suv_max else 4
    if blood is None:
        return None
    return 3 if hottest_suv > blood.suv_max else 2


def qpet(suv: Volume, voxels: npt.NDArray[np.int64], liver: Reference | None) -> float | None:
    """qPET of the lesions whose voxels (flat indices) are given; None without liver or lesion.

    The three neighbours are the hottest of the 26 around the hottest voxel, in the lesion or not.
    """
    array = suv.require(Unit.SUV)
    if liver is None or not len(voxels) or liver.suv_mean <= 0:
        return None
    flat = int(voxels[np.argmax(array.reshape(-1)[voxels])])
    at = np.unravel_index(flat, array.shape)
    box = tuple(slice(max(0, int(k) - 1), int(k) + 2) for k in at)
    around = np.sort(np.asarray(array[box], np.float64), axis=None)
    own = float(array[at])
    rest = np.delete(around, np.searchsorted(around, own))
    return float(np.mean([own, *rest[-HOTTEST:]])) / liver.suv_mean
