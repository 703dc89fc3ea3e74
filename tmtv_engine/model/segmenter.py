"""The seam for models: whatever tells where tumour is, and what else it says."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from tmtv_engine.image.volume import Volume
from tmtv_engine.model.naming import Naming
from tmtv_engine.notices import Notice


@dataclass(frozen=True, eq=False)
class Prediction:
    """A model's answer for one scan: the probability of tumour on the PET's grid.

    ``naming`` tells what each place is, where the model knows structures; ``notices`` are this
    scan's own.
    """

    probability: Volume
    naming: Naming | None = None
    notices: tuple[Notice, ...] = ()


class Segmenter(Protocol):
    """A model: SUV and, where there is one, CT in HU to its answer."""

    def __call__(self, suv: Volume, ct: Volume | None, /) -> Prediction: ...


class LoadedSegmenter(Segmenter, Protocol):
    """A model from disk: what `case.json` says of it, what to warn of, where it runs."""

    @property
    def record(self) -> Mapping[str, str]: ...

    @property
    def warnings(self) -> tuple[Notice, ...]: ...

    @property
    def device_name(self) -> str: ...
