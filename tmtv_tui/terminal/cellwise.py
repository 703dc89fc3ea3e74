"""Pictures that lie in the text's cells: sixel, and kitty's placeholders in tmux.

Text that is written over a cell takes its part of the picture away, so each cell's part is sent
again where it changed or was written over, and no other.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import count
from math import gcd

import numpy as np
import numpy.typing as npt

from tmtv_tui.terminal.kitty import (
    FIRST_COLOUR,
    deleted,
    kept,
    number_of,
    passed,
    placeholders,
    png,
)
from tmtv_tui.terminal.painter import Pictured, Runs, layers_of, same_marks, same_picture
from tmtv_tui.terminal.pixels import DOTS, GREY, VT340, Colour, Index, Layer, cell_pixels, merged
from tmtv_tui.terminal.sixel import sixel

Cells = npt.NDArray[np.bool_]
Box = tuple[int, int, int, int]
TILE = (6, 24)  # cells of an image in tmux: what a change sends again
NUMBERS = 256 - FIRST_COLOUR


@dataclass
class _Sent:
    """What a view shows: its ``image`` at the dots of its cells, which of these (lines, columns)
    were written over since; in tmux the numbers of its tiles."""

    layer: Layer
    image: Index
    torn: Cells
    numbers: list[int] = field(default_factory=list)

    def tear(self, written: Runs | None) -> None:
        """Text was written."""
        if written is None:
            self.torn[:] = True
            return
        high, wide = self.torn.shape
        for y, first, last in written:
            line, left = y - self.layer.line, max(0, first - self.layer.column)
            if 0 <= line < high and left < wide:
                self.torn[line, left : max(left, last - self.layer.column)] = True


class _Cellwise:
    """What both have in common."""

    def __init__(self, plain: bool = False) -> None:
        self.plain = plain
        self._sent: dict[Pictured, _Sent] = {}
        self._palette: list[Colour] = [(0, 0, 0)]  # numbers stand: terminals may share them

    def follow(self, views: Sequence[Pictured] | None, written: Runs | None) -> tuple[str, bool]:
        """As `Painter`."""
        for sent in self._sent.values():
            sent.tear(written)
        if views is None:
            return "", False
        layers = layers_of(views)
        left = [
            view
            for view, sent in self._sent.items()
            if view not in layers or not _covers(layers[view], sent.layer)
        ]
        text = "".join(self._forgotten(view) for view in left)
        if left and written is not None:  # their dots are still there
            return text, True
        return text + "".join(self._updated(view, layer) for view, layer in layers.items()), False

    def farewell(self) -> str:
        """As `Painter`."""
        return "".join(self._forgotten(view) for view in list(self._sent))

    def _updated(self, view: Pictured, layer: Layer) -> str:
        before, dots, text = self._sent.get(view), self._dots(), ""
        shape = tuple(n * size for n, size in zip(layer.placed.cells, dots, strict=True))
        if before is not None and (
            before.image.shape != shape or _corner(before.layer) != _corner(layer)
        ):
            text, before = self._forgotten(view), None
        torn = np.ones(layer.placed.cells, bool) if before is None else before.torn
        if before is None:
            image, changed = merged(layer, dots, self._palette, self.plain), torn
        elif same_picture(before.layer, layer) and same_marks(before.layer, layer):
            image, changed = before.image, np.zeros_like(torn)
        else:
            image = merged(layer, dots, self._palette, self.plain)
            changed = _by_cell(image != before.image, dots)
        numbers = before.numbers if before else []
        self._sent[view] = sent = _Sent(layer, image, np.zeros_like(torn), numbers)
        if (changed | torn).any():
            text += self._drawn(sent, dots, changed, torn)
        return f"\x1b7{text}\x1b8" if text else ""

    def _dots(self) -> tuple[int, int]:
        """Of a cell, down and across."""
        raise NotImplementedError

    def _drawn(self, sent: _Sent, dots: tuple[int, int], changed: Cells, torn: Cells) -> str:
        """What shows the cells that changed or were written over."""
        raise NotImplementedError

    def _forgotten(self, view: Pictured) -> str:
        """What takes a view's picture out of the terminal's memory."""
        raise NotImplementedError


class Sixels(_Cellwise):
    """``whole``: all of a picture each time, for tmux, which keeps each that it is sent, at most
    ten, and takes one away with the first text over any part of it."""

    def __init__(self, plain: bool = False, whole: bool = False) -> None:
        super().__init__(plain)
        self.whole = whole

    def _dots(self) -> tuple[int, int]:
        return cell_pixels() or VT340

    def _drawn(self, sent: _Sent, dots: tuple[int, int], changed: Cells, torn: Cells) -> str:
        lines, columns = changed.shape
        boxes = _boxes(changed | torn)
        if self.whole or cell_pixels() is None:  # a part would lie elsewhere
            boxes = [(0, lines, 0, columns)]
        colours, out = [*GREY, *self._palette[1:]], []
        for top, bottom, left, right in boxes:
            part = sent.image[top * dots[0] : bottom * dots[0], left * dots[1] : right * dots[1]]
            out.append(_to(sent.layer, top, left) + sixel(part, colours))
        return "".join(out)

    def _forgotten(self, view: Pictured) -> str:
        del self._sent[view]
        return ""


class Placeholders(_Cellwise):
    """An image a tile, in numbers that no other process here takes."""

    def __init__(self, plain: bool = False) -> None:
        super().__init__(plain)
        self._high = 1 + os.getpid() % 200

    def follow(self, views: Sequence[Pictured] | None, written: Runs | None) -> tuple[str, bool]:
        """As `Painter`; where all was written, the terminal may have been another's meanwhile."""
        if written is None and views is not None:
            gone = self.farewell()
            text, torn = super().follow(views, written)
            return gone + text, torn
        return super().follow(views, written)

    def _dots(self) -> tuple[int, int]:
        """In a cell's own proportions, or an image would not fill its tile."""
        high, wide = cell_pixels() or VT340
        most = gcd(high, wide)
        by = max(1, round(DOTS[0] * most / high))
        return high // most * by, wide // most * by

    def _drawn(self, sent: _Sent, dots: tuple[int, int], changed: Cells, torn: Cells) -> str:
        colours, out = [*GREY, *self._palette[1:]], []
        tiles = list(_tiles(changed.shape[0], changed.shape[1]))
        if not sent.numbers:
            sent.numbers = self._free(len(tiles))
        for number, (top, bottom, left, right) in zip(sent.numbers, tiles, strict=True):
            if changed[top:bottom, left:right].any():
                part = sent.image[
                    top * dots[0] : bottom * dots[0], left * dots[1] : right * dots[1]
                ]
                out.append(kept(png(part, colours), number, (bottom - top, right - left)))
            for line in range(top, bottom):
                for first, last in _runs(torn[line, left:right]):
                    out.append(_to(sent.layer, line, left + first))
                    out.append(placeholders(line - top, first, last, number))
        return "".join(out)

    def _free(self, wanted: int) -> list[int]:
        taken = {number for sent in self._sent.values() for number in sent.numbers}
        found: list[int] = []
        for k in count():
            number = number_of(FIRST_COLOUR + k % NUMBERS, (self._high + k // NUMBERS) % 256)
            found += [number] if number not in taken else []
            if len(found) == wanted:
                return found
        raise AssertionError

    def _forgotten(self, view: Pictured) -> str:
        return "".join(passed(deleted(number)) for number in self._sent.pop(view).numbers)


def _corner(layer: Layer) -> tuple[int, int]:
    return layer.line, layer.column


def _to(layer: Layer, line: int, column: int) -> str:
    """The cursor to a cell of a layer."""
    return f"\x1b[{layer.line + line + 1};{layer.column + column + 1}H"


def _by_cell(dots: Cells, size: tuple[int, int]) -> Cells:
    """Which cells have any of the dots (y, x)."""
    (high, wide), (down, across) = dots.shape, size
    return np.asarray(dots.reshape(high // down, down, wide // across, across).any(axis=(1, 3)))


def _runs(row: Cells) -> Iterable[tuple[int, int]]:
    """First and last + 1 of what hangs together in a row."""
    edges = np.flatnonzero(np.diff(row.astype(np.int8), prepend=0, append=0))
    return zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True)


def _boxes(cells: Cells) -> list[Box]:
    """Boxes (top, bottom, left, right) that hold all of some cells: lines that follow one another
    together, parted where a column has none."""
    return [
        (top, bottom, left, right)
        for top, bottom in _runs(np.any(cells, axis=1))
        for left, right in _runs(np.any(cells[top:bottom], axis=0))
    ]


def _tiles(lines: int, columns: int) -> Iterable[Box]:
    for top in range(0, lines, TILE[0]):
        for left in range(0, columns, TILE[1]):
            yield top, min(lines, top + TILE[0]), left, min(columns, left + TILE[1])


def _covers(new: Layer, old: Layer) -> bool:
    """Whether a picture lies over all of another."""
    (high, wide), (old_high, old_wide) = new.placed.cells, old.placed.cells
    return (
        new.line <= old.line
        and new.column <= old.column
        and new.line + high >= old.line + old_high
        and new.column + wide >= old.column + old_wide
    )
