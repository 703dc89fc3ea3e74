"""What is measured on lesions, against hand counts and closed forms."""

from __future__ import annotations

import math

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tmtv_engine.image.volume import Grid, Unit, Volume
from tmtv_engine.lesion.find import find_lesions
from tmtv_engine.lesion.lists import Lesions, from_labels
from tmtv_engine.lesion.measures import (
    Total,
    bsa_dubois,
    centroid_mm,
    measure,
    suv_max,
    suv_peak,
    total,
)
from tmtv_engine.lesion.methods import parse_method
from tmtv_engine.lesion.thresholds import kept

SHAPE, SPACING = (7, 11, 13), (4.0, 3.0, 2.0)


@pytest.fixture
def pair() -> Lesions:
    """Two lesions of 3 and 2 voxels of 0.024 mL."""
    labels, suv = np.zeros(SHAPE, np.uint8), np.zeros(SHAPE, np.float32)
    labels[1, 2, 3:6], labels[5, 8, 10:12] = 1, 2
    suv[1, 2, 3:6], suv[5, 8, 10:12] = (2.0, 6.0, 4.0), (3.0, 1.0)
    grid = Grid.axial(SHAPE, SPACING, (-10.0, 20.0, 30.0))
    return from_labels(Volume(labels, grid, Unit.LABEL), Volume(suv, grid, Unit.SUV))


def test_volume_mean_and_tlg_by_hand(pair: Lesions) -> None:
    cut = measure(pair, kept(pair, parse_method("2.5")))
    assert cut.voxels.tolist() == [2, 1]
    np.testing.assert_allclose(cut.volume_ml, [0.048, 0.024])
    np.testing.assert_allclose(cut.suv_mean, [5.0, 3.0])
    np.testing.assert_allclose(cut.tlg_g, [0.24, 0.072])
    assert suv_max(pair).tolist() == [6.0, 3.0]


def test_a_cut_that_leaves_nothing_has_no_mean(pair: Lesions) -> None:
    cut = measure(pair, kept(pair, parse_method("4")))
    assert cut.voxels.tolist() == [1, 0]
    assert cut.tlg_g[1] == 0
    assert np.isnan(cut.suv_mean[1])


def test_centroids_are_lps_millimetres(pair: Lesions) -> None:
    expected = np.array([[-2.0, 26.0, 34.0], [11.0, 44.0, 50.0]])
    np.testing.assert_allclose(centroid_mm(pair), expected)


def test_totals_count_accepted_lesions_that_the_cut_leaves(pair: Lesions) -> None:
    raw = kept(pair, parse_method("raw"))
    both = total(pair, raw, [0, 1], bsa_m2=2.0)
    far = math.dist((-2, 26, 34), (11, 44, 50))
    assert both.lesions == 2
    assert both.tmtv_ml == pytest.approx(5 * 0.024)
    assert both.tlg_g == pytest.approx(16 * 0.024)
    assert both.suv_max == 6
    assert both.suv_peak == suv_peak(pair).max()
    assert both.dmax_mm == pytest.approx(far)
    assert both.sdmax_per_m == pytest.approx(far / 1000 / 2.0)
    four = total(pair, kept(pair, parse_method("4.0")), [0, 1])
    assert (four.lesions, four.dmax_mm, four.sdmax_per_m) == (1, 0.0, None)
    second = total(pair, raw, [1])
    assert (second.lesions, second.suv_max) == (1, 3.0)


def test_totals_of_nothing(pair: Lesions) -> None:
    nothing = Total(0.0, 0.0, 0, None, None, None, None)
    assert total(pair, kept(pair, parse_method("raw")), [], 1.9) == nothing
    assert total(pair, kept(pair, parse_method("9")), [0, 1], 1.9) == nothing
    none = pair.take([])
    assert total(none, kept(none, parse_method("41")), []) == nothing
    assert centroid_mm(none).shape == (0, 3)


def test_body_surface_after_dubois() -> None:
    assert bsa_dubois(70.0, 1.70) == pytest.approx(1.8097, abs=1e-4)


def test_the_41_percent_volume_of_a_gaussian_spot() -> None:
    """exp(−r²/2σ²) > 0.41 is a ball of radius σ √(2 ln(1/0.41))."""
    sigma, spacing, shape = 11.0, (3.27, 2.0, 2.5), (19, 31, 25)
    index = np.indices(shape) - np.array([9, 15, 12])[:, None, None, None]
    far = ((index * np.array(spacing)[:, None, None, None]) ** 2).sum(axis=0)
    grid = Grid.axial(shape, spacing, (-20.0, 30.0, 40.0))
    suv = Volume((12 * np.exp(-far / (2 * sigma**2))).astype(np.float32), grid, Unit.SUV)
    lesions = find_lesions(suv.with_array(suv.array > 1.0, Unit.LABEL), suv)
    assert len(lesions) == 1
    cut = measure(lesions, kept(lesions, parse_method("41")))
    radius = sigma * math.sqrt(2 * math.log(1 / 0.41))
    measured = (cut.volume_ml[0] * 1000 * 3 / (4 * math.pi)) ** (1 / 3)
    assert measured == pytest.approx(radius, abs=0.2)  # a tenth of the shortest voxel side
    r = np.linspace(0, radius, 20001)
    values = 12 * 4 * np.pi * r**2 * np.exp(-(r**2) / (2 * sigma**2)) / 1000
    assert cut.tlg_g[0] == pytest.approx(np.trapezoid(values, r), rel=0.03)
    np.testing.assert_allclose(centroid_mm(lesions)[0], grid.to_mm([9, 15, 12]), atol=1e-9)


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**32 - 1), st.sampled_from(["41", "2.5", "4.0", "otsu", "prob", "raw"]))
def test_totals_are_the_sums_of_lesions_in_any_order(seed: int, key: str) -> None:
    rng = np.random.default_rng(seed)
    grid = Grid.axial(SHAPE, SPACING)
    suv = Volume(rng.gamma(2.0, 2.0, SHAPE).astype(np.float32), grid, Unit.SUV)
    lesions = find_lesions(Volume(rng.random(SHAPE) < 0.1, grid, Unit.LABEL), suv)
    order = rng.permutation(len(lesions))
    method, turned = parse_method(key), lesions.take(order)
    cut = measure(lesions, kept(lesions, method))
    one = total(lesions, kept(lesions, method), np.arange(len(lesions)))
    two = total(turned, kept(turned, method), np.arange(len(lesions)))
    assert one.tmtv_ml == pytest.approx(cut.volume_ml.sum())
    assert one.tlg_g == pytest.approx(np.nansum(cut.suv_mean * cut.volume_ml))
    assert (one.lesions, one.suv_max, one.suv_peak) == (two.lesions, two.suv_max, two.suv_peak)
    assert one.tmtv_ml == pytest.approx(two.tmtv_ml)
    assert one.dmax_mm == pytest.approx(two.dmax_mm)


