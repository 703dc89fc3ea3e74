"""Training on a cohort, from top to bottom: epochs, validation, checkpoints, resume, DDP.

Everything random is drawn from (seed, epoch, patient), so that a run that was killed and resumed
is the run that was not.
"""

from __future__ import annotations

import csv
import dataclasses
import hashlib
import io
import json
import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import torch.distributed as dist
from safetensors import safe_open
from safetensors.torch import load_file, save
from torch import Tensor, nn

from tmtv_engine.errors import InputError
from tmtv_engine.files import make_folder, write_bytes, write_text
from tmtv_engine.model.checkpoint import write_model
from tmtv_engine.model.infer import scaled, scaled_hu
from tmtv_engine.model.recipes import Recipe
from tmtv_engine.model.vnet import VNet
from tmtv_engine.train.augment import motion, moved
from tmtv_engine.train.curve import write_curve
from tmtv_engine.train.dataset import Cohort, load_patient
from tmtv_engine.train.loss import dice_and_entropy, soft_dice_loss

COLUMNS = ("epoch", "loss", "val_dice", "rate", "seconds")
FREE = ("epochs",)  # what a run that goes on may change of its recipe
Say = Callable[[str], None]


def silent(text: str) -> None:
    """Say nothing."""


@dataclass(frozen=True)
class Lesson:
    """One step's patient: which file, seen in which epoch, as it is or moved."""

    path: Path
    number: int
    epoch: int
    extra: bool


def lessons_of(paths: Sequence[Path], recipe: Recipe, epoch: int) -> list[Lesson]:
    """An epoch's lessons in order: each patient as it is and, where asked, moved."""
    kinds = (False, True) if recipe.extra_copy else (False,)
    every = [Lesson(p, k, epoch, extra) for k, p in enumerate(paths) for extra in kinds]
    order = np.random.default_rng((recipe.seed, epoch)).permutation(len(every))
    return [every[k] for k in order]


def batch_of(lesson: Lesson, recipe: Recipe) -> tuple[Tensor, Tensor]:
    """Image (1, channels, z, y, x) and TMTVprob (1, 1, z, y, x) of a lesson."""
    patient = load_patient(lesson.path)
    r = np.random.default_rng((recipe.seed, lesson.epoch, lesson.number, int(lesson.extra)))
    gain = float(np.exp(r.uniform(-1, 1) * np.log(recipe.gain)))
    channels = [scaled(patient["suv"] * gain, recipe.scaling), scaled_hu(patient["hu"])]
    image = torch.stack([*channels[: recipe.architecture.inputs], patient["prob"]])
    if lesson.extra:
        shape = (image.shape[1], image.shape[2], image.shape[3])
        image = moved(image, motion(r, shape, recipe.spacing_mm))
    image = image[None].contiguous(memory_format=torch.channels_last_3d)
    return image[:, :-1], image[:, -1:]


