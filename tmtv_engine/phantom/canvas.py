"""A body to draw on: deformed coordinates, and shapes that touch only their own box."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from tmtv_engine.lesion.structures import LABELS
from tmtv_engine.phantom.organmap import OrganMap
from tmtv_engine.phantom.pose import CONTROL, LANDMARKS_MM, Pose, Proportions, Triple
from tmtv_engine.phantom.shapes import typical

Box = tuple[slice, slice, slice]

FIELD_MM = 1400.0  # the box over which the deformation is drawn, so that no grid changes it
MARGIN_MM = 22.0  # how far the bent coordinates may stray within a shape's box


class Shape(NamedTuple):
    """Part of the canvas: its box and, in it, how much of each voxel the shape fills (0 … 1)."""

    box: Box
    fill: Tensor


class Canvas:
    """SUV, HU and structures, each (z, y, x), with the body's coordinates in mm.

    Body coordinates: x to the left, y to the back, z up from the base of the trunk. The last
    slice lies at ``top_mm``. ``organs`` are a real person's, in which `organ` finds shapes;
    ``proportions`` those of a drawn one.
    """

    def __init__(
        self,
        shape: tuple[int, int, int],
        spacing_mm: Triple,
        top_mm: float,
        pose: Pose,
        device: str,
        organs: OrganMap | None = None,
        proportions: Proportions | None = None,
        *,
        with_ct: bool = True,
    ) -> None:
        self.shape, self.spacing, self.pose, self.organs = shape, spacing_mm, pose, organs
        self.proportions = proportions or typical()
        self.suv = torch.zeros(shape, device=device)
        self.hu = torch.full(shape, -1000.0, device=device) if with_ct else None
        self.structures = torch.zeros(shape, dtype=torch.uint8, device=device)
        self.kept: dict[str, Tensor] = {}
        nz, ny, nx = shape
        dz, dy, dx = spacing_mm
        z = top_mm - torch.arange(nz - 1, -1, -1, device=device, dtype=torch.float32) * dz
        y = (torch.arange(ny, device=device, dtype=torch.float32) - (ny - 1) / 2) * dy
        x = (torch.arange(nx, device=device, dtype=torch.float32) - (nx - 1) / 2) * dx
        self.plain = (z, y + pose.shift_mm[1], x + pose.shift_mm[0])
        self.person = self._bend(pose)
        self.bent = self._drawn(pose)
        self._lines = tuple(b.cpu().numpy() for b in self.bent)
        self._flat = tuple(a.cpu().numpy() for a in self.plain)
        self._reach = [_ends(field, axis) for axis, field in enumerate(self.person)]
        self._real: dict[str, Shape | None] = {}

    def _bend(self, pose: Pose) -> tuple[Tensor, Tensor, Tensor]:
        """The person's coordinates (z, y, x) of every voxel, in which a map's organs lie."""
        z, y, x = self.plain
        control = torch.from_numpy(pose.control.astype(np.float32)).to(z.device)
        for_z, for_y, for_x = (
            _between((a / (FIELD_MM / 2)).clamp(-1, 1), n)
            for a, n in zip((z - 300.0, y, x), CONTROL, strict=True)
        )
        planes = for_y @ (control @ (for_x.T * pose.bend_mm))  # (3, knots, y, x)
        field = (for_z @ planes.flatten(2)).reshape(3, *self.shape)
        zz = z[:, None, None] + 0.7 * field[0]
        yy, xx = y[None, :, None] + field[1], x[None, None, :] + field[2]
        c, s = float(np.cos(pose.turn)), float(np.sin(pose.turn))
        kx, ky, kz = pose.stretch
        return zz / kz, (xx * s + yy * c) / ky, (xx * c - yy * s) / kx

    def _drawn(self, pose: Pose) -> tuple[Tensor, Tensor, Tensor]:
        """Coordinates on the drawing (z, y, x) of every voxel."""
        z, y, x = self.person
        if pose.axis is not None:
            own = self.plain[0].cpu().numpy() / pose.stretch[2]
            mx, my, wide, deep = (
                torch.as_tensor(
                    np.interp(own, pose.axis[0], row), dtype=torch.float32, device=z.device
                )[:, None, None]
                for row in pose.axis[1:]
            )
            x, y = (x - mx) / wide, (y - my) / deep
        height = _drawn_height(z / pose.scale[2], pose.heights_mm)
        return height, y / pose.scale[1], x / pose.scale[0]

    def place(self, name: str) -> tuple[Triple, Triple]:
        """Where the drawn person has an organ, and its semi-axes (x, y, z), mm."""
        return self.proportions.organs[name]

    def organ(self, name: str) -> Shape | None:
        """The organ ``name`` of the real person; None where their map lacks it or lies outside."""
        if name not in self._real:
            self._real[name] = self._sampled(name)
        return self._real[name]

    def _sampled(self, name: str) -> Shape | None:
        found = None if self.organs is None else self.organs.organ(name)
        if found is None or self.organs is None:
            return None
        mask, first = found
        crop = torch.from_numpy(np.pad(mask, 1).astype(np.float32)).to(self.suv.device)
        box, scales = [], []
        for axis, ((low, high), n) in enumerate(zip(self._reach, crop.shape, strict=True)):
            mm = self.organs.spacing_mm[axis]
            start = (first[axis] - 1) * mm - self.pose.origin_mm[axis]
            near = np.flatnonzero((high >= start) & (low <= start + n * mm))
            if not len(near):
                return None
            box.append(slice(int(near[0]), int(near[-1]) + 1))
            scales.append((2.0 / (n * mm), -2.0 * start / (n * mm) - 1.0))
        where = [
            self.person[axis][tuple(box)] * scales[axis][0] + scales[axis][1] for axis in (2, 1, 0)
        ]
        grid = torch.stack(where, -1)[None]
        fill = F.grid_sample(crop[None, None], grid, align_corners=False)[0, 0]
        return Shape((box[0], box[1], box[2]), fill)

    def _box(self, centre: Triple, reach: Triple) -> Box | None:
        """The voxels that may hold a shape: found by the bent coordinates' own outline."""
        at = [0, *(_nearest(self._flat[a], centre[2 - a]) for a in (1, 2))]
        found = []
        for axis in range(3):
            line: list[int | slice] = list(at)
            line[axis] = slice(None)
            off = np.abs(self._lines[axis][tuple(line)] - centre[2 - axis])
            near = np.flatnonzero(off <= 1.45 * reach[2 - axis] + MARGIN_MM)
            if not len(near):
                return None
            at[axis] = int(off.argmin())  # the next line goes through what this one found
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

    def rod(self, a: Triple, b: Triple, radius: float) -> Shape | None:
        """A rod with round ends from ``a`` to ``b`` (x, y, z) mm."""
        middle = tuple((p + q) / 2 for p, q in zip(a, b, strict=True))
        reach = tuple(abs(p - q) / 2 + radius for p, q in zip(a, b, strict=True))
        box = self._box(middle, reach)  # type: ignore[arg-type]
        if box is None:
            return None
        z, y, x = (t[box] for t in self.bent)
        way = [q - p for p, q in zip(a, b, strict=True)]
        length = sum(w * w for w in way) + 1e-6
        px, py, pz = x - a[0], y - a[1], z - a[2]
        t = ((px * way[0] + py * way[1] + pz * way[2]) / length).clamp(0, 1)
        far = (px - t * way[0]) ** 2 + (py - t * way[1]) ** 2 + (pz - t * way[2]) ** 2
        return Shape(box, self._soft(torch.sqrt(far) / radius, radius))

    def middle(self, shape: Shape) -> Triple:
        """The shape's middle (x, y, z) mm on the drawing."""
        whole = shape.fill.sum() + 1e-6
        z, y, x = (float((b[shape.box] * shape.fill).sum() / whole) for b in self.bent)
        return x, y, z

    def half(self, shape: Shape, side: float) -> Shape:
        """The part of a shape on one side of the drawing's middle (1 left, -1 right)."""
        return Shape(shape.box, shape.fill * (self.bent[2][shape.box] * side > 0))

    def _soft(self, far: Tensor, smallest: float) -> Tensor:
        return (0.5 + (1 - far) * (smallest / min(self.spacing))).clamp(0, 1)

    def put(
        self,
        shape: Shape | None,
        suv: float | Tensor | None = None,
        hu: float | None = None,
        *,
        structure: str | None = None,
    ) -> None:
        """Fill a shape with uptake and density; ``structure`` names what it is.

        A voxel is the structure's that fills more than half of it or gives most of its uptake.
        """
        if shape is None:
            return
        named = shape.fill > 0.5
        if suv is not None:
            added = shape.fill * suv
            mixed = self.suv[shape.box] * (1 - shape.fill) + added
            named |= (added > 0.5 * mixed) & (shape.fill > 0.1)
            self.suv[shape.box] = mixed
        if hu is not None and self.hu is not None:
            density = self.hu[shape.box]
            self.hu[shape.box] = density + shape.fill * (hu - density)
        if structure is not None:
            self.structures[shape.box].masked_fill_(named, LABELS[structure])

    def keep(self, name: str, shape: Shape | None) -> None:
        """Remember where ``name`` was drawn: disease may fill all of it."""
        if shape is None:
            return
        if name not in self.kept:
            self.kept[name] = torch.zeros(self.shape, device=self.suv.device)
        part = self.kept[name][shape.box]
        self.kept[name][shape.box] = torch.maximum(part, shape.fill)


def _nearest(line: np.ndarray, to: float) -> int:
    return int(np.abs(line - to).argmin())


def _ends(field: Tensor, axis: int) -> tuple[np.ndarray, np.ndarray]:
    """Along ``axis`` the least and the greatest of a field (z, y, x) there."""
    others = [a for a in range(3) if a != axis]
    return field.amin(others).cpu().numpy(), field.amax(others).cpu().numpy()


def _between(at: Tensor, knots: int) -> Tensor:
    """Weights (n, knots) of linear interpolation at places from -1 to 1."""
    where = (at + 1) * ((knots - 1) / 2)
    return (1 - (where[:, None] - torch.arange(knots, device=at.device)).abs()).clamp(min=0)


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
