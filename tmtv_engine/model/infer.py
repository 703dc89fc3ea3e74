"""A network as a Segmenter: SUV onto the model's grid, windows, and back to the PET's grid."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from tmtv_engine.errors import DeviceError, UsageError
from tmtv_engine.image.resample import Shape, model_grid, ramp, resample, windows
from tmtv_engine.image.volume import Grid, Unit, Volume
from tmtv_engine.lesion.redraw import redraw
from tmtv_engine.model.recipes import Recipe
from tmtv_engine.model.segmenter import Prediction
from tmtv_engine.model.vnet import VNet
from tmtv_engine.notices import Notice, notice

BUNDLED = Path(__file__).parent / "weights" / "vnet"
LOG_TOP = 30.0
LINEAR_TOP = 25.0
HU_TOP = 1000.0
ROOMIER = 2.0


def scaled(suv: Tensor, scaling: str) -> Tensor:
    """SUV as the network sees it, 0 … 1: ``linear`` to 25, ``log`` log(1 + SUV) / log 31."""
    if scaling == "log":
        return torch.log1p(suv.clamp(0, LOG_TOP)) / float(np.log1p(LOG_TOP))
    return (suv / LINEAR_TOP).clamp(0, 1)


def scaled_hu(hu: Tensor) -> Tensor:
    """HU as the network sees it: −1000 … 1000 to 0 … 1, clipped."""
    return ((hu + HU_TOP) / (2 * HU_TOP)).clamp(0, 1)


def load_model(name: str | Path, device: str = "auto") -> NetworkSegmenter:
    """The bundled network (``vnet``) or the one of a run's folder, ready to segment.

    Raises `InputError` for a broken model, `DeviceError` for a device that is not there.
    """
    from tmtv_engine.model.checkpoint import read_model

    where = device_of(device)
    weights, recipe, record = read_model(BUNDLED if name == "vnet" else Path(name))
    net = VNet(recipe.architecture)
    net.load_state_dict(weights)
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

    ``record`` is what `case.json` says of the model; ``said`` holds the notices of the last call:
    windows made smaller because memory ran out. Without CT the CT channel is air everywhere.
    """

    def __init__(
        self, net: VNet, recipe: Recipe, record: Mapping[str, Any], device: torch.device
    ) -> None:
        self.net = net.eval().to(memory_format=torch.channels_last_3d)  # type: ignore[call-overload]
        self.recipe, self.device = recipe, device
        self.record = {key: record[key] for key in ("name", "sha256", "trained_on")}
        self.said: tuple[Notice, ...] = ()

    def __call__(self, suv: Volume, ct: Volume | None = None, /) -> Prediction:
        """The probability of tumour on the PET's grid, 0 … 1; redrawn where the recipe says so."""
        found = self.chance(suv, ct)
        drawn = redraw(found, suv) if self.recipe.redraw else found
        return Prediction(drawn, notices=self.said)

    def chance(self, suv: Volume, ct: Volume | None = None) -> Volume:
        """The network's own probability on the PET's grid."""
        self.said = ()
        multiple = 2**self.recipe.architecture.levels
        grid = model_grid(suv, self.recipe.spacing_mm, self.recipe.shape, multiple)
        channels = [scaled(_tensor(resample(suv, grid)), self.recipe.scaling)]
        if self.recipe.architecture.inputs > 1:
            air = torch.zeros_like(channels[0])
            channels.append(air if ct is None else scaled_hu(_hu_on(ct, grid)))
        chance = self._somewhere(torch.stack(channels))
        return resample(Volume(chance, grid, Unit.PROBABILITY), suv.grid)

    def _somewhere(self, image: Tensor) -> npt.NDArray[np.float32]:
        """Predict on the device; where its memory is too small, in halves, then on the CPU."""
        for window, device in self._attempts(image):
            try:
                return self._blended(image, window, device)
            except torch.OutOfMemoryError:
                torch.cuda.empty_cache()
                self.said += (notice("out-of-memory", f"{device}, windows of {window}"),)
        raise DeviceError("there is not enough memory for the network", "Close other programs.")

    def _attempts(self, image: Tensor) -> list[tuple[Shape, torch.device]]:
        """The whole where it is not much more than the network was trained on, else windows."""
        whole: Shape = (image.shape[1], image.shape[2], image.shape[3])
        roomy = np.prod(whole) <= ROOMIER * np.prod(self.recipe.shape)
        first = whole if roomy else self.recipe.shape
        multiple = 2**self.recipe.architecture.levels
        half = max(multiple, first[0] // 2 // multiple * multiple)
        smaller: Shape = (half, first[1], first[2])
        tries = [(first, self.device), (smaller, self.device)]
        return tries if self.device.type == "cpu" else [*tries, (first, torch.device("cpu"))]

    @torch.inference_mode()
    def _blended(
        self, image: Tensor, window: Shape, device: torch.device
    ) -> npt.NDArray[np.float32]:
        net = self.net.to(device)
        kind = torch.bfloat16 if _bf16(device) else torch.float32
        total = np.zeros(image.shape[1:], np.float32)
        weight = np.zeros(image.shape[1:], np.float32)
        for box in windows((image.shape[1], image.shape[2], image.shape[3]), window):
            part = image[(slice(None), *box)][None].to(device)
            part = part.contiguous(memory_format=torch.channels_last_3d)
            with torch.autocast(device.type, dtype=kind, enabled=kind is torch.bfloat16):
                logits = net(part)
            chance = torch.sigmoid(logits.float())[0, 0].cpu().numpy()
            share = ramp(chance.shape)
            total[box] += share * chance
            weight[box] += share
        return np.asarray(total / weight, dtype=np.float32)


def _hu_on(ct: Volume, grid: Grid) -> Tensor:
    return _tensor(resample(ct, grid, outside=-HU_TOP))


def _tensor(volume: Volume) -> Tensor:
    return torch.from_numpy(np.array(volume.array, dtype=np.float32))


def _bf16(device: torch.device) -> bool:
    """Whether bfloat16 pays on a device."""
    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported())
    return device.type == "cpu" and bool(torch.ops.mkldnn._is_mkldnn_bf16_supported())
