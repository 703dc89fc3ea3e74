"""Keeps pictures in pixels in step with the text beneath them: what is sent after each frame."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from tmtv_tui.terminal.pixels import (
    DOTS,
    FIRST_ID,
    GREY,
    Colour,
    Layer,
    cell_pixels,
    greys,
    kitty,
    marks,
    png,
    sixel,
    stretched,
)

Runs = Sequence[tuple[int, int, int]]


class Pictured(Protocol):
    """A widget that shows a picture."""

    def picture(self) -> Layer | None:
        """What it shows now; None: nothing."""


@dataclass
class _Sent:
    layer: Layer
    number: int
    torn: bool = False


class Painter:
    """``kind``: kitty or sixel; ``plain``: without colours."""

    def __init__(self, kind: str, plain: bool = False) -> None:
        self.kind, self.plain = kind, plain
        self._sent: dict[Pictured, _Sent] = {}
        self._count = FIRST_ID

    def follow(self, views: Sequence[Pictured] | None, written: Runs | None) -> tuple[str, bool]:
        """What to send after a frame, and whether the text must be written anew before more is.

        ``views``: the widgets in front, None below a dialog. ``written``: the runs of cells
        (line, first, last + 1) that the frame wrote, None for all.
        """
        if self.kind == "sixel":
            return self._sixels(views, written)
        layers = _layers(views or ())
        if written is None:  # the terminal may have been another's meanwhile
            text = self.farewell()
        else:
            text = "".join(self._deleted(view) for view in set(self._sent) - set(layers))
        return text + "".join(self._updated(view, layer) for view, layer in layers.items()), False

    def farewell(self) -> str:
        """What takes every picture away."""
        if self.kind == "sixel":  # they are gone with the text
            self._sent.clear()
            return ""
        return "".join(self._deleted(view) for view in list(self._sent))

    def _deleted(self, view: Pictured) -> str:
        first = self._sent.pop(view).number
        return "".join(f"\x1b_Ga=d,d=I,i={k},q=2\x1b\\" for k in (first, first + 1))

    def _updated(self, view: Pictured, layer: Layer) -> str:
        """The picture where it is another, and what is marked in it where that is."""
        before = self._sent.get(view)
        if before is None:
            self._count += 2
        number = before.number if before else self._count
        anew = before is None or not _same_picture(before.layer, layer)
        text = ""
        if anew:
            image = png(greys(layer, DOTS), GREY)
            text += kitty(image, number, layer.placed.cells, 1)
        if anew or before is None or not _same_marks(before.layer, layer):
            palette: list[Colour] = [(0, 0, 0)]
            image = png(marks(layer, DOTS, palette, self.plain), palette, clear=True)
            text += kitty(image, number + 1, layer.placed.cells, 2)
        self._sent[view] = _Sent(layer, number)
        return _at(layer, text) if text else ""

    def _sixels(self, views: Sequence[Pictured] | None, written: Runs | None) -> tuple[str, bool]:
        for sent in self._sent.values():
            sent.torn |= _touches(sent.layer, written)
        if views is None:
            return "", False
        layers = _layers(views)
        left = [
            view
            for view, sent in self._sent.items()
            if view not in layers or not _covers(layers[view], sent.layer)
        ]
        for view in left:
            del self._sent[view]
        if left and written is not None:  # their pixels are still there
            return "", True
        text = ""
        for view, layer in layers.items():
            before = self._sent.get(view)
            if before is None or before.torn or not _same(before.layer, layer):
                text += _at(layer, self._sixel(layer))
                self._sent[view] = _Sent(layer, 0)
        return text, False

    def _sixel(self, layer: Layer) -> str:
        dots = cell_pixels()
        palette: list[Colour] = [(0, 0, 0)]
        signs = marks(layer, dots, palette, self.plain)
        image = stretched(greys(layer, dots), signs.shape)
        image[signs > 0] = signs[signs > 0] - 1 + len(GREY)
        return sixel(image, [*GREY, *palette[1:]])


def _layers(views: Sequence[Pictured]) -> dict[Pictured, Layer]:
    found = ((view, view.picture()) for view in views)
    return {view: layer for view, layer in found if layer is not None}


def _at(layer: Layer, text: str) -> str:
    """``text`` at a layer's corner; the cursor goes back."""
    return f"\x1b7\x1b[{layer.line + 1};{layer.column + 1}H{text}\x1b8"


def _same_picture(one: Layer, two: Layer) -> bool:
    place = (one.line, one.column, one.white_suv) == (two.line, two.column, two.white_suv)
    return place and one.placed is two.placed and one.image is two.image


def _same_marks(one: Layer, two: Layer) -> bool:
    same = len(one.frames) == len(two.frames) and all(
        a[0] is b[0] and a[1] == b[1] for a, b in zip(one.frames, two.frames, strict=True)
    )
    return same and one.glyphs == two.glyphs


def _same(one: Layer, two: Layer) -> bool:
    return _same_picture(one, two) and _same_marks(one, two)


def _covers(new: Layer, old: Layer) -> bool:
    """Whether a picture lies over all of another."""
    (high, wide), (old_high, old_wide) = new.placed.cells, old.placed.cells
    return (
        new.line <= old.line
        and new.column <= old.column
        and new.line + high >= old.line + old_high
        and new.column + wide >= old.column + old_wide
    )


def _touches(layer: Layer, written: Runs | None) -> bool:
    """Whether text was written over a picture."""
    if written is None:
        return True
    high, wide = layer.placed.cells
    lines = range(layer.line, layer.line + high)
    return any(
        y in lines and first < layer.column + wide and last > layer.column
        for y, first, last in written
    )
