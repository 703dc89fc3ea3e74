"""Hot spots and the two rules that turn a probability into lesions."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tmtv_engine.errors import GeometryError
from tmtv_engine.image.volume import Array, Grid, Unit, Volume
from tmtv_engine.lesion.find import components
from tmtv_engine.lesion.hotspots import CANDIDATE_ML, hotspots
from tmtv_engine.lesion.lists import Lesions, from_labels
from tmtv_engine.lesion.rules import paper_rule, vote

SHAPE, SPACING = (17, 25, 41), (4.0, 3.0, 2.0)
VOXEL_ML = 0.024


def _suv(*boxes: tuple[tuple[slice, slice, slice], float]) -> Volume:
    image = np.ones(SHAPE, np.float32)
    for box, value in boxes:
        image[box] = value
    return Volume(image, Grid.axial(SHAPE, SPACING), Unit.SUV)


def _box(z: int, y: int, x: int, size: tuple[int, int, int]) -> tuple[slice, slice, slice]:
    return slice(z, z + size[0]), slice(y, y + size[1]), slice(x, x + size[2])


def _lesion(suv: Volume, *boxes: tuple[slice, slice, slice]) -> Lesions:
    labels = np.zeros(SHAPE, np.uint16)
    for number, box in enumerate(boxes, start=1):
        labels[box] = number
    return from_labels(suv.with_array(labels, Unit.LABEL), suv)


def _chance(suv: Volume, values: Array) -> Volume:
    return suv.with_array(values.astype(np.float32), Unit.PROBABILITY)


def test_a_core_needs_suv_4_and_3_ml() -> None:
    suv = _suv(
        (_box(2, 2, 2, (5, 5, 5)), 4.0),  # 125 voxels, 3.0 mL
        (_box(10, 15, 2, (4, 5, 6)), 9.0),  # 120 voxels, 2.88 mL
        (_box(2, 15, 25, (5, 5, 8)), 3.99),
    )
    spots = hotspots(suv)
    assert spots.counts.tolist() == [125]
    assert spots.suv.max() == 4.0
    assert hotspots(suv, core_ml=2.88).counts.tolist() == [125, 120]
    assert (hotspots(suv, core_ml=0.5).suv > 2.5).all()


def test_a_core_grows_over_what_is_above_2_5_within_10_mm() -> None:
    suv = _suv(
        (_box(2, 8, 2, (5, 5, 30)), 2.6),  # a warm bar, 2 mm steps along x
        (_box(2, 8, 2, (5, 5, 5)), 8.0),  # its hot end
        (_box(7, 8, 2, (1, 5, 5)), 2.5),  # not above
    )
    spots = hotspots(suv)
    assert spots.counts.tolist() == [5 * 5 * (5 + 5)]
    assert spots.index()[:, 2].max() == 2 + 4 + 5


def test_warm_tissue_near_a_core_but_apart_from_it_stays_out() -> None:
    suv = _suv((_box(2, 2, 2, (5, 5, 6)), 8.0), (_box(2, 2, 10, (5, 5, 2)), 3.0))
    assert hotspots(suv).counts.tolist() == [150]


def test_neighbours_meet_at_the_watershed() -> None:
    suv = _suv(
        (_box(2, 2, 2, (5, 5, 17)), 3.0),
        (_box(2, 2, 2, (5, 5, 6)), 8.0),
        (_box(2, 2, 9, (5, 5, 1)), 2.7),  # the valley between
        (_box(2, 2, 13, (5, 5, 6)), 6.0),
    )
    spots = hotspots(suv)
    assert len(spots) == 2
    assert spots.counts.sum() == 5 * 5 * 17
    left, right = (spots.index(row)[:, 2] for row in range(2))
    assert left.max() in (8, 9)
    assert right.min() == left.max() + 1
    assert spots.components.tolist() == [1, 2]


def test_candidates_are_what_the_lesions_leave_out() -> None:
    node, bladder, speck = (
        _box(2, 2, 2, (3, 3, 4)),
        _box(10, 12, 20, (5, 5, 6)),
        _box(2, 20, 38, (1, 2, 2)),
    )
    suv = _suv((node, 7.0), (bladder, 30.0), (speck, 9.0))
    found = _lesion(suv, node)
    left = hotspots(suv, core_ml=CANDIDATE_ML, lesions=found)
    assert left.ids.tolist() == [2]  # 36 voxels are 0.86 mL, the speck 0.1 mL
    assert left.components.tolist() == [2]
    assert left.counts.tolist() == [150]
    assert hotspots(suv, core_ml=CANDIDATE_ML, lesions=_lesion(suv)).ids.tolist() == [1, 2]


def test_the_remainder_of_a_hot_spot_counts_where_its_maximum_is_left_out() -> None:
    whole = _box(2, 2, 2, (5, 5, 12))
    suv = _suv((whole, 6.0), (_box(4, 4, 12, (1, 1, 1)), 20.0))
    cool, hot = _box(2, 2, 2, (5, 5, 6)), _box(2, 2, 8, (5, 5, 6))
    left = hotspots(suv, core_ml=CANDIDATE_ML, lesions=_lesion(suv, cool))
    assert left.counts.tolist() == [150]
    assert left.suv.max() == 20.0
    assert len(hotspots(suv, core_ml=CANDIDATE_ML, lesions=_lesion(suv, hot))) == 0


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_candidates_never_touch_a_lesions_voxels(seed: int) -> None:
    from scipy.ndimage import gaussian_filter

    rng = np.random.default_rng(seed)
    smooth = gaussian_filter(rng.normal(size=SHAPE), 2.0)
    suv = _suv().with_array((3 + 30 * smooth).astype(np.float32))
    lesions = _lesion(suv, _box(4, 6, 8, (6, 8, 12)), _box(11, 15, 25, (5, 5, 9)))
    left = hotspots(suv, core_ml=CANDIDATE_ML, lesions=lesions)
    assert not np.intersect1d(left.voxels, lesions.voxels).size
    assert len(np.unique(left.voxels)) == len(left.voxels)
    assert (left.suv > 2.5).all()
    assert left.ids.tolist() == list(range(3, 3 + len(left)))
    cores = np.add.reduceat(left.suv >= 4.0, left.starts[:-1]) if len(left) else np.zeros(0)
    assert (cores * VOXEL_ML >= CANDIDATE_ML).all()
    alone = hotspots(suv)
    large = components(suv.array >= 4.0)
    sizes = np.bincount(large.reshape(-1))[1:] * VOXEL_ML
    assert len(alone) == (sizes >= 3.0).sum()
    inside = alone.labels().array.reshape(-1) > 0
    assert inside[(np.append(False, sizes >= 3.0)[large]).reshape(-1)].all()


def test_air_around_an_image_changes_no_hot_spot() -> None:
    hot, held = _box(0, 20, 35, (6, 5, 6)), _box(10, 2, 0, (7, 6, 8))  # both at the border
    suv = _suv((hot, 6.0), (held, 9.0), (_box(3, 18, 10, (5, 4, 9)), 4.5))
    lesions = _lesion(suv, _box(11, 3, 0, (2, 2, 3)))
    pad = ((3, 5), (4, 1), (2, 6))
    wide = Volume(
        np.pad(suv.array, pad),
        Grid.axial(tuple(n + a + b for n, (a, b) in zip(SHAPE, pad, strict=True)), SPACING),  # type: ignore[arg-type]
        Unit.SUV,
    )
    labels = wide.with_array(np.pad(lesions.labels().array, pad), Unit.LABEL)
    for mine, theirs in ((None, None), (lesions, from_labels(labels, wide))):
        near = hotspots(suv, core_ml=CANDIDATE_ML, lesions=mine)
        far = hotspots(wide, core_ml=CANDIDATE_ML, lesions=theirs)
        assert len(near) > 0
        assert near.ids.tolist() == far.ids.tolist()
        assert np.array_equal(near.index() + np.array([3, 4, 2]), far.index())


def test_nothing_hot_no_hot_spots() -> None:
    assert len(hotspots(_suv())) == 0
    assert len(hotspots(_suv(), core_ml=CANDIDATE_ML, lesions=_lesion(_suv()))) == 0


def test_the_papers_rule_is_above_one_half() -> None:
    suv = _suv()
    values = np.zeros(SHAPE)
    values[1, 2, 3], values[1, 2, 4] = 0.5, 0.51
    mask = paper_rule(_chance(suv, values))
    assert mask.unit is Unit.LABEL
    assert np.argwhere(mask.array).tolist() == [[1, 2, 4]]
    with pytest.raises(GeometryError):
        paper_rule(suv)


def test_the_vote_takes_uptake_whole_or_not_at_all() -> None:
    node, bladder = _box(2, 2, 2, (3, 3, 4)), _box(10, 12, 20, (5, 5, 6))
    suv = _suv((node, 7.0), (bladder, 30.0))
    values = np.zeros(SHAPE)
    values[_box(2, 2, 2, (3, 3, 3))] = 0.9  # 3 of 4 columns: mean 0.675
    values[_box(10, 12, 20, (5, 5, 3))] = 0.9  # half of it: mean 0.45
    mask = vote(_chance(suv, values), suv).array
    assert mask[node].all()
    assert not mask[bladder].any()
    assert mask.sum() == 36


def test_the_vote_leaves_lesions_without_a_hot_core_to_the_papers_rule() -> None:
    faint, hot = _box(2, 2, 2, (3, 3, 4)), _box(10, 12, 20, (5, 5, 6))
    suv = _suv((faint, 3.5), (hot, 9.0))
    values = np.zeros(SHAPE)
    values[faint] = 0.8
    values[_box(9, 11, 19, (7, 7, 8))] = 0.9  # the hot one and a rim around it
    mask = vote(_chance(suv, values), suv).array
    assert mask[faint].all()
    assert mask[hot].all()
    assert mask.sum() == 36 + 7 * 7 * 8
    values[hot] = 0.0  # rejected: its rim goes too
    rejected = vote(_chance(suv, values), suv).array
    assert rejected.sum() == 36
