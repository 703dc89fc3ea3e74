"""What an nnU-Net v2 results folder says of its model: channels, labels, networks; no torch."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from tmtv_engine.errors import InputError, UsageError
from tmtv_engine.text import clean

ASK = "Give the folder with dataset.json, plans.json and fold_*/checkpoint_final.pth."
PET = ("pet", "pt", "suv", "fdg")
TUMOUR = re.compile("tumou?r|lesion|lymphoma|cancer|metasta", re.IGNORECASE)
TRUSTED = re.compile(r"(dynamic_network_architectures|torch\.nn)(\.\w+)+\Z")


def read_json(path: Path) -> dict[str, Any]:
    """The object in a JSON file; raises `InputError` naming it."""
    try:
        found = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: cannot be read", ASK) from error
    if not isinstance(found, dict):
        raise InputError(f"{path}: is not nnU-Net's", ASK)
    return found


def channels_of(dataset: Mapping[str, Any], folder: Path) -> tuple[str, ...]:
    """``pet`` or ``ct`` for each of a model's channels, in order; raises `InputError`.

    autoPET's models call both of theirs CT, to be normalised so: they are CT, then PET.
    """
    names = dataset.get("channel_names", dataset.get("modality", {}))
    told = [str(names[key]).lower() for key in sorted(names, key=int)] if names else []
    if told == ["ct", "ct"]:
        return ("ct", "pet")
    kinds = ["pet" if t.startswith(PET) else "ct" if t.startswith("ct") else t for t in told]
    if kinds.count("pet") != 1 or set(kinds) - {"pet", "ct"} or len(kinds) > 2:
        listed = clean(", ".join(told) or "none")
        raise InputError(f"{folder}: its channels are {listed}", "A model of PET, or PET and CT.")
    return tuple(kinds)


def head_of(dataset: Mapping[str, Any], folder: Path) -> int:
    """Which of the probabilities is the tumour's: the only label, or the one named so.

    Raises `UsageError` where neither is there.
    """
    labels = {k: v for k, v in dict(dataset.get("labels", {})).items() if k != "ignore"}
    there = [k for k, v in labels.items() if v not in (0, [0])]
    named = [k for k in there if TUMOUR.search(k)]
    wanted = there if len(there) == 1 else named
    if len(wanted) != 1:
        listed = clean(", ".join(there) or "none", 200)
        raise UsageError(
            f"{folder}: no single label is tumour among {listed}", "Use another model."
        )
    regions = any(isinstance(v, list) and len(v) > 1 for v in labels.values())
    return there.index(wanted[0]) if regions else int(np.ravel(labels[wanted[0]])[0])


def check_plans(plans: Mapping[str, Any], folder: Path) -> None:
    """Raise `InputError` where plans name code other than networks and their layers."""
    for configuration in dict(plans.get("configurations", {})).values():
        plan = configuration.get("architecture") or {}
        wanted = plan.get("_kw_requires_import", ())
        named = [plan.get("network_class_name"), *(plan.get("arch_kwargs", {})[k] for k in wanted)]
        for name in named:
            if name is not None and not TRUSTED.match(str(name)):
                what = f"{folder}: plans.json names {clean(name)}"
                raise InputError(what, "Only nnU-Net's own networks are taken.")
