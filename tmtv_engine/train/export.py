"""The network of a digital training as a model: ``python -m tmtv_engine.train.export RUN OUT``."""

from __future__ import annotations

import argparse
from pathlib import Path

from safetensors import safe_open

from tmtv_engine.model.checkpoint import write_model
from tmtv_engine.model.recipes import RECIPES
from tmtv_engine.phantom.person import TRAINING_SEEDS


def export(run: Path, out: Path, recipe: str = "coarse") -> int:
    """Write the running mean of a checkpoint's weights as a model; returns the steps it saw."""
    with safe_open(run / "checkpoint.safetensors", "pt") as file:
        names = [k for k in file.keys() if k.startswith("mean.")]  # noqa: SIM118
        weights = {k.removeprefix("mean."): file.get_tensor(k) for k in names}
        steps = int(file.metadata()["step"])
    write_model(
        out,
        weights,
        RECIPES[recipe],
        name="vnet",
        trained_on="digital patients only",
        steps=steps,
        seeds=[TRAINING_SEEDS, TRAINING_SEEDS + steps - 1],
        command=f"python -m tmtv_engine.train.digital RUN --recipe {recipe} --steps {steps}",
    )
    return steps


def main() -> None:
    """Export from the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("run", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--recipe", default="coarse", choices=sorted(RECIPES))
    given = parser.parse_args()
    print(export(given.run, given.out, given.recipe), "steps")


if __name__ == "__main__":
    main()
