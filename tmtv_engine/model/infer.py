"""A network as a Segmenter: SUV onto the model's grid, windows, and back to the PET's grid."""

from __future__ import annotations

import ctypes
import platform
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tmtv_engine.errors import DeviceError, InputError, UsageError
from tmtv_engine.image.resample import Shape, ramp, resample, windows
from tmtv_engine.image.volume import Grid, Unit, Volume
from tmtv_engine.lesion.redraw import redraw
from tmtv_engine.lesion.structures import STRUCTURES
from tmtv_engine.model.bodynet import FOLD
from tmtv_engine.model.channels import channels_of, grid_for, on_grid, takes_ct
from tmtv_engine.model.checkpoint import network_of, read_model
from tmtv_engine.model.naming import Naming, agreed
from tmtv_engine.model.plans import BodyPlan
from tmtv_engine.model.recipes import Recipe
from tmtv_engine.model.segmenter import Prediction
from tmtv_engine.model.upright import side_of_liver
from tmtv_engine.notices import Notice, notice

BUNDLED = Path(__file__).parent / "weights" / "vnet"
ROOMIER = 2.0
PLANES = 16
Float = npt.NDArray[np.float32]


def load_model(name: str | Path, device: str = "auto") -> NetworkSegmenter:
    """The bundled network (``vnet``) or the one of a run's folder, ready to segment.

    Raises `InputError` for a broken model, `DeviceError` for a device that is not there.
    """
    where, folder = device_of(device), BUNDLED if name == "vnet" else Path(name)
    weights, recipe, record = read_model(folder)
    try:
        with torch.device("meta"):  # what a broken record asks for takes no memory
            net = network_of(recipe.architecture)
        net.load_state_dict(weights, assign=True)
    except (RuntimeError, ValueError, ZeroDivisionError, IndexError) as error:
        raise InputError(
            f"{folder}: the weights are not its architecture's", "Copy the run's folder again."
        ) from error
    return NetworkSegmenter(net, recipe, record, where)


def device_of(name: str) -> torch.device:
    """The device of ``--device``: auto, cpu, cuda, cuda:N or mps; raises `DeviceError`."""
    if name == "auto":
        if torch.cuda.is_available():
            return torch.device("cuda")
        return torch.device("mps" if torch.backends.mps.is_available() else "cpu")
    try:
        device = torch.device(name)
    except RuntimeError as error:
        raise UsageError(f"no device is called {name!r}", "Use auto, cpu, cuda or mps.") from error
    there = {
        "cpu": True,
        "cuda": torch.cuda.device_count() > (device.index or 0),
        "mps": torch.backends.mps.is_available(),
    }
    if not there.get(device.type, False):
        raise DeviceError(f"there is no device {name} here", "Use --device auto or cpu.")
    return device


