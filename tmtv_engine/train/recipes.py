"""Recipes: every hyper-parameter of a training, as data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

from tmtv_engine.vnet import COARSE, PAPER, Architecture

Scaling = Literal["linear", "log"]


@dataclass(frozen=True)
class Recipe:
    """A training. ``spacing_mm`` and ``shape`` (z, y, x) are the model's grid.

    ``scaling`` of SUV: ``linear`` 0 … 25 to 0 … 1, ``log`` log(1 + SUV) / log(31). With
    ``optimizer`` "sgd" ``momentum`` is used, with "adamw" ``weight_decay``. ``entropy`` weighs
    the cross-entropy beside soft Dice. ``average`` is the decay of the running mean of the
    weights (0: none). ``gain`` scales each SUV image by 1/gain … gain.
    ``extra_copy``: each epoch sees every patient once more, moved a little (paper 2.4).
    """

    name: str
    architecture: Architecture
    spacing_mm: float
    shape: tuple[int, int, int]
    scaling: Scaling
    optimizer: Literal["sgd", "adamw"]
    rate: float
    momentum: float = 0.9
    weight_decay: float = 0.0
    warm_up: int = 0
    epochs: int = 100
    entropy: float = 0.0
    clip: float = 0.0
    average: float = 0.0
    gain: float = 1.0
    extra_copy: bool = False
    bf16: bool = True
    seed: int = 0


RECIPES: Mapping[str, Recipe] = MappingProxyType(
    {
        "paper": Recipe(
            "paper", PAPER, 4.0, (256, 128, 128), "linear", "sgd", 0.001, extra_copy=True
        ),
        "coarse": Recipe(
            "coarse",
            COARSE,
            8.0,
            (128, 32, 64),
            "log",
            "adamw",
            0.002,
            weight_decay=1e-4,
            warm_up=100,
            entropy=20.0,
            clip=1.0,
            average=0.998,
            gain=1.18,
        ),
    }
)
"""``paper`` is the paper's (2.4); ``coarse`` learns whole bodies at 8 mm, PET alone."""
