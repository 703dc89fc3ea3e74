"""The belly and the pelvis: what is warm there on every scan, and never quite the same."""

from __future__ import annotations

import numpy as np

from tmtv_engine.phantom.build import SIDES, Build, log_uniform
from tmtv_engine.phantom.canvas import Canvas


def draw_abdomen(canvas: Canvas, r: np.random.Generator, build: Build) -> None:
    liver = canvas.ellipsoid((-70, -5, 255), (95, 80, 78), r.uniform(-0.3, 0.3))
    canvas.put(liver, build.liver, 60 + 0.4 * build.contrast)
    left = canvas.ellipsoid((5, -35, 275), (60, 40, 40))
    canvas.put(left, build.liver, 60 + 0.4 * build.contrast)
    spleen = (
        build.liver * r.uniform(0.7, 1.1) if r.random() < 0.9 else build.liver * r.uniform(1.1, 2)
    )
    size = r.uniform(0.8, 1.5)
    canvas.put(
        canvas.ellipsoid((95, 32, 275), (30 * size, 26 * size, 50 * size), 0.2),
        spleen,
        55 + 0.5 * build.contrast,
        hot=spleen > 3,
    )
    canvas.put(canvas.ellipsoid((20, 5, 235), (50, 12, 16), 0.25), r.uniform(0.8, 2.2), 40)
    wall, full = r.uniform(1.0, 4.5), r.uniform(0.6, 1.3)
    stomach = (55 + r.uniform(-10, 10), -40.0, 262 + r.uniform(-15, 15))
    canvas.put(canvas.ellipsoid(stomach, (40 * full, 34 * full, 60)), wall, 40, hot=wall > 2.5)
    canvas.put(canvas.ellipsoid(stomach, (30 * full, 25 * full, 48)), r.uniform(0.3, 1.0), 0)
    for side in SIDES:
        glands = r.uniform(0.8, 2.5)
        canvas.put(canvas.ellipsoid((side * 42, 48, 258), (10, 5, 14)), glands, 20, hot=glands > 2)


def draw_kidneys(canvas: Canvas, r: np.random.Generator, build: Build) -> None:
    """Cortex, calyces and ureters; one in thirty is somewhere else, one in forty missing."""
    for side in SIDES:
        if r.random() < 0.025:
            continue
        at = np.array([side * 62, 50.0, 205.0]) + r.normal(0, (6, 5, 13))
        if r.random() < 0.035:
            at += np.array([-side * r.uniform(0, 40), -50.0, -r.uniform(120, 215)])
        x, y, z = at
        cortex = r.uniform(1.8, 8)
        size = r.uniform(0.85, 1.15)
        kidney = canvas.ellipsoid((x, y, z), (28 * size, 24 * size, 52 * size), side * 0.15)
        canvas.put(kidney, cortex, 40 + build.contrast, hot=True)
        for _ in range(r.integers(0, 6)):
            dx, dy, dz = r.uniform(-12, 12), r.uniform(-8, 8), r.uniform(-38, 38)
            radii = (r.uniform(4, 14), r.uniform(4, 12), r.uniform(5, 18))
            calyx = canvas.ellipsoid((x - side * 6 + dx, y + dy, z + dz), radii)
            canvas.put(calyx, log_uniform(r, 3, 50), hot=True)
        if r.random() < 0.6:
            _ureter(canvas, r, side, (float(x), float(y), float(z)))


def _ureter(
    canvas: Canvas, r: np.random.Generator, side: float, kidney: tuple[float, float, float]
) -> None:
    """Urine in pieces along the way from the pelvis of the kidney to the bladder."""
    path = np.array(
        [
            (kidney[0] - side * 18, kidney[1] - 8, kidney[2] - 10),
            (side * 36, 30, 90),
            (side * 45, 20, 0),
            (side * 22, -5, -50),
        ]
    )
    level = log_uniform(r, 3, 40)
    for _ in range(r.integers(1, 10)):
        t = r.uniform(0, len(path) - 1.001)
        k = int(t)
        x, y, z = path[k] + (t - k) * (path[k + 1] - path[k]) + r.normal(0, 3, 3)
        piece = canvas.ellipsoid(
            (x, y, z), (r.uniform(2.5, 5), r.uniform(2.5, 5), r.uniform(4, 24)), r.normal(0, 0.2)
        )
        canvas.put(piece, level * r.uniform(0.3, 1), hot=True)


