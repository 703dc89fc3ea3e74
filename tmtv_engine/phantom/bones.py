"""Bones and their marrow: spine, pelvis, shoulder girdle, sternum, skull, a cage of ribs."""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F

from tmtv_engine.phantom.build import SIDES, Build
from tmtv_engine.phantom.canvas import Canvas, Shape
from tmtv_engine.phantom.paint import level, paint

SPINE_MM = np.array(  # height and how far to the back the vertebral bodies lie
    [
        (-20, 52),
        (20, 34),
        (60, 24),
        (110, 20),
        (205, 28),
        (330, 46),
        (450, 60),
        (560, 50),
        (640, 26),
        (740, 10),
    ],
    np.float32,
)


def draw_bones(canvas: Canvas, r: np.random.Generator, build: Build) -> None:
    marrow, bend = level(r, "marrow"), r.normal(0, 5, 3)
    spread = r.uniform(0.02, 0.3)
    real = canvas.organ("marrow")
    if real is not None:
        paint(canvas, real, marrow, r, hu=300, structure="marrow")
        canvas.keep("marrow", real)
        return
    spine = SPINE_MM[:, 1] + r.normal(0, 5, len(SPINE_MM))
    heights = np.concatenate([np.arange(38, 600, 34.0), np.arange(622, 745, 19.0)])
    for z in heights:
        size = np.interp(z, (40, 560, 640), (1.0, 0.72, 0.5))
        x = float(np.interp(z, (0, 300, 600), bend))
        y = float(np.interp(z, SPINE_MM[:, 0], spine))
        own = marrow * np.exp(r.normal(0, spread))
        body = canvas.ellipsoid((x, y, z), (23 * size, 19 * size, 15 * size + 1))
        _bone(canvas, r, body, own, 250)
        arch = canvas.ellipsoid((x, y + 34 * size, z), (20 * size, 13 * size, 10 * size))
        _bone(canvas, r, arch, own * 0.6, 350)
    sacrum = canvas.rod((0, 58, 15), (0, 78, -70), 24)
    _bone(canvas, r, sacrum, marrow * r.uniform(0.7, 1.1), 260)
    for side in SIDES:
        own = marrow * r.uniform(0.6, 1.1)
        for shape in (
            canvas.ellipsoid((side * 82, 35, 15), (42, 15, 55), side * 0.5, 0.3),
            canvas.ellipsoid((side * 92, 20, -65), (27, 25, 32)),
            canvas.rod((side * 60, -35, -95), (side * 12, -48, -95), 10),
            canvas.rod((side * 65, 25, -130), (side * 92, 20, -70), 13),
        ):
            _bone(canvas, r, shape, own, 300)
        for shape in (
            canvas.rod((side * 95, 12, -75), (side * 92, 5, -190), 16),
            canvas.ellipsoid((side * 162, 14, 585), (23, 23, 23)),
            canvas.rod((side * 75, 82, 460), (side * 120, 70, 570), 10),
            canvas.rod((side * 18, -62, 590), (side * 145, 5, 610), 7),
        ):
            _bone(canvas, r, shape, own * r.uniform(0.4, 1.0), 350)
        if r.random() < 0.12:
            _worn(canvas, r, side)
    _bone(canvas, r, canvas.ellipsoid((0, -86, 460), (19, 8, 80)), marrow * r.uniform(0.6, 1), 250)
    _ribs(canvas, r, marrow * r.uniform(0.35, 0.8))


def _bone(
    canvas: Canvas, r: np.random.Generator, shape: Shape | None, suv: float, hu: float
) -> None:
    canvas.put(shape, suv * r.uniform(0.85, 1.15), hu, structure="marrow")
    canvas.keep("marrow", shape)


def _worn(canvas: Canvas, r: np.random.Generator, side: float) -> None:
    """A worn joint."""
    x, y, z = ((165, 15, 590), (95, 15, -50), (20, 60, r.uniform(40, 300)))[r.integers(3)]
    shape = canvas.ellipsoid((side * x, y, z), (r.uniform(8, 18),) * 3)
    paint(canvas, shape, r.uniform(1.5, 6), r, hu=400, structure="marrow")


def _ribs(canvas: Canvas, r: np.random.Generator, suv: float) -> None:
    """Stripes that fall towards the front, in a shell about lungs, liver and spleen."""
    pitch, phase = r.uniform(30, 42), r.uniform(0, 6.28)
    inside = torch.zeros(canvas.shape, device=canvas.suv.device)
    for name in ("lung", "liver", "spleen"):
        if name in canvas.kept:
            inside = torch.maximum(inside, canvas.kept[name])
    z, y, x = canvas.bent
    rows = torch.nonzero(inside.any(2).any(1))
    if not len(rows):
        return
    box = (slice(int(rows[0]), int(rows[-1]) + 1), slice(None), slice(None))
    reach = [1 + 2 * max(1, round(10 / s)) for s in canvas.spacing[1:]]
    near = _grown(inside[box], reach)
    far = _grown(near, reach)
    z, y, x = (b[box] for b in canvas.bent)
    stripes = (torch.cos((z - 0.45 * y) * (6.2832 / pitch) + phase) * 2).clamp(0, 1)
    wall = ((x / 95) ** 2 + (y / 70) ** 2 > 1) & (z > 255) & (z < 600) & (y > -88)
    rib = Shape(box, (far - near).clamp(0, 1) * stripes * wall)
    canvas.put(rib, suv, 300, structure="marrow")
    canvas.keep("marrow", rib)


def _grown(field: torch.Tensor, reach: list[int]) -> torch.Tensor:
    ky, kx = reach
    wide = F.max_pool3d(field[None], (1, 1, kx), 1, (0, 0, kx // 2))
    return F.max_pool3d(wide, (1, ky, 1), 1, (0, ky // 2, 0))[0]
