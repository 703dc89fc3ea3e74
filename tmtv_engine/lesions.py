"""Lesions as lists of voxels: the form in which every cut, measure and review works."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from tmtv_engine.volume import Grid, Unit, Volume


@dataclass(frozen=True, eq=False)
class Lesions:
    """n lesions on a grid, their N voxels one after the other.

    ``ids`` and ``components`` (n,); ``starts`` (n + 1,) so that lesion k owns
    ``starts[k]:starts[k + 1]``; ``voxels`` (N,) flat raster indices, rising within a lesion;
    ``suv`` (N,) SUVbw; ``peak`` (N,) mean SUV of the 1 mL sphere centred on that voxel.
    No voxel belongs to two lesions and no lesion is empty.
    """

    grid: Grid
    ids: npt.NDArray[np.int64]
    components: npt.NDArray[np.int64]
    starts: npt.NDArray[np.int64]
    voxels: npt.NDArray[np.int64]
    suv: npt.NDArray[np.float32]
    peak: npt.NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def counts(self) -> npt.NDArray[np.int64]:
        """Voxels of each lesion, (n,)."""
        return np.diff(self.starts)

    @property
    def owner(self) -> npt.NDArray[np.int64]:
        """Row (0 … n - 1) of the lesion that each voxel belongs to, (N,)."""
        return np.repeat(np.arange(len(self)), self.counts)

    def row(self, lesion_id: int) -> int:
        """The row of a lesion; raises `KeyError` where there is none."""
        found = np.flatnonzero(self.ids == lesion_id)
        if not len(found):
            raise KeyError(lesion_id)
        return int(found[0])

    def span(self, row: int) -> slice:
        """The slice of ``voxels``, ``suv`` and ``peak`` that a row owns."""
        return slice(int(self.starts[row]), int(self.starts[row + 1]))

    def index(self, row: int | None = None) -> npt.NDArray[np.int64]:
        """Voxel indices (z, y, x) of one row, or of all: (·, 3)."""
        flat = self.voxels if row is None else self.voxels[self.span(row)]
        return np.stack(np.unravel_index(flat, self.grid.shape), axis=-1).astype(np.int64)

    def take(self, rows: npt.ArrayLike) -> Lesions:
        """The lesions of ``rows`` only, ids unchanged."""
        chosen = np.asarray(rows, dtype=np.int64)
        spans = [np.arange(self.starts[r], self.starts[r + 1]) for r in chosen]
        keep = np.concatenate(spans) if spans else np.zeros(0, np.int64)
        return Lesions(
            self.grid,
            self.ids[chosen],
            self.components[chosen],
            np.concatenate([[0], np.cumsum(self.counts[chosen])]).astype(np.int64),
            self.voxels[keep],
            self.suv[keep],
            self.peak[keep],
        )

    def labels(self) -> Volume:
        """The label map (z, y, x): uint16, the value is the lesion's id, 0 is background."""
        kind = np.uint16 if not len(self) or int(self.ids.max()) < 65536 else np.uint32
        flat = np.zeros(int(np.prod(self.grid.shape)), kind)
        flat[self.voxels] = np.repeat(self.ids, self.counts)
        return Volume(flat.reshape(self.grid.shape), self.grid, Unit.LABEL)
