"""The one cursor: voxels and millimetres of grids whose axes differ, borders, distances."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.support.cases import copied_case, make_lesions
from tests.support.drive import opened, running
from tmtv_engine.image.volume import Grid
from tmtv_tui.review.cursor import Cursor

GRID = Grid.axial((7, 11, 13), (4.0, 3.0, 2.0), (-10.0, 20.0, -300.0))


def test_a_voxel_lies_where_the_grid_says() -> None:
    assert Cursor(GRID, (5, 2, 9)).mm == (-10 + 9 * 2, 20 + 2 * 3, -300 + 5 * 4)
    turned = np.array([[0, -3, 0, 5], [2, 0, 0, 6], [0, 0, -4, 7], [0, 0, 0, 1.0]])
    assert Cursor(Grid((7, 11, 13), turned), (5, 2, 9)).mm == (5 - 2 * 3, 6 + 5 * 2, 7 - 9 * 4)


def test_steps_end_at_the_border() -> None:
    at = Cursor(GRID, (5, 2, 9), 3)
    assert at.step(0, 1).index == (6, 2, 9)
    assert at.step(0, 10).index == (6, 2, 9)
    assert at.step(1, -10).index == (5, 0, 9)
    assert at.step(2, 3).index == (5, 2, 12)
    assert at.step(2, 1).lesion is None
    assert Cursor(GRID, (-1, 99, 13)).index == (0, 10, 12)


def test_distances_are_in_millimetres() -> None:
    one, two = Cursor(GRID, (1, 2, 3)), Cursor(GRID, (4, 6, 3))
    assert one.far_mm(two) == two.far_mm(one) == pytest.approx((12**2 + 12**2) ** 0.5)
    assert one.far_mm(one) == 0.0


def test_a_lesion_s_maximum() -> None:
    lesions = make_lesions()
    assert Cursor.on_peak(lesions, 3).index == (17, 8, 30)
    assert Cursor.on_peak(lesions, 3).mm == (-40 + 30 * 2, -60 + 8 * 3, 100 + 17 * 4)
    with pytest.raises(KeyError):
        Cursor.on_peak(lesions, 4)


async def test_the_cursor_follows_the_table(tmp_path: Path) -> None:
    copied_case(tmp_path)
    async with running(tmp_path) as (app, pilot):
        screen = await opened(app, pilot)
        assert screen.cursor is not None
        assert (screen.cursor.index, screen.cursor.lesion) == ((5, 9, 9), 1)
        await pilot.press("j")
        assert (screen.cursor.index, screen.cursor.lesion) == ((13, 20, 25), 2)
