"""Polygons along voxel edges give their mask back, by our filling and by another's."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from tmtv_engine.dicom.rtstruct import inside
from tmtv_engine.export.contours import trace

MASKS = arrays(bool, st.tuples(st.integers(1, 13), st.integers(1, 17)))


@settings(max_examples=150, deadline=None)
@given(MASKS)
def test_filling_gives_the_mask_back(mask: npt.NDArray[np.bool_]) -> None:
    assert np.array_equal(inside(trace(mask), mask.shape), mask)


@settings(max_examples=60, deadline=None)
@given(MASKS)
def test_matplotlib_fills_the_same(mask: npt.NDArray[np.bool_]) -> None:
    path = pytest.importorskip("matplotlib.path")
    centres = np.argwhere(np.ones(mask.shape, bool))
    crossings = np.zeros(mask.shape, int)
    for polygon in trace(mask):
        closed = path.Path(np.vstack([polygon, polygon[:1]]))
        crossings += closed.contains_points(centres).reshape(mask.shape)
    assert np.array_equal(crossings % 2 == 1, mask)


@settings(max_examples=60, deadline=None)
@given(MASKS)
def test_the_area_by_the_shoelace_is_the_number_of_pixels(mask: npt.NDArray[np.bool_]) -> None:
    area = 0.0
    for polygon in trace(mask):
        y, x = polygon.T
        area += 0.5 * float(np.dot(x, np.roll(y, -1)) - np.dot(y, np.roll(x, -1)))
    assert area == pytest.approx(mask.sum())


def test_a_ring_is_two_polygons_and_a_diagonal_two() -> None:
    ring = np.ones((3, 3), bool)
    ring[1, 1] = False
    assert sorted(len(p) for p in trace(ring)) == [4, 4]
    assert len(trace(np.eye(2, dtype=bool))) == 2
    (square,) = trace(np.ones((1, 1), bool))
    assert square.tolist() == [[-0.5, -0.5], [-0.5, 0.5], [0.5, 0.5], [0.5, -0.5]]


def test_nothing_has_no_polygon() -> None:
    assert trace(np.zeros((4, 3), bool)) == []
