"""Training on digital patients as they are drawn: ``python -m tmtv_engine.train.digital RUN``.

The same loop as a cohort's: an epoch is so many new patients, drawn by other processes while the
network learns from the epoch before, and a kill costs no more than the epoch it fell into.
"""

from __future__ import annotations

import argparse
import dataclasses
import sys
from pathlib import Path

import torch

from tmtv_engine.errors import TmtvError, UsageError
from tmtv_engine.model.checkpoint import read_model
from tmtv_engine.model.infer import device_of
from tmtv_engine.model.recipes import RECIPES
from tmtv_engine.phantom.anatomies import Anatomies
from tmtv_engine.phantom.person import TRAINING_SEEDS
from tmtv_engine.train.loop import train
from tmtv_engine.train.source import DigitalSource


def main() -> int:
    """Train until ``--epochs``; with a checkpoint in RUN, go on from it."""
    given = _parsed()
    torch.set_num_threads(given.threads if given.device == "cpu" else 1)
    torch.backends.cudnn.benchmark = True  # windows come in few sizes
    changed = {
        key: value
        for key in ("epochs", "anneal", "seed", "batch", "shows", "bf16", "learns")
        if (value := getattr(given, key)) is not None
    }
    recipe = dataclasses.replace(RECIPES[given.recipe], **changed)
    try:
        source = DigitalSource(
            recipe,
            anatomies=Anatomies.load(given.anatomies) if given.anatomies else None,
            patients=given.patients,
            workers=given.workers,
            first_seed=given.first_seed,
        )
        train(
            source,
            given.run,
            recipe,
            device=str(device_of(given.device)),
            resume=True,
            compiled=given.compile,
            ahead=given.threads,
            begin=read_model(given.begin)[0] if given.begin else None,
            say=_say,
        )
    except TmtvError as error:
        _say(f"error: {error}")
        return 2 if isinstance(error, UsageError) else 1
    except KeyboardInterrupt:
        _say(f"stopped: the same command goes on from the last epoch of {given.run}")
        return 130
    return 0


def count(word: str) -> int:
    """A whole number from 1 on."""
    number = int(word)
    if number < 1:
        raise argparse.ArgumentTypeError("give a whole number from 1 on")
    return number


def _parsed() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("run", type=Path, help="folder for checkpoint, model and metrics")
    parser.add_argument("--recipe", default="body", choices=sorted(RECIPES))
    parser.add_argument("--anatomies", type=Path, help="folder of organ maps to draw in")
    parser.add_argument("--epochs", type=count)
    parser.add_argument("--patients", type=count, default=32, help="new ones an epoch")
    parser.add_argument("--first-seed", type=int, default=TRAINING_SEEDS, help="of the patients")
    parser.add_argument("--anneal", type=int, help="steps over which the rate falls at the end")
    parser.add_argument("--seed", type=int)
    parser.add_argument("--begin", type=Path, help="model whose weights a new run begins with")
    parser.add_argument("--workers", type=int, default=1, help="processes that draw")
    parser.add_argument("--batch", type=count, help="windows a step")
    parser.add_argument("--bf16", action="store_true", default=None, help="for a GPU")
    parser.add_argument("--shows", type=count, help="how often an epoch shows each patient")
    parser.add_argument("--learns", help="the part of the network that alone learns")
    parser.add_argument("--threads", type=count, default=1, help="that make batches, or compute")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--compile", action="store_true", help="needs a C++ compiler")
    return parser.parse_args()


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
