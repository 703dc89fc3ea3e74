"""A plane of a repair's preview: what it would add, take away and leave."""

from __future__ import annotations

from rich.segment import Segment
from textual.strip import Strip
from textual.widget import Widget

from tmtv_tui.review.picture import GREYS, Placed, outline, place
from tmtv_tui.review.planes import planes_of
from tmtv_tui.review.repair import Preview
from tmtv_tui.widgets.blocks import draw_line
from tmtv_tui.widgets.canvas import LETTERED, LETTERS

GAINED = "rgb(0,135,95)"
LOST = "rgb(215,95,0)"
KEPT = "rgb(0,95,175)"
POINT = "rgb(175,0,135)"


class PreviewView(Widget):
    """Green (``+``): what comes to the lesion; orange (``-``): what goes; blue: its outline."""

    DEFAULT_CSS = "PreviewView { width: 1fr; height: 1fr; }"

    def __init__(self, plane: str, **kwargs: str) -> None:
        super().__init__(**kwargs)  # type: ignore[arg-type]
        self.plane = plane
        self.mode = "half"
        self.greys = GREYS
        self.signs = False
        self._shown: tuple[Preview, float] | None = None
        self._placed: Placed | None = None
        self._marks: dict[tuple[int, int], str] = {}
        self._glyphs: dict[tuple[int, int], tuple[str, str]] = {}

    def show(self, preview: Preview, white_suv: float) -> None:
        """Another preview, dark where the SUV is ``white_suv``."""
        self._shown = preview, white_suv
        self._lay_out()

    def turn(self, plane: str) -> None:
        """Another plane."""
        if plane != self.plane:
            self.plane = plane
            self._lay_out()

    def on_resize(self) -> None:
        """Fit it to the new size."""
        self._lay_out()

    def _lay_out(self) -> None:
        self._placed, self._marks, self._glyphs = None, {}, {}
        if self._shown is not None and self.size.area:
            preview, white = self._shown
            plane = planes_of(preview.draft.point.grid)[self.plane]
            seen = preview.cut(plane)
            box = (0, seen.image.shape[0], 0, seen.image.shape[1])
            wide, high = self.size
            self._placed = placed = place(
                seen.image, box, wide, high, white, self.mode, self.greys, mm=plane.mm
            )
            self._marks |= dict.fromkeys(outline(placed, seen.kept), KEPT)
            for pixels, colour, sign in ((seen.lost, LOST, "-"), (seen.gained, GAINED, "+")):
                dots = placed.inside(pixels)
                self._marks |= dict.fromkeys(dots, colour)
                if self.signs or self.mode in LETTERED:
                    self._glyphs |= {self._cell(placed, dot): (sign, colour) for dot in dots}
            spot = placed.spot(*seen.centre)
            if spot is not None:
                self._glyphs[self._cell(placed, spot)] = ("×", POINT)
            left, right, above, _ = plane.letters
            lines, columns = placed.cells
            for at, letter in (
                ((lines // 2, 0), left),
                ((lines // 2, columns - 1), right),
                ((0, columns // 2), above),
            ):
                self._glyphs.setdefault(at, (letter, LETTERS))
        self.refresh()

    @staticmethod
    def _cell(placed: Placed, dot: tuple[int, int]) -> tuple[int, int]:
        return dot[0] // placed.cell[0], dot[1] // placed.cell[1]

    def render_line(self, y: int) -> Strip:
        """One line of cells."""
        width = self.size.width
        if self._placed is None or y >= self._placed.cells[0]:
            return Strip([Segment(" " * width, self.rich_style)])
        line = draw_line(self._placed, y, self._marks, self._glyphs, self.rich_style)
        return Strip(line).simplify().adjust_cell_length(width, self.rich_style)
