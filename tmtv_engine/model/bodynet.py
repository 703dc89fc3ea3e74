"""A network that reads place from the body, not from the image's border.

A U-shaped net of 3×3×3 convolutions for PET at 8 mm, with two answers: is a voxel tumour, and
which structure is it. Three things make its answer the same wherever the body lies in the image
and however much air is round it. Features outside the body's mask are zero at every level, so
that zero padding is more of the same air. No statistic is taken over the image. And a level is
halved by an average and doubled by linear interpolation, not by bare strides.

    >>> net = BodyNet(BodyPlan())
    >>> tumour, structures = net(torch.zeros(2, 3, 16, 8, 8))
    >>> tumour.shape, structures.shape
    (torch.Size([2, 1, 16, 8, 8]), torch.Size([2, 21, 8, 4, 4]))
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tmtv_engine.model.plans import BodyPlan

LEAK = 0.05
START = 0.3  # of what a residual block adds
NONE = -20.0  # the logit of air
FOLD = 2
DENSITIES = 2  # channels of a CT


class Masked(nn.Module):
    """A convolution whose output is zero outside the mask."""

    def __init__(self, inputs: int, channels: int, kernel: int) -> None:
        super().__init__()
        self.conv = nn.Conv3d(inputs, channels, kernel, padding=kernel // 2)
        if not self.conv.weight.is_meta:  # torch would import its compiler to draw nothing
            nn.init.kaiming_normal_(self.conv.weight, nonlinearity="relu")
        if self.conv.bias is not None:
            nn.init.zeros_(self.conv.bias)

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        """(B, inputs, z, y, x) → (B, channels, z, y, x)."""
        out: Tensor = self.conv(x) if self.conv.padding[0] else mixed(self.conv, x)
        return out.mul_(mask)


class Residual(nn.Module):
    """Two convolutions, their output added to their input by a learned share."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.first, self.second = Masked(channels, channels, 3), Masked(channels, channels, 3)
        self.share = nn.Parameter(torch.full((1, channels, 1, 1, 1), START))

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        """(B, channels, z, y, x), the same out."""
        more = self.second(F.leaky_relu_(self.first(_bent(x), mask), LEAK), mask)
        return torch.addcmul(x, self.share, more)


class Fine(nn.Module):
    """What a voxel and its neighbours as they are add to tumour's logit.

    A folded voxel is 16 mm wide, and a node of 1 mL one of its eight parts: here each part is
    looked at for itself, with what the folded network knows of it. It begins by adding nothing.
    """

    def __init__(self, plan: BodyPlan) -> None:
        super().__init__()
        self.known = nn.Conv3d(plan.channels[0], FOLD**3 * plan.fine, 1)
        self.seen = Masked(plan.inputs, plan.fine, 3)
        self.block = Residual(plan.fine)
        self.last = _head(plan.fine, 1, 0.0)
        if not self.last.weight.is_meta:
            nn.init.zeros_(self.last.weight)

    def forward(self, x: Tensor, image: Tensor) -> Tensor:
        """(B, channels, z/2, y/2, x/2) and (B, inputs, z, y, x) → (B, 1, z, y, x)."""
        body = image[:, -1:]
        near = self.seen(image, body).addcmul_(unfolded(mixed(self.known, x)), body)
        return mixed(self.last, _bent(self.block(near, body)))


