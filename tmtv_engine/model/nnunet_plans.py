"""What `plans.json` of nnU-Net v2 says of a network, in today's form and checked; no torch.

nnunetv2 calls whatever class, function or number stands there. So the names must be those of
nnunetv2's own parts, and the numbers such as a network for bodies has (docs/decisions/0004).
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from typing import Any

from tmtv_engine.errors import InputError
from tmtv_engine.text import clean

TRUSTED = re.compile(r"(dynamic_network_architectures|nnunetv2|torch\.nn)(\.[A-Za-z_]\w*)+\Z")
WORD = re.compile(r"[A-Za-z_]\w*\Z")
OWN = "Only nnU-Net's own networks are taken."
CALLED = ("preprocessor_name", "resampling_fn_data", "resampling_fn_seg")
MOST_STAGES = 12
MOST_FEATURES = 4096
MOST_BLOCKS = 64
MOST_PATCH = 2**26  # voxels of a window
SPACING_MM = (0.2, 50.0)
NETWORKS = "dynamic_network_architectures.architectures.unet."


def configuration_of(plans: Mapping[str, Any], name: str, where: str) -> dict[str, Any]:
    """The configuration ``name``, its parents' entries filled in, checked and in today's form.

    Raises `InputError`, beginning with ``where``, for what nnU-Net's own parts cannot build.
    """
    found = _resolved(plans, name, where)
    if "architecture" not in found:
        found = _from_old(found, where)
    try:
        _check(plans, found, where)
    except (TypeError, ValueError, KeyError, AttributeError, OverflowError) as error:
        text = clean(f"{type(error).__name__}: {error}", 120)
        raise InputError(f"{where}: plans.json is not nnU-Net's ({text})", OWN) from error
    return found


def _resolved(plans: Mapping[str, Any], name: str, where: str) -> dict[str, Any]:
    known = plans.get("configurations")
    known = known if isinstance(known, Mapping) else {}
    chain: list[Mapping[str, Any]] = []
    seen: set[str] = set()
    while name not in seen and isinstance(known.get(name), Mapping):
        seen.add(name)
        chain.append(known[name])
        if "inherits_from" not in known[name]:
            return {k: v for part in reversed(chain) for k, v in part.items()}
        name = str(known[name]["inherits_from"])
    listed = clean(", ".join(map(str, known)) or "none", 200)
    what = f"{where}: plans.json has no configuration {clean(name)} (but {listed})"
    raise InputError(what, "Get the folder again, whole.")


def _from_old(old: Mapping[str, Any], where: str) -> dict[str, Any]:
    """Plans before nnunetv2 2.3.1, which name numbers instead of an architecture."""
    kind = old.get("UNet_class_name")
    blocks = {"PlainConvUNet": "n_conv_per_stage", "ResidualEncoderUNet": "n_blocks_per_stage"}
    if kind not in blocks:
        raise InputError(f"{where}: plans.json names the network {clean(kind)}", OWN)
    try:
        down, dims = list(old["n_conv_per_stage_encoder"]), len(old["patch_size"])
        first, top = int(old["UNet_base_num_features"]), int(old["unet_max_num_features"])
        kwargs = {
            "n_stages": len(down),
            "features_per_stage": [min(first << k, top) for k in range(min(len(down), 64))],
            "conv_op": f"torch.nn.modules.conv.Conv{dims}d",
            "kernel_sizes": old["conv_kernel_sizes"],
            "strides": old["pool_op_kernel_sizes"],
            blocks[kind]: down,
            "n_conv_per_stage_decoder": old["n_conv_per_stage_decoder"],
            "conv_bias": True,
            "norm_op": f"torch.nn.modules.instancenorm.InstanceNorm{dims}d",
            "norm_op_kwargs": {"eps": 1e-05, "affine": True},
            "dropout_op": None,
            "dropout_op_kwargs": None,
            "nonlin": "torch.nn.LeakyReLU",
            "nonlin_kwargs": {"inplace": True},
        }
    except (KeyError, TypeError, ValueError) as error:
        raise InputError(f"{where}: plans.json lacks {clean(error)}", OWN) from error
    architecture = {
        "network_class_name": NETWORKS + kind,
        "arch_kwargs": kwargs,
        "_kw_requires_import": ["conv_op", "norm_op", "dropout_op", "nonlin"],
    }
    return {**old, "architecture": architecture}


def _check(plans: Mapping[str, Any], found: Mapping[str, Any], where: str) -> None:
    architecture = found["architecture"]
    kwargs, called = architecture["arch_kwargs"], architecture.get("_kw_requires_import", ())
    named = [architecture["network_class_name"], *(kwargs[key] for key in called)]
    for name in named:
        if name is not None and not TRUSTED.match(str(name)):
            raise InputError(f"{where}: plans.json names {clean(name)}", OWN)
    words = [*(found[key] for key in CALLED), found["resampling_fn_probabilities"]]
    words += [*found["normalization_schemes"], plans.get("label_manager", "LabelManager")]
    for word in words:
        if not WORD.match(str(word)):
            raise InputError(f"{where}: plans.json names {clean(word)}", OWN)
    if found.get("previous_stage"):
        what = f"{where}: is the second stage of a cascade"
        raise InputError(what, "Use a model that needs no other's answer.")
    _check_numbers(plans, found, kwargs)


def _check_numbers(
    plans: Mapping[str, Any], found: Mapping[str, Any], kwargs: Mapping[str, Any]
) -> None:
    patch, spacing = found["patch_size"], found["spacing"]
    _within("patch_size", patch, 1, 1024)
    _within("spacing", spacing, *SPACING_MM)
    if len(patch) not in (2, 3) or math.prod(patch) > MOST_PATCH:
        raise ValueError(f"patch_size {patch}")
    _within("n_stages", [kwargs.get("n_stages", 1)], 1, MOST_STAGES)
    _within("features_per_stage", kwargs.get("features_per_stage", 1), 1, MOST_FEATURES)
    for key in ("n_blocks_per_stage", "n_conv_per_stage", "n_conv_per_stage_decoder"):
        _within(key, kwargs.get(key, 1), 1, MOST_BLOCKS)
    forward, back = plans["transpose_forward"], plans["transpose_backward"]
    if sorted(forward) != [0, 1, 2] or [forward[k] for k in back] != [0, 1, 2]:
        raise ValueError(f"transpose_forward {forward}")


def _within(key: str, values: Any, low: float, high: float) -> None:
    listed: Sequence[Any] = values if isinstance(values, (list, tuple)) else [values]
    whole = (int,) if isinstance(low, int) else (int, float)
    numbers = all(type(v) in whole and low <= v <= high for v in listed)  # bool is an int
    if not numbers or not 0 < len(listed) <= MOST_STAGES:
        raise ValueError(f"{key} {clean(values, 40)}")
