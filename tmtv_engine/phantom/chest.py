"""The chest: blood, vessels, lungs, gullet, thymus, and a heart of every kind."""

from __future__ import annotations

import numpy as np
import torch

from tmtv_engine.phantom.build import SIDE_NAMES, SIDES, Build
from tmtv_engine.phantom.canvas import Canvas, Shape
from tmtv_engine.phantom.paint import level, paint


def draw_chest(canvas: Canvas, r: np.random.Generator, build: Build) -> None:
    """Mediastinum, great vessels and lungs."""
    canvas.put(canvas.ellipsoid((0, 0, 470), (38, 58, 118)), build.fat + 0.3, 0, structure="other")
    _vessels(canvas, r, build)
    _lungs(canvas, r, build)
    for side in SIDES:
        hilum = canvas.ellipsoid((side * 42, 5, 455), (13, 13, 22))
        paint(canvas, hilum, build.blood * r.uniform(0.7, 1.5), r, hu=40, structure="vessel")
    gullet = level(r, "gullet")
    for low, high in ((335, 470), (470, 640)):
        if gullet < 2.2 or r.random() < 0.75:
            pipe = canvas.rod((4, 32, low), (0, 28, high), r.uniform(6, 9))
            paint(canvas, pipe, gullet * r.uniform(0.7, 1.2), r, hu=30, structure="stomach")
    at = (r.uniform(-8, 8), -62.0, r.uniform(500, 530))
    thymus = canvas.ellipsoid(at, (r.uniform(10, 26), 9, r.uniform(18, 34)))
    paint(canvas, thymus, level(r, "thymus"), r, hu=10)


def _vessels(canvas: Canvas, r: np.random.Generator, build: Build) -> None:
    hu = 45 + build.contrast
    aorta, sway = r.uniform(9, 15), r.uniform(-8, 10)
    rods = [
        ((14.0, 40.0, 480.0), (8.0 + sway, 24.0, 330.0), aorta),
        ((8.0 + sway, 24.0, 330.0), (6.0, 3.0, 205.0), aorta * 0.9),
        ((6.0, 3.0, 205.0), (5.0, -5.0, 75.0), aorta * 0.75),
        ((-18.0, 10.0, 340.0), (-16.0, 6.0, 205.0), 11.0),
        ((-16.0, 6.0, 205.0), (-14.0, -2.0, 75.0), 11.0),
        ((-22.0, 0.0, 430.0), (-20.0, -10.0, 560.0), 10.0),
        ((-5.0, -25.0, 500.0), (18.0, 32.0, 515.0), 13.0),
        ((-12.0, -30.0, 440.0), (-5.0, -25.0, 500.0), 15.0),
        ((-25.0, -10.0, 465.0), (35.0, 0.0, 470.0), 13.0),
    ]
    for side in SIDES:
        rods += [
            ((side * 5, -4.0, 78.0), (side * 45, 14.0, 10.0), 8.0),
            ((side * 45, 14.0, 10.0), (side * 66, -40.0, -70.0), 7.0),
            ((side * 66, -40.0, -70.0), (side * 78, -30.0, -330.0), 6.0),
            ((side * 20, 0.0, 560.0), (side * 30, 5.0, 735.0), 6.0),
            ((side * 25, 0.0, 575.0), (side * 110, 0.0, 590.0), 6.0),
            ((side * 110, 0.0, 590.0), (side * 160, 0.0, 560.0), 6.0),
        ]
    for a, b, radius in rods:
        canvas.put(canvas.rod(a, b, radius), build.blood, hu, structure="vessel")
    canvas.put(canvas.organ("vessel"), build.blood, hu, structure="vessel")
    if r.random() < 0.12:  # walls alight
        wall = canvas.rod((14, 40, 480), (8, 24, 330), aorta + 3)
        paint(canvas, wall, build.blood * r.uniform(1.2, 2.2), r, structure="vessel")


