"""Blocks in colours turned about: fewer bytes, every dot as it should be."""

from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.emulator import Emulator
from tmtv_tui.review.glyphs import BLOCKS, TURNED
from tmtv_tui.terminal.thrift import Cell, Pen, Shown, _changed

COLOURS = ("5;232", "5;240", "5;255", "2;1;2;3")
Drawn = tuple[str, ...]


def dots(mode: str, glyph: str, fore: str, back: str) -> Drawn:
    """The colour of each dot of a cell."""
    bits = BLOCKS[mode].index(glyph)
    count = len(BLOCKS[mode]).bit_length() - 1
    return tuple(fore if bits >> k & 1 else back for k in range(count))


def seen(emulator: Emulator, mode: str, at: tuple[int, int]) -> Drawn:
    glyph, pen = emulator.cells[at]
    fore, back = (re.findall(rf"{n}8;(5;\d+|2;\d+;\d+;\d+)", pen) for n in (3, 4))
    return dots(mode, glyph, fore[-1] if fore else "", back[-1] if back else "")


@pytest.mark.parametrize("mode", list(BLOCKS))
@settings(max_examples=20)
@given(data=st.data())
def test_every_dot_has_its_colour(mode: str, data: st.DataObject) -> None:
    colour = st.sampled_from(COLOURS)
    cell = st.tuples(st.sampled_from(BLOCKS[mode]), colour, colour)
    emulator, shown = Emulator(), Shown()
    for _ in range(3):  # a line, and twice what changed of it
        line = data.draw(st.lists(cell, min_size=12, max_size=12))
        line = [(g, f, f if g == " " else b) for g, f, b in line]  # as pictures have it
        cells: list[Cell] = [(g, ("", f"38;{f}", f"48;{b}")) for g, f, b in line]
        there, pen = shown.line(0, len(cells)), Pen()
        for low, high in _changed(cells, there[: len(cells)]):
            pen.move(0, low)
            pen.write(cells[low:high])
        there[: len(cells)] = cells
        emulator.feed(pen.done())
        for x, (glyph, fore, back) in enumerate(line):
            assert seen(emulator, mode, (0, x)) == dots(mode, glyph, fore, back)


def test_a_turned_block_saves_a_colour() -> None:
    pen = Pen()
    pen.move(0, 0)
    pen.write([("▀", ("", "38;5;1", "48;5;2")), ("▀", ("", "38;5;2", "48;5;1"))])
    pen.write([(" ", ("", "38;5;1", "48;5;1")), (" ", ("", "38;5;9", "48;5;2"))])
    assert pen.done() == "\x1b[1;1H\x1b[38;5;1;48;5;2m▀▄█ \x1b[0m"


def test_words_keep_their_spaces() -> None:
    pen = Pen()
    pen.move(2, 1)
    pen.write([("a", ("", "38;5;7", "48;5;0")), (" ", ("", "38;5;0", "48;5;7"))])
    assert "█" not in pen.done()


def test_a_jump_within_a_line_is_short() -> None:
    pen = Pen()
    for x in (3, 5, 40):
        pen.move(7, x)
        pen.write([("a", ("", "39", "49"))])
    assert pen.done() == "\x1b[8;4Ha\x1b[Ca\x1b[34Ca"


def test_the_other_block_has_the_other_dots() -> None:
    assert TURNED["▀"] == "▄"
    assert TURNED[" "] == "█"
    for drawn in BLOCKS.values():
        full = len(drawn) - 1
        assert all(drawn.index(TURNED[g]) == full - k for k, g in enumerate(drawn))
