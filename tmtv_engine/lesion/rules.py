"""From a network's probability to the mask of its lesions: the paper's rule, and the vote."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from tmtv_engine.image.volume import Array, Mask, Unit, Volume
from tmtv_engine.lesion.find import components
from tmtv_engine.lesion.hotspots import CORE_SUV


def paper_rule(probability: Volume) -> Volume:
    """The paper's mask (2.5): probability above one half."""
    return probability.with_array(probability.require(Unit.PROBABILITY) > 0.5, Unit.LABEL)


def vote(probability: Volume, suv: Volume, core_suv: float = CORE_SUV) -> Volume:
    """Each uptake component taken whole or not at all, by its mean probability.

    A component of SUV above ``core_suv`` stays whole if its mean probability is above one half
    and goes whole otherwise. What the paper's rule finds beside it shares its fate (a half-accepted
    bladder takes its rim along); what it finds away from any stays.
    """
    chance = probability.require(Unit.PROBABILITY)
    cores = components(suv.require(Unit.SUV) > core_suv)
    chosen = _mean_above(cores, chance, 0.5)[cores]
    regions = components((chance > 0.5) | (cores > 0))
    refused = np.zeros(int(regions.max()) + 1, bool)
    refused[np.unique(regions[cores > 0])] = True
    refused[np.unique(regions[chosen])] = False
    rest = (chance > 0.5) & (cores == 0) & ~refused[regions]
    return probability.with_array(chosen | rest, Unit.LABEL)


def _mean_above(labels: npt.NDArray[np.uint32], values: Array, limit: float) -> Mask:
    flat = labels.reshape(-1)
    inside = np.flatnonzero(flat)
    count = np.bincount(flat[inside], minlength=int(flat.max(initial=0)) + 1)
    total = np.bincount(flat[inside], weights=values.reshape(-1)[inside], minlength=len(count))
    return np.asarray((count > 0) & (total > limit * count))
