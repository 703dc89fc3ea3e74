"""The seam for models: whatever tells where tumour is."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from tmtv_engine.image.volume import Volume
from tmtv_engine.notices import Notice


class Segmenter(Protocol):
    """A model: SUV and, where there is one, CT in HU to a probability on the PET's grid."""

    def __call__(self, suv: Volume, ct: Volume | None, /) -> Volume: ...


class LoadedSegmenter(Segmenter, Protocol):
    """A model from disk: what `case.json` says of it, what to warn of, where it runs."""

    @property
    def record(self) -> Mapping[str, str]: ...

    @property
    def warnings(self) -> tuple[Notice, ...]: ...

    @property
    def device_name(self) -> str: ...