class Run:
    """A network in training, its optimizer and how far it has come.

    ``compiled``: through `torch.compile`, which pays on CUDA and needs a compiler on a CPU.
    """

    def __init__(self, recipe: Recipe, device: str = "cpu", *, compiled: bool = False) -> None:
        torch.manual_seed(recipe.seed)
        self.recipe, self.device = recipe, torch.device(device)
        self.net = VNet(recipe.architecture).to(self.device, memory_format=torch.channels_last_3d)  # type: ignore[call-overload]
        if compiled:
            self.net.compile()
        self.model: nn.Module = self.net
        if dist.is_initialized():
            self.model = nn.parallel.DistributedDataParallel(self.net)
        if recipe.optimizer == "sgd":
            self.optimizer: torch.optim.Optimizer = torch.optim.SGD(
                self.net.parameters(), lr=recipe.rate, momentum=recipe.momentum
            )
        else:
            self.optimizer = torch.optim.AdamW(
                self.net.parameters(), lr=recipe.rate, weight_decay=recipe.weight_decay
            )
        self.epoch, self.best = 0, -1.0

    def learn(self, image: Tensor, target: Tensor) -> float:
        """One step; returns the loss."""
        logits = self._logits(self.model, image)
        target = target.to(self.device)
        if self.recipe.entropy:
            loss = dice_and_entropy(logits, target, self.recipe.entropy)
        else:
            loss = soft_dice_loss(torch.sigmoid(logits), target)
        self.optimizer.zero_grad(set_to_none=True)
        torch.autograd.backward(loss)
        if self.recipe.clip:
            nn.utils.clip_grad_norm_(self.net.parameters(), self.recipe.clip)
        self.optimizer.step()
        return float(loss.detach())

    @torch.no_grad()
    def validate(self, paths: Sequence[Path]) -> float:
        """Mean soft Dice over patients as they are; NaN where there are none."""
        self.net.eval()
        plain = [Lesson(path, k, 0, False) for k, path in enumerate(paths)]
        scores = []
        for image, target in (batch_of(lesson, self.recipe) for lesson in plain):
            chance = torch.sigmoid(self._logits(self.net, image))
            scores.append(1 - float(soft_dice_loss(chance, target.to(self.device))))
        self.net.train()
        return float(np.mean(scores)) if scores else float("nan")

    def _logits(self, model: nn.Module, image: Tensor) -> Tensor:
        kind = torch.bfloat16 if self.device.type in ("cpu", "cuda") else torch.float32
        with torch.autocast(self.device.type, dtype=kind, enabled=self.recipe.bf16):
            out: Tensor = model(image.to(self.device))
        return out.float()

    def save(self, path: Path, data_sha256: str = "") -> None:
        """Everything that `load` needs, whole or not at all."""
        tensors = {
            f"net.{k}": v.detach().cpu().contiguous() for k, v in self.net.state_dict().items()
        }
        for k, state in self.optimizer.state_dict()["state"].items():
            some = {n: v for n, v in state.items() if isinstance(v, Tensor)}
            tensors |= {f"optimizer.{k}.{n}": v.cpu().contiguous() for n, v in some.items()}
        told = {
            "epoch": str(self.epoch),
            "best": repr(self.best),
            "recipe": _settled(self.recipe),
            "data_sha256": data_sha256,
            "sha256": _content(tensors),
        }
        write_bytes(path, save(tensors, told))

    def load(self, path: Path, data_sha256: str = "") -> None:
        """Go on from a checkpoint; raises `InputError` unless recipe and data are its own."""
        tensors = load_file(path)
        with safe_open(path, "pt") as file:
            told = file.metadata() or {}
        if told.get("sha256") != _content(tensors):
            raise InputError(f"{path}: is no whole checkpoint", "Train anew, in another folder.")
        if told["recipe"] != _settled(self.recipe) or told["data_sha256"] != data_sha256:
            what = "recipe" if told["recipe"] != _settled(self.recipe) else "patients"
            raise InputError(f"{path}: was trained with other {what}", "Take another folder.")
        self.epoch, self.best = int(told["epoch"]), float(told["best"])
        self.net.load_state_dict({k[4:]: v for k, v in tensors.items() if k.startswith("net.")})
        whole = self.optimizer.state_dict()
        for key, value in tensors.items():
            if key.startswith("optimizer."):
                _, number, name = key.split(".")
                whole["state"].setdefault(int(number), {})[name] = value
        self.optimizer.load_state_dict(whole)


def _settled(recipe: Recipe) -> str:
    """The part of a recipe that a run keeps, as JSON."""
    plan = {k: v for k, v in dataclasses.asdict(recipe).items() if k not in FREE}
    return json.dumps(plan, sort_keys=True)


def _content(tensors: dict[str, Tensor]) -> str:
    """SHA-256 over names and bytes of tensors."""
    total = hashlib.sha256()
    for name in sorted(tensors):
        total.update(name.encode())
        total.update(tensors[name].contiguous().view(-1).view(torch.uint8).numpy().data)
    return total.hexdigest()


