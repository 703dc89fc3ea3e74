"""Pictures in pixels, over the blocks, where the reader asked for them: kitty's protocol or sixel.

The blocks stay beneath: a terminal that knows neither protocol shows those. Nothing is asked of it
for them, for a late answer would arrive as keys. No text of a patient gets in here.
"""

from __future__ import annotations

import struct
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt

from tmtv_tui.review.picture import GREYS, Placed, pool

Index = npt.NDArray[np.uint8]
Mask = npt.NDArray[np.bool_]
Colour = tuple[int, int, int]

DOTS = (16, 8)  # of a cell, down and across, for kitty, which scales
VT340 = (20, 10)  # of a cell where the terminal does not tell its size in pixels
GREY: tuple[Colour, ...] = tuple((8 + 10 * k,) * 3 for k in range(GREYS))  # type: ignore[misc]
GLYPHS = {
    "+": "...#... ...#... ...#... ####### ...#... ...#... ...#...",
    "x": "#.....# .#...#. ..#.#.. ...#... ..#.#.. .#...#. #.....#",
    "*": "...#... #..#..# .#.#.#. ..###.. .#.#.#. #..#..# ...#...",
    "?": ".####.. #....#. .....#. ...##.. ..#.... ....... ..#....",
    "R": "#####.. #....#. #....#. #####.. #..#... #...#.. #....#.",
    "L": "#...... #...... #...... #...... #...... #...... ######.",
    "A": "..##... .#..#.. #....#. #....#. ######. #....#. #....#.",
    "P": "#####.. #....#. #....#. #####.. #...... #...... #......",
    "H": "#....#. #....#. #....#. ######. #....#. #....#. #....#.",
    "F": "######. #...... #...... ####... #...... #...... #......",
    "m": "....... ....... ##.##.. #.#..#. #.#..#. #.#..#. #.#..#.",
    "0": ".####.. #....#. #...##. #.##.#. ##...#. #....#. .####..",
    "1": "..##... .#.#... ...#... ...#... ...#... ...#... .#####.",
    "2": ".####.. #....#. .....#. ...##.. ..#.... .#..... ######.",
    "3": ".####.. #....#. .....#. ..###.. .....#. #....#. .####..",
    "4": "....#.. ...##.. ..#.#.. .#..#.. ######. ....#.. ....#..",
    "5": "######. #...... #####.. .....#. .....#. #....#. .####..",
    "6": ".####.. #...... #####.. #....#. #....#. #....#. .####..",
    "7": "######. .....#. ....#.. ...#... ..#.... ..#.... ..#....",
    "8": ".####.. #....#. #....#. .####.. #....#. #....#. .####..",
    "9": ".####.. #....#. #....#. .#####. .....#. .....#. .####..",
}
STROKES = {"│": (1, 0), "─": (0, 1), "━": (0, 1)}
"""Signs that go through their cell: down, across."""
Pixels = tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]


@dataclass(frozen=True, eq=False)
class Layer:
    """What one widget shows.

    ``line``, ``column``: the screen's cell at its upper left. ``placed`` says how many cells it
    takes and which box of ``image`` (SUV, y, x) they show, black at ``white_suv``. ``frames``: the
    image's pixels (rows, cols) that are framed and in which colour, the last over all; ``glyphs``:
    signs and their colours by cell.
    """

    line: int
    column: int
    placed: Placed
    image: npt.NDArray[np.floating]
    white_suv: float
    frames: Sequence[tuple[Pixels, str]]
    glyphs: Mapping[tuple[int, int], tuple[str, str]]


def greys(layer: Layer, dots: tuple[int, int]) -> Index:
    """The picture (y, x), 0 … 23 from black to white, at most ``dots`` a cell and no more than
    the image has."""
    top, bottom, left, right = layer.placed.box
    part = layer.image[top:bottom, left:right]
    lines, columns = layer.placed.cells
    small = pool(part, min(part.shape[0], lines * dots[0]), 0)
    small = pool(small, min(part.shape[1], columns * dots[1]), 1)
    dark = np.clip(small / layer.white_suv, 0, 1) * (GREYS - 1)
    return np.asarray(GREYS - 1 - np.rint(dark), dtype=np.uint8)


