"""Recipes: every hyper-parameter of a training, as data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Literal

from tmtv_engine.model.plans import COARSE, PAPER, Architecture, BodyPlan

Scaling = Literal["linear", "log", "both"]


@dataclass(frozen=True)
class Recipe:
    """A training. ``spacing_mm`` and ``shape`` (z, y, x) are the model's grid.

    ``scaling`` of SUV: ``linear`` 0 … 25 to 0 … 1, ``log`` log(1 + SUV) / log(31), ``both`` the
    logarithm to 100, SUV to 8 and the body's mask. With
    ``optimizer`` "sgd" ``momentum`` is used, with "adamw" ``weight_decay``. ``entropy`` weighs
    the cross-entropy beside soft Dice. ``average`` is the decay of the running mean of the
    weights (0: none). ``gain`` scales each SUV image by 1/gain … gain.
    ``pieces``: the share of patients of which only a piece is shown, as where a limb alone is
    scanned. ``warm_up`` and ``anneal`` are the steps over which the rate rises at the start and
    falls to nothing at the end. ``windows`` (z, y, x) are the parts of a body that a step may
    show, one size drawn for each step (none: the whole); ``batch`` how many patients a step shows,
    ``shows`` how often an epoch shows each. ``naming`` weighs the structures' cross-entropy,
    ``lesions`` that of each lesion whatever its size; windows are then laid round lesions alike.
    ``threshold`` is the network's own probability that counts as one half, ``yielding`` the same
    in organs that are hot by nature, ``mirrored`` averages its answer with that of the mirrored
    image. ``redraw``: what the network finds is redrawn from the uptake (`redraw`).
    ``learns`` names the part of the network that alone learns (none: all of it does).
    ``extra_copy``: each epoch sees every patient once more, moved a little (paper 2.4).
    """

    name: str
    architecture: Architecture | BodyPlan
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
    pieces: float = 0.0
    redraw: bool = False
    extra_copy: bool = False
    bf16: bool = True
    seed: int = 0
    anneal: int = 0
    windows: tuple[tuple[int, int, int], ...] = ()
    batch: int = 1
    shows: int = 1
    naming: float = 0.0
    lesions: float = 0.0
    threshold: float = 0.5
    yielding: float = 0.5
    mirrored: bool = False
    learns: str = ""


THE_PAPERS = Recipe("paper", PAPER, 4.0, (256, 128, 128), "linear", "sgd", 0.001, extra_copy=True)
SEES_PET = BodyPlan(channels=(48, 96, 192), fine=16)
BODY = Recipe(
    "body",
    SEES_PET,
    8.0,
    (128, 32, 64),
    "both",
    "adamw",
    0.002,
    weight_decay=1e-3,
    warm_up=100,
    entropy=6.0,
    clip=1.0,
    average=0.998,
    redraw=True,
    bf16=False,
    windows=((64, 32, 48), (80, 32, 40), (48, 32, 64), (48, 40, 48)),
    batch=2,
    shows=4,
    naming=0.5,
    lesions=0.6,
    mirrored=True,
)
RECIPES: Mapping[str, Recipe] = MappingProxyType(
    {
        "paper": THE_PAPERS,
        "paper-8mm": replace(THE_PAPERS, name="paper-8mm", spacing_mm=8.0, shape=(128, 32, 64)),
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
            pieces=0.12,
            redraw=True,
        ),
        "body": BODY,
        "body-ct": replace(BODY, name="body-ct", architecture=replace(SEES_PET, ct=32)),
    }
)
"""``paper`` is the paper's (2.4), ``paper-8mm`` the same on coarser voxels; ``coarse`` learns
whole bodies at 8 mm, PET alone; ``body`` does so wherever they lie, and names structures, too;
``body-ct`` looks at a CT beside, where there is one."""
