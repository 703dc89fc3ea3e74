"""Do PET and CT lie on each other: the outlines of the body in both, moved until they fit best.

Measured on a real PET/CT (ACRIN 042) whose CT was moved by known amounts: docs/suv.md.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from tmtv_engine.image.outline import Outline, ct_outline
from tmtv_engine.image.volume import FloatArray, Mask, Volume
from tmtv_engine.notices import Notice, notice

LEAST_DICE = 0.8
MOST_MM = 11.0  # that the CT may seem moved, across the body or along it
LEAST_GAIN = 0.005  # of Dice by which a place along the body must fit better than its own
REACH_MM = 100.0
LEAST_SHARE = 0.8  # of the PET's body that the CT's field holds; arms may lie beside it
LEAST_ML = 500.0  # of body in both, else outlines say nothing


def misregistration(body: Outline, ct: Volume) -> tuple[dict[str, Any] | None, list[Notice]]:
    """How well the body's outlines in PET and CT fit where both look.

    ``dice`` is that of the outlines as they lie, ``shift_mm`` how far the CT seems moved (x, y, z,
    LPS mm): along the body to where the outlines fit best, across it by the median of their
    middles there. None where they hardly look at the same place. A body of the same outline all
    along tells nothing of a shift along it.
    """
    reach = round(REACH_MM / body.grid.spacing_mm[0])
    seen, theirs = _on(ct_outline(ct), body, reach)
    count = len(body.inside)
    here = slice(reach, reach + count)
    pet = body.inside & seen[here]
    short = _short(body, pet)
    if min(pet.sum(), theirs[here].sum()) * body.grid.voxel_ml < LEAST_ML:
        return None, short
    own = _dice(pet, theirs[here])
    back = np.rint(-_across(pet, theirs[here])).astype(int)  # else what is across hides the rest
    looks, shows = (np.roll(m, back, axis=(1, 2)) for m in (seen, theirs))
    steps, part = _along(body.inside, looks, shows, reach)
    there = slice(reach + steps, reach + steps + count)
    across = _across(body.inside & seen[there], theirs[there])
    shift = body.grid.affine[:3, :3] @ np.array([steps + part, *across])
    moved = [float(np.hypot(*(across * body.grid.spacing_mm[1:])))]
    moved.append(abs(steps + part) * body.grid.spacing_mm[0])
    found = {"dice": own, "shift_mm": shift.tolist()}
    if own >= LEAST_DICE and max(moved) <= MOST_MM:
        return found, short
    x, y, z = shift
    what = f"Dice {own:.2f}, the CT seems moved by ({x:.0f}, {y:.0f}, {z:.0f}) mm"
    return found, [*short, notice("misregistration", what)]


def _short(body: Outline, seen: Mask) -> list[Notice]:
    """That the CT's field holds too little of the PET's body, ``seen``."""
    whole = int(np.count_nonzero(body.inside))
    share = int(np.count_nonzero(seen)) / max(whole, 1)
    if whole * body.grid.voxel_ml < LEAST_ML or share >= LEAST_SHARE:
        return []
    return [notice("misregistration", f"the CT shows {share:.0%} of the body in the PET")]


def _along(inside: Mask, seen: Mask, theirs: Mask, reach: int) -> tuple[int, float]:
    """By how many slices the CT must be moved back to fit best, and by what part of one more.

    0 where its own place fits as well. The part is where a parabola through the best place and
    its neighbours has its top.
    """
    by = sorted(range(-reach, reach + 1), key=lambda k: (abs(k), k))
    fits = {}
    for k in by:
        there = slice(reach + k, reach + k + len(inside))
        fits[k] = _dice(inside & seen[there], theirs[there])
    best = max(by, key=lambda k: fits[k])  # of several the nearest
    if not fits[best] - fits[0] >= LEAST_GAIN or best == 0:
        return 0, 0.0
    before, after = (fits.get(best + k, fits[best]) for k in (-1, 1))
    bend = before - 2 * fits[best] + after
    return best, 0.5 * (before - after) / bend if bend < 0 else 0.0


def _on(other: Outline, body: Outline, reach: int) -> tuple[Mask, Mask]:
    """Where the CT looks and what it shows of the body, on the PET's thinned grid.

    Both (z, y, x) go on by ``reach`` slices at either end.
    """
    z, y, x = body.inside.shape
    index = np.indices((z + 2 * reach, y, x)).reshape(3, -1).T - [reach, 0, 0]
    at = np.rint(other.grid.to_index(body.grid.to_mm(index))).astype(int)
    seen: Mask = np.all((at >= 0) & (at < np.array(other.inside.shape)), axis=1)
    theirs: Mask = np.zeros(seen.shape, np.bool_)
    theirs[seen] = other.inside[tuple(at[seen].T)]
    shape = (z + 2 * reach, y, x)
    return seen.reshape(shape), theirs.reshape(shape)


def _dice(pet: Mask, scan: Mask) -> float:
    sizes = int(np.count_nonzero(pet)) + int(np.count_nonzero(scan))
    return 2.0 * float(np.count_nonzero(pet & scan)) / max(sizes, 1)


def _across(pet: Mask, scan: Mask) -> FloatArray:
    """The median over slices of how far the middles of two outlines are apart, (y, x) voxels."""
    both = np.flatnonzero(pet.any(axis=(1, 2)) & scan.any(axis=(1, 2)))
    apart = [np.argwhere(scan[k]).mean(axis=0) - np.argwhere(pet[k]).mean(axis=0) for k in both]
    return np.asarray(np.median(apart, axis=0), np.float64) if apart else np.zeros(2)
