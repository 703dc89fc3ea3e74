"""Resampling, the model's grid on the body, windows."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.ndimage import affine_transform

from tmtv_engine.image.resample import model_grid, ramp, resample, windows
from tmtv_engine.image.volume import Array, Grid, Unit, Volume

GRID = Grid.axial((7, 11, 13), (2.0, 3.0, 4.0), (-20.0, 5.0, 100.0))


def _suv(array: Array, grid: Grid) -> Volume:
    return Volume(array.astype(np.float32), grid, Unit.SUV)


def _plane(grid: Grid) -> Volume:
    """2 x − 3 y + 0.5 z + 7 at every voxel centre: linear interpolation is exact on it."""
    index = np.moveaxis(np.indices(grid.shape), 0, -1)
    return _suv(grid.to_mm(index) @ [2.0, -3.0, 0.5] + 7.0, grid)


def test_the_same_grid_gives_the_same_numbers() -> None:
    volume = _suv(np.random.default_rng(0).normal(size=GRID.shape), GRID)
    assert np.array_equal(resample(volume, GRID).array, volume.array)


def test_linear_interpolation_is_exact_on_a_plane() -> None:
    to = Grid.axial((4, 5, 6), (2.5, 4.5, 5.0), (-15.0, 9.0, 101.0))
    assert resample(_plane(GRID), to).array == pytest.approx(_plane(to).array, abs=1e-3)


def test_permuted_and_flipped_axes_keep_their_place() -> None:
    turned = np.array([[0, -4.0, 0, 28], [3.0, 0, 0, 5], [0, 0, -2.0, 112], [0, 0, 0, 1]])
    grid = Grid((11, 13, 7), turned)
    assert resample(_plane(grid), GRID).array == pytest.approx(_plane(GRID).array, abs=1e-3)


def test_outside_is_what_was_asked() -> None:
    to = Grid.axial((1, 1, 2), (2.0, 3.0, 4.0), (-20.0, 5.0, 300.0))
    assert resample(_plane(GRID), to, outside=-1000.0).array.tolist() == [[[-1000.0, -1000.0]]]


@pytest.mark.parametrize("outside", [0.0, -1000.0])
@pytest.mark.parametrize(
    ("shape", "spacing", "origin"),
    [
        ((9, 14, 10), (1.7, 2.3, 3.1), (-21.0, 3.0, 98.0)),  # reaches beyond it on every side
        ((3, 2, 30), (5.0, 30.0, 1.0), (-18.0, 7.0, 101.0)),
        ((1, 1, 1), (2.0, 3.0, 4.0), (-21.9, 5.0, 100.0)),
    ],
)
def test_parallel_axes_are_interpolated_as_scipy_does(
    shape: tuple[int, int, int],
    spacing: tuple[float, float, float],
    origin: tuple[float, float, float],
    outside: float,
) -> None:
    volume = _suv(np.random.default_rng(1).normal(size=GRID.shape) * 100, GRID)
    to = Grid.axial(shape, spacing, origin)
    step = np.linalg.inv(GRID.affine) @ to.affine
    expected = affine_transform(
        volume.array,
        step[:3, :3],
        step[:3, 3],
        shape,
        order=1,
        cval=outside,
        mode="grid-constant",
    )
    found = resample(volume, to, outside=outside).array
    assert found.dtype == np.float32
    assert found == pytest.approx(expected, rel=1e-6, abs=1e-4)


def _body(shape: tuple[int, int, int], spacing: tuple[float, float, float]) -> Volume:
    """A box of SUV 1, 200 mm wide and 120 deep, off the middle of the field of view."""
    grid = Grid.axial(shape, spacing, (-350.0, -340.0, 40.0))
    mm = grid.to_mm(np.moveaxis(np.indices(shape), 0, -1))
    inside = (abs(mm[..., 0] - 60) < 100) & (abs(mm[..., 1] + 30) < 60)
    return _suv(inside, grid)


def test_the_model_grid_hangs_from_the_head_and_centres_on_the_body() -> None:
    suv = _body((100, 140, 140), (5.0, 5.0, 5.0))
    grid = model_grid(suv, 8.0, (128, 64, 64))
    assert grid.shape == (128, 64, 64)
    assert grid.spacing_mm == (8.0, 8.0, 8.0)
    top = suv.grid.to_mm([99, 0, 0])[2] + 2.5
    assert grid.to_mm([127, 0, 0])[2] + 4.0 == pytest.approx(top)
    middle = grid.to_mm([63.5, 31.5, 31.5])
    assert middle[:2] == pytest.approx([60.0, -30.0], abs=8.0)


def test_a_long_image_gets_a_longer_grid() -> None:
    grid = model_grid(_body((400, 70, 70), (4.0, 10.0, 10.0)), 8.0, (128, 64, 64))
    assert grid.shape == (208, 64, 64)  # 1600 mm are 200 voxels, in steps of 16


def test_an_empty_image_is_taken_whole() -> None:
    empty = _suv(np.zeros((10, 80, 80)), Grid.axial((10, 80, 80), (5.0, 8.0, 8.0)))
    assert model_grid(empty, 8.0, (128, 64, 64)).shape == (128, 80, 80)


@settings(max_examples=40, deadline=None)
@given(
    st.tuples(*[st.integers(1, 40)] * 3),
    st.tuples(*[st.integers(1, 24)] * 3),
)
def test_windows_cover_every_voxel(
    shape: tuple[int, int, int], window: tuple[int, int, int]
) -> None:
    seen = np.zeros(shape, int)
    for box in windows(shape, window):
        seen[box] += 1
        got = tuple(side.stop - side.start for side in box)
        assert got == tuple(min(a, b) for a, b in zip(shape, window, strict=True))
    assert seen.min() >= 1


def test_neighbouring_windows_share_a_quarter() -> None:
    starts = sorted({box[0].start for box in windows((256, 8, 8), (128, 8, 8))})
    assert max(np.diff(starts)) <= 96
    assert starts[-1] == 128


def test_a_window_counts_most_in_its_middle() -> None:
    weights = ramp((4, 3, 2))
    assert weights.shape == (4, 3, 2)
    assert weights[0, 0, 0] == pytest.approx(1 / 4 * 1 / 3 * 1 / 2)
    assert weights.max() == weights[1, 1, 0] == weights[2, 1, 1]
