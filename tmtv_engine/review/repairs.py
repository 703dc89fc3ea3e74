"""Repairs: what a journal's line says of one, and what it does to the lesions.

``add`` and ``grow`` hold a seed, a threshold and a reach, ``erase`` spheres or an SUV above or
below which a lesion loses its voxels, ``merge`` nothing but the numbers: enough to do the same
again from the lists and the PET.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import msgspec
import numpy as np
from msgspec import UNSET, Meta, Struct, UnsetType

from tmtv_engine.errors import UsageError
from tmtv_engine.lesion.edit import (
    PEAK_MM,
    WITHIN_MM,
    IntArray,
    Point,
    Sphere,
    highest_near,
    in_spheres,
)
from tmtv_engine.lesion.lists import Lesions
from tmtv_engine.review.journal import Decision
from tmtv_engine.review.line import Action, Line
from tmtv_engine.text import clean

if TYPE_CHECKING:
    from tmtv_engine.review.source import Pet

FLOOR_SUV = 2.5
FAR_MM = 5000.0
Mm = Annotated[float, Meta(ge=-1e6, le=1e6)]
Suv = Annotated[float, Meta(ge=-1e9, le=1e9)]
Reach = Annotated[float, Meta(gt=0, le=FAR_MM)]


class Growth(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Of an ``add`` or ``grow``: ``seed`` (x, y, z) LPS mm, ``threshold`` SUV, ``reach`` mm.

    ``share``: the percent of the highest SUV near the seed that the threshold was taken as.
    """

    seed: tuple[Mm, Mm, Mm]
    threshold: Suv
    reach: Reach
    share: Annotated[float, Meta(gt=0, lt=100)] | UnsetType = UNSET


