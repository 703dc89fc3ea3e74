"""Uptake and its look: how hot each structure is, how rough, how it fades, how sharp its edge.

The usual ranges are those of the tissue table (liver 1.9-2.4, kidney to 44, bladder to 90, brain
to 13 …) widened; the rest goes from absent to intense, because a network that has seen only
drawings must have seen worse than any scan. Every structure draws its own, independently.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F

from tmtv_engine.phantom.build import log_uniform
from tmtv_engine.phantom.canvas import Canvas, Shape

KNOTS = 5


class Range(NamedTuple):
    """SUV: the chance of the usual, its range, and the range of all else."""

    usual: float
    low: float
    high: float
    least: float
    most: float


UPTAKE = {
    "brain": Range(0.75, 4.5, 14.0, 0.8, 26.0),
    "eye": Range(0.7, 0.6, 2.0, 1.5, 7.0),
    "mouth": Range(0.55, 0.9, 2.2, 1.8, 14.0),
    "tonsil": Range(0.5, 1.2, 4.5, 0.8, 15.0),
    "salivary gland": Range(0.6, 0.8, 3.0, 0.5, 9.0),
    "thyroid": Range(0.8, 0.8, 2.0, 1.8, 14.0),
    "larynx": Range(0.6, 0.7, 1.8, 1.5, 9.0),
    "lung": Range(0.85, 0.25, 0.9, 0.12, 1.6),
    "thymus": Range(0.85, 0.4, 1.5, 1.5, 6.0),
    "gullet": Range(0.75, 0.7, 2.0, 1.5, 8.0),
    "liver": Range(0.8, 1.3, 3.2, 0.7, 6.0),
    "spleen": Range(0.75, 1.0, 3.0, 0.6, 7.0),
    "pancreas": Range(0.9, 0.7, 2.0, 1.5, 4.0),
    "adrenal": Range(0.85, 0.7, 2.2, 2.0, 5.0),
    "stomach": Range(0.65, 0.8, 3.0, 2.0, 12.0),
    "kidney": Range(0.7, 1.8, 7.0, 0.9, 18.0),
    "calyx": Range(0.8, 3.0, 45.0, 1.5, 110.0),
    "ureter": Range(0.8, 3.0, 30.0, 1.5, 80.0),
    "bladder": Range(0.7, 4.0, 95.0, 0.7, 150.0),
    "bowel": Range(0.55, 0.8, 2.5, 1.8, 13.0),
    "colon": Range(0.5, 0.8, 2.5, 1.8, 15.0),
    "rectum": Range(0.65, 0.8, 2.5, 2.0, 11.0),
    "womb": Range(0.7, 0.9, 2.5, 2.0, 12.0),
    "ovary": Range(0.8, 0.7, 2.2, 2.0, 9.0),
    "testis": Range(0.7, 1.2, 4.5, 0.8, 9.0),
    "prostate": Range(0.85, 0.8, 2.5, 2.0, 8.0),
    "urine": Range(0.8, 2.0, 25.0, 1.5, 90.0),
    "breast": Range(0.85, 0.25, 1.5, 1.0, 4.5),
    "bone": Range(0.8, 0.5, 1.2, 0.2, 2.5),
    "marrow": Range(0.72, 0.6, 2.3, 0.3, 8.0),
    "muscle": Range(0.85, 0.4, 1.0, 0.25, 2.2),
    "strained muscle": Range(0.7, 1.2, 5.0, 1.0, 12.0),
    "brown fat": Range(0.8, 2.0, 15.0, 1.5, 30.0),
}


def level(r: np.random.Generator, name: str) -> float:
    """The SUV of a structure in one person."""
    row = UPTAKE[name]
    if r.random() < row.usual:
        return log_uniform(r, row.low, row.high)
    return log_uniform(r, row.least, row.most)


class Look(NamedTuple):
    """How uptake lies in a shape: roughness and slope, relative; edge moved and sharpened."""

    rough: float
    slope: float
    moved: float
    sharp: float
    knots: np.ndarray
    towards: np.ndarray

    @classmethod
    def draw(cls, r: np.random.Generator, most: float = 0.35) -> Look:
        """Draw a look; as many numbers are drawn whatever it becomes."""
        rough, slope = r.uniform(0, most, 2) * (r.random(2) < 0.65)
        return cls(
            float(rough),
            float(slope),
            float(r.uniform(-0.25, 0.25)),
            float(np.exp(r.uniform(-0.5, 0.6))),
            r.normal(0, 1, (KNOTS,) * 3).astype(np.float32),
            r.uniform(-1, 1, 3),
        )


def paint(
    canvas: Canvas,
    shape: Shape | None,
    suv: float,
    r: np.random.Generator,
    *,
    hu: float | None = None,
    structure: str | None = None,
    rough: float = 0.35,
) -> None:
    """Fill a shape with uptake about ``suv`` in a look of its own."""
    look = Look.draw(r, rough)
    if shape is None:
        return
    fill = ((shape.fill - 0.5 - look.moved) * look.sharp + 0.5).clamp(0, 1) * (shape.fill > 0)
    canvas.put(
        Shape(shape.box, fill), suv * pattern(shape.fill.shape, look), hu, structure=structure
    )


def pattern(shape: torch.Size, look: Look) -> torch.Tensor:
    """Relative uptake (z, y, x), about 1."""
    out = torch.ones(())
    if look.rough:
        knots = torch.from_numpy(look.knots)[None, None] * look.rough
        out = out + F.interpolate(knots, tuple(shape), mode="trilinear", align_corners=True)[0, 0]
    if look.slope:
        for axis, n in enumerate(shape):
            line = torch.linspace(-1, 1, n) * float(look.slope * look.towards[axis])
            out = out + line.reshape([-1 if a == axis else 1 for a in range(3)])
    return out.clamp(min=0.08)
