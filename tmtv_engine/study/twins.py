"""Images that are there twice: a NIfTI made of a DICOM study."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from tmtv_engine.errors import InputError, TmtvError
from tmtv_engine.image.formats import read_image, shape_of
from tmtv_engine.image.volume import Array, FloatArray, Grid, Unit, Volume
from tmtv_engine.study.archive import unpacked
from tmtv_engine.study.found import Failure, Leftover, Stock, Study
from tmtv_engine.suv.overrides import Overrides

if TYPE_CHECKING:
    from tmtv_engine.dicom.read import Stack

SAME = 1e-3  # of a slice's maximum: what a factor and single precision may leave between two
SAME_UNIT = 0.01  # what other programs' half-lives and clocks may make of an SUV
NEAR_MM = 0.1
ANOTHER = (
    "Find out which SUV is right (weight, dose, times, SUV type); the image alone is measured "
    "as a STUDY of its own."
)


@dataclass(frozen=True)
class _Twin:
    """The DICOM study that an image was made of, and what the image holds of its ``unit``."""

    scan: Study
    times: float
    unit: str


def without_twins(stock: Stock) -> Stock:
    """The stock less images made of its DICOM studies; what a manifest names stands.

    One that holds the study's SUV, or what the scanner stored, is left over; one that holds them
    times another factor says that one of both is wrong, and is a failure.
    """
    scans = [s for s in stock.studies if s.kind == "dicom" and not s.named]
    kept: list[Study] = []
    left: list[Leftover] = []
    failed: list[Failure] = []
    for study in stock.studies:
        twin = None if study.kind == "dicom" or study.named else _made_of(study, scans)
        if twin is None:
            kept.append(study)
            continue
        image, scan = study.pet[0], twin.scan
        if abs(twin.times - 1.0) <= SAME_UNIT:
            why = f"the same image as {scan.case}, which is made from {scan.path}"
            left.append(Leftover(image, why))
        else:
            failed.append(_another_suv(image, twin))
        left += [Leftover(p, f"the CT of {image.name}, which is {scan.case}") for p in study.ct]
    return replace(
        stock,
        studies=tuple(kept),
        failures=(*stock.failures, *failed),
        leftovers=(*stock.leftovers, *left),
    )


def _another_suv(image: Path, twin: _Twin) -> Failure:
    scan = twin.scan
    what = (
        f"{image}: is the PET of {scan.case} times {twin.times:.4g} (its {twin.unit} by the DICOM "
        f"in {scan.path})"
    )
    return Failure(image, InputError(what, ANOTHER), scan.patient_id, scan.study_date, scan.uid)


def _made_of(study: Study, scans: Sequence[Study]) -> _Twin | None:
    """The DICOM study whose voxels an image holds, if one of ``scans`` is that."""
    with unpacked(study) as real:
        shape = shape_of(real.pet[0])
        alike = [s for s in scans if shape and sorted(shape) == sorted(s.shape)]
        if not alike:
            return None
        try:
            image = read_image(real.pet[0], Unit.SUV)
        except TmtvError:
            return None
    twins = (_twin(s, image) for s in alike if _lies_on(s, image.grid))
    return next((twin for twin in twins if twin), None)


def _lies_on(scan: Study, grid: Grid) -> bool:
    """Whether the corner of a DICOM study's first file is the centre of one of the voxels."""
    if scan.corner_mm is None:
        return True
    index = grid.to_index(scan.corner_mm)
    nearest = np.round(index)
    inside = (nearest >= 0).all() and (nearest < np.array(grid.shape)).all()
    return bool(inside and np.abs(grid.to_mm(nearest) - scan.corner_mm).max() <= NEAR_MM)


def _twin(scan: Study, image: Volume) -> _Twin | None:
    from tmtv_engine.dicom.read import read_series

    try:
        with unpacked(scan) as real:
            stack = read_series(real.pet)
    except TmtvError:
        return None
    turned = _onto(image, stack.grid)
    if turned is None:
        return None
    suv = _suv_of(scan, stack)
    units = [("stored values", stack.array)]
    if suv is not None:
        units.insert(0, ("SUV", suv))
    told = [(times, unit) for unit, array in units if (times := _times(turned, array))]
    if not told:
        return None
    near = (t for t in told if abs(t[0] - 1.0) <= SAME_UNIT)
    return _Twin(scan, *next(near, told[0]))


def _suv_of(scan: Study, stack: Stack) -> Array | None:
    """The SUV by the headers alone, None where they do not tell it."""
    from tmtv_engine.dicom.header import pet_header
    from tmtv_engine.suv.factor import suv_factor

    try:
        header = pet_header([piece.head for piece in stack.slices], stack.header)
        found = suv_factor(header, scan.told(Overrides()))
    except TmtvError:
        return None
    each = found.value if found.per_slice is None else found.per_slice[:, None, None]
    return np.asarray(stack.array * each)


def _onto(image: Volume, grid: Grid) -> Array | None:
    """The image's array along the axes of ``grid``, None where it is not that grid."""
    steps: FloatArray = np.linalg.inv(grid.affine[:3, :3]) @ image.grid.affine[:3, :3]
    whole = np.round(steps).astype(int)
    if np.abs(steps - whole).max() > 0.01 or (np.abs(whole).sum(axis=1) != 1).any():
        return None
    order = tuple(int(k) for k in np.abs(whole).argmax(axis=1))
    back = [k for k in range(3) if whole[k, order[k]] < 0]
    array = np.flip(image.array.transpose(order), tuple(back))
    start = [image.grid.shape[order[k]] - 1 if k in back else 0 for k in range(3)]
    index = np.zeros(3)
    for k in range(3):
        index[order[k]] = start[k]
    affine = grid.affine.copy()
    affine[:3, 3] = image.grid.to_mm(index)
    same = array.shape == grid.shape and Grid(grid.shape, affine).matches(grid, NEAR_MM)
    return array if same else None


def _times(image: Array, scan: Array) -> float | None:
    """What factor makes ``scan`` (z, y, x) to ``image``, None where none above nought does."""
    square = product = 0.0
    for a, b in zip(image, scan, strict=True):
        product += float(np.vdot(a.astype(np.float64), b))
        square += float(np.vdot(b.astype(np.float64), b))
    factor = product / square if square else 0.0
    if not factor > 0:
        return None
    for a, b in zip(image, scan, strict=True):
        if np.abs(a - factor * b.astype(np.float64)).max() > SAME * np.abs(a).max():
            return None
    return factor
