"""A bent `model.json`: the network's answer is the same, or the folder is refused."""

from __future__ import annotations

import copy
import json
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.fuzz.judge import Tally, bend, judged
from tmtv_engine.errors import TmtvError
from tmtv_engine.image.volume import Grid, Unit, Volume
from tmtv_engine.model import registry

Chance = random.Random
ODD: tuple[Any, ...] = (None, "", "x", 0, -1, 1, 3, 1e9, float("nan"), True, [], [1], [0, 0, 0],
                        [4.0, 4.0, 4.0], [-4.0, 4.0, 4.0], {}, {"a": 1}, "\x1b[31m",
                        10**30)  # fmt: skip


@pytest.mark.long
@pytest.mark.timeout(7200)
def test_a_bent_record_of_a_model_is_refused_or_changes_nothing(
    tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    bend(lambda count: run(count, 1, tmp_path), 1_000, 30, "model.json", record_property)


def run(count: int, seed: int, folder: Path) -> Tally:
    """Bend ``count`` records of a small network."""
    whole = _made(folder)
    right = _answer(folder)
    tally = Tally()
    for number in range(count):
        data, told = bent(whole, random.Random(f"{seed}:{number}"))
        (folder / "model.json").write_bytes(data)
        judged(tally, f"{told} [seed {seed}:{number}]", lambda: _judge(folder, right))
    return tally


def _made(folder: Path) -> dict[str, Any]:
    """A small network with weights by chance, written as training writes it."""
    import dataclasses

    import torch

    from tmtv_engine.model.checkpoint import network_of, write_model
    from tmtv_engine.model.plans import Architecture
    from tmtv_engine.model.recipes import RECIPES

    small = Architecture(channels=2, kernel=3, convolutions=(1, 1))
    recipe = dataclasses.replace(
        RECIPES["paper"], architecture=small, shape=(16, 16, 16), spacing_mm=8.0
    )
    torch.manual_seed(0)
    network = network_of(recipe.architecture)
    return write_model(folder, network.state_dict(), recipe, name="small", trained_on="chance")


def _answer(folder: Path) -> Any:
    suv = np.random.default_rng(1).gamma(1.0, 2.0, (12, 14, 16)).astype(np.float32)
    volume = Volume(suv, Grid.axial(suv.shape, (5.0, 4.0, 3.0), (0.0, 0.0, 0.0)), Unit.SUV)
    segment = registry.load(str(folder), "cpu").segment
    assert segment is not None
    return segment(volume, None).probability.array


def bent(record: dict[str, Any], chance: Chance) -> tuple[bytes, str]:
    """A value at any depth that is gone or another, or spoilt text."""
    record = copy.deepcopy(record)
    at: Any = record
    told: list[str] = []
    while True:
        key = chance.choice([*at] if isinstance(at, dict) else range(len(at)))
        told.append(str(key))
        value = at[key]
        if not (isinstance(value, (dict, list)) and value and chance.random() < 0.8):
            break
        at = value
    if chance.random() < 0.2:
        del at[key]
        told.append("gone")
    else:
        at[key] = chance.choice(ODD)
        told.append(repr(at[key])[:20])
    text = json.dumps(record).encode()
    if chance.random() < 0.1:
        return text[: chance.randrange(len(text))], "cut"
    return text, " ".join(told)


def _judge(folder: Path, right: Any) -> str:
    try:
        found = _answer(folder)
    except TmtvError:
        return "refused"
    if not np.isfinite(found).all() or found.min() < 0 or found.max() > 1:
        return "SILENT: an answer that is no probability"
    return "right" if np.array_equal(found, right) else "unseen"
