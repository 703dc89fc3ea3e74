"""What is measured on lesions and their cuts: volume, SUV, TLG, TMTV, Dmax."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import numpy as np
import numpy.typing as npt
from msgspec import Meta

from tmtv_engine.lesion.lists import Lesions
from tmtv_engine.lesion.thresholds import BoolRow, FloatRow

# what can be believed of a number in a file
Number = Annotated[float, Meta(ge=-1e9, le=1e9)]
Amount = Annotated[float, Meta(ge=0, le=1e9)]
Count = Annotated[int, Meta(ge=0, lt=2**53)]


@dataclass(frozen=True, eq=False)
class Measures:
    """One cut of n lesions, each field (n,): ``suv_mean`` is NaN where nothing was kept."""

    voxels: npt.NDArray[np.int64]
    volume_ml: FloatRow
    suv_mean: FloatRow
    tlg_g: FloatRow


@dataclass(frozen=True)
class Total:
    """One patient under one method; None where a quantity cannot be known."""

    tmtv_ml: Amount
    tlg_g: Number
    lesions: Count
    suv_max: Number | None
    suv_peak: Number | None
    dmax_mm: Amount | None
    sdmax_per_m: Amount | None


def measure(lesions: Lesions, keep: BoolRow) -> Measures:
    """Volume (mL), SUVmean and TLG (g) of the voxels that ``keep`` (N,) leaves of each lesion."""
    voxels = lesions.total(keep.astype(np.float64)).astype(np.int64)
    suv_sum = lesions.total(np.where(keep, lesions.suv, 0.0).astype(np.float64))
    mean = np.divide(suv_sum, voxels, out=np.full(len(lesions), np.nan), where=voxels > 0)
    voxel_ml = lesions.grid.voxel_ml
    return Measures(voxels, voxels.astype(np.float64) * voxel_ml, mean, suv_sum * voxel_ml)


def suv_max(lesions: Lesions) -> FloatRow:
    """SUVmax of each uncut lesion, (n,)."""
    return lesions.highest(lesions.suv)


def suv_peak(lesions: Lesions) -> FloatRow:
    """SUVpeak of each uncut lesion, (n,): the highest 1 mL sphere centred on any of its voxels."""
    return lesions.highest(lesions.peak)


def centroid_mm(lesions: Lesions) -> npt.NDArray[np.float64]:
    """Centroid of each uncut lesion in LPS mm (x, y, z), (n, 3)."""
    if not len(lesions):
        return np.zeros((0, 3))
    summed = np.add.reduceat(lesions.index().astype(np.float64), lesions.starts[:-1], axis=0)
    return lesions.grid.to_mm(summed / lesions.counts[:, None])


def total(
    lesions: Lesions, keep: BoolRow, accepted: npt.ArrayLike, bsa_m2: float | None = None
) -> Total:
    """The patient's totals over the rows ``accepted`` whose cut ``keep`` (N,) holds a voxel.

    Dmax is the largest distance between centroids of uncut lesions (one lesion: 0); SDmax that
    distance in metres over the body surface area, None where that is unknown.
    """
    cut = measure(lesions, keep)
    chosen = np.asarray(accepted, dtype=np.int64)
    rows = chosen[cut.voxels[chosen] > 0]
    if not len(rows):
        return Total(0.0, 0.0, 0, None, None, None, None)
    dmax = _largest_distance(centroid_mm(lesions)[rows])
    return Total(
        float(cut.volume_ml[rows].sum()),
        float(cut.tlg_g[rows].sum()),
        len(rows),
        float(suv_max(lesions)[rows].max()),
        float(suv_peak(lesions)[rows].max()),
        dmax,
        None if bsa_m2 is None else dmax / 1000.0 / bsa_m2,
    )


def bsa_dubois(weight_kg: float, height_m: float) -> float:
    """Body surface area in m²: 0.007184 · kg^0.425 · cm^0.725 (DuBois and DuBois 1916)."""
    return float(0.007184 * weight_kg**0.425 * (100.0 * height_m) ** 0.725)


def _largest_distance(points_mm: npt.NDArray[np.float64]) -> float:
    far = (
        np.linalg.norm(points_mm[k:] - points_mm[k], axis=1).max() for k in range(len(points_mm))
    )
    return float(max(far))
