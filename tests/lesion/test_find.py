"""Components and watershed: nothing lost, nothing limited, the same on every run."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.lesions import fast, plain, scene
from tmtv_engine.image.volume import Array, Grid, Unit, Volume
from tmtv_engine.lesion.find import box_of, components, find_lesions, split_lesion
from tmtv_engine.lesion.lists import Lesions, from_labels
from tmtv_engine.lesion.split import Patch, _flood, _flood_in_box, local_maxima, seeds

SHAPE = (7, 11, 13)
spacings = st.tuples(*[st.sampled_from([1.65, 2.0, 3.27, 4.0, 9.0])] * 3)


def _volumes(
    mask: Array, suv: Array, spacing: tuple[float, float, float] = (4.0, 3.0, 2.0)
) -> tuple[Volume, Volume]:
    grid = Grid.axial(mask.shape, spacing)
    return Volume(mask, grid, Unit.LABEL), Volume(suv.astype(np.float32), grid, Unit.SUV)


def _sphere(radius_mm: float, spacing: tuple[float, float, float]) -> Array:
    reach = [int(radius_mm / s) + 2 for s in spacing]
    index = np.indices([2 * n + 1 for n in reach]) - np.array(reach)[:, None, None, None]
    far = ((index * np.array(spacing)[:, None, None, None]) ** 2).sum(axis=0)
    return np.asarray(far <= radius_mm**2)


def _patch(lesions: Lesions, row: int = 0) -> Patch:
    span = lesions.span(row)
    return Patch.of(lesions.grid, lesions.voxels[span], lesions.suv[span])


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**32 - 1), st.floats(0.05, 0.95), spacings, st.integers(1, 50))
def test_parts_sum_to_components_and_components_to_the_mask(
    seed: int, filled: float, spacing: tuple[float, float, float], levels: int
) -> None:
    rng = np.random.default_rng(seed)
    mask = rng.random(SHAPE) < filled
    suv = rng.integers(1, levels + 1, SHAPE)  # few levels: many plateaus
    lesions = find_lesions(*_volumes(mask, suv, spacing), split_over_ml=0.2)
    assert np.array_equal(lesions.labels().array > 0, mask)
    assert len(np.unique(lesions.voxels)) == mask.sum() == lesions.counts.sum()
    whole = components(mask)
    own = whole.reshape(-1)[lesions.voxels]
    assert np.array_equal(lesions.components[lesions.owner], own)
    assert lesions.ids.tolist() == list(range(1, len(lesions) + 1))
    assert (lesions.counts > 0).all()
    ml = np.bincount(lesions.components, weights=lesions.counts) * lesions.grid.voxel_ml
    assert ml.sum() == pytest.approx(mask.sum() * np.prod(spacing) / 1000)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**32 - 1), spacings)
def test_both_floods_agree_and_every_part_is_connected(
    seed: int, spacing: tuple[float, float, float]
) -> None:
    rng = np.random.default_rng(seed)
    suv = rng.permutation(int(np.prod(SHAPE))).reshape(SHAPE) + 1.0
    mask = components(rng.random(SHAPE) < 0.4)
    lesions = from_labels(*_volumes(mask == np.bincount(mask[mask > 0]).argmax(), suv, spacing))
    patch = _patch(lesions)
    chosen = seeds(patch, np.array(spacing), 6.0)
    part = _flood(patch, chosen)
    assert np.array_equal(part, _flood_in_box(patch, chosen))
    for number in range(len(chosen)):
        one = np.zeros(int(np.prod(SHAPE)), bool)
        one[patch.voxels[part == number]] = True
        assert components(one.reshape(SHAPE)).max() == 1


@pytest.mark.parametrize("seed", range(4))
def test_a_plain_scan_of_the_volume_finds_the_same(seed: int) -> None:
    mask, suv = scene((31, 37, 43), (4.0, 3.0, 2.5), 14, seed)
    np.testing.assert_allclose(fast(mask, suv), plain(mask, suv), rtol=1e-5)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(1, 6))
def test_local_maxima_are_scikit_images(seed: int, levels: int) -> None:
    from scipy.ndimage import label
    from skimage.morphology import local_maxima as oracle

    rng = np.random.default_rng(seed)
    suv, mask = rng.integers(1, levels + 1, SHAPE), rng.random(SHAPE) < 0.7
    mask[3, 5, 6] = True
    top = oracle(np.where(mask, suv, 0), connectivity=3) & mask
    plateaus, count = label(top, np.ones((3, 3, 3)))
    first = [np.flatnonzero(plateaus == k)[0] for k in range(1, count + 1)]
    patch = _patch(from_labels(*_volumes(mask, suv)))
    assert patch.voxels[local_maxima(patch)].tolist() == sorted(first)


def test_diagonal_neighbours_are_one_component() -> None:
    mask = np.zeros(SHAPE, bool)
    mask[2, 3, 4] = mask[3, 4, 5] = True
    mask[6, 0, 0] = True
    lesions = find_lesions(*_volumes(mask, np.ones(SHAPE)))
    assert lesions.counts.tolist() == [2, 1]


@pytest.mark.parametrize("radius_mm", [20.0, 40.0])
def test_a_flat_sphere_stays_one(radius_mm: float) -> None:
    mask = _sphere(radius_mm, (4.0, 3.0, 2.0))
    lesions = find_lesions(*_volumes(mask, np.full(mask.shape, 5.0)))
    assert lesions.counts.tolist() == [mask.sum()]
    assert lesions.counts[0] * lesions.grid.voxel_ml > 30


def test_no_interior_peak_no_loss() -> None:
    """73.5 mL whose maximum is a border voxel: peers lose all of it."""
    mask = np.ones((7, 25, 35), bool)
    suv = np.arange(mask.size).reshape(mask.shape)
    lesions = find_lesions(*_volumes(mask, suv, (4.0, 3.0, 4.0)))
    assert lesions.counts.sum() * lesions.grid.voxel_ml == pytest.approx(294.0)
    assert len(lesions) == 1


def _two_peaks(apart: int) -> tuple[Volume, Volume]:
    """A 2 mm rod 43 voxels long, over 30 mL, with equal peaks ``apart`` voxels apart."""
    mask = np.ones((11, 11, 43), bool)
    z, y, x = np.indices(mask.shape)
    near = np.minimum(np.abs(x - 10), np.abs(x - 10 - apart))
    suv = 20.0 - near - 0.1 * np.abs(y - 5) - 0.1 * np.abs(z - 5)
    return _volumes(mask, suv, (3.0, 3.0, 2.0))


@pytest.mark.parametrize(("apart", "parts"), [(9, 1), (10, 2), (11, 2)])
def test_seeds_lie_at_least_20_mm_apart(apart: int, parts: int) -> None:
    lesions = find_lesions(*_two_peaks(apart))
    assert len(lesions) == parts
    assert lesions.counts.sum() == 11 * 11 * 43


def test_a_component_of_30_ml_or_less_is_not_split() -> None:
    mask, suv = _two_peaks(20)
    assert mask.array.sum() * 0.018 == pytest.approx(93.654)
    assert len(find_lesions(mask, suv, split_over_ml=93.66)) == 1
    assert len(find_lesions(mask, suv, split_over_ml=93.65)) == 2


@pytest.mark.parametrize("spacing", [(4.0, 3.0, 2.0), (3.0, 2.5, 1.6), (1.2, 1.0, 1.0)])
def test_exactly_30_ml_is_not_over_30_ml(spacing: tuple[float, float, float]) -> None:
    """1250, 2500 or 25000 voxels, whose volumes sum to 30.000000000000004 mL, or are below it."""
    voxels = round(30_000 / np.prod(spacing))
    y = 50
    mask = np.zeros((1, y, voxels // y + 1), bool)
    mask.reshape(-1)[:voxels] = True
    suv = np.ones(mask.shape)
    suv.reshape(-1)[[0, voxels - 9]] = 5  # two maxima, far apart
    assert voxels * np.prod(spacing) == pytest.approx(30_000)
    assert len(find_lesions(*_volumes(mask, suv, spacing))) == 1
    more = mask.copy()
    more.reshape(-1)[voxels] = True
    assert len(find_lesions(*_volumes(more, suv, spacing))) == 2


@pytest.mark.parametrize("step", [2.0, 2.0000000000000004, 1.9999999999999998, 10 / 3, 0.1])
def test_exactly_20_mm_are_20_mm_whatever_a_header_rounds(step: float) -> None:
    apart = round(20 / step)
    suv = np.ones((1, 1, apart + 9))
    suv[0, 0, 3], suv[0, 0, 3 + apart] = 5, 4
    patch = _patch(from_labels(*_volumes(np.ones(suv.shape, np.uint8), suv, (30.0, 30.0, step))))
    assert patch.voxels[seeds(patch, np.array([30.0, 30.0, step]), 20.0)].tolist() == [3, 3 + apart]
    assert seeds(patch, np.array([30.0, 30.0, step]), 20.001).tolist() == [3]


def test_equal_maxima_are_taken_in_the_order_of_their_voxels() -> None:
    suv = np.ones((3, 5, 21))
    for place in ((0, 1, 4), (0, 1, 11), (2, 3, 18), (2, 1, 2)):
        suv[place] = 7
    suv[1, 4, 20] = 9
    lesions = from_labels(*_volumes(np.ones(suv.shape, np.uint8), suv, (20.0, 2.0, 2.0)))
    chosen = _patch(lesions).voxels[seeds(_patch(lesions), np.array([20.0, 2.0, 2.0]), 15.0)]
    at = [tuple(int(n) for n in np.unravel_index(v, suv.shape)) for v in chosen]
    # the highest, then equals by raster index; (0, 1, 11) lies 14 mm from (0, 1, 4)
    assert at == [(1, 4, 20), (0, 1, 4), (2, 1, 2), (2, 3, 18)]


def test_parts_are_ordered_by_the_voxel_of_their_maximum() -> None:
    suv = np.ones((1, 3, 41))
    suv[0, 2, 2], suv[0, 1, 20], suv[0, 0, 38] = 6, 6, 6
    lesions = from_labels(*_volumes(np.ones(suv.shape, np.uint8), suv, (4.0, 2.0, 2.0)))
    parts = split_lesion(lesions, 0, 20.0)
    tops = [int(part[np.argmax(lesions.suv[part])]) for part in parts]
    assert tops == [38, 41 + 20, 82 + 2]


def test_a_mask_may_touch_every_face_and_corner() -> None:
    mask = np.zeros(SHAPE, bool)
    for corner in np.ndindex(2, 2, 2):
        mask[tuple(-c for c in corner)] = True
    lesions = find_lesions(*_volumes(mask, np.ones(SHAPE)))
    assert lesions.counts.tolist() == [1] * 8
    assert lesions.components.tolist() == list(range(1, 9))
    assert np.array_equal(components(mask)[mask], np.arange(1, 9))


def test_components_that_are_small_enough_to_go_are_counted_exactly() -> None:
    mask = np.zeros(SHAPE, bool)
    mask[1, 1, 1:4] = True
    mask[5, 5, 5:7] = True
    volumes = _volumes(mask, np.ones(SHAPE), (3.0, 2.0, 1.1))
    ml = 3 * 3.0 * 2.0 * 1.1 / 1000
    assert find_lesions(*volumes, min_ml=ml).counts.tolist() == [3]
    assert len(find_lesions(*volumes, min_ml=ml * 1.0001)) == 0


def test_lesions_are_numbered_by_component_then_by_their_maximum() -> None:
    mask, suv = np.zeros((9, 11, 61), bool), np.ones((9, 11, 61))
    mask[2:7, 2:9, 10:] = True
    mask[0, 0, 0] = True  # the first component
    suv[6, 5, 15], suv[2, 5, 35], suv[4, 5, 55] = 9, 7, 8
    lesions = find_lesions(*_volumes(mask, suv), split_over_ml=10)
    assert lesions.components.tolist() == [1, 2, 2, 2]
    highest = [float(lesions.suv[lesions.span(row)].max()) for row in range(4)]
    assert highest == [1, 7, 8, 9]


def test_a_thousand_lesions() -> None:
    mask = np.zeros((20, 40, 80), bool)
    mask[::2, ::4, ::8] = True  # 10 × 10 × 10 single voxels
    suv = np.random.default_rng(0).random(mask.shape) + 1
    lesions = find_lesions(*_volumes(mask, suv))
    assert len(lesions) == 1000
    assert lesions.ids[-1] == 1000
    assert np.array_equal(lesions.labels().array > 0, mask)


def test_more_than_255_parts_of_one_component() -> None:
    rng = np.random.default_rng(0)
    mask = np.ones((25, 60, 60), bool)
    lesions = find_lesions(*_volumes(mask, rng.random(mask.shape), (9.0, 9.0, 9.0)))
    assert len(lesions) > 300
    assert lesions.counts.sum() == mask.size
    assert set(lesions.components.tolist()) == {1}


def test_small_components_go_only_when_asked() -> None:
    mask = np.zeros(SHAPE, bool)
    mask[1, 1, 1] = True
    mask[4:6, 4:6, 4:6] = True
    volumes = _volumes(mask, np.ones(SHAPE))
    assert find_lesions(*volumes).counts.tolist() == [1, 8]
    assert find_lesions(*volumes, min_ml=0.05).counts.tolist() == [8]
    assert find_lesions(*volumes, min_ml=0.05).components.tolist() == [1]


def test_an_empty_mask_has_no_lesions() -> None:
    assert len(find_lesions(*_volumes(np.zeros(SHAPE, bool), np.ones(SHAPE)))) == 0


def test_splitting_at_half_the_distance_loses_nothing() -> None:
    lesions = find_lesions(*_two_peaks(9))
    assert [len(split_lesion(lesions, 0, mm)) for mm in (20.0, 10.0)] == [1, 2]
    parts = split_lesion(lesions, 0, 10.0)
    assert np.array_equal(np.sort(np.concatenate(parts)), lesions.voxels)
    highest = [
        part[np.argmax(lesions.suv[np.searchsorted(lesions.voxels, part)])] for part in parts
    ]
    assert highest == sorted(highest)


def test_a_lesion_in_pieces_splits_into_them() -> None:
    labels, suv = np.zeros(SHAPE, np.uint8), np.ones(SHAPE)
    labels[1:3, 2:4, 1:3] = labels[1:3, 2:4, 4] = labels[5, 9, 9:] = 1
    lesions = from_labels(*_volumes(labels, suv))
    parts = split_lesion(lesions, 0, 20.0)
    assert [len(part) for part in parts] == [8, 4, 4]
    assert np.array_equal(np.sort(np.concatenate(parts)), lesions.voxels)


def test_voxels_that_are_no_number_are_not_lost() -> None:
    lesions = from_labels(*_volumes(np.ones(SHAPE, np.uint8), np.full(SHAPE, np.nan)))
    assert [len(part) for part in split_lesion(lesions, 0, 20.0)] == [lesions.counts[0]]


def test_splitting_in_review_needs_numpy_alone() -> None:
    code = """
