"""Real people's organ label maps, in whose shapes patients are drawn.

`Anatomies` keeps names, not voxels: it is small enough to be handed to every process, and each
opens the maps that it draws in.
"""

from __future__ import annotations

import functools
import hashlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from tmtv_engine.errors import InputError

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
MAP_MM = 4.0
UNSEEN_SHARE = 10  # one map of so many is kept from training
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
        names: tuple[str, ...] = MAP_ORGANS,
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


@dataclass(frozen=True)
class Anatomies:
    """The maps of one folder: where each lies, and the SHA-256 of all of them."""

    folder: str
    entries: tuple[tuple[str, str], ...]
    fingerprint: str

    @classmethod
    def load(cls, folder: Path | str) -> Anatomies:
        """The maps of ``folder``: `maps_*.npz`, one array a person.

        Raises `InputError` where there are none or one cannot be read.
        """
        root = Path(folder)
        files = sorted(root.glob("maps_*.npz"))
        if not files:
            raise InputError(f"{root}: holds no organ maps (maps_*.npz)")
        entries, digest = [], hashlib.sha256()
        for file in files:
            digest.update(file.name.encode() + hashlib.sha256(file.read_bytes()).digest())
            entries += [(key, str(file)) for key in _keys(file)]
        return cls(str(root), tuple(sorted(entries)), digest.hexdigest())

    def unseen(self, key: str) -> bool:
        """Whether training never draws in the map ``key``: one of ten, by the name's hash."""
        return _unseen(key)

    def keys(self, *, unseen: bool) -> tuple[str, ...]:
        """The maps that training draws in, or those that it never sees."""
        return _keys_of(self, unseen)

    def read(self, key: str) -> OrganMap:
        """The map ``key``."""
        return _read(dict(self.entries)[key], key)


@functools.lru_cache(maxsize=4)
def _keys_of(anatomies: Anatomies, unseen: bool) -> tuple[str, ...]:
    return tuple(key for key, _ in anatomies.entries if _unseen(key) == unseen)


def _unseen(key: str) -> bool:
    return hashlib.sha256(key.encode()).digest()[0] % UNSEEN_SHARE == 0


def _keys(file: Path) -> list[str]:
    try:
        with np.load(file, allow_pickle=False) as maps:
            return list(maps.files)
    except (OSError, ValueError) as error:
        raise InputError(f"{file}: is no file of organ maps: {error}") from error


@functools.lru_cache(maxsize=4)
def _read(file: str, key: str) -> OrganMap:
    with np.load(file, allow_pickle=False) as maps:
        labels = maps[key]
    if labels.ndim != 3 or labels.dtype != np.uint8:
        raise InputError(f"{file}: {key} is no label map (uint8, three axes)")
    return OrganMap.of(key, labels, (MAP_MM, MAP_MM, MAP_MM))
