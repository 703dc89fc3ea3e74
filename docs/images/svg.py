"""A terminal's cells as a small SVG: one path a colour, one text a run of letters."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from html import escape

from rich.color import Color
from rich.style import Style
from textual.strip import Strip

from tmtv_tui.review.glyphs import BLOCKS
from tmtv_tui.review.picture import CELLS

WIDE, HIGH, SIZE = 8, 16, 13
DOWN, ACROSS = 12, 2  # a cell in parts: halves, thirds and quarters of it are whole
DOTS = {
    glyph: (bits, *CELLS[mode])
    for mode, glyphs in BLOCKS.items()
    for bits, glyph in enumerate(glyphs)
    if glyph != " "
}


def svg(strips: list[Strip]) -> str:
    """The whole picture, sharp at any size."""
    cols, rows = max(s.cell_length for s in strips), len(strips)
    boxes: list[tuple[int, int, int, int, str]] = []
    words: list[str] = []
    for y, strip in enumerate(strips):
        x = 0
        for text, style, _ in strip:
            fore, back = _colours(style or Style())
            for kind, part in _parts(text):
                boxes.append((x * ACROSS, y * DOWN, len(part) * ACROSS, DOWN, back))
                if kind:
                    boxes += _blocks(part, x, y, fore)
                elif part.strip():
                    words.append(_word(part, x, y, fore, style or Style()))
                x += len(part)
    paths: dict[str, str] = {}
    for at, line, wide, high, colour in _joined(boxes):
        left, top, w, h = (
            f"{n * size / parts:.4g}"
            for n, size, parts in (
                (at, WIDE, ACROSS),
                (line, HIGH, DOWN),
                (wide, WIDE, ACROSS),
                (high, HIGH, DOWN),
            )
        )
        place = f"M{left} {top}h{w}v{h}h-{w}z"
        paths[colour] = paths.get(colour, "") + place
    body = "".join(f'<path fill="{colour}" d="{d}"/>' for colour, d in paths.items())
    view = f"0 0 {cols * WIDE} {rows * HIGH}"
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="{view}" font-size="{SIZE}" '
        'font-family="DejaVu Sans Mono,Menlo,Consolas,monospace" '
        'shape-rendering="crispEdges">'
        f"<style>text{{white-space:pre}}</style>{body}{''.join(words)}</svg>\n"
    )


def _parts(text: str) -> Iterator[tuple[bool, str]]:
    """Runs of block characters and runs of others."""
    start = 0
    for k in range(1, len(text) + 1):
        if k == len(text) or (text[k] in DOTS) != (text[start] in DOTS):
            yield text[start] in DOTS, text[start:k]
            start = k


def _blocks(text: str, x: int, y: int, colour: str) -> list[tuple[int, int, int, int, str]]:
    found = []
    for k, c in enumerate(text):
        bits, down, across = DOTS[c]
        high, wide = DOWN // down, ACROSS // across
        for dot in range(down * across):
            if bits >> dot & 1:
                line, column = divmod(dot, across)
                place = (x + k) * ACROSS + column * wide, y * DOWN + line * high
                found.append((*place, wide, high, colour))
    return found


def _joined(
    boxes: Iterable[tuple[int, int, int, int, str]],
) -> list[tuple[int, int, int, int, str]]:
    """What is painted last, as runs along a line, equal runs in lines below each other joined."""
    cells: dict[int, dict[int, str]] = {}
    for x, y, wide, high, colour in boxes:
        for line in range(y, y + high):
            cells.setdefault(line, {}).update(dict.fromkeys(range(x, x + wide), colour))
    done: list[tuple[int, int, int, int, str]] = []
    open_: dict[tuple[int, int, str], tuple[int, int]] = {}
    for y in range(max(cells) + 2):
        runs = set(_runs(cells.get(y, {})))
        for key in [k for k in open_ if k not in runs]:
            top, high = open_.pop(key)
            done.append((key[0], top, key[1], high, key[2]))
        for key in runs:
            top, high = open_.get(key, (y, 0))
            open_[key] = (top, high + 1)
    return sorted(done, key=lambda b: (b[1], b[0]))


def _runs(line: dict[int, str]) -> Iterator[tuple[int, int, str]]:
    start = 0
    for x in range(1, len(line) + 1):
        if x == len(line) or line[x] != line[start]:
            yield start, x - start, line[start]
            start = x


def _word(text: str, x: int, y: int, colour: str, style: Style) -> str:
    left = len(text) - len(text.lstrip())
    text = text.strip()
    extra = ' font-weight="bold"' if style.bold else ""
    extra += ' font-style="italic"' if style.italic else ""
    extra += ' text-decoration="underline"' if style.underline else ""
    place = f'x="{(x + left) * WIDE}" y="{y * HIGH + 12}" textLength="{len(text) * WIDE}"'
    return f'<text {place} fill="{colour}"{extra}>{escape(text)}</text>'


def _colours(style: Style) -> tuple[str, str]:
    fore, back = _hex(style.color, "#e0e0e0"), _hex(style.bgcolor, "#121212")
    if style.reverse:
        fore, back = back, fore
    if style.dim:
        parts = zip(_rgb(fore), _rgb(back), strict=True)
        fore = "#" + "".join(f"{(2 * a + b) // 3:02x}" for a, b in parts)
    return fore, back


def _hex(colour: Color | None, default: str) -> str:
    return default if colour is None or colour.triplet is None else colour.triplet.hex


def _rgb(text: str) -> tuple[int, ...]:
    return tuple(int(text[k : k + 2], 16) for k in (1, 3, 5))
