"""A model's folder: written, read, and refused when it was touched."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import pytest
import torch
from torch import nn

from tmtv_engine.errors import InputError
from tmtv_engine.model.checkpoint import network_of, read_model, recipe_of, write_model
from tmtv_engine.model.plans import Architecture
from tmtv_engine.model.recipes import RECIPES, Recipe

TINY = Recipe(
    "tiny", Architecture(1, 2, 3, (1, 1), True, 0.0), 8.0, (8, 8, 8), "log", "adamw", 0.01
)


def _written(folder: Path, *, half: bool = True) -> nn.Module:
    torch.manual_seed(1)
    net = network_of(TINY.architecture)
    write_model(
        folder, net.state_dict(), TINY, name="tiny", trained_on="nothing", half=half, steps=7
    )
    return net


def test_weights_come_back_to_half_precision(tmp_path: Path) -> None:
    net = _written(tmp_path)
    weights, recipe, record = read_model(tmp_path)
    assert recipe == TINY
    assert (record["name"], record["trained_on"], record["steps"]) == ("tiny", "nothing", 7)
    for key, value in net.state_dict().items():
        assert torch.equal(weights[key], value.half().float())


def test_whole_weights_come_back_exactly(tmp_path: Path) -> None:
    net = _written(tmp_path, half=False)
    weights = read_model(tmp_path)[0]
    assert all(torch.equal(weights[k], v) for k, v in net.state_dict().items())


def test_one_changed_byte_is_seen(tmp_path: Path) -> None:
    _written(tmp_path)
    path = tmp_path / "weights.safetensors"
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(bytes(data))
    with pytest.raises(InputError, match=r"not the file that model\.json describes"):
        read_model(tmp_path)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("name", None),
        ("trained_on", 3),
        ("schema", "tmtv.model/9"),
        ("recipe.spacing_mm", "8"),
        ("recipe.spacing_mm", float("nan")),
        ("recipe.shape", [16, 0, 16]),
        ("recipe.threshold", 1.0),
        ("recipe.mirrored", "yes"),
        ("recipe.unknown", 1),
        ("recipe.architecture.channels", 10**9),
        ("recipe.architecture.unknown", 1),
    ],
)
def test_a_record_that_cannot_be_is_refused(tmp_path: Path, key: str, value: object) -> None:
    _written(tmp_path)
    record = json.loads((tmp_path / "model.json").read_text())
    *path, last = key.split(".")
    at = record
    for name in path:
        at = at[name]
    at[last] = value
    (tmp_path / "model.json").write_text(json.dumps(record))
    with pytest.raises(InputError, match=r"trained model|names no model"):
        read_model(tmp_path)


@pytest.mark.parametrize("text", ["", "{}", '{"recipe": {"architecture": {}}}', "[1]"])
def test_what_is_no_model_is_refused(tmp_path: Path, text: str) -> None:
    _written(tmp_path)
    (tmp_path / "model.json").write_text(text)
    with pytest.raises(InputError, match="is no trained model"):
        read_model(tmp_path)


@pytest.mark.parametrize("name", sorted(RECIPES))
def test_recipes_survive_json(name: str) -> None:
    assert recipe_of(json.loads(json.dumps(dataclasses.asdict(RECIPES[name])))) == RECIPES[name]
