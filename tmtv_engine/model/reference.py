"""SUV of liver and blood pool for a study's `quality`, where something names them."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from tmtv_engine.image.volume import FloatArray, Unit, Volume
from tmtv_engine.model.naming import Naming
from tmtv_engine.study.organmaps import OrganMap
from tmtv_engine.study.tissue import DEEP_MM, deep_suv

LEAST_ML = {"liver": 50.0, "blood pool": 1.0}  # deep inside: of less no normal tissue can be told
SURE = 0.5
KEYS = {"liver": "liver", "blood pool": "blood_pool"}


def reference_suv(
    suv: Volume,
    without: npt.NDArray[np.int64],
    organs: OrganMap | None = None,
    naming: Naming | None = None,
) -> dict[str, dict[str, Any] | None]:
    """``liver`` and ``blood_pool``: SUV deep inside them; None where nothing names them.

    ``without`` are the flat voxels of lesions and candidates. A label map of ``organs`` names
    both (blood pool: the aorta, else its vessels). The network's ``naming`` names the liver: its
    voxels are wider than an aorta.
    """
    found: dict[str, dict[str, Any] | None] = {}
    for name, key in KEYS.items():
        mask, by = None, "organs"
        if organs is not None:
            mask = _of_map(organs, name)
        if mask is None and naming is not None and name == "liver":
            mask, by = _of_network(naming, name), "network"
        values = np.zeros(0) if mask is None else deep_suv(suv, mask, without, DEEP_MM[name])
        found[key] = _told(values, suv.grid.voxel_ml, LEAST_ML[name], by)
    return found


def _told(values: FloatArray, voxel_ml: float, least_ml: float, by: str) -> dict[str, Any] | None:
    if values.size * voxel_ml < least_ml:
        return None
    return {
        "suv_mean": float(values.mean()),
        "suv_median": float(np.median(values)),
        "suv_sd": float(values.std()),
        "suv_max": float(values.max()),
        "volume_ml": values.size * voxel_ml,
        "by": by,
    }


def _of_map(organs: OrganMap, name: str) -> Volume | None:
    """Where a label map has the organ, None where it has none."""
    known = organs.structures
    if name == "liver":
        rows = [k for k, structure in known.items() if structure == "liver"]
    else:
        rows = [k for k in known if "aort" in organs.names.get(k, "").lower()]
        rows = rows or [k for k, structure in known.items() if structure == "vessel"]
    if not rows:
        return None
    inside = np.isin(organs.labels.array, rows).astype(np.uint8)
    return Volume(inside, organs.labels.grid, Unit.LABEL)


def _of_network(naming: Naming, name: str) -> Volume | None:
    if name not in naming.names:
        return None
    sure = naming.probabilities[naming.names.index(name)] > SURE
    return Volume(sure.astype(np.uint8), naming.grid, Unit.LABEL)
