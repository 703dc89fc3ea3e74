"""Several models as one: their probabilities joined voxel by voxel."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Protocol

import numpy as np

from tmtv_engine.errors import UsageError
from tmtv_engine.image.volume import Array, Unit, Volume
from tmtv_engine.model.naming import Naming
from tmtv_engine.model.segmenter import LoadedSegmenter, Prediction
from tmtv_engine.notices import Notice

COMBINE: Mapping[str, Callable[[Array, Array], Array]] = MappingProxyType(
    {
        "mean": lambda total, one: total + one,
        "union": np.maximum,
        "vote": lambda total, one: total + (one > 0.5),
    }
)
"""How two answers become one; of a mean and a vote it is the sum, shared at the end.

``mean`` of the probabilities; ``union``: the highest; ``vote``: the share of the models that say
tumour, so that a voxel counts where more than half of them do.
"""


class Member(LoadedSegmenter, Protocol):
    """A model that tells what it takes."""

    @property
    def channels(self) -> tuple[str, ...]: ...


class Ensemble:
    """Models as one Segmenter; each sees the same scan, one after the other."""

    def __init__(self, members: Sequence[Member], combine: str, name: str) -> None:
        if combine not in COMBINE:
            raise UsageError(f"--combine {combine!r} is unknown", f"One of {', '.join(COMBINE)}.")
        self.members, self.combine = tuple(members), combine
        hashes = "".join(f"{m.record['sha256']}\n" for m in members)
        self.record = {
            "name": name,
            "sha256": hashlib.sha256(f"{combine}\n{hashes}".encode()).hexdigest(),
            "trained_on": "; ".join(dict.fromkeys(m.record["trained_on"] for m in members)),
        }

    @property
    def channels(self) -> tuple[str, ...]:
        """What any of them takes."""
        return tuple(dict.fromkeys(kind for m in self.members for kind in m.channels))

    @property
    def device_name(self) -> str:
        """Where it runs."""
        return self.members[0].device_name

    @property
    def warnings(self) -> tuple[Notice, ...]:
        """What is said of every case, by any of them."""
        return tuple(dict.fromkeys(w for m in self.members for w in m.warnings))

    def __call__(self, suv: Volume, ct: Volume | None = None, /) -> Prediction:
        """The joined probability on the PET's grid, 0 … 1 float32; the first names structures."""
        total = np.zeros(suv.grid.shape, np.float32)
        naming: Naming | None = None
        said: tuple[Notice, ...] = ()
        for member in self.members:
            one = member(suv, ct)
            chance = one.probability.require(Unit.PROBABILITY)
            total = np.asarray(COMBINE[self.combine](total, chance), np.float32)
            naming = naming or one.naming
            said += one.notices
        if self.combine != "union":
            total /= len(self.members)
        joined = Volume(total, suv.grid, Unit.PROBABILITY)
        return Prediction(joined, naming, tuple(dict.fromkeys(said)))
