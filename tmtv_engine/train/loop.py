"""Training, from top to bottom: epochs, rate, validation, checkpoints, resume, several processes.

One loop for every source of patients and every recipe; each hyper-parameter of a recipe is read
here, in `lesson` or in `run`.
"""

from __future__ import annotations

import csv
import io
import os
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import torch
import torch.distributed as dist
from torch import Tensor

from tmtv_engine.errors import InputError
from tmtv_engine.files import make_folder, write_text
from tmtv_engine.model.checkpoint import write_model
from tmtv_engine.model.recipes import Recipe
from tmtv_engine.train.curve import write_curve
from tmtv_engine.train.lesson import Batch, Lesson, batch_of, steps_of
from tmtv_engine.train.run import Run
from tmtv_engine.train.source import Source

COLUMNS = ("epoch", "loss", "val_dice", "rate", "seconds", "waited")
"""``waited``: the share of the epoch's seconds in which its steps waited for patients."""
METRICS = "metrics.csv"
LAST = "last.safetensors"
Say = Callable[[str], None]


def silent(text: str) -> None:
    """Say nothing."""


def rate_at(step: int, recipe: Recipe, steps: int) -> float:
    """The rate of a step: warm-up, the recipe's rate, a half cosine over the last ``anneal``."""
    rate = recipe.rate * min(1.0, (step + 1) / max(1, recipe.warm_up))
    left = steps - step
    if recipe.anneal and left < recipe.anneal:
        rate *= 0.5 * (1 - np.cos(np.pi * max(left, 0) / recipe.anneal))
    return float(rate)


def train(
    source: Source,
    out: Path,
    recipe: Recipe,
    *,
    device: str = "cpu",
    resume: bool = False,
    compiled: bool = False,
    ahead: int = 1,
    begin: Mapping[str, Tensor] | None = None,
    say: Say = silent,
    live: Say = silent,
) -> Run:
    """Train ``recipe.epochs`` epochs into the folder ``out``; returns the run.

    After each epoch: `last.safetensors` to go on from, the best network by validation Dice as a
    model (`model.json`, `weights.safetensors`), a row of `metrics.csv` and `curve.png`; ``say``
    gets a line then, and a last one of the waiting; ``live`` one after each step. ``ahead``
    threads make the coming steps' batches. ``begin``: weights to begin with. Raises `InputError`
    for an empty cohort, a folder that holds a run and was not to be resumed, or a run of another
    recipe or cohort.
    """
    run, last = Run(recipe, device, compiled=compiled), out / LAST
    if last.exists():
        if not resume:
            raise InputError(f"{out}: holds a run already", "Give --resume, or another folder.")
        run.load(last, source.data_sha256)
    elif begin is not None:
        run.begin(begin)
    clock = Clock(run.epoch, recipe.epochs)
    while run.epoch < recipe.epochs:
        begun = time.monotonic()
        lessons = source.lessons(run.epoch)
        drawn = time.monotonic()
        if not lessons:
            raise InputError(
                "no patient is left to train on", "Give more patients, or a split column."
            )
        loss = _epoch(run, lessons, ahead, lambda text, share: live(clock.tell(text, share)))
        run.epoch += 1
        score = run.validate(source.held_out())
        if _rank() == 0:
            took, waited = time.monotonic() - begun, drawn - begun
            clock.count(waited, took)
            _keep(run, source, out, (run.epoch, loss, score, _rate(run), took, waited / took))
            say(clock.tell(f"loss {loss:.4f}  val {score:.4f}", float(run.epoch)))
    if clock.spent_s:
        say(clock.waiting())
    return run


