"""Leaving a sliding window that nobody waits for any more.

What nnunetv2 has begun it ends in its own way, so that no thread of it is left behind: windows
not run yet are answered with noughts, which cost nothing, and the whole is then given up.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor

from tmtv_engine.errors import UsageError

Stop = Callable[[], bool]


class _Left(Exception):
    """Out of the middle of a network."""


@contextmanager
def stoppable(own: Any, stop: Stop | None) -> Iterator[None]:
    """Let nnunetv2's predictor ``own`` be left, from before any layer, once ``stop()`` holds.

    Raises `UsageError` at the end of the block where it was.
    """
    if stop is None:
        yield
        return
    left = False

    def look(*_: object) -> None:
        nonlocal left
        left = left or stop()
        if left:
            raise _Left

    whole = own._internal_maybe_mirror_and_predict
    heads = own.label_manager.num_segmentation_heads

    def one(window: Tensor) -> Tensor:
        try:
            look()
            found: Tensor = whole(window)
        except _Left:
            return torch.zeros((1, heads, *window.shape[2:]), device=window.device)
        return found

    hooks = [part.register_forward_pre_hook(look) for part in own.network.modules()]
    own._internal_maybe_mirror_and_predict = one
    try:
        yield
    finally:
        del own._internal_maybe_mirror_and_predict
        for hook in hooks:
            hook.remove()
    if left:
        raise UsageError("the model was not waited for", "Ask it again.")
