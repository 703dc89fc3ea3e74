"""Which lesions of two time points are one: those that lie within some millimetres."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from tmtv_engine.followup.align import Rigid
from tmtv_engine.image.volume import FloatArray, Grid, Mask
from tmtv_engine.lesion.lists import Lesions
from tmtv_engine.lesion.measures import centroid_mm

WITHIN_MM = 10.0
Fate = Literal["persisting", "new", "gone", "outside"]


@dataclass(frozen=True)
class Match:
    """Lesions of one place, by their numbers: one that fell apart has several at follow-up.

    ``outside``: it lies where the other scan does not reach, so that nobody can know.
    ``apart_mm``: the least distance of a voxel of one to one of the other, None without another.
    """

    fate: Fate
    baseline: tuple[int, ...]
    followup: tuple[int, ...]
    apart_mm: float | None = None


def match(
    baseline: Lesions, followup: Lesions, motion: Rigid, within_mm: float = WITHIN_MM
) -> tuple[Match, ...]:
    """Match the lesions of two PETs by the least distance of their voxels' centres.

    Two lesions are of one place when that is at most ``within_mm`` after ``motion``, and with
    them whatever is of one place with either: no lesion is in two matches, none is left out.
    Ordered by the baseline's numbers, then by the follow-up's.
    """
    before = [motion.apply(_points(baseline, k)) for k in range(len(baseline))]
    after = [_points(followup, k) for k in range(len(followup))]
    apart = _distances(before, after, within_mm)
    groups = _groups(apart <= within_mm)
    reached = _reached(motion.apply(centroid_mm(baseline)), followup.grid)
    seen = _reached(motion.undo(centroid_mm(followup)), baseline.grid)
    found = []
    for rows, columns in groups:
        fate: Fate = "persisting"
        if not columns:
            fate = "gone" if reached[rows[0]] else "outside"
        elif not rows:
            fate = "new" if seen[columns[0]] else "outside"
        least = float(apart[np.ix_(rows, columns)].min()) if rows and columns else None
        ids = tuple(int(baseline.ids[k]) for k in rows)
        others = tuple(int(followup.ids[k]) for k in columns)
        found.append(Match(fate, tuple(sorted(ids)), tuple(sorted(others)), least))
    return tuple(sorted(found, key=lambda m: (not m.baseline, m.baseline, m.followup)))


def _points(lesions: Lesions, row: int) -> FloatArray:
    return np.asarray(lesions.grid.to_mm(lesions.index(row)))


def _distances(
    before: Sequence[FloatArray], after: Sequence[FloatArray], within_mm: float
) -> FloatArray:
    """Least distances (n, m); infinite where it is certainly more than ``within_mm``."""
    from scipy.spatial import KDTree

    found = np.full((len(before), len(after)), np.inf)
    trees = [KDTree(points) for points in after]
    for k, points in enumerate(before):
        low, high = points.min(axis=0) - within_mm, points.max(axis=0) + within_mm
        for m, tree in enumerate(trees):
            if (tree.maxes >= low).all() and (tree.mins <= high).all():
                found[k, m] = tree.query(points)[0].min()
    return found


def _groups(near: Mask) -> list[tuple[list[int], list[int]]]:
    """The connected parts of a bipartite graph (n, m), as rows and columns."""
    n, m = near.shape
    left = set(range(n + m))
    groups = []
    while left:
        reach, pending = set[int](), [min(left)]
        while pending:
            at = pending.pop()
            if at in reach:
                continue
            reach.add(at)
            beside = np.flatnonzero(near[at]) + n if at < n else np.flatnonzero(near[:, at - n])
            pending += [int(k) for k in beside]
        left -= reach
        groups.append((sorted(k for k in reach if k < n), sorted(k - n for k in reach if k >= n)))
    return groups


def _reached(points_mm: FloatArray, grid: Grid) -> list[bool]:
    """Whether each point lies in a voxel of ``grid``."""
    index = grid.to_index(points_mm) if len(points_mm) else np.zeros((0, 3))
    within = (index >= -0.5) & (index < np.array(grid.shape) - 0.5)
    return [bool(row.all()) for row in within]