class Answer(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Of an ``add`` or ``grow`` that asked a model; its ``text`` is the hash of the answer's file.

    ``seed`` and ``background``: the clicks on tumour and on what is none, LPS mm; ``reach`` mm from
    the seed were looked at; the ``model`` by name and the SHA-256 of its files.
    """

    seed: tuple[Mm, Mm, Mm]
    reach: Reach
    model: Annotated[str, Meta(max_length=200)]
    sha256: Annotated[str, Meta(pattern=r"^[0-9a-f]{64}\Z")]
    background: Annotated[tuple[tuple[Mm, Mm, Mm], ...], Meta(max_length=1000)] = ()


class Erasure(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Of an ``erase``, one of: ``spheres`` (x, y, z, r) in mm, ``above`` or ``below`` an SUV.

    What is exactly at that SUV is not above it, so below.
    """

    spheres: Annotated[
        tuple[tuple[Mm, Mm, Mm, Reach], ...], Meta(min_length=1, max_length=1000)
    ] | (UnsetType) = UNSET
    above: Suv | UnsetType = UNSET
    below: Suv | UnsetType = UNSET

    def __post_init__(self) -> None:
        if sum(x is not UNSET for x in (self.spheres, self.above, self.below)) != 1:
            raise ValueError("spheres, above or below, one of them")


class Union(Struct, frozen=True, forbid_unknown_fields=True):
    """Of a ``merge``: nothing."""


Parameters = TypeVar("Parameters", bound=Struct)


def parameters(line: Line | Decision, kind: type[Parameters]) -> Parameters:
    """A line's parameters, typed; raises `UsageError` where they are none of that kind."""
    try:
        return msgspec.convert(line.parameters or {}, kind)
    except msgspec.ValidationError as error:
        raise UsageError(f"{line.action}: {error}") from error


def add(
    pet: Pet,
    point_mm: Point,
    above: str | float = FLOOR_SUV,
    within_mm: float = WITHIN_MM,
    into: int | None = None,
) -> Decision:
    """The decision to add what is above ``above`` (an SUV, or ``"41%"`` of the highest SUV within
    10 mm) around a point as a lesion, or ``into`` an existing one."""
    threshold, share = _threshold(pet, point_mm, above)
    told: dict[str, Any] = {
        "seed": [float(v) for v in point_mm],
        "threshold": threshold,
        "reach": float(within_mm),
        **({"share": share} if share else {}),
    }
    action = Action.ADD if into is None else Action.GROW
    return _sound(Decision(action, () if into is None else (into,), parameters=told), Growth)


def erase(
    lesion: int,
    spheres: Sequence[Sphere] = (),
    above: float | None = None,
    below: float | None = None,
) -> Decision:
    """The decision to take voxels out of a lesion: in spheres, above or below an SUV."""
    told: dict[str, Any] = {}
    if spheres:
        told["spheres"] = [[float(v) for v in sphere] for sphere in spheres]
    for name, suv in (("above", above), ("below", below)):
        if suv is not None:
            told[name] = float(suv)
    return _sound(Decision(Action.ERASE, (lesion,), parameters=told), Erasure)


def merge(lesions: Sequence[int]) -> Decision:
    """The decision to make one lesion of several."""
    numbers = tuple(sorted(set(lesions)))
    if len(numbers) < 2:
        raise UsageError("two lesions at least can be merged", "Give their numbers.")
    return Decision(Action.MERGE, numbers, parameters={})


def _sound(decision: Decision, kind: type[Struct]) -> Decision:
    parameters(decision, kind)
    return decision


def _threshold(pet: Pet, point_mm: Point, above: str | float) -> tuple[float, float | None]:
    """An SUV, and the percent of the highest near a point that it is, where it is one."""
    text = str(above).strip()
    try:
        value = float(text.removesuffix("%"))
    except ValueError as error:
        raise UsageError(f"{text!r} is no SUV", "Write 2.5, or 41% of the highest near.") from error
    if not text.endswith("%"):
        return value, None
    if not 0 < value < 100:
        raise UsageError(f"{text!r} is no share", "Write a percent between 0% and 100%.")
    highest = np.float64(highest_near(pet.window(point_mm, PEAK_MM), point_mm))
    return float(highest * (value / 100)), value


def left_by(erasure: Erasure, lesions: Lesions, row: int) -> IntArray:
    """The voxels that an erasure takes out of a lesion, flat; raises `UsageError` for none, all."""
    span, number = lesions.span(row), int(lesions.ids[row])
    suv = lesions.suv[span]
    if erasure.spheres is not UNSET:
        out, where = in_spheres(lesions, row, erasure.spheres), "lies in that sphere"
    elif erasure.above is not UNSET:
        out, where = suv > np.float64(erasure.above), f"is above SUV {erasure.above:g}"
    else:
        below = np.float64(erasure.below)  # type: ignore[arg-type]
        out, where = ~(suv > below), f"is at most SUV {below:g}"
    if not out.any():
        raise UsageError(f"no voxel of lesion {number} {where}", "Its SUVs are in case.json.")
    if out.all():
        raise UsageError(f"nothing of lesion {number} would be left", "Reject it.")
    return lesions.voxels[span][out]


def told(values: Mapping[str, Any]) -> str:
    """A repair's parameters in words, for people."""
    words = []
    if "model" in values:
        not_there = "".join(f", not {_place(p)}" for p in values.get("background", ()))
        where = f"{_place(values['seed'])}{not_there} within {values['reach']:g} mm"
        words.append(f"as {clean(values['model'])} answers at {where}")
    elif "seed" in values:
        words.append(f"at {_place(values['seed'])}")
        share = f" ({values['share']:g} %)" if "share" in values else ""
        words.append(f"above {values['threshold']:g}{share} within {values['reach']:g} mm")
    for *centre, radius in values.get("spheres", ()):
        words.append(f"sphere {_place(centre)} of {radius:g} mm")
    words += [f"{name} {values[name]:g}" for name in ("above", "below") if name in values]
    return " ".join(words)


def _place(point_mm: Sequence[float]) -> str:
    return ",".join(f"{v:g}" for v in point_mm)
