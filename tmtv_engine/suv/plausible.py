"""Stops on what no PET of a person shows, for DICOM and NIfTI alike, in SUV."""

from __future__ import annotations

from collections.abc import Collection

from tmtv_engine.image.outline import Outline
from tmtv_engine.image.volume import Unit, Volume
from tmtv_engine.notices import Notice, refuse

HIGHEST_SUV = 2000.0
BODY_SUV = (0.2, 5.0)
ROUNDING = 1e-3
SPACING_MM = (0.5, 20.0)


def check_spacing(suv: Volume, name: object, accepted: Collection[str]) -> list[Notice]:
    """Refuse voxels below 0.5 mm or above 20 mm, unless accepted."""
    low, high = SPACING_MM
    spacing = suv.grid.spacing_mm
    if all(low <= s <= high for s in spacing):
        return []
    text = " × ".join(f"{s:g}" for s in spacing)
    return [refuse("spacing", f"{name}: {text} mm (z, y, x)", accepted)]


def check_suv(suv: Volume, body: Outline, name: object, accepted: Collection[str]) -> list[Notice]:
    """Refuse an SUVmax above 2000 and a body mean outside 0.2 to 5, unless accepted."""
    highest, (low, high) = float(suv.require(Unit.SUV).max()), BODY_SUV
    told = []
    if highest > HIGHEST_SUV:
        what = f"{name}: reaches {highest:g}, which is no SUV"
        told.append(refuse("suv-max", what, accepted))
    if not low * (1 - ROUNDING) <= body.mean <= high * (1 + ROUNDING):
        told.append(refuse("body-suv", f"{name}: {body.mean:.3g} on average", accepted))
    return told
