"""The label map of organs of each study: which file it is, and whether it lies on the PET."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from tmtv_engine.errors import AmbiguousInput, GeometryError, InputError
from tmtv_engine.files import sha256_of
from tmtv_engine.image.nifti import read_nifti
from tmtv_engine.image.outline import pet_outline
from tmtv_engine.image.volume import FloatArray, Grid, Unit, Volume
from tmtv_engine.notices import Notice
from tmtv_engine.study.found import Failure, Stock, Study
from tmtv_engine.study.organs import read_names, structure_of
from tmtv_engine.study.rois import by_index, check_overlap

BODY_ML = 5000.0
"""A PET that shows less of a body does not tell whether organs lie in it."""
IN_BODY = 0.5
POINTS = 200_000


@dataclass(frozen=True, eq=False)
class OrganMap:
    """Labels on their own grid, and our name of each label that has one (`lesion.structures`).

    ``names`` are those that the map's maker gave them.
    """

    labels: Volume
    structures: Mapping[int, str]
    notices: tuple[Notice, ...] = ()
    names: Mapping[int, str] = field(default_factory=dict)


def assigned(stock: Stock, organs: Path | None) -> Stock:
    """``stock`` with ``organs`` given to its studies: one file, or a folder of ``<case>.nii.gz``.

    A study whose row of a manifest names its own keeps that. One that a folder has none for is a
    failure. Raises `InputError` where there is no such file, `AmbiguousInput` for one file and
    several studies.
    """
    if organs is None:
        return stock
    if not organs.exists():
        raise InputError(f"--organs {organs}: there is no such file", "Give the label map.")
    bare = [s for s in stock.studies if s.organs is None]
    if organs.is_file() and len(bare) > 1:
        raise AmbiguousInput(
            f"--organs {organs} is one label map for {len(bare)} studies",
            "Give a folder of <case>.nii.gz, or a manifest with a column organs.",
        )
    studies, failures = [], list(stock.failures)
    for study in stock.studies:
        path = study.organs or (_of_case(organs, study.case) if organs.is_dir() else organs)
        if path is None:
            what = f"--organs {organs}: holds no {study.case}.nii.gz"
            error = InputError(what, "Put the study's label map there, or predict it without.")
            failures.append(Failure(study.path, error, study.patient_id, study.study_date))
        else:
            studies.append(replace(study, extra={**study.extra, "organs": str(path)}))
    return replace(stock, studies=tuple(studies), failures=tuple(failures))


def _of_case(folder: Path, case: str) -> Path | None:
    paths = (folder / f"{case}{suffix}" for suffix in (".nii.gz", ".nii"))
    return next((p for p in paths if p.is_file()), None)


def organs_record(study: Study) -> dict[str, Any]:
    """What `case.json` keeps of a study's label map: its hash and that of its labels' names.

    Empty without one. Raises `InputError` where it cannot be read.
    """
    path = study.organs
    if path is None:
        return {}
    if not path.is_file():
        raise InputError(f"{path}: there is no such label map of organs", "Correct --organs.")
    names = json.dumps(read_names(path), sort_keys=True)
    hashed = hashlib.sha256(names.encode()).hexdigest()
    return {"organs_sha256": sha256_of(path), "organs_names_sha256": hashed}


def read_organ_map(path: Path, suv: Volume, accepted: Collection[str] = ()) -> OrganMap:
    """The organs of the PET ``suv``, from a label map on any grid.

    A map of the PET's shape that lies elsewhere is taken voxel by voxel where "mask-geometry" is
    ``accepted``. Raises `GeometryError` where organs lie beside the PET or outside the body that
    it shows, `InputError` for a map without any organ that is known.
    """
    labels, names = read_nifti(path, Unit.LABEL), read_names(path)
    notices: tuple[Notice, ...] = ()
    if labels.grid.shape == suv.grid.shape and not labels.grid.matches(suv.grid, 0.1):
        notices = by_index(labels.grid, suv.grid, path, accepted)
        labels = Volume(labels.array, suv.grid, Unit.LABEL)
    there = np.unique(labels.array).tolist()
    known = {k: structure_of(names[k]) for k in there if k in names}
    structures = {k: name for k, name in known.items() if name is not None}
    if not structures:
        what = f"{path}: none of its labels is an organ that is known"
        raise InputError(what, 'Name them in a JSON beside it: {"1": "spleen", …}.')
    check_overlap(labels.grid, suv.grid, path)
    _check_body(labels, suv, path)
    return OrganMap(labels, structures, notices, names)


def _check_body(labels: Volume, suv: Volume, path: Path) -> None:
    """Organs lie in the PET and, where it shows a body, for the greater part inside that."""
    flat = np.flatnonzero(labels.array)
    flat = flat[:: max(1, flat.size // POINTS)]
    index = np.column_stack(np.unravel_index(flat, labels.array.shape))
    places = labels.grid.to_mm(index)
    places = places[_inside(suv.grid, places)]
    if not len(places):
        raise GeometryError(f"{path}: its organs lie beside the PET", "Are they of one study?")
    body = pet_outline(suv)
    if body.inside.sum() * body.grid.voxel_ml < BODY_ML:
        return
    top = np.array(body.inside.shape) - 1
    z, y, x = np.clip(np.rint(body.grid.to_index(places)).astype(int), 0, top).T
    share = float(body.inside[z, y, x].mean())
    if share < IN_BODY:
        raise GeometryError(
            f"{path}: {1 - share:.0%} of its organs lie outside the PET's body",
            "Look whether the map is of this study and lies on it.",
        )


def _inside(grid: Grid, places_mm: FloatArray) -> np.ndarray[Any, np.dtype[np.bool_]]:
    """Which positions lie in a voxel of ``grid``, (n,)."""
    index = grid.to_index(places_mm)
    within = (index >= -0.5) & (index < np.array(grid.shape) - 0.5)
    return np.asarray(within.all(axis=1))
