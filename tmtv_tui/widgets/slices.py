"""A slice of a case through the one cursor, drawn line by line."""

from __future__ import annotations

from textwrap import wrap
from typing import TYPE_CHECKING

import numpy as np
from rich.segment import Segment
from textual import events
from textual.message import Message
from textual.strip import Strip

from tmtv_tui.review.cursor import Cursor, Index
from tmtv_tui.review.picture import Placed, around
from tmtv_tui.review.planes import Box
from tmtv_tui.review.scene import Scene, part_of, scale_bar
from tmtv_tui.widgets.canvas import CURSOR, LETTERED, LETTERS, Canvas, cross

if TYPE_CHECKING:
    from tmtv_tui.terminal.pixels import Layer


Marks = dict[tuple[int, int], str]
Glyphs = dict[tuple[int, int], tuple[str, str]]


class SliceView(Canvas, can_focus=True):
    """One slice, all lesions in it outlined: the chosen one in green, of the others those that are
    not rejected in the colour of their status."""

    DEFAULT_CSS = "SliceView { width: 1fr; height: 1fr; }"

    class Pointed(Message):
        """The pointer was put on a voxel."""

        def __init__(self, index: Index) -> None:
            super().__init__()
            self.index = index

    class Scrolled(Message):
        """The wheel was turned over a plane."""

        def __init__(self, plane: str, by: int) -> None:
            super().__init__()
            self.plane, self.by = plane, by

    def __init__(self, plane: str, **kwargs: str) -> None:
        super().__init__(**kwargs)
        self.plane = plane
        self.word = ""
        self._scene: Scene | None = None
        self._part: Box | None = None
        self._heat: Marks = {}
        self._drawn: tuple[Placed, Scene, Marks, Glyphs] | None = None

    def say(self, word: str) -> None:
        """Words in place of a picture."""
        self.word, self._scene, self._part = word, None, None
        self._lay_out()

    def show(self, scene: Scene) -> None:
        """Another slice, or the same with another cursor, other lesions or another window."""
        before, self._scene, self.word = self._scene, scene, ""
        part = part_of(scene, self.size.width, self.size.height, self._part)
        if self._placed is None or part != self._part or not _same_picture(before, scene):
            self._lay_out()
        else:
            self._mark_anew()

    def on_resize(self) -> None:
        """Fit the slice to the new size."""
        self._lay_out()

    def on_click(self, event: events.Click) -> None:
        """The cursor goes to the pointer."""
        placed, scene = self._placed, self._scene
        if placed is None or scene is None:
            return
        left, top = self._offset()
        line, column = event.y - top, event.x - left
        lines, columns = placed.cells
        if 0 <= line < lines and 0 <= column < columns:
            row, col = placed.pixel(line + 0.5, column + 0.5)
            self.post_message(self.Pointed(scene.plane.voxel(int(row), int(col), scene.at)))

    def on_mouse_scroll_down(self, event: events.MouseScrollDown) -> None:
        """On through the slices."""
        event.stop()
        self.post_message(self.Scrolled(self.plane, 10 if event.shift or event.ctrl else 1))

    def on_mouse_scroll_up(self, event: events.MouseScrollUp) -> None:
        """Back through the slices."""
        event.stop()
        self.post_message(self.Scrolled(self.plane, -10 if event.shift or event.ctrl else -1))

    def render_line(self, y: int) -> Strip:
        """One line of cells, or of the words in their place."""
        if self.word:
            width = max(1, self.size.width)
            lines = wrap(self.word, width)
            text = lines[y] if y < len(lines) else ""
            return Strip([Segment(text.ljust(width), self.rich_style)])
        return super().render_line(y)

    def cell_of(self, cursor: Cursor) -> tuple[int, int] | None:
        """The picture's cell (line, column) of a voxel, None where it is not in this slice."""
        placed, scene = self._placed, self._scene
        if placed is None or scene is None or cursor.index[scene.plane.across[0]] != scene.at:
            return None
        row, col = scene.plane.pixel(cursor.index)
        spot = placed.spot(int(row), int(col))
        return None if spot is None else (spot[0] // placed.cell[0], spot[1] // placed.cell[1])

    def picture(self) -> Layer | None:
        """What a picture in pixels shows of it."""
        if self._placed is None or self._scene is None or not self.region.area:
            return None
        from tmtv_tui.terminal.pixels import Layer

        (x, y), (left, top) = self.region.offset, self._offset()
        scene = self._scene
        image, black = scene.darkness()
        framed = [n for n in scene.lesions if n == scene.chosen or not self.signs]
        frames = [(scene.lesions[n], scene.colours[n]) for n in framed]
        return Layer(y + top, x + left, self._placed, image, black, frames, self._glyphs)

    def _lay_out(self) -> None:
        self._placed, self._marks, self._glyphs = None, {}, {}
        scene, (wide, high) = self._scene, self.size
        if scene is not None and self.size.area:
            self._part = part_of(scene, wide, high, self._part)
            self._placed = scene.placed(self._part, wide, high, self.mode, self.greys)
            self._heat = {} if self.signs else scene.heat(self._part, wide, high, self.mode)
            self._mark()
        self._strips.clear()
        self.refresh()

    def _mark(self) -> None:
        placed, scene = self._placed, self._scene
        self._marks, self._glyphs = dict(self._heat), {}
        if placed is None or scene is None:
            return
        self._letter(placed, scene)
        if scene.start is not None:
            at = self.cell_of(scene.start)
            self._glyphs |= {at: ("*", CURSOR)} if at is not None else {}
        self._glyphs |= cross(placed, self.cell_of(scene.cursor))
        marks, glyphs = self._outlined(placed, scene)
        self._marks |= marks
        self._glyphs |= glyphs

    def _outlined(self, placed: Placed, scene: Scene) -> tuple[Marks, Glyphs]:
        """The chosen lesion's over all; of others what lies in no lesion, lest it hide that."""
        if (known := self._drawn) is not None and known[0] is placed:
            one, two = known[1], scene
            same = (one.chosen, one.colours) == (two.chosen, two.colours)
            if same and one.lesions is two.lesions:
                return known[2:]
        marks: Marks = {}
        glyphs: Glyphs = {}
        inside = {n: placed.inside(pixels) for n, pixels in scene.lesions.items()}
        held = set().union(*inside.values())
        for number, (rows, cols) in scene.lesions.items():
            colour = scene.colours[number]
            if number == scene.chosen:
                marks |= dict.fromkeys(around(placed, inside[number]), colour)
            elif not self.signs and self.mode not in LETTERED:
                marks |= dict.fromkeys(around(placed, inside[number]) - held, colour)
            elif (spot := placed.spot(int(np.median(rows)), int(np.median(cols)))) is not None:
                at = spot[0] // placed.cell[0], spot[1] // placed.cell[1]
                glyphs[at] = (scene.signs[number], colour)
        self._drawn = placed, scene, marks, glyphs
        return marks, glyphs

    def _letter(self, placed: Placed, scene: Scene) -> None:
        """The patient's sides, and the scale bar with its length below on the left."""
        lines, columns = placed.cells
        left, right, above, below = scene.plane.letters
        middle = (lines // 2, columns // 2)
        count, length = scale_bar(placed, scene.plane)
        told = f"{length:.0f}mm"
        bar = "━" * count + told if lines > 4 and count + len(told) <= middle[1] else ""
        for at, letter in (
            ((middle[0], 0), left),
            ((middle[0], columns - 1), right),
            ((0, middle[1]), above),
            ((lines - 1, middle[1] + (len(bar) == middle[1])), below),  # never 100mmF
            *(((lines - 1, k), glyph) for k, glyph in enumerate(bar)),
        ):
            self._glyphs[at] = (letter, LETTERS)


def _same_picture(one: Scene | None, two: Scene) -> bool:
    """Whether two scenes differ in what lies on the picture only."""
    return (
        one is not None
        and (one.ct is None) == (two.ct is None)
        and (one.plane, one.at, one.look) == (two.plane, two.at, two.look)
    )
