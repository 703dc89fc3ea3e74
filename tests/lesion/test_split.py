"""Seeds and floods at their edges: plateaus, ties, the sides of a box. Expected by hand."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest

from tmtv_engine.image.volume import Array, Grid, Unit, Volume
from tmtv_engine.lesion.find import components, find_lesions, split_lesion
from tmtv_engine.lesion.lists import Lesions, from_labels
from tmtv_engine.lesion.split import Patch, _flood, _flood_in_box, local_maxima, seeds, split

Step = tuple[float, float, float]


def lesion(suv: Array, mask: Array | None = None, spacing: Step = (4.0, 3.0, 2.0)) -> Lesions:
    """One lesion of the voxels of ``mask``, or all."""
    own = np.ones(suv.shape, np.uint8) if mask is None else mask.astype(np.uint8)
    grid = Grid.axial(suv.shape, spacing)
    image = Volume(suv.astype(np.float32), grid, Unit.SUV)
    return from_labels(Volume(own, grid, Unit.LABEL), image)


def patch(lesions: Lesions) -> Patch:
    return Patch.of(lesions.grid, lesions.voxels, lesions.suv)


def line(*values: float) -> npt.NDArray[np.float64]:
    """A row of voxels along x."""
    return np.array(values, np.float64).reshape(1, 1, -1)


def tops(suv: Array, mask: Array | None = None) -> list[int]:
    """Flat indices of the local maxima."""
    own = patch(lesion(suv, mask))
    return [int(at) for at in own.voxels[local_maxima(own)]]


@pytest.mark.parametrize(
    ("values", "at"),
    [
        ((5,), [0]),
        ((5, 5), [0]),
        ((1, 2, 3), [2]),
        ((3, 2, 1), [0]),
        ((2, 1, 2), [0, 2]),
        ((1, 3, 3, 3, 1), [1]),
        ((1, 3, 3, 4, 1), [3]),  # a step on the way up is no summit
        ((4, 3, 3, 1), [0]),
        ((4, 3, 3, 4), [0, 3]),
        ((3, 3, 1, 3, 3), [0, 3]),
        ((2, 2, 3, 3, 2, 2), [2]),
        ((2, 2, 1, 2, 2, 3), [0, 5]),
        ((0, 0, 0), [0]),
        ((-3, -1, -2), [1]),
    ],
)
def test_a_summit_is_the_first_voxel_of_what_no_neighbour_exceeds(
    values: tuple[float, ...], at: list[int]
) -> None:
    assert tops(line(*values)) == at
    turned = line(*values)
    for axes in ((2, 0, 1), (0, 2, 1)):  # along z and along y
        assert tops(turned.transpose(axes)) == at


def test_a_plateau_may_bend_and_is_found_from_its_first_voxel() -> None:
    """A U whose arms come first in raster order and meet only at its foot."""
    suv = np.array([[5, 1, 5], [5, 1, 5], [5, 1, 5], [1, 5, 1]], np.float64)[None]
    assert tops(suv) == [0]
    suv[0, 0, 2] = 6  # one arm's tip is higher: no voxel of the U is a summit
    assert tops(suv) == [2]
    suv[0, 3, 1] = 1  # the foot gone: two arms
    assert tops(suv) == [0, 2]


def test_neighbours_are_the_26_and_no_others() -> None:
    suv = np.full((5, 5, 5), 2.0)
    suv[2, 2, 2] = 9.0
    around = np.zeros((5, 5, 5), bool)
    around[1:4, 1:4, 1:4] = True
    for at in map(tuple, np.argwhere(~around)):
        image, mask = suv.copy(), around.copy()
        image[at] = 7.0
        mask[at] = True
        low = np.abs(np.array(at) - 2).max()
        assert low == 2
        assert tops(image, mask) == sorted([62, int(np.ravel_multi_index(at, (5, 5, 5)))])
    for at in map(tuple, np.argwhere(around)):
        if at != (2, 2, 2):
            image = suv.copy()
            image[at] = 7.0
            assert tops(image, around) == [62]


def test_rows_that_end_side_by_side_in_the_list_are_no_neighbours() -> None:
    """The last voxel of a row and the first of the next lie a row's length apart."""
    suv, mask = np.ones((2, 3, 4)), np.zeros((2, 3, 4), bool)
    mask[0, 0, 3] = mask[0, 1, 0] = mask[0, 2, 3] = mask[1, 0, 0] = True
    assert tops(suv, mask) == [3, 4, 11]  # (0, 1, 0) and (1, 0, 0) touch by a corner
    assert [len(part) for part in split_lesion(lesion(suv, mask), 0, 1.0)] == [1, 2, 1]


