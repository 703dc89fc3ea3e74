"""Dots to what a terminal draws: blocks of two to eight dots, braille, or letters.

A cell has two colours, so its dots are parted in two: marked and not, else light and dark. The
dark part is drawn as dark as its darkest dot, for that is the uptake.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache

import numpy as np
import numpy.typing as npt
from rich.segment import Segment
from rich.style import Style

from tmtv_tui.review.glyphs import BLOCKS, BRAILLE
from tmtv_tui.review.picture import CELLS, GREYS, Placed

RAMP = "@%#*+=-:. "  # from hot to cold
FILLED = "+"
BRIGHT = {"rgb(0,95,175)": "rgb(95,175,255)"}  # blue where the picture is dark
Marks = Mapping[tuple[int, int], str]
Glyphs = Mapping[tuple[int, int], tuple[str, str]]
Draw = Callable[[npt.NDArray[np.uint8], Sequence[Sequence[str | None]], Style], list[Segment]]


@lru_cache(maxsize=8192)
def style_of(above: str, below: str, bold: bool = False) -> Style:
    """Foreground, background."""
    return Style.parse(f"{'bold ' if bold else ''}{above} on {below}")


def grey_of(level: int) -> str:
    """One of the 24 greys of a 256-colour terminal."""
    value = 8 + 10 * level
    return f"rgb({value},{value},{value})"


def draw_line(
    placed: Placed, line: int, marks: Marks, glyphs: Glyphs, base: Style
) -> list[Segment]:
    """One line of cells: the picture, ``marks`` (dot → colour), ``glyphs`` (character, colour)
    on top. ``base`` is the style of the place, which letters keep."""
    down, across = placed.cell
    rows = range(line * down, (line + 1) * down)
    dots = placed.grey[rows.start : rows.stop]
    colours = [[marks.get((y, x)) for x in range(placed.wide)] for y in rows]
    found = DRAWN[placed.mode](dots, colours, base)
    for (y, x), (glyph, colour) in glyphs.items():
        if y == line and x < len(found):
            dark = int(dots[:, x * across : (x + 1) * across].min())
            found[x] = Segment(glyph, _glyph_style(glyph, colour, dark))
    return found


def _glyph_style(glyph: str, colour: str, level: int) -> Style:
    if glyph in FILLED:
        return style_of("rgb(255,255,255)", colour, True)
    # the picture stays seen around what counts for nothing
    bright = BRIGHT.get(colour, "rgb(228,228,228)") if level < GREYS // 2 else colour
    return style_of(bright, grey_of(level), True)


def _blocks(mode: str) -> Draw:
    characters, (down, across) = BLOCKS[mode], CELLS[mode]
    weight = 1 << np.arange(down * across)

    def draw(
        dots: npt.NDArray[np.uint8], colours: Sequence[Sequence[str | None]], base: Style
    ) -> list[Segment]:
        cells = dots.reshape(down, -1, across).transpose(1, 0, 2).reshape(-1, down * across)
        low, high = cells.min(axis=1), cells.max(axis=1)
        lit = cells > ((low.astype(np.int64) + high) / 2)[:, None]
        light = (lit * cells.astype(np.int64)).sum(axis=1) // np.maximum(lit.sum(axis=1), 1)
        marked = _marked_cells(colours, across)
        found = []
        for x, (bits, dark, bright) in enumerate(
            zip((lit @ weight).tolist(), low.tolist(), light.tolist(), strict=True)
        ):
            if x in marked:
                found.append(_marked(characters, cells[x].tolist(), *marked[x]))
            elif bits:
                found.append(Segment(characters[bits], style_of(grey_of(bright), grey_of(dark))))
            else:
                found.append(Segment(" ", style_of(grey_of(dark), grey_of(dark))))
        return found

    return draw


def _marked_cells(
    colours: Sequence[Sequence[str | None]], across: int
) -> dict[int, tuple[int, str]]:
    """Cells with marked dots: which dots (bits), and their colour, that of the last."""
    found: dict[int, tuple[int, str]] = {}
    for y, row in enumerate(colours):
        for x, colour in enumerate(row):
            if colour is not None:
                bits, _ = found.get(x // across, (0, ""))
                found[x // across] = bits | 1 << (y * across + x % across), colour
    return found


def _marked(characters: str, dots: list[int], bits: int, colour: str) -> Segment:
    rest = [grey for k, grey in enumerate(dots) if not bits >> k & 1]
    if not rest:
        return Segment(" ", style_of(colour, colour))
    return Segment(characters[bits], style_of(colour, grey_of(min(rest))))


def _dotted(
    dots: npt.NDArray[np.uint8], colours: Sequence[Sequence[str | None]], base: Style
) -> list[Segment]:
    """Braille: a dot where there is uptake, in the place's own colours."""
    down, across = CELLS["braille"]
    cells = dots.reshape(down, -1, across).transpose(1, 0, 2).reshape(-1, down * across)
    inked = ((cells < GREYS // 2) @ (1 << np.arange(down * across))).tolist()
    marked = _marked_cells(colours, across)
    found = []
    for x, bits in enumerate(inked):
        own, colour = marked.get(x, (0, ""))
        style = base + Style.parse(f"bold {colour}") if colour else base
        found.append(Segment(BRAILLE[bits | own], style))
    return found


def _letters(
    dots: npt.NDArray[np.uint8], colours: Sequence[Sequence[str | None]], base: Style
) -> list[Segment]:
    return [
        Segment("o", base + Style.parse(f"bold {mark}"))
        if mark
        else Segment(RAMP[level * len(RAMP) // GREYS], base)
        for level, mark in zip(dots[0].tolist(), colours[0], strict=True)
    ]


DRAWN: Mapping[str, Draw] = {
    **{mode: _blocks(mode) for mode in BLOCKS},
    "braille": _dotted,
    "ascii": _letters,
    "kitty": _blocks("half"),
    "sixel": _blocks("half"),
}
