"""The truth as the paper made it: generous ROIs by hand, cut four ways, averaged."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from torch import Tensor

from tmtv_engine.image.volume import Grid
from tmtv_engine.lesion.lists import Lesions
from tmtv_engine.lesion.thresholds import probability
from tmtv_engine.phantom.canvas import Triple

GENEROUS_MM = 6.0
FAINTEST_SUV = 2.0


def draw_rois(marks: Tensor, hot: Tensor, suv: Tensor, spacing_mm: Triple) -> Tensor:
    """ROIs (z, y, x) int16 around the lesions' marks as a reader draws them, some mm too large.

    They stop at hot organs; a lesion whose maximum stays below SUV 2 is not drawn.
    """
    grown = marks
    for _ in range(max(1, round(GENEROUS_MM / max(spacing_mm)))):
        around = F.max_pool3d(grown[None, None].float(), 3, 1, 1)[0, 0].to(torch.int16)
        grown = torch.where((grown == 0) & ~hot, around, grown)
    count = int(grown.max()) + 1
    highest = torch.zeros(count, device=suv.device)
    highest.scatter_reduce_(0, grown.flatten().long(), suv.flatten(), "amax")
    return torch.where((highest >= FAINTEST_SUV)[grown.long()], grown, 0).to(torch.int16)


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
