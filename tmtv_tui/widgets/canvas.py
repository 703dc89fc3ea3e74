"""What is drawn of dots, line by line: only the cells that changed go to the terminal."""

from __future__ import annotations

from rich.segment import Segment
from textual.geometry import Region, Size
from textual.strip import Strip
from textual.widget import Widget

from tmtv_tui.review.picture import CELLS, GREYS, Placed
from tmtv_tui.widgets.blocks import draw_line

LETTERED = ("ascii", "braille")
"""Kinds of pictures whose cells have one colour: an outline would hide what it is around."""
SIGNED = (*LETTERED, "kitty", "sixel")
"""Kinds of projections in which marks are signs, not dots."""


CURSOR = "rgb(175,0,135)"
LETTERS = "rgb(68,68,68)"
ARMS = (  # of the cursor, in cells from its own, which stays free
    *((line, 0, "│") for line in (-2, -1, 1, 2)),
    *((0, column, "─") for column in (-4, -3, -2, 2, 3, 4)),
)


def cross(placed: Placed, cell: tuple[int, int] | None) -> dict[tuple[int, int], tuple[str, str]]:
    """The glyphs that show where the cursor is, at a cell (line, column) of a picture."""
    if cell is None:
        return {}
    lines, columns = placed.cells
    found = {(cell[0] + line, cell[1] + column): (arm, CURSOR) for line, column, arm in ARMS}
    return {(y, x): arm for (y, x), arm in found.items() if 0 <= y < lines and 0 <= x < columns}


def _runs(columns: list[int]) -> list[tuple[int, int]]:
    """Neighbouring columns as (first, last)."""
    found: list[tuple[int, int]] = []
    for x in sorted(set(columns)):
        if found and x - found[-1][1] <= 1:
            found[-1] = (found[-1][0], x)
        else:
            found.append((x, x))
    return found


class Canvas(Widget):
    """A picture ``_placed`` in dots, centred, with marks (dot → colour) and glyphs (cell →
    character, colour) on it; ``_mark`` of each kind sets those anew."""

    ALLOW_SELECT = False

    def __init__(self, **kwargs: str) -> None:
        super().__init__(**kwargs)  # type: ignore[arg-type]
        self.mode = "half"
        self.greys = GREYS
        self.signs = False
        self._placed: Placed | None = None
        self._marks: dict[tuple[int, int], str] = {}
        self._glyphs: dict[tuple[int, int], tuple[str, str]] = {}
        self._strips: dict[int, Strip] = {}

    def _mark(self) -> None:
        """Set marks and glyphs."""
        raise NotImplementedError

    def render_line(self, y: int) -> Strip:
        """One line of cells."""
        if y not in self._strips:
            self._strips[y] = self._line(y)
        return self._strips[y]

    def get_content_width(self, container: Size, viewport: Size) -> int:
        """As wide as there is room."""
        return container.width

    def _mark_anew(self) -> None:
        """Mark, and repaint the cells whose marks are others than before."""
        marks, glyphs = self._marks, self._glyphs
        self._mark()
        down, across = CELLS[self.mode]
        dots = {at for at, _ in marks.items() ^ self._marks.items()}
        cells = {(y // down, x // across) for y, x in dots}
        self._repaint(cells | {at for at, _ in glyphs.items() ^ self._glyphs.items()})

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
