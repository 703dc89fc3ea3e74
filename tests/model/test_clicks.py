"""Clicks as an interactive model sees them."""

from __future__ import annotations

import numpy as np
import pytest

from tmtv_engine.errors import UsageError
from tmtv_engine.image.volume import Grid
from tmtv_engine.model.clicks import Clicks, heatmap

GRID = Grid.axial((21, 17, 19), (4.0, 3.0, 2.0), (-10.0, 5.0, 100.0))


def mm(z: float, y: float, x: float) -> tuple[float, float, float]:
    return -10.0 + 2.0 * x, 5.0 + 3.0 * y, 100.0 + 4.0 * z


def bell(size: int, at: int) -> np.ndarray:  # type: ignore[type-arg]
    """Along one axis: exp(-d²/18) as far as twelve voxels, of sum one, mirrored at the edges."""
    far = np.arange(-12, 13)
    weights = np.exp(-(far**2) / 18.0)
    made = np.zeros(size)
    for place, weight in zip(at + far, weights / weights.sum(), strict=True):
        while not 0 <= place < size:
            place = -1 - place if place < 0 else 2 * size - 1 - place
        made[place] += weight
    return made


def test_a_click_is_a_gaussian_of_three_voxels_whatever_their_size() -> None:
    found = heatmap(GRID, (mm(10.4, 3.0, 12.0),))
    expected = np.einsum("i,j,k->ijk", bell(21, 10), bell(17, 3), bell(19, 12))
    assert found.dtype == np.float32
    assert found == pytest.approx(expected, abs=1e-7)
    assert found.sum() == pytest.approx(1.0, abs=1e-5)


def test_clicks_in_one_voxel_are_one_and_others_add_up() -> None:
    once, other = mm(10, 8, 9), mm(4, 4, 4)
    twice = heatmap(GRID, (once, mm(10.2, 8.1, 9.0), other))
    assert twice == pytest.approx(heatmap(GRID, (once,)) + heatmap(GRID, (other,)), abs=1e-7)
    made = Clicks((once,), (other,)).channels(GRID)
    assert list(made) == ["foreground", "background"]
    assert (made["background"] == heatmap(GRID, (other,))).all()
    assert not Clicks((once,)).channels(GRID)["background"].any()


def test_a_click_outside_is_refused() -> None:
    with pytest.raises(UsageError, match="lies outside"):
        Clicks((mm(0, 0, 0),), (mm(0, 0, 19),)).channels(GRID)
