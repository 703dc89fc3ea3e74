"""Real people's organ label maps, in whose shapes patients are drawn.

`Anatomies` keeps names, not voxels: it is small enough to be handed to every process, and each
opens the maps that it draws in.
"""

from __future__ import annotations

import functools
import hashlib
from dataclasses import dataclass
from pathlib import Path

from tmtv_engine.errors import InputError
from tmtv_engine.phantom.mapfiles import keys_of, person_of_file, read_map
from tmtv_engine.phantom.organmap import OrganMap

UNSEEN_SHARE = 10  # one map of so many is kept from training


@dataclass(frozen=True)
class Anatomies:
    """The maps of one folder: where each lies, and the SHA-256 of all of them."""

    folder: str
    entries: tuple[tuple[str, str], ...]
    fingerprint: str

    @classmethod
    def load(cls, folder: Path | str) -> Anatomies:
        """The maps of ``folder``: `maps_*.npz`, one array a person, or NIfTI label maps.

        Of NIfTI, each file is a person, or each folder of one mask an organ, named as its maker
        names it (`study.organs`). Raises `InputError` where there are none or one is broken.
        """
        root = Path(folder)
        packed = sorted(root.glob("maps_*.npz"))
        files = packed or sorted(p for p in root.rglob("*.nii*") if p.is_file())
        if not files:
            what = f"{root}: holds no organ maps"
            raise InputError(what, "Give a folder of maps_*.npz or of NIfTI label maps.")
        digest = hashlib.sha256()
        for file in files:
            name = file.relative_to(root).as_posix().encode()
            digest.update(name + b"\0" + hashlib.sha256(file.read_bytes()).digest())
        if packed:
            entries = [(key, str(file)) for file in packed for key in keys_of(file)]
        else:
            entries = [person_of_file(root, file) for file in files]
        return cls(str(root), tuple(sorted(set(entries))), digest.hexdigest())

    def unseen(self, key: str) -> bool:
        """Whether training never draws in the map ``key``: one of ten, by the name's hash."""
        return _unseen(key)

    def keys(self, *, unseen: bool) -> tuple[str, ...]:
        """The maps that training draws in, or those that it never sees."""
        return _keys_of(self, unseen)

    def read(self, key: str) -> OrganMap:
        """The map ``key``."""
        return read_map(dict(self.entries)[key], key)


@functools.lru_cache(maxsize=4)
def _keys_of(anatomies: Anatomies, unseen: bool) -> tuple[str, ...]:
    return tuple(key for key, _ in anatomies.entries if _unseen(key) == unseen)


def _unseen(key: str) -> bool:
    return hashlib.sha256(key.encode()).digest()[0] % UNSEEN_SHARE == 0
