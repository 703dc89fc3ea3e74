"""What a step is shown: order, motion, framing, and pieces as small images lie."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from tests.train.test_train import TINY
from tmtv_engine.model.recipes import RECIPES
from tmtv_engine.phantom.sample import Sample
from tmtv_engine.train.augment import motion, moved
from tmtv_engine.train.lesson import Patient, lessons_of, piece
from tmtv_engine.train.source import framed


def test_no_motion_leaves_the_image_alone() -> None:
    image = torch.rand(2, 6, 8, 10)
    still = torch.eye(4)[:3]
    assert moved(image, still, -1000.0) == pytest.approx(image, abs=1e-3)


def test_motion_keeps_lengths_on_grids_that_are_no_cubes() -> None:
    """In millimetres the matrix is a turn times one scale, within the paper's bounds."""
    shape, spacing = (32, 16, 8), 4.0
    half = np.array([8, 16, 32]) * spacing / 2
    for seed in range(20):
        matrix = motion(np.random.default_rng(seed), shape, spacing).double().numpy()
        turn = matrix[:, :3] * half[:, None] / half[None, :]
        scale = np.cbrt(np.linalg.det(turn))
        assert 0.9 <= scale <= 1.1
        assert turn @ turn.T == pytest.approx(np.eye(3) * scale**2, abs=1e-5)
        assert np.abs(matrix[:, 3] * half).max() <= 10.0
        assert np.degrees(np.arccos(np.clip((np.trace(turn / scale) - 1) / 2, -1, 1))) <= 7.4


def test_lessons_are_each_patient_twice_in_an_order_of_the_epoch() -> None:
    paths = [Path(str(k)) for k in range(5)]
    one, two = (lessons_of(paths, TINY, epoch) for epoch in (0, 1))
    assert sorted((x.number, x.extra) for x in one) == [(k, e) for k in range(5) for e in (0, 1)]
    assert one == lessons_of(paths, TINY, 0)
    assert [x.number for x in one] != [x.number for x in two]


@pytest.mark.parametrize(("body", "kept"), [((20, 45), (16, 48)), ((10, 45), (3, 51))])
def test_a_drawn_patient_is_framed_as_the_model_grid_frames_a_scan(
    body: tuple[int, int], kept: tuple[int, int]
) -> None:
    suv = np.zeros((32, 64, 16), np.float16)
    suv[:, body[0] : body[1]] = 1.0
    suv[0, 0, :8] = 1.0  # scattered counts of 4 mL: less than a row of body
    y = np.arange(64, dtype=np.float16)[None, :, None] * np.ones_like(suv)
    drawn = Sample(7, suv, y, suv, np.zeros(suv.shape, np.uint8))
    sample = framed(drawn, RECIPES["coarse"])
    assert sample.ct is not None
    assert sample.suv.shape == sample.prob.shape == (32, kept[1] - kept[0], 16)
    assert (sample.ct[0, :, 0] == np.arange(*kept)).all()


@pytest.mark.parametrize("seed", range(8))
def test_a_piece_is_laid_as_a_small_image_is(seed: int) -> None:
    z, y, x = np.indices((100, 60, 40)).astype(np.float16)
    suv = np.full_like(z, 0.3)
    suv[[0, -1]] = suv[:, [0, -1]] = suv[:, :, [0, -1]] = 0.5  # rim: no place is empty
    prob = np.zeros_like(z)
    prob[12, 20, 30] = 1.0
    tensors = [torch.from_numpy(a) for a in (suv, prob, z, y, x)]
    parts = [
        piece(Patient(tensors[0], hu, tensors[1]), np.random.default_rng(seed))
        for hu in tensors[2:]
    ]
    filled = np.argwhere(parts[0].suv.numpy() > 0)
    low, high = filled.min(axis=0), filled.max(axis=0) + 1
    assert len(filled) == np.prod(high - low) < suv.size / 2  # one box
    assert high[0] == 100  # its top is the head end
    assert abs(low[1] - (60 - high[1])) <= 1  # it lies amid rows
    assert abs(low[2] - (40 - high[2])) <= 1  # and columns
    box = tuple(slice(a, b) for a, b in zip(low, high, strict=True))
    for axis, part in enumerate(parts):  # nothing is turned or stretched: places are in a row
        assert part.hu is not None
        assert (np.diff(part.hu.numpy()[box], axis=axis) == 1).all()
        assert (part.hu[parts[0].suv == 0] == -1000).all()
