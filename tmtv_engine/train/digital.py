"""Training on digital patients as they are drawn: ``python -m tmtv_engine.train.digital``.

Each patient is seen once, whole. A checkpoint is written every minute and a kill costs no more;
the rate is held, then lowered over the last part (``--anneal`` steps) to nothing.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from safetensors.torch import load_file, save
from torch import Tensor, nn

from tmtv_engine.files import write_bytes
from tmtv_engine.image.resample import BODY_SUV, SCATTER_ML
from tmtv_engine.model.infer import scaled
from tmtv_engine.model.recipes import RECIPES, Recipe
from tmtv_engine.model.vnet import VNet
from tmtv_engine.phantom.cohort import stream
from tmtv_engine.phantom.person import TRAINING_SEEDS
from tmtv_engine.phantom.sample import Sample
from tmtv_engine.train.loss import dice_and_entropy

CHECKPOINT_S = 60.0


def framed(sample: Sample, recipe: Recipe) -> Sample:
    """``sample`` without most of the air before and behind the body, as `model_grid` frames a PET.

    Rows (y) are kept in multiples of what the network halves, at least the recipe's.
    """
    rows = (sample.suv > BODY_SUV).sum(axis=(0, 2)) * (recipe.spacing_mm**3 / 1000.0)
    filled = np.flatnonzero(rows > SCATTER_ML)
    if not len(filled):
        return sample
    step = 2**recipe.architecture.levels
    reach = int(filled[-1] - filled[0] + 1)
    size = min(max(recipe.shape[1], -(-reach // step) * step), len(rows))
    first = int(np.clip((filled[0] + filled[-1] + 1 - size) // 2, 0, len(rows) - size))
    kept = (slice(None), slice(first, first + size))
    return sample.each(lambda a, _: a[kept])


def filled(sample: Sample, step: int) -> Sample:
    """``sample`` with air below and aside until its extents are multiples of ``step``."""
    missing = [-n % step for n in sample.suv.shape]
    pad = ((missing[0], 0), (0, missing[1]), (0, missing[2]))
    return sample.each(lambda a, empty: np.pad(a, pad, constant_values=empty))


def piece(sample: Sample, r: np.random.Generator) -> Sample:
    """A piece of ``sample``, most often around disease, on its own grid; the rest is nothing.

    It lies at the head end, amid rows and columns, as `model_grid` lays an image that is small.
    """
    chosen = sample.prob if r.random() < 0.8 and sample.prob.any() else sample.suv > BODY_SUV
    voxels = np.argwhere(chosen)
    if not len(voxels):
        return sample
    at = voxels[r.integers(len(voxels))]
    reach = (r.integers(15, 70), *((64, 64) if r.random() < 0.4 else r.integers(16, 34, 2)))
    first = [int(c - r.integers(n // 4, 3 * n // 4 + 1)) for c, n in zip(at, reach, strict=True)]
    return sample.each(lambda a, empty: _moved(a, first, reach, empty))


def _moved(
    array: npt.NDArray[Any], first: list[int], reach: tuple[int, ...], empty: float
) -> npt.NDArray[Any]:
    """The box of ``array`` from ``first`` on, moved to the last slices and the middle of y, x."""
    low = [max(0, a) for a in first]
    high = [min(n, a + b) for n, a, b in zip(array.shape, first, reach, strict=True)]
    box = array[tuple(slice(a, b) for a, b in zip(low, high, strict=True))]
    out = np.full_like(array, empty)
    (nz, ny, nx), (z, y, x) = array.shape, box.shape
    y0, x0 = (ny - y) // 2, (nx - x) // 2
    out[nz - z :, y0 : y0 + y, x0 : x0 + x] = box
    return out


class Trainer:
    """A network, its running mean, its optimizer, and how many steps they have seen."""

    def __init__(self, recipe: Recipe, device: str = "cpu") -> None:
        torch.manual_seed(recipe.seed)
        self.recipe, self.device, self.step = recipe, device, 0
        self.net = VNet(recipe.architecture).to(device, memory_format=torch.channels_last_3d)  # type: ignore[call-overload]
        self.mean = {k: v.detach().clone() for k, v in self.net.state_dict().items()}
        self.optimizer = torch.optim.AdamW(
            self.net.parameters(), lr=recipe.rate, weight_decay=recipe.weight_decay
        )

    def learn(self, sample: Sample, rate: float) -> tuple[float, float]:
        """One step on one patient; returns the loss and the soft Dice."""
        r = np.random.default_rng((self.recipe.seed, sample.seed))
        if r.random() < self.recipe.pieces:
            sample = piece(sample, r)
        sample = filled(framed(sample, self.recipe), 2**self.recipe.architecture.levels)
        gain = float(np.exp(r.uniform(-1, 1) * np.log(self.recipe.gain)))
        image = scaled(
            torch.from_numpy(sample.suv).to(self.device).float() * gain, self.recipe.scaling
        )
        image = image[None, None].contiguous(memory_format=torch.channels_last_3d)
        target = torch.from_numpy(sample.prob).to(self.device).float()[None, None]
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        with torch.autocast(self.device, dtype=torch.bfloat16):
            logits = self.net(image)
        loss = dice_and_entropy(logits.float(), target, self.recipe.entropy)
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(self.net.parameters(), self.recipe.clip)
        self.optimizer.step()
        self.step += 1
        self._average()
        with torch.no_grad():
            p = torch.sigmoid(logits.float())
            dice = 2 * (p * target).sum() / ((p**2).sum() + (target**2).sum() + 1e-6)
        return float(loss.detach()), float(dice)

    def _average(self) -> None:
        keep = min(self.recipe.average, (1 + self.step) / (10 + self.step))
        for key, value in self.net.state_dict().items():
            self.mean[key].lerp_(value.detach(), 1 - keep)

    def save(self, path: Path) -> None:
        """Everything that `load` needs, whole or not at all."""
        tensors: dict[str, Tensor] = {f"mean.{k}": v.contiguous() for k, v in self.mean.items()}
        tensors |= {f"net.{k}": v.contiguous() for k, v in self.net.state_dict().items()}
        for k, state in self.optimizer.state_dict()["state"].items():
            tensors |= {f"optimizer.{k}.{name}": v.contiguous() for name, v in state.items()}
        write_bytes(path, save(tensors, {"step": str(self.step)}))

    def load(self, path: Path) -> None:
        """Go on from a checkpoint."""
        tensors = load_file(path, self.device)
        self.mean = {k[5:]: v for k, v in tensors.items() if k.startswith("mean.")}
        self.net.load_state_dict({k[4:]: v for k, v in tensors.items() if k.startswith("net.")})
        whole = self.optimizer.state_dict()
        for key, value in tensors.items():
            if key.startswith("optimizer."):
                _, number, name = key.split(".")
                whole["state"].setdefault(int(number), {})[name] = value
        self.optimizer.load_state_dict(whole)
        self.step = int(whole["state"][0]["step"])


def rate_at(step: int, recipe: Recipe, steps: int, anneal: int) -> float:
    """Warm-up, then the recipe's rate, then a half cosine over the last ``anneal`` steps."""
    rate = recipe.rate * min(1.0, (step + 1) / max(1, recipe.warm_up))
    left = steps - step
    if anneal and left < anneal:
        rate *= 0.5 * (1 - np.cos(np.pi * max(left, 0) / anneal))
    return float(rate)