def train(
    cohort: Cohort,
    out: Path,
    recipe: Recipe,
    *,
    data_sha256: str = "",
    device: str = "cpu",
    resume: bool = False,
    compiled: bool = False,
    say: Say = silent,
    live: Say = silent,
) -> Run:
    """Train ``recipe.epochs`` epochs into the folder ``out``; returns the run.

    After each epoch: `last.safetensors` to go on from, the best network by validation Dice as a
    model (`model.json`, `weights.safetensors`), a row of `metrics.csv` and `curve.png`; ``say``
    gets a line then, ``live`` one after each step. Raises `InputError` for an empty cohort, a
    folder that holds a run and was not to be resumed, or a run of another recipe or cohort.
    """
    if not cohort["train"]:
        raise InputError("no patient is left to train on", "Give more patients, or a split column.")
    run, last = Run(recipe, device, compiled=compiled), out / "last.safetensors"
    if last.exists():
        if not resume:
            raise InputError(f"{out}: holds a run already", "Give --resume, or another folder.")
        run.load(last, data_sha256)
    make_folder(out)
    clock = Clock(run.epoch, recipe.epochs)
    while run.epoch < recipe.epochs:
        begun = time.monotonic()
        loss = _epoch(run, cohort["train"], lambda text, share: live(clock.tell(text, share)))
        run.epoch += 1
        score = run.validate(cohort["val"])
        if _rank() == 0:
            row = (run.epoch, loss, score, recipe.rate, time.monotonic() - begun)
            _keep(run, out, score, row, data_sha256)
            say(clock.tell(f"loss {loss:.4f}  val {score:.4f}", float(run.epoch)))
    return run


class Clock:
    """How long a run has still to go, by the pace since it began or went on."""

    def __init__(self, first: int, epochs: int) -> None:
        self.first, self.epochs, self.started = first, epochs, time.monotonic()

    def tell(self, text: str, done: float) -> str:
        """``text`` between the epoch and the time left, ``done`` epochs being over."""
        pace = (time.monotonic() - self.started) / max(done - self.first, 1e-9)
        minutes, seconds = divmod(round(pace * (self.epochs - done)), 60)
        hours, minutes = divmod(minutes, 60)
        at = min(int(done) + (done > int(done)), self.epochs)
        return f"epoch {at}/{self.epochs}  {text}  {hours}:{minutes:02d}:{seconds:02d} left"


def _epoch(run: Run, paths: Sequence[Path], live: Callable[[str, float], None]) -> float:
    """One epoch; with several processes each takes its share and the gradients are averaged."""
    lessons = lessons_of(paths, run.recipe, run.epoch)
    size = dist.get_world_size() if dist.is_initialized() else 1
    short = len(lessons) // size * size or len(lessons)
    losses: list[float] = []
    share = lessons[_rank() : short : size]
    for lesson in share:
        key = (run.recipe.seed, lesson.epoch, lesson.number, int(lesson.extra), 1)
        torch.manual_seed(int(np.random.default_rng(key).integers(2**62)))  # dropout's
        losses.append(run.learn(*batch_of(lesson, run.recipe)))
        done = len(losses)
        text = f"step {done}/{len(share)}  loss {losses[-1]:.4f}"
        live(text, run.epoch + done / (len(share) + 1))
    return float(np.mean(losses))


def _keep(run: Run, out: Path, score: float, row: tuple[float, ...], data_sha256: str) -> None:
    if not score <= run.best or not (out / "model.json").exists():
        run.best = score if score == score else run.best
        write_model(
            out,
            run.net.state_dict(),
            run.recipe,
            name=out.name,
            trained_on=f"cohort {data_sha256[:12]}",
            half=False,
            epoch=run.epoch,
            val_dice=score if score == score else None,
            data_sha256=data_sha256,
        )
    run.save(out / "last.safetensors", data_sha256)
    path = out / "metrics.csv"
    before = path.read_text("utf-8").splitlines()[1 : run.epoch] if path.exists() else []
    text = io.StringIO()
    rows = csv.writer(text, lineterminator="\n")
    rows.writerows([COLUMNS, *(line.split(",") for line in before), row])
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
