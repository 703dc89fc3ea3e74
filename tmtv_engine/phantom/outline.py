"""Skin, fat and muscle: the trunk by its profile, legs, arms in any pose, neck and head."""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from tmtv_engine.phantom.build import SIDES, Build, log_uniform
from tmtv_engine.phantom.canvas import Canvas, Shape
from tmtv_engine.phantom.paint import level, paint
from tmtv_engine.phantom.pose import Triple

PROFILE = np.array(  # height, half width and half depth of the lean trunk, mm
    [
        (-165, 95, 70),
        (-130, 150, 78),
        (-60, 158, 88),
        (20, 146, 86),
        (110, 134, 82),
        (200, 140, 86),
        (330, 147, 92),
        (450, 152, 94),
        (530, 158, 84),
        (575, 150, 70),
        (605, 110, 58),
        (635, 58, 54),
        (700, 52, 54),
        (745, 46, 50),
    ],
    np.float32,
)
MUSCLES: dict[str, tuple[tuple[Triple, Triple, float], ...]] = {  # rods of the left side
    "psoas": (((34, 24, 230), (58, 14, 30), 15), ((58, 14, 30), (80, 0, -80), 12)),
    "back": (
        ((30, 74, 20), (30, 72, 160), 18),
        ((30, 72, 160), (28, 86, 330), 16),
        ((28, 86, 330), (26, 84, 560), 13),
    ),
    "buttock": (((60, 80, 10), (105, 60, -70), 28),),
    "thigh": (((95, -25, -90), (92, -20, -420), 34), ((88, 30, -110), (86, 30, -420), 30)),
    "chest wall": (((30, -88, 500), (130, -55, 545), 11),),
    "shoulder": (((150, 60, 530), (175, 10, 585), 20), ((60, 80, 560), (165, 55, 575), 13)),
    "neck": (((38, 30, 745), (20, -45, 615), 9), ((25, 55, 735), (35, 60, 600), 12)),
    "scalene": (((24, 10, 700), (50, 5, 600), 9),),
    "between the ribs": (((132, 0, 330), (128, 10, 480), 8),),
    "midriff": (((20, 20, 300), (26, 22, 220), 9),),
    "belly wall": (((35, -88, 20), (35, -95, 310), 9),),
}
Arm = tuple[Triple, Triple, Triple]


def draw_outline(canvas: Canvas, r: np.random.Generator, build: Build) -> Tensor:
    """Draw fat and lean tissue, arms and legs; returns how much of a voxel is body."""
    lean = torch.zeros(canvas.shape, device=canvas.suv.device)
    body = torch.zeros_like(lean)
    belly = log_uniform(r, 1.0, 1.35)
    _trunk(canvas, lean, build, 0.0, belly)
    _trunk(canvas, body, build, build.fat_mm, belly)
    fat = 4.0 + 0.35 * build.fat_mm
    head = canvas.ellipsoid((0, -3, 800), (72, 92, 108))
    chin = canvas.ellipsoid((0, -38, 745), (52, 48, 42))
    arms = [_arm(r, side, build) for side in SIDES]
    for side, arm in zip(SIDES, arms, strict=True):
        _merge(lean, canvas.ellipsoid((side * 160, 12, 575), (34, 38, 40)))
        _merge(body, canvas.ellipsoid((side * 160, 12, 575), (34 + fat, 38 + fat, 40 + fat)))
        thigh = 62 * np.sqrt(build.girth)
        for a, b, radius in (
            ((side * 88, 5, 0), (side * 84, 0, -430), thigh),
            ((side * 84, 0, -430), (side * 80, 5, -900), thigh * 0.7),
            (arm[0], arm[1], 31),
            (arm[1], arm[2], 25),
        ):
            _merge(lean, canvas.rod(a, b, float(radius)))
            _merge(body, canvas.rod(a, b, float(radius + fat)))
    for shape in (head, chin):
        _merge(lean, shape)
        _merge(body, shape)
    _cover(canvas, r, body)
    canvas.suv += body * build.fat
    lean *= body
    canvas.suv += lean * (build.muscle - build.fat)
    if canvas.hu is not None:
        canvas.hu += body * 900.0 + lean * 150.0
        table = (canvas.plain[1] > 140) & (canvas.plain[1] < 152)
        canvas.hu[:, table, :] = torch.clamp(canvas.hu[:, table, :], min=-300.0)
    canvas.put(Shape((slice(None),) * 3, lean), structure="muscle")
    _breasts(canvas, r, build, body)
    _cavity(canvas, r, build)
    _muscles(canvas, r, build)
    bone = level(r, "bone")
    for side, arm in zip(SIDES, arms, strict=True):
        for a, b in ((arm[0], arm[1]), (arm[1], arm[2])):
            canvas.put(canvas.rod(a, b, 11), bone, 700, structure="marrow")
        canvas.put(canvas.rod((side * 92, 10, -70), (side * 84, 0, -430), 13), bone, 700)
    return body


def _merge(field: Tensor, shape: Shape | None) -> None:
    if shape is not None:
        field[shape.box] = torch.maximum(field[shape.box], shape.fill)


