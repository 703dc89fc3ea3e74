"""A cohort for training: its layouts, its split, and the cache of prepared patients.

A cohort is a CSV manifest (``case,pet,ct,roi[,subtype][,split]``), autoPET's folders
(`SUV.nii.gz`, `CTres.nii.gz`, `SEG.nii.gz`) or nnU-Net's raw layout (`imagesTr`, `labelsTr`,
`dataset.json`, PET in SUV).
"""

from __future__ import annotations

import hashlib
import json
import warnings
from collections.abc import Sequence
from functools import partial
from itertools import islice
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import save
from torch import Tensor

from tmtv_engine.cluster import Cluster, in_order
from tmtv_engine.errors import DiskError, InputError, TmtvError
from tmtv_engine.files import make_folder, write_bytes
from tmtv_engine.image.volume import Unit, Volume
from tmtv_engine.lesion.drawn import drawn_lesions
from tmtv_engine.lesion.thresholds import probability
from tmtv_engine.model.channels import grid_for, on_grid
from tmtv_engine.model.recipes import Recipe
from tmtv_engine.study.find import Failure, Study, find_studies
from tmtv_engine.study.load import load_study
from tmtv_engine.study.owner import NO_OWNER, Owner
from tmtv_engine.study.split import SETS
from tmtv_engine.text import safe_name
from tmtv_engine.train.lesson import Cohort

SHARES = (0.6, 0.8)  # the paper's 60 / 20 / 20
VERSION = 2  # of what a cached patient holds


def read_dataset(path: Path) -> list[Study]:
    """The studies of a cohort, each with its ROI; sorted by case.

    Raises `InputError` where there are none, or one has no ROI or cannot be taken.
    """
    if (path / "imagesTr").is_dir():
        found = _nnunet_raw(path)
    elif path.is_dir() and any(path.rglob("SEG.nii.gz")):
        found = [_autopet(p) for p in sorted(path.rglob("SEG.nii.gz"))]
    else:
        found = []
        for study in find_studies(path):
            if isinstance(study, Failure):
                raise study.error
            found.append(study)
    without = [s.case for s in found if s.roi is None]
    if not found or without:
        named = f": {', '.join(without[:5])} without" if without else ""
        raise InputError(f"{path}: is no cohort with ROIs{named}", "Give case,pet,ct,roi.")
    return sorted(found, key=lambda s: s.case)


def _autopet(seg: Path) -> Study:
    folder = seg.parent
    case = safe_name(f"{folder.parent.name}_{folder.name}")
    ct = folder / "CTres.nii.gz"
    suv = folder / "SUV.nii.gz"
    return Study(case, "nifti", (suv,), (ct,) if ct.is_file() else (), folder, (), seg)


def _nnunet_raw(path: Path) -> list[Study]:
    record = path / "dataset.json"
    try:
        names = json.loads(record.read_text("utf-8"))["channel_names"]
        kinds = {str(v).lower(): int(k) for k, v in names.items()}
    except (OSError, ValueError, KeyError, AttributeError) as error:
        raise InputError(f"{record}: names no channels", "nnU-Net's channel_names.") from error
    pet = next((k for name, k in kinds.items() if name in ("pet", "suv", "pt")), None)
    ct = next((k for name, k in kinds.items() if name.startswith("ct")), None)
    if pet is None:
        raise InputError(f"{record}: no channel is called PET or SUV", "Name the PET's channel.")
    found = []
    for label in sorted((path / "labelsTr").glob("*.nii.gz")):
        case = label.name.removesuffix(".nii.gz")
        images = [path / "imagesTr" / f"{case}_{k:04d}.nii.gz" for k in (pet, ct or 0)]
        cts = (images[1],) if ct is not None else ()
        found.append(Study(safe_name(case), "nifti", (images[0],), cts, path, (), label))
    return found


