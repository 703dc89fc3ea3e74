"""For each lesion the axial slice through its maximum, for a reader who has no DICOM at hand."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from tmtv_engine.image.volume import Unit, Volume
from tmtv_engine.lesion.lists import Lesions


@dataclass(frozen=True, eq=False)
class Slices:
    """Axial slices: ``slices`` (S, y, x) SUV float16, ``z_index`` (S,), and for each of
    ``lesion_ids`` (n,) its slice's row, ``slice_of`` (n,)."""

    slices: npt.NDArray[np.float16]
    z_index: npt.NDArray[np.int64]
    lesion_ids: npt.NDArray[np.int64]
    slice_of: npt.NDArray[np.int64]

    def arrays(self) -> dict[str, Any]:
        """What ``slices.npz`` stores."""
        return {k: getattr(self, k) for k in self.__dataclass_fields__}

    def of(self, lesion_id: int) -> npt.NDArray[np.float16] | None:
        """The slice (y, x) of a lesion, None where there is none."""
        found = np.flatnonzero(self.lesion_ids == lesion_id)
        return self.slices[self.slice_of[found[0]]] if len(found) else None

    def plane(self, lesion_id: int) -> int:
        """The z index of a lesion's slice; raises `KeyError` where there is none."""
        found = np.flatnonzero(self.lesion_ids == lesion_id)
        if not len(found):
            raise KeyError(lesion_id)
        return int(self.z_index[self.slice_of[found[0]]])


def slices_of(suv: Volume, lesions: Lesions) -> Slices:
    """For each lesion the slice of ``suv`` through its highest voxel."""
    array = suv.require(Unit.SUV)
    tops = [
        lesions.voxels[lesions.span(k)][np.argmax(lesions.suv[lesions.span(k)])]
        for k in range(len(lesions))
    ]
    z = np.array(tops, np.int64) // (suv.grid.shape[1] * suv.grid.shape[2])
    found, slice_of = np.unique(z, return_inverse=True)
    kept = np.clip(array[found], -60000, 60000).astype(np.float16)
    return Slices(kept, found.astype(np.int64), lesions.ids, slice_of.astype(np.int64))