class Clock:
    """How long a run has still to go, by the pace since it began or went on."""

    def __init__(self, first: int, epochs: int) -> None:
        self.first, self.last, self.started = first, epochs, time.monotonic()
        self.epochs, self.waited_s, self.spent_s = 0, 0.0, 0.0

    def count(self, waited_s: float, spent_s: float) -> None:
        """Take an epoch into account; the first, before which nothing is drawn, has to wait."""
        self.epochs += 1
        if self.epochs > 1:
            self.waited_s += waited_s
            self.spent_s += spent_s

    def waiting(self) -> str:
        """How much of the time, after the first epoch, the steps waited for patients."""
        share = self.waited_s / self.spent_s
        return f"{share:.1%} of the time after the first epoch waited for patients"

    def tell(self, text: str, done: float) -> str:
        """``text`` between the epoch and the time left, ``done`` epochs being over."""
        pace = (time.monotonic() - self.started) / max(done - self.first, 1e-9)
        minutes, seconds = divmod(round(pace * (self.last - done)), 60)
        hours, minutes = divmod(minutes, 60)
        at = min(int(done) + (done > int(done)), self.last)
        return f"epoch {at}/{self.last}  {text}  {hours}:{minutes:02d}:{seconds:02d} left"


def _epoch(
    run: Run, lessons: list[Lesson], ahead: int, live: Callable[[str, float], None]
) -> float:
    """One epoch; with several processes each takes its share and the gradients are averaged."""
    steps = steps_of(lessons, run.recipe)
    size = dist.get_world_size() if dist.is_initialized() else 1
    share = steps[_rank() : len(steps) // size * size or len(steps) : size]
    losses: list[float] = []
    for group, batch in _batches(share, run.recipe, ahead):
        first = group[0]
        key = [run.recipe.seed, first.epoch, first.number, int(first.extra), 1]
        seed = np.random.default_rng([*key, first.showing] if first.showing else key)
        torch.manual_seed(int(seed.integers(2**62)))  # dropout's
        rate = rate_at(run.step, run.recipe, run.recipe.epochs * len(share))
        losses.append(run.learn(batch, rate))
        done = len(losses)
        text = f"step {done}/{len(share)}  loss {losses[-1]:.4f}"
        live(text, run.epoch + done / (len(share) + 1))
    return float(np.mean(losses))


def _batches(
    groups: Sequence[Sequence[Lesson]], recipe: Recipe, threads: int
) -> Iterator[tuple[Sequence[Lesson], Batch]]:
    """Each step's lessons and its batch, a few of which are made while others are learnt from."""
    with ThreadPoolExecutor(threads) as pool:
        waiting = deque[Future[Batch]]()
        for k, group in enumerate(groups):
            upcoming = groups[k + len(waiting) : k + 2 * threads]
            waiting.extend(pool.submit(batch_of, some, recipe) for some in upcoming)
            yield group, waiting.popleft().result()


def _rate(run: Run) -> float:
    return float(run.optimizer.param_groups[0]["lr"])


def _keep(run: Run, source: Source, out: Path, row: tuple[float, ...]) -> None:
    make_folder(out)
    score = row[2]
    told = score == score  # NaN: nobody was held out
    if not score <= run.best or not (out / "model.json").exists():
        run.best = score if told else run.best
        write_model(
            out,
            run.weights(),
            run.recipe,
            name=out.name,
            half=False,
            epoch=run.epoch,
            steps=run.step,
            val_dice=score if told else None,
            **source.told(run.epoch),
        )
    run.save(out / LAST, source.data_sha256)
    path = out / METRICS
    before = path.read_text("utf-8").splitlines()[1 : run.epoch] if path.exists() else []
    text = io.StringIO()
    rows = csv.writer(text, lineterminator="\n")
    rows.writerow(COLUMNS)
    rows.writerows((*line.split(","), "")[: len(COLUMNS)] for line in before)  # older: no waiting
    rows.writerow(row)
    write_text(path, text.getvalue())
    write_curve(path, out / "curve.png")


def _rank() -> int:
    return dist.get_rank() if dist.is_initialized() else 0


@contextmanager
def processes() -> Iterator[None]:
    """Join the processes that ``torchrun`` started; alone there is nothing to join."""
    if int(os.environ.get("WORLD_SIZE", "1")) == 1:
        yield
        return
    dist.init_process_group("nccl" if torch.cuda.is_available() else "gloo")
    try:
        yield
    finally:
        dist.destroy_process_group()
