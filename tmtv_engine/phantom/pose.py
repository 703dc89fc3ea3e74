"""How a person differs from the drawing: heights, widths, organs, and how they lie."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

Triple = tuple[float, float, float]
CONTROL = (9, 6, 6)
LANDMARKS_MM = (-1000, -150, -55, 205, 255, 400, 450, 585, 660, 735, 835, 915)
"""Heights on the drawing: knee, perineum, bladder, kidneys, liver, heart, lungs, shoulders,
thyroid, tonsils, brain, vertex (the first lies below the knee)."""
HEIGHTS_MM = (-870, -20, 72, 288, 325, 462, 497, 592, 653, 705, 793, 868)
"""The same in the MIRD adult, from the base of the trunk."""


class Pose(NamedTuple):
    """How a body differs from the standard one and lies on the table.

    ``scale`` (x, y, z); ``shift_mm`` (x, y) on the table; ``turn`` radians about z;
    ``bend_mm`` the amplitude of the smooth deformation; ``control`` (3, 9, 6, 6) its knots;
    ``heights_mm`` where this person has the landmarks that are drawn at `LANDMARKS_MM`;
    ``stretch`` (x, y, z) of the whole person, a map's organs with them; ``axis`` (5, n): at some
    heights (mm) the body's middle x, y (mm) and its width and depth relative to the drawing's;
    ``origin_mm`` (z, y, x) the map's point where the person's coordinates are 0.
    """

    scale: Triple
    shift_mm: tuple[float, float]
    turn: float
    bend_mm: float
    control: np.ndarray
    heights_mm: np.ndarray
    stretch: Triple = (1.0, 1.0, 1.0)
    axis: np.ndarray | None = None
    origin_mm: Triple = (0.0, 0.0, 0.0)


@dataclass(frozen=True, eq=False)
class Proportions:
    """One drawn body: heights and axis as `Pose` has them, and its organs as ellipsoids.

    ``organs`` are centres and semi-axes (x, y, z) in mm of the drawing, the paired ones under
    ``kidney left`` and so on.
    """

    heights_mm: npt.NDArray[np.float32]
    axis: npt.NDArray[np.float32]
    organs: Mapping[str, tuple[Triple, Triple]]
