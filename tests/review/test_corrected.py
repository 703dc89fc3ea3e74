"""Laws of matching corrected ROIs with lesions, on random label maps."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tmtv_engine.case.cuts import Cuts
from tmtv_engine.image.volume import Grid, Unit, Volume
from tmtv_engine.lesion.lists import Lesions, from_labels
from tmtv_engine.lesion.methods import parse_method
from tmtv_engine.review.corrected import Correction, correct
from tmtv_engine.study.rois import Rois

SHAPE = (7, 11, 13)
GRID = Grid.axial(SHAPE, (2.0, 3.0, 4.0), (-5.0, 7.0, 11.0), "1.2.3")
Labels = npt.NDArray[np.int32]


def blobs(seed: int, n: int) -> Labels:
    """``n`` boxes (later ones over earlier ones), numbered without gaps."""
    rng = np.random.default_rng(seed)
    labels = np.zeros(SHAPE, np.int32)
    for number in range(1, n + 1):
        low = [int(rng.integers(0, size - 2)) for size in SHAPE]
        high = [a + int(rng.integers(1, 5)) for a in low]
        labels[tuple(slice(a, b) for a, b in zip(low, high, strict=True))] = number
    return np.unique(labels, return_inverse=True)[1].reshape(SHAPE).astype(np.int32)


def lesions_of(labels: Labels) -> Lesions:
    rng = np.random.default_rng(7)
    suv = Volume(rng.uniform(1, 12, SHAPE).astype(np.float32), GRID, Unit.SUV)
    return from_labels(Volume(labels, GRID, Unit.LABEL), suv)


def matched(
    lesions: Lesions, labels: Labels, kind: str = "labels", same: float = 0.5
) -> Correction:
    n = int(labels.max())
    status = {int(i): "accepted" for i in lesions.ids}
    reading: Any = SimpleNamespace(lesions=lesions, status=status)
    names = tuple(str(k + 1) for k in range(n))
    rois = Rois(Volume(labels, GRID, Unit.LABEL), names, kind)  # type: ignore[arg-type]
    methods = (parse_method("41"), parse_method("4.0"))
    return correct(reading, Cuts(lesions, methods, np.full(len(lesions), np.nan)), rois, same)


maps = st.builds(blobs, st.integers(0, 10_000), st.integers(1, 6))


@settings(max_examples=60, deadline=None)
@given(maps, maps, st.sampled_from(["labels", "mask"]), st.sampled_from([0.3, 0.5, 0.8, 1.0]))
def test_every_lesion_is_in_one_roi_or_rejected(
    a: Labels, b: Labels, kind: str, same: float
) -> None:
    lesions = lesions_of(a)
    found = matched(lesions, b, kind, same)
    assert len(set(found.accepted)) == len(found.accepted)
    assert sorted([*found.accepted, *found.rejected]) == [int(i) for i in lesions.ids]
    assert [m.roi for m in found.matches] == list(range(1, len(found.rois.names) + 1))
    assert all(m.dice >= same for m in found.matches if m.lesions)
    drawn = found.rois.labels.array
    assert ((drawn > 0) == (b > 0)).all()
    taken = [k for k in range(len(lesions)) if int(lesions.ids[k]) in found.accepted]
    flat = drawn.reshape(-1).copy()
    for roi in found.new:  # half of what is new is nobody's yet
        own = np.flatnonzero(flat == roi)
        assert 2 * np.isin(own, lesions.take(taken).voxels).sum() < len(own)


@settings(max_examples=30, deadline=None)
@given(maps)
def test_the_same_map_is_the_same_lesions(a: Labels) -> None:
    found = matched(lesions_of(a), a, same=1.0)
    assert [m.lesions for m in found.matches] == [(n,) for n in range(1, int(a.max()) + 1)]
    assert {m.dice for m in found.matches} <= {1.0}
    assert found.rejected == ()


@settings(max_examples=30, deadline=None)
@given(maps, st.sampled_from([4.0, 0.41]))
def test_a_cut_map_is_the_same_lesions(a: Labels, at: float) -> None:
    lesions = lesions_of(a)
    suv = np.zeros(SHAPE, np.float32).reshape(-1)
    suv[lesions.voxels] = lesions.suv
    top = np.zeros(int(a.max()) + 1)
    np.maximum.at(top, a.reshape(-1), suv)
    floor = at if at > 1 else at * top[a]
    cut = np.where(suv.reshape(SHAPE) > floor, a, 0).astype(np.int32)
    left = sorted(set(cut.ravel().tolist()) - {0})
    dense = np.searchsorted([0, *left], cut).astype(np.int32)
    found = matched(lesions, dense, same=1.0)
    assert [m.lesions for m in found.matches] == [(n,) for n in left]


def test_dice_by_hand() -> None:
    a = np.zeros(SHAPE, np.int32)
    a[1, 1, 1:9] = 1
    b = np.zeros(SHAPE, np.int32)
    b[1, 1, 3:11] = 1
    (match,) = matched(lesions_of(a), b).matches
    lesions = lesions_of(a)
    whole = 2 * 6 / 16
    options = [whole]
    for floor in (0.41 * lesions.suv.max(), 4.0):
        keep = lesions.voxels[lesions.suv > floor]
        options.append(2 * np.isin(keep, np.flatnonzero(b)).sum() / (8 + len(keep)))
    assert match.dice == pytest.approx(max(options))
