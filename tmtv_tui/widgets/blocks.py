"""Dots to what a terminal draws: half blocks, quarter blocks, or letters of growing weight."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import lru_cache

import numpy as np
import numpy.typing as npt
from rich.segment import Segment
from rich.style import Style

from tmtv_tui.review.picture import GREYS, Placed

QUADS = " ▘▝▀▖▌▞▛▗▚▐▜▄▙▟█"  # bits: upper left 1, upper right 2, lower left 4, lower right 8
RAMP = "@%#*+=-:. "  # from hot to cold
FILLED = "+"
BRIGHT = {"rgb(0,95,175)": "rgb(95,175,255)"}  # blue where the picture is dark
Dots = set[tuple[int, int]]
Glyphs = Mapping[tuple[int, int], tuple[str, str]]
Draw = Callable[[npt.NDArray[np.uint8], list[list[bool]], str, Style], list[Segment]]


@lru_cache(maxsize=8192)
def style_of(above: str, below: str, bold: bool = False) -> Style:
    """Foreground, background."""
    return Style.parse(f"{'bold ' if bold else ''}{above} on {below}")


def grey_of(level: int) -> str:
    """One of the 24 greys of a 256-colour terminal."""
    value = 8 + 10 * level
    return f"rgb({value},{value},{value})"


def draw_line(
    placed: Placed, line: int, edge: Dots, colour: str, glyphs: Glyphs, base: Style
) -> list[Segment]:
    """One line of cells: the picture, ``edge`` in ``colour``, ``glyphs`` (character, colour)
    on top. ``base`` is the style of the place, which letters keep."""
    down, across = placed.cell
    dots = placed.grey[line * down : (line + 1) * down]
    rows = range(line * down, (line + 1) * down)
    marks = [[(y, x) in edge for x in range(placed.wide)] for y in rows]
    found = DRAWN[placed.cell](dots, marks, colour, base)
    for x in range(placed.wide // across):
        if (line, x) in glyphs:
            glyph, colour = glyphs[line, x]
            if glyph in FILLED:
                style = style_of("rgb(255,255,255)", colour, True)
            else:  # the picture stays seen around what counts for nothing
                level = int(dots[:, x * across : (x + 1) * across].min())
                on_dark = level < GREYS // 2
                style = style_of(
                    BRIGHT.get(colour, "rgb(228,228,228)") if on_dark else colour,
                    grey_of(level),
                    True,
                )
            found[x] = Segment(glyph, style)
    return found


def _half(
    dots: npt.NDArray[np.uint8], marks: list[list[bool]], colour: str, base: Style
) -> list[Segment]:
    found = []
    for above, below, over, under in zip(*dots.tolist(), *marks, strict=True):
        upper = colour if over else grey_of(above)
        lower = colour if under else grey_of(below)
        found.append(Segment("▀" if upper != lower else " ", style_of(upper, lower)))
    return found


def _quad(
    dots: npt.NDArray[np.uint8], marks: list[list[bool]], colour: str, base: Style
) -> list[Segment]:
    found = []
    (above, below), (over, under) = dots.tolist(), marks
    for x in range(0, len(above), 2):
        four = [above[x], above[x + 1], below[x], below[x + 1]]
        edge = [over[x], over[x + 1], under[x], under[x + 1]]
        if any(edge):
            front, set_ = colour, edge
        else:
            middle = (min(four) + max(four)) / 2
            set_ = [v > middle for v in four]
            lit = [v for v, on in zip(four, set_, strict=True) if on]
            front = grey_of(max(lit)) if lit else grey_of(four[0])
        rest = [v for v, on in zip(four, set_, strict=True) if not on]
        back = grey_of(min(rest)) if rest else front
        glyph = QUADS[sum(on << k for k, on in enumerate(set_))] if back != front else " "
        found.append(Segment(glyph, style_of(front, back)))
    return found


def _letters(
    dots: npt.NDArray[np.uint8], marks: list[list[bool]], colour: str, base: Style
) -> list[Segment]:
    edge = base + Style.parse(f"bold {colour}")
    return [
        Segment("o", edge) if mark else Segment(RAMP[level * len(RAMP) // GREYS], base)
        for level, mark in zip(dots[0].tolist(), marks[0], strict=True)
    ]


DRAWN: Mapping[tuple[int, int], Draw] = {(2, 1): _half, (2, 2): _quad, (1, 1): _letters}
