"""The belly: bowel from focal to diffuse, liver, spleen, stomach, pancreas, adrenals."""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F

from tmtv_engine.phantom.build import SIDES, Build
from tmtv_engine.phantom.canvas import Canvas, Shape, intersect
from tmtv_engine.phantom.paint import level, paint
from tmtv_engine.phantom.pose import Triple

COLON: tuple[Triple, ...] = (  # caecum to rectum
    (-95, -15, 10),
    (-102, 0, 90),
    (-100, -5, 180),
    (-60, -50, 185),
    (0, -62, 165),
    (60, -50, 185),
    (105, 5, 250),
    (108, 12, 140),
    (100, 10, 40),
    (70, 0, 0),
    (20, -5, -10),
    (-15, 20, 0),
    (0, 55, -30),
)


def draw_bowel(canvas: Canvas, r: np.random.Generator, build: Build) -> None:
    """Loops of small bowel and a colon: cold, in pieces, or alight from end to end."""
    small = level(r, "bowel")
    spread = r.uniform(0.05, 0.7)
    real = canvas.organ("bowel")
    if real is not None:
        _real_bowel(canvas, r, real, small)
        return
    for _ in range(r.integers(3, 14)):
        at = np.array((r.uniform(-85, 85), r.uniform(-68, -5), r.uniform(-25, 190)))
        way = r.normal(0, 1, 3)
        thick = r.uniform(8, 15)
        for _ in range(r.integers(1, 6)):
            way = way + r.normal(0, 0.9, 3) - at * (0.006, 0.004, 0.0)
            way /= np.linalg.norm(way) + 1e-9
            end = np.clip(at + way * r.uniform(18, 42), (-105, -78, -35), (105, 5, 205))
            suv = small * float(np.exp(r.normal(0, spread)))
            paint(canvas, _rod(canvas, at, end, thick), suv, r, hu=20, structure="bowel")
            at = end
    _colon(canvas, r)


def _real_bowel(canvas: Canvas, r: np.random.Generator, real: Shape, small: float) -> None:
    """A real person's bowel, some of it alight."""
    paint(canvas, real, small, r, hu=20, structure="bowel", rough=0.5)
    warm = level(r, "colon")
    for at in spots(canvas, real, r, int(r.integers(0, 25))):
        piece = canvas.ellipsoid(at, tuple(r.uniform(10, 35, 3).tolist()))
        part = within(canvas, piece, real)
        paint(canvas, part, warm * r.uniform(0.3, 1.2), r, structure="bowel")


def within(canvas: Canvas, shape: Shape | None, other: Shape) -> Shape | None:
    """What of a shape lies in another."""
    if shape is None:
        return None
    whole = torch.zeros(canvas.shape, device=other.fill.device)
    whole[other.box] = other.fill
    return intersect(shape, whole)


def _rod(canvas: Canvas, a: np.ndarray, b: np.ndarray, radius: float) -> Shape | None:
    (ax, ay, az), (bx, by, bz) = a.tolist(), b.tolist()
    return canvas.rod((ax, ay, az), (bx, by, bz), radius)


def _colon(canvas: Canvas, r: np.random.Generator) -> None:
    cold, warm = level(r, "colon") * 0.6, level(r, "colon")
    first, last = sorted(r.integers(0, len(COLON), 2))
    path = np.array(COLON) + r.normal(0, 10, (len(COLON), 3)) * (1, 0.7, 1.3)
    path = np.clip(path, (-125, -80, -60), (125, 70, 290))
    spread = r.uniform(0.1, 0.8)
    for k in range(len(path) - 1):
        for t in (0.0, 0.5):
            a, b = (path[k] + u * (path[k + 1] - path[k]) for u in (t, t + 0.5))
            alight = first <= k < last
            suv = (warm if alight else cold) * float(np.exp(r.normal(0, spread)))
            radius = r.uniform(9, 22)
            shape = _rod(canvas, a, b, radius)
            paint(canvas, shape, suv, r, hu=0, structure="bowel")
            if radius > 15 and not alight:  # filled with gas
                canvas.put(_rod(canvas, a, b, radius - 6), 0.3, -800)


