"""Keeps pictures in pixels in step with the text beneath them: what is sent after each frame."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

from tmtv_tui.terminal.kitty import deleted, png, shown
from tmtv_tui.terminal.pixels import DOTS, GREY, Colour, Layer, greys, marks

Runs = Sequence[tuple[int, int, int]]
FIRST_ID = 7310


class Pictured(Protocol):
    """A widget that shows a picture."""

    def picture(self) -> Layer | None:
        """What it shows now; None: nothing."""


class Painter(Protocol):
    """What keeps pictures in step with the text."""

    def follow(self, views: Sequence[Pictured] | None, written: Runs | None) -> tuple[str, bool]:
        """What to send after a frame, and whether the text must be written anew before more is.

        ``views``: the widgets in front, None below a dialog. ``written``: the runs of cells
        (line, first, last + 1) that the frame wrote, None for all.
        """

    def farewell(self) -> str:
        """What takes every picture away."""


@dataclass
class _Sent:
    layer: Layer
    number: int


class Kitty:
    """Pictures that lie over the text; the marks are a picture of their own over the first."""

    def __init__(self, plain: bool = False) -> None:
        self.plain = plain
        self._sent: dict[Pictured, _Sent] = {}
        self._count = FIRST_ID

    def follow(self, views: Sequence[Pictured] | None, written: Runs | None) -> tuple[str, bool]:
        """As `Painter`."""
        layers = layers_of(views or ())
        if written is None:  # the terminal may have been another's meanwhile
            text = self.farewell()
        else:
            text = "".join(self._deleted(view) for view in set(self._sent) - set(layers))
        return text + "".join(self._updated(view, layer) for view, layer in layers.items()), False

    def farewell(self) -> str:
        """As `Painter`."""
        return "".join(self._deleted(view) for view in list(self._sent))

    def _deleted(self, view: Pictured) -> str:
        first = self._sent.pop(view).number
        return deleted(first) + deleted(first + 1)

    def _updated(self, view: Pictured, layer: Layer) -> str:
        """The picture where it is another, and what is marked in it where that is."""
        before = self._sent.get(view)
        if before is None:
            self._count += 2
        number = before.number if before else self._count
        anew = before is None or not same_picture(before.layer, layer)
        text = ""
        if anew:
            image = png(greys(layer, DOTS), GREY)
            text += shown(image, number, layer.placed.cells, 1)
        if anew or before is None or not same_marks(before.layer, layer):
            palette: list[Colour] = [(0, 0, 0)]
            image = png(marks(layer, DOTS, palette, self.plain), palette, clear=True)
            text += shown(image, number + 1, layer.placed.cells, 2)
        self._sent[view] = _Sent(layer, number)
        return at(layer, text) if text else ""


def layers_of(views: Iterable[Pictured]) -> dict[Pictured, Layer]:
    """What each view shows, where it shows anything."""
    found = ((view, view.picture()) for view in views)
    return {view: layer for view, layer in found if layer is not None}


def at(layer: Layer, text: str) -> str:
    """``text`` at a layer's corner; the cursor and its colours go back."""
    return f"\x1b7\x1b[{layer.line + 1};{layer.column + 1}H{text}\x1b8"


def same_picture(one: Layer, two: Layer) -> bool:
    """Whether two layers differ in what is marked only."""
    place = (one.line, one.column, one.white_suv) == (two.line, two.column, two.white_suv)
    return place and one.placed is two.placed and one.image is two.image


def same_marks(one: Layer, two: Layer) -> bool:
    """Whether the same is marked in two layers."""
    same = len(one.frames) == len(two.frames) and all(
        a[0] is b[0] and a[1] == b[1] for a, b in zip(one.frames, two.frames, strict=True)
    )
    return same and one.glyphs == two.glyphs
