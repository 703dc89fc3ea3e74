"""`mip.png`: what lies over what, what is faint, and numbers that never lie over each other."""

from __future__ import annotations

from itertools import combinations
from pathlib import Path

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace
from PIL import Image

from tests.support.cases import make_case
from tmtv_engine.case.lettering import Box, places
from tmtv_engine.case.picture import drawing_order, write_picture
from tmtv_engine.lesion.origin import Status, Structure

WIDE, HIGH = 300, 200
boxes = st.builds(
    lambda x, y, w, h: Box(x, y, x + w, y + h),
    st.integers(-20, WIDE), st.integers(-20, HIGH), st.integers(1, 60), st.integers(1, 60),
)  # fmt: skip


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(boxes, st.integers(6, 30), st.integers(8, 14)), max_size=60))
def test_no_number_lies_over_another_or_outside(told: list[tuple[Box, int, int]]) -> None:
    found = places([b for b, _, _ in told], [(w, h) for _, w, h in told], WIDE, HIGH)
    there = [box for box in found if box is not None]
    for (_, wide, high), box in zip(told, found, strict=True):
        if box is not None:
            assert (box.right - box.left, box.bottom - box.top) == (wide, high)
            assert 0 <= box.left <= box.right <= WIDE
            assert 0 <= box.top <= box.bottom <= HIGH
    for a, b in combinations(there, 2):
        shared = np.zeros((HIGH, WIDE), np.uint8)
        shared[a.top : a.bottom, a.left : a.right] += 1
        shared[b.top : b.bottom, b.left : b.right] += 1
        assert shared.max() == 1


def test_the_first_has_its_corner_and_the_next_steps_aside() -> None:
    box, size = Box(50, 60, 80, 90), (10, 12)
    first, second = places([box, box], [size, size], WIDE, HIGH)
    assert first == Box(81, 54, 91, 66)
    assert second is not None
    assert second.left >= 92 or second.right <= 80 or second.top >= 67 or second.bottom <= 53
    assert places([box], [(WIDE + 1, 12)], WIDE, HIGH) == (None,)
    many = places([box] * 900, [size] * 900, WIDE, HIGH)
    assert many[0] is not None
    assert many[-1] is None  # no room near it


def _colours(path: Path) -> dict[tuple[int, int, int], int]:
    pixels = np.asarray(Image.open(path).convert("RGB")).reshape(-1, 3)
    values, counts = np.unique(pixels, axis=0, return_counts=True)
    return {tuple(v.tolist()): int(n) for v, n in zip(values, counts, strict=True)}


def test_what_is_named_physiologic_is_faint_and_below(tmp_path: Path) -> None:
    case = make_case(tmp_path)
    rows = case.record.lesions
    assert [r.status for r in rows] == ["accepted", "accepted", "candidate"]
    blue = Status.CANDIDATE.paper
    lesions, mip = case.voxels(), case.mip()
    write_picture(tmp_path / "plain.png", mip, lesions, case.record)
    assert _colours(tmp_path / "plain.png")[blue] > 50
    half = replace(rows[2], structure=Structure("bladder", 0.5, "organs"))
    named = replace(case.record, lesions=(*rows[:2], half))
    write_picture(tmp_path / "named.png", mip, lesions, named)
    told = _colours(tmp_path / "named.png")
    assert blue not in told
    red = Status.ACCEPTED.paper
    assert told[red] >= _colours(tmp_path / "plain.png")[red]
    less = replace(rows[2], structure=Structure("bladder", 0.49, "organs"))
    write_picture(tmp_path / "less.png", mip, lesions, replace(named, lesions=(*rows[:2], less)))
    assert (tmp_path / "less.png").read_bytes() == (tmp_path / "plain.png").read_bytes()
    assert drawing_order(named.lesions)[0] == 2
    taken = replace(half, status=Status.ACCEPTED)
    write_picture(tmp_path / "taken.png", mip, lesions, replace(named, lesions=(*rows[:2], taken)))
    assert blue not in _colours(tmp_path / "taken.png")


def test_accepted_ones_lie_on_top_the_larger_above_the_smaller(tmp_path: Path) -> None:
    first, second, third = make_case(tmp_path).record.lesions
    told = [
        replace(first, status=Status.ACCEPTED, voxels=10),
        replace(second, status=Status.REJECTED, voxels=900),
        replace(third, status=Status.ACCEPTED, voxels=20),
        replace(third, status=Status.CANDIDATE, voxels=5),
        replace(third, structure=Structure("brain", 0.9, "network"), status=Status.CANDIDATE),
    ]
    assert drawing_order(told) == [4, 1, 3, 0, 2]
