"""Only those windows of a sliding window that touch a box: there the answer is the whole body's.

A reader's click is about one place. Every window that touches it is run, in the same order, so
that each voxel of the box has to the bit the logits that it has when all windows are.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

Slicer = tuple[slice | int, ...]
IntArray = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Part:
    """The ``box`` of an image (z, y, x) that some windows cover, and ``slicers`` within it."""

    box: tuple[slice, slice, slice]
    slicers: tuple[Slicer, ...]


def part_of(
    slicers_of: Callable[[Sequence[int]], Sequence[Slicer]],
    patch: Sequence[int],
    shape: Sequence[int],
    low: IntArray,
    high: IntArray,
) -> Part:
    """What is to be run for the voxels from ``low`` to before ``high`` (z, y, x) of an image.

    ``slicers_of`` gives the windows of ``patch`` for a shape, as nnunetv2 lays them: a slice for
    the channels, then one an axis, or a plane's number. It pads an image that is smaller than a
    window; along such an axis there is one window, and the box is the whole axis.
    """
    wide = [1] * (len(shape) - len(patch)) + list(patch)
    padded = [max(n, p) for n, p in zip(shape, wide, strict=True)]
    ends = np.where(np.array(padded) > shape, padded, high)
    taken = [s for s in slicers_of(padded) if _touches(s[1:], low, ends)]
    spans = np.array([[_span(part) for part in s[1:]] for s in taken])
    first, last = spans[..., 0].min(axis=0), spans[..., 1].max(axis=0)
    box = tuple(
        slice(0, n) if p > n else slice(int(a), int(b))
        for n, p, a, b in zip(shape, padded, first, last, strict=True)
    )
    moved = tuple((s[0], *map(_moved, s[1:], first)) for s in taken)
    return Part(box, moved)  # type: ignore[arg-type]


def _span(part: slice | int) -> tuple[int, int]:
    return (part.start, part.stop) if isinstance(part, slice) else (part, part + 1)


def _touches(window: Sequence[slice | int], low: IntArray, high: IntArray) -> bool:
    spans = map(_span, window)
    return all(a < end and b > begin for (a, b), begin, end in zip(spans, low, high, strict=True))


def _moved(part: slice | int, by: Any) -> slice | int:
    if isinstance(part, slice):
        return slice(part.start - int(by), part.stop - int(by))
    return part - int(by)
