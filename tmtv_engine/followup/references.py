"""Liver and blood pool of a PET: inside the named organs of a label map, or a sphere."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from tmtv_engine.followup.response import Reference
from tmtv_engine.image.sphere import sphere_suv
from tmtv_engine.image.volume import Volume
from tmtv_engine.model.reference import KEYS
from tmtv_engine.study.organs import read_organs, structure_of
from tmtv_engine.study.tissue import DEEP_MM, deep_suv

LIVER_MM, BLOOD_MM = 15.0, 8.0  # radii of the spheres
LEAST_ML = 1.0
Point = tuple[float, float, float]


@dataclass(frozen=True)
class Where:
    """Where a user says that they are; a sphere goes before the organs."""

    liver_mm: Point | None = None
    blood_mm: Point | None = None
    organs: Path | None = None


def references(
    suv: Volume,
    where: Where,
    lesions: npt.NDArray[np.int64],
    known: Mapping[str, Any] | None = None,
) -> dict[str, Reference | None]:
    """``liver`` and ``blood pool`` of a PET without its ``lesions`` (flat voxels); None: unknown.

    What ``where`` does not tell is taken from the case's own ``known`` quality: the network named
    the liver there, or a label map that was given then. Raises `InputError` for a sphere that lies
    outside, or a map that is none.
    """
    found = {name: _recorded((known or {}).get(key), name) for name, key in KEYS.items()}
    if where.organs is not None:
        labels, names = read_organs(where.organs)
        aorta = {k for k, n in names.items() if "aorta" in n.lower()}
        vessel = aorta or {k for k, n in names.items() if structure_of(n) == "vessel"}
        liver = {k for k, n in names.items() if structure_of(n) == "liver"}
        for name, chosen in (("liver", liver), ("blood pool", vessel)):
            told = ", ".join(names[k] for k in sorted(chosen))
            organ = labels.with_array(np.isin(labels.array, sorted(chosen)).astype(np.uint8))
            found[name] = _inside(suv, organ, lesions, name, told) or found[name]
    for name, centre, radius, option in (
        ("liver", where.liver_mm, LIVER_MM, "--liver-sphere"),
        ("blood pool", where.blood_mm, BLOOD_MM, "--blood-sphere"),
    ):
        if centre is not None:
            values = sphere_suv(suv, centre, radius, option)
            how = f"sphere of {2 * radius:.0f} mm at {','.join(f'{v:g}' for v in centre)}"
            found[name] = Reference.of(values, suv.grid.voxel_ml, how)
    return found


def _recorded(told: Any, name: str) -> Reference | None:
    """What a case's quality tells of an organ; of before it told a maximum: nothing."""
    if not isinstance(told, Mapping) or "suv_max" not in told:
        return None
    by = "the network names it" if told["by"] == "network" else "the map of organs had it"
    how = f"{name} as {by} when the case was made, {DEEP_MM[name]:.0f} mm inside its border"
    return Reference(told["suv_mean"], told["suv_max"], told["volume_ml"], how)


def _inside(
    suv: Volume, organ: Volume, lesions: npt.NDArray[np.int64], name: str, told: str
) -> Reference | None:
    """The organ less its border and the lesions; None of less than a millilitre."""
    deep = DEEP_MM[name]
    values = deep_suv(suv, organ, lesions, deep)
    if values.size * suv.grid.voxel_ml < LEAST_ML:
        return None
    return Reference.of(values, suv.grid.voxel_ml, f"{told}, {deep:.0f} mm inside its border")
