"""One real person's organs as a label map."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import ndimage

MAP_ORGANS = (
    "spleen",
    "kidney",
    "liver",
    "bladder",
    "lung",
    "brain",
    "heart",
    "stomach",
    "prostate",
    "salivary gland",
)
"""Labels 1 … 10 of `maps_*.npz` (MIC-DKFZ/autopet-3-submission, Apache-2.0)."""
ORGANS = (
    *MAP_ORGANS,
    "bowel",
    "marrow",
    "vessel",
    "muscle",
    "thyroid",
    "tonsil",
    "throat",
    "ureter",
    "genital",
)
"""What a map may hold; what it lacks is drawn."""
MAP_MM = 4.0
LEAST_VOXELS = 60


@dataclass(frozen=True, eq=False)
class OrganMap:
    """One person's organs: labels (z, y, x), z up, y to the back, x to the left; mm a voxel."""

    key: str
    labels: npt.NDArray[np.uint8]
    spacing_mm: tuple[float, float, float]
    names: tuple[str, ...]
    boxes: tuple[tuple[slice, slice, slice] | None, ...]

    @classmethod
    def of(
        cls,
        key: str,
        labels: npt.NDArray[np.uint8],
        spacing_mm: tuple[float, float, float],
        names: tuple[str, ...] = ORGANS,
    ) -> OrganMap:
        """A map of ``labels``, whose label k is ``names[k - 1]``."""
        found = ndimage.find_objects(labels, len(names))
        return cls(key, labels, spacing_mm, names, tuple(found))

    def organ(self, name: str) -> tuple[npt.NDArray[np.bool_], tuple[int, int, int]] | None:
        """The organ's voxels in its own box and that box's first index; None where it lacks."""
        if name not in self.names:
            return None
        label = self.names.index(name) + 1
        box = self.boxes[label - 1]
        if box is None:
            return None
        mask = self.labels[box] == label
        if np.count_nonzero(mask) < LEAST_VOXELS * MAP_MM**3 / np.prod(self.spacing_mm):
            return None
        return mask, (box[0].start, box[1].start, box[2].start)

    def points_mm(self, name: str) -> npt.NDArray[np.float64] | None:
        """The middles of the organ's voxels (n, 3) as z, y, x in mm of the map."""
        found = self.organ(name)
        if found is None:
            return None
        return np.asarray((np.argwhere(found[0]) + found[1] + 0.5) * self.spacing_mm)
