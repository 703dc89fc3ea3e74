"""The network of a training as a bundled model: ``python -m tmtv_engine.train.export RUN OUT``."""

from __future__ import annotations

import argparse
import dataclasses
import sys
from pathlib import Path
from typing import Any

from tmtv_engine.errors import TmtvError, UsageError
from tmtv_engine.model.checkpoint import read_model, write_model

OWN = ("schema", "name", "sha256", "trained_on", "recipe")


def export(run: Path, out: Path, *, name: str = "vnet", **settled: Any) -> int:
    """Write a run's model in half precision; returns the steps it saw.

    ``settled``: what of the recipe is chosen after the training, ``threshold`` and ``yielding``.
    Raises `InputError` where the run holds no model, `UsageError` for what is no probability.
    """
    weights, recipe, record = read_model(run)
    given = {key: value for key, value in settled.items() if value is not None}
    for key, value in given.items():
        if not 0 < value < 1:
            raise UsageError(f"--{key} {value:g} is no probability", "Give one between 0 and 1.")
    recipe = dataclasses.replace(recipe, **given)
    more = {key: value for key, value in record.items() if key not in OWN}
    write_model(out, weights, recipe, name=name, trained_on=record["trained_on"], **more)
    return int(record.get("steps", 0))


def main() -> int:
    """Export from the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("run", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--threshold", type=float)
    parser.add_argument("--yielding", type=float, help="the threshold in organs hot by nature")
    given = parser.parse_args()
    settled = {"threshold": given.threshold, "yielding": given.yielding}
    try:
        print(export(given.run, given.out, **settled), "steps")
    except TmtvError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2 if isinstance(error, UsageError) else 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
