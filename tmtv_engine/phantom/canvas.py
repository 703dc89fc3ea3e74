"""A body to draw on: deformed coordinates, and ellipsoids that touch only their own box."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

Triple = tuple[float, float, float]
Box = tuple[slice, slice, slice]

FIELD_MM = 1400.0  # the box over which the deformation is drawn, so that no grid changes it
CONTROL = (9, 6, 6)
LANDMARKS_MM = (-1000, -150, -55, 205, 255, 400, 450, 585, 660, 735, 835, 915)
"""Heights on the drawing: knee, perineum, bladder, kidneys, liver, heart, lungs, shoulders,
thyroid, tonsils, brain, vertex (the first lies below the knee)."""
HEIGHTS_MM = (-870, -20, 72, 288, 325, 462, 497, 592, 653, 705, 793, 868)
"""The same in the MIRD adult, from the base of the trunk."""
MARGIN_MM = 22.0  # how far the bent coordinates may stray within a shape's box


class Shape(NamedTuple):
    """Part of the canvas: its box and, in it, how much of each voxel the shape fills (0 … 1)."""

    box: Box
    fill: Tensor


class Pose(NamedTuple):
    """How a body differs from the standard one and lies on the table.

    ``scale`` (x, y, z); ``shift_mm`` (x, y) on the table; ``turn`` radians about z;
    ``bend_mm`` the amplitude of the smooth deformation; ``control`` (3, 9, 6, 6) its knots;
    ``heights_mm`` where this person has the landmarks that are drawn at `LANDMARKS_MM`.
    """

    scale: Triple
    shift_mm: tuple[float, float]
    turn: float
    bend_mm: float
    control: np.ndarray
    heights_mm: np.ndarray


class Canvas:
    """SUV, HU and a mask of hot organs, each (z, y, x), with the body's coordinates in mm.

    Body coordinates: x to the left, y to the back, z up from the base of the trunk. The last
    slice lies at ``top_mm``.
    """

    def __init__(
        self,
        shape: tuple[int, int, int],
        spacing_mm: Triple,
        top_mm: float,
        pose: Pose,
        device: str,
    ) -> None:
        self.shape, self.spacing = shape, spacing_mm
        self.suv = torch.zeros(shape, device=device)
        self.hu = torch.full(shape, -1000.0, device=device)
        self.hot = torch.zeros(shape, dtype=torch.bool, device=device)
        nz, ny, nx = shape
        dz, dy, dx = spacing_mm
        z = top_mm - torch.arange(nz - 1, -1, -1, device=device, dtype=torch.float32) * dz
        y = (torch.arange(ny, device=device, dtype=torch.float32) - (ny - 1) / 2) * dy
        x = (torch.arange(nx, device=device, dtype=torch.float32) - (nx - 1) / 2) * dx
        self.plain = (z, y + pose.shift_mm[1], x + pose.shift_mm[0])
        self.bent = self._bend(pose)

    def _bend(self, pose: Pose) -> tuple[Tensor, Tensor, Tensor]:
        """Body coordinates (z, y, x) of every voxel."""
        z, y, x = self.plain
        control = torch.from_numpy(pose.control.astype(np.float32)).to(z.device)[None]
        where = [(a / (FIELD_MM / 2)).clamp(-1, 1) for a in (x, y, z - 300.0)]
        grid = torch.stack(torch.meshgrid(where[2], where[1], where[0], indexing="ij")[::-1], -1)
        field = F.grid_sample(control, grid[None], align_corners=True)[0] * pose.bend_mm
        zz = z[:, None, None] + 0.7 * field[0]
        yy, xx = y[None, :, None] + field[1], x[None, None, :] + field[2]
        c, s = float(np.cos(pose.turn)), float(np.sin(pose.turn))
        xx, yy = (xx * c - yy * s) / pose.scale[0], (xx * s + yy * c) / pose.scale[1]
        return _drawn_height(zz / pose.scale[2], pose.heights_mm), yy, xx

    def _box(self, centre: Triple, reach: Triple) -> Box | None:
        """The voxels that may hold a shape: found by the bent coordinates' own outline."""
        at = [0, *(int(torch.argmin((self.plain[a] - centre[2 - a]).abs())) for a in (1, 2))]
        found = []
        for axis, (c, r) in enumerate(zip(centre[::-1], reach[::-1], strict=True)):
            line: list[int | slice] = list(at)
            line[axis] = slice(None)
            off = (self.bent[axis][tuple(line)] - c).abs()
            near = torch.nonzero(off <= 1.45 * r + MARGIN_MM)
            if not len(near):
                return None
            at[axis] = int(torch.argmin(off))  # the next line goes through what this one found
            found.append(slice(int(near[0]), int(near[-1]) + 1))
        return found[0], found[1], found[2]

    def ellipsoid(
        self, centre: Triple, radii: Triple, tilt: float = 0.0, lean: float = 0.0
    ) -> Shape | None:
        """An ellipsoid at ``centre`` (x, y, z) mm, tilted in the frontal, leant in the side plane.

        None where it lies outside the canvas.
        """
        reach = float(max(radii)) if tilt or lean else 0.0
        box = self._box(centre, tuple(max(r, reach) for r in radii))  # type: ignore[arg-type]
        if box is None:
            return None
        z, y, x = (b[box] - c for b, c in zip(self.bent, centre[::-1], strict=True))
        if tilt:
            c, s = float(np.cos(tilt)), float(np.sin(tilt))
            x, z = x * c - z * s, x * s + z * c
        if lean:
            c, s = float(np.cos(lean)), float(np.sin(lean))
            y, z = y * c - z * s, y * s + z * c
        far = torch.sqrt((x / radii[0]) ** 2 + (y / radii[1]) ** 2 + (z / radii[2]) ** 2)
        return Shape(box, self._soft(far, min(radii)))

    def column(
        self, centre: tuple[float, float], radii: tuple[float, float], low: float, high: float
    ) -> Shape | None:
        """An elliptic column at ``centre`` (x, y) from ``low`` to ``high`` mm along z."""
        box = self._box((*centre, (low + high) / 2), (*radii, (high - low) / 2))
        if box is None:
            return None
        z, y, x = (b[box] for b in self.bent)
        far = torch.sqrt(((x - centre[0]) / radii[0]) ** 2 + ((y - centre[1]) / radii[1]) ** 2)
        step = self.spacing[0]
        ends = ((z - low) / step + 0.5).clamp(0, 1) * ((high - z) / step + 0.5).clamp(0, 1)
        return Shape(box, self._soft(far, min(radii)) * ends)

    def _soft(self, far: Tensor, smallest: float) -> Tensor:
        return (0.5 + (1 - far) * (smallest / min(self.spacing))).clamp(0, 1)

    def put(
        self,
        shape: Shape | None,
        suv: float | Tensor | None = None,
        hu: float | None = None,
        *,
        hot: bool = False,
    ) -> None:
        """Fill a shape with uptake and density; ``hot`` marks it as physiologic uptake."""
        if shape is None:
            return
        if suv is not None:
            part = self.suv[shape.box]
            self.suv[shape.box] = part + shape.fill * (suv - part)
        if hu is not None:
            density = self.hu[shape.box]
            self.hu[shape.box] = density + shape.fill * (hu - density)
        if hot:
            self.hot[shape.box] |= shape.fill > 0.25


