"""The scanner: resolution, breathing, correlated noise, calibration, field of view, grids."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from tmtv_engine.phantom.canvas import blur
from tmtv_engine.phantom.pose import Triple

FWHM = 2.3548


@dataclass(frozen=True)
class Scan:
    """How one scan was taken: resolution and breathing in mm, noise relative at SUV 1."""

    fwhm_mm: float
    breath_mm: float
    noise: float
    grain_mm: float
    gain: float

    @classmethod
    def draw(cls, r: np.random.Generator) -> Scan:
        """Draw a scan: 4.5 to 9 mm FWHM, noise of 3 to 20 % at SUV 1."""
        return cls(
            r.uniform(4.5, 9.0),
            r.uniform(0, 16) if r.random() < 0.6 else 0.0,
            r.uniform(0.03, 0.2),
            r.uniform(4.0, 9.0),
            r.uniform(0.8, 1.25),
        )


def resolve(suv: Tensor, z_mm: Tensor, spacing_mm: Triple, scan: Scan) -> Tensor:
    """True uptake (z, y, x) as far as the scanner resolves it; ``z_mm`` (z,) body heights.

    Breathing smears the lower chest and upper abdomen along z.
    """
    sigma = tuple(scan.fwhm_mm / FWHM / s for s in spacing_mm)
    seen = blur(suv, sigma)  # type: ignore[arg-type]
    if scan.breath_mm > 2:
        smeared = blur(seen, (scan.breath_mm / 2 / spacing_mm[0], 0.0, 0.0))
        moving = torch.exp(-0.5 * ((z_mm - 395.0) / 70.0) ** 2)[:, None, None]
        seen = seen + moving * (smeared - seen)
    return seen


def acquire(seen: Tensor, spacing_mm: Triple, scan: Scan, noise: torch.Generator) -> Tensor:
    """What the scanner shows of resolved uptake (z, y, x), with noise and its calibration.

    Noise is correlated over ``grain_mm`` and grows with the square root of the uptake.
    """
    grain = torch.randn(seen.shape, generator=noise, device=seen.device)
    grain = blur(grain, tuple(scan.grain_mm / FWHM / s for s in spacing_mm))  # type: ignore[arg-type]
    grain = grain / (grain.std() + 1e-6)
    level = scan.noise * torch.sqrt(seen.clamp(min=0.0) + 0.02)
    return ((seen + level * grain) * scan.gain).clamp(min=0.0)


def ct_of(hu: Tensor, spacing_mm: Triple, noise: torch.Generator) -> Tensor:
    """The CT (HU) as the scanner shows it."""
    grain = torch.randn(hu.shape, generator=noise, device=hu.device) * 12.0
    seen = blur(hu, tuple(1.2 / s for s in spacing_mm))  # type: ignore[arg-type]
    return (seen + grain).clamp(-1000.0, 3000.0).round()
