"""A model that others trained: an nnU-Net v2 results folder through nnunetv2's own predictor.

The folder is the one that holds `dataset.json`, `plans.json` and `fold_*`. What it needs is an
architecture that nnunetv2 or dynamic_network_architectures builds, a label list and weights that
fit; the name of the trainer that made it does not matter. Nothing in a folder is run
(docs/decisions/0004). nnunetv2 is the optional extra ``nnunet``.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from importlib import util
from pathlib import Path
from typing import Any

import numpy as np
import torch

from tmtv_engine.errors import InputError
from tmtv_engine.image.resample import resample
from tmtv_engine.image.volume import Array, Grid, Unit, Volume
from tmtv_engine.model.channels import HU_TOP
from tmtv_engine.model.clicks import Clicks
from tmtv_engine.model.infer import device_of
from tmtv_engine.model.nnunet_folder import Folder, read_folder
from tmtv_engine.model.nnunet_logits import Answer, answer
from tmtv_engine.model.nnunet_naming import flipped, naming_of, step_of
from tmtv_engine.model.nnunet_plans import configuration_of
from tmtv_engine.model.nnunet_predictor import Box, Plan, Predictor, Prepared, plan_of, room_for
from tmtv_engine.model.nnunet_rehearsal import rehearse
from tmtv_engine.model.nnunet_stop import Stop
from tmtv_engine.model.nnunet_weights import Checkpoint, fitting, read_checkpoint
from tmtv_engine.model.segmenter import Prediction
from tmtv_engine.notices import Notice, notice
from tmtv_engine.text import clean

_ONE = threading.Lock()
"""A network's folds take turns in one network: one body at a time in a process."""


def load_model(
    folder: Path,
    device: str = "auto",
    *,
    channels: Sequence[str] | None = None,
    tumour: str | None = None,
    name: str | None = None,
    instead: Sequence[str] = (),
) -> NnUnetSegmenter:
    """The model of a results folder, ready to segment.

    ``channels`` and ``tumour`` say what the folder does not tell (`read_folder`); ``name``: what
    it is called, else by its data set; ``instead``: models that need no CT. Raises
    `InputError` for a folder that is none, or cannot be built, naming what is missing;
    `UsageError` where nnunetv2 is absent, or no label is the tumour's.
    """
    found = read_folder(folder, channels, tumour)
    return NnUnetSegmenter(found, device_of(device), name=name, instead=tuple(instead))


@dataclass(frozen=True)
class Loaded:
    """A folder's network with the weights of each fold; ``dropped``: what was left over of them."""

    plan: Plan
    predictor: Predictor
    dropped: tuple[str, ...]


def load(folder: Folder, device: torch.device) -> Loaded:
    """Read the checkpoints, build the network, and put both into nnunetv2's predictor."""
    where = str(folder.path)
    checkpoints, configuration = _read(folder)
    plan = plan_of(folder, configuration)
    fits = [
        fitting(
            configuration["architecture"],
            checkpoint,
            inputs=len(folder.channels),
            outputs=folder.heads.count,
            where=where,
            patch=configuration["patch_size"],
        )
        for checkpoint in checkpoints
    ]
    rehearse(folder, plan, checkpoints[0].mirrored)
    parameters = [weights for _, weights, _ in fits]
    predictor = Predictor(plan, fits[0][0], parameters, checkpoints[0].mirrored, device)
    return Loaded(plan, predictor, tuple(dict.fromkeys(w for *_, words in fits for w in words)))


def _read(folder: Folder) -> tuple[list[Checkpoint], dict[str, Any]]:
    checkpoints = [read_checkpoint(path) for path in folder.checkpoints]
    name = _configuration(folder, checkpoints)
    return checkpoints, configuration_of(folder.plans, name, str(folder.path))


