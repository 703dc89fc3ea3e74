"""One patient as training takes it: arrays, and where they came from."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

Float = npt.NDArray[np.floating[Any]]
AIR_HU = -1000.0


@dataclass(frozen=True, eq=False)
class Sample:
    """One patient for training, each array (z, y, x), the head at the last slice.

    SUV; CT in HU, or None: there is none; TMTVprob (0 … 1); each voxel's structure
    (`lesion.structures`; 0 where tumour is).
    """

    seed: int
    suv: Float
    ct: Float | None
    prob: Float
    structures: npt.NDArray[np.uint8]

    def each(self, change: Callable[[npt.NDArray[Any], float], npt.NDArray[Any]]) -> Sample:
        """The sample with ``change`` made to every array; it is told each one's value in air."""
        return replace(
            self,
            suv=change(self.suv, 0.0),
            ct=None if self.ct is None else change(self.ct, AIR_HU),
            prob=change(self.prob, 0.0),
            structures=change(self.structures, 0.0),
        )
