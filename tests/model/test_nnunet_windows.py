"""Only the windows around a click: where it is looked at, the answer is the whole body's."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tmtv_engine.model.nnunet_windows import Slicer, part_of

Shape = tuple[int, int, int]


def laid(patch: Sequence[int], size: Sequence[int]) -> list[Slicer]:
    """Windows evenly spread, at most half a window apart; plane by plane for two axes."""
    planes: list[list[slice | int]] = [list(range(size[0]))] if len(patch) == 2 else []
    steps: list[list[slice | int]] = []
    for n, wide in zip(size[len(planes) :], patch, strict=True):
        count = 1 + int(np.ceil((n - wide) / (wide / 2)))
        starts = np.linspace(0, n - wide, count).round().astype(int)
        steps.append([slice(int(a), int(a) + wide) for a in starts])
    return [(slice(None), *s) for s in itertools.product(*planes, *steps)]


def blended(image: np.ndarray, slicers: Sequence[Slicer]) -> np.ndarray:  # type: ignore[type-arg]
    """What a network would answer that looks at the whole window, in half precision."""
    total, count = np.zeros(image.shape[1:], np.float16), np.zeros(image.shape[1:], np.float16)
    for s in slicers:
        window = image[s]
        ramp = np.linspace(0.1, 1, window.size).reshape(window.shape)[0]
        total[s[1:]] += ((window[0] + window.mean()) * ramp).astype(np.float16)
        count[s[1:]] += ramp.astype(np.float16)
    return total / count


@pytest.mark.parametrize("patch", [(8, 6, 4), (6, 4)])
@given(
    shape=st.tuples(st.integers(1, 30), st.integers(4, 25), st.integers(2, 23)),
    ends=st.lists(st.tuples(st.floats(0, 1), st.floats(0, 1)), min_size=3, max_size=3),
)
def test_the_box_gets_to_the_bit_what_it_gets_of_all_windows(
    patch: tuple[int, ...], shape: Shape, ends: list[tuple[float, float]]
) -> None:
    low = np.array([int(min(e) * (n - 1)) for e, n in zip(ends, shape, strict=True)])
    high = np.array([int(max(e) * (n - 1)) + 1 for e, n in zip(ends, shape, strict=True)])
    part = part_of(lambda size: laid(patch, size), patch, shape, low, high)
    wide = [1] * (3 - len(patch)) + list(patch)
    short = [max(0, w - n) for w, n in zip(wide, shape, strict=True)]
    pads = [(0, 0), *((n // 2, n - n // 2) for n in short)]
    image = np.random.default_rng(0).normal(size=(1, *shape))
    whole = np.pad(image, pads)
    all_of_it = blended(whole, laid(patch, whole.shape[1:]))
    cut = np.pad(image[(slice(None), *part.box)], pads)
    some = blended(cut, part.slicers)
    inner = tuple(slice(a, n - b) for (a, b), n in zip(pads[1:], all_of_it.shape, strict=True))
    expected = all_of_it[inner][tuple(slice(a, b) for a, b in zip(low, high, strict=True))]
    inner = tuple(slice(a, n - b) for (a, b), n in zip(pads[1:], some.shape, strict=True))
    starts = [s.start for s in part.box]
    assert all(s.start <= a < b <= s.stop for s, a, b in zip(part.box, low, high, strict=True))
    there = tuple(slice(a - s, b - s) for s, a, b in zip(starts, low, high, strict=True))
    assert expected.tobytes() == some[inner][there].tobytes()


def test_windows_that_do_not_touch_it_are_not_run() -> None:
    def slicers(size: Sequence[int]) -> list[Slicer]:
        return laid((8, 8, 8), size)

    low, high = np.array([0, 20, 38]), np.array([4, 21, 40])
    part = part_of(slicers, (8, 8, 8), (8, 40, 40), low, high)
    assert len(slicers((8, 40, 40))) == 81
    assert len(part.slicers) == 2  # 16…24 and 20…28 across, the last one along
    assert part.box == (slice(0, 8), slice(16, 28), slice(32, 40))
    assert part.slicers[1] == (slice(None), slice(0, 8), slice(4, 12), slice(0, 8))
