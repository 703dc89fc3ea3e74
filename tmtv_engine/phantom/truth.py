"""The truth as the paper made it: generous ROIs by hand, cut four ways, averaged."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from torch import Tensor

from tmtv_engine.image.volume import Grid
from tmtv_engine.lesion.lists import Lesions
from tmtv_engine.lesion.thresholds import probability
from tmtv_engine.phantom.canvas import Box
from tmtv_engine.phantom.pose import Triple

GENEROUS_MM = 10.0
FAINTEST_SUV = 2.0
DROWNED, OURS = 0.3, 0.5  # the lesions' part of what is seen
SPILL_MM, SPILL_TIMES, SPILL_SUV = 8.0, 1.5, 0.6


def draw_rois(marks: Tensor, own: Tensor, seen: Tensor, suv: Tensor, spacing_mm: Triple) -> Tensor:
    """ROIs (z, y, x) int16 around the lesions' marks as a reader draws them, some mm too large.

    ``seen`` is the uptake as the scanner resolves it and ``own`` the lesions' part of it: a ROI
    ends where something else is hotter, and a lesion's own mark where it is drowned. A lesion
    whose maximum stays below SUV 2 is not drawn.
    """
    rois = torch.where(own > DROWNED * seen, marks, 0).to(torch.int16)
    reach = max(1, math.ceil(GENEROUS_MM / max(spacing_mm)))
    box = around(rois > 0, reach)
    if box is None:
        return rois
    grown, ours = rois[box], own[box] > OURS * seen[box]
    for _ in range(reach):
        grown = torch.where((grown == 0) & ours, _spread(grown), grown)
    highest = torch.zeros(int(grown.max()) + 1, device=suv.device)
    highest.scatter_reduce_(0, grown.flatten().long(), suv[box].flatten(), "amax")
    rois[box] = torch.where((highest >= FAINTEST_SUV)[grown.long()], grown, 0).to(torch.int16)
    return rois


def around(mask: Tensor, margin: int) -> Box | None:
    """The box (z, y, x) of what is true, and ``margin`` voxels about it; None: nothing is."""
    found = []
    for axis in range(3):
        others = [a for a in range(3) if a != axis]
        line = torch.nonzero(mask.amax(others))
        if not len(line):
            return None
        low, high = int(line[0]) - margin, int(line[-1]) + 1 + margin
        found.append(slice(max(0, low), min(mask.shape[axis], high)))
    return found[0], found[1], found[2]


def _spread(labels: Tensor) -> Tensor:
    """Each voxel's greatest label among its 26 neighbours and itself."""
    out = labels[None].float()
    for k in ((3, 1, 1), (1, 3, 1), (1, 1, 3)):
        out = F.max_pool3d(out, k, 1, tuple(n // 2 for n in k))
    return out[0].to(labels.dtype)


def spilt(structures: Tensor, true: Tensor, seen: Tensor, spacing_mm: Triple) -> Tensor:
    """Structures (z, y, x) uint8 as they look: what shines over a border keeps its name there.

    A voxel that is seen far hotter than its true uptake belongs to its brightest neighbour.
    """
    reach = max(1, round(SPILL_MM / max(spacing_mm)))
    steps = torch.arange(-reach, reach + 1, device=true.device)
    over = torch.nonzero(seen > SPILL_TIMES * true + SPILL_SUV)
    if not len(over):
        return structures
    brightest, at = torch.zeros(len(over), device=true.device), over
    for step in torch.cartesian_prod(steps, steps, steps):
        near = over + step
        for axis, n in enumerate(true.shape):
            near[:, axis].clamp_(0, n - 1)
        value = true[near.unbind(1)]
        wins = value > brightest
        brightest, at = torch.where(wins, value, brightest), torch.where(wins[:, None], near, at)
    named = structures.clone()
    named[over.unbind(1)] = structures[at.unbind(1)]
    return named


def tmtv_probability(
    suv: npt.NDArray[np.float32], rois: npt.NDArray[np.int16]
) -> npt.NDArray[np.float32]:
    """TMTVprob (z, y, x) of ROIs: the mean of the masks 41 %, 2.5, 4.0 and Otsu (paper 2.3)."""
    lesions = voxel_lists(suv, rois)
    out = np.zeros(suv.size, np.float32)
    out[lesions.voxels] = probability(lesions)
    return out.reshape(suv.shape)


def voxel_lists(suv: npt.NDArray[np.float32], rois: npt.NDArray[np.int16]) -> Lesions:
    """The ROIs as `Lesions` for cutting; without SUVpeak, which no cut of the four needs."""
    flat = rois.reshape(-1)
    where = np.flatnonzero(flat)
    order = where[np.argsort(flat[where], kind="stable")]
    ids, first = np.unique(flat[order], return_index=True)
    values = suv.reshape(-1)[order]
    grid = Grid.axial(suv.shape, (1.0, 1.0, 1.0))  # type: ignore[arg-type]
    starts = np.append(first, len(order)).astype(np.int64)
    return Lesions(grid, ids.astype(np.int64), ids.astype(np.int64), starts, order, values, values)