def main() -> None:
    """Train until ``--steps``; with a checkpoint in RUN, go on from it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("run", type=Path, help="folder for checkpoint and log")
    parser.add_argument("--recipe", default="coarse", choices=["coarse"])
    parser.add_argument("--steps", type=int, default=20000)
    parser.add_argument("--anneal", type=int, default=3000)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--compile", action="store_true", help="needs a C++ compiler; faster")
    given = parser.parse_args()
    torch.set_num_threads(given.threads)
    given.run.mkdir(parents=True, exist_ok=True)
    trainer = Trainer(RECIPES[given.recipe], given.device)
    checkpoint = given.run / "checkpoint.safetensors"
    if checkpoint.exists():
        trainer.load(checkpoint)
    if given.compile:
        trainer.net.compile(dynamic=False)
    patients = stream(TRAINING_SEEDS + trainer.step, workers=given.workers)
    _run(trainer, patients, given.steps, given.anneal, checkpoint)


def _run(
    trainer: Trainer, patients: Iterator[Sample], steps: int, anneal: int, checkpoint: Path
) -> None:
    saved = started = time.monotonic()
    first, window = trainer.step, []
    log = (checkpoint.parent / "log.jsonl").open("a")
    while trainer.step < steps:
        rate = rate_at(trainer.step, trainer.recipe, steps, anneal)
        window.append(trainer.learn(next(patients), rate))
        if trainer.step % 50 == 0:
            loss, dice = np.mean(window, axis=0)
            pace = (time.monotonic() - started) / (trainer.step - first)
            row = {"step": trainer.step, "loss": loss, "dice": dice, "rate": rate, "s": pace}
            print(json.dumps(row), file=log, flush=True)
            window = []
        if time.monotonic() - saved > CHECKPOINT_S or trainer.step == steps:
            trainer.save(checkpoint)
            saved = time.monotonic()
    log.close()


if __name__ == "__main__":
    main()
