"""The seam for models: whatever tells where tumour is."""

from __future__ import annotations

from typing import Protocol

from tmtv_engine.image.volume import Volume


class Segmenter(Protocol):
    """A model: SUV and, where there is one, CT in HU to a probability on the PET's grid."""

    def __call__(self, suv: Volume, ct: Volume | None, /) -> Volume: ...
