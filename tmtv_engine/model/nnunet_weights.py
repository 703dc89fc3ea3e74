"""nnU-Net's checkpoints, read for weights only, and the network that they fit.

A checkpoint is a pickle in a zip. It is loaded so that torch builds tensors and plain values and
nothing else; the network is first built without memory, so that a plan that asks for more than
its checkpoint holds is refused before any is taken.
"""

from __future__ import annotations

import importlib
import pickle
import pkgutil
import re
import zipfile
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from tmtv_engine.errors import InputError
from tmtv_engine.model.nnunet_folder import no_pointer
from tmtv_engine.model.nnunet_plans import OWN
from tmtv_engine.text import clean

WHOLE = "Get the checkpoint again, or another of this model."
SHARED = 8  # names that a weight of nnU-Net has at most, twice over: its decoder holds its encoder
PLAIN = "Only a checkpoint that holds weights and plain values is taken."
WRAPPED = ("module.", "_orig_mod.")  # by data parallelism, by torch.compile
AUXILIARY = ("decoder.organ_seg_layers.", "decoder.seg_layers.")
"""Heads that take no part in the output: autoPET III's winner's organs, deep supervision."""
ARCHITECTURES = "dynamic_network_architectures.architectures"


@dataclass(frozen=True)
class Checkpoint:
    """The weights of a fold, and what nnunetv2 notes beside them."""

    weights: Mapping[str, Tensor]
    configuration: str | None
    mirrored: tuple[int, ...] | None
    trainer: str


def read_checkpoint(path: Path) -> Checkpoint:
    """A checkpoint's weights, on the CPU, mapped from the file; nothing in it is run.

    Raises `InputError` for one that wants more than tensors and plain values, or is none.
    """
    _look(path)
    torch.serialization.add_safe_globals(_plain())
    try:
        found = torch.load(path, map_location="cpu", weights_only=True, mmap=True)
    except pickle.UnpicklingError as error:
        wanted = re.search(r"GLOBAL ([\w.]+)", str(error))
        what = f" ({clean(wanted.group(1))})" if wanted else ""
        raise InputError(f"{path}: a checkpoint wants to run code{what}", PLAIN) from error
    except Exception as error:  # torch, zipfile and pickle each have their own
        text = clean(f"{type(error).__name__}: {error}", 120)
        raise InputError(f"{path}: cannot be read ({text})", WHOLE) from error
    try:
        return _checked(found, path.stat().st_size)
    except (TypeError, ValueError, KeyError, AttributeError) as error:
        text = clean(f"{type(error).__name__}: {error}", 120)
        raise InputError(f"{path}: is no checkpoint of nnU-Net ({text})", WHOLE) from error


def _look(path: Path) -> None:
    """Refuse what is not torch's zip, or unpacks to more than it is."""
    if not path.is_file():  # a pipe would be waited for
        raise InputError(f"{path}: is no file", WHOLE)
    no_pointer(path)
    try:
        with zipfile.ZipFile(path) as held:
            packed = [m for m in held.infolist() if m.compress_type != zipfile.ZIP_STORED]
            size = sum(m.file_size for m in held.infolist())
    except (OSError, zipfile.BadZipFile, ValueError) as error:
        raise InputError(f"{path}: is no checkpoint of torch", WHOLE) from error
    if packed or size > path.stat().st_size:
        raise InputError(f"{path}: is packed otherwise than torch does", WHOLE)


def _plain() -> list[Any]:
    """What the log in a checkpoint is made of beside Python's own values: numpy's numbers."""
    scalar = type(np.float64(0)).__reduce__(np.float64(0))[0]
    names = ("numpy.core.multiarray.scalar", "numpy._core.multiarray.scalar")
    numbers = (np.float64, np.float32, np.float16, np.int64, np.int32, np.uint8, np.bool_)
    kinds = [type(np.dtype(t)) for t in numbers]
    return [*((scalar, name) for name in names), np.dtype, *kinds]


def _checked(found: Any, size: int) -> Checkpoint:
    weights = {_bare(k): v for k, v in found["network_weights"].items()}
    if not all(isinstance(v, Tensor) for v in weights.values()):
        raise TypeError("network_weights holds more than tensors")
    if any(v.layout is not torch.strided or v.is_quantized for v in weights.values()):
        raise TypeError("network_weights holds sparse or packed tensors")
    if sum(v.numel() * v.element_size() for v in weights.values()) > SHARED * size:
        raise ValueError("network_weights unpacks to more than the file holds")
    axes = found.get("inference_allowed_mirroring_axes")
    mirrored = tuple(sorted({int(a) for a in axes})) if axes else None
    if mirrored and not set(mirrored) <= {0, 1, 2}:
        raise ValueError(f"mirroring axes {mirrored}")
    name = found.get("init_args", {}).get("configuration")
    trainer = clean(found.get("trainer_name", "unknown"))
    return Checkpoint(weights, None if name is None else str(name), mirrored, trainer)


def _bare(key: str) -> str:
    for prefix in WRAPPED * 2:
        key = key.removeprefix(prefix)
    return key