class NetworkSegmenter:
    """A network that turns SUV, and CT where it was trained on one, into a probability.

    ``record`` is what `case.json` says of the model. Without CT the CT channel is air everywhere.
    """

    warnings: tuple[Notice, ...] = ()

    def __init__(
        self, net: nn.Module, recipe: Recipe, record: Mapping[str, Any], device: torch.device
    ) -> None:
        self.net = net.eval().to(memory_format=torch.channels_last_3d)  # type: ignore[call-overload]
        self.recipe, self.device = recipe, device
        self.record = {key: str(record[key]) for key in ("name", "sha256", "trained_on")}
        self.names = tuple(record.get("structures", [row.name for row in STRUCTURES]))

    @property
    def takes_ct(self) -> bool:
        """Whether it looks at a CT."""
        return takes_ct(self.recipe)

    @property
    def ct_must_fit(self) -> bool:
        """Whether it does without a CT that does not lie on the PET: it learned of none such."""
        return isinstance(self.recipe.architecture, BodyPlan)

    @property
    def device_name(self) -> str:
        """Where it runs."""
        return str(self.device)

    def __call__(self, suv: Volume, ct: Volume | None = None, /) -> Prediction:
        """The probability of tumour on the PET's grid, 0 … 1; redrawn where the recipe says so."""
        found = self.plain(suv, ct)
        if not self.recipe.redraw:
            return found
        return Prediction(redraw(found.probability, suv), found.naming, found.notices)

    def plain(self, suv: Volume, ct: Volume | None = None) -> Prediction:
        """The network's own answer, not redrawn; nothing named physiologic exceeds one half."""
        answer, grid, notices = self.answers(suv, ct)
        chance, naming = recentred(answer[0], self.recipe.threshold), None
        if len(answer) > 1:
            given = recentred(answer[0], self.recipe.yielding)
            joint = agreed(chance, answer[1:], self.names, given)
            chance = np.minimum(chance, 1 - Naming(joint, self.names, grid).physiologic())
            naming = Naming(joint, self.names, grid, claimed=chance > 0.5)
            notices = (*notices, *side_of_liver(naming))
        del answer  # as much as all that follows
        found = resample(Volume(chance, grid, Unit.PROBABILITY), suv.grid)
        return Prediction(found, naming, notices)

    def answers(
        self, suv: Volume, ct: Volume | None = None
    ) -> tuple[Float, Grid, tuple[Notice, ...]]:
        """The probabilities (1 + S, z, y, x) as they come, and the model's grid that they are on.

        The first is tumour's, the others the structures', where the network tells any.
        """
        grid = grid_for(suv, self.recipe)
        hu = None
        if ct is not None and self.takes_ct:
            hu = torch.from_numpy(on_grid(ct, grid, self.recipe))
        seen = torch.from_numpy(on_grid(suv, grid, self.recipe))
        _give_back_memory()
        answer, notices = self._somewhere(channels_of(seen, hu, self.recipe))
        _give_back_memory()
        return answer, grid, notices

    def _somewhere(self, image: Tensor) -> tuple[Float, tuple[Notice, ...]]:
        """Predict on the device; where its memory is too small, in halves, then on the CPU."""
        said: tuple[Notice, ...] = ()
        for window, device in self._attempts(image):
            try:
                return self._blended(image, window, device), said
            except torch.OutOfMemoryError:
                torch.cuda.empty_cache()
                said += (notice("out-of-memory", f"{device}, windows of {window}"),)
        raise DeviceError("there is not enough memory for the network", "Close other programs.")

    def _attempts(self, image: Tensor) -> list[tuple[Shape, torch.device]]:
        """The whole where it is not much more than the network was trained on, else windows."""
        whole: Shape = (image.shape[1], image.shape[2], image.shape[3])
        roomy = np.prod(whole) <= ROOMIER * np.prod(self.recipe.shape)
        body = isinstance(self.recipe.architecture, BodyPlan)  # small, and made for whole bodies
        first = whole if roomy or body else self.recipe.shape
        multiple = 2**self.recipe.architecture.levels
        half = max(multiple, first[0] // 2 // multiple * multiple)
        smaller: Shape = (half, first[1], first[2])
        tries = [(first, self.device), (smaller, self.device)]
        return tries if self.device.type == "cpu" else [*tries, (first, torch.device("cpu"))]

    @torch.inference_mode()
    def _blended(self, image: Tensor, window: Shape, device: torch.device) -> Float:
        """Tumour and, where known, structures (1 + S, z, y, x), windows joined."""
        net = self.net.to(device)
        shape = (image.shape[1], image.shape[2], image.shape[3])
        total, weight = np.zeros((1, *shape), np.float32), np.zeros(shape, np.float32)
        boxes = windows(shape, window)
        for box in boxes:
            part = self._answer(net, image[(slice(None), *box)][None].to(device))
            share = ramp((part.shape[1], part.shape[2], part.shape[3]))
            part *= share
            weight[box] += share
            if len(boxes) == 1:  # a sum of one part needs no room of its own
                total = part
                break
            if len(part) > len(total):
                total = np.zeros((len(part), *shape), np.float32)
            total[(slice(None), *box)] += part
        total /= weight
        return total

    def _answer(self, net: nn.Module, image: Tensor) -> Float:
        """The probabilities (1 + S, z, y, x) of one window; mirrored, too, where the recipe asks.

        The mean of both makes the answer to a mirrored scan the mirrored answer.
        """
        kind = torch.bfloat16 if self.recipe.bf16 and _bf16(image.device) else torch.float32
        if self.recipe.mirrored:
            image = torch.cat([image, image.flip(-1)])
        image = image.contiguous(memory_format=torch.channels_last_3d)
        with torch.autocast(image.device.type, dtype=kind, enabled=kind is torch.bfloat16):
            out = net(image)
        del image
        tumour, names = out if isinstance(out, tuple) else (out, None)
        answer = torch.sigmoid(tumour[0].float())
        if names is not None:
            answer = torch.cat([answer, answer.new_empty((names.shape[1], *answer.shape[1:]))])
            for planes, named in _named(names[:1]):
                answer[1:, planes] = named
        if self.recipe.mirrored:
            answer[0] = (answer[0] + torch.sigmoid(tumour[1, 0].float()).flip(-1)) / 2
            for planes, named in _named(names[1:]) if names is not None else ():
                answer[1:, planes] = (answer[1:, planes] + named.flip(-1)) / 2
        return np.asarray(answer.cpu().numpy(), np.float32)


def _named(names: Tensor) -> Iterator[tuple[slice, Tensor]]:
    """The structures' probabilities (S, planes, y, x) of one image, some planes at a time."""
    wide = F.interpolate(names.float(), scale_factor=FOLD, mode="trilinear")[0]
    for first in range(0, wide.shape[1], PLANES):
        planes = slice(first, first + PLANES)
        yield planes, torch.softmax(wide[:, planes], 0)


def recentred(chance: Float, threshold: float) -> Float:
    """``chance`` with ``threshold`` brought to one half: its odds divided by the threshold's."""
    if threshold == 0.5:
        return chance
    odds = (1 - threshold) / threshold
    return np.asarray(chance * odds / (chance * odds + 1 - chance), np.float32)


def _give_back_memory() -> None:
    """What a network has freed, to the system, where the C library can (glibc keeps it for more of
    the same; a batch's other lanes and the stages that follow need other pieces)."""
    with suppress(OSError, AttributeError):
        ctypes.CDLL(None).malloc_trim(0)


BF16_CORES = ("avx512_bf16", "amx_tile")


def _bf16(device: torch.device) -> bool:
    """Whether bfloat16 pays on a device.

    oneDNN computes with it on any core with AVX-512, twice as slowly as in float32 where the core
    has no instructions for it (`benchmarks/network.py`).
    """
    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported())
    if device.type != "cpu" or not torch.ops.mkldnn._is_mkldnn_bf16_supported():
        return False
    if platform.machine() not in ("x86_64", "AMD64"):
        return True
    asked = (getattr(torch.cpu, f"_is_{kind}_supported", None) for kind in BF16_CORES)
    return any(known() for known in asked if known)
