"""Where urine goes: kidneys, calyces and pelves, ureters in pieces, a bladder of any filling."""

from __future__ import annotations

import numpy as np
import torch

from tmtv_engine.phantom.belly import spots
from tmtv_engine.phantom.build import SIDE_NAMES, SIDES, Build, log_uniform
from tmtv_engine.phantom.canvas import Canvas, Shape
from tmtv_engine.phantom.paint import level, paint
from tmtv_engine.phantom.pose import Triple

MOST_MM3 = 150e3  # product of a drawn bladder's semi-axes: 630 mL
WIDEST_MM = 72.0


def draw_kidneys(canvas: Canvas, r: np.random.Generator, build: Build) -> None:
    """Cortex, calyces, pelves and ureters; now and then one elsewhere, missing or blocked."""
    real, suv = canvas.organ("kidney"), level(r, "kidney")
    hu = 40 + build.contrast
    for side in SIDES:
        own = suv * (r.uniform(0.85, 1.15) if r.random() < 0.85 else r.uniform(0.3, 1.2))
        kidney = _kidney(canvas, r, side, real)
        calyces = r.integers(0, 6)
        if kidney is None:
            continue
        paint(canvas, kidney, own, r, hu=hu, structure="kidney")
        x, y, z = canvas.middle(kidney)
        urine = level(r, "calyx")
        for sx, sy, sz in spots(canvas, kidney, r, int(calyces)):
            pull = r.uniform(0.2, 0.6)
            at = (sx + pull * (x - side * 6 - sx), sy + pull * (y - sy), sz + pull * (z - sz))
            radii = (r.uniform(4, 11), r.uniform(4, 10), r.uniform(4, 14))
            suv_here = urine * r.uniform(0.3, 1.2)
            paint(canvas, canvas.ellipsoid(at, radii), suv_here, r, structure="ureter")
        if r.random() < 0.6:
            wide = r.uniform(1.4, 2.6) if r.random() < 0.12 else r.uniform(0.6, 1.3)
            at = (x - side * r.uniform(10, 24), y - r.uniform(0, 8), z + r.uniform(-15, 5))
            pelvis = canvas.ellipsoid(at, (9 * wide, 8 * wide, 13 * wide), side * 0.4)
            paint(canvas, pelvis, urine * r.uniform(0.4, 1.3), r, structure="ureter")
        if r.random() < 0.7:
            _ureter(canvas, r, side, (x, y, z))


def _kidney(
    canvas: Canvas, r: np.random.Generator, side: float, real: Shape | None
) -> Shape | None:
    (cx, cy, cz), radii = canvas.place(f"kidney {SIDE_NAMES[side]}")
    missing, low = r.random() < 0.025, r.random() < 0.035
    if missing:
        return None
    at = np.array([cx, cy, cz])
    if low:
        at += (-side * r.uniform(0, 40), -40.0, -r.uniform(120, 215))
    elif real is not None:
        half = canvas.half(real, side)
        return half if bool((half.fill > 0.5).any()) else None
    x, y, z = at.tolist()
    return canvas.ellipsoid((x, y, z), radii, side * 0.15)


def _ureter(canvas: Canvas, r: np.random.Generator, side: float, kidney: Triple) -> None:
    """Urine in pieces along the way from the pelvis of the kidney to the bladder."""
    path = np.array(
        [
            (kidney[0] - side * 18, kidney[1] - 8, kidney[2] - 10),
            (side * 36, 8, 90),
            (side * 45, 16, 0),
            (side * 22, -5, -50),
        ]
    ) + r.normal(0, 5, (4, 3))
    suv = level(r, "ureter")
    for _ in range(r.integers(1, 10)):
        t, short = r.uniform(0, 2.95), r.random() < 0.85
        long = r.uniform(0.02, 0.4) if short else r.uniform(0.4, 2)
        ends = []
        for u in (t, min(t + long, 2.999)):
            k = int(u)
            ends.append(tuple((path[k] + (u - k) * (path[k + 1] - path[k])).tolist()))
        piece = canvas.rod(ends[0], ends[1], r.uniform(1.5, 5.0))
        paint(canvas, piece, suv * r.uniform(0.3, 1), r, structure="ureter")


