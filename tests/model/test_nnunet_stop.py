"""A network that nobody waits for: left before its next layer, and whole again afterwards."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import nn

from tmtv_engine.errors import UsageError
from tmtv_engine.model.nnunet_stop import stoppable


class Window:
    """As nnunetv2's predictor does it: windows in order, their answers added up."""

    def __init__(self, layers: int) -> None:
        torch.manual_seed(0)
        self.ran: list[int] = []
        self.network = nn.Sequential(*[Counted(self.ran, k) for k in range(layers)])
        self.label_manager = SimpleNamespace(num_segmentation_heads=2)

    def _internal_maybe_mirror_and_predict(self, x: Any) -> Any:
        return self.network(x) + self.network(x.flip(2)).flip(2)

    def predict(self, windows: list[Any]) -> list[Any]:
        return [self._internal_maybe_mirror_and_predict(x) for x in windows]


class Counted(nn.Module):
    def __init__(self, ran: list[int], number: int) -> None:
        super().__init__()
        self.ran, self.number, self.conv = ran, number, nn.Conv3d(2, 2, 3, padding=1)

    def forward(self, x: Any) -> Any:
        self.ran.append(self.number)
        return self.conv(x)


def equal(some: list[Any], others: list[Any]) -> bool:
    return all(torch.equal(a, b) for a, b in zip(some, others, strict=True))


WINDOWS = [torch.rand(1, 2, 4, 5, 6) for _ in range(3)]


def test_what_is_waited_for_is_the_same_to_the_bit() -> None:
    own = Window(3)
    with torch.inference_mode():
        plain = own.predict(WINDOWS)
        with stoppable(own, lambda: False):
            asked = own.predict(WINDOWS)
        with stoppable(own, None):
            unasked = own.predict(WINDOWS)
    assert equal(plain, asked)
    assert equal(plain, unasked)


@pytest.mark.parametrize("layers", range(8))
def test_it_is_left_before_the_next_layer_and_is_whole_again(layers: int) -> None:
    own = Window(3)
    before = own.predict(WINDOWS)
    own.ran.clear()

    def stop() -> bool:
        return len(own.ran) >= layers

    found: list[Any] = []
    with pytest.raises(UsageError, match="not waited for"), stoppable(own, stop):
        found += own.predict(WINDOWS)  # nnunetv2's loop goes to its end: no thread of it waits
    assert [f.shape for f in found] == [(1, 2, 4, 5, 6)] * 3
    assert len(own.ran) == layers
    assert "_internal_maybe_mirror_and_predict" not in vars(own)
    assert not any(m._forward_pre_hooks for m in own.network.modules())
    assert equal(before, own.predict(WINDOWS))


def test_another_error_is_told_as_it_is() -> None:
    own = Window(1)
    with pytest.raises(RuntimeError, match="size"), stoppable(own, lambda: False):
        own.predict([torch.rand(1, 3, 4, 5, 6)])
    assert "_internal_maybe_mirror_and_predict" not in vars(own)
