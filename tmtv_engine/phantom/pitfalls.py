"""What fools readers and networks: uptake that is neither disease nor every day's physiology."""

from __future__ import annotations

import numpy as np

from tmtv_engine.phantom.build import SIDES, Build, log_uniform
from tmtv_engine.phantom.canvas import Canvas
from tmtv_engine.phantom.paint import level as level_of
from tmtv_engine.phantom.paint import paint

CHANCES = {
    "brown fat": 0.16,
    "injection site": 0.25,
    "vein": 0.08,
    "inflammation": 0.18,
    "fracture": 0.06,
    "hiatus": 0.04,
}


def draw_pitfalls(canvas: Canvas, r: np.random.Generator, build: Build) -> tuple[str, ...]:
    """Draw some of `CHANCES`; returns their names."""
    drawn = {
        "brown fat": _brown_fat,
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
    """Neck, above the collar bones, armpits, beside the spine, about heart and kidneys."""
    suv, uneven = level_of(r, "brown fat"), r.uniform(0.3, 1.0)
    places = [((30, 140), (-5, 38), (590, 670), r.integers(3, 11))]
    if r.random() < 0.5:
        places.append(((20, 32), (40, 66), (280, 590), r.integers(2, 10)))
    if r.random() < 0.25:
        places.append(((30, 60), (25, 60), (240, 290), r.integers(1, 5)))
    for side in SIDES:
        for (x0, x1), (y0, y1), (z0, z1), count in places:
            for _ in range(count):
                at = (side * r.uniform(x0, x1), r.uniform(y0, y1), r.uniform(z0, z1))
                radii = (r.uniform(5, 15), r.uniform(5, 12), r.uniform(5, 13))
                own = suv * r.uniform(0.3, 1) * (uneven if side < 0 else 1.0)
                spot = canvas.ellipsoid(at, radii)
                paint(canvas, spot, own, r, hu=-90, structure="brown fat")


def _injection(canvas: Canvas, r: np.random.Generator, build: Build) -> None:
    """At the hand or elbow; now and then much of the dose beside the vein, along the arm."""
    side = float(r.choice(SIDES))
    x = build.arm_x if build.arms_down else 185.0
    z = r.uniform(0, 350) if build.arms_down else r.uniform(660, 960)
    beside = r.random() < 0.25
    long = r.uniform(40, 110) if beside else 45.0
    for _ in range(r.integers(3, 10) if beside else r.integers(1, 5)):
        at = (side * x + r.uniform(-22, 22), r.uniform(-24, 24), z + r.uniform(-long, long))
        radii = (r.uniform(4, 18), r.uniform(4, 18), r.uniform(5, 40))
        spot = canvas.ellipsoid(at, radii)
        paint(canvas, spot, log_uniform(r, 2.5, 140), r, structure="injection site")


def _vein(canvas: Canvas, r: np.random.Generator, build: Build) -> None:
    """Tracer left in the arm's veins up to the axilla, and in its first node."""
    side, suv = float(r.choice(SIDES)), log_uniform(r, 2.5, 25)
    start = np.array((side * (build.arm_x if build.arms_down else 175), 0.0, 450.0))
    if not build.arms_down:
        start[2] = 760.0
    end = np.array((side * 110.0, 5.0, 590.0))
    for t in np.linspace(0, 1, 12):
        x, y, z = (start + t * (end - start) + r.normal(0, 3, 3)).tolist()
        piece = canvas.ellipsoid((x, y, z), (5, 5, 12))
        paint(canvas, piece, suv * r.uniform(0.3, 1), r, structure="injection site")
    if r.random() < 0.5:
        node = canvas.ellipsoid((side * 135, 0, 560), (7, 6, 8))
        paint(canvas, node, suv * r.uniform(0.3, 1), r, hu=30, structure="injection site")


def _inflammation(canvas: Canvas, r: np.random.Generator, build: Build) -> None:
    """Sarcoid-like hila, a wound, a sinus, a tooth, an elbow, pneumonia."""
    suv = r.uniform(1.8, 7)
    kind = int(r.integers(6))
    if kind == 0:
        for side in SIDES:
            hilum = canvas.ellipsoid((side * 44, 5, 452), (12, 12, 18))
            paint(canvas, hilum, suv, r, hu=40, structure="other")
    elif kind == 1:
        x, z = r.uniform(-90, 90), r.uniform(20, 300)
        for k in range(5):
            spot = canvas.ellipsoid((x, -100.0, z + 14.0 * k), (7, 7, 9))
            paint(canvas, spot, suv * r.uniform(0.4, 1), r, structure="other")
    elif kind == 5:
        at = (r.uniform(-100, 100), r.uniform(-20, 40), r.uniform(370, 540))
        patch = canvas.ellipsoid(at, (r.uniform(10, 35), r.uniform(10, 30), r.uniform(10, 40)))
        paint(canvas, patch, suv * r.uniform(0.5, 1), r, hu=-100)
    else:
        x, y, z = {2: (25, -60, 775), 3: (28, -62, 745), 4: (150, 0, 250)}[kind]
        at = (float(r.choice(SIDES)) * x, y + r.uniform(-8, 8), z + r.uniform(-10, 10))
        paint(canvas, canvas.ellipsoid(at, (9, 9, 9)), suv, r)


def _fracture(canvas: Canvas, r: np.random.Generator, build: Build) -> None:
    side, first = float(r.choice(SIDES)), r.integers(0, 5)
    for k in range(r.integers(1, 4)):
        at = (side * 132, r.uniform(-30, 40), 330.0 + 38.0 * float(first + k))
        spot = canvas.ellipsoid(at, (8, 9, 6))
        paint(canvas, spot, r.uniform(2, 6), r, hu=400, structure="marrow")


def _hiatus(canvas: Canvas, r: np.random.Generator, build: Build) -> None:
    at = (r.uniform(-8, 12), 22, r.uniform(320, 345))
    stomach = canvas.ellipsoid(at, (20, 16, 18))
    paint(canvas, stomach, r.uniform(2, 6), r, hu=30, structure="stomach")
