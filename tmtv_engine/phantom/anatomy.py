"""The body without disease: organs of the MIRD stylised adult, with FDG uptake drawn wide.

Sizes are in mm of the standard body; SUV ranges come from the tissue table that grounds them
(liver 1.9-2.4, kidney to 44, bladder to 90, brain to 13 …), widened well beyond it, because a
network that has seen only drawings must have seen worse than any scan.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from tmtv_engine.phantom.belly import draw_abdomen, draw_bowel, draw_kidneys, draw_pelvis
from tmtv_engine.phantom.build import SIDES, TRUNK_TOP, Build, log_uniform
from tmtv_engine.phantom.canvas import Canvas, Shape, intersect


def draw_body(canvas: Canvas, r: np.random.Generator, build: Build) -> Tensor:
    """Draw everything physiologic, from the skin inwards; returns how much of a voxel is body."""
    body = _outline(canvas, r, build)
    torso = (_chest, _skeleton, draw_abdomen, draw_kidneys, draw_pelvis, draw_bowel)
    for part in (*torso, _heart, _head, _neck):
        part(canvas, r, build)
    return body


def _outline(canvas: Canvas, r: np.random.Generator, build: Build) -> Tensor:
    """Fat, and muscle inside it."""
    body = torch.zeros(canvas.shape, device=canvas.suv.device)
    lean = torch.zeros_like(body)
    girth, depth = r.uniform(0.95, 1.1), r.uniform(0.95, 1.12)
    arm_top = 600.0 if build.arms_down else 960.0
    arm_low = -150.0 if build.arms_down else 590.0
    arm_x = build.arm_x if build.arms_down else r.uniform(150, 190)
    outer = [
        canvas.column((0, 0), (172 * girth, 105 * depth), -135, TRUNK_TOP),
        canvas.column((0, 5), (58, 60), 600, 745),
        canvas.ellipsoid((0, 10, 590), (200, 85, 60)),
        canvas.ellipsoid((0, -5, 790), (80, 100, 126)),
    ]
    inner = [
        canvas.ellipsoid((0, 5, 310), (150, 84, 345)),
        canvas.column((0, 5), (148, 84), -135, 60),
        canvas.column((0, 5), (50, 52), 600, 745),
        canvas.ellipsoid((0, 10, 585), (180, 70, 45)),
        canvas.ellipsoid((0, -5, 790), (72, 92, 118)),
    ]
    for side in SIDES:
        outer.append(canvas.column((side * 88, 0), (82 * girth, 88), -1000, 35))
        inner.append(canvas.column((side * 88, 0), (64, 66), -1000, 25))
        outer.append(canvas.column((side * arm_x, 3), (44, 47), arm_low, arm_top))
        inner.append(canvas.column((side * arm_x, 3), (34, 36), arm_low, arm_top))
    for shapes, field in ((outer, body), (inner, lean)):
        for shape in shapes:
            if shape is not None:
                field[shape.box] = torch.maximum(field[shape.box], shape.fill)
    canvas.suv += body * build.fat
    canvas.suv += body * lean * (build.muscle - build.fat)
    canvas.hu += body * 900.0 + body * lean * 150.0
    for side in SIDES:
        if build.sex == "F":
            breast = canvas.ellipsoid((side * 75, -95, 440), (48, 28, 50))
            if breast is not None:
                body[breast.box] = torch.maximum(body[breast.box], breast.fill)
            canvas.put(breast, r.uniform(0.3, 1.6), -40)
            canvas.put(canvas.ellipsoid((side * 75, -118, 440), (8, 8, 8)), r.uniform(0.5, 3), 0)
        for x, z in ((side * arm_x, (arm_low + arm_top) / 2), (side * 88, -330)):
            canvas.put(canvas.column((x, 0), (13, 13), z - 330, z + 310), build.marrow * 0.4, 700)
    table = (canvas.plain[1] > 140) & (canvas.plain[1] < 152)
    canvas.hu[:, table, :] = torch.clamp(canvas.hu[:, table, :], min=-300.0)
    return body


def _chest(canvas: Canvas, r: np.random.Generator, build: Build) -> None:
    lung = r.uniform(0.25, 0.85)
    for side in SIDES:
        canvas.put(canvas.ellipsoid((side * 78, 0, 450), (62, 75, 138)), lung, -800)
        base = canvas.ellipsoid((side * 80, 35, 350), (48, 40, 30))
        canvas.put(base, lung * r.uniform(1, 2.2), -600)
        hilum = canvas.ellipsoid((side * 42, 5, 455), (14, 14, 22))
        canvas.put(hilum, build.blood * r.uniform(0.7, 1.5), 40)
    canvas.put(canvas.ellipsoid((0, 0, 470), (36, 58, 118)), build.blood * r.uniform(0.7, 1), 30)
    vessel = 45 + build.contrast
    canvas.put(canvas.column((12, 38), (12, 12), 60, 480), build.blood, vessel)
    canvas.put(canvas.ellipsoid((5, 5, 505), (26, 30, 16)), build.blood, vessel)
    canvas.put(canvas.column((-22, 5), (10, 10), 420, 560), build.blood, vessel)
    gullet = build.blood * r.uniform(0.7, 1.4) if r.random() < 0.75 else r.uniform(2, 6)
    canvas.put(canvas.column((2, 28), (8, 7), 330, 640), gullet, 30, hot=gullet > 2.2)
    thymus = r.uniform(0.5, 1.6) if r.random() < 0.9 else r.uniform(2, 5)
    canvas.put(canvas.ellipsoid((0, -62, 520), (24, 9, 32)), thymus, 10, hot=thymus > 2)


def _skeleton(canvas: Canvas, r: np.random.Generator, build: Build) -> None:
    marrow, hot = build.marrow, build.marrow > 2.2
    for k in range(17):
        spread = r.uniform(0.85, 1.15)
        canvas.put(
            canvas.ellipsoid((r.uniform(-2, 2), 58, 40 + k * 36), (19, 18, 15)),
            marrow * spread,
            250,
            hot=hot,
        )
        canvas.put(canvas.ellipsoid((0, 88, 40 + k * 36), (7, 16, 10)), marrow * 0.6, 350)
    for side in SIDES:
        canvas.put(
            canvas.ellipsoid((side * 80, 40, 0), (45, 30, 55), side * 0.4),
            marrow * r.uniform(0.7, 1),
            280,
            hot=hot,
        )
        hip = canvas.ellipsoid((side * 95, 15, -60), (25, 25, 30))
        canvas.put(hip, marrow * r.uniform(0.6, 1), 350, hot=hot)
        shoulder = canvas.ellipsoid((side * 165, 15, 585), (26, 26, 26))
        canvas.put(shoulder, marrow * r.uniform(0.5, 1), 350, hot=hot)
        for k in range(7):
            rib = canvas.ellipsoid((side * 130, 0, 330 + k * 38), (9, 70, 7))
            canvas.put(rib, marrow * r.uniform(0.5, 0.9), 300, hot=hot)
        if r.random() < 0.15:  # a worn joint
            x, y, z = ((165, 15, 590), (95, 15, -50), (20, 60, r.uniform(40, 300)))[r.integers(3)]
            worn = canvas.ellipsoid((side * x, y, z), (r.uniform(8, 18),) * 3)
            canvas.put(worn, r.uniform(1.5, 4.5), 400, hot=True)
    canvas.put(
        canvas.ellipsoid((0, 55, -20), (40, 18, 50)), marrow * r.uniform(0.8, 1), 260, hot=hot
    )
    canvas.put(
        canvas.ellipsoid((0, -85, 450), (18, 8, 75)), marrow * r.uniform(0.6, 1), 250, hot=hot
    )


def _heart(canvas: Canvas, r: np.random.Generator, build: Build) -> None:
    """Blood, and a left ventricle from absent to intense, whole or in part; atria now and then."""
    canvas.put(canvas.ellipsoid((25, -30, 400), (55, 45, 50)), build.blood, 40 + build.contrast)
    kind = r.choice(3, p=(0.3, 0.25, 0.45))
    level = (build.blood, r.uniform(2, 5), r.uniform(5, 18))[kind]
    tilt = r.uniform(0.3, 0.9)
    at = (40 + r.uniform(-8, 8), -35 + r.uniform(-6, 6), 385 + r.uniform(-10, 10))
    wall = canvas.ellipsoid(at, (42, 38, 48), tilt)
    room = canvas.ellipsoid((at[0], at[1] - 2, at[2] + 4), (27, 23, 34), tilt)
    if wall is not None:
        hollow = torch.zeros(canvas.shape, device=canvas.suv.device)
        if room is not None:
            hollow[room.box] = room.fill
        muscle = intersect(wall, 1 - hollow)
        if r.random() < 0.4 and muscle is not None:
            muscle = _patchy(canvas, muscle, r)
        canvas.put(muscle, level, hot=level > 2.5)
    if level > 2.5 and r.random() < 0.25:
        for side in SIDES:
            atrium = canvas.ellipsoid((10 + side * 25, -5, 430), (14, 12, 18))
            canvas.put(atrium, level * r.uniform(0.3, 0.8), hot=True)


def _patchy(canvas: Canvas, shape: Shape, r: np.random.Generator) -> Shape:
    """Only one side of a shape, softly cut by a plane of any direction."""
    normal = r.normal(0, 1, 3)
    normal /= np.linalg.norm(normal) + 1e-9
    z, y, x = (b[shape.box] for b in canvas.bent)
    along = (x - 40) * normal[0] + (y + 35) * normal[1] + (z - 385) * normal[2]
    part = torch.sigmoid((along - r.uniform(-20, 25)) / 6.0)
    return Shape(shape.box, shape.fill * part)


def _head(canvas: Canvas, r: np.random.Generator, build: Build) -> None:
    canvas.put(canvas.ellipsoid((0, 0, 830), (76, 92, 72)), build.marrow * 0.5, 700)
    level = r.uniform(3.5, 14)
    brain = canvas.ellipsoid((0, 0, 835), (66, 82, 58))
    canvas.put(brain, level, 35, hot=True)
    if brain is not None:
        inside = torch.zeros(canvas.shape, device=canvas.suv.device)
        inside[brain.box] = brain.fill
        for _ in range(r.integers(2, 9)):
            at = (r.uniform(-35, 35), r.uniform(-45, 45), r.uniform(800, 860))
            radii = (r.uniform(8, 25), r.uniform(8, 25), r.uniform(8, 20))
            white = intersect(canvas.ellipsoid(at, radii), inside)
            canvas.put(white, level * r.uniform(0.35, 0.75))
    canvas.put(
        canvas.ellipsoid((0, 48, 788), (48, 30, 25)), level * r.uniform(0.6, 1.1), 35, hot=True
    )
    canvas.put(
        canvas.ellipsoid((0, 18, 765), (13, 13, 30)), level * r.uniform(0.4, 0.7), 35, hot=True
    )
    canvas.put(canvas.ellipsoid((0, -70, 780), (16, 22, 22)), r.uniform(0.6, 2.5), -700)
    for side in SIDES:
        temporal = canvas.ellipsoid((side * 40, -18, 787), (18, r.uniform(24, 36), 17))
        canvas.put(temporal, level * r.uniform(0.6, 1.05), 35, hot=True)
        eye = r.uniform(0.8, 5)
        canvas.put(canvas.ellipsoid((side * 32, -72, 797), (12, 12, 12)), eye, 10, hot=eye > 2)


def _neck(canvas: Canvas, r: np.random.Generator, build: Build) -> None:
    gland = r.uniform(0.8, 5)
    thyroid = r.uniform(0.9, 2) if r.random() < 0.86 else r.uniform(2, 10)
    for side in SIDES:
        parotid = canvas.ellipsoid((side * 56, 0, 747), (12, 18, 25))
        canvas.put(parotid, gland * r.uniform(0.8, 1.2), 10, hot=gland > 2.2)
        lower = canvas.ellipsoid((side * 30, -35 + r.uniform(-8, 8), 715), (10, 14, 12))
        canvas.put(lower, gland * r.uniform(0.7, 1.2), 30, hot=gland > 2.2)
        lobe = canvas.ellipsoid((side * 18, -20, 660), (10, 10, 22))
        canvas.put(lobe, thyroid * r.uniform(0.7, 1.2), 90, hot=thyroid > 2)
    if r.random() < 0.45:
        cords = canvas.ellipsoid((0, -28, 690), (11, 13, 10))
        canvas.put(cords, r.uniform(1.5, 8), 40, hot=True)
    _mouth(canvas, r)
    canvas.put(canvas.column((0, -15), (8, 8), 560, 690), 0.3, -950)


def _mouth(canvas: Canvas, r: np.random.Generator) -> None:
    """The ring of lymphoid tissue about the throat, and tongue, palate and chewing muscles.

    Any of them may be silent or as hot as a lymphoma; how far forward a face reaches, varies.
    """
    tonsil, forward = log_uniform(r, 1.2, 12), r.uniform(-14, 4)
    for side in SIDES:
        at = (side * r.uniform(14, 22), -20 + forward * 0.6, 735 + r.uniform(-8, 8))
        palatine = canvas.ellipsoid(at, (9, 10, r.uniform(10, 18)))
        canvas.put(palatine, tonsil * r.uniform(0.6, 1.3), 45, hot=True)
        if r.random() < 0.1:
            chewing = canvas.ellipsoid((side * 52, -32 + forward, 742), (8, 14, 24))
            canvas.put(chewing, r.uniform(1.5, 7), 55, hot=True)
    parts = (  # chance, centre, radii, lowest and highest SUV
        (0.6, (0, -45, 735), (22, 24, 12), (1.0, 7.0)),  # tongue and floor of the mouth
        (0.4, (0, -58, 722), (16, 14, 9), (1.5, 9.0)),  # glands and muscle under the tongue
        (0.35, (0, -24, 722), (14, 9, 10), (1.5, 9.0)),  # tonsil of the tongue's base
        (0.35, (0, -34, 756), (17, 20, 8), (1.5, 8.0)),  # palate
        (0.35, (0, -15, 765), (14, 10, 10), (1.5, 8.0)),  # nasopharynx
        (0.1, (0, -84, 745), (24, 9, 13), (1.5, 5.0)),  # lips and gums
    )
    for chance, (x, y, z), radii, (low, high) in parts:
        if r.random() < chance:
            at = (x + r.uniform(-4, 4), y + forward, z + r.uniform(-6, 6))
            size = r.uniform(0.7, 1.3, 3) * radii
            part = canvas.ellipsoid(at, (float(size[0]), float(size[1]), float(size[2])))
            canvas.put(part, log_uniform(r, low, high), 45, hot=True)
