"""A network in training: its running mean, its optimizer, one step, and its checkpoint."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import torch
import torch.distributed as dist
from safetensors import safe_open
from safetensors.torch import load_file, save
from torch import Tensor, nn

from tmtv_engine.errors import InputError, UsageError
from tmtv_engine.files import write_bytes
from tmtv_engine.model.bodynet import FOLD
from tmtv_engine.model.checkpoint import network_of, recipe_of
from tmtv_engine.model.plans import BodyPlan
from tmtv_engine.model.recipes import Recipe
from tmtv_engine.train.grow import another_network, grown
from tmtv_engine.train.lesson import Batch, Lesson, batch_of
from tmtv_engine.train.loss import dice_and_entropy, lesion_loss, naming_loss, soft_dice_loss

FREE = ("epochs", "anneal", "threshold", "yielding", "mirrored")
"""What a run that goes on may change of its recipe: how long, and what is settled after it."""


class Run:
    """A network in training, its running mean, its optimizer and how far it has come.

    ``compiled``: through `torch.compile`, which pays on CUDA and needs a compiler on a CPU.
    """

    def __init__(self, recipe: Recipe, device: str = "cpu", *, compiled: bool = False) -> None:
        torch.manual_seed(recipe.seed)
        self.recipe, self.device = recipe, torch.device(device)
        self.net = network_of(recipe.architecture).to(  # type: ignore[call-overload]
            self.device, memory_format=torch.channels_last_3d
        )
        for name, weight in self.net.named_parameters():
            weight.requires_grad_(name.startswith(recipe.learns))
        self.mean = {k: v.detach().clone() for k, v in self.net.state_dict().items()}
        if compiled:
            self.net.compile()
        self.model: nn.Module = self.net
        if dist.is_initialized():  # a cohort may lack the structures that a head would learn
            named = isinstance(recipe.architecture, BodyPlan)
            self.model = nn.parallel.DistributedDataParallel(self.net, find_unused_parameters=named)
        self.optimizer = _optimizer(self.net, recipe)
        self.epoch, self.step, self.best = 0, 0, -1.0

    def learn(self, batch: Batch, rate: float | None = None) -> float:
        """One step, by the recipe's rate unless another is given; returns the loss."""
        if rate is not None:
            for group in self.optimizer.param_groups:
                group["lr"] = rate
        loss = self.loss(batch)
        self.optimizer.zero_grad(set_to_none=True)
        torch.autograd.backward(loss)
        if self.recipe.clip:
            nn.utils.clip_grad_norm_(self.net.parameters(), self.recipe.clip)
        self.optimizer.step()
        self.step += 1
        self._average()
        return float(loss.detach())

    def loss(self, batch: Batch) -> Tensor:
        """What the recipe minimises."""
        batch = batch.on(self.device)
        tumour, names = self._logits(self.model, batch.image)
        target = batch.prob
        body = batch.image[:, -1:] if names is not None else None
        if not self.recipe.entropy:
            return soft_dice_loss(torch.sigmoid(tumour), target)
        loss = dice_and_entropy(tumour, target, self.recipe.entropy, body)
        if batch.shares is not None:
            loss = loss + self.recipe.lesions * lesion_loss(tumour, target, batch.shares)
        if names is None or body is None or batch.structures is None or not self.recipe.naming:
            return loss
        # one voxel of eight stands for all: which one is chance, so that none is preferred
        r = np.random.default_rng((self.recipe.seed, self.step))
        z, y, x = (slice(int(k), None, FOLD) for k in r.integers(0, FOLD, 3))
        labels = batch.structures[:, z, y, x]
        return loss + self.recipe.naming * naming_loss(names, labels, body[:, 0, z, y, x])

    @torch.no_grad()
    def _average(self) -> None:
        if not self.recipe.average:
            return
        keep = min(self.recipe.average, (1 + self.step) / (10 + self.step))
        new = {k: v for k, v in self.net.state_dict().items() if v.is_floating_point()}
        torch._foreach_lerp_([self.mean[k] for k in new], list(new.values()), 1 - keep)

    def weights(self) -> Mapping[str, Tensor]:
        """The weights of the model: the running mean where the recipe keeps one."""
        return self.mean if self.recipe.average else self.net.state_dict()

    @torch.no_grad()
    def validate(self, lessons: Sequence[Lesson]) -> float:
        """Mean soft Dice of the model over patients as they are; NaN where there are none."""
        judged = network_of(self.recipe.architecture).to(self.device)
        judged.load_state_dict(self.weights())
        judged.eval()
        scores = []
        for lesson in lessons:
            batch = batch_of([lesson], self.recipe, plain=True)
            tumour, _ = self._logits(judged, batch.image)
            chance = torch.sigmoid(tumour)
            scores.append(1 - float(soft_dice_loss(chance, batch.prob.to(self.device))))
        return float(np.mean(scores)) if scores else float("nan")

    def _logits(self, model: nn.Module, image: Tensor) -> tuple[Tensor, Tensor | None]:
        kind = torch.bfloat16 if self.device.type in ("cpu", "cuda") else torch.float32
        with torch.autocast(self.device.type, dtype=kind, enabled=self.recipe.bf16):
            out = model(image.to(self.device))
        if isinstance(out, tuple):
            return out[0].float(), out[1].float()
        return out.float(), None

    def begin(self, weights: Mapping[str, Tensor]) -> None:
        """Begin with the weights of a model that is there, of the same or a narrower network.

        Raises `InputError` for those of another one.
        """
        plan = self.recipe.architecture
        if isinstance(plan, BodyPlan):
            weights = grown({k: v.cpu() for k, v in _state(self.net)}, weights, plan)
        try:
            self.net.load_state_dict(dict(weights))
        except RuntimeError as error:
            raise another_network() from error
        self.mean = {k: v.detach().clone() for k, v in self.net.state_dict().items()}

    def save(self, path: Path, data_sha256: str = "") -> None:
        """Everything that `load` needs, whole or not at all."""
        tensors = {f"mean.{k}": v.detach().cpu().contiguous() for k, v in self.mean.items()}
        tensors |= {f"net.{k}": v.detach().cpu().contiguous() for k, v in _state(self.net)}
        for k, state in self.optimizer.state_dict()["state"].items():
            some = {n: v for n, v in state.items() if isinstance(v, Tensor)}
            tensors |= {f"optimizer.{k}.{n}": v.cpu().contiguous() for n, v in some.items()}
        told = {
            "epoch": str(self.epoch),
            "step": str(self.step),
            "best": repr(self.best),
            "recipe": json.dumps(dataclasses.asdict(self.recipe), sort_keys=True),
            "data_sha256": data_sha256,
            "sha256": _content(tensors),
        }
        write_bytes(path, save(tensors, told))

    def load(self, path: Path, data_sha256: str = "") -> None:
        """Go on from a checkpoint; raises `InputError` unless recipe and data are its own.

        Those of earlier versions are taken: a cohort's without a running mean, and a digital
        training's, which told its step alone.
        """
        tensors = load_file(path)
        with safe_open(path, "pt") as file:
            told = file.metadata() or {}
        whole = told.get("sha256") == _content(tensors) if "sha256" in told else "step" in told
        if not whole:
            raise InputError(f"{path}: is no whole checkpoint", "Train anew, in another folder.")
        other = [
            what
            for what, same in (
                ("recipe", _same_recipe(told.get("recipe"), self.recipe)),
                ("patients", told.get("data_sha256", data_sha256) == data_sha256),
            )
            if not same
        ]
        if other:
            raise InputError(f"{path}: was trained with other {other[0]}", "Take another folder.")
        self.epoch, self.best = int(told.get("epoch", 0)), float(told.get("best", -1.0))
        self.begin(_named(tensors, "net."))
        self.mean |= {k: v.to(self.device) for k, v in _named(tensors, "mean.").items()}
        state = self.optimizer.state_dict()
        for key, value in _named(tensors, "optimizer.").items():
            number, name = key.split(".")
            state["state"].setdefault(int(number), {})[name] = value
        self.optimizer.load_state_dict(state)
        counted = [int(s["step"]) for s in state["state"].values() if "step" in s]
        self.step = int(told.get("step", max(counted, default=0)))


