"""Training from the command line, alone or through ``torchrun -m tmtv_engine.train``."""

from __future__ import annotations

import argparse
import dataclasses
import hashlib
import os
import sys
from pathlib import Path

from tmtv_engine.cluster import Cluster
from tmtv_engine.errors import TmtvError, UsageError
from tmtv_engine.model.infer import device_of
from tmtv_engine.model.recipes import RECIPES
from tmtv_engine.study.split import write_split
from tmtv_engine.train.dataset import prepare_all, read_dataset, split_of
from tmtv_engine.train.loop import Say, processes, silent, train
from tmtv_engine.train.source import CohortSource


def train_dataset(
    dataset: Path,
    out: Path,
    *,
    recipe: str = "coarse",
    epochs: int | None = None,
    seed: int = 0,
    device: str = "auto",
    resume: bool = False,
    cache: Path | None = None,
    compiled: bool = False,
    cluster: Cluster | None = None,
    say: Say = silent,
    live: Say = silent,
) -> None:
    """Train ``recipe`` on a cohort into ``out``; see `read_dataset`, `prepare_all` and `train`."""
    if recipe not in RECIPES:
        raise UsageError(f"no recipe is called {recipe!r}", f"One of {', '.join(RECIPES)}.")
    chosen = dataclasses.replace(
        RECIPES[recipe], seed=seed, epochs=epochs or RECIPES[recipe].epochs
    )
    studies = read_dataset(dataset)
    parts = split_of(studies, seed)
    if os.environ.get("RANK", "0") == "0":
        told = any(s.extra.get("split") for s in studies)
        write_split(out, parts, "column split" if told else f"seed {seed}")
    counts = ", ".join(f"{len(some)} {name}" for name, some in parts.items())
    say(f"preparing {counts} patients")
    cohort = prepare_all(parts, chosen, cache or out / "cache", cluster)
    names = sorted(path.name for some in cohort.values() for path in some)
    data = hashlib.sha256("\n".join(names).encode()).hexdigest()
    with processes():
        train(
            CohortSource(cohort, chosen, data),
            out,
            chosen,
            device=str(device_of(device)),
            resume=resume,
            compiled=compiled,
            say=say,
            live=live,
        )


def main() -> int:
    """Read the options, train, and tell."""
    parser = argparse.ArgumentParser(prog="tmtv_engine.train", description=__doc__)
    parser.add_argument("dataset", type=Path)
    parser.add_argument("-o", "--out", type=Path, required=True)
    parser.add_argument("--recipe", default="coarse", choices=sorted(RECIPES))
    parser.add_argument("--epochs", type=int)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--device", default="auto")
    parser.add_argument("--resume", action="store_true")
    parser.add_argument("--cache", type=Path)
    parser.add_argument("--compile", dest="compiled", action="store_true")
    given = vars(parser.parse_args())
    alone = os.environ.get("RANK", "0") == "0"
    live = _live if alone and sys.stderr.isatty() else silent
    try:
        train_dataset(given.pop("dataset"), given.pop("out"), say=_say, live=live, **given)
    except TmtvError as error:
        _say(f"error: {error}")
        return 1
    return 0


def _say(text: str) -> None:
    print(("\r\x1b[K" if sys.stderr.isatty() else "") + text, file=sys.stderr, flush=True)


def _live(text: str) -> None:
    print("\r\x1b[K" + text, end="", file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