def test_suv_scales_what_should_scale(pair: Lesions) -> None:
    image = np.zeros(SHAPE, np.float32).reshape(-1)
    image[pair.voxels] = 2 * pair.suv
    twice = from_labels(pair.labels(), Volume(image.reshape(SHAPE), pair.grid, Unit.SUV))
    one, two = (measure(v, kept(v, parse_method("41"))) for v in (pair, twice))
    np.testing.assert_allclose(two.volume_ml, one.volume_ml)
    np.testing.assert_allclose(two.tlg_g, 2 * one.tlg_g)
    np.testing.assert_allclose(suv_peak(twice), 2 * suv_peak(pair), rtol=1e-6)


def test_the_peak_of_a_lesion_that_a_cut_removed_does_not_count() -> None:
    """A small hot lesion and a large lukewarm one, whose 1 mL sphere is the hotter."""
    labels, suv = np.zeros(SHAPE, np.uint8), np.zeros(SHAPE, np.float32)
    labels[1:6, 2:8, 6:13], suv[1:6, 2:8, 6:13] = 2, 3.9
    labels[3, 5, 1], suv[3, 5, 1] = 1, 5.0
    grid = Grid.axial(SHAPE, SPACING)
    lesions = from_labels(Volume(labels, grid, Unit.LABEL), Volume(suv, grid, Unit.SUV))
    small, large = suv_peak(lesions)
    assert small < 1 < 3.8 < large
    both = total(lesions, kept(lesions, parse_method("2.5")), [0, 1])
    hot = total(lesions, kept(lesions, parse_method("4.0")), [0, 1])
    assert (both.lesions, both.suv_peak, both.suv_max) == (2, large, 5.0)
    assert (hot.lesions, hot.suv_peak, hot.suv_max) == (1, small, 5.0)
    assert hot.dmax_mm == 0.0


def test_dmax_is_between_the_farthest_of_several_in_any_order() -> None:
    labels, suv = np.zeros((1, 1, 40), np.uint8), np.ones((1, 1, 40), np.float32)
    for number, at in enumerate((20, 3, 38, 11), start=1):
        labels[0, 0, at] = number
    grid = Grid.axial(labels.shape, (1.0, 1.0, 2.5))
    lesions = from_labels(Volume(labels, grid, Unit.LABEL), Volume(suv, grid, Unit.SUV))
    raw = kept(lesions, parse_method("raw"))
    assert total(lesions, raw, [0, 1, 2, 3]).dmax_mm == pytest.approx(35 * 2.5)
    assert total(lesions, raw, [3, 0, 1], 1.75).sdmax_per_m == pytest.approx(17 * 2.5 / 1000 / 1.75)
    assert total(lesions, raw, [0, 3]).dmax_mm == pytest.approx(9 * 2.5)


def test_body_surface_by_du_bois() -> None:
    assert bsa_dubois(70.0, 1.75) == pytest.approx(1.8481, abs=1e-4)
    assert bsa_dubois(65.0, 1.60) == pytest.approx(1.6782, abs=1e-4)


def test_measures_of_no_lesion_are_empty(pair: Lesions) -> None:
    none = pair.take([])
    found = measure(none, np.zeros(0, np.bool_))
    for values in (found.voxels, found.volume_ml, found.suv_mean, found.tlg_g, suv_max(none)):
        assert values.shape == (0,)


@pytest.mark.parametrize(
    ("key", "value", "fits"),
    [
        ("tmtv_ml", 0.0, True), ("tmtv_ml", -1e-9, False), ("tmtv_ml", 1e9, True),
        ("tmtv_ml", 1e9 + 0.5, False), ("tlg_g", -1e9, True), ("tlg_g", -1e9 - 0.5, False),
        ("tlg_g", 1e9 + 0.5, False), ("lesions", 0, True), ("lesions", -1, False),
        ("lesions", 2**53 - 1, True), ("lesions", 2**53, False),
    ],
)  # fmt: skip
def test_what_a_file_may_say_of_a_total(key: str, value: float, fits: bool) -> None:
    said = {"tmtv_ml": 1.0, "tlg_g": 1.0, "lesions": 1, "suv_max": None, "suv_peak": None,
            "dmax_mm": None, "sdmax_per_m": None, key: value}  # fmt: skip
    if fits:
        assert getattr(msgspec.convert(said, Total), key) == value
        return
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert(said, Total)
