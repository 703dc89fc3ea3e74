"""A projection or slice drawn line by line: only the cells that changed go to the terminal."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
from rich.segment import Segment
from textual import events
from textual.geometry import Region, Size
from textual.strip import Strip
from textual.widget import Widget

from tmtv_engine.image.projections import Mip
from tmtv_engine.lesion.lists import Lesions
from tmtv_engine.lesion.origin import Status
from tmtv_tui.messages import LesionPicked, RegionDrawn
from tmtv_tui.review.picture import (
    CELLS,
    GREYS,
    Footprints,
    Pixels,
    Placed,
    body_box,
    field_box,
    footprints,
    nearest,
    outline,
    place,
    sides,
)
from tmtv_tui.widgets.blocks import draw_line

if TYPE_CHECKING:
    from tmtv_tui.terminal.pixels import Layer

# Okabe and Ito's vermilion, blue and bluish green, as near as the 256 colours have them
COLOURS = {"accepted": "rgb(215,95,0)", "candidate": "rgb(0,95,175)", "rejected": "rgb(95,95,95)"}
CHOSEN = "rgb(0,175,135)"
LETTERS = "rgb(68,68,68)"
SIGNED = ("ascii", "braille", "kitty", "sixel")
Pixels2 = tuple[Pixels, Pixels]


def _runs(columns: list[int]) -> list[tuple[int, int]]:
    """Neighbouring columns as (first, last)."""
    found: list[tuple[int, int]] = []
    for x in sorted(set(columns)):
        if found and x - found[-1][1] <= 1:
            found[-1] = (found[-1][0], x)
        else:
            found.append((x, x))
    return found


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


class MipView(Widget):
    """Shows one projection: the chosen lesion outlined, the others marked at their maxima.

    What is rejected has no mark; ``others`` off leaves the chosen one's alone. Marks are dots, but
    signs in letters, in pixels and where there are no colours (``signs``).
    """

    ALLOW_SELECT = False
    DEFAULT_CSS = "MipView { width: 1fr; height: 1fr; }"

    def __init__(self, angle: int = 0, **kwargs: str) -> None:
        super().__init__(**kwargs)  # type: ignore[arg-type]
        self.angle = angle
        self.others = True
        self.signs = False
        self.white_suv = 10.0
        self.zoom = 1
        self.mode = "half"
        self.greys = GREYS
        self._pressed: tuple[int, int] | None = None
        self._dragged = False
        self._mip: Mip | None = None
        self._image: npt.NDArray[np.floating] | None = None
        self._box = (0, 1, 0, 1)
        self._lesions: Lesions | None = None
        self._status: Mapping[int, Status] = {}
        self._chosen: int | None = None
        self._placed: Placed | None = None
        self._prints = Footprints({}, {})
        self._marks: dict[tuple[int, int], str] = {}
        self._glyphs: dict[tuple[int, int], tuple[str, str]] = {}
        self._strips: dict[int, Strip] = {}

    def show(self, mip: Mip, lesions: Lesions, status: Mapping[int, Status]) -> None:
        """Another case, or other lesions of it."""
        self._mip, self._lesions, self._status = mip, lesions, dict(status)
        turns = {0, len(mip.angles_deg) // 4}
        self._box = body_box(mip, [footprints(lesions, mip, turn) for turn in sorted(turns)])
        self._lay_out()

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

    def settle(self, status: Mapping[int, Status]) -> None:
        """Lesions changed their status; repaints their cells only."""
        self._status = dict(status)
        self._mark_anew()

    def _mark_anew(self) -> None:
        """Mark, and repaint the cells whose marks are others than before."""
        marks, glyphs = self._marks, self._glyphs
        self._mark()
        down, across = CELLS[self.mode]
        dots = {at for at, _ in marks.items() ^ self._marks.items()}
        cells = {(y // down, x // across) for y, x in dots}
        self._repaint(cells | {at for at, _ in glyphs.items() ^ self._glyphs.items()})

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

    def render_line(self, y: int) -> Strip:
        """One line of cells."""
        if y not in self._strips:
            self._strips[y] = self._line(y)
        return self._strips[y]

    def get_content_width(self, container: Size, viewport: Size) -> int:
        """As wide as there is room."""
        return container.width

    def picture(self) -> Layer | None:
        """What a picture in pixels shows of it."""
        if self._placed is None or self._image is None or not self.region.area:
            return None
        from tmtv_tui.terminal.pixels import Layer

        (x, y), (left, top) = self.region.offset, self._offset()
        chosen = self._prints.pixels.get(self._chosen or 0)
        white, signs = self.white_suv, self._glyphs
        return Layer(y + top, x + left, self._placed, self._image, white, chosen, CHOSEN, signs)

    def cell_of(self, lesion: int) -> tuple[int, int] | None:
        """The widget's cell (column, line) of a lesion's maximum, None where it is not shown."""
        placed, peak = self._placed, self._prints.peaks.get(lesion)
        spot = placed.spot(*peak) if placed is not None and peak is not None else None
        if placed is None or spot is None:
            return None
        left, top = self._offset()
        return left + spot[1] // placed.cell[1], top + spot[0] // placed.cell[0]

    def _lay_out(self) -> None:
        if self._mip is None or self._lesions is None or self.size.area == 0:
            return
        mip = self._mip
        self._prints = footprints(self._lesions, mip, self.angle)
        self._image = mip.suv(self.angle)
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
        if self.zoom == 0 and self._mip is not None:
            return field_box(self._mip)
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
        if placed is None or self._mip is None:
            return
        self._letter(placed, float(self._mip.angles_deg[self.angle]))
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

    def _repaint(self, cells: set[tuple[int, int]]) -> None:
        left, top = self._offset()
        rows: dict[int, list[int]] = {}
        for line, column in cells:
            rows.setdefault(line, []).append(column)
        for row, columns in rows.items():
            self._strips.pop(int(row + top), None)
            for first, last in _runs(columns):
                self.refresh(Region(int(first + left), int(row + top), int(last - first + 1), 1))

    def _offset(self) -> tuple[int, int]:
        """Cells left and above the picture, which is centred."""
        if self._placed is None:
            return 0, 0
        high, wide = self._placed.cells
        return max(0, (self.size.width - wide) // 2), max(0, (self.size.height - high) // 2)

    def _line(self, y: int) -> Strip:
        width = self.size.width
        if self._placed is None:
            return Strip.blank(width, self.rich_style)
        left, top = self._offset()
        row = y - top
        high, wide = self._placed.cells
        if not 0 <= row < high:
            return Strip.blank(width, self.rich_style)
        base = self.rich_style
        segments = [Segment(" " * left, base)] if left else []
        segments += draw_line(self._placed, row, self._marks, self._glyphs, base)
        right = width - left - wide
        if right > 0:
            segments.append(Segment(" " * right, base))
        return Strip(segments, width).simplify()


class SliceView(Widget):
    """The axial slice through a lesion's maximum."""

    DEFAULT_CSS = "SliceView { width: 1fr; height: 1fr; }"

    def __init__(self, **kwargs: str) -> None:
        super().__init__(**kwargs)  # type: ignore[arg-type]
        self.mode = "half"
        self.greys = GREYS
        self._image: npt.NDArray[np.floating] | None = None
        self._pixels: Pixels2 | None = None
        self._white = 10.0
        self._placed: Placed | None = None
        self._marks: dict[tuple[int, int], str] = {}

    def show(
        self,
        image: npt.NDArray[np.floating] | None,
        white_suv: float,
        pixels: Pixels2 | None = None,
    ) -> None:
        """Another slice (y, x) in SUV, patient's right on the left, and the lesion's pixels in
        it; None: there is none."""
        self._image, self._white, self._pixels = image, white_suv, pixels
        self._lay_out()

    def on_resize(self) -> None:
        """Fit the slice to the new size."""
        self._lay_out()

    def _lay_out(self) -> None:
        self._placed, self._marks = None, {}
        if self._image is not None and self.size.area:
            image = self._image.astype(np.float32)
            box = _body(image)
            wide, high = self.size
            self._placed = place(image, box, wide, high, self._white, self.mode, self.greys)
            if self._pixels is not None:
                self._marks = dict.fromkeys(outline(self._placed, self._pixels), CHOSEN)
        self.refresh()

    def picture(self) -> Layer | None:
        """What a picture in pixels shows of it."""
        if self._placed is None or self._image is None or not self.region.area:
            return None
        from tmtv_tui.terminal.pixels import Layer

        x, y = self.region.offset
        letters = self._letters(self._placed.cells[1])
        return Layer(y, x, self._placed, self._image, self._white, self._pixels, CHOSEN, letters)

    def _letters(self, wide: int) -> dict[tuple[int, int], tuple[str, str]]:
        return {(0, 0): ("R", LETTERS), (0, wide - 1): ("L", LETTERS)}

    def render_line(self, y: int) -> Strip:
        """One line of cells."""
        width = self.size.width
        if self._placed is None:
            text = "no slice is stored for this lesion" if y == 0 else ""
            return Strip([Segment(text[:width].ljust(width), self.rich_style)])
        high, wide = self._placed.cells
        if y >= high:
            return Strip.blank(width, self.rich_style)
        line = draw_line(self._placed, y, self._marks, self._letters(wide), self.rich_style)
        return Strip(line).simplify().adjust_cell_length(width, self.rich_style)


def _body(image: npt.NDArray[np.float32], floor_suv: float = 0.2) -> tuple[int, int, int, int]:
    """(top, bottom, left, right) of what is not air in a slice."""
    seen = image > floor_suv
    rows, cols = np.flatnonzero(seen.any(axis=1)), np.flatnonzero(seen.any(axis=0))
    if not len(rows):
        return 0, image.shape[0], 0, image.shape[1]
    return int(rows[0]), int(rows[-1]) + 1, int(cols[0]), int(cols[-1]) + 1