def marks(layer: Layer, dots: tuple[int, int], palette: list[Colour], plain: bool) -> Index:
    """Frames and signs (y, x) at ``dots`` a cell as numbers of ``palette``, which grows; 0: none.

    Signs have a white rim. ``plain``: all in black.
    """
    lines, columns = layer.placed.cells
    out = np.zeros((lines * dots[0], columns * dots[1]), np.uint8)
    thick = max(1, dots[1] // 8)
    insides = [stretched(layer.placed.mask(pixels), out.shape) for pixels, _ in layer.frames]
    held = np.any(insides, axis=0) if insides else np.zeros(out.shape, bool)
    for k, (inside, (_, colour)) in enumerate(zip(insides, layer.frames, strict=True)):
        box, edge = _edge(inside, 2 * thick)
        if k + 1 < len(insides):
            edge &= ~held[box]
        out[box][edge] = _number(colour, palette, plain)
    for (line, column), (sign, colour) in layer.glyphs.items():
        if sign in STROKES:
            _stroke(out, (line, column), dots, STROKES[sign], _number(colour, palette, plain))
            continue
        ink, rim = _stamps(sign, thick)
        y = line * dots[0] + (dots[0] - ink.shape[0]) // 2
        x = column * dots[1] + (dots[1] - ink.shape[1]) // 2
        _stamp(out, rim, y, x, _number("rgb(255,255,255)", palette, False))
        _stamp(out, ink, y, x, _number(colour, palette, plain))
    return out


def _edge(inside: Mask, by: int) -> tuple[tuple[slice, slice], Mask]:
    """The box of a footprint with its surroundings, and those ``by`` dots wide in it."""
    rows, cols = np.flatnonzero(inside.any(axis=1)), np.flatnonzero(inside.any(axis=0))
    if not len(rows):
        return (slice(0, 0), slice(0, 0)), np.zeros((0, 0), bool)
    box = (
        slice(max(0, int(rows[0]) - by), int(rows[-1]) + by + 1),
        slice(max(0, int(cols[0]) - by), int(cols[-1]) + by + 1),
    )
    return box, _grown(inside[box], by) & ~inside[box]


def _stroke(
    out: Index, cell: tuple[int, int], dots: tuple[int, int], way: tuple[int, int], number: int
) -> None:
    """A line down or across the middle of a cell."""
    thick = max(1, dots[1] // 8)
    spans = []
    for at, size, along in zip(cell, dots, way, strict=True):
        first = at * size if along else at * size + (size - thick) // 2
        spans.append(slice(first, first + (size if along else thick)))
    out[spans[0], spans[1]] = number


def stretched(image: npt.NDArray[Any], shape: tuple[int, ...]) -> npt.NDArray[Any]:
    """An image at another size: the nearest pixel, the maximum where it shrinks."""
    return pool(pool(image, shape[0], 0), shape[1], 1)


def _grown(mask: Mask, by: int) -> Mask:
    out = mask.copy()
    for _ in range(by):
        wider = np.pad(out, 1)
        out = np.any(
            [
                wider[y : y + mask.shape[0], x : x + mask.shape[1]]
                for y in range(3)
                for x in range(3)
            ],
            axis=0,
        )
    return out


@lru_cache
def _stamps(sign: str, thick: int) -> tuple[Mask, Mask]:
    """A sign's strokes (y, x) and its rim, in one box."""
    rows = GLYPHS.get(sign, GLYPHS["?"]).split()
    strokes = np.array([[c == "#" for c in row] for row in rows])
    ink = np.pad(np.kron(strokes, np.ones((thick, thick), bool)).astype(bool), thick)
    return ink, _grown(ink, thick)


def _stamp(out: Index, spots: Mask, y: int, x: int, number: int) -> None:
    """A number where a stamp whose corner lies at y, x has dots, as far as the picture goes."""
    top, left = max(0, -y), max(0, -x)
    there = out[y + top : y + spots.shape[0], x + left : x + spots.shape[1]]
    part = spots[top : top + there.shape[0], left : left + there.shape[1]]
    np.copyto(there, np.uint8(number), where=part)


def _number(colour: str, palette: list[Colour], plain: bool) -> int:
    """The palette's number of ``rgb(r,g,b)``."""
    wanted = (0, 0, 0) if plain else _rgb(colour)
    if wanted not in palette[1:]:
        palette.append(wanted)
    return palette.index(wanted, 1)


@lru_cache
def _rgb(colour: str) -> Colour:
    red, green, blue = (int(n) for n in colour[4:-1].split(","))
    return red, green, blue


def merged(layer: Layer, dots: tuple[int, int], palette: list[Colour], plain: bool) -> Index:
    """The picture with all that is marked in it (y, x), at ``dots`` a cell, as numbers of the
    greys and then of ``palette`` less its first, which grows."""
    signs = marks(layer, dots, palette, plain)
    image = np.array(stretched(greys(layer, dots), signs.shape))
    marked = signs > 0
    image[marked] = signs[marked] + (len(GREY) - 1)
    return image


def cell_pixels() -> tuple[int, int] | None:
    """A cell's height and width in pixels as the kernel knows them; None where it does not."""
    try:
        import fcntl
        import termios

        raw = fcntl.ioctl(sys.__stdin__.fileno(), termios.TIOCGWINSZ, bytes(8))  # type: ignore[union-attr]
    except (ImportError, OSError, AttributeError, ValueError):
        return None
    rows, columns, wide, high = struct.unpack("HHHH", raw)
    if not (rows and columns and wide >= columns and high >= rows):
        return None
    return high // rows, wide // columns
