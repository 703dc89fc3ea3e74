"""What a network sees: a scan on the model's grid, scaled to its channels."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from tmtv_engine.image.resample import model_grid, resample
from tmtv_engine.image.volume import Grid, Unit, Volume
from tmtv_engine.model.body import body_grid, body_mask, laid
from tmtv_engine.model.plans import BodyPlan

if TYPE_CHECKING:
    from tmtv_engine.model.recipes import Recipe

LOG_TOP = 30.0
LINEAR_TOP = 25.0
HU_TOP = 1000.0
SOFT_HU = (-150.0, 250.0)
BOTH_TOPS = (100.0, 8.0)
"""Where ``both`` clips SUV: its logarithm, which tells a bladder, and SUV itself, for the rest."""


def scaled(suv: Tensor, scaling: str) -> Tensor:
    """SUV as the network sees it, 0 … 1: ``linear`` to 25, ``log`` log(1 + SUV) / log 31."""
    if scaling == "log":
        return _logarithm(suv, LOG_TOP)
    return (suv / LINEAR_TOP).clamp(0, 1)


def scaled_hu(hu: Tensor) -> Tensor:
    """HU as the network sees it: −1000 … 1000 to 0 … 1, clipped."""
    return ((hu + HU_TOP) / (2 * HU_TOP)).clamp(0, 1)


def densities(hu: Tensor) -> tuple[Tensor, Tensor]:
    """HU as two channels 0 … 1: from air to bone, and soft tissue apart; both 0 in air."""
    low, high = SOFT_HU
    return scaled_hu(hu), ((hu - low) / (high - low)).clamp(0, 1)


def channels_of(suv: Tensor, hu: Tensor | None, recipe: Recipe) -> Tensor:
    """The network's channels (C, z, y, x) of SUV and HU (z, y, x); no HU is air everywhere.

    A `BodyPlan` that takes a CT has the channels of one first, and none of them without.
    """
    if recipe.scaling == "both":
        mask = body_mask(suv[None, None])[0, 0]
        log, linear = BOTH_TOPS
        ct = () if hu is None or not takes_ct(recipe) else densities(hu)
        suvs = (_logarithm(suv, log), (suv / linear).clamp(0, 1))
        return torch.stack([*(seen * mask for seen in (*ct, *suvs)), mask])
    channels = [scaled(suv, recipe.scaling)]
    if takes_ct(recipe):
        channels.append(torch.zeros_like(suv) if hu is None else scaled_hu(hu))
    return torch.stack(channels)


def takes_ct(recipe: Recipe) -> bool:
    """Whether the recipe's network looks at a CT."""
    plan = recipe.architecture
    return plan.ct > 0 if isinstance(plan, BodyPlan) else plan.inputs > 1


def _logarithm(suv: Tensor, top: float) -> Tensor:
    return torch.log1p(suv.clamp(0, top)) / float(np.log1p(top))


def grid_for(suv: Volume, recipe: Recipe) -> Grid:
    """The grid that ``recipe``'s network sees ``suv`` on."""
    multiple = 2**recipe.architecture.levels
    if isinstance(recipe.architecture, BodyPlan):
        return body_grid(suv, recipe.spacing_mm, multiple)
    return model_grid(suv, recipe.spacing_mm, recipe.shape, multiple)


def on_grid(volume: Volume, grid: Grid, recipe: Recipe) -> npt.NDArray[np.float32]:
    """``volume`` on the model's grid as its recipe lays it (z, y, x) float32."""
    outside = -HU_TOP if volume.unit is Unit.HU else 0.0
    if isinstance(recipe.architecture, BodyPlan):
        return laid(volume, grid, outside)
    return np.array(resample(volume, grid, outside=outside).array, np.float32)
