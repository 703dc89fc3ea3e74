"""A trained network on disk: `weights.safetensors` and a `model.json` that tells all of it.

Nothing here is a pickle; the weights are checked against the SHA-256 that the record holds.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar, get_type_hints

import msgspec
import torch
from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor, nn

from tmtv_engine.errors import InputError
from tmtv_engine.files import make_folder, write_bytes, write_text
from tmtv_engine.model.bodynet import BodyNet
from tmtv_engine.model.plans import Architecture, BodyPlan
from tmtv_engine.model.recipes import Recipe
from tmtv_engine.model.vnet import VNet

SCHEMA = "tmtv.model/1"
MOST_CHANNELS, MOST_LEVELS, MOST_VOXELS = 4096, 10, 1 << 27
WEIGHTS = "weights.safetensors"
RECORD = "model.json"


def write_model(
    folder: Path,
    weights: Mapping[str, Tensor],
    recipe: Recipe,
    *,
    name: str,
    trained_on: str,
    half: bool = True,
    **more: Any,
) -> dict[str, Any]:
    """Write a network into ``folder`` and return its record; ``more`` goes into it as it is.

    Weights are kept in half precision unless ``half`` is off. Each file is written whole
    or not at all.
    """
    kind = torch.float16 if half else torch.float32
    data = save({k: v.detach().cpu().to(kind).contiguous() for k, v in weights.items()})
    record = {
        "schema": SCHEMA,
        "name": name,
        "sha256": hashlib.sha256(data).hexdigest(),
        "trained_on": trained_on,
        "recipe": dataclasses.asdict(recipe),
        **more,
    }
    make_folder(folder)
    write_bytes(folder / WEIGHTS, data)
    write_text(folder / RECORD, json.dumps(record, indent=1, ensure_ascii=False) + "\n")
    return record


def read_model(folder: Path) -> tuple[dict[str, Tensor], Recipe, dict[str, Any]]:
    """Weights in float32, recipe and record of a model's folder.

    Raises `InputError` where the folder is no model, or its weights are not those of its record.
    """
    remedy = "Give a folder that tmtv train made."
    try:
        record = json.loads((folder / RECORD).read_text("utf-8"))
        data = (folder / WEIGHTS).read_bytes()
        recipe = _sound(recipe_of(record["recipe"]))
        named = all(isinstance(record[key], str) for key in ("name", "sha256", "trained_on"))
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise InputError(f"{folder}: is no trained model", remedy) from error
    if not named or record.get("schema") != SCHEMA:
        raise InputError(f"{folder}: its {RECORD} names no model of {SCHEMA}", remedy)
    if hashlib.sha256(data).hexdigest() != record.get("sha256"):
        raise InputError(
            f"{folder / WEIGHTS}: is not the file that {RECORD} describes",
            "Copy the run's folder again, or train anew.",
        )
    try:
        tensors = load(data)
    except SafetensorError as error:
        raise InputError(f"{folder / WEIGHTS}: cannot be read", remedy) from error
    return {k: v.float() for k, v in tensors.items()}, recipe, record


def network_of(plan: Architecture | BodyPlan) -> nn.Module:
    """An untrained network of an architecture."""
    return BodyNet(plan) if isinstance(plan, BodyPlan) else VNet(plan)


def recipe_of(data: Mapping[str, Any]) -> Recipe:
    """The recipe that a record holds; raises `TypeError` or `ValueError` for what is none.

    Each value must be of its field's type, and no field of another name.
    """
    plan, rest = data["architecture"], dict(data)
    kind = BodyPlan if "structures" in plan else Architecture
    rest["architecture"] = _typed(plan, kind)
    return _typed(rest, Recipe)


R = TypeVar("R")


def _typed(data: Mapping[str, Any], kind: type[R]) -> R:
    """``data`` as the dataclass ``kind``; a nested record is one already."""
    kinds = get_type_hints(kind)
    told = {
        key: value if dataclasses.is_dataclass(value) else msgspec.convert(value, kinds[key])
        for key, value in data.items()
    }
    return kind(**told)


def _sound(recipe: Recipe) -> Recipe:
    """The recipe, if a network of it can be built and shown an image; else `ValueError`."""
    plan = dataclasses.asdict(recipe.architecture)
    counts = [
        n for value in plan.values() for n in (value if isinstance(value, tuple) else [value])
    ]
    channels = plan["channels"]
    least = [plan["inputs"], plan.get("kernel", 1), plan.get("structures", 1)]
    least += channels if isinstance(channels, tuple) else [channels]
    fits = (
        min(least) > 0
        and all(0 <= n <= MOST_CHANNELS for n in counts)
        and recipe.architecture.levels <= MOST_LEVELS
    )
    shown = min(recipe.shape) > 0 and math.prod(recipe.shape) <= MOST_VOXELS
    settled = all(0 < p < 1 for p in (recipe.threshold, recipe.yielding))
    if not (fits and shown and settled and 0.5 <= recipe.spacing_mm <= 50.0):
        raise ValueError("the recipe is none that can be")
    return recipe