def test_seeds_are_taken_from_the_highest_and_each_frees_its_surroundings() -> None:
    """Summits at 0, 4, 8, 12 of 2 mm: the highest at 8 takes 4 and 12 with it at 8.1 mm."""
    own = patch(lesion(line(6, 1, 1, 1, 7, 1, 1, 1, 9, 1, 1, 1, 8)))
    step = np.array([4.0, 3.0, 2.0])
    assert own.voxels[seeds(own, step, 8.1)].tolist() == [8, 0]
    assert own.voxels[seeds(own, step, 8.0)].tolist() == [8, 12, 4, 0]
    assert own.voxels[seeds(own, step, 16.0)].tolist() == [8, 0]
    assert own.voxels[seeds(own, step, 16.1)].tolist() == [8]
    assert own.voxels[seeds(own, step, 0.0)].tolist() == [8, 12, 4, 0]


def test_distances_are_in_millimetres_along_each_axis() -> None:
    for axis, far in ((0, 16.0), (1, 12.0), (2, 8.0)):
        values = np.moveaxis(line(8, 1, 1, 1, 9), 2, axis)
        own = patch(lesion(values))
        assert len(seeds(own, np.array([4.0, 3.0, 2.0]), far)) == 2
        assert len(seeds(own, np.array([4.0, 3.0, 2.0]), far + 0.1)) == 1


def both(lesions: Lesions, apart: float) -> list[int]:
    """The part of each voxel, by either flood."""
    own = patch(lesions)
    chosen = seeds(own, np.array(lesions.grid.spacing_mm), apart)
    one = [int(part) for part in _flood(own, chosen)]
    assert one == _flood_in_box(own, chosen).tolist()
    return one


def test_a_valley_goes_to_the_side_it_falls_to() -> None:
    # 1 is reached from 3, which is flooded before 2
    assert both(lesion(line(8, 6, 3, 1, 2, 4, 7)), 10.0) == [0, 0, 0, 0, 1, 1, 1]
    assert both(lesion(line(7, 6, 2, 1, 3, 4, 8)), 10.0) == [1, 1, 1, 0, 0, 0, 0]


def test_a_lower_seed_floods_from_its_own_height() -> None:
    """What lies below both goes by height, not by who is the nearest."""
    assert both(lesion(line(9, 5, 4.5, 4, 3, 6)), 6.0) == [0, 0, 0, 0, 1, 1]


def test_what_hangs_together_by_a_corner_is_flooded_across_it() -> None:
    mask = np.zeros((3, 3, 3), bool)
    mask[0, 0, 0] = mask[1, 1, 1] = mask[2, 2, 2] = True
    suv = np.ones((3, 3, 3))
    suv[0, 0, 0], suv[1, 1, 1] = 3, 2
    assert both(lesion(suv, mask), 1.0) == [0, 0, 0]


def test_pieces_that_do_not_hang_together_are_parts_at_any_distance() -> None:
    """Three pieces; the two lower ones lie within the seed distance of the highest."""
    mask = line(1, 1, 0, 1, 0, 1, 1) > 0
    suv = line(5, 9, 0, 4, 0, 3, 2)
    parts = split_lesion(lesion(suv, mask), 0, 100.0)
    assert [part.tolist() for part in parts] == [[0, 1], [3], [5, 6]]
    own = lesion(suv, mask)
    first = split(own.grid, own.voxels, own.suv, 100.0)
    assert [part.tolist() for part in first] == [[0, 1], [2], [3, 4]]


