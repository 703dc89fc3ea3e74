"""Lesions on the canvas, and what of the canvas is theirs."""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor

from tmtv_engine.phantom.canvas import Canvas, Shape, blur, intersect
from tmtv_engine.phantom.disease import Disease, Lesion

VISIBLE = 1.4  # so many times the uptake of its place
MARKED = 0.15
SOFT_HU = (25.0, 75.0)


class Marks(NamedTuple):
    """Each voxel's lesion (int16, 0 none), the lesions' own uptake, and how many they are."""

    labels: Tensor
    own: Tensor
    number: int


def draw_lesions(canvas: Canvas, disease: Disease, body: Tensor, noise: torch.Generator) -> Marks:
    """Draw the lesions where there is body, each where it is hotter than what it lies in.

    One that hardly exceeds it is left out: nobody could draw its outline. A voxel's mark is the
    last lesion that fills over 15 % of it.
    """
    device = canvas.suv.device
    marks = Marks(
        torch.zeros(canvas.shape, dtype=torch.int16, device=device), torch.zeros_like(body), 0
    )
    healthy = canvas.suv.clone()
    for organ, suv in disease.diffuse:
        shape = _whole(canvas, organ, body)
        if shape is not None and not _unseen(healthy, suv, shape):
            rough = _texture(shape, suv, 0.3, 18.0, canvas, noise)
            marks = _put(canvas, marks, shape, rough, None)
    for lesion in disease.lesions:
        shape = intersect(
            canvas.ellipsoid(lesion.centre, lesion.radii, lesion.tilt, lesion.lean), body
        )
        if shape is None or float(shape.fill.max()) < 0.3 or _unseen(healthy, lesion.suv, shape):
            continue
        marks = _put(canvas, marks, shape, _uptake(canvas, lesion, shape, noise), _hu(lesion))
    return marks


def _whole(canvas: Canvas, organ: str, body: Tensor) -> Shape | None:
    if organ not in canvas.kept:
        return None
    return Shape((slice(None),) * 3, canvas.kept[organ] * body)


def _hu(lesion: Lesion) -> float | None:
    """Its density, told by its own figures so that all else is drawn as before; none in bone,
    most of whose lymphoma no CT shows."""
    if lesion.site in ("marrow", "bone"):
        return None
    low, high = SOFT_HU
    return low + (high - low) * (lesion.suv * 97.0 % 1.0)


def _put(canvas: Canvas, marks: Marks, shape: Shape, uptake: Tensor, hu: float | None) -> Marks:
    number = marks.number + 1
    box, wins = shape.box, uptake > canvas.suv[shape.box]
    fill = shape.fill * wins
    canvas.put(Shape(box, fill), uptake, hu, structure="other")
    marks.own[box] += fill * (uptake - marks.own[box])
    marks.labels[box].masked_fill_(fill > MARKED, number)
    return marks._replace(number=number)


def _unseen(healthy: Tensor, suv: float, shape: Shape) -> bool:
    """Whether a lesion is no hotter than its place; the mean without its hottest quarter."""
    inside = healthy[shape.box][shape.fill > 0.25]
    if not len(inside):
        return True
    return suv < VISIBLE * float(inside.quantile(0.6))


def _uptake(canvas: Canvas, lesion: Lesion, shape: Shape, noise: torch.Generator) -> Tensor:
    """Even uptake, or texture of two grains about it; a necrotic middle at a fifth of the rim."""
    device = canvas.suv.device
    if not lesion.coarse and not lesion.necrotic:
        return torch.full(shape.fill.shape, lesion.suv, device=device)
    grain_mm = max(9.0, 0.3 * min(lesion.radii))
    uptake = _texture(shape, lesion.suv, lesion.coarse, grain_mm, canvas, noise)
    if lesion.necrotic:
        inner = tuple(0.6 * a for a in lesion.radii)
        core = canvas.ellipsoid(lesion.centre, inner, lesion.tilt, lesion.lean)  # type: ignore[arg-type]
        if core is not None:
            whole = torch.zeros(canvas.shape, device=device)
            whole[core.box] = core.fill
            uptake = uptake * (1 - 0.8 * whole[shape.box])
    return uptake


def _texture(
    shape: Shape, suv: float, coarse: float, grain_mm: float, canvas: Canvas, noise: torch.Generator
) -> Tensor:
    rough = torch.zeros(shape.fill.shape, device=shape.fill.device)
    for mm in (grain_mm, 0.5 * grain_mm):
        grain = torch.randn(shape.fill.shape, generator=noise, device=shape.fill.device)
        grain = blur(grain, tuple(mm / s for s in canvas.spacing))  # type: ignore[arg-type]
        rough += grain / (grain.std() + 1e-6)
    return (suv * (1 + coarse * math.sqrt(0.5) * rough)).clamp(min=0.2 * suv)
