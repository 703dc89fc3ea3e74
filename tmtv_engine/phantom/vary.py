"""Images varied far beyond what scanners do: one patient becomes any other image of themselves.

Labels move with the image and are interpolated as they are (the map linearly, structures by the
nearest voxel); what changes only the numbers leaves the truth as it was.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from tmtv_engine.lesion.structures import LABELS
from tmtv_engine.phantom.build import log_uniform
from tmtv_engine.phantom.canvas import blur
from tmtv_engine.phantom.sample import AIR_HU, Sample

BODY_SUV = 0.05
NECK_VOXELS = 10.0
LEAST_VOXELS = 8  # of a field, however it is cut


@dataclass(frozen=True)
class Extent:
    """Most voxels (z, y, x) of a varied image; it is cut at random to fit."""

    most: tuple[int, int, int] = (144, 64, 80)


def vary(sample: Sample, r: np.random.Generator, extent: Extent | None = None) -> Sample:
    """``sample`` seen otherwise: placed, cut, bent and turned, then its numbers changed."""
    seen = intensity(geometry(sample, r, extent or Extent()), r)
    return (
        seen if seen.ct is None else replace(seen, ct=density(torch.from_numpy(seen.ct), r).numpy())
    )


def geometry(sample: Sample, r: np.random.Generator, extent: Extent) -> Sample:
    """Cut the field, flip, bend, turn the head, and lay the body anywhere in a new matrix."""
    sample = cut(sample, r)
    low, high = _body(sample.suv)
    size = (high - low).astype(float)
    zoom = np.exp(r.normal(0, 0.08, 3)) * np.exp(r.normal(0, 0.05))
    least = LEAST_VOXELS - np.ceil(size * zoom).astype(int)
    margin = np.maximum([_margin(r, wide) for wide in (10, 8, 10)], least)
    before = np.array([r.integers(min(0, m), max(0, m) + 1) for m in margin])
    shape = np.minimum(np.ceil(size * zoom).astype(int) + margin, extent.most)
    room = np.ceil(size * zoom).astype(int) + margin - shape
    first = before - np.array([r.integers(0, n + 1) for n in room])
    where = _where(sample, r, shape, (low + high) / 2, first + size * zoom / 2, zoom)
    return _sampled(sample, where)


def _margin(r: np.random.Generator, wide: int) -> int:
    """Voxels of air along an axis: none or few most often, many at times, less than none."""
    kind = r.random()
    if kind < 0.1:
        return -int(r.integers(0, wide))
    if kind < 0.3:
        return 0
    return int(r.integers(0, 4 * wide if kind > 0.8 else wide))


def cut(sample: Sample, r: np.random.Generator) -> Sample:
    """A field of view cut anywhere: in the brain, head, legs, or a piece, most often whole."""
    n = sample.suv.shape[0]
    low, high = 0, n
    kind = r.random()
    if kind > 0.85:
        high = _skull_base(sample, r)
    elif kind < 0.15:
        high -= int(r.integers(1, max(2, n // 4)))
    elif kind < 0.3:
        low += int(r.integers(1, max(2, n // 3)))
    elif kind < 0.45:
        length = int(log_uniform(r, min(12, n), max(13, n * 2 // 3)))
        low = int(r.integers(0, max(1, n - length)))
        high = min(n, low + length)
    return sample.each(lambda a, _: a[low:high])


def _skull_base(sample: Sample, r: np.random.Generator) -> int:
    """A slice through the brain, most often its lower half; where there is none, the last."""
    share, brain = r.beta(1.2, 2.0), sample.structures[:, ::2, ::2] == LABELS["brain"]
    rows = np.flatnonzero(brain.any((1, 2)))
    if not len(rows):
        return len(sample.structures)
    return int(rows[0] + 1 + share * (rows[-1] - rows[0]))


def _body(suv: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The first and the last but one index of the body along each axis; z is the field's own."""
    inside = suv > BODY_SUV
    found = [np.flatnonzero(inside.any(axis=a)) for a in ((0, 2), (0, 1))]
    low = [0, *(int(f[0]) if len(f) else 0 for f in found)]
    high = [len(suv), *(int(f[-1]) + 1 if len(f) else 1 for f in found)]
    return np.array(low), np.array(high)


