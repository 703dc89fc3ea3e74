"""Head and neck: brain, face, mouth and throat, glands and thyroid."""

from __future__ import annotations

import numpy as np
import torch

from tmtv_engine.phantom.build import SIDES, Build
from tmtv_engine.phantom.canvas import Canvas, Shape
from tmtv_engine.phantom.paint import level, paint

MOUTH = (  # chance, centre, radii: rings of lymphoid tissue, tongue, palate, muscles, gums
    (0.7, (0, -45, 735), (22, 24, 12)),  # tongue and floor of the mouth
    (0.4, (0, -58, 722), (16, 14, 9)),  # under the tongue
    (0.35, (0, -34, 756), (17, 20, 8)),  # palate
    (0.15, (0, -84, 745), (24, 9, 13)),  # lips and gums
    (0.3, (0, -72, 790), (15, 22, 20)),  # nose
)
TONSILS = (
    (0.4, (0, -24, 722), (14, 9, 10)),  # of the tongue's base
    (0.4, (0, -15, 765), (14, 10, 10)),  # of the throat's roof
)


def draw_head(canvas: Canvas, r: np.random.Generator, build: Build) -> None:
    """Skull, brain with its white matter and cerebellum, eyes."""
    skull = canvas.ellipsoid((0, 0, 836), (76, 93, 72))
    paint(canvas, skull, level(r, "bone"), r, hu=700, structure="marrow", rough=0.1)
    suv, real = level(r, "brain"), canvas.organ("brain")
    brain = canvas.ellipsoid(*canvas.place("brain")) if real is None else real
    below = r.uniform(0.55, 1.15)
    parts = [
        (canvas.ellipsoid((0, 46, 788), (48, 30, 24)), below),
        (canvas.ellipsoid((0, 18, 765), (13, 13, 30)), r.uniform(0.35, 0.7)),
    ]
    for side in SIDES:
        temple = canvas.ellipsoid((side * 42, -18, 792), (17, r.uniform(22, 34), 16))
        parts.append((temple, r.uniform(0.6, 1.1)))
    if real is None:
        for shape, part in parts:
            paint(canvas, shape, suv * part, r, hu=35, structure="brain")
    paint(canvas, brain, suv, r, hu=35, structure="brain")
    if brain is not None:
        _inside(canvas, r, brain, suv)
        if real is not None:
            _cerebellum(canvas, brain, suv * below, parts[0][0])
    for side in SIDES:
        eye, muscle = r.uniform(0.4, 1.2), level(r, "eye")
        paint(
            canvas,
            canvas.rod((side * 24, -45, 797), (side * 31, -72, 797), 8),
            muscle,
            r,
            structure="throat",
        )
        canvas.put(canvas.ellipsoid((side * 32, -76, 797), (11, 10, 11)), eye, 10)


def _inside(canvas: Canvas, r: np.random.Generator, brain: Shape, suv: float) -> None:
    """White matter and ventricles, cooler."""
    whole = torch.zeros(canvas.shape, device=brain.fill.device)
    whole[brain.box] = brain.fill
    x, y, z = canvas.middle(brain)
    for _ in range(r.integers(2, 9)):
        at = (x + r.uniform(-35, 35), y + r.uniform(-45, 45), z + r.uniform(-25, 32))
        radii = (r.uniform(8, 25), r.uniform(8, 25), r.uniform(8, 20))
        white, cool = canvas.ellipsoid(at, radii), suv * r.uniform(0.3, 0.75)
        if white is not None:
            canvas.put(Shape(white.box, white.fill * whole[white.box]), cool)


def _cerebellum(canvas: Canvas, brain: Shape, suv: float, shape: Shape | None) -> None:
    if shape is None:
        return
    whole = torch.zeros(canvas.shape, device=brain.fill.device)
    whole[brain.box] = brain.fill
    canvas.put(Shape(shape.box, shape.fill * whole[shape.box]), suv)


