"""An image that the system can take back into a file while the network has the memory.

A sliding window looks at a little of a body at a time, and its network needs more memory than all
of the body. What it does not look at need not be in memory: the array lies in a nameless file
that only this process has and that ends with it.
"""

from __future__ import annotations

import math
import mmap
import os
import tempfile
from collections.abc import Sequence

import numpy as np

from tmtv_engine.image.volume import Array

WORTH_BYTES = 1 << 26
KIND = np.dtype(np.float32)


def paged(shape: Sequence[int]) -> Array:
    """A float32 array of ``shape`` in a file of its own.

    It is in memory where it is small, or a system or a full disk does not let it be in a file.
    """
    size = math.prod(shape) * KIND.itemsize
    if size < WORTH_BYTES or not hasattr(mmap, "MADV_DONTNEED"):
        return np.empty(tuple(shape), KIND)
    try:
        with tempfile.TemporaryFile(prefix="tmtv") as file:
            os.posix_fallocate(file.fileno(), 0, size)  # a full disk is met here, not while used
            held = mmap.mmap(file.fileno(), size)
    except (OSError, ValueError, AttributeError):
        return np.empty(tuple(shape), KIND)
    return np.frombuffer(held, KIND).reshape(tuple(shape))


def give_back(array: Array) -> None:
    """Let the system have the memory of an array of `paged`; its numbers stay what they are."""
    base: object = array
    while isinstance(base, np.ndarray):  # views of views, down to what holds the numbers
        base = base.base
    held = base.obj if isinstance(base, memoryview) else base
    if isinstance(held, mmap.mmap):
        held.madvise(mmap.MADV_DONTNEED)
