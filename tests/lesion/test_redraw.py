"""Regions redrawn by the four cuts: votes worked out by hand, what is refused, the laws."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tmtv_engine.errors import GeometryError
from tmtv_engine.image.volume import Grid, Unit, Volume
from tmtv_engine.lesion.redraw import redraw

GRID = Grid.axial((7, 11, 13), (2.0, 3.0, 4.0))
# 41 % of 10 is 4.1; Otsu parts 10 and 9 from the rest, its threshold 4.04 (bin 86 of 256)
SUV = (10.0, 9.0, 4.03, 2.55, 1.0)
SHARES = (1.0, 1.0, 0.5)  # all four, all four, 2.5 and 4.0; of the others one cut and none


def rows(*places: tuple[int, int, int], chance: float) -> tuple[np.ndarray, np.ndarray]:
    """Chance and SUV: `SUV` in a row of five voxels at each place, 0.5 everywhere else."""
    array, suv = np.zeros(GRID.shape, np.float32), np.full(GRID.shape, 0.5, np.float32)
    for z, y, x in places:
        array[z, y, x : x + 5] = chance
        suv[z, y, x : x + 5] = SUV
    return array, suv


def drawn_anew(chance: np.ndarray, suv: np.ndarray) -> np.ndarray:
    found = redraw(Volume(chance, GRID, Unit.PROBABILITY), Volume(suv, GRID, Unit.SUV))
    assert found.unit is Unit.PROBABILITY
    assert found.array.dtype == np.float32
    return found.array


def test_votes_of_a_region_worked_out_by_hand() -> None:
    chance, suv = rows((2, 3, 4), chance=0.45)
    chance[2, 3, 6] = 0.51  # sure of one voxel; the mean of the three that are drawn is 0.47
    drawn = drawn_anew(chance, suv)
    assert drawn[2, 3, 4:9] == pytest.approx((0.735, 0.735, 0.6175, 0.45, 0.45))
    assert np.count_nonzero(drawn) == 5


def test_a_region_of_which_the_network_is_nowhere_sure_stays_out() -> None:
    chance, suv = rows((2, 3, 4), (5, 8, 1), chance=0.5)
    assert (drawn_anew(chance, suv) == chance).all()


@pytest.mark.parametrize(("level", "kept"), [(0.41, True), (0.39, False)])
def test_a_region_needs_a_mean_chance_of_two_fifths_where_the_uptake_draws_it(
    level: float, kept: bool
) -> None:
    chance, suv = rows((1, 2, 3), chance=0.9)  # SUV 1: no two cuts keep it, so it does not count
    chance[1, 2, 3:6] = (0.6, *[(3 * level - 0.6) / 2] * 2)
    first = [(1 + level * share) / 2 for share in SHARES]
    expected = first if kept else np.minimum(chance[1, 2, 3:6], 0.5)
    assert drawn_anew(chance, suv)[1, 2, 3:8] == pytest.approx((*expected, 0.5, 0.5))


def test_a_piece_of_which_the_network_is_nowhere_sure_is_not_drawn() -> None:
    chance, suv = rows((1, 2, 0), chance=0.45)
    chance[1, 2, 5:10], suv[1, 2, 5:10] = 0.45, SUV  # one region, two hot ends, cool between
    chance[1, 2, 0] = 0.6
    drawn = drawn_anew(chance, suv)
    assert (drawn[1, 2, :3] > 0.5).all()
    assert (drawn[1, 2, 3:10] == np.float32(0.45)).all()


def test_regions_are_cut_each_by_its_own_maximum() -> None:
    chance, suv = rows((1, 2, 0), (5, 8, 7), chance=0.8)
    suv[5, 8, 7:12] = (20.0, 18.0, 6.0, 2.45, 1.0)  # 6 is above 4.1 but not above 8.2
    drawn = drawn_anew(chance, suv)
    assert drawn[1, 2, 0:5] == pytest.approx((0.9, 0.9, 0.7, 0.5, 0.5))
    assert drawn[5, 8, [7, 8, 10, 11]] == pytest.approx((0.9, 0.9, 0.5, 0.5))
    assert drawn[5, 8, 9] < 0.9


def test_nothing_found_stays_nothing() -> None:
    assert not drawn_anew(*rows(chance=0.0)).any()


def test_units_are_not_mistaken() -> None:
    chance, suv = rows(chance=0.0)
    with pytest.raises(GeometryError):
        redraw(Volume(suv, GRID, Unit.SUV), Volume(chance, GRID, Unit.PROBABILITY))


@given(st.integers(0, 2**32 - 1))
def test_only_what_the_network_hints_at_is_ever_accepted(seed: int) -> None:
    r = np.random.default_rng(seed)
    suv = r.gamma(0.8, 3, GRID.shape).astype(np.float32)
    chance = (r.random(GRID.shape) ** 3).astype(np.float32)
    before = chance.copy()
    drawn = drawn_anew(chance, suv)
    assert (chance == before).all()
    assert ((drawn >= 0) & (drawn <= 1)).all()
    assert (chance[drawn > 0.5] > 0.2).all()