def _lungs(canvas: Canvas, r: np.random.Generator, build: Build) -> None:
    suv, base = level(r, "lung"), r.uniform(1, 2.2)
    real = canvas.organ("lung")
    for side in SIDES:
        drawn = (
            canvas.ellipsoid(*canvas.place(f"lung {SIDE_NAMES[side]}")) if real is None else None
        )
        lung = canvas.half(real, side) if real is not None else drawn
        paint(canvas, lung, suv, r, hu=-800, structure="lung")
        canvas.keep("lung", lung)
        foot = canvas.ellipsoid((side * 80, 40, 345), (45, 38, r.uniform(15, 40)))
        if foot is not None and lung is not None and "lung" in canvas.kept:
            foot = Shape(foot.box, foot.fill * canvas.kept["lung"][foot.box])
        paint(canvas, foot, suv * base, r, hu=-600)
    pipe = canvas.rod((0, -2, 475), (0, -12, 690), 8)
    canvas.put(pipe, 0.3, -950, structure="other")


def draw_heart(canvas: Canvas, r: np.random.Generator, build: Build) -> None:
    """Blood, and muscle from absent to intense, whole or in part; atria and right side at times."""
    real = canvas.organ("heart")
    heart = canvas.ellipsoid(*canvas.place("heart")) if real is None else real
    if heart is None:
        return
    canvas.put(heart, build.blood, 40 + build.contrast, structure="heart")
    x, y, z = canvas.middle(heart)
    kind = r.choice(3, p=(0.28, 0.25, 0.47))
    suv = (build.blood, r.uniform(1.5, 5), float(np.exp(r.uniform(np.log(4), np.log(28)))))[kind]
    size, tilt = r.uniform(0.75, 1.1), r.uniform(0.3, 0.9)
    at = (x + r.uniform(6, 24), y + r.uniform(-12, 10), z - r.uniform(2, 24))
    left = _wall(canvas, r, at, (39 * size, 36 * size, 46 * size), r.uniform(9, 16), tilt)
    patchy = r.random() < 0.45
    if left is not None and patchy:
        left = _part(canvas, left, r, at)
    paint(canvas, left, suv, r, structure="heart", rough=0.5)
    if suv > 2.5 and r.random() < 0.25:
        aside = (at[0] - 38 * size, at[1] - 12, at[2] + 4)
        right = _wall(canvas, r, aside, (34 * size, 28 * size, 42 * size), 7.0, tilt)
        paint(canvas, right, suv * r.uniform(0.2, 0.7), r, structure="heart")
    if suv > 2.5 and r.random() < 0.25:
        for side in SIDES:
            atrium = canvas.ellipsoid((x - 12 + side * 26, y + 25, z + 28), (14, 12, 18))
            paint(canvas, atrium, suv * r.uniform(0.2, 0.8), r, structure="heart")


def _wall(
    canvas: Canvas,
    r: np.random.Generator,
    at: tuple[float, float, float],
    radii: tuple[float, float, float],
    thick: float,
    tilt: float,
) -> Shape | None:
    """A hollow chamber, open towards the base."""
    outer = canvas.ellipsoid(at, radii, tilt)
    if outer is None:
        return None
    room = canvas.ellipsoid(
        (at[0] - 5, at[1] + 3, at[2] + 6),
        (radii[0] - thick, radii[1] - thick, radii[2] - 0.7 * thick),
        tilt,
    )
    fill = outer.fill.clone()
    if room is not None:
        hollow = torch.zeros(canvas.shape, device=fill.device)
        hollow[room.box] = room.fill
        fill = fill * (1 - hollow[outer.box])
    return Shape(outer.box, fill)


def _part(
    canvas: Canvas, shape: Shape, r: np.random.Generator, at: tuple[float, float, float]
) -> Shape:
    """Only one side of a shape, softly cut by a plane of any direction."""
    normal = r.normal(0, 1, 3)
    normal /= np.linalg.norm(normal) + 1e-9
    z, y, x = (b[shape.box] for b in canvas.bent)
    along = (x - at[0]) * normal[0] + (y - at[1]) * normal[1] + (z - at[2]) * normal[2]
    return Shape(shape.box, shape.fill * torch.sigmoid((along - r.uniform(-20, 25)) / 6.0))
