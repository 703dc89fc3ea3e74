"""Where a lesion lies, in words, from the outline of the body that the PET shows.

Two landmarks are looked for: the shoulders, below the narrow neck, and the crotch, where one
outline becomes two legs. Levels between them are shares of that length, sides are told from the
body's middle. Without a landmark, near a border that it leaves open, or in a body that is not one
(a phantom, a limb) nothing is said.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from tmtv_engine.image.outline import pet_outline
from tmtv_engine.image.volume import FloatArray, Unit, Volume
from tmtv_engine.lesion.lists import Lesions
from tmtv_engine.lesion.measures import centroid_mm

TRUNK_MM = (400.0, 800.0)  # shoulders to crotch, of anybody
USUAL_MM = 600.0
NECK_MM = 150.0  # at most so far above the shoulders lies the narrowest slice
LEG_CM2 = 30.0
# levels between shoulders (0) and crotch (1): where each ends
LEVELS = ((-0.22, "head"), (0.0, "neck"), (0.44, "chest"), (0.70, "abdomen"), (1.0, "pelvis"))
OPEN = 0.06  # so near a border nothing is said where one landmark is missing,
BOTH = 0.03  # and so near both sides of it are named where there are two


@dataclass(frozen=True, eq=False)
class Levels:
    """The body slice by slice from the head down, (s,): ``z_mm``, and of the largest outline its
    ``area_cm2`` and its extent ``low_mm`` and ``high_mm`` (x, y), (s, 2); ``second_cm2`` is the
    next largest's area; ``parts`` (s, y, x) are the outlines, 1 the largest; ``at`` tells of
    positions in LPS mm which slice, row and column of ``parts`` they lie in."""

    z_mm: FloatArray
    area_cm2: FloatArray
    second_cm2: FloatArray
    low_mm: FloatArray
    high_mm: FloatArray
    parts: npt.NDArray[np.int32]
    to_block: FloatArray
    origin_mm: FloatArray

    def at(self, point_mm: FloatArray) -> tuple[int, int, int]:
        """The block (slice, row, column) of a position, the nearest that there is."""
        index = np.rint(self.to_block @ (point_mm - self.origin_mm)).astype(int)
        z, y, x = np.clip(index, 0, np.array(self.parts.shape) - 1)
        return int(z), int(y), int(x)


def levels(suv: Volume) -> Levels | None:
    """The body of a PET; None where its slices are not axial or hold none."""
    suv.require(Unit.SUV)
    body = pet_outline(suv)
    affine, first, inside = body.grid.affine[:3, :3], body.grid.affine[:3, 3], body.inside
    if np.abs(affine[2, 0]) < 0.98 * np.linalg.norm(affine[:, 0]) or not inside.any():
        return None
    if affine[2, 0] > 0:  # from the head down
        inside = inside[::-1]
        first = first + affine[:, 0] * (len(inside) - 1)
        affine = affine * [-1, 1, 1]
    parts = np.stack([_parts(plane) for plane in inside])
    cell = float(np.linalg.norm(np.cross(affine[:, 1], affine[:, 2]))) / 100.0
    ends = [_extent(plane == 1, affine, first) for plane in parts]
    return Levels(
        first[2] + affine[2, 0] * np.arange(len(parts)),
        np.array([(plane == 1).sum() * cell for plane in parts], np.float64),
        np.array([(plane == 2).sum() * cell for plane in parts], np.float64),
        np.array([low for low, _ in ends]),
        np.array([high for _, high in ends]),
        parts,
        np.asarray(np.linalg.inv(affine), np.float64),
        first,
    )


@dataclass(frozen=True)
class Landmarks:
    """Where shoulders and crotch lie, z in mm; None where the scan does not show them."""

    shoulders_mm: float | None
    crotch_mm: float | None

    def level(self, z_mm: float) -> str | None:
        """The level of the body, of two near their border; None where it cannot be told."""
        top, bottom = self.shoulders_mm, self.crotch_mm
        if top is not None:
            length = USUAL_MM if bottom is None else top - bottom
            share = (top - z_mm) / length
        elif bottom is not None:
            share = 1 - (z_mm - bottom) / USUAL_MM
        else:
            return None
        one = top is None or bottom is None
        if (top is None and share < OPEN) or (bottom is None and share > 1 - OPEN):
            return None
        if not 0 <= share < 1:
            return _level(share)
        near = OPEN if one else BOTH
        low, high = _level(max(share - near, 0.0)), _level(min(share + near, 0.999))
        return low if low == high else None if one else f"{low} or {high}"


def _level(share: float) -> str:
    return next((name for border, name in LEVELS if share < border), "legs")


def landmarks(body: Levels) -> Landmarks:
    """Shoulders below a narrow neck, and the crotch, where two legs begin."""
    usual = float(np.percentile(body.area_cm2, 75))
    shoulders = _shoulders(body, usual)
    crotch = _crotch(body, usual, 0 if shoulders is None else shoulders)
    top = None if shoulders is None else float(body.z_mm[shoulders])
    bottom = None if crotch is None else float(body.z_mm[crotch])
    if top is not None and bottom is not None:
        low, high = TRUNK_MM
        if not low <= top - bottom <= high:
            return Landmarks(None, None)
    return Landmarks(top, bottom)


def regions(suv: Volume, lesions: Lesions) -> tuple[str | None, ...]:
    """The place of each lesion's centroid in words, None where it cannot be known, (n,)."""
    body = levels(suv)
    if body is None or not len(lesions):
        return (None,) * len(lesions)
    marks = landmarks(body)
    trunk = body.area_cm2 > 0.5 * np.percentile(body.area_cm2, 75)
    if not trunk.any():
        return (None,) * len(lesions)
    middle = float(np.median((body.low_mm + body.high_mm)[trunk, 0] / 2))
    return tuple(_named(body, marks, middle, point) for point in centroid_mm(lesions))


