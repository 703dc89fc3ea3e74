"""The network: a V-Net (Milletari 2016), one file, read from top to bottom.

``PAPER`` is the network of Revailler 2022 (section 2.4 and the authors' published figures):
two input channels, four levels of 8, 16, 32 and 64 channels over a bottom of 128, 5×5×5
convolutions, 1, 2, 3, 3 a level and 3 at the bottom, strided 2×2×2 convolutions down and
transposed ones up, skips by concatenation, a residual in each block, dropout 0.2 before the last
layer: 11 million parameters. ``COARSE`` is a leaner one for whole bodies at 8 mm.

    >>> net = VNet(COARSE)
    >>> net(torch.zeros(1, 1, 32, 16, 16)).shape
    torch.Size([1, 1, 32, 16, 16])
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from tmtv_engine.model.plans import PAPER, Architecture


class Block(nn.Module):
    """Convolutions at one level, their input added to their output."""

    def __init__(self, inputs: int, channels: int, count: int, plan: Architecture) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for k in range(count):
            width = inputs if k == 0 else channels
            layers.append(nn.Conv3d(width, channels, plan.kernel, padding=plan.kernel // 2))
            if plan.norm:
                layers.append(nn.GroupNorm(min(8, channels // 2), channels))
            if k < count - 1:
                layers.append(nn.PReLU(channels))
        self.layers = nn.Sequential(*layers)
        self.last = nn.PReLU(channels)

    def forward(self, x: Tensor, residual: Tensor) -> Tensor:
        """(B, inputs, z, y, x) → (B, channels, z, y, x); ``residual`` has the output's shape."""
        out: Tensor = self.last(self.layers(x) + residual)
        return out


class VNet(nn.Module):
    """Logits (B, 1, z, y, x) of (B, inputs, z, y, x); each extent a multiple of 2^levels."""

    def __init__(self, plan: Architecture = PAPER) -> None:
        super().__init__()
        self.plan = plan
        n, c = plan.levels, plan.channels
        widths = [c * 2**k for k in range(n + 1)]
        side = plan.kernel // 2
        self.enter = nn.Conv3d(plan.inputs, c, plan.kernel, padding=side)
        self.down_blocks = nn.ModuleList(
            Block(w, w, k, plan) for w, k in zip(widths, plan.convolutions, strict=True)
        )
        self.down = nn.ModuleList(nn.Conv3d(widths[k], widths[k + 1], 2, 2) for k in range(n))
        self.up = nn.ModuleList(
            nn.ConvTranspose3d(widths[k + 1], widths[k], 2, 2) for k in range(n)
        )
        self.up_blocks = nn.ModuleList(
            Block(2 * widths[k], widths[k], plan.convolutions[k], plan) for k in range(n)
        )
        self.down_act = nn.ModuleList(nn.PReLU(w) for w in widths[1:])
        self.up_act = nn.ModuleList(nn.PReLU(w) for w in widths[:-1])
        self.dropout = nn.Dropout3d(plan.dropout)
        self.leave = nn.Conv3d(c, 1, 1)
        if self.leave.bias is not None:
            nn.init.constant_(self.leave.bias, -3.0)  # tumour is rare: start near "none"

    def forward(self, x: Tensor) -> Tensor:
        """Raises `ValueError` for extents that cannot be halved often enough."""
        step = 2**self.plan.levels
        if any(size % step for size in x.shape[2:]):
            raise ValueError(f"extents {tuple(x.shape[2:])} are not multiples of {step}")
        x = self.enter(x)
        skips = []
        for k in range(self.plan.levels):
            x = self.down_blocks[k](x, x)
            skips.append(x)
            x = self.down_act[k](self.down[k](x))
        x = self.down_blocks[-1](x, x)
        for k in reversed(range(self.plan.levels)):
            x = self.up_act[k](self.up[k](x))
            x = self.up_blocks[k](torch.cat([x, skips[k]], 1), x)
        out: Tensor = self.leave(self.dropout(x))
        return out


def parameter_count(net: nn.Module) -> int:
    """How many numbers a network learns."""
    return sum(p.numel() for p in net.parameters())
