"""A projection with its lesions, and what the mouse does in it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
from textual import events

from tmtv_engine.image.projections import project_points
from tmtv_engine.lesion.lists import Lesions
from tmtv_engine.lesion.origin import Status
from tmtv_tui.messages import LesionPicked, PointPicked, RegionDrawn
from tmtv_tui.review.cursor import Cursor
from tmtv_tui.review.picture import (
    CELLS,
    Placed,
    field_box,
    outline,
    place,
    sides,
)
from tmtv_tui.review.prints import Footprints, Prints, nearest
from tmtv_tui.widgets.canvas import LETTERS, SIGNED, Canvas, cross

if TYPE_CHECKING:
    from tmtv_tui.terminal.pixels import Layer

# Okabe and Ito's vermilion, blue and bluish green, as near as the 256 colours have them
COLOURS = {status: "rgb({},{},{})".format(*status.screen) for status in Status}
CHOSEN = "rgb(0,175,135)"


def _dot(placed: Placed, spot: tuple[int, int]) -> list[tuple[int, int]]:
    """The dots of a mark: half a cell, whatever the mode, or it could not be seen."""
    high, wide = placed.grey.shape
    down, across = (placed.cell[0] + 1) // 2, placed.cell[1]
    top, left = spot[0] // down * down, spot[1] // across * across
    return [
        (y, x)
        for y in range(top, min(top + down, high))
        for x in range(left, min(left + across, wide))
    ]


class MipView(Canvas):
    """Shows one projection: the chosen lesion outlined, the others marked at their maxima.

    What is rejected has no mark; ``others`` off leaves the chosen one's alone. Marks are dots, but
    signs in letters, in pixels and where there are no colours (``signs``).
    """

    DEFAULT_CSS = "MipView { width: 1fr; height: 1fr; }"

    def __init__(self, angle: int = 0, **kwargs: str) -> None:
        super().__init__(**kwargs)
        self.angle = angle
        self.others = True
        self.white_suv = 10.0
        self.zoom = 1
        self._pressed: tuple[int, int] | None = None
        self._dragged = False
        self._of: Prints | None = None
        self._image: npt.NDArray[np.floating] | None = None
        self._box = (0, 1, 0, 1)
        self._lesions: Lesions | None = None
        self._status: Mapping[int, Status] = {}
        self._chosen: int | None = None
        self._prints = Footprints({}, {})
        self._cursor: Cursor | None = None

    def show(self, prints: Prints, lesions: Lesions, status: Mapping[int, Status]) -> None:
        """Another case, or other lesions of it; where the body lies as it lay, only the cells of
        what changed are painted."""
        same = self._of is prints and self._placed is not None
        before, self._box = self._box, prints.box(lesions)
        self._of, self._lesions, self._status = prints, lesions, dict(status)
        if not same or self._box != before or self.zoom > 1:
            self._lay_out()
        else:
            self._prints = prints.of(lesions, self.angle)
            self._mark_anew()

    def turn(self, angle: int) -> None:
        """Another of the stored projections."""
        self.angle = angle
        self._lay_out()

    def window(self, white_suv: float) -> None:
        """Other window: SUV 0 to ``white_suv``."""
        self.white_suv = white_suv
        self._lay_out()

    def magnify(self, zoom: int) -> None:
        """Show the body (1), its part around the chosen lesion (2, 4), or the whole field (0)."""
        self.zoom = zoom
        self._lay_out()

    def choose(self, lesion: int | None) -> None:
        """Outline another lesion; repaints the cells of the two."""
        if lesion == self._chosen:
            return
        self._chosen = lesion
        if self.zoom > 1:
            self._lay_out()
        else:
            self._mark_anew()

    def point(self, cursor: Cursor | None) -> None:
        """Show where the cursor of all views is, or no longer."""
        if cursor is not self._cursor:
            self._cursor = cursor
            self._mark_anew()

    def settle(self, status: Mapping[int, Status]) -> None:
        """Lesions changed their status; repaints their cells only."""
        self._status = dict(status)
        self._mark_anew()

    def on_resize(self) -> None:
        """Fit the picture to the new size."""
        self._lay_out()

    def on_mouse_down(self, event: events.MouseDown) -> None:
        """A region may begin here."""
        self._pressed, self._dragged = (event.y, event.x), False

    def on_mouse_up(self, event: events.MouseUp) -> None:
        """The end of a region, where the pointer was dragged."""
        start, self._pressed = self._pressed, None
        if self._placed is None or start is None:
            return
        if abs(start[0] - event.y) > 1 or abs(start[1] - event.x) > 1:
            self._dragged = True
            left, top = self._offset()
            lines, columns = zip(start, (event.y, event.x), strict=True)
            first = self._placed.pixel(min(lines) - top, min(columns) - left)
            last = self._placed.pixel(max(lines) + 1 - top, max(columns) + 1 - left)
            self.post_message(RegionDrawn(self.angle, first, last))

    def on_click(self, event: events.Click) -> None:
        """Pick the lesion under the pointer."""
        if self._placed is None or self._dragged:
            return
        left, top = self._offset()
        down, across = CELLS[self.mode]
        y, x = down * (event.y - top), across * (event.x - left)
        found = nearest(self._prints, self._placed, y, x)
        if found is not None:
            self.post_message(LesionPicked(found))
        elif self._image is not None:
            row, col = self._hottest(event.y - top, event.x - left)
            self.post_message(PointPicked(self.angle, row, col))

    def _hottest(self, line: int, column: int) -> tuple[int, int]:
        """The pixel (row, col) that a cell shows: of several the highest."""
        assert self._placed is not None
        assert self._image is not None
        edges = self._placed.pixel(line, column), self._placed.pixel(line + 1, column + 1)
        (top, left), (bottom, right) = ((int(row), int(col)) for row, col in edges)
        high, wide = self._image.shape
        top, left = min(max(0, top), high - 1), min(max(0, left), wide - 1)
        part = self._image[top : max(bottom, top + 1), left : max(right, left + 1)]
        row, col = np.unravel_index(int(np.argmax(part)), part.shape)
        return top + int(row), left + int(col)

    def picture(self) -> Layer | None:
        """What a picture in pixels shows of it."""
        if self._placed is None or self._image is None or not self.region.area:
            return None
        from tmtv_tui.terminal.pixels import Layer

        (x, y), (left, top) = self.region.offset, self._offset()
        chosen = self._prints.pixels.get(self._chosen or 0)
        frames = () if chosen is None else ((chosen, CHOSEN),)
        white, signs = self.white_suv, self._glyphs
        return Layer(y + top, x + left, self._placed, self._image, white, frames, signs)

    def cell_of(self, lesion: int) -> tuple[int, int] | None:
        """The widget's cell (column, line) of a lesion's maximum, None where it is not shown."""
        placed, peak = self._placed, self._prints.peaks.get(lesion)
        spot = placed.spot(*peak) if placed is not None and peak is not None else None
        if placed is None or spot is None:
            return None
        left, top = self._offset()
        return left + spot[1] // placed.cell[1], top + spot[0] // placed.cell[0]

    def _lay_out(self) -> None:
        if self._of is None or self._lesions is None or self.size.area == 0:
            return
        self._prints = self._of.of(self._lesions, self.angle)
        self._image = self._of.mip.suv(self.angle)
        self._placed = place(
            self._image,
            self._part(),
            self.size.width,
            self.size.height,
            self.white_suv,
            self.mode,
            self.greys,
        )
        self._mark()
        self._strips.clear()
        self.refresh()

    def _part(self) -> tuple[int, int, int, int]:
        if self.zoom == 0 and self._of is not None:
            return field_box(self._of.mip)
        top, bottom, left, right = self._box
        peak = self._prints.peaks.get(self._chosen or 0)
        if self.zoom == 1 or peak is None:
            return self._box
        high, wide = (bottom - top) // self.zoom, (right - left) // self.zoom
        first = min(max(top, peak[0] - high // 2), bottom - high)
        side = min(max(left, peak[1] - wide // 2), right - wide)
        return first, first + high, side, side + wide

    def _mark(self) -> None:
        """The outline of the chosen lesion, and at the maximum of every other a dot or a sign."""
        self._marks, self._glyphs = {}, {}
        placed = self._placed
        if placed is None or self._of is None:
            return
        mip = self._of.mip
        self._letter(placed, float(mip.angles_deg[self.angle]))
        if self._cursor is not None:
            affine, index = self._cursor.grid.affine, self._cursor.index
            row, col = project_points(affine, index, self.angle, mip)
            at = placed.spot(int(row), int(col))
            cell = None if at is None else (at[0] // placed.cell[0], at[1] // placed.cell[1])
            self._glyphs |= cross(placed, cell)
        for number, peak in self._prints.peaks.items():
            status = self._status.get(number, Status.CANDIDATE)
            spot = placed.spot(*peak)
            if (
                spot is None
                or number == self._chosen
                or status is Status.REJECTED
                or not self.others
            ):
                continue
            if self.signs or self.mode in SIGNED:
                at = spot[0] // placed.cell[0], spot[1] // placed.cell[1]
                self._glyphs[at] = (status.glyph, COLOURS[status])
            else:
                self._marks |= dict.fromkeys(_dot(placed, spot), COLOURS[status])
        if (chosen := self._prints.pixels.get(self._chosen or 0)) is not None:
            self._marks |= dict.fromkeys(outline(placed, chosen), CHOSEN)

    def _letter(self, placed: Placed, angle_deg: float) -> None:
        """The patient's sides in the upper corners."""
        left, right = sides(angle_deg)
        first = placed.cells[1] - len(right)
        for at, word in ((0, left), (first, right)):
            self._glyphs |= {(0, at + k): (c, LETTERS) for k, c in enumerate(word)}
