"""PET and CT of a case, a few slices at a time: read by a worker, kept while they are looked at."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from threading import Lock
from typing import Any, Literal, Protocol

import numpy as np
import numpy.typing as npt

from tmtv_engine.case.folder import Case
from tmtv_engine.errors import CaseError
from tmtv_engine.files import AGAIN
from tmtv_engine.image.store import BLOCK
from tmtv_engine.image.volume import Grid, Volume
from tmtv_engine.lesion.lists import Lesions
from tmtv_engine.lesion.slices import Slices
from tmtv_tui.review.cursor import Cursor, Index

Kind = Literal["pet", "ct"]
Cut = npt.NDArray[np.float32]
KEPT_VOXELS = 24_000_000  # 96 MB of float32
LOOKED_AT = 8  # lesions whose maximum is compared


class Boxed(Protocol):
    """Something of which a box of voxels can be read."""

    grid: Grid

    def part(self, z: slice, y: slice, x: slice) -> npt.NDArray[Any]:
        """Its voxels (z, y, x)."""


class Loaded:
    """A volume in memory, read as a file is."""

    def __init__(self, volume: Volume) -> None:
        self.grid, self._array = volume.grid, volume.array

    def part(self, z: slice, y: slice, x: slice) -> npt.NDArray[Any]:
        """Its voxels (z, y, x)."""
        return np.asarray(self._array[z, y, x])


class Kept:
    """The axial slices through lesions' maxima that every case folder keeps; elsewhere NaN."""

    def __init__(self, slices: Slices, grid: Grid) -> None:
        self._slices, self.grid = slices, grid

    def part(self, z: slice, y: slice, x: slice) -> npt.NDArray[Any]:
        """Its voxels (z, y, x)."""
        rows, cols, lines = (range(n)[s] for n, s in zip(self.grid.shape, (z, y, x), strict=True))
        out = np.full((len(rows), len(cols), len(lines)), np.nan, np.float32)
        for k, at in enumerate(self._slices.z_index):
            if int(at) in rows:
                out[rows.index(int(at))] = self._slices.slices[k][y, x]
        return out


class Images:
    """``pet`` in SUV and, where there is one, ``ct`` in HU on the same grid.

    Slices are read sixteen at a time, as they lie in the file: the next ones are there already.
    ``why`` tells why there are some slices only, and those rounded.
    """

    def __init__(self, pet: Boxed, ct: Boxed | None = None, why: str = "") -> None:
        self.why = why
        self._of: dict[Kind, Boxed] = {"pet": pet}
        if ct is not None:
            self._of["ct"] = ct
        self.grid = pet.grid
        self._slabs: OrderedDict[tuple[Kind, int, int], Cut] = OrderedDict()
        self._lock = Lock()

    @classmethod
    def kept(cls, case: Case, grid: Grid, why: str) -> Images:
        """The few slices that every case folder keeps; ``why`` there is no more."""
        return cls(Kept(case.slices(), grid), None, why)

    @classmethod
    def of(cls, case: Case, lesions: Lesions, say: Callable[[str], None]) -> Images:
        """Those of a case folder; without, the PET from where `source.json` says that it lies.

        ``say`` is told of that place first. Raises `CaseError` where neither can be read, or is
        not what the case was made from.
        """
        from tmtv_engine.review.source import source_suv

        stored = case.image()
        if stored is None:
            return cls(Loaded(source_suv(case, say=say)))
        images = cls(stored, case.ct())
        images.check(lesions)
        return images

    def add_ct(self, ct: Volume) -> None:
        """The CT in HU on the PET's grid, which was read later."""
        self._of["ct"] = Loaded(ct)

    @property
    def kinds(self) -> tuple[Kind, ...]:
        """What there is."""
        return tuple(self._of)

    def check(self, lesions: Lesions) -> None:
        """Raise `CaseError` where it is not the image in which ``lesions`` were found."""
        for image in self._of.values():
            if not image.grid.matches(lesions.grid):
                raise CaseError("the image in the case folder has another grid", AGAIN)
        for number in lesions.ids[:LOOKED_AT]:
            z, y, x = Cursor.on_peak(lesions, int(number)).index
            there = self._of["pet"].part(slice(z, z + 1), slice(y, y + 1), slice(x, x + 1))
            if there.item() != lesions.suv[lesions.span(lesions.row(int(number)))].max():
                raise CaseError("the image in the case folder is of another prediction", AGAIN)

    def held(self, kind: Kind, axis: int, at: int) -> Cut | None:
        """A slice across an axis of the array if it is in memory: its two other axes in order."""
        slab = self._slabs.get((kind, axis, at // BLOCK))
        return None if slab is None else np.asarray(np.take(slab, at % BLOCK, axis=axis))

    def read(self, kind: Kind, axis: int, at: int) -> Cut:
        """The same, read where it is not; raises `CaseError` where that fails."""
        with self._lock:
            found = self.held(kind, axis, at)
            if found is not None:
                return found
            where = [slice(None)] * 3
            where[axis] = slice(at // BLOCK * BLOCK, (at // BLOCK + 1) * BLOCK)
            slab = np.asarray(self._of[kind].part(where[0], where[1], where[2]), np.float32)
            self._slabs[kind, axis, at // BLOCK] = slab
            while sum(s.size for s in self._slabs.values()) > KEPT_VOXELS and len(self._slabs) > 6:
                self._slabs.popitem(last=False)
        return np.asarray(np.take(slab, at % BLOCK, axis=axis))

    def hottest(self, voxels: npt.NDArray[np.int64]) -> Index:
        """Of voxels (n, 3) the one with the highest SUV; raises `CaseError`."""
        low, high = voxels.min(axis=0), voxels.max(axis=0) + 1
        box = [slice(int(a), int(b)) for a, b in zip(low, high, strict=True)]
        values = self._of["pet"].part(box[0], box[1], box[2])
        z, y, x = (int(n) for n in voxels[int(np.argmax(values[tuple((voxels - low).T)]))])
        return z, y, x
