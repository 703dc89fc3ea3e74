"""TMTV reckoned beside the app: numpy on SUV and label map, by none of the engine's code."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
from scipy import ndimage

Voxels = npt.NDArray[np.int64]
Place = tuple[int, int, int]
State = tuple[dict[int, Voxels], dict[int, str]]


@dataclass
class Tally:
    """Lesions as flat voxels by number, their status, and what decisions make of both.

    ``suv`` (z, y, x) with axial spacing ``mm`` (z, y, x); ``status``: accepted, candidate or
    rejected.
    """

    suv: npt.NDArray[np.float32]
    mm: tuple[float, float, float]
    voxels: dict[int, Voxels]
    status: dict[int, str]
    last: int = 0
    past: list[State] = field(default_factory=list)

    @classmethod
    def of(
        cls,
        suv: npt.NDArray[np.float32],
        mm: tuple[float, float, float],
        labels: npt.NDArray[np.integer],
        status: Mapping[int, str],
    ) -> Tally:
        """From a label map and the status of each of its numbers."""
        flat = labels.reshape(-1)
        found = np.flatnonzero(flat)
        own = flat[found].astype(np.int64)
        voxels = {n: found[own == n].astype(np.int64) for n in status}
        return cls(suv, mm, voxels, dict(status), max(status, default=0))

    def ml(self, method: str) -> float:
        """TMTV: ``41`` is a percent of each lesion's maximum, ``4.0`` an SUV."""
        total = 0
        for number, own in self.voxels.items():
            if self.status[number] == "accepted":
                values = self.suv.reshape(-1)[own]
                cut = float(method) if "." in method else values.max() * np.float64(method) / 100
                total += int((values > cut).sum())
        return total * float(np.prod(self.mm)) / 1000

    def labels(self) -> npt.NDArray[np.int64]:
        """The label map as it is now."""
        flat = np.zeros(self.suv.size, np.int64)
        for number, own in self.voxels.items():
            flat[own] = number
        return flat.reshape(self.suv.shape)

    def counted(self, above: float) -> npt.NDArray[np.bool_]:
        """The voxels above an SUV that count, flat."""
        found = np.zeros(self.suv.size, bool)
        for number, own in self.voxels.items():
            if self.status[number] == "accepted":
                found[own] = True
        return found & (self.suv.reshape(-1) > above)

    def decide(self, numbers: Iterable[int], status: str) -> None:
        """Accept or reject."""
        self._keep()
        self.status |= dict.fromkeys(numbers, status)

    def erase(self, number: int, at: Place, radius_mm: float) -> None:
        """Take a sphere round a voxel out of a lesion."""
        self._keep()
        own = self.voxels[number]
        index = np.stack(np.unravel_index(own, self.suv.shape), axis=-1)
        far = np.sqrt((((index - at) * self.mm) ** 2).sum(axis=1))
        self.voxels[number] = own[far > radius_mm + 1e-6]

    def reached(self, at: Place, above: float, within_mm: float) -> Voxels:
        """What hangs together (26) around a voxel, above an SUV, less what is held."""
        pad = [int(np.ceil(within_mm / step)) for step in self.mm]
        low = [max(0, n - p) for n, p in zip(at, pad, strict=True)]
        high = [min(size, n + p + 1) for n, p, size in zip(at, pad, self.suv.shape, strict=True)]
        box = tuple(slice(a, b) for a, b in zip(low, high, strict=True))
        places = np.indices([b - a for a, b in zip(low, high, strict=True)])
        far = np.sqrt(sum(((places[k] + low[k] - at[k]) * self.mm[k]) ** 2 for k in range(3)))
        held = np.zeros(self.suv.size, bool)
        for number, own in self.voxels.items():
            if self.status[number] == "accepted":
                held[own] = True
        free = (self.suv[box] > above) & (far <= within_mm + 1e-6)
        free &= ~held.reshape(self.suv.shape)[box]
        pieces, _ = ndimage.label(free, np.ones((3, 3, 3)))
        inside = tuple(n - a for n, a in zip(at, low, strict=True))
        piece = np.argwhere(pieces == pieces[inside]) + low if pieces[inside] else np.zeros((0, 3))
        found = np.ravel_multi_index(tuple(piece.astype(np.int64).T), self.suv.shape)
        return np.asarray(found, np.int64)

    def add(self, at: Place, above: float, within_mm: float) -> int:
        """A new accepted lesion; from candidates and rejected ones it takes what it holds."""
        new = self.reached(at, above, within_mm)
        self._keep()
        for number in list(self.voxels):
            self.voxels[number] = np.setdiff1d(self.voxels[number], new)
            if not len(self.voxels[number]):
                del self.voxels[number], self.status[number]
        self.last += 1
        self.voxels[self.last], self.status[self.last] = new, "accepted"
        return self.last

    def undo(self) -> None:
        """As before the last decision."""
        self.voxels, self.status = self.past.pop()

    def _keep(self) -> None:
        self.past.append((dict(self.voxels), dict(self.status)))


def dice(found: npt.NDArray[np.bool_], truth: npt.NDArray[np.bool_]) -> float:
    """1 where both are empty."""
    both = int(found.sum()) + int(truth.sum())
    return 2 * int((found & truth).sum()) / both if both else 1.0
