"""What an nnU-Net v2 results folder says of its model: channels, labels, checkpoints; no torch."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from tmtv_engine.errors import InputError, UsageError
from tmtv_engine.files import sha256_of
from tmtv_engine.text import clean

CHECKPOINTS = ("checkpoint_final.pth", "checkpoint_best.pth")
ASK = "Give the folder with dataset.json, plans.json and fold_*/checkpoint_final.pth."
KINDS = ("pet", "ct", "foreground", "background")
NAMES = {"pet": ("pet", "pt", "suv", "fdg"), "ct": ("ct",)}
CLICKS = {"foreground": ("fg", "foreground", "pos"), "background": ("bg", "background", "neg")}
SCALINGS = ("nonorm", "zscore", "rescale_to_0_1")
TUMOUR = re.compile("tumou?r|lesion|lymphoma|cancer|metasta", re.IGNORECASE)
POINTER = b"version https://git-lfs"
JSON_LIMIT = 64 * 2**20


@dataclass(frozen=True)
class Heads:
    """What a network's outputs mean: which is ``tumour``, which are ``organs`` (by head).

    ``regions``: each output is a probability of its own; else they exclude each other. ``label``:
    what the folder calls the tumour, with its number or a region's numbers.
    """

    tumour: int
    organs: Mapping[int, str]
    regions: bool
    count: int
    label: Mapping[str, Sequence[int]] = field(default_factory=dict)


@dataclass(frozen=True)
class Folder:
    """A results folder as it stands on the disk; nothing of it has been loaded yet."""

    path: Path
    dataset: Mapping[str, Any]
    plans: Mapping[str, Any]
    checkpoints: tuple[Path, ...]
    channels: tuple[str, ...]
    heads: Heads

    @property
    def name(self) -> str:
        """What its authors called the data set."""
        return clean(self.plans.get("dataset_name") or self.path.name)

    @property
    def licence(self) -> str:
        """The licence as `dataset.json` states it."""
        stated = self.dataset.get("licence") or self.dataset.get("license") or "not stated"
        return clean(stated, 200)

    def files(self) -> tuple[Path, ...]:
        """Every file that decides what the model answers."""
        return (self.path / "dataset.json", self.path / "plans.json", *self.checkpoints)

    def sha256(self) -> str:
        """SHA-256 over the names and SHA-256 of `files`, one a line."""
        lines = [f"{sha256_of(p)}  {p.relative_to(self.path).as_posix()}\n" for p in self.files()]
        return hashlib.sha256("".join(lines).encode()).hexdigest()


def read_folder(
    path: Path, channels: Sequence[str] | None = None, tumour: str | None = None
) -> Folder:
    """Read a results folder; ``channels`` and ``tumour`` where it does not tell them itself.

    Raises `InputError` for a folder that is none; `UsageError` where it is not told which
    channel or label is which.
    """
    if path.is_file():
        raise InputError(
            f"{path}: is no folder", f"tmtv models add NAME {path}, then --model NAME."
        )
    dataset, plans = read_json(path / "dataset.json"), read_json(path / "plans.json")
    try:
        kinds = channels_of(dataset, path, channels)
        heads = heads_of(dataset, path, tumour)
    except (TypeError, ValueError, AttributeError, KeyError) as error:
        text = clean(f"{type(error).__name__}: {error}", 120)
        raise InputError(f"{path / 'dataset.json'}: is not nnU-Net's ({text})", ASK) from error
    return Folder(path, dataset, plans, checkpoints_of(path), kinds, heads)


def read_json(path: Path) -> dict[str, Any]:
    """The object in a JSON file; raises `InputError` naming it."""
    try:
        if not path.is_file() or path.stat().st_size > JSON_LIMIT:  # a pipe would be waited for
            raise ValueError("larger than any" if path.is_file() else "no such file")
        found = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise InputError(f"{path}: cannot be read ({clean(error, 80)})", ASK) from error
    if not isinstance(found, dict):
        raise InputError(f"{path}: is not nnU-Net's", ASK)
    return found


def no_pointer(path: Path) -> None:
    """Raise `InputError` for what Git leaves of a large file where git-lfs is absent."""
    with path.open("rb") as file:
        if file.read(len(POINTER)) == POINTER:
            what = f"{path}: is no model but Git LFS's pointer to one"
            raise InputError(what, "git lfs pull there, or download the file itself.")


def checkpoints_of(path: Path) -> tuple[Path, ...]:
    """The checkpoint of each fold: the final ones, or the best where no fold has a final one."""
    for name in CHECKPOINTS:
        found = sorted(path.glob(f"fold_*/{name}"), key=lambda p: (len(p.parent.name), p))
        numbered = [p for p in found if p.parent.name.removeprefix("fold_").isdigit()]
        if found:
            return tuple(numbered or found)
    raise InputError(f"{path}: holds no fold_*/{CHECKPOINTS[0]}", ASK)


def channels_of(
    dataset: Mapping[str, Any], folder: Path, given: Sequence[str] | None = None
) -> tuple[str, ...]:
    """Which of `KINDS` each of a model's channels is, in order.

    autoPET's models call both of theirs CT, to be normalised so: they are CT, then PET; one that
    is called by its normalisation beside a CT is the PET. Raises `UsageError` where names do not
    tell, or ``given`` does not fit.
    """
    names = dict(dataset.get("channel_names", dataset.get("modality", {})))
    told = [str(names[key]) for key in sorted(names, key=int)]
    kinds = [_kind(name.lower()) for name in told]
    if kinds[:2] == ["ct", "ct"]:
        kinds[1] = "pet"
    elif len(kinds) == 2 and "ct" in kinds:  # named for how it is normalised
        kinds = ["pet" if k in SCALINGS else k for k in kinds]
    kinds = [g.strip().lower() for g in given] if given else kinds
    twice = len(set(kinds)) < len(kinds)
    if len(kinds) != len(told) or twice or set(kinds) - {*KINDS} or "pet" not in kinds:
        listed = clean(", ".join(told) or "none", 120)
        remedy = f"Say what they are: --channels, {len(told)} of {', '.join(KINDS)} in order."
        raise UsageError(f"{folder}: its channels are {listed}", remedy)
    return tuple(kinds)


def _kind(name: str) -> str:
    if "click" in name or name in ("fg", "bg", "foreground", "background"):
        return next((k for k, words in CLICKS.items() if name.startswith(words)), name)
    return next((k for k, words in NAMES.items() if name.startswith(words)), name)


def _label(name: str, value: Any) -> int:
    number = int(value) if str(value).isdecimal() else int(float(value))
    if number < 0 or number != float(value):
        raise ValueError(f"label {clean(name, 40)} is {clean(value, 40)}")
    return number


def heads_of(dataset: Mapping[str, Any], folder: Path, wanted: str | None = None) -> Heads:
    """What a model's outputs are; ``wanted`` names the tumour's label or gives its number.

    Without it: the only label, or the only one named like a tumour. Raises `UsageError` where
    none is.
    """
    labels = {str(k): v for k, v in dict(dataset.get("labels", {})).items() if k != "ignore"}
    there = {k: [_label(k, n) for n in np.ravel(v)] for k, v in labels.items()}
    there = {k: v for k, v in there.items() if any(v)}
    if len(set(map(tuple, there.values()))) < len(there):
        raise ValueError("two labels have one number")
    if wanted is None:
        named = [k for k in there if TUMOUR.search(k)]
        chosen = list(there) if len(there) == 1 else named
    else:
        chosen = [k for k, v in there.items() if k == wanted or [str(n) for n in v] == [wanted]]
    if len(chosen) != 1:
        listed = ", ".join(f"{k} ({' '.join(map(str, v))})" for k, v in there.items())
        what = "no single label is tumour" if wanted is None else f"no label is {clean(wanted, 40)}"
        raise UsageError(
            f"{folder}: {what} among {clean(listed or 'none', 300)}",
            "Say which is the tumour's: --tumour-label NAME or NUMBER.",
        )
    regions = any(isinstance(v, list) and len(v) > 1 for v in labels.values())
    values = sorted({0, *(n for v in there.values() for n in v)})
    heads = {k: j if regions else values.index(v[0]) for j, (k, v) in enumerate(there.items())}
    tumour = heads.pop(chosen[0])
    organs = {} if regions else {head: clean(name) for name, head in heads.items()}
    label = {clean(chosen[0]): tuple(there[chosen[0]])}
    return Heads(tumour, organs, regions, len(there) if regions else len(values), label)
