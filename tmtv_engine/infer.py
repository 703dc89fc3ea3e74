"""A network as a Segmenter: SUV onto the model's grid, windows, and back to the PET's grid."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

LOG_TOP = 30.0
LINEAR_TOP = 25.0


def scaled(suv: Tensor, scaling: str) -> Tensor:
    """SUV as the network sees it, 0 … 1: ``linear`` to 25, ``log`` log(1 + SUV) / log 31."""
    if scaling == "log":
        return torch.log1p(suv.clamp(0, LOG_TOP)) / float(np.log1p(LOG_TOP))
    return (suv / LINEAR_TOP).clamp(0, 1)
