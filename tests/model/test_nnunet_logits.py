"""Logits in slabs: the same as skimage's resize of the whole, which nnunetv2 calls."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.ndimage import map_coordinates
from scipy.special import softmax
from skimage.transform import resize

from tmtv_engine.image.volume import Array
from tmtv_engine.model import nnunet_logits
from tmtv_engine.model.nnunet_folder import Heads
from tmtv_engine.model.nnunet_logits import Answer, Shape, Whole, Zoom, answer


def _logits(heads: int, shape: Shape, seed: int = 0) -> Array:
    drawn = np.random.default_rng(seed).normal(0, 5, (heads, *shape))
    return drawn.astype(np.float16)


def _all(zoom: Zoom | Whole, logits: Array) -> Array:
    return np.concatenate([slab for _, slab in zoom.slabs(logits)], axis=1)


def _resized(head: Array, shape: tuple[int, ...]) -> Array:
    made = resize(head.astype(float), shape, 1, mode="edge", anti_aliasing=False)
    return np.asarray(made)


@pytest.mark.parametrize("shape", [(7, 11, 13), (20, 23, 29), (3, 40, 5), (7, 22, 13), (1, 1, 1)])
@pytest.mark.parametrize("values", [1, 2000, 2**24])
def test_slabs_are_the_whole(shape: Shape, values: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(nnunet_logits, "SLAB_VALUES", values)
    logits = _logits(3, (7, 11, 13))
    expected = np.stack([_resized(h, shape).astype(np.float16) for h in logits])
    found = _all(Zoom(shape), logits)
    assert found.dtype == np.float16
    assert np.array_equal(found, expected)


@pytest.mark.parametrize("axis", [0, 1, 2])
@pytest.mark.parametrize("shape", [(20, 23, 29), (5, 7, 4), (14, 22, 26), (7, 11, 13)])
def test_thick_slices_are_taken_as_they_are(
    axis: int, shape: Shape, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(nnunet_logits, "SLAB_VALUES", 1500)
    logits = _logits(2, (7, 11, 13))
    expected = np.empty((2, *shape), np.float16)
    for k, head in enumerate(logits):  # a plane at a time, then the nearest plane
        flat = [n for j, n in enumerate(shape) if j != axis]
        planes = [_resized(p, tuple(flat)) for p in np.moveaxis(head, axis, 0)]
        part = np.moveaxis(np.stack(planes), 0, axis)
        scale = [a / b for a, b in zip(part.shape, shape, strict=True)]
        at = [
            s * (i + 0.5) - 0.5
            for s, i in zip(scale, np.mgrid[[slice(n) for n in shape]], strict=True)
        ]
        expected[k] = map_coordinates(part, at, order=0, mode="nearest")
    assert np.array_equal(_all(Zoom(shape, axis), logits), expected)


def test_another_resampling_is_called_head_by_head() -> None:
    logits = _logits(3, (2, 3, 4))
    seen: list[Any] = []

    def doubled(head: Array) -> Array:
        seen.append(head.shape)
        return head.repeat(2, axis=1)

    assert np.array_equal(_all(Whole(doubled), logits), logits.repeat(2, axis=1))
    assert seen == [(1, 2, 3, 4)] * 3


def test_two_outputs_make_a_softmax() -> None:
    logits = _logits(2, (3, 4, 5))
    found = answer(logits, Zoom((3, 4, 5)), (3, 4, 5), Heads(1, {}, False, 2))
    expected = softmax(logits.astype(np.float64), axis=0)[1]
    assert found.tumour == pytest.approx(expected, abs=1e-6)
    assert found.heads is None


@settings(deadline=None, max_examples=60)
@given(
    values=st.lists(
        st.sampled_from([0.0, 6e-8, -6e-8, 1.0, 1.001, -3.5, 60000.0, -60000.0]),
        min_size=4,
        max_size=4,
    ),
    tumour=st.integers(0, 3),
)
def test_above_one_half_is_where_the_label_map_has_it(values: list[float], tumour: int) -> None:
    logits = np.array(values, np.float16).reshape(4, 1, 1, 1)
    found = answer(logits, Zoom((1, 1, 1)), (1, 1, 1), Heads(tumour, {}, False, 4))
    assert (found.tumour[0, 0, 0] > 0.5) == (logits.argmax(0)[0, 0, 0] == tumour)
    assert 0 <= found.tumour[0, 0, 0] <= 1


def test_regions_are_probabilities_of_their_own() -> None:
    logits = _logits(2, (3, 4, 5))
    found = answer(logits, Zoom((3, 4, 5)), (3, 4, 5), Heads(0, {}, True, 2))
    assert found.tumour == pytest.approx(1 / (1 + np.exp(-logits[0].astype(float))), abs=1e-6)


def test_every_so_many_voxels_tell_all_outputs(monkeypatch: pytest.MonkeyPatch) -> None:
    logits = _logits(4, (7, 11, 13))
    monkeypatch.setattr(nnunet_logits, "SLAB_VALUES", 4 * 22 * 13 * 3)
    shape, step = (14, 22, 13), (4, 3, 2)
    made: Answer = answer(logits, Zoom(shape), shape, Heads(3, {}, False, 4), step)
    whole = np.stack([_resized(h, shape).astype(np.float16) for h in logits])
    expected = softmax(whole.astype(np.float64), axis=0)[:, ::4, ::3, ::2]
    assert made.heads is not None
    assert made.heads == pytest.approx(expected, abs=1e-6)
