"""What the networks are made of, in figures: no torch, so that recipes are at hand everywhere."""

from __future__ import annotations

from dataclasses import dataclass

from tmtv_engine.lesion.structures import STRUCTURES


@dataclass(frozen=True)
class Architecture:
    """What a V-Net is made of; ``convolutions`` from the first level down, then the bottom."""

    inputs: int = 2
    channels: int = 8
    kernel: int = 5
    convolutions: tuple[int, ...] = (1, 2, 3, 3, 3)
    norm: bool = False
    dropout: float = 0.2

    @property
    def levels(self) -> int:
        """How often the image is halved."""
        return len(self.convolutions) - 1


PAPER = Architecture()
COARSE = Architecture(1, 8, 3, (1, 2, 2, 2, 2), norm=True, dropout=0.0)


@dataclass(frozen=True)
class BodyPlan:
    """What a `BodyNet` is made of: channels a level, residual blocks down (``down``) and up.

    ``inputs`` counts the mask of the body, which is the last channel; ``structures`` is how many
    there are to tell apart; ``fine`` the channels that tumour is looked at with once more on
    voxels as they are, unfolded (none: it is not); ``ct`` those that a CT is looked at with, where
    there is one (none: it never is).
    """

    inputs: int = 3
    channels: tuple[int, ...] = (32, 64, 128)
    down: tuple[int, ...] = (1, 2, 3)
    up: tuple[int, ...] = (2, 1)
    structures: int = len(STRUCTURES)
    fine: int = 0
    ct: int = 0

    @property
    def levels(self) -> int:
        """How often the image is halved, its folding included."""
        return len(self.channels)
