"""A reader's clicks as an interactive model sees them: two channels more; no torch.

autoPET IV's form (lab-midas/autoPETCTIV, Task1/nnunet-baseline/utils.py): in a channel of noughts
the voxel of each click is one, then a Gaussian of three voxels is laid over it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tmtv_engine.image.volume import Array, Grid
from tmtv_engine.lesion.edit import IntArray, Point, box_around, nearest

SIGMA_VOXELS = 3.0


@dataclass(frozen=True)
class Clicks:
    """Points in LPS mm: what is tumour (``foreground``, the first is asked about) and what is not.

    The answer is looked at within ``within_mm`` of the first.
    """

    foreground: tuple[Point, ...]
    background: tuple[Point, ...] = ()
    within_mm: float = 60.0

    def channels(self, grid: Grid) -> dict[str, Array]:
        """The channels (z, y, x), by kind; raises `UsageError` for a click outside ``grid``."""
        kinds = {"foreground": self.foreground, "background": self.background}
        return {kind: heatmap(grid, points) for kind, points in kinds.items()}

    def box(self, grid: Grid) -> tuple[IntArray, IntArray]:
        """First index and the one behind the last (z, y, x) of what is looked at."""
        return box_around(grid, nearest(grid, self.foreground[0]), self.within_mm)


def heatmap(grid: Grid, points: tuple[Point, ...]) -> Array:
    """One channel of clicks (z, y, x) float32; nought everywhere where there are none."""
    from scipy.ndimage import gaussian_filter

    made = np.zeros(grid.shape, np.float32)
    for point in points:
        made[tuple(nearest(grid, point))] = 1.0
    return np.asarray(gaussian_filter(made, SIGMA_VOXELS)) if points else made
