"""Whether the organs that a network names lie on their sides: a mirrored file says nothing of it.

The bundled network's answer to a mirrored image is the mirrored answer, so that the side of the
liver is the image's own.
"""

from __future__ import annotations

import numpy as np

from tmtv_engine.image.volume import FloatArray
from tmtv_engine.model.naming import Naming
from tmtv_engine.notices import Notice, notice

NAMED = 0.5
APART_MM = 40.0  # of two organs' middles, from left to right
LIVER_ML, SPLEEN_ML, HEART_ML = 300.0, 60.0, 200.0  # of less the middle says little


def side_of_liver(naming: Naming) -> list[Notice]:
    """A warning where the liver lies to the left of the spleen or, without one, of the heart."""
    liver = _middle_mm(naming, "liver", LIVER_ML)
    other, name = _middle_mm(naming, "spleen", SPLEEN_ML), "spleen"
    if other is None:
        other, name = _middle_mm(naming, "heart", HEART_ML), "heart"
    if liver is None or other is None or liver[0] - other[0] < APART_MM:
        return []
    return [
        notice("body-mirrored", f"liver {liver[0] - other[0]:.0f} mm to the left of the {name}")
    ]


def _middle_mm(naming: Naming, name: str, least_ml: float) -> FloatArray | None:
    """The middle (x, y, z) of a structure, None of less than ``least_ml`` of it."""
    if name not in naming.names:
        return None
    there = naming.probabilities[naming.names.index(name)] > NAMED
    if np.count_nonzero(there) * naming.grid.voxel_ml < least_ml:
        return None
    return np.asarray(naming.grid.to_mm(np.argwhere(there).mean(axis=0)), np.float64)
