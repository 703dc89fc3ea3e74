"""Images that are there twice: a NIfTI made of a DICOM study."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from tmtv_engine.errors import TmtvError
from tmtv_engine.image.formats import read_image, shape_of
from tmtv_engine.image.volume import Array, FloatArray, Grid, Unit, Volume
from tmtv_engine.study.archive import unpacked
from tmtv_engine.study.found import Leftover, Stock, Study

SAME = 1e-3  # of a slice's maximum: what a factor and single precision may leave between two
NEAR_MM = 0.1


def without_twins(stock: Stock) -> Stock:
    """The stock less images made of its DICOM studies; what a manifest names stands."""
    scans = [s for s in stock.studies if s.kind == "dicom" and not s.named]
    kept: list[Study] = []
    left: list[Leftover] = []
    for study in stock.studies:
        scan = None if study.kind == "dicom" or study.named else _made_of(study, scans)
        if scan is None:
            kept.append(study)
        else:
            why = f"the same image as {scan.case}, which is made from {scan.path}"
            beside = f"the CT of {study.pet[0].name}, which is {scan.case}"
            left += [Leftover(study.pet[0], why), *(Leftover(p, beside) for p in study.ct)]
    return replace(stock, studies=tuple(kept), leftovers=(*stock.leftovers, *left))


def _made_of(study: Study, scans: Sequence[Study]) -> Study | None:
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
    return next((s for s in alike if _lies_on(s, image.grid) and _same_image(s, image)), None)


def _lies_on(scan: Study, grid: Grid) -> bool:
    """Whether the corner of a DICOM study's first file is the centre of one of the voxels."""
    if scan.corner_mm is None:
        return True
    index = grid.to_index(scan.corner_mm)
    nearest = np.round(index)
    inside = (nearest >= 0).all() and (nearest < np.array(grid.shape)).all()
    return bool(inside and np.abs(grid.to_mm(nearest) - scan.corner_mm).max() <= NEAR_MM)


def _same_image(scan: Study, image: Volume) -> bool:
    from tmtv_engine.dicom.read import read_series

    try:
        with unpacked(scan) as real:
            stack = read_series(real.pet)
    except TmtvError:
        return False
    turned = _onto(image, stack.grid)
    if turned is None:
        return False
    return all(_proportional(a, b) for a, b in zip(turned, stack.array, strict=True))


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


def _proportional(one: Array, other: Array) -> bool:
    """Whether two slices are one image but for a factor, as Bq/mL and SUV are."""
    a, b = one.astype(np.float64), other.astype(np.float64)
    square = float((b * b).sum())
    factor = float((a * b).sum()) / square if square else 0.0
    return bool(np.abs(a - factor * b).max() <= SAME * np.abs(a).max())
