"""How projections are looked at: rotation, zoom, window; nothing here decides anything."""

from __future__ import annotations

from typing import TYPE_CHECKING

from textual.screen import Screen

from tmtv_tui.review.cursor import Cursor
from tmtv_tui.review.opened import Opened
from tmtv_tui.screens.dialogs import Page, help_lines
from tmtv_tui.widgets.mip import MipView

if TYPE_CHECKING:
    from tmtv_tui.app import ReviewApp

LEGEND = (
    "In the picture a lesion has a mark at its maximum: orange (+)",
    "accepted, blue (?) candidate; rejected ones have none. The one",
    "chosen is framed in green. R L A P: the patient's sides.",
    "Click a lesion to choose it, draw a box to reject what lies in it.",
    "In slices (i) every lesion is outlined in its colour, the arms of",
    "a cross point at the cursor; arrows move it, < > { } the slice.",
    "In the table: ! decided by a reader, * marked.",
)
VIEWS = ("front", "side", "both")
ROOM = 140  # columns in which two pictures are each large enough
ZOOMS = (0, 1, 2, 4)
WINDOWS = (4.0, 6.0, 8.0, 10.0, 15.0, 20.0, 25.0)


class PictureScreen(Screen[None]):
    """A screen with the projections ``#front`` and ``#side`` and a lesion table."""

    app: ReviewApp

    def __init__(self) -> None:
        super().__init__()
        self.opened: Opened | None = None
        self.cursor: Cursor | None = None
        self.angle = 0
        self.white = WINDOWS.index(10.0)
        self.views = VIEWS[0]
        self.marking = True
        self.slices = False

    def point_at(self, cursor: Cursor) -> None:
        """Put the one cursor of all views on another voxel."""
        self.cursor = cursor

    def footer(self) -> None:
        """Show the keys of what is being done."""

    def say(self) -> None:
        """Bring the words of the screen up to what is shown."""

    def action_outlines(self) -> None:
        """The marks of the lesions that are not chosen, on or off."""
        self.marking = not self.marking
        for view in self.query(MipView):
            view.others = self.marking
            view.turn(view.angle)

    def action_views(self) -> None:
        """Front, then side, then both."""
        self.views = VIEWS[(VIEWS.index(self.views) + 1) % len(VIEWS)]
        self.lay_views()
        self.say()

    def lay_views(self) -> None:
        """Show what was asked for."""
        self.query_one("#side").display = self.views != "front"
        self.query_one("#front").display = self.views != "side"

    def action_turn(self, step: int) -> None:
        """Rotate both projections."""
        o = self.opened
        if o is None:
            return
        count = len(o.mip.angles_deg)
        self.angle = (self.angle + step) % count
        self.query_one("#front", MipView).turn(self.angle)
        self.query_one("#side", MipView).turn((self.angle + count // 4) % count)
        self.say()

    def action_zoom(self, step: int) -> None:
        """Nearer to the chosen lesion, or out to the whole field with the arms."""
        for view in self.query(MipView):
            at = ZOOMS.index(view.zoom) + (1 if step > 0 else -1)
            view.magnify(ZOOMS[min(len(ZOOMS) - 1, max(0, at))])

    def action_window(self, step: int) -> None:
        """Another window level."""
        self.white = min(len(WINDOWS) - 1, max(0, self.white + step))
        for view in self.query(MipView):
            view.window(WINDOWS[self.white])
        self.say()

    def action_help(self) -> None:
        """The keys."""
        self.app.push_screen(Page("Case", [*LEGEND, "", *help_lines(self)]))

    def action_redraw(self) -> None:
        """Paint everything again."""
        self.app.repaint()

    def action_leave(self) -> None:
        """Back to the worklist."""
        self.app.pop_screen()