class Density(nn.Module):
    """What a CT adds to both answers, where there is one.

    It looks at density beside what the folded network knows of the PET, and begins by adding
    nothing. A CT that is air everywhere is none: it never adds anything.
    """

    def __init__(self, plan: BodyPlan) -> None:
        super().__init__()
        self.known = nn.Conv3d(plan.channels[0], plan.ct, 1)
        self.seen = Masked(FOLD**3 * DENSITIES, plan.ct, 3)
        self.blocks = _blocks(plan.ct, 3)
        self.heads = _head(plan.ct, FOLD**3 + plan.structures, 0.0)
        if not self.heads.weight.is_meta:
            nn.init.zeros_(self.heads.weight)

    def forward(self, x: Tensor, ct: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """Logits of tumour (B, 8, z, y, x), folded, and of structures (B, S, z, y, x), to add.

        ``x`` is (B, channels, z, y, x), ``ct`` (B, 2, 2 z, 2 y, 2 x).
        """
        there = ct.amax((1, 2, 3, 4), keepdim=True) > 0
        near = self.seen(folded(ct), mask).addcmul_(mixed(self.known, x), mask)
        for block in self.blocks.children():
            near = block(near, mask)
        added = mixed(self.heads, _bent(near)) * there
        return added[:, : FOLD**3], added[:, FOLD**3 :]


class BodyNet(nn.Module):
    """Logits of tumour (B, 1, z, y, x) and of structures (B, S, z/2, y/2, x/2) of an image.

    The image is (B, inputs, z, y, x), each extent a multiple of 2^levels; its last channel is the
    body's mask, and a CT's channels, where there is one, come before all. It is folded first: eight
    voxels are one of twice the width with eight times the channels, on which nearly all work is
    done; tumour is unfolded at the end (`Fine` looks at it there), and a structure's name needs no
    finer voxels.
    """

    def __init__(self, plan: BodyPlan) -> None:
        super().__init__()
        self.plan = plan
        w, seen, pairs = plan.channels, FOLD**3 * plan.inputs, range(len(plan.channels) - 1)
        self.enter = Masked(seen, w[0], 3)
        self.down_blocks = nn.ModuleList(_blocks(c, n) for c, n in zip(w, plan.down, strict=True))
        self.down = nn.ModuleList(Masked(w[k], w[k + 1], 1) for k in pairs)
        self.across = nn.ModuleList(Masked(w[k], w[k], 1) for k in pairs)
        self.up = nn.ModuleList(Masked(w[k + 1], w[k], 1) for k in pairs)
        self.up_blocks = nn.ModuleList(_blocks(w[k], plan.up[k]) for k in pairs)
        self.tumour = _head(w[0] + seen, FOLD**3, -3.0)  # tumour is rare: start near "none"
        self.structure = _head(w[0], plan.structures, 0.0)
        self.fine = Fine(plan) if plan.fine else None
        self.density = Density(plan) if plan.ct else None

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor]:
        """Raises `ValueError` for extents that cannot be halved often enough."""
        step = 2**self.plan.levels
        if any(size % step for size in image.shape[2:]):
            raise ValueError(f"extents {tuple(image.shape[2:])} are not multiples of {step}")
        ct, image, body = (
            image[:, : -self.plan.inputs],
            image[:, -self.plan.inputs :],
            image[:, -1:],
        )
        masks = [F.max_pool3d(body, FOLD)]
        for _ in self.down:
            masks.append(F.max_pool3d(masks[-1], 2))
        seen = folded(image).contiguous(memory_format=torch.channels_last_3d)
        x = _bent(self._body(self.enter(seen, masks[0]), masks))
        tumour, names = mixed(self.tumour, torch.cat([x, seen], 1)), mixed(self.structure, x)
        if self.density is not None and ct.shape[1]:
            more, told = self.density(x, ct, masks[0])
            tumour, names = tumour + more, names + told
        tumour = unfolded(tumour)
        if self.fine is not None:
            tumour = tumour + self.fine(x, image)
        return tumour * body + NONE * (1 - body), names

    def _body(self, x: Tensor, masks: list[Tensor]) -> Tensor:
        skips = []
        for k, blocks in enumerate(self.down_blocks):
            for block in blocks.children():  # no name but x keeps a block's input alive
                x = block(x, masks[k])
            if k < len(self.down):
                skips.append(x)
                x = self.down[k](F.avg_pool3d(x, 2), masks[k + 1])
        for k in reversed(range(len(self.up))):
            x = doubled(self.up[k](x, masks[k + 1]))
            x = (x + self.across[k](skips.pop(), masks[k])) * masks[k]
            for block in self.up_blocks[k].children():
                x = block(x, masks[k])
        return x


def doubled(x: Tensor) -> Tensor:
    """(B, C, z, y, x) on voxels half as wide, linearly, with air (zero) beyond the border."""
    wide = F.interpolate(F.pad(x, (1,) * 6), scale_factor=2, mode="trilinear")
    return wide[:, :, 2:-2, 2:-2, 2:-2]


def folded(x: Tensor) -> Tensor:
    """(B, C, z, y, x) → (B, 8 C, z/2, y/2, x/2): eight voxels become the channels of one."""
    b, c, z, y, w = x.shape
    parts = x.reshape(b, c, z // 2, 2, y // 2, 2, w // 2, 2).permute(0, 1, 3, 5, 7, 2, 4, 6)
    return parts.reshape(b, 8 * c, z // 2, y // 2, w // 2)


def unfolded(x: Tensor) -> Tensor:
    """(B, 8 C, z, y, x) → (B, C, 2 z, 2 y, 2 x), channels last: undoes `folded`."""
    b, c, z, y, w = x.shape
    parts = x.movedim(1, -1).reshape(b, z, y, w, c // 8, 2, 2, 2).permute(0, 1, 5, 2, 6, 3, 7, 4)
    return parts.reshape(b, 2 * z, 2 * y, 2 * w, c // 8).movedim(-1, 1)


def mixed(conv: nn.Conv3d, x: Tensor) -> Tensor:
    """``conv``, of 1×1×1, as the matrix product that it is: of channels last, without a copy."""
    return F.linear(x.movedim(1, -1), conv.weight.flatten(1), conv.bias).movedim(-1, 1)


def _bent(x: Tensor) -> Tensor:
    return F.leaky_relu(x, LEAK)


def _blocks(channels: int, count: int) -> nn.ModuleList:
    return nn.ModuleList(Residual(channels) for _ in range(count))


def _head(channels: int, outputs: int, bias: float) -> nn.Conv3d:
    head = nn.Conv3d(channels, outputs, 1)
    if not head.weight.is_meta:
        nn.init.normal_(head.weight, 0.0, 0.05)
    if head.bias is not None:
        nn.init.constant_(head.bias, bias)
    return head
