"""The cuts: their names, their laws, and values from scikit-image and closed forms."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tmtv_engine.errors import UsageError
from tmtv_engine.image.volume import Grid, Unit, Volume
from tmtv_engine.lesion.lists import Lesions, from_labels
from tmtv_engine.lesion.methods import DEFAULT_METHODS, Method, parse_method
from tmtv_engine.lesion.thresholds import (
    background_suv,
    kept,
    otsu_threshold,
    probability,
    thresholds,
)

SHAPE = (7, 11, 13)


def _lesions(values: list[list[float]]) -> Lesions:
    """Lesions of the given SUVs, side by side in one row of 1 mL voxels."""
    flat = np.array([v for row in values for v in row], np.float32)
    labels = np.repeat(np.arange(1, len(values) + 1), [len(row) for row in values])
    grid = Grid.axial((1, 1, len(flat)), (10.0, 10.0, 10.0))
    suv = Volume(flat.reshape(1, 1, -1), grid, Unit.SUV)
    return from_labels(Volume(labels.reshape(1, 1, -1), grid, Unit.LABEL), suv)


def _random(seed: int) -> tuple[Lesions, Volume]:
    rng = np.random.default_rng(seed)
    grid = Grid.axial(SHAPE, (4.0, 3.0, 2.0))
    suv = Volume(rng.gamma(2.0, 2.0, SHAPE).astype(np.float32), grid, Unit.SUV)
    labels = rng.integers(0, 6, SHAPE) * (rng.random(SHAPE) < 0.5)
    labels[0, 0, 0] = 1
    return from_labels(Volume(labels, grid, Unit.LABEL), suv), suv


def _cut(lesions: Lesions, key: str, background: float = np.nan) -> list[bool]:
    around = np.full(len(lesions), background)
    return [bool(stays) for stays in kept(lesions, parse_method(key), around, 3.0)]


@pytest.mark.parametrize(
    ("text", "method"),
    [
        ("41", Method("41", "percent", 0.41)),
        ("10", Method("10", "percent", 0.10)),
        ("99", Method("99", "percent", 0.99)),
        ("4", Method("4.0", "suv", 4.0)),
        ("4.0", Method("4.0", "suv", 4.0)),
        ("2.50", Method("2.5", "suv", 2.5)),
        ("1", Method("1.0", "suv", 1.0)),
        ("9.75", Method("9.75", "suv", 9.75)),
        ("mv3", Method("mv3", "majority", 3)),
    ],
)
def test_names_of_methods(text: str, method: Method) -> None:
    found = parse_method(text)
    assert (found.key, found.kind, found.value) == (method.key, method.kind, method.value)
    assert parse_method(method.key) == found


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("0.41", "write 41"),
        (".5", "write 50"),
        ("41%", "write 41"),
        ("41 %", "write 41"),
        ("10.0", "write 10"),
        ("41.0", "write 41"),
        ("2,5", "Write the decimal point: 2.5."),
        ("100", "from 10 to 99"),
        ("0", "from 10 to 99"),
        ("0.999", "from 10 to 99"),
        ("-4", "from 10 to 99"),
        ("nan", "from 10 to 99"),
        ("", "otsu"),
        ("４１", "from 10 to 99"),
        ("OTSU", "otsu"),
    ],
)
def test_what_is_no_method_says_what_was_meant(text: str, meant: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse_method(text)
    assert meant in caught.value.remedy


def test_the_defaults_are_three() -> None:
    assert [parse_method(key).key for key in DEFAULT_METHODS] == ["41", "2.5", "4.0"]


def test_a_voxel_stays_if_it_is_above_and_not_at_the_threshold() -> None:
    lesions = _lesions([[2.5, 2.6, 4.0, 4.1], [10.0, 5.0, 5.1, 4.9]])
    assert _cut(lesions, "2.5") == [False, True, True, True] + [True] * 4
    assert _cut(lesions, "4.0") == [False, False, False, True] + [True] * 4
    assert _cut(lesions, "50") == [True] * 4 + [True, False, True, False]
    assert _cut(lesions, "raw") == [True] * 8
    assert _cut(lesions, "liver") == [False, False, True, True] + [True] * 4


def test_each_lesion_has_its_own_maximum() -> None:
    lesions = _lesions([[20.0, 8.0, 8.3], [5.0, 2.0, 2.1]])
    np.testing.assert_allclose(thresholds(lesions, parse_method("41")), [8.2, 2.05], rtol=1e-6)
    assert _cut(lesions, "41") == [True, False, True, True, False, True]


@pytest.mark.parametrize("seed", range(5))
def test_otsu_is_scikit_images(seed: int) -> None:
    from skimage.filters import threshold_otsu

    rng = np.random.default_rng(seed)
    values = np.concatenate([rng.normal(3, 0.5, 300), rng.normal(9, 1, 120 + seed)])
    values = values.astype(np.float32)
    expected = threshold_otsu(values.astype(np.float64), nbins=256)
    assert otsu_threshold(values) == pytest.approx(expected, rel=1e-9)


def test_otsu_parts_two_values_and_leaves_a_constant_lesion_whole() -> None:
    lesions = _lesions([[3.0, 3.0, 9.0], [7.0, 7.0], [5.0]])
    assert _cut(lesions, "otsu") == [False, False, True, True, True, True]
    assert thresholds(lesions, parse_method("otsu"))[1:].tolist() == [7.0, 5.0]


def test_tmtvprob_is_the_mean_of_four_masks() -> None:
    lesions = _lesions([[10.0, 4.04, 3.0, 2.0, 2.0, 2.0]])
    # 41 %: > 4.1 · 2.5 · 4.0 · Otsu parts 10 from the rest
    assert probability(lesions).tolist() == [1.0, 0.5, 0.25, 0.0, 0.0, 0.0]
    assert _cut(lesions, "prob") == [True, True, False, False, False, False]
    assert probability(lesions).dtype == np.float32


def test_majority_votes() -> None:
    lesions = _lesions([[10.0, 4.05, 3.0, 2.0]])
    # SUVpeak: one voxel of 10 mm, 10; with background 1, a50p cuts at 5.5
    assert _cut(lesions, "a50p", 1.0) == [True, False, False, False]
    assert _cut(lesions, "mv2", 1.0) == [True, True, False, False]
    assert _cut(lesions, "mv3", 1.0) == [True, False, False, False]
    assert thresholds(lesions, parse_method("a50p"), np.array([1.0])).tolist() == [5.5]


def test_an_unknown_background_keeps_nothing_under_a50p() -> None:
    lesions = _lesions([[10.0, 8.0]])
    assert np.isnan(thresholds(lesions, parse_method("a50p"))).all()
    assert _cut(lesions, "a50p") == [False, False]


def test_the_liver_method_needs_a_liver() -> None:
    with pytest.raises(UsageError, match="no liver"):
        kept(_lesions([[1.0]]), parse_method("liver"))


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(10, 98), st.floats(1, 9))
def test_a_higher_cut_never_gains_and_cutting_twice_changes_nothing(
    seed: int, percent: int, suv: float
) -> None:
    lesions, _ = _random(seed)
    low, high = (kept(lesions, parse_method(str(p))) for p in (percent, percent + 1))
    assert not (high & ~low).any()
    low, high = (kept(lesions, Method("s", "suv", v)) for v in (suv, suv + 0.3))
    assert not (high & ~low).any()
    labels = lesions.labels().array.copy()
    labels.reshape(-1)[lesions.voxels[~high]] = 0
    image = np.zeros(labels.size, np.float32)
    image[lesions.voxels] = lesions.suv
    volume = Volume(image.reshape(SHAPE), lesions.grid, Unit.SUV)
    again = from_labels(Volume(labels, lesions.grid, Unit.LABEL), volume)
    assert kept(again, Method("s", "suv", suv + 0.3)).all()


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_votes_and_probability_count_the_masks(seed: int) -> None:
    lesions, suv = _random(seed)
    around = background_suv(lesions, suv)
    masks = {k: kept(lesions, parse_method(k), around) for k in ("41", "a50p", "2.5", "4.0")}
    votes = np.sum(list(masks.values()), axis=0)
    for key, needed in (("mv2", 2), ("mv3", 3)):
        assert np.array_equal(kept(lesions, parse_method(key), around), votes >= needed)
    steps = probability(lesions) * 4
    assert np.array_equal(steps, steps.round())


def test_no_lesions_no_cut() -> None:
    grid = Grid.axial(SHAPE, (4.0, 3.0, 2.0))
    suv = Volume(np.ones(SHAPE, np.float32), grid, Unit.SUV)
    none = from_labels(Volume(np.zeros(SHAPE, np.uint8), grid, Unit.LABEL), suv)
    assert background_suv(none, suv).shape == (0,)
    for key in ("41", "2.5", "otsu", "prob", "raw", "mv2", "mv3", "a50p"):
        method = parse_method(key)
        assert kept(none, method, np.zeros(0)).shape == (0,)
        assert thresholds(none, method, np.zeros(0)).shape == (0,)


def _spheres() -> tuple[Volume, Volume, np.ndarray[tuple[int, ...], np.dtype[np.float64]]]:
    """A lesion of SUV 10, 12 mm radius, in a background of 1; distances from its middle (mm)."""
    shape, spacing = (33, 44, 66), np.array([3.0, 2.5, 2.0])
    index = np.indices(shape) - np.array([16, 22, 33])[:, None, None, None]
    far = np.sqrt(((index * spacing[:, None, None, None]) ** 2).sum(axis=0))
    grid = Grid.axial(shape, (3.0, 2.5, 2.0))
    suv = np.where(far <= 12.0, 10.0, 1.0).astype(np.float32)
    labels = Volume((far <= 12.0).astype(np.uint8), grid, Unit.LABEL)
    return labels, Volume(suv, grid, Unit.SUV), far


def test_the_background_is_the_shell_around_the_lesion() -> None:
    labels, suv, far = _spheres()
    lesions = from_labels(labels, suv)
    assert background_suv(lesions, suv)[0] == pytest.approx(1.0)
    graded = suv.array.copy()
    graded[far > 12 + 22.5] = 2.4  # beyond the shell, whatever the voxel: no matter
    graded[(far > 12) & (far < 12 + 7)] = 0.1  # nearer than the shell
    assert background_suv(lesions, suv.with_array(graded))[0] == pytest.approx(1.0)
    assert thresholds(lesions, parse_method("a50p"), np.ones(1))[0] == pytest.approx(5.5)


def test_where_no_voxel_is_hot_beside_the_peak_the_shell_is_round_the_highest() -> None:
    """Hot neighbours that are no lesion lift SUVpeak so far that no voxel has 0.7 of it."""
    shape, spacing = (21, 21, 41), (4.0, 4.0, 4.0)
    z, y, x = np.indices(shape)
    image = (1.0 + 0.01 * x).astype(np.float32)
    labels = np.zeros(shape, np.uint8)
    labels[10, 10, 8:29], image[10, 10, 8:29] = 1, 1.5
    image[10, 10, 10] = 3.0
    image[(abs(z - 10) + abs(y - 10) == 1) & (x == 10)] = 20.0
    grid = Grid.axial(shape, spacing, (0.0, 0.0, 0.0))
    suv = Volume(image, grid, Unit.SUV)
    lesions = from_labels(Volume(labels, grid, Unit.LABEL), suv)
    found = float(background_suv(lesions, suv)[0])
    assert found == pytest.approx(1.1, abs=0.02)  # about x = 10, not about x = 8 or 28


def test_the_background_leaves_out_other_lesions_and_hot_voxels() -> None:
    labels, suv, far = _spheres()
    image, two = suv.array.copy(), labels.array.copy()
    image[16:, :, :][far[16:] > 20] = 2.0
    two[16:, :, :][far[16:] > 20] = 2
    image[:8] = 2.6
    lesions = from_labels(labels.with_array(two), suv.with_array(image))
    assert background_suv(lesions, suv.with_array(image))[0] == pytest.approx(1.0)


def test_a_lesions_own_cool_voxels_are_background() -> None:
    """A generous ROI: what lies in its shell and is no uptake counts."""
    labels, suv, far = _spheres()
    lesions = from_labels(labels.with_array((far <= 33).astype(np.uint8)), suv)
    assert background_suv(lesions, suv)[0] == pytest.approx(1.0)


def test_no_shell_no_background() -> None:
    grid = Grid.axial((1, 2, 3), (3.0, 3.0, 3.0))
    suv = Volume(np.full((1, 2, 3), 5, np.float32), grid, Unit.SUV)
    lesions = from_labels(Volume(np.ones((1, 2, 3), np.uint8), grid, Unit.LABEL), suv)
    assert np.isnan(background_suv(lesions, suv)).all()


def _around(row: list[float], own: dict[int, int]) -> list[float]:
    """`background_suv` of a row of 10 mm voxels (SUVpeak is one voxel), ``own``: voxel → lesion."""
    grid = Grid.axial((1, 1, len(row)), (10.0, 10.0, 10.0))
    suv = Volume(np.array(row, np.float32).reshape(1, 1, -1), grid, Unit.SUV)
    labels = np.zeros((1, 1, len(row)), np.uint8)
    for at, number in own.items():
        labels[0, 0, at] = number
    found = background_suv(from_labels(Volume(labels, grid, Unit.LABEL), suv), suv)
    return [float(value) for value in found]


def test_the_shell_lies_from_10_to_20_mm_both_included() -> None:
    row = [9.0, 9.0, 0.125, 1.0, 2.0, 10.0, 0.5, 0.25, 1.5, 9.0, 9.0]
    assert _around(row, {5: 1}) == pytest.approx([(1.0 + 2.0 + 0.5 + 0.25) / 4])


@pytest.mark.parametrize(
    ("second", "hot"), [(6.99, False), (7.0, False), (7.01, True), (7.1, True)]
)
def test_the_shell_begins_outside_the_part_above_70_percent_of_the_peak(
    second: float, hot: bool
) -> None:
    row = [1.0, 2.0, 1.5, 10.0, second, 0.5, 0.25, 0.75]
    expected = (2.0 + 1.5 + 0.5 + 0.25) / 4 if hot else (2.0 + 1.5 + 0.5) / 3
    assert _around(row, {3: 1, 4: 1}) == pytest.approx([expected])


def test_the_shell_counts_what_is_at_most_2_5_and_nobody_elses() -> None:
    assert _around([1.0, 2.5, 10.0, 2.5000002, 1.5], {2: 1}) == pytest.approx([5.0 / 3])
    both = _around([1.0, 2.0, 10.0, 0.5, 8.0, 1.5, 2.25], {2: 1, 4: 2})
    assert both == pytest.approx([(1.0 + 2.0 + 0.5) / 3, (0.5 + 1.5 + 2.25) / 3])
    apart = _around([1.0, 2.0, 10.0, 2.0, 0.5], {2: 1, 4: 2})  # the other's voxels do not count
    assert apart[0] == pytest.approx((1.0 + 2.0 + 2.0) / 3)


def test_a_shell_with_nothing_in_it_is_unknown() -> None:
    assert np.isnan(_around([3.0, 9.0, 10.0, 9.0, 3.0], {2: 1})).all()
    assert np.isnan(_around([10.0], {0: 1})).all()


def test_a_peak_beside_the_lesion_leaves_its_highest_voxels() -> None:
    """The 1 mL sphere may hold hotter voxels that are not the lesion's."""
    grid = Grid.axial((1, 1, 15), (20.0, 20.0, 4.0))
    row = np.full(15, 1.0, np.float32)
    row[7], row[8] = 2.0, 30.0
    row[[3, 4, 11, 12]] = 0.5, 1.5, 0.75, 1.25
    suv = Volume(row.reshape(1, 1, -1), grid, Unit.SUV)
    labels = np.zeros((1, 1, 15), np.uint8)
    labels[0, 0, 7] = 1
    found = background_suv(from_labels(Volume(labels, grid, Unit.LABEL), suv), suv)
    # 10 to 20 mm from voxel 7: voxels 2 to 4 and 10 to 12
    assert found[0] == pytest.approx((1.0 + 0.5 + 1.5 + 1.0 + 0.75 + 1.25) / 6)


