"""Voxels and lesions of two segmentations, counted by hand and by scikit-learn."""

from __future__ import annotations

import numpy as np
import pytest

from tmtv_engine.errors import GeometryError
from tmtv_engine.report.agreement import Overlap, detection, dice, jaccard, overlap, summarise


def test_four_counts_and_their_ratios() -> None:
    found, reference = np.zeros((2, 3, 5), bool), np.zeros((2, 3, 5), bool)
    found[0, 0] = True  # 5 voxels
    reference[0, :2, 2:] = True  # 6, of which 3 shared
    counted = overlap(found, reference)
    assert counted == Overlap(3, 2, 3, 22)
    assert counted.dice == 6 / 11
    assert counted.jaccard == 3 / 8
    assert counted.sensitivity == 3 / 6
    assert counted.specificity == 22 / 24
    assert counted.ppv == 3 / 5
    assert counted.npv == 22 / 25
    assert (dice(found, reference), jaccard(found, reference)) == (6 / 11, 3 / 8)


def test_scikit_learn_agrees() -> None:
    metrics = pytest.importorskip("sklearn.metrics")
    rng = np.random.default_rng(0)
    found, reference = rng.random((2, 7, 11, 13)) < 0.3
    counted = overlap(found, reference)
    one, two = found.ravel(), reference.ravel()
    assert counted.dice == pytest.approx(metrics.f1_score(two, one))
    assert counted.jaccard == pytest.approx(metrics.jaccard_score(two, one))
    assert counted.ppv == pytest.approx(metrics.precision_score(two, one))
    assert counted.sensitivity == pytest.approx(metrics.recall_score(two, one))


def test_what_cannot_be_known_is_none() -> None:
    empty, full = np.zeros((2, 2, 2), np.uint8), np.ones((2, 2, 2), np.uint8)
    nothing = overlap(empty, empty)
    assert (nothing.dice, nothing.jaccard, nothing.sensitivity, nothing.ppv) == (None,) * 4
    assert (nothing.specificity, nothing.npv) == (1.0, 1.0)
    assert overlap(full, full).specificity is None
    assert dice(full, empty) == 0.0
    told = summarise([0.5, None, 1.0])
    assert (told.mean, told.known, told.unknown) == (0.75, 2, 1)
    assert summarise([None]).mean is None


def test_lesions_hit_missed_and_invented() -> None:
    reference, found = np.zeros((3, 5, 7), np.uint16), np.zeros((3, 5, 7), np.uint16)
    reference[0, 0, :4], reference[2, 4, :2], reference[1, 2, 5] = 300, 2, 7
    found[0, 0, 3:], found[2, 0, :3], found[1, 2, 5] = 1, 900, 4
    told = detection(found, reference, voxel_ml=0.5)
    assert (told.detected, told.missed) == ((7, 300), (2,))
    assert (told.true, told.false) == ((1, 4), (900,))
    assert (told.missed_ml, told.false_ml) == (1.0, 1.5)
    assert (told.sensitivity, told.ppv) == (2 / 3, 2 / 3)


def test_no_lesions_anywhere() -> None:
    empty = np.zeros((2, 2, 2), np.uint8)
    told = detection(empty, empty, 1.0)
    assert (told.sensitivity, told.ppv, told.missed_ml, told.false_ml) == (None, None, 0.0, 0.0)


def test_shapes_must_agree() -> None:
    with pytest.raises(GeometryError, match="cannot be compared"):
        overlap(np.zeros((1, 2, 3)), np.zeros((3, 2, 1)))