def _optimizer(net: nn.Module, recipe: Recipe) -> torch.optim.Optimizer:
    learning = [weight for weight in net.parameters() if weight.requires_grad]
    if not learning:
        raise UsageError(f"the network has no part {recipe.learns!r}", "Name one that it has.")
    if recipe.optimizer == "sgd":
        return torch.optim.SGD(learning, lr=recipe.rate, momentum=recipe.momentum)
    return torch.optim.AdamW(learning, lr=recipe.rate, weight_decay=recipe.weight_decay)


def _state(net: nn.Module) -> list[tuple[str, Tensor]]:
    return list(net.state_dict().items())


def _named(tensors: Mapping[str, Tensor], start: str) -> dict[str, Tensor]:
    return {k.removeprefix(start): v for k, v in tensors.items() if k.startswith(start)}


def _same_recipe(told: str | None, recipe: Recipe) -> bool:
    """Whether a checkpoint's recipe is this one; what earlier versions did not tell is as it is."""
    if told is None:
        return True
    plan = json.loads(told)
    for key in FREE:
        plan[key] = getattr(recipe, key)
    return recipe_of(plan) == recipe


def _content(tensors: Mapping[str, Tensor]) -> str:
    """SHA-256 over names and bytes of tensors."""
    total = hashlib.sha256()
    for name in sorted(tensors):
        total.update(name.encode())
        total.update(tensors[name].contiguous().view(-1).view(torch.uint8).numpy().data)
    return total.hexdigest()