def description(folder: Folder) -> dict[str, Any]:
    """What is to be told of a folder's network; its weights are read and, where nnunetv2 is
    there, fitted. Raises `InputError` as `load_model` does.
    """
    checkpoints, configuration = _read(folder)
    dropped = None
    if util.find_spec("nnunetv2") is not None:
        dropped = list(load(folder, torch.device("cpu")).dropped)
    architecture = configuration["architecture"]
    return {
        "configuration": clean(_configuration(folder, checkpoints)),
        "architecture": clean(str(architecture["network_class_name"]).rpartition(".")[2]),
        "parameters": sum(w.numel() for w in checkpoints[0].weights.values()),
        "trainer": checkpoints[0].trainer,
        "patch": [int(n) for n in configuration["patch_size"]],
        "spacing_mm": [float(mm) for mm in configuration["spacing"]],
        "normalisation": [clean(n) for n in configuration["normalization_schemes"]],
        "dropped": dropped,
    }


def _configuration(folder: Folder, checkpoints: Sequence[Checkpoint]) -> str:
    names = {c.configuration for c in checkpoints}
    there = list(folder.plans.get("configurations", {}))
    if names == {None} and len(there) == 1:
        return str(there[0])
    if names == {None}:
        what = f"{folder.path}: its checkpoint does not say which configuration it is"
        raise InputError(what, f"One of {clean(', '.join(map(str, there)) or 'none', 200)}.")
    if len(names) != 1 or None in names:
        listed = clean(", ".join(map(str, names)), 120)
        what = f"{folder.path}: its folds are of different configurations ({listed})"
        raise InputError(what, "Keep the folds of one training in a folder.")
    return str(names.pop())


