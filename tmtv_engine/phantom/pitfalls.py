"""What fools readers and networks: uptake that is neither disease nor every day's physiology."""

from __future__ import annotations

import numpy as np

from tmtv_engine.phantom.build import SIDES, Build, log_uniform
from tmtv_engine.phantom.canvas import Canvas

CHANCES = {
    "brown fat": 0.12,
    "muscle": 0.12,
    "injection site": 0.16,
    "vein": 0.06,
    "inflammation": 0.18,
    "fracture": 0.06,
    "hiatus": 0.04,
}


def draw_pitfalls(canvas: Canvas, r: np.random.Generator, build: Build) -> tuple[str, ...]:
    """Draw some of `CHANCES`; returns their names."""
    drawn = {
        "brown fat": _brown_fat,
        "muscle": _muscle,
        "injection site": _injection,
        "vein": _vein,
        "inflammation": _inflammation,
        "fracture": _fracture,
        "hiatus": _hiatus,
    }
    found = []
    for name, chance in CHANCES.items():
        if r.random() < chance:
            drawn[name](canvas, r, build)
            found.append(name)
    return tuple(found)


def _brown_fat(canvas: Canvas, r: np.random.Generator, build: Build) -> None:
    level = r.uniform(2.5, 20)
    for side in SIDES:
        for _ in range(r.integers(2, 10)):
            at = (side * r.uniform(35, 135), r.uniform(-5, 38), r.uniform(595, 665))
            radii = (r.uniform(5, 15), r.uniform(5, 12), r.uniform(5, 13))
            canvas.put(canvas.ellipsoid(at, radii), level * r.uniform(0.4, 1), -90, hot=True)
        for _ in range(r.integers(0, 9)):
            at = (side * r.uniform(20, 32), r.uniform(40, 62), r.uniform(280, 590))
            canvas.put(canvas.ellipsoid(at, (6, 6, 6)), level * r.uniform(0.3, 0.8), -90, hot=True)


def _muscle(canvas: Canvas, r: np.random.Generator, build: Build) -> None:
    level = r.uniform(1.5, 7)
    sides = SIDES if r.random() < 0.6 else (float(r.choice(SIDES)),)
    low, high, x_low, x_high = ((450, 640, 60, 190), (620, 730, 25, 55), (-250, -20, 60, 130))[
        int(r.integers(3))
    ]
    for side in sides:
        for _ in range(r.integers(1, 4)):
            at = (side * r.uniform(x_low, x_high), r.uniform(-60, 60), r.uniform(low, high))
            radii = (r.uniform(8, 28), r.uniform(7, 16), r.uniform(22, 65))
            belly = canvas.ellipsoid(at, radii, r.uniform(-0.8, 0.8))
            canvas.put(belly, level * r.uniform(0.6, 1.2), 55, hot=True)


def _injection(canvas: Canvas, r: np.random.Generator, build: Build) -> None:
    side = float(r.choice(SIDES))
    x = build.arm_x if build.arms_down else 172.0
    z = r.uniform(0, 350) if build.arms_down else r.uniform(660, 880)
    for _ in range(r.integers(1, 6)):
        at = (side * x + r.uniform(-18, 18), r.uniform(-22, 22), z + r.uniform(-45, 45))
        radii = (r.uniform(4, 18), r.uniform(4, 18), r.uniform(5, 40))
        canvas.put(canvas.ellipsoid(at, radii), log_uniform(r, 2.5, 110), hot=True)


def _vein(canvas: Canvas, r: np.random.Generator, build: Build) -> None:
    """Tracer left in the arm's veins up to the axilla, and in its first node."""
    side, level = float(r.choice(SIDES)), log_uniform(r, 2.5, 25)
    start = np.array((side * (build.arm_x if build.arms_down else 175), 0.0, 450.0))
    if not build.arms_down:
        start[2] = 760.0
    end = np.array((side * 110.0, 5.0, 590.0))
    for t in np.linspace(0, 1, 12):
        at = start + t * (end - start) + r.normal(0, 3, 3)
        canvas.put(canvas.ellipsoid(tuple(at), (5, 5, 12)), level * r.uniform(0.3, 1), hot=True)
    if r.random() < 0.5:
        node = canvas.ellipsoid((side * 135, 0, 560), (7, 6, 8))
        canvas.put(node, level * r.uniform(0.3, 1), 30, hot=True)


def _inflammation(canvas: Canvas, r: np.random.Generator, build: Build) -> None:
    """Sarcoid-like hila, a wound, a sinus, a tooth, pneumonia, or the skin."""
    level = r.uniform(1.8, 7)
    kind = int(r.integers(6))
    if kind == 0:
        for side in SIDES:
            canvas.put(canvas.ellipsoid((side * 44, 5, 452), (12, 12, 18)), level, 40, hot=True)
        return
    if kind == 1:
        at = np.array((r.uniform(-90, 90), -100.0, r.uniform(20, 300)))
        for k in range(5):
            spot = canvas.ellipsoid((at[0], at[1], at[2] + 14.0 * k), (7, 7, 9))
            canvas.put(spot, level * r.uniform(0.4, 1), hot=True)
        return
    if kind == 5:
        at5 = (r.uniform(-100, 100), r.uniform(-20, 40), r.uniform(370, 540))
        patch = canvas.ellipsoid(at5, (r.uniform(10, 35), r.uniform(10, 30), r.uniform(10, 40)))
        canvas.put(patch, level * r.uniform(0.5, 1), -100, hot=True)
        return
    spots = {2: (25, -60, 775), 3: (28, -62, 745), 4: (150, 0, 250)}
    x, y, z = spots[kind]
    at4 = (float(r.choice(SIDES)) * x, y + r.uniform(-8, 8), z + r.uniform(-10, 10))
    canvas.put(canvas.ellipsoid(at4, (9, 9, 9)), level, hot=True)


def _fracture(canvas: Canvas, r: np.random.Generator, build: Build) -> None:
    side, first = float(r.choice(SIDES)), r.integers(0, 5)
    for k in range(r.integers(1, 4)):
        at = (side * 132, r.uniform(-30, 40), 330.0 + 38.0 * float(first + k))
        canvas.put(canvas.ellipsoid(at, (8, 9, 6)), r.uniform(2, 6), 400, hot=True)


def _hiatus(canvas: Canvas, r: np.random.Generator, build: Build) -> None:
    at = (r.uniform(-8, 12), 22, r.uniform(320, 345))
    canvas.put(canvas.ellipsoid(at, (20, 16, 18)), r.uniform(2, 6), 30, hot=True)