def split_of(studies: Sequence[Study], seed: int) -> dict[str, list[Study]]:
    """Train, val and test: as the manifest's column ``split`` says, else 60/20/20 by seed."""
    told = [s.extra.get("split", "") for s in studies]
    if any(told):
        if wrong := sorted({t for t in told if t not in SETS}):
            raise InputError(f"split {wrong[0]!r} is none", f"Write one of {', '.join(SETS)}.")
        return {name: [s for s, t in zip(studies, told, strict=True) if t == name] for name in SETS}
    order = np.random.default_rng(seed).permutation(len(studies))
    first, second = (round(share * len(studies)) for share in SHARES)
    parts = zip(SETS, (order[:first], order[first:second], order[second:]), strict=True)
    return {name: [studies[k] for k in sorted(part)] for name, part in parts}


def fingerprint(study: Study) -> str:
    """SHA-256 over the bytes of everything a study and its ROI consist of."""
    total = hashlib.sha256()
    roi = (study.roi,) if study.roi is not None else ()
    for path in (*study.pet, *study.ct, *roi):
        total.update(hashlib.sha256(path.read_bytes()).digest())
    return total.hexdigest()


def prepare(study: Study, recipe: Recipe, cache: Path) -> Path:
    """The study on the recipe's grid, in ``cache``: made once for the same content and grid.

    The file holds ``suv``, ``prob`` and, with a CT, ``hu`` (z, y, x) in half precision.
    """
    plan = recipe.architecture
    kind = [type(plan).__name__, plan.levels]
    grid_key = json.dumps([VERSION, recipe.spacing_mm, recipe.shape, *kind])
    key = hashlib.sha256((fingerprint(study) + grid_key).encode()).hexdigest()[:24]
    path = cache / f"{key}.safetensors"
    if not path.exists():
        make_folder(cache)
        write_bytes(path, save(_prepared(study, recipe)))
    return path


def _prepared(study: Study, recipe: Recipe) -> dict[str, Tensor]:
    loaded = load_study(study)
    owner, grid = Owner.of_source(loaded.source), grid_for(loaded.suv, recipe)
    arrays = {
        "suv": on_grid(loaded.suv, grid, recipe),
        "prob": on_grid(truth_map(study, loaded.suv, owner), grid, recipe),
    }
    if loaded.ct is not None:
        arrays["hu"] = on_grid(loaded.ct, grid, recipe)
    return {k: torch.from_numpy(v).half().contiguous() for k, v in arrays.items()}


def truth_map(study: Study, suv: Volume, owner: Owner = NO_OWNER) -> Volume:
    """TMTVprob of a study's ROIs on the PET's grid (paper 2.3); nothing where a mask is empty."""
    lesions, told = drawn_lesions(study.roi, suv, owner=owner)
    for one in told:
        warnings.warn(f"{study.case}: {one.code}: {one.message}", stacklevel=2)
    flat = np.zeros(int(np.prod(suv.grid.shape)), np.float32)
    flat[lesions.voxels] = probability(lesions)
    return Volume(flat.reshape(suv.grid.shape), suv.grid, Unit.PROBABILITY)


def prepare_all(
    parts: dict[str, list[Study]], recipe: Recipe, cache: Path, cluster: Cluster | None = None
) -> Cohort:
    """The prepared files of every part of a split; with ``cluster`` its workers prepare them.

    They must see the studies and ``cache`` under the same paths. Raises `InputError` that names
    every patient who cannot be taken, when all the others are prepared.
    """
    work = partial(_tried, recipe=recipe, cache=cache.absolute() if cluster else cache)
    studies = [s.absolute() if cluster else s for some in parts.values() for s in some]
    found = in_order(work, studies, cluster, lambda s: s.case) if cluster else map(work, studies)
    every = list(found)
    if refused := [one for one in every if isinstance(one, str)]:
        what = f"{len(refused)} of {len(every)} patients cannot be taken: {'; '.join(refused)}"
        raise InputError(what, "Leave them out, or mend them: the others are prepared already.")
    files = iter([one for one in every if isinstance(one, Path)])
    return {name: list(islice(files, len(some))) for name, some in parts.items()}


def _tried(study: Study, recipe: Recipe, cache: Path) -> Path | str:
    """The prepared file, or the line of a patient who is refused."""
    try:
        return prepare(study, recipe, cache)
    except DiskError:
        raise
    except TmtvError as error:
        return f"{study.case}: {error.what}"
