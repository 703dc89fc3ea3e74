"""Places in words, on a body of cylinders that is turned and scanned in every way."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest

from tmtv_engine.image.volume import Grid, Unit, Volume
from tmtv_engine.lesion.lists import Lesions, from_labels
from tmtv_engine.lesion.regions import Landmarks, landmarks, levels, regions

SPACING = (6.0, 4.0, 5.0)
SHAPE = (200, 90, 110)
# heights above the table's foot end: legs to 300, trunk to 900, neck to 1000, head to 1180
CROTCH, SHOULDERS, CHIN, VERTEX = 300.0, 900.0, 1000.0, 1180.0


@cache
def body(*, low: float = 0.0, arms: bool = False) -> Volume:
    """SUV 1 in legs, trunk, neck and head; the scan begins ``low`` mm above the feet's end."""
    grid = Grid.axial(SHAPE, SPACING, (-270.0, -175.0, low))
    z, y, x = (grid.to_mm(np.indices(SHAPE).transpose(1, 2, 3, 0))[..., k] for k in (2, 1, 0))
    round_at = [np.hypot(x - side * 100, y) < 75 for side in (-1, 1)]
    inside = (z < CROTCH) & (round_at[0] | round_at[1])
    inside |= (z >= CROTCH) & (z < SHOULDERS) & (np.hypot(x / 170, y / 110) < 1)
    inside |= (z >= SHOULDERS) & (z < CHIN) & (np.hypot(x, y) < 55)
    inside |= (z >= CHIN) & (z < VERTEX) & (np.hypot(x, y) < 85)
    if arms:
        inside |= (z > 350) & (z < 880) & (np.hypot(np.abs(x) - 225, y) < 30)
    return Volume(inside.astype(np.float32), grid, Unit.SUV)


def spots(suv: Volume, *places: tuple[float, float, float]) -> Lesions:
    """A lesion of one voxel at each place (x, y, z mm)."""
    labels = np.zeros(suv.grid.shape, np.uint16)
    for number, place in enumerate(places, start=1):
        labels[tuple(np.rint(suv.grid.to_index(np.array(place))).astype(int))] = number
    return from_labels(suv.with_array(labels, Unit.LABEL), suv)


PLACES = {
    (0.0, 0.0, 1100.0): "head, midline",
    (30.0, 0.0, 960.0): "left neck",
    (-30.0, 10.0, 960.0): "right neck",
    (10.0, 0.0, 800.0): "mediastinum",
    (-120.0, 0.0, 780.0): "right chest",
    (100.0, -20.0, 560.0): "left abdomen",
    (0.0, 60.0, 560.0): "abdomen, midline",
    (-5.0, 0.0, 420.0): "pelvis, midline",
    (90.0, -40.0, 350.0): "left groin",
    (90.0, 60.0, 350.0): "left pelvis",
    (-100.0, 0.0, 150.0): "right leg",
    (0.0, 0.0, 1300.0): None,  # outside
}


def turned(suv: Volume, axes: tuple[int, ...]) -> Volume:
    """The same scan with some of its array's axes running the other way."""
    affine = suv.grid.affine.copy()
    for axis in axes:
        affine[:3, 3] += affine[:3, axis] * (suv.grid.shape[axis] - 1)
        affine[:3, axis] *= -1
    grid = Grid(suv.grid.shape, affine, suv.grid.frame_uid)
    return Volume(np.ascontiguousarray(np.flip(suv.array, axes)), grid, Unit.SUV)


@pytest.mark.parametrize("axes", [(), (0,), (2,), (0, 1, 2)])
def test_every_region_is_named_however_the_array_runs(axes: tuple[int, ...]) -> None:
    suv = turned(body(), axes)
    found = regions(suv, spots(suv, *(p for p in PLACES if p[2] < 1190)))
    assert found == tuple(name for p, name in PLACES.items() if p[2] < 1190)


def test_the_landmarks_are_found_where_they_are() -> None:
    found = landmarks(levels(body()))  # type: ignore[arg-type]
    assert found.shoulders_mm == pytest.approx(SHOULDERS, abs=8)
    assert found.crotch_mm == pytest.approx(CROTCH, abs=8)


def test_arms_beside_the_trunk_are_arms_and_no_legs() -> None:
    suv = body(arms=True)
    assert regions(suv, spots(suv, (-225.0, 0.0, 600.0), (225.0, 0.0, 800.0))) == (
        "right arm",
        "left arm",
    )
    assert landmarks(levels(suv)).crotch_mm == pytest.approx(CROTCH, abs=8)  # type: ignore[arg-type]


def test_without_legs_in_the_scan_borders_are_left_open() -> None:
    suv = body(low=400.0)
    marks = landmarks(levels(suv))  # type: ignore[arg-type]
    assert marks.crotch_mm is None
    found = regions(suv, spots(suv, (10.0, 0.0, 800.0), (100.0, 0.0, 560.0), (100.0, 0.0, 480.0)))
    assert found == ("mediastinum", "left abdomen", None)  # the last 0.70 of 600 mm below


def test_near_a_border_both_sides_are_named() -> None:
    suv = body()
    for share, name in ((0.39, "left chest"), (0.43, "left chest or abdomen")):
        place = (120.0, 0.0, SHOULDERS - share * (SHOULDERS - CROTCH))
        assert regions(suv, spots(suv, place)) == (name,)


@pytest.mark.parametrize(
    ("marks", "z_mm", "level"),
    [
        ((900.0, 300.0), 1033.0, "head"),
        ((900.0, 300.0), 1031.0, "neck"),
        ((900.0, 300.0), 899.0, "chest"),
        ((900.0, 300.0), 480.0, "abdomen or pelvis"),
        ((900.0, 300.0), 301.0, "pelvis"),
        ((900.0, 300.0), 299.0, "legs"),
        ((900.0, None), 900.0, "chest"),
        ((900.0, None), 650.0, None),  # 0.42: chest or abdomen, of an unknown length
        ((900.0, None), 560.0, "abdomen"),
        ((900.0, None), 330.0, None),  # pelvis or legs
        ((None, 300.0), 330.0, "pelvis"),
        ((None, 300.0), 100.0, "legs"),
        ((None, 300.0), 880.0, None),  # chest or neck
        ((None, None), 500.0, None),
    ],
)
def test_levels_between_the_landmarks(
    marks: tuple[float | None, float | None], z_mm: float, level: str | None
) -> None:
    assert Landmarks(*marks).level(z_mm) == level


def test_nothing_is_said_of_what_is_no_body() -> None:
    grid = Grid.axial(SHAPE, SPACING)
    for array in (np.zeros(SHAPE), np.ones(SHAPE)):
        suv = Volume(array.astype(np.float32), grid, Unit.SUV)
        assert regions(suv, spots(suv, (100.0, 100.0, 600.0))) == (None,)
    array = np.zeros(SHAPE, np.float32)
    array[:, 30:60, 30:80] = 1  # a trunk without end
    tube = Volume(array, body().grid, Unit.SUV)
    assert regions(tube, spots(tube, (0.0, 0.0, 600.0))) == (None,)
    assert regions(tube, spots(tube)) == ()


def test_slices_that_are_not_axial_are_left_alone() -> None:
    suv = body()
    coronal = Grid(suv.grid.shape, suv.grid.affine[:, [1, 0, 2, 3]])
    assert levels(Volume(suv.array, coronal, Unit.SUV)) is None