def _where(
    sample: Sample,
    r: np.random.Generator,
    shape: np.ndarray,
    middle: np.ndarray,
    target: np.ndarray,
    zoom: np.ndarray,
) -> tuple[Tensor, ...]:
    """For each voxel of the new matrix its index (z, y, x) in the old: affine, elastic, turned."""
    turn = r.normal(0, 0.06, 3) * (r.random() < 0.7)
    bend = abs(r.normal(0, 0.9)) * (r.random() < 0.7)
    flip = -1.0 if r.random() < 0.5 else 1.0
    nudge = r.uniform(-0.5, 0.5, 3)
    axes = [
        torch.arange(int(n), dtype=torch.float32) - float(t) + float(d)
        for n, t, d in zip(shape, target, nudge, strict=True)
    ]
    z, y, x = torch.meshgrid(*axes, indexing="ij")
    a, b, c = (float(t) for t in turn)
    old = [z - c * y + b * x, c * z + y - a * x, -b * z + a * y + x]
    old[2] = old[2] * flip
    knots = torch.from_numpy(r.normal(0, bend, (1, 3, 10, 5, 5)).astype(np.float32))
    if bend:
        size = tuple(int(n) for n in shape)
        field = F.interpolate(knots, size, mode="trilinear", align_corners=True)[0]
        old = [o + f for o, f in zip(old, field, strict=True)]
    at = [o / float(k) + float(m) - 0.5 for o, k, m in zip(old, zoom, middle, strict=True)]
    return _turned_head(sample, r, at)


def _turned_head(sample: Sample, r: np.random.Generator, at: list[Tensor]) -> tuple[Tensor, ...]:
    """The head turned and bent upon the neck, where there is one."""
    yaw, nod, chance = r.normal(0, 0.3), r.normal(0, 0.12), r.random()
    brain = np.argwhere(sample.structures[::2, ::2, ::2] == LABELS["brain"]) * 2
    z, y, x = at
    if chance > 0.5 or len(brain) < 30:
        return z, y, x
    cy, cx = brain[:, 1].mean(), brain[:, 2].mean()
    low = float(brain[:, 0].min())
    part = ((z - (low - NECK_VOXELS)) / NECK_VOXELS).clamp(0, 1)
    s, c = torch.sin(part * yaw), torch.cos(part * yaw)
    dy, dx = y - float(cy), x - float(cx)
    y, x = float(cy) + c * dy - s * dx, float(cx) + s * dy + c * dx
    return z + part * nod * dy, y + part * nod * (z - low), x


def _sampled(sample: Sample, where: tuple[Tensor, ...]) -> Sample:
    scale = [
        (w * (2.0 / n) + (1.0 / n - 1.0)) for w, n in zip(where, sample.suv.shape, strict=True)
    ]
    grid = torch.stack(scale[::-1], -1)[None]
    images = [sample.suv, sample.prob]
    if sample.ct is not None:
        images.append(sample.ct - AIR_HU)
    image = torch.from_numpy(np.stack(images))[None]
    moved = F.grid_sample(image, grid, align_corners=False)[0].numpy()
    index = [w.round().long() for w in where]
    inside = torch.ones_like(index[0], dtype=torch.bool)
    for k, n in zip(index, sample.suv.shape, strict=True):
        inside &= (k >= 0) & (k < n)
        k.clamp_(0, n - 1)
    structures = torch.from_numpy(sample.structures)[tuple(index)] * inside
    ct = moved[2] + AIR_HU if sample.ct is not None else None
    return replace(sample, suv=moved[0], prob=moved[1], ct=ct, structures=structures.numpy())


def intensity(sample: Sample, r: np.random.Generator) -> Sample:
    """Change the image's numbers and sharpness; the truth stays."""
    s = torch.from_numpy(sample.suv)
    for step in (_gamma, _fields, _beds, _sharpness, _noise):
        s = step(s, r)
    return replace(sample, suv=gain(s, r).numpy())


def gain(s: Tensor, r: np.random.Generator) -> Tensor:
    """Calibration: e^±0.5, now and then e^±0.9."""
    wide = 0.5 if r.random() < 0.85 else 0.9
    return s * float(np.exp(r.uniform(-wide, wide)))


def _gamma(s: Tensor, r: np.random.Generator) -> Tensor:
    power, chance = float(np.exp(r.normal(0, 0.15))), r.random()
    return s.clamp(min=0) ** power if chance < 0.5 else s


def _fields(s: Tensor, r: np.random.Generator) -> Tensor:
    """Smooth fields of two scales."""
    amounts, chances = r.uniform(0, 0.3, 2), r.random(2)
    total: Tensor | None = None
    for knots, amount, chance in zip(((6, 3, 3), (24, 10, 12)), amounts, chances, strict=True):
        noise = torch.from_numpy(r.normal(0, amount, (1, 1, *knots)).astype(np.float32))
        if chance < 0.65:
            field = F.interpolate(noise, s.shape, mode="trilinear", align_corners=True)[0, 0]
            total = field if total is None else total + field
    return s if total is None else s * torch.exp(total)


