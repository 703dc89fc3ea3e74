"""The extra copy of a patient: moved, turned and scaled a little (paper 2.4)."""

from __future__ import annotations

import math

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

SHIFT_MM = 10.0
TURNS_DEG = (3.0, 6.0, 3.0)  # about z, y, x
SCALE = 0.1


def motion(r: np.random.Generator, shape: tuple[int, int, int], spacing_mm: float) -> Tensor:
    """A random 3 × 4 matrix for `torch.nn.functional.affine_grid`, drawn from ``r``.

    Translation within ±10 mm, rotation within ±3°, ±6°, ±3° about z, y, x, scaling within ±10 %.
    """
    about_z, about_y, about_x = (math.radians(r.uniform(-t, t)) for t in TURNS_DEG)
    turn = _turn(0, 1, about_z) @ _turn(0, 2, about_y) @ _turn(1, 2, about_x)
    turn = turn * r.uniform(1 - SCALE, 1 + SCALE)
    half = torch.tensor([n * spacing_mm / 2 for n in reversed(shape)], dtype=torch.float64)
    shift = torch.tensor(r.uniform(-SHIFT_MM, SHIFT_MM, 3)) / half
    # grid_sample counts each axis from -1 to 1: turn in millimetres, not in those
    scaled = turn * half[None, :] / half[:, None]
    return torch.cat([scaled, shift[:, None]], dim=1).float()


def moved(image: Tensor, matrix: Tensor, outside: float = 0.0) -> Tensor:
    """``image`` (C, z, y, x) under `motion`, linear, ``outside`` beyond its edges."""
    grid = F.affine_grid(matrix[None].to(image.device), [1, *image.shape], align_corners=False)
    out = F.grid_sample(image[None] - outside, grid, mode="bilinear", align_corners=False)[0]
    return out + outside


def _turn(one: int, two: int, angle: float) -> Tensor:
    matrix = torch.eye(3, dtype=torch.float64)
    matrix[one, one] = matrix[two, two] = math.cos(angle)
    matrix[one, two], matrix[two, one] = -math.sin(angle), math.sin(angle)
    return matrix
