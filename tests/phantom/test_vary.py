"""Images varied: labels move with the image, numbers change and the truth stays."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from tmtv_engine.phantom.sample import Sample
from tmtv_engine.phantom.vary import Extent, density, gain, geometry, intensity, vary


def _marked(shape: tuple[int, int, int] = (30, 22, 26)) -> Sample:
    """A body whose SUV is its structure's label and whose map is half of that, over 20."""
    names = np.zeros(shape, np.uint8)
    names[4:26, 4:18, 4:22] = 18
    names[8:20, 6:12, 5:11] = 9
    suv = names.astype(np.float32)
    return Sample(5, suv, suv * 10 - 1000, suv / 20, names)


@pytest.mark.parametrize("seed", range(12))
def test_every_array_moves_alike(seed: int) -> None:
    moved = geometry(_marked(), np.random.default_rng(seed), Extent((64, 64, 64)))
    assert moved.ct is not None
    assert moved.suv.shape == moved.ct.shape == moved.prob.shape == moved.structures.shape
    np.testing.assert_allclose(moved.prob, moved.suv / 20, atol=1e-5)
    np.testing.assert_allclose(moved.ct, moved.suv * 10 - 1000, atol=1e-2)
    inside = np.abs(moved.suv - 18) < 1e-3  # all eight corners of these are one structure
    assert (moved.structures[inside] == 18).all()
    assert not moved.structures[moved.suv < 1e-6].any()


def test_the_same_numbers_vary_the_same() -> None:
    one, two = (vary(_marked(), np.random.default_rng(3)) for _ in range(2))
    np.testing.assert_array_equal(one.suv, two.suv)
    np.testing.assert_array_equal(one.structures, two.structures)


def test_numbers_change_and_the_truth_stays() -> None:
    sample = _marked()
    changed = intensity(sample, np.random.default_rng(0))
    assert changed.suv.shape == sample.suv.shape
    assert not np.array_equal(changed.suv, sample.suv)
    assert changed.suv.min() >= 0
    assert changed.prob is sample.prob
    assert changed.structures is sample.structures


def _scanned() -> torch.Tensor:
    """Soft tissue of 40 HU in the middle of air."""
    hu = torch.full((40, 30, 36), -1000.0)
    hu[6:34, 6:24, 6:30] = 40.0
    return hu


def test_a_ct_moves_a_little_against_the_pet_and_air_stays_air() -> None:
    means, moved = [], []
    for seed in range(60):
        seen = density(_scanned(), np.random.default_rng(seed))
        assert seen.min() == -1000.0
        assert (seen[:2, :, :2] < -990).all()
        means.append(float(seen[16:24, 12:18, 15:21].mean()))
        edge = (seen[12:28, 15, 15:21].mean() > -500) and seen[12:28, 5, 15:21].mean() > -950
        moved.append(bool(edge))
    assert abs(np.median(means) - 40) < 12  # calibration and contrast vary about what is true
    assert 15 < np.std(means) < 60
    assert 5 < sum(moved) < 55  # the border has moved over in some


def test_a_ct_leaves_the_pet_as_it_is() -> None:
    sample = _marked()
    with_ct = vary(sample, np.random.default_rng(7))
    without = vary(replace(sample, ct=None), np.random.default_rng(7))
    np.testing.assert_array_equal(with_ct.suv, without.suv)
    assert without.ct is None
    assert with_ct.ct is not None
    assert with_ct.ct.shape == with_ct.suv.shape


def test_a_ct_s_field_ends_before_the_pet_s_at_times() -> None:
    whole = torch.full((60, 70, 70), 40.0)
    ended = [density(whole, np.random.default_rng(seed)) < -900 for seed in range(80)]
    narrow = [bool(e[30, 0, 0] and not e[30, 35, 35]) for e in ended]
    short = [bool(e[0].all() or e[-1].all()) for e in ended]
    assert 6 <= sum(narrow) <= 28  # a fifth
    assert 3 <= sum(short) <= 24  # fifteen of a hundred


def test_gain_is_one_factor_between_a_third_and_three() -> None:
    image = torch.arange(24.0).reshape(2, 3, 4)
    factors = []
    for seed in range(200):
        out = gain(image, np.random.default_rng(seed))
        factor = float(out[0, 0, 1])
        torch.testing.assert_close(out, image * factor)
        factors.append(factor)
    assert np.exp(-0.9) <= min(factors) < np.exp(-0.4)
    assert np.exp(0.4) < max(factors) <= np.exp(0.9)


def test_bodies_lie_anywhere_and_in_any_phase() -> None:
    """No margin, extent or stride phase that a network could learn to rely on."""
    middles, shapes = [], set()
    for seed in range(60):
        moved = vary(_marked(), np.random.default_rng(seed))
        shapes.add(moved.suv.shape)
        where = np.argwhere(moved.structures > 0)
        if len(where):
            middles.append(where.mean(axis=0))
    assert len(shapes) > 40
    assert (np.std(middles, axis=0) > 2).all()
    phases = np.floor(np.array(middles)).astype(int) % 8
    assert all(len(set(phases[:, axis])) == 8 for axis in range(3))


def test_no_image_exceeds_its_extent() -> None:
    shapes = [
        vary(_marked(), np.random.default_rng(s), Extent((20, 16, 24))).suv.shape for s in range(20)
    ]
    assert np.max(shapes, axis=0).tolist() <= [20, 16, 24]
    assert all(np.array(s).min() >= 1 for s in shapes)


def test_a_field_that_is_cut_twice_is_eight_voxels_thick_at_least() -> None:
    """A piece of twelve slices less a margin of ten was two, which no mask of a body is made of."""
    shapes = [
        geometry(_marked((14, 12, 12)), np.random.default_rng(seed), Extent()).suv.shape
        for seed in range(300)
    ]
    assert min(min(shape) for shape in shapes) == 8