def _beds(s: Tensor, r: np.random.Generator) -> Tensor:
    """Between beds the body moves, the calibration steps, or slices lack their data."""
    high, chance, kind = len(s), r.random(), r.random(3)
    first, length = int(r.integers(0, high)), int(r.integers(12, 30))
    moved, step = r.integers(-1, 2, 2), float(np.exp(r.normal(0, 0.12)))
    lost = int(r.integers(1, 4))
    if chance > 0.25:
        return s
    s = s.clone()
    bed = slice(first, first + length)
    if kind[0] < 0.5:
        s[bed] = torch.roll(s[bed], (int(moved[0]), int(moved[1])), (1, 2))
    if kind[1] < 0.5:
        s[bed] *= step
    if kind[2] < 0.3:
        s[first : first + lost] = 0
    return s


def _sharpness(s: Tensor, r: np.random.Generator) -> Tensor:
    """From blurred to sharpened, the axes each for itself at times."""
    chance, t = r.random(), r.uniform(-0.6, 1.0)
    sigma = r.uniform(0.4, 1.1) * np.exp(r.normal(0, 0.25, 3))
    if chance > 0.6:
        return s
    smooth = blur(s, (float(sigma[0]), float(sigma[1]), float(sigma[2])))
    return (s + float(t) * (smooth - s)).clamp(min=0)


def _noise(s: Tensor, r: np.random.Generator) -> Tensor:
    """From white to coarse, growing with the square root of the uptake; at times in the air."""
    amount, coarse = r.uniform(0, 0.25), r.uniform(0, 1.2)
    air, worse = (r.random(2) < 0.2).tolist()
    if r.random() > 0.75:
        return s
    seed = int(r.integers(2**31))
    grain = torch.randn(s.shape, generator=torch.Generator().manual_seed(seed))
    if coarse > 0.3:
        grain = blur(grain, (coarse, coarse, coarse))
        grain /= grain.std() + 1e-6
    floor = 0.02 if air else 0.0
    level = float(amount) * torch.sqrt(s.clamp(min=0) + floor)
    if worse:  # towards the ends of the field, where the scanner counts least
        z = torch.arange(len(s), dtype=torch.float32)
        end = torch.minimum(z, len(s) - 1 - z)
        level = level * (1 + 3 * torch.exp(-end / 2))[:, None, None]
    return (s + grain * level).clamp(min=0)


def density(hu: Tensor, r: np.random.Generator) -> Tensor:
    """A CT (z, y, x) in HU as another scanner would show it, of a body that has moved since."""
    body = _displaced(hu - AIR_HU, r) * float(np.exp(r.normal(0, 0.03)))
    uneven = torch.from_numpy(r.normal(0, 14, (1, 1, 8, 4, 4)).astype(np.float32))
    field = F.interpolate(uneven, hu.shape, mode="trilinear", align_corners=True)[0, 0]
    seed, amount = int(r.integers(2**31)), float(r.uniform(0, 25))
    grain = amount * torch.randn(hu.shape, generator=torch.Generator().manual_seed(seed))
    tissue = ((body + AIR_HU + 300) / 200).clamp(0, 1)  # no more of it in lung, none in air
    changed = body + tissue * (field + grain + float(r.normal(0, 8)))
    return _ended(changed, r).clamp(min=0) + AIR_HU


def _displaced(body: Tensor, r: np.random.Generator) -> Tensor:
    """Breath and motion: half a voxel, now and then more, here otherwise than there."""
    much = 0.5 if r.random() < 0.8 else 1.2
    knots = r.normal(0, much, (1, 3, 8, 3, 3)) + r.normal(0, much / 2, (1, 3, 1, 1, 1))
    moved = F.interpolate(
        torch.from_numpy(knots.astype(np.float32)), body.shape, mode="trilinear", align_corners=True
    )[0]
    axes = [torch.arange(n, dtype=torch.float32) for n in body.shape]
    where = [a + d for a, d in zip(torch.meshgrid(*axes, indexing="ij"), moved, strict=True)]
    scale = [w * (2.0 / n) + (1.0 / n - 1.0) for w, n in zip(where, body.shape, strict=True)]
    return F.grid_sample(body[None, None], torch.stack(scale[::-1], -1)[None], align_corners=False)[
        0, 0
    ]


def _ended(body: Tensor, r: np.random.Generator) -> Tensor:
    """A CT's field is narrower than a PET's, or shorter, now and then."""
    kind, radius, lost = r.random(2), r.uniform(22, 33), int(r.integers(1, 12))
    if kind[0] < 0.2:
        y, x = (torch.arange(n, dtype=torch.float32) - (n - 1) / 2 for n in body.shape[1:])
        body = body * (y[:, None] ** 2 + x**2 < radius**2)
    if kind[1] < 0.15:
        body = body.clone()
        body[slice(lost) if kind[1] < 0.08 else slice(-lost, None)] = 0
    return body