def test_parts_come_by_the_voxel_of_their_maximum_not_by_height_or_size() -> None:
    parts = split_lesion(lesion(line(5, 1, 1, 1, 1, 1, 1, 9, 3, 3, 3)), 0, 10.0)
    assert [part[0] for part in parts] == [0, min(parts[1])]
    assert (0 in parts[0], 7 in parts[1]) == (True, True)
    assert sorted(np.concatenate(parts).tolist()) == list(range(11))


def test_numbers_that_are_none_end_in_one_part_with_what_is_left() -> None:
    suv = line(np.nan, np.nan, np.nan)
    assert [p.tolist() for p in split_lesion(lesion(suv), 0, 1.0)] == [[0, 1, 2]]


@pytest.mark.parametrize(("voxels", "parts"), [(20, 1), (21, 2)])
def test_a_component_over_the_limit_by_one_voxel_is_split(voxels: int, parts: int) -> None:
    """Voxels of 1.5 mL: 20 are 30 mL, 21 are over it."""
    suv = np.ones((1, 1, voxels))
    suv[0, 0, 0], suv[0, 0, -1] = 5, 6
    grid = Grid.axial(suv.shape, (10.0, 15.0, 10.0))
    image = Volume(suv.astype(np.float32), grid, Unit.SUV)
    found = find_lesions(Volume(suv > 0, grid, Unit.LABEL), image)
    assert len(found) == parts
    assert found.components.tolist() == [1] * parts


def test_the_smallest_that_stays_is_as_large_as_was_asked() -> None:
    """1, 2 and 3 voxels of 0.1 mL, whose sums are rounded in binary."""
    mask = line(1, 0, 1, 1, 0, 1, 1, 1) > 0
    grid = Grid.axial(mask.shape, (10.0, 5.0, 2.0))
    image = Volume(np.ones(mask.shape, np.float32), grid, Unit.SUV)
    for least, counts in (
        (0.0, [1, 2, 3]),
        (0.1, [1, 2, 3]),
        (0.1001, [2, 3]),
        (0.2, [2, 3]),
        (0.3, [3]),
        (0.3001, []),
    ):
        found = find_lesions(Volume(mask, grid, Unit.LABEL), image, min_ml=least)
        assert found.counts.tolist() == counts
        assert found.ids.tolist() == found.components.tolist() == list(range(1, len(counts) + 1))
    exactly = grid.voxel_ml * 3  # 0.30000000000000004 by one rounding, 0.3 by the other
    found = find_lesions(Volume(mask, grid, Unit.LABEL), image, min_ml=exactly)
    assert found.counts.tolist() == [3]


def test_components_begin_and_end_at_the_first_and_last_slice() -> None:
    """Only slices between the first and the last voxel are looked at."""
    mask = np.zeros((5, 2, 3), bool)
    mask[0, 0, 0] = mask[4, 1, 2] = mask[2, 0, 2] = mask[2, 1, 1] = True
    grid = Grid.axial(mask.shape, (4.0, 3.0, 2.0))
    image = Volume(np.ones(mask.shape, np.float32), grid, Unit.SUV)
    for first in (0, 1, 2, 3):
        own = mask.copy()
        own[:first] = False
        found = find_lesions(Volume(own, grid, Unit.LABEL), image)
        expected = [[0], [14, 16], [29]][-(3 if first == 0 else 2 if first < 3 else 1) :]
        spans = [found.voxels[found.span(k)].tolist() for k in range(len(found))]
        assert spans == expected
        assert components(own).reshape(-1)[found.voxels].tolist() == (found.owner + 1).tolist()
    none = components(np.zeros((2, 3, 4), bool))
    assert none.dtype == np.uint32
    assert none.shape == (2, 3, 4)
    assert not none.any()