def draw_pelvis(canvas: Canvas, r: np.random.Generator, build: Build) -> None:
    _bladder(canvas, r)
    if build.sex == "F":
        womb = r.uniform(1, 2.5) if r.random() < 0.75 else r.uniform(2.5, 9)
        at = (r.uniform(-18, 18), r.uniform(-5, 15), r.uniform(-35, -5))
        canvas.put(canvas.ellipsoid(at, (24, 20, 22)), womb * 0.7, 50)
        canvas.put(canvas.ellipsoid(at, (9, 8, 12)), womb, 45, hot=womb > 2)
        for side in SIDES:
            ovary = r.uniform(0.8, 2) if r.random() < 0.85 else r.uniform(2.5, 7)
            canvas.put(
                canvas.ellipsoid((side * 45, 0, -15), (12, 10, 14)), ovary, 30, hot=ovary > 2
            )
    else:
        canvas.put(canvas.ellipsoid((0, -12, -95), (20, 16, 16)), r.uniform(0.8, 3), 40)
        testis = r.uniform(1.0, 5.0)
        for side in SIDES:
            canvas.put(canvas.ellipsoid((side * 18, -62, -150), (13, 14, 18)), testis, 30, hot=True)
    if r.random() < 0.3:
        urethra = canvas.ellipsoid((r.uniform(-4, 4), -25, -120), (5, 7, 22), 0.0, r.uniform(0, 1))
        canvas.put(urethra, log_uniform(r, 3, 30), hot=True)
    gut = r.uniform(0.8, 2.5) if r.random() < 0.7 else r.uniform(2.5, 8)
    canvas.put(canvas.ellipsoid((0, 35, -55), (18, 16, 45)), gut, 20, hot=gut > 2.2)
    anus = r.uniform(1, 5)
    canvas.put(canvas.ellipsoid((0, 42, -125), (12, 14, 16)), anus, 40, hot=anus > 2.2)


def _bladder(canvas: Canvas, r: np.random.Generator) -> None:
    """Empty to full, any shape: flat or lobed, pressed aside, urine of two concentrations."""
    full = r.random() < 0.15  # it rises out of the pelvis, forward along the belly's wall
    size, level = r.uniform(1.3, 2.1) if full else r.uniform(0.4, 1.6), log_uniform(r, 2, 95)
    x, y, z = r.uniform(-20, 20), r.uniform(-45, 12), -55 + r.uniform(-20, 24)
    shape = np.array((42.0, 36.0, 30.0)) * size * r.uniform(0.7, 1.4, 3)
    if full:
        y, z = y - 15, -60 + 0.8 * shape[2]
    elif r.random() < 0.35:  # nearly empty: it collapses to a flat, often bent pool
        shape[2] = min(shape[2], r.uniform(7, 16))
        shape[:2] = np.maximum(shape[:2], (22, 22))
    main = canvas.ellipsoid((x, y, z), tuple(shape), r.normal(0, 0.25), r.normal(0, 0.4))
    resting = r.random() < 0.25  # fresh urine above, the old and hot at the back wall
    canvas.put(main, level * (r.uniform(0.05, 0.4) if resting else 1.0), 5, hot=True)
    for _ in range(r.poisson(0.9)):
        side = r.normal(0, 1, 3)
        side /= np.linalg.norm(side) + 1e-9
        at = np.array((x, y, z)) + side * shape * r.uniform(0.6, 1.0)
        lobe = canvas.ellipsoid(tuple(at), tuple(shape * r.uniform(0.25, 0.6, 3)))
        canvas.put(lobe, level * r.uniform(0.5, 1.2), 5, hot=True)
    if resting or r.random() < 0.3:
        layer = canvas.ellipsoid((x, y + 0.5 * shape[1], z), tuple(shape * (0.8, 0.45, 0.8)))
        canvas.put(layer, level * (1.0 if resting else log_uniform(r, 0.25, 3)), hot=True)


def draw_bowel(canvas: Canvas, r: np.random.Generator, build: Build) -> None:
    level = r.uniform(0.9, 2.2) if r.random() < 0.6 else r.uniform(2, 9)
    for _ in range(r.integers(5, 40)):
        at = (r.uniform(-110, 110), r.uniform(-68, 0), r.uniform(10, 190))
        radii = (r.uniform(8, 28), r.uniform(7, 18), r.uniform(8, 30))
        loop = canvas.ellipsoid(at, radii, r.uniform(-1.5, 1.5))
        canvas.put(loop, level * r.uniform(0.5, 1.3), 20, hot=level > 2)
    if r.random() >= 0.45:
        return
    colon = r.uniform(1.5, 9)
    whole = [((-105, -5, 40 + k * 14), (18, 18, 12)) for k in range(12)]
    whole += [((105, 0, 20 + k * 16), (16, 16, 12)) for k in range(14)]
    whole += [((-100 + k * 20, -45, 195 - 14 * np.sin(k / 3)), (14, 14, 14)) for k in range(11)]
    whole += [((105 - k * 22, 5 + 4 * k, 5 - 5 * k), (13, 13, 13)) for k in range(5)]
    first, last = sorted(r.integers(0, len(whole), 2))
    for at, radii in whole[first : last + 1]:
        jitter = r.normal(0, 4, 3)
        piece = canvas.ellipsoid(tuple(np.array(at) + jitter), radii)  # type: ignore[arg-type]
        canvas.put(piece, colon * r.uniform(0.2, 1.2), 0, hot=True)
