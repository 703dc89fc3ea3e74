"""A PET's header as nothing about it is odd, for tests that change one thing of it."""

from __future__ import annotations

from tmtv_engine.suv.header import PetHeader

HALF = 6586.2  # s, of F-18
PLAIN = PetHeader(
    units="BQML",
    corrected_image=("ATTN", "DECY"),
    decay_correction="START",
    weight_kg=70.0,
    dose_bq=3.1e8,
    half_life_s=HALF,
    nuclides=("F-18",),
    tracers=("FDG",),
)