def draw_belly(canvas: Canvas, r: np.random.Generator, build: Build) -> None:
    """Liver, spleen, stomach, pancreas, adrenals."""
    _liver_spleen(canvas, r, build)
    _stomach(canvas, r)
    pancreas = canvas.rod((-30, -8, 210), (60, 15, 255), r.uniform(9, 14))
    paint(canvas, pancreas, level(r, "pancreas"), r, hu=40)
    for side in SIDES:
        gland = canvas.ellipsoid((side * 40, 25, 258), (10, 6, 14))
        paint(canvas, gland, level(r, "adrenal"), r, hu=20)


def _liver_spleen(canvas: Canvas, r: np.random.Generator, build: Build) -> None:
    hu, liver = 60 + 0.4 * build.contrast, level(r, "liver")
    livers, spleens = [canvas.organ("liver")], [canvas.organ("spleen")]
    if livers[0] is None:
        (x, y, z), (a, b, c) = canvas.place("liver")
        livers = [
            canvas.ellipsoid(
                (x - 0.2 * a, y + 0.1 * b, z - 0.05 * c), (0.75 * a, 0.9 * b, 0.9 * c)
            ),
            canvas.ellipsoid((x + 0.5 * a, y - 0.3 * b, z + 0.2 * c), (0.5 * a, 0.5 * b, 0.5 * c)),
        ]
    if spleens[0] is None:
        spleens = [canvas.ellipsoid(*canvas.place("spleen"), 0.2)]
    for shape in livers:
        paint(canvas, shape, liver, r, hu=hu, structure="liver", rough=0.2)
        canvas.keep("liver", shape)
    spleen = level(r, "spleen")
    for shape in spleens:
        paint(canvas, shape, spleen, r, hu=hu, structure="spleen", rough=0.2)
        canvas.keep("spleen", shape)
    if r.random() < 0.1:  # one more, beside it
        at = (r.uniform(60, 90), r.uniform(0, 40), r.uniform(215, 260))
        paint(canvas, canvas.ellipsoid(at, (8, 8, 8)), spleen, r, hu=hu, structure="spleen")


def _stomach(canvas: Canvas, r: np.random.Generator) -> None:
    wall, hollow = level(r, "stomach"), r.random() < 0.6
    inner, real = r.uniform(0.2, 1.2), canvas.organ("stomach")
    shape = canvas.ellipsoid(*canvas.place("stomach")) if real is None else real
    paint(canvas, shape, wall, r, hu=40, structure="stomach")
    if shape is not None and hollow:
        canvas.put(_core(canvas, shape), inner, 0)
    if r.random() < 0.3:  # the duodenum
        c_loop = canvas.rod((-38, -10, 235), (-42, 8, 170), r.uniform(9, 14))
        paint(canvas, c_loop, wall * r.uniform(0.4, 1.3), r, hu=30, structure="bowel")


def _core(canvas: Canvas, shape: Shape) -> Shape:
    """What a wall of about 8 mm leaves of a shape."""
    reach = [2 * max(1, round(8 / s)) + 1 for s in canvas.spacing]
    padded = [k // 2 for k in reach]
    thin = -F.max_pool3d(-shape.fill[None], reach, 1, padded)[0]
    return Shape(shape.box, ((thin - 0.5) * 2 + 0.5).clamp(0, 1) if thin.numel() else thin)


def spots(canvas: Canvas, shape: Shape, r: np.random.Generator, count: int) -> list[Triple]:
    """Places (x, y, z) mm within a shape, by its own extent along each axis."""
    w = shape.fill > 0.5
    out: list[Triple] = []
    if not bool(w.any()):
        return out
    z, y, x = (b[shape.box][w] for b in canvas.bent)
    for _ in range(count):
        k = int(r.random() * len(z))
        out.append((float(x[k]), float(y[k]), float(z[k])))
    return out