import sys, numpy as np
from tmtv_engine.lesion.find import split_lesion
from tmtv_engine.lesion.lists import Lesions
from tmtv_engine.image.volume import Grid
grid, one = Grid.axial((1, 1, 30), (2.0, 2.0, 2.0)), np.array([1])
suv = np.abs(np.arange(30) - 14).astype(np.float32)
lesions = Lesions(grid, one, one, np.array([0, 30]), np.arange(30), suv, suv)
print(*map(len, split_lesion(lesions, 0, 20.0)))
print({m.split('.')[0] for m in sys.modules} & {'skimage', 'scipy', 'cc3d', 'pydicom'})"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["15", "15", "set()"]


def test_a_review_splits_a_large_lesion_without_scikit_image() -> None:
    code = """
import sys, numpy as np
from tmtv_engine.lesion.find import split_lesion
from tmtv_engine.lesion.lists import from_labels
from tmtv_engine.image.volume import Grid, Unit, Volume
suv = np.random.default_rng(1).normal(5, 1, (30, 30, 31)).astype(np.float32)
grid = Grid.axial(suv.shape, (4.0, 4.0, 4.0))
whole = Volume(np.ones(suv.shape, np.uint16), grid, Unit.LABEL)
parts = split_lesion(from_labels(whole, Volume(suv, grid, Unit.SUV)), 0, 10.0)
assert len(parts) > 100 and sum(map(len, parts)) == suv.size
print(*sorted({m.split(".")[0] for m in sys.modules}))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not {"skimage", "scipy", "torch"} & set(done.stdout.split())


@pytest.mark.parametrize(
    ("reach", "expected"),
    [
        ((0, 0, 0), ((2, 6), (3, 4), (5, 12))),
        ((1, 2, 3), ((1, 7), (1, 6), (2, 13))),
        ((9, 4, 1), ((0, 7), (0, 8), (4, 13))),
    ],
)
def test_a_box_holds_the_mask_and_its_reach_inside_the_image(
    reach: tuple[int, int, int], expected: tuple[tuple[int, int], ...]
) -> None:
    mask = np.zeros((7, 11, 13), bool)
    mask[2, 3, 11] = mask[5, 3, 5] = True
    box = box_of(mask, reach)
    assert tuple(s.indices(n)[:2] for s, n in zip(box, mask.shape, strict=True)) == expected
    if not any(reach):
        assert box_of(mask) == box