def draw_neck(canvas: Canvas, r: np.random.Generator, build: Build) -> None:
    """Jaw, glands, thyroid, larynx, mouth and throat; how far a face reaches forward, varies."""
    forward = r.uniform(-14, 4)
    jaw = level(r, "bone")
    for side in SIDES:
        canvas.put(
            canvas.rod((side * 48, -5, 748), (side * 8, -72 + forward, 722), 7),
            jaw,
            500,
            structure="marrow",
        )
    _mouth(canvas, r, forward)
    _glands(canvas, r)
    thyroid, real = level(r, "thyroid"), canvas.organ("thyroid")
    for side in SIDES:
        size = r.uniform(0.7, 1.4)
        lobe = canvas.ellipsoid((side * 18, -22, 655), (9 * size, 9 * size, 21 * size))
        if real is not None:
            lobe = canvas.half(real, side)
        paint(canvas, lobe, thyroid * r.uniform(0.6, 1.2), r, hu=90, structure="thyroid")
    cords = level(r, "larynx")
    for side in SIDES:
        own = cords * (r.uniform(0.15, 1) if r.random() < 0.3 else 1.0)
        shape = canvas.ellipsoid((side * 6, -28, 688 + r.uniform(-4, 4)), (7, 13, 9))
        paint(canvas, shape, own, r, hu=40, structure="throat")
    canvas.put(canvas.rod((0, -14, 640), (0, -16, 690), 7), 0.3, -950, structure="other")


def _glands(canvas: Canvas, r: np.random.Generator) -> None:
    """Parotid and submandibular glands: real ones where the map has them."""
    real = canvas.organ("salivary gland")
    ear, jaw = level(r, "salivary gland"), level(r, "salivary gland")
    for side in SIDES:
        uneven = r.uniform(0.8, 1.2) if r.random() < 0.85 else r.uniform(0.3, 1.0)
        if real is not None:
            half = canvas.half(real, side)
            paint(canvas, half, ear * uneven, r, hu=10, structure="salivary gland")
            continue
        parotid = canvas.ellipsoid((side * 56, 0, 747), (12, 18, 25))
        paint(canvas, parotid, ear * uneven, r, hu=10, structure="salivary gland")
        lower = canvas.ellipsoid((side * 30, -35 + r.uniform(-8, 8), 715), (10, 14, 12))
        paint(canvas, lower, jaw * uneven, r, hu=30, structure="salivary gland")


def _mouth(canvas: Canvas, r: np.random.Generator, forward: float) -> None:
    """Tonsils, tongue, palate and chewing muscles: any may be as hot as a lymphoma."""
    tonsil, aside = level(r, "tonsil"), r.uniform(13, 22)
    for chance, (x, y, z), radii in MOUTH:
        if r.random() < chance:
            at = (x + r.uniform(-4, 4), y + forward, z + r.uniform(-6, 6))
            size = r.uniform(0.7, 1.3, 3) * radii
            part = canvas.ellipsoid(at, (float(size[0]), float(size[1]), float(size[2])))
            paint(canvas, part, level(r, "mouth"), r, hu=45, structure="throat")
    for side in SIDES:
        at = (side * aside, -20 + forward * 0.6, 735 + r.uniform(-8, 8))
        palatine = canvas.ellipsoid(at, (9, 10, r.uniform(9, 18)))
        paint(canvas, palatine, tonsil * r.uniform(0.5, 1.3), r, hu=45, structure="tonsil")
        if r.random() < 0.1:
            chewing = canvas.ellipsoid((side * 52, -32 + forward, 742), (8, 14, 24))
            paint(canvas, chewing, r.uniform(1.5, 8), r, hu=55, structure="muscle")
    for chance, (x, y, z), radii in TONSILS:
        if r.random() < chance:
            at = (x + r.uniform(-4, 4), y + forward, z + r.uniform(-6, 6))
            shape = canvas.ellipsoid(at, radii)
            paint(canvas, shape, tonsil * r.uniform(0.4, 1.3), r, hu=45, structure="tonsil")