def fitting(
    architecture: Mapping[str, Any],
    checkpoint: Checkpoint,
    *,
    inputs: int,
    outputs: int,
    where: str,
    patch: Sequence[int] = (),
) -> tuple[nn.Module, dict[str, Tensor], tuple[str, ...]]:
    """The network of a plan, the weights that it takes, and what is left over of them (words).

    ``patch``: the window that it is to take. Raises `InputError` naming the class, module or key
    that is missing, or where it cannot take that.
    """
    plan = _batch_norm(architecture) if _running(checkpoint.weights) else architecture
    with torch.device("meta"):
        shadow = _built(plan, inputs, outputs, where)
    wanted = shadow.state_dict()
    for key, want in wanted.items():
        there = checkpoint.weights.get(key)
        if there is None or _unlike(there, want):
            has = "has no" if there is None else f"has {_words(there)} instead of {_words(want)} in"
            what = f"{where}: its checkpoint {has} {clean(key, 120)}, which plans.json asks for"
            raise InputError(what, "Its network is not the one that its plans describe.")
    left = [key for key in checkpoint.weights if key not in wanted]
    for key in left:
        if not key.startswith(AUXILIARY) and _takes_part(key, wanted):
            what = (
                f"{where}: its checkpoint has {clean(key, 120)}, for which plans.json has no place"
            )
            raise InputError(what, "Its network is not the one that its plans describe.")
    if patch:
        _try_window(shadow, (inputs, *patch), (outputs, *patch), where)
    network = _built(plan, inputs, outputs, where)
    return network, {key: checkpoint.weights[key] for key in wanted}, _in_words(left)


def _try_window(
    shadow: nn.Module, window: tuple[int, ...], wanted: tuple[int, ...], where: str
) -> None:
    """Follow the shapes of one window through a network without memory."""
    try:
        with torch.inference_mode():
            found = tuple(shadow.eval()(torch.empty((1, *window), device="meta")).shape)
    except Exception as error:  # whatever a network's parts raise
        text = clean(f"{type(error).__name__}: {error}", 160)
        raise InputError(f"{where}: its network takes no {window[1:]} ({text})", OWN) from error
    if found != (1, *wanted):
        raise InputError(f"{where}: its network answers {window[1:]} with {found[1:]}", OWN)


def _unlike(there: Tensor, want: Tensor) -> bool:
    return there.shape != want.shape or there.is_floating_point() != want.is_floating_point()


def _words(weight: Tensor) -> str:
    kind = "" if weight.is_floating_point() else f"{weight.dtype} ".removeprefix("torch.")
    return f"{kind}{tuple(weight.shape)}"


def _running(weights: Mapping[str, Tensor]) -> bool:
    return any(key.endswith(".running_mean") for key in weights)


def _batch_norm(architecture: Mapping[str, Any]) -> dict[str, Any]:
    """The plan as nnunetv2's own trainer with batch norm builds it."""
    kwargs = dict(architecture["arch_kwargs"])
    kwargs["norm_op"] = re.sub("instancenorm", "batchnorm", str(kwargs.get("norm_op", "")))
    kwargs["norm_op"] = kwargs["norm_op"].replace("InstanceNorm", "BatchNorm")
    return {**architecture, "arch_kwargs": kwargs}


def _takes_part(key: str, wanted: Mapping[str, Tensor]) -> bool:
    """Whether a left-over weight belongs to what is there: a further layer or part of a layer."""
    parts = key.split(".")
    known = {""} | {k[:j] for k in wanted for j, c in enumerate(k) if c == "."}
    depth = max(j for j in range(len(parts)) if ".".join(parts[:j]) in known)
    return depth == len(parts) - 1 or parts[depth].isdigit()


def _in_words(keys: list[str]) -> tuple[str, ...]:
    counts = Counter(re.split(r"\.\d+(?=\.|$)", key)[0] for key in keys)
    return tuple(f"{clean(name)} ({n} tensors)" for name, n in counts.items())


def _built(plan: Mapping[str, Any], inputs: int, outputs: int, where: str) -> nn.Module:
    kwargs = dict(plan["arch_kwargs"])
    for key in plan.get("_kw_requires_import", ()):
        if kwargs[key] is not None:
            kwargs[key] = _class(str(kwargs[key]), where)
    made = _class(str(plan["network_class_name"]), where)
    try:
        network = made(
            input_channels=inputs, num_classes=outputs, **{**kwargs, "deep_supervision": False}
        )
    except Exception as error:  # whatever a network's parts raise
        text = clean(f"{type(error).__name__}: {error}", 160)
        raise InputError(f"{where}: its network cannot be built ({text})", OWN) from error
    if not isinstance(network, nn.Module):
        raise InputError(f"{where}: plans.json names {clean(made)}", OWN)
    return network


def _class(name: str, where: str) -> type[nn.Module]:
    """The layer or network of that dotted name; raises `InputError` naming what is missing."""
    module, _, last = name.rpartition(".")
    found: Any = None
    try:
        found = getattr(importlib.import_module(module), last, None)
    except ModuleNotFoundError as error:
        if error.name is None or not (module + ".").startswith(error.name + "."):
            what = f"{where}: {clean(name)} needs the module {clean(error.name)}"
            raise InputError(what, f"pip install {clean(error.name)}") from error
    if found is None and name.startswith("dynamic_network_architectures."):
        found = _moved(last)
    own = getattr(found, "__module__", "").split(".")[0]
    if found is None:
        raise InputError(f"{where}: plans.json names {clean(name)}, which is not here", OWN)
    if not (isinstance(found, type) and issubclass(found, nn.Module) and own == name.split(".")[0]):
        raise InputError(f"{where}: plans.json names {clean(name)}, which is no network", OWN)
    return found


def _moved(name: str) -> Any:
    """A network that a newer dynamic_network_architectures keeps elsewhere."""
    package = importlib.import_module(ARCHITECTURES)
    for info in pkgutil.iter_modules(package.__path__):
        try:
            module = importlib.import_module(f"{ARCHITECTURES}.{info.name}")
        except ImportError:
            continue
        if hasattr(module, name):
            return getattr(module, name)
    return None