class NnUnetSegmenter:
    """nnunetv2's predictor as a Segmenter.

    It pickles as the folder that it came from, and is loaded anew where it arrives: once there.
    """

    def __init__(
        self,
        folder: Folder,
        device: torch.device,
        loaded: Loaded | None = None,
        *,
        name: str | None = None,
        instead: tuple[str, ...] = (),
    ) -> None:
        self.folder, self.device = folder, device
        self.name, self.instead = name or f"nnunet:{folder.name}", instead
        self.loaded = loaded or load(folder, device)
        self.flip = "WithReorient" in str(folder.plans.get("image_reader_writer", ""))

    def __reduce__(self) -> tuple[Any, ...]:
        again = partial(NnUnetSegmenter, name=self.name, instead=self.instead)
        return again, (self.folder, self.device)

    @property
    def channels(self) -> tuple[str, ...]:
        """What the model takes, in order."""
        return self.folder.channels

    @property
    def device_name(self) -> str:
        """Where it runs."""
        return str(self.device)

    @cached_property
    def record(self) -> Mapping[str, str]:
        """What `case.json` says of the model."""
        return {
            "name": self.name,
            "sha256": self.folder.sha256(),
            "trained_on": f"by others, as {self.folder.name}",
        }

    @property
    def warnings(self) -> tuple[Notice, ...]:
        """What is said of every case."""
        dropped = self.loaded.dropped
        more = (notice("weights-left-out", clean(", ".join(dropped), 300)),) if dropped else ()
        return (notice("third-party-model"), *more)

    def __call__(self, suv: Volume, ct: Volume | None = None, /) -> Prediction:
        """The probability of tumour on the PET's grid, 0 … 1 float32, and the organs if any.

        The model gets PET and CT on the PET's voxels along the patient's axes (z, y, x of LPS, or
        of RAS where it was trained so); nnunetv2 brings them to its own spacing. Beyond the CT
        there is air, and no clicks were made. Raises `InputError` where the model needs a CT and
        there is none.
        """
        return self._predicted(suv, ct)

    def asked(
        self, suv: Volume, ct: Volume | None, clicks: Clicks, stop: Stop | None = None
    ) -> Volume:
        """The probability of tumour on the PET's grid after a reader's clicks, near the first one.

        Only windows that touch what lies within ``clicks.within_mm`` are run; there the answer is
        to the bit that of all of them. Raises as a call does, and `UsageError` for clicks outside
        or once ``stop()`` holds, which is looked at before each layer.
        """
        return self._predicted(suv, ct, clicks, stop).probability

    def _predicted(
        self,
        suv: Volume,
        ct: Volume | None,
        clicks: Clicks | None = None,
        stop: Stop | None = None,
    ) -> Prediction:
        grid = along_axes(suv.grid)
        room_for(self.loaded.plan, grid, len(self.channels), self.folder.heads.count)
        with _ONE:
            found, prepared = self._answer(suv, ct, grid, clicks, stop)
        seen = flipped(grid) if self.flip else grid
        naming = naming_of(found, prepared, self.folder.heads, seen)
        chance = np.ascontiguousarray(self._turned(prepared.placed(found.tumour)))
        there = resample(Volume(chance, grid, Unit.PROBABILITY), suv.grid)
        return Prediction(there, naming)

    def _answer(
        self, suv: Volume, ct: Volume | None, grid: Grid, clicks: Clicks | None, stop: Stop | None
    ) -> tuple[Answer, Prepared]:
        """What the network says of the image on ``grid``, and the way back to its voxels.

        Image, network's image and logits are let go of as soon as the next of them is there.
        """
        prepared, part = self._prepared(suv, ct, grid, clicks)
        logits = self.loaded.predictor.logits(prepared.data, part, stop)
        prepared = prepared.emptied()
        heads = self.folder.heads
        step = step_of(heads, prepared.spacing_mm)
        return answer(logits, prepared.zoom, prepared.cropped, heads, step), prepared

    def _prepared(
        self, suv: Volume, ct: Volume | None, grid: Grid, clicks: Clicks | None
    ) -> tuple[Prepared, Box | None]:
        """The image as the network sees it; where in it the answer is looked at (None: all)."""
        stack = self._stack(suv, ct, grid)
        box = None if clicks is None else self._clicked(stack, clicks, grid)
        prepared = self.loaded.plan.prepare(stack, grid.spacing_mm)
        return prepared, None if box is None else prepared.seen(*box)

    def _clicked(self, stack: Array, clicks: Clicks, grid: Grid) -> Box:
        """Put clicks into an image; where the answer is looked at, in the image's indices."""
        for kind, array in clicks.channels(grid).items():
            if kind in self.channels:
                stack[self.channels.index(kind)] = self._turned(array)
        low, high = clicks.box(grid)
        if self.flip:
            size = np.array(grid.shape)
            turned = np.array([False, True, True])
            low, high = np.where(turned, size - high, low), np.where(turned, size - low, high)
        return low, high

    def _stack(self, suv: Volume, ct: Volume | None, grid: Grid) -> Array:
        if ct is None and "ct" in self.channels:
            raise InputError(
                f"the model {self.name} needs a CT and there is none",
                f"Models of PET alone here: {', '.join(self.instead) or 'none'} (--model).",
            )
        stack = np.zeros((len(self.channels), *grid.shape), np.float32)
        stack[self.channels.index("pet")] = self._turned(resample(suv, grid).array)
        if ct is not None and "ct" in self.channels:
            there = resample(ct, grid, outside=-HU_TOP).array
            stack[self.channels.index("ct")] = self._turned(there)
        return stack

    def _turned(self, array: Array) -> Array:
        return array[:, ::-1, ::-1] if self.flip else array


def along_axes(grid: Grid) -> Grid:
    """``grid`` itself where its axes are the patient's, else one of its spacing around it."""
    steps = grid.affine[:3, :3][::-1]
    if np.abs(steps - np.diag(np.diag(steps))).max() < 1e-3 and (np.diag(steps) > 0).all():
        return grid
    size = np.abs(steps)  # by how much an index step moves along z, y, x
    spacing = [float(size[k].max()) for k in range(3)]
    corners = np.array(np.meshgrid(*[(0, n - 1) for n in grid.shape])).reshape(3, -1).T
    points = grid.to_mm(corners)
    low, high = points.min(axis=0), points.max(axis=0)
    z, y, x = (int(np.ceil((high - low)[2 - k] / spacing[k] - 1e-6)) + 1 for k in range(3))
    return Grid.axial((z, y, x), (spacing[0], spacing[1], spacing[2]), tuple(low), grid.frame_uid)
