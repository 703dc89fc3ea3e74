"""Stops on what no PET of a person shows, for DICOM and NIfTI alike, in SUV."""

from __future__ import annotations

from collections.abc import Collection

import numpy as np

from tmtv_engine.image.outline import Outline
from tmtv_engine.image.volume import Mask, Unit, Volume
from tmtv_engine.notices import Notice, refuse

HIGHEST_SUV = 2000.0
BODY_SUV = (0.2, 5.0)
ROUNDING = 1e-3
NEGATIVE_SUV, NEGATIVE_SHARE = 0.1, 0.1  # no reconstruction goes below, beside noise and ringing
NEGATIVE_ML = 0.5
MOST_VOXELS = 1_000_000
SPACING_MM = (0.5, 20.0)


def check_spacing(suv: Volume, name: object, accepted: Collection[str]) -> list[Notice]:
    """Refuse voxels below 0.5 mm or above 20 mm, and an affine that nobody set (1 mm, counted from
    0), unless accepted."""
    low, high = SPACING_MM
    spacing, affine = suv.grid.spacing_mm, suv.grid.affine
    text = " × ".join(f"{s:g}" for s in spacing)
    if not all(low <= s <= high for s in spacing):
        return [refuse("spacing", f"{name}: {text} mm (z, y, x)", accepted)]
    unset = np.isin(np.abs(affine[:3, :3]), (0.0, 1.0)).all() and not affine[:3, 3].any()
    if unset:
        return [refuse("spacing", f"{name}: {text} mm, at 0, 0, 0, which is no affine", accepted)]
    return []


def check_suv(suv: Volume, body: Outline, name: object, accepted: Collection[str]) -> list[Notice]:
    """Refuse an SUVmax above 2000, a body mean outside 0.2 to 5 and a body that is negative in
    places, unless accepted."""
    highest, (low, high) = float(suv.require(Unit.SUV).max()), BODY_SUV
    told = []
    if highest > HIGHEST_SUV:
        what = f"{name}: reaches {highest:g}, which is no SUV"
        told.append(refuse("suv-max", what, accepted))
    if not low * (1 - ROUNDING) <= body.mean <= high * (1 + ROUNDING):
        told.append(refuse("body-suv", f"{name}: {body.mean:.3g} on average", accepted))
    least = -max(NEGATIVE_SUV, NEGATIVE_SHARE * highest)
    below_ml = _inside_ml(suv, suv.array < least, body)
    if below_ml >= NEGATIVE_ML:
        what = f"{name}: {below_ml:.1f} mL of the body lie below {least:.2g}"
        told.append(refuse("negative-suv", what, accepted))
    return told


def _inside_ml(suv: Volume, mask: Mask, body: Outline) -> float:
    """The volume of a mask's voxels that lie in the body, mL; far more than enough is not counted
    to its end."""
    index = np.argwhere(mask)[:MOST_VOXELS]
    if not len(index):
        return 0.0
    top = np.array(body.inside.shape) - 1
    at = np.rint(body.grid.to_index(suv.grid.to_mm(index))).astype(int)
    z, y, x = np.clip(at, 0, top).T
    return float(np.count_nonzero(body.inside[z, y, x])) * suv.grid.voxel_ml
