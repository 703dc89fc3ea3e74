"""Cells of a picture: maxima survive shrinking, outlines lie outside, clicks find the lesion."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.support.cases import make_case
from tmtv_engine.errors import UsageError
from tmtv_tui.review.picture import body_box, footprints, nearest, outline, place
from tmtv_tui.review.rules import Term, parse_rule
from tmtv_tui.review.state import change, position


def test_shrinking_keeps_every_maximum() -> None:
    image = np.zeros((37, 23), np.float32)
    image[17, 11] = 10.0
    for cols, rows in ((8, 5), (5, 9), (23, 19), (60, 40)):
        placed = place(image, (0, 37, 0, 23), cols, rows, 10.0)
        assert placed.grey.min() == 0
        spot = placed.spot(17, 11)
        assert spot is not None
        assert placed.grey[spot] == 0
        assert placed.grey.shape[0] % 2 == 0
        assert placed.grey.shape[0] <= 2 * rows
        assert placed.grey.shape[1] <= cols


def test_grey_is_linear_in_suv_and_dark_where_hot() -> None:
    image = np.array([[0.0, 5.0], [10.0, 99.0]], np.float32)
    placed = place(image, (0, 2, 0, 2), 2, 1, 10.0)
    assert placed.grey.tolist() == [[23, 11], [0, 0]]


def test_outlines_lie_outside_the_lesion_and_clicks_find_it(tmp_path: Path) -> None:
    case = make_case(tmp_path)
    mip, lesions = case.mip(), case.voxels()
    for angle in (0, 6):
        prints = footprints(lesions, mip, angle)
        placed = place(mip.suv(angle), body_box(mip), 40, 20, 10.0)
        for number, pixels in prints.pixels.items():
            inside = placed.inside(pixels)
            edge = outline(placed, pixels)
            assert edge
            assert not edge & inside
            spot = placed.spot(*prints.peaks[number])
            assert spot in inside
            assert placed.grey[spot] == min(int(placed.grey[cell]) for cell in inside)
            assert nearest(prints, placed, *spot) == number
        assert nearest(prints, placed, 0, 0, reach=1.0) is None


def test_words() -> None:
    assert change(12.34, 12.34) == "12.3"
    assert change(12.3, 8.1) == "12.3 → 8.1 (−4.2)"
    assert position(np.array([-22.4, 33.0, 120.0])) == "R22 P33 z120"
    assert parse_rule(" ml < 2.5 ") == (Term("ml", False, 2.5),)
    both = (Term("suvmax", True, 3.0), Term("z", False, -600.0))
    assert parse_rule("suvmax>3, z < -600") == parse_rule("suvmax>3 and z<-600") == both
    for text in ("", "ml", "volume<2", "ml<2 or z>3", "ml<-", "ml<2 x"):
        with pytest.raises(UsageError, match="a rule is"):
            parse_rule(text)