def _drawn_height(z: Tensor, heights_mm: np.ndarray) -> Tensor:
    """Heights of a person to heights on the drawing, linear between landmarks."""
    real = torch.as_tensor(heights_mm, dtype=torch.float32, device=z.device)
    drawn = torch.tensor(LANDMARKS_MM, dtype=torch.float32, device=z.device)
    slope = torch.diff(drawn) / torch.diff(real)
    part = torch.bucketize(z, real[1:-1].contiguous())
    return drawn[part] + (z - real[part]) * slope[part]


def intersect(shape: Shape | None, other: Tensor) -> Shape | None:
    """A shape, less where the whole-canvas field ``other`` (0 … 1) is not."""
    return None if shape is None else Shape(shape.box, shape.fill * other[shape.box])


def blur(field: Tensor, sigma_voxels: Triple) -> Tensor:
    """Gaussian blur of (z, y, x), edges repeated."""
    out = field[None, None]
    for axis, sigma in enumerate(sigma_voxels):
        if sigma < 0.15:
            continue
        reach = max(1, int(np.ceil(3 * sigma)))
        t = torch.arange(-reach, reach + 1, device=field.device, dtype=torch.float32)
        kernel = torch.exp(-0.5 * (t / sigma) ** 2)
        kernel = kernel / kernel.sum()
        view = [1, 1, 1, 1, 1]
        view[axis + 2] = len(kernel)
        pad = [0, 0, 0, 0, 0, 0]
        pad[2 * (2 - axis)] = pad[2 * (2 - axis) + 1] = reach
        out = F.conv3d(F.pad(out, pad, mode="replicate"), kernel.view(view))
    return out[0, 0]
