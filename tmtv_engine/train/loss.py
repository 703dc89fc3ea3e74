"""Losses against a probability map that is never rounded."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor


def soft_dice_loss(probability: Tensor, target: Tensor, smooth: float = 1.0) -> Tensor:
    """1 − soft Dice over each sample, averaged: shapes (B, 1, z, y, x), both 0 … 1.

    Milletari's form with squares in the denominator; ``smooth`` keeps empty against empty at 0.
    """
    axes = (1, 2, 3, 4)
    both = (probability * target).sum(axes)
    size = (probability**2).sum(axes) + (target**2).sum(axes)
    return 1 - ((2 * both + smooth) / (size + smooth)).mean()


def dice_and_entropy(logits: Tensor, target: Tensor, entropy: float) -> Tensor:
    """Soft Dice plus ``entropy`` × binary cross-entropy.

    A patient without tumour counts by the cross-entropy only: Dice says nothing there.
    """
    present = (target.sum((1, 2, 3, 4)) > 0).float().mean()
    crossed = F.binary_cross_entropy_with_logits(logits, target)
    return present * soft_dice_loss(torch.sigmoid(logits), target) + entropy * crossed