def draw_bladder(canvas: Canvas, r: np.random.Generator) -> None:
    """Empty to full, flat, lobed, leaning, layered; in a real one's shape or a drawn one's."""
    suv, real = level(r, "bladder"), canvas.organ("bladder")
    own = r.random() < 0.68
    shape = _shrunk(real, r) if real is not None and own else _drawn(canvas, r, real)
    if shape is None:
        return
    resting = r.random() < 0.25  # fresh urine above, the old and hot at the back wall
    above = suv * (r.uniform(0.03, 0.5) if resting else 1.0)
    paint(canvas, shape, above, r, hu=5, structure="bladder", rough=0.25)
    x, y, z = canvas.middle(shape)
    for _ in range(r.poisson(0.5)):
        (at,) = spots(canvas, shape, r, 1) or [(x, y, z)]
        out = tuple(c + 0.35 * (a - c) + a - c for c, a in zip((x, y, z), at, strict=True))
        lobe = canvas.ellipsoid((out[0], out[1], out[2]), tuple(r.uniform(6, 22, 3).tolist()))
        paint(canvas, lobe, above * r.uniform(0.5, 1.2), r, hu=5, structure="bladder")
    if resting or r.random() < 0.3:
        part = suv if resting else suv * log_uniform(r, 0.25, 3)
        _layer(canvas, r, shape, part)


def _shrunk(shape: Shape, r: np.random.Generator) -> Shape:
    """A real bladder as full as its map has it, or less, down to a pool on its floor."""
    kind = r.random()
    if kind < 0.55:
        return shape
    rows = torch.nonzero((shape.fill > 0.5).any(2).any(1)).flatten()
    if kind < 0.8 and len(rows) > 2:  # what stands above some height is empty
        first, last = int(rows[0]), int(rows[-1])
        cut = first + r.uniform(0.25, 0.9) * (last - first + 1)
        z = torch.arange(shape.fill.shape[0], dtype=torch.float32, device=shape.fill.device)
        return Shape(shape.box, shape.fill * (cut - z + 0.5).clamp(0, 1)[:, None, None])
    return Shape(shape.box, ((shape.fill - r.uniform(0.3, 0.7)) * 3).clamp(0, 1))


def _drawn(canvas: Canvas, r: np.random.Generator, real: Shape | None) -> Shape | None:
    full = r.random() < 0.2  # it rises out of the pelvis, forward along the belly's wall
    size = r.uniform(1.2, 2.1) if full else r.uniform(0.4, 1.5)
    centre, usual = canvas.place("bladder")
    x, y, z = np.array(centre) + r.uniform((-14, -25, -20), (14, 15, 24))
    radii = np.array(usual) * size * r.uniform(0.7, 1.4, 3)
    if full:
        y, z = y - 15, centre[2] - 10 + 0.8 * radii[2]
    elif r.random() < 0.35:  # nearly empty: it collapses to a flat, often bent pool
        radii[2] = min(radii[2], r.uniform(7, 16))
        radii[:2] = np.maximum(radii[:2], 22.0)
    radii = np.minimum(radii, WIDEST_MM)
    radii *= min(1.0, (MOST_MM3 / float(np.prod(radii))) ** (1 / 3))
    if real is not None:
        mx, my, mz = canvas.middle(real)
        x, y, z = 0.7 * mx + 0.3 * x, 0.7 * my + 0.3 * y, 0.6 * mz + 0.4 * z
    tilt, lean = r.normal(0, 0.25), r.normal(0, 0.4)
    return canvas.ellipsoid((float(x), float(y), float(z)), tuple(radii.tolist()), tilt, lean)


def _layer(canvas: Canvas, r: np.random.Generator, shape: Shape, suv: float) -> None:
    """What has settled at the back: the part of a shape behind some plane."""
    y = canvas.bent[1][shape.box]
    inside = y[shape.fill > 0.5]
    if not len(inside):
        return
    low, high = float(inside.min()), float(inside.max())
    cut = low + r.uniform(0.25, 0.8) * (high - low)
    back = ((y - cut) / min(canvas.spacing) + 0.5).clamp(0, 1)
    paint(canvas, Shape(shape.box, shape.fill * back), suv, r, structure="bladder")


def draw_spilt(canvas: Canvas, r: np.random.Generator, build: Build, body: torch.Tensor) -> None:
    """Urine outside: in the urethra, on the skin, in a catheter and its bag."""
    suv = level(r, "urine")
    if r.random() < 0.25:
        at = (r.uniform(-4, 4), -25.0, -112.0)
        urethra = canvas.rod(at, (at[0], at[1] - r.uniform(0, 35), at[2] - 35), r.uniform(4, 7))
        paint(canvas, urethra, suv, r, structure="genital")
    if r.random() < 0.12:
        for _ in range(r.integers(1, 5)):
            x, y, z = r.normal(0, 45), r.uniform(-85, -20), r.uniform(-230, -110)
            drop = canvas.ellipsoid((x, y, z), tuple(r.uniform(4, 16, 3).tolist()))
            if drop is not None:
                body[drop.box] = torch.maximum(body[drop.box], drop.fill)
            paint(canvas, drop, suv * r.uniform(0.2, 1), r, hu=0, structure="genital")
