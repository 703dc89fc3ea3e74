"""``tmtv train``: a network from a cohort with ROIs."""

from __future__ import annotations

from pathlib import Path

import typer

from tmtv_engine.model.recipes import RECIPES
from tmtv_tui.cli import console, options


def train(
    dataset: Path = typer.Argument(
        ..., metavar="DATASET", help="CSV manifest (case,pet,ct,roi), autoPET or nnU-Net raw."
    ),
    out: Path = typer.Option(
        ..., "-o", "--out", metavar="FOLDER", help="Folder of the run, then --model's."
    ),
    recipe: str = typer.Option(
        "coarse", "--recipe", metavar="RECIPE", help=f"{', '.join(RECIPES)}."
    ),
    epochs: int | None = typer.Option(
        None, "--epochs", metavar="N", min=1, help="Default: the recipe's."
    ),
    seed: int = typer.Option(
        0, "--seed", metavar="N", min=0, help="Of the split and everything random."
    ),
    device: str = options.DEVICE,
    resume: bool = typer.Option(False, "--resume", help="Go on from the last epoch."),
    cache: Path | None = typer.Option(
        None, "--cache", metavar="FOLDER", help="Default: OUT/cache."
    ),
    compiled: bool = typer.Option(False, "--compile", help="Through torch.compile (CUDA)."),
    scheduler: str | None = options.SCHEDULER,
    jobs: int = options.JOBS,
    as_json: bool = options.JSON,
    quiet: bool = options.QUIET,
) -> int:
    """Train a network on patients with ROIs.

    tmtv predict --model FOLDER then uses it.
    """
    console.VOICE.quiet = quiet
    options.choice(recipe, tuple(RECIPES), "--recipe")
    from tmtv_engine.train.__main__ import train_dataset

    progress = console.Progress()

    def say(text: str) -> None:
        progress.clear()
        console.say(text)

    train_dataset(
        dataset,
        out,
        recipe=recipe,
        epochs=epochs,
        seed=seed,
        device=device,
        resume=resume,
        cache=cache,
        compiled=compiled,
        cluster=options.cluster_of(scheduler, jobs),
        say=say,
        live=progress.line,
    )
    if as_json:
        console.out_json({"run": str(out)})
    else:
        console.out(str(out))
    return 0
