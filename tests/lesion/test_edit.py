"""Repairs on lists of voxels, against voxels counted by hand on an anisotropic grid."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from tmtv_engine.errors import UsageError
from tmtv_engine.image.volume import Grid, Unit, Volume
from tmtv_engine.lesion.edit import (
    Window,
    around,
    box_around,
    flood,
    highest_near,
    in_spheres,
    nearest,
    united,
)
from tmtv_engine.lesion.lists import Lesions, from_labels

SHAPE, SPACING, ORIGIN = (7, 11, 13), (4.0, 3.0, 2.0), (-12.0, 40.0, -100.0)
GRID = Grid.axial(SHAPE, SPACING, ORIGIN)


def window(array: np.ndarray, low: tuple[int, int, int] = (0, 0, 0)) -> Window:
    suv = Volume(array.astype(np.float32), GRID, Unit.SUV)
    return Window(suv, GRID, np.array(low))


def mm(z: float, y: float, x: float) -> tuple[float, float, float]:
    return (-12.0 + 2 * x, 40.0 + 3 * y, -100.0 + 4 * z)


def taken(
    array: np.ndarray, at: tuple[int, int, int], threshold: float, reach: float = 60.0
) -> set[tuple[int, ...]]:
    found = flood(window(array), mm(*at), threshold, reach)
    return {tuple(map(int, i)) for i in found.index()}


def test_a_point_is_its_nearest_voxel_between_two_the_first() -> None:
    assert nearest(GRID, mm(2, 3, 4)).tolist() == [2, 3, 4]
    assert nearest(GRID, mm(2.49, 3.4, 4.49)).tolist() == [2, 3, 4]
    assert nearest(GRID, mm(2.5, 3.5, 4.51)).tolist() == [2, 3, 5]
    assert nearest(GRID, mm(-0.4, 0, 12.4)).tolist() == [0, 0, 12]
    for outside in (mm(-0.6, 0, 0), mm(0, 0, 12.6), mm(7, 0, 0)):
        with pytest.raises(UsageError, match="outside the PET") as error:
            nearest(GRID, outside)
        assert "-12 … 12, 40 … 70, -100 … -76" in error.value.remedy


def test_a_flood_takes_what_is_strictly_above_and_connected_also_by_a_corner() -> None:
    suv = np.zeros(SHAPE)
    for at in ((2, 4, 5), (2, 4, 6), (3, 5, 7), (3, 5, 8)):  # (3, 5, 7) hangs by a corner
        suv[at] = 3.0
    suv[2, 4, 4] = 2.5  # a tie stays out
    suv[2, 4, 2] = 9.0  # apart
    suv[1, 3, 4] = np.nextafter(np.float32(2.5), np.float32(3))
    expected = {(2, 4, 5), (2, 4, 6), (3, 5, 7), (3, 5, 8), (1, 3, 4)}
    assert taken(suv, (2, 4, 5), 2.5) == expected
    assert taken(suv, (3, 5, 8), 2.5) == expected


def test_a_threshold_of_4_1_is_no_float32() -> None:
    """float32(4.1) is 4.099999904…: not above 4.1."""
    suv = np.full(SHAPE, np.float32(4.1))
    with pytest.raises(UsageError, match=r"SUV 4\.10 at that point is not above 4\.1"):
        flood(window(suv), mm(2, 4, 5), 4.1, 60.0)


def test_reach_is_in_mm_and_includes_its_surface() -> None:
    suv = np.full(SHAPE, 5.0)
    for reach in (1.9, 2.0, 3.0, 3.9, 4.0, 5.0, 12.0):
        expected = {
            (z, y, x)
            for z, y, x in itertools.product(*map(range, SHAPE))
            if (4 * (z - 3)) ** 2 + (3 * (y - 5)) ** 2 + (2 * (x - 6)) ** 2 <= reach**2
        }
        assert taken(suv, (3, 5, 6), 4.0, reach) == expected
    counts = [len(taken(suv, (3, 5, 6), 4.0, reach)) for reach in (1.9, 2.0, 3.0, 3.7, 4.0, 5.0)]
    assert counts == [1, 3, 5, 9, 13, 25]  # by hand: axis by axis, then the diagonals
    assert len(taken(suv, (0, 0, 0), 4.0, 3.0)) == 3  # the image's corner


def test_a_path_out_of_reach_and_back_is_none() -> None:
    suv = np.zeros(SHAPE)
    suv[3, 5, 5], suv[3, 5, 7] = 6.0, 6.0  # a gap of one voxel, round which leads a way
    suv[3, 6:10, 5], suv[3, 9, 6], suv[3, 6:10, 7] = 6.0, 6.0, 6.0
    assert (3, 5, 7) in taken(suv, (3, 5, 5), 4.0, 60.0)
    assert taken(suv, (3, 5, 5), 4.0, 6.0) == {(3, 5, 5), (3, 6, 5), (3, 7, 5)}


def test_what_a_box_gives_is_what_the_image_gives() -> None:
    """SUVpeak too, also at the border: a window is as good as the whole."""
    rng = np.random.default_rng(3)
    suv = rng.uniform(2, 8, SHAPE).astype(np.float32)
    for at in ((0, 0, 0), (3, 5, 6), (6, 10, 12), (1, 9, 2)):
        low, high = box_around(GRID, np.array(at), 6.0)
        z, y, x = (slice(a, b) for a, b in zip(low, high, strict=True))
        affine = GRID.affine.copy()
        affine[:3, 3] = GRID.to_mm(low)
        part = suv[z, y, x]
        box = Window(Volume(part, Grid(part.shape, affine), Unit.SUV), GRID, low)
        whole = flood(window(suv), mm(*at), 0.0, 6.0)
        found = flood(box, mm(*at), 0.0, 6.0)
        assert (found.voxels == whole.voxels).all()
        assert found.suv.tobytes() == whole.suv.tobytes()
        assert found.peak.tobytes() == whole.peak.tobytes()
        assert part[box.inside(nearest(GRID, mm(*at)))] == suv[at]


def test_the_highest_within_10_mm() -> None:
    suv = np.ones(SHAPE)
    suv[3, 5, 1] = 7.0  # 10 mm away
    suv[3, 5, 12], suv[6, 5, 6] = 20.0, 30.0  # 12 mm
    assert highest_near(window(suv), mm(3, 5, 6)) == 7.0
    assert highest_near(window(suv), mm(3, 5, 6.01)) == 1.0


def test_a_neighbour_is_not_entered_nor_passed() -> None:
    suv = np.zeros(SHAPE)
    suv[3, 5, 2:11] = 6.0
    region = flood(window(suv), mm(3, 5, 3), 4.0, 60.0)
    held = np.ravel_multi_index(([3, 3], [5, 5], [6, 7]), SHAPE)
    left = around(region, np.array([3, 5, 3]), held)
    assert left.index()[:, 2].tolist() == [2, 3, 4, 5]
    assert left.suv.tolist() == [6.0] * 4
    assert around(region, np.array([3, 5, 3]), np.array([0])) is region


def lesions() -> Lesions:
    labels = np.zeros(SHAPE, np.uint16)
    labels[3, 5, 2:9], labels[1, 1, 1], labels[5, 2:4, 3] = 4, 2, 7
    suv = Volume(np.arange(np.prod(SHAPE), dtype=np.float32).reshape(SHAPE), GRID, Unit.SUV)
    return from_labels(Volume(labels, GRID, Unit.LABEL), suv)


def test_a_sphere_takes_centres_on_its_surface() -> None:
    found = lesions()
    row = found.row(4)
    assert in_spheres(found, row, [(*mm(3, 5, 4), 4.0)]).tolist() == [True] * 5 + [False] * 2
    assert in_spheres(found, row, [(*mm(3, 5, 4), 3.99)]).tolist() == [
        False, True, True, True, False, False, False,
    ]  # fmt: skip
    assert in_spheres(found, row, [(*mm(3, 6, 2), 3.0)]).tolist() == [True] + [False] * 6
    both = in_spheres(found, row, [(*mm(3, 5, 2), 0.1), (*mm(3, 5, 8), 0.1)])
    assert np.flatnonzero(both).tolist() == [0, 6]


def test_united_keeps_the_lowest_number_its_place_and_every_voxel() -> None:
    found = lesions()
    one = united(found, [7, 4])
    assert one.ids.tolist() == [2, 4]
    own = one.voxels[one.span(one.row(4))]
    assert own.tolist() == sorted([*found.voxels[found.span(1)], *found.voxels[found.span(2)]])
    assert (one.suv[one.span(1)] == own).all()  # values went with their voxels
    assert one.components.tolist() == [2, 4]
    assert united(found, [7, 2]).ids.tolist() == [2, 4]
