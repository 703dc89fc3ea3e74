"""Cells of a picture: maxima survive shrinking, outlines lie outside, clicks find the lesion."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from rich.style import Style

from tests.support.cases import copied_case
from tmtv_engine.errors import UsageError
from tmtv_engine.image.projections import Mip
from tmtv_tui.review.glyphs import BLOCKS, BRAILLE
from tmtv_tui.review.picture import (
    CELLS,
    field_box,
    outline,
    place,
)
from tmtv_tui.review.prints import Footprints, body_box, footprints, nearest
from tmtv_tui.review.rules import Term, parse_rule
from tmtv_tui.review.words import change, position
from tmtv_tui.widgets.blocks import draw_line, grey_of


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
    case = copied_case(tmp_path)
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


def test_block_characters_are_unicodes() -> None:
    """Code points of Unicode 16's chart, dot 1 at the upper left, 2 beside it, and so on down."""
    octant, sextant = BLOCKS["octant"], BLOCKS["sextant"]

    def dots(text: str) -> int:
        return sum(1 << int(k) - 1 for k in text)

    assert [len(set(glyphs)) for glyphs in BLOCKS.values()] == [4, 16, 64, 256]
    assert octant[dots("3")] == "\U0001cd00"
    assert octant[dots("35678")] == "\U0001cdde"
    assert octant[dots("2345678")] == "\U0001cde5"
    assert octant[dots("1")] == "\U0001cea8"
    assert octant[dots("78")] == "▂"
    assert octant[dots("1357")] == "▌"
    assert sextant[dots("1")] == "\U0001fb00"
    assert sextant[dots("135")] == "▌"
    assert sextant[dots("23456")] == "\U0001fb3b"
    assert BRAILLE[dots("1")] == "⠁"
    assert BRAILLE[dots("2")] == "⠈"
    assert BRAILLE[dots("78")] == "⣀"


@pytest.mark.parametrize("mode", ["half", "quad", "sextant", "octant"])
def test_a_cell_is_as_dark_as_its_darkest_dot(mode: str) -> None:
    """One hot pixel on cold ground: its dot and no other is drawn, black."""
    down, across = CELLS[mode]
    for dot in range(down * across):
        image = np.zeros((down, across), np.float32)
        image[divmod(dot, across)] = 10.0
        placed = place(image, (0, down, 0, across), 1, 1, 10.0, mode)
        (cell,) = draw_line(placed, 0, {}, {}, Style())
        bits = BLOCKS[mode].index(cell.text)
        assert bits == (1 << down * across) - 1 - (1 << dot)  # what is light is in front
        assert cell.style is not None
        assert cell.style.bgcolor == Style.parse(f"on {grey_of(0)}").bgcolor
        assert cell.style.color == Style.parse(grey_of(23)).color


def test_few_greys_are_dithered_to_the_mean() -> None:
    """Four greys over a flat quarter: neither black nor white, and light as it was on average."""
    flat = np.full((64, 64), 2.5, np.float32)
    placed = place(flat, (0, 64, 0, 64), 64, 32, 10.0, "half", greys=4)
    assert set(np.unique(placed.grey)) <= {0, 8, 15, 23}
    assert len(np.unique(placed.grey)) == 2
    assert placed.grey.mean() / 23 == pytest.approx(0.75, abs=0.03)
    brain = place(flat * 3.2, (0, 64, 0, 64), 64, 32, 10.0, "half", greys=4)
    assert brain.grey.mean() < placed.grey.mean() / 3


def test_the_box_leaves_out_haze_and_arms_but_no_lesion() -> None:
    """A trunk of 120 mm, an arm that is a fifth as tall, haze below SUV 0.5, a lesion far out."""
    images = np.zeros((4, 50, 60), np.uint8)
    images[:, 5:45, 20:50] = 20  # SUV 2
    images[:, 5:13, 10:14] = 20
    images[:, :, 55:] = 3
    mip = Mip(images, np.array([0.0, 90.0, 180.0, 270.0]), 4.0, 0.0, 0.0, np.zeros(2), 0.1)
    assert body_box(mip) == (5, 45, 20, 50)
    far = Footprints({7: (np.array([47]), np.array([12]))}, {7: (47, 12)})
    assert body_box(mip, [far]) == (5, 48, 12, 50)
    air = Mip(np.zeros_like(images), mip.angles_deg, 4.0, 0.0, 0.0, np.zeros(2), 0.1)
    assert body_box(air) == field_box(air) == (0, 50, 0, 60)