@pytest.mark.parametrize("step", [4.0, 4.000000000000001, 3.9999999999999996])
def test_the_shell_is_the_same_whatever_a_header_rounds(step: float) -> None:
    grid = Grid.axial((1, 1, 21), (30.0, 30.0, step))
    row = np.linspace(0.1, 2.1, 21).astype(np.float32)
    row[5] = 10.0
    suv = Volume(row.reshape(1, 1, -1), grid, Unit.SUV)
    labels = np.zeros((1, 1, 21), np.uint8)
    labels[0, 0, 5] = 1
    found = background_suv(from_labels(Volume(labels, grid, Unit.LABEL), suv), suv)
    inside = [0, 1, 2, 8, 9, 10]  # 12, 16 and 20 mm away
    assert found[0] == pytest.approx(float(row[inside].astype(np.float64).mean()))


def test_otsu_takes_the_first_of_equal_thresholds() -> None:
    """Between two values every bin parts alike; the first is scikit-image's choice too."""
    from skimage.filters import threshold_otsu

    for values in ([3.0, 3.0, 9.0], [1.0, 2.0], [1.0, 4.0, 4.0, 7.0]):
        row = np.array(values, np.float32)
        width = (row.max() - row.min()) / 256
        assert otsu_threshold(row) == pytest.approx(float(threshold_otsu(row, nbins=256)))
        assert row.min() < otsu_threshold(row) < row.max()
    assert otsu_threshold(np.array([3.0, 9.0], np.float32)) == pytest.approx(3 + width / 2)


def test_a_voxel_at_otsus_threshold_goes() -> None:
    lesions = _lesions([[0.0, 0.5, 256.0]])  # the first bin is 1 wide, its centre 0.5
    assert thresholds(lesions, parse_method("otsu")).tolist() == [0.5]
    assert _cut(lesions, "otsu") == [False, False, True]


def test_no_method_keeps_a_voxel_at_its_threshold() -> None:
    lesions = _lesions([[8.0, 4.0, 2.0, 1.0]])
    for key, at in (("50", 4.0), ("2", 2.0), ("4", 4.0), ("liver", 3.0)):
        assert thresholds(lesions, parse_method(key), liver=3.0)[0] == at
        stays = kept(lesions, parse_method(key), liver=3.0)
        assert stays.tolist() == [v > at for v in (8.0, 4.0, 2.0, 1.0)]
    assert _cut(lesions, "a50p", 0.0) == [True, False, False, False]  # above 4.0