def _named(body: Levels, marks: Landmarks, middle_mm: float, point: FloatArray) -> str | None:
    level = marks.level(float(point[2]))
    z, y, x = body.at(point)
    part = int(body.parts[z, y, x])
    if level is None or part == 0:
        return None
    away = float(point[0]) - middle_mm
    side = "left" if away > 0 else "right"  # LPS
    if level == "legs":
        return f"{side} leg"
    if part > 1:
        return f"{side} arm"
    half = float(body.high_mm[z, 0] - body.low_mm[z, 0]) / 2
    off = abs(away) / max(half, 1.0)
    front = float(point[1]) < float(body.low_mm[z, 1] + body.high_mm[z, 1]) / 2
    if level == "chest" and off < 0.3:
        return "mediastinum"
    if level == "pelvis" and front and off > 0.3 and _low(marks, float(point[2])):
        return f"{side} groin"
    return f"{level}, midline" if off < 0.12 else f"{side} {level}"


def _low(marks: Landmarks, z_mm: float) -> bool:
    """Whether a height is that of the groins, in the 110 mm above the crotch."""
    return marks.crotch_mm is not None and z_mm - marks.crotch_mm < 110.0


def _parts(plane: npt.NDArray[np.bool_]) -> npt.NDArray[np.int32]:
    """The outlines of a slice, the largest is 1."""
    from scipy.ndimage import label

    found, count = label(plane)
    sizes = np.bincount(found.reshape(-1), minlength=count + 1)[1:]
    rank = np.zeros(count + 1, np.int32)
    rank[1:][np.argsort(-sizes, kind="stable")] = np.arange(1, count + 1)
    return np.asarray(rank[found], np.int32)


def _extent(
    plane: npt.NDArray[np.bool_], affine: FloatArray, first: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Lowest and highest x and y (LPS mm) of a slice's outline; NaN where there is none."""
    at = np.argwhere(plane)
    if not len(at):
        return np.full(2, np.nan), np.full(2, np.nan)
    points = first + at @ affine[:, 1:].T
    return points[:, :2].min(axis=0), points[:, :2].max(axis=0)


def _shoulders(body: Levels, usual_cm2: float) -> int | None:
    """The first wide slice below a narrow one that lies below a wider one again (the head)."""
    wide = np.flatnonzero(body.area_cm2 >= 0.6 * usual_cm2)
    if not len(wide) or wide[0] == 0:
        return None
    first = int(wide[0])
    above = body.area_cm2[:first]
    near = body.z_mm[:first] - body.z_mm[first] <= NECK_MM
    neck = int(np.argmin(np.where(near, above, np.inf)))
    head = above[:neck].max(initial=0.0)
    narrow = above[neck] < 0.45 * usual_cm2
    return first if narrow and 0 < above[neck] < 0.9 * head else None


def _crotch(body: Levels, usual_cm2: float, start: int) -> int | None:
    """The first slice below ``start`` of which, and of the two below it, two legs are seen."""
    legs = (body.second_cm2 > 0.6 * body.area_cm2) & (body.second_cm2 > LEG_CM2)
    legs &= body.area_cm2 < 0.7 * usual_cm2
    for k in range(start + 1, len(legs) - 2):
        if legs[k : k + 3].all():
            return k
    return None
