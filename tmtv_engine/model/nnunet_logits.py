"""From nnU-Net's logits to a probability of tumour, a slab at a time.

nnunetv2 resamples all logits of a body in double precision at once, which for a dozen labels takes
more memory than the network. Here only a slab of planes is ever at the image's spacing, and the
answer is the same: logits are rounded to half precision where nnunetv2 rounds them, and a voxel
is above one half exactly where nnunetv2's label map has the tumour.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.ndimage import _nd_image

from tmtv_engine.image.volume import Array, FloatArray
from tmtv_engine.model.nnunet_folder import Heads

Shape = tuple[int, int, int]
SLAB_VALUES = 2**23  # logits of a slab at the image's spacing, all heads
NEAREST = 0  # scipy's code for what lies beyond the edge
HALF = np.float32(0.5)
ABOVE = np.nextafter(HALF, np.float32(1))


@dataclass(frozen=True)
class Zoom:
    """How logits go to ``shape`` (z, y, x): linearly, but ``nearest`` along that axis if any."""

    shape: Shape
    nearest: int | None = None

    def slabs(self, logits: Array) -> Iterator[tuple[int, Array]]:
        """First plane and logits (heads, planes, y, x), float16, of each slab."""
        heads, *size = logits.shape
        planes = _planes(heads, self.shape)
        for first in range(0, self.shape[0], planes):
            last = min(first + planes, self.shape[0])
            if tuple(size) == self.shape:
                yield first, logits[:, first:last]
                continue
            slab = np.empty((heads, last - first, *self.shape[1:]), np.float16)
            for head in range(heads):
                slab[head] = self._slab(logits[head], first, last)
            yield first, slab

    def _slab(self, logits: Array, first: int, last: int) -> FloatArray:
        """Planes ``first`` … ``last`` of one head (z, y, x), to the bit as scipy's `zoom`.

        It is the same function that `zoom` calls, begun at a later plane. Any other reckoning
        breaks ties differently, and logits of half precision are full of them.
        """
        whole, begin = list(self.shape), float(first)
        if self.nearest == 0:
            single = logits[_nearest(len(logits), whole[0])[first:last]].astype(np.float32)
            whole[0], begin = len(single), 0.0
        else:
            planes = self._seen(len(logits), first, last)
            part = logits[planes]
            if self.nearest is not None:
                place = _nearest(part.shape[self.nearest], whole[self.nearest])
                part = np.take(part, place, self.nearest)
            single = np.empty((len(logits), *part.shape[1:]), np.float32)
            single[planes] = part  # what is not filled is not looked at, and takes no memory
        out = np.empty((last - first, *self.shape[1:]))
        steps = np.array([n / m for n, m in zip(single.shape, whole, strict=True)])
        start = np.array([begin, 0.0, 0.0])
        _nd_image.zoom_shift(single, steps, start, out, 1, NEAREST, 0.0, 0, True)
        return out

    def _seen(self, size: int, first: int, last: int) -> slice:
        """Which of ``size`` planes of logits the image's ``first`` … ``last`` lie between."""
        step = size / self.shape[0]
        return slice(max(0, int(first * step) - 2), int(last * step) + 3)


@dataclass(frozen=True)
class Whole:
    """A resampling of nnunetv2's own that is none of `Zoom`'s: head by head, the whole of each."""

    resample: Callable[[Array], Array]

    def slabs(self, logits: Array) -> Iterator[tuple[int, Array]]:
        """First plane and logits (heads, planes, y, x), float16, of each slab."""
        parts = [np.asarray(self.resample(logits[k : k + 1]))[0] for k in range(len(logits))]
        whole = np.stack([part.astype(np.float16) for part in parts])
        planes = _planes(len(whole), whole.shape[1:])
        for first in range(0, whole.shape[1], planes):
            yield first, whole[:, first : first + planes]


def _planes(heads: int, shape: Sequence[int]) -> int:
    return max(1, SLAB_VALUES // (heads * shape[1] * shape[2]))


def _nearest(size: int, count: int) -> Array:
    """For each of ``count`` planes the nearest of ``size``."""
    centres = (np.arange(count) + 0.5) * (size / count) - 0.5
    return np.asarray(np.clip(np.floor(centres + 0.5), 0, size - 1), int)


@dataclass(frozen=True)
class Answer:
    """What logits say: ``tumour`` (z, y, x) and, where asked for, each head's share of some voxels.

    ``heads`` (H, z', y', x') are softmax probabilities of every ``step``-th voxel. float32, 0 … 1.
    """

    tumour: Array
    heads: Array | None = None
    step: Shape = (1, 1, 1)


def answer(
    logits: Array, zoom: Zoom | Whole, shape: Shape, heads: Heads, step: Shape | None = None
) -> Answer:
    """What logits (heads, z, y, x) say of each voxel of an image of ``shape``.

    Where outputs exclude each other the probability of tumour is that against the likeliest of
    the others, which is softmax for two; so it is above one half where tumour is the likeliest.
    """
    tumour = np.empty(shape, np.float32)
    shares = []
    for first, slab in zoom.slabs(logits):
        values = slab.astype(np.float32)
        tumour[first : first + slab.shape[1]] = _tumour(values, heads)
        if step:
            shares.append(_softmax(values[:, -first % step[0] :: step[0], :: step[1], :: step[2]]))
    return Answer(tumour, np.concatenate(shares, axis=1), step) if step else Answer(tumour)


def _tumour(logits: Array, heads: Heads) -> Array:
    own = logits[heads.tumour]
    if heads.regions:
        return _sigmoid(own)
    others = [k for k in range(len(logits)) if k != heads.tumour]
    best = logits[others].max(axis=0)
    before = logits[: heads.tumour].max(axis=0, initial=-np.inf)
    wins = (own > before) & (own >= best)  # of equals nnunetv2 takes the first
    chance = _sigmoid(own - best)
    return np.where(wins, np.maximum(chance, ABOVE), np.minimum(chance, HALF))


def _sigmoid(x: Array) -> Array:
    with np.errstate(over="ignore"):
        return np.asarray(1 / (1 + np.exp(-x)), np.float32)


def _softmax(logits: Array) -> Array:
    powers = np.exp(logits - logits.max(axis=0))
    return np.asarray(powers / powers.sum(axis=0), np.float32)
