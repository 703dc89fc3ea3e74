"""Where the numbers beside lesions stand in a picture, so that none lies over another."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

GAP = 1
RINGS = 10
_STEPS = sorted(
    product(range(-RINGS, RINGS + 1), repeat=2),
    key=lambda m: (abs(m[0]) + abs(m[1]), m[0] < 0, m),
)
Corners = npt.NDArray[np.int64]


class Box(NamedTuple):
    """A rectangle of pixels; ``right`` and ``bottom`` lie outside."""

    left: int
    top: int
    right: int
    bottom: int


def places(
    around: Sequence[Box], sizes: Sequence[tuple[int, int]], wide: int, high: int
) -> tuple[Box | None, ...]:
    """A box of each size (width, height) beside what it names, in a picture of wide × high.

    The first come first: each takes the free place nearest to its lesion's upper right corner,
    a pixel from any other at least, and None where there is none left near it.
    """
    taken = np.zeros((0, 4), np.int64)
    found: list[Box | None] = []
    for box, (width, height) in zip(around, sizes, strict=True):
        near = _near(box, width, height, wide, high)
        free = np.flatnonzero(~_met(near, taken))
        if not len(free):
            found.append(None)
            continue
        best = near[free[0]]
        taken = np.vstack([taken, best])
        found.append(Box(*best.tolist()))
    return tuple(found)


def _near(box: Box, width: int, height: int, wide: int, high: int) -> Corners:
    """Boxes round ``box`` inside the picture, the nearest to its upper right corner first."""
    if width > wide or height > high:
        return np.zeros((0, 4), np.int64)
    moves = np.array(_STEPS) * [width // 2 + GAP, height // 2 + GAP]
    corner = np.array([box.right + 1, box.top - height // 2]) + moves
    corner = np.clip(corner, 0, [wide - width, high - height])
    return np.hstack([corner, corner + np.array([width, height])])


def _met(boxes: Corners, taken: Corners) -> npt.NDArray[np.bool_]:
    """Which of ``boxes`` lie over, or right beside, any that is taken."""
    one, other = boxes[:, None], taken[None]
    meet = (one[..., :2] < other[..., 2:] + GAP) & (other[..., :2] < one[..., 2:] + GAP)
    return np.asarray(np.logical_or.reduce(np.logical_and.reduce(meet, axis=2), axis=1), bool)