def _trunk(canvas: Canvas, field: Tensor, build: Build, more_mm: float, belly: float) -> None:
    """The trunk's profile, ``more_mm`` wider; the belly of the large grows forward and aside."""
    low, high = float(PROFILE[0, 0]), float(PROFILE[-1, 0])
    z, y, x = canvas.bent
    heights = z[:, z.shape[1] // 2, z.shape[2] // 2].cpu().numpy()
    rows_in = np.flatnonzero((heights > low - 40) & (heights < high + 40))
    if not len(rows_in):
        return
    part = slice(int(rows_in[0]), int(rows_in[-1]) + 1)
    z, y, x, heights, field = z[part], y[part], x[part], heights[part], field[part]
    middle = np.exp(-0.5 * ((heights - 100) / 140) ** 2)
    round_ = 1 + (belly - 1) * middle
    neck = np.interp(heights, (560, 640), (1.0, 0.35))
    wide = np.interp(heights, *PROFILE[:, :2].T) * build.girth * round_ + more_mm * neck
    deep = np.interp(heights, PROFILE[:, 0], PROFILE[:, 2]) * np.sqrt(build.girth) * round_
    deep = deep + more_mm * neck * 0.8
    forward = -22 * (belly - 1) * middle * 3 + np.interp(heights, (560, 650), (0, 8))
    rows = [
        torch.as_tensor(a, dtype=torch.float32, device=z.device)[:, None, None]
        for a in (wide, deep, forward)
    ]
    fx, fy = (x / rows[0]).abs(), ((y - rows[2]) / rows[1]).abs()
    over = 1 - fx * fx * fx.sqrt() - fy * fy * fy.sqrt()  # an ellipse, squarer
    fill = (0.5 + over * (0.4 / min(canvas.spacing)) * rows[1]).clamp(0, 1)
    inside = ((z > low) & (z < high)).float()
    torch.maximum(field, fill * inside, out=field)


def _arm(r: np.random.Generator, side: float, build: Build) -> Arm:
    """Shoulder, elbow and hand (x, y, z): up beside the head, down, or folded on the belly."""
    down = build.arms_down if r.random() < 0.95 else not build.arms_down
    u = r.uniform
    shoulder = (side * 165, 12.0, 580.0)
    if not down:
        elbow = (side * u(150, 245), u(-30, 45), u(760, 860))
        hand = (side * u(10, 160), u(-30, 40), u(880, 1010))
        return shoulder, elbow, hand
    elbow = (side * (build.arm_x + u(-8, 25)), u(-5, 45), u(290, 340))
    if u() < 0.3:
        return shoulder, elbow, (side * u(20, 120), -u(105, 135), u(60, 230))
    return shoulder, elbow, (side * u(185, 255), u(-50, 20), u(10, 90))


def _cover(canvas: Canvas, r: np.random.Generator, body: Tensor) -> None:
    """Let the body hold a real person's organs wherever the drawn one is too narrow for them."""
    if canvas.organs is None:
        return
    wall = r.uniform(14, 30)
    kept = torch.zeros_like(body)
    for name in ("lung", "liver", "spleen", "brain", "salivary gland"):
        _merge(kept, canvas.organ(name))
    small = F.max_pool3d(kept[None], (1, 3, 3), (1, 2, 2), (0, 1, 1))
    ky, kx = (1 + 2 * max(1, round(wall / (2 * s))) for s in canvas.spacing[1:])
    grown = F.max_pool3d(small, (3, 1, kx), 1, (1, 0, kx // 2))
    grown = F.max_pool3d(grown, (1, ky, 1), 1, (0, ky // 2, 0))
    grown = F.interpolate(grown[None], canvas.shape, mode="trilinear", align_corners=False)
    torch.maximum(body, grown[0, 0], out=body)


def _breasts(canvas: Canvas, r: np.random.Generator, build: Build, body: Tensor) -> None:
    uptake, nipple = level(r, "breast"), r.uniform(0.4, 3)
    size, hang = r.uniform(0.6, 1.5), r.uniform(0, 40)
    if build.sex != "F":
        return
    front = -95.0 - 0.7 * build.fat_mm
    for side in SIDES:
        at = (side * (75 + hang), front + hang * 0.6, 440.0)
        breast = canvas.ellipsoid(at, (48 * size, 30 * size, 50 * size))
        _merge(body, breast)
        paint(canvas, breast, uptake, r, hu=-40)
        canvas.put(canvas.ellipsoid((at[0], at[1] - 24 * size, 440), (8, 8, 8)), nipple, 0)


def _cavity(canvas: Canvas, r: np.random.Generator, build: Build) -> None:
    """The belly's fat about the bowel, of no structure of its own."""
    uptake = build.fat * r.uniform(0.7, 1.6) + r.uniform(0, 0.4)
    for centre, radii in (
        ((0, -20, 160), (112, 58, 150)),
        ((0, -5, -30), (78, 58, 75)),
    ):
        canvas.put(canvas.ellipsoid(centre, radii), uptake, -60, structure="other")


def _muscles(canvas: Canvas, r: np.random.Generator, build: Build) -> None:
    """Each group at rest or strained, on both sides or one."""
    strained = r.random() < 0.22
    canvas.put(canvas.organ("muscle"), build.muscle, 55, structure="muscle")
    for rods in MUSCLES.values():
        hot = strained and r.random() < 0.3
        uptake = level(r, "strained muscle") if hot else build.muscle * r.uniform(0.85, 1.25)
        one = float(r.choice(SIDES)) if r.random() < 0.35 else 0.0
        for side in SIDES:
            own = uptake * r.uniform(0.7, 1.2) if one in (0.0, side) else build.muscle
            for (ax, ay, az), (bx, by, bz), radius in rods:
                jitter = r.normal(0, 3, 3)
                a = (side * ax + jitter[0], ay + jitter[1], az + jitter[2])
                shape = canvas.rod(a, (side * bx, by, bz), radius * r.uniform(0.8, 1.15))
                if hot:
                    paint(canvas, shape, own, r, hu=55, structure="muscle")
                else:
                    canvas.put(shape, own, 55, structure="muscle")
