"""The network of a training as a bundled model: ``python -m tmtv_engine.train.export RUN OUT``."""

from __future__ import annotations

import argparse
import dataclasses
from pathlib import Path
from typing import Any

from tmtv_engine.model.checkpoint import read_model, write_model

OWN = ("schema", "name", "sha256", "trained_on", "recipe")


def export(run: Path, out: Path, *, name: str = "vnet", **settled: Any) -> int:
    """Write a run's model in half precision; returns the steps it saw.

    ``settled``: what of the recipe is chosen after the training, ``threshold`` and ``yielding``.
    Raises `InputError` where the run holds no model.
    """
    weights, recipe, record = read_model(run)
    given = {key: value for key, value in settled.items() if value is not None}
    recipe = dataclasses.replace(recipe, **given)
    more = {key: value for key, value in record.items() if key not in OWN}
    write_model(out, weights, recipe, name=name, trained_on=record["trained_on"], **more)
    return int(record.get("steps", 0))


def main() -> None:
    """Export from the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("run", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--threshold", type=float)
    parser.add_argument("--yielding", type=float, help="the threshold in organs hot by nature")
    given = parser.parse_args()
    print(export(given.run, given.out, threshold=given.threshold, yielding=given.yielding), "steps")


if __name__ == "__main__":
    main()
