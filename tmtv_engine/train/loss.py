"""Losses against a probability map that is never rounded, and against structures."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from scipy import ndimage
from torch import Tensor

FEW = 50.0  # voxels by which a rare structure is counted more
HEAVIEST = 30.0


def soft_dice_loss(probability: Tensor, target: Tensor, smooth: float = 1.0) -> Tensor:
    """1 − soft Dice over each sample, averaged: shapes (B, 1, z, y, x), both 0 … 1.

    Milletari's form with squares in the denominator; ``smooth`` keeps empty against empty at 0.
    """
    return _dice_losses(probability, target, smooth).mean()


def _dice_losses(probability: Tensor, target: Tensor, smooth: float = 1.0) -> Tensor:
    axes = (1, 2, 3, 4)
    both = (probability * target).sum(axes)
    size = (probability**2).sum(axes) + (target**2).sum(axes)
    return 1 - (2 * both + smooth) / (size + smooth)


def dice_and_entropy(
    logits: Tensor, target: Tensor, entropy: float, inside: Tensor | None = None
) -> Tensor:
    """Soft Dice plus ``entropy`` × binary cross-entropy, over ``inside`` where that is given.

    A patient without tumour counts by the cross-entropy only: Dice says nothing there.
    """
    present = (target.sum((1, 2, 3, 4)) > 0).to(logits.dtype)
    each = F.binary_cross_entropy_with_logits(logits, target, reduction="none")
    crossed = each.mean() if inside is None else (each * inside).sum() / inside.sum().clamp(min=1)
    return (present * _dice_losses(torch.sigmoid(logits), target)).mean() + entropy * crossed


def lesion_loss(logits: Tensor, target: Tensor, shares: Tensor) -> Tensor:
    """The mean over lesions of each one's mean cross-entropy: shapes (B, 1, z, y, x).

    ``shares`` are the target's `lesion_shares`. In a mean over voxels the bulky lesions are all
    there is; here a node of 1 mL counts as much. 0 where there is none.
    """
    each = F.binary_cross_entropy_with_logits(logits, target, reduction="none")
    return (each * shares).sum()


def lesion_shares(target: npt.NDArray[np.floating]) -> npt.NDArray[np.float32]:
    """What each voxel weighs where each lesion of (B, 1, z, y, x) weighs the same; one in sum.

    A lesion is a component of ``target`` of at least one half.
    """
    out = np.zeros(target.shape, np.float32)
    number = 0
    for sample, shares in zip(target[:, 0] >= 0.5, out[:, 0], strict=True):
        labels, count = ndimage.label(sample, np.ones((3, 3, 3)))
        sizes = np.bincount(labels.ravel(), minlength=count + 1)
        shares[sample] = 1.0 / sizes[labels[sample]]
        number += count
    return out / np.float32(max(number, 1))


def naming_loss(logits: Tensor, structures: Tensor, inside: Tensor) -> Tensor:
    """Cross-entropy of structures (B, S, z, y, x) against labels (B, z, y, x), over ``inside``.

    Rare structures count more: each voxel by the root of one over how many its structure has.
    """
    where = inside > 0
    told = logits.movedim(1, -1)[where]
    labels = structures[where].long()
    count = torch.bincount(labels, minlength=logits.shape[1]).to(told.dtype)
    weight = ((len(labels) + FEW) / (count + FEW)).sqrt().clamp(max=HEAVIEST)
    return F.cross_entropy(told, labels, weight=weight) if len(labels) else told.sum()
