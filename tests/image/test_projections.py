"""Projections keep every maximum, in its place, at every angle."""

from __future__ import annotations

import numpy as np
import pytest

from tests.support.cases import make_lesions, make_volume
from tmtv_engine.image.projections import project, project_points
from tmtv_engine.image.volume import Grid, Unit, Volume
from tmtv_engine.lesion.slices import slices_of


def _spot(index: tuple[int, int, int], grid: Grid) -> Volume:
    array = np.zeros(grid.shape, np.float32)
    array[index] = 10.0
    return Volume(array, grid, Unit.SUV)


@pytest.mark.parametrize("spacing", [(2.0, 3.0, 4.0), (5.0, 4.0, 4.0), (1.5, 1.5, 1.5)])
def test_a_spot_lies_where_its_position_says(spacing: tuple[float, float, float]) -> None:
    grid = Grid.axial((7, 11, 13), spacing, (-30.0, 15.0, 200.0))
    index = (5, 2, 9)
    mip = project(_spot(index, grid), angles=8)
    for angle in range(8):
        row, col = project_points(grid.affine, index, angle, mip)
        rows, cols = np.nonzero(mip.images[angle])
        assert abs(rows - row).max() <= 1
        assert abs(cols - col).max() <= 1
        assert mip.suv(angle).max() == pytest.approx(10.0, abs=25 / 255)


def test_the_head_is_up_and_the_left_is_right() -> None:
    grid = Grid.axial((7, 11, 13), (4.0, 4.0, 4.0))
    mip = project(_spot((6, 5, 12), grid), angles=4)  # highest z, largest x: the patient's left
    assert np.argwhere(mip.images[0])[0][0] == 0
    assert np.argwhere(mip.images[0])[0][1] > mip.images.shape[2] // 2
    back = project(_spot((0, 10, 6), grid), angles=4)  # lowest z, largest y: the back
    assert np.argwhere(back.images[1])[0][0] == back.images.shape[1] - 1
    assert np.argwhere(back.images[1])[0][1] > back.images.shape[2] // 2


@pytest.mark.parametrize("wide", [13, 16])
def test_the_front_view_is_the_maximum_along_y(wide: int) -> None:
    rng = np.random.default_rng(3)
    array = rng.uniform(0.5, 20, (7, 11, wide)).astype(np.float32)
    mip = project(Volume(array, Grid.axial(array.shape, (4.0, 4.0, 4.0)), Unit.SUV), angles=4)
    plain = array.max(axis=1)[::-1]
    columns = np.flatnonzero(mip.images[0].any(axis=0))
    assert len(columns) == wide == np.ptp(columns) + 1
    np.testing.assert_allclose(mip.suv(0)[:, columns], plain, atol=25 / 255)


def test_a_flipped_grid_projects_the_same() -> None:
    suv, _ = make_volume()
    z, y, x = suv.grid.shape
    affine = suv.grid.affine.copy()
    affine[:3, 3] = suv.grid.to_mm((z - 1, 0, 0))
    affine[:3, 0] *= -1
    turned = Volume(suv.array[::-1].copy(), Grid((z, y, x), affine), Unit.SUV)
    one, two = project(suv, 6), project(turned, 6)
    assert (one.images != two.images).mean() < 0.02  # the blocks may start elsewhere
    assert one.v0_mm == two.v0_mm


def test_each_lesion_has_the_slice_of_its_maximum() -> None:
    suv, _ = make_volume()
    lesions = make_lesions()
    slices = slices_of(suv, lesions)
    assert slices.z_index[slices.slice_of].tolist() == [5, 13, 17]
    none = slices_of(suv, lesions.take([]))
    assert none.slices.shape == (0, *suv.grid.shape[1:])
