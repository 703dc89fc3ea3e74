"""An app whose frames are few bytes, and fewer than there were where the line is slow."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from rich.console import RenderableType
from textual._compositor import ChopsUpdate, LayoutUpdate
from textual.app import App
from textual.driver import Driver
from textual.geometry import Region
from textual.screen import ModalScreen, Screen

from tmtv_tui.terminal.line import Line
from tmtv_tui.terminal.thrift import Exact, ExactLayout, ExactUpdate, Shown

if TYPE_CHECKING:
    from tmtv_tui.terminal.painter import Painter, Pictured


class FramedApp(App[None]):
    """What stands between Textual's frames and the terminal.

    While bytes wait for a slow line no frame is sent: what it would have changed is kept as cells
    to be drawn, and drawn as they are when the line is free. So the screen is never behind by
    more than one frame, however fast keys come.
    """

    def __init__(self) -> None:
        super().__init__()
        self.line = Line()
        self._shown = Shown()
        self._painter: Painter | None = None

    def pictures(self) -> Sequence[Pictured]:
        """The widgets in front that show a picture."""
        raise NotImplementedError

    @property
    def _background_screens(self) -> list[Screen[Any]]:
        """Only what shows through: Textual counts the screen below an opaque one as visible and
        repaints the whole terminal when that changes."""
        if self._screen_stack and isinstance(self._screen_stack[-1], ModalScreen):
            return super()._background_screens
        return []

    def _display(self, screen: Screen[Any], renderable: RenderableType | None) -> None:
        if self._put_off(screen, renderable):
            return
        exact: Any = renderable
        if type(renderable) is ChopsUpdate:
            exact = ExactUpdate(renderable, self._shown)
        elif type(renderable) is LayoutUpdate:
            if self._painter is not None:  # pixels may lie where cells are thought to be
                self._shown.forget()
            exact = ExactLayout(renderable, self._shown)
        if isinstance(exact, Exact) and self._idle(exact):
            return
        super()._display(screen, exact)
        if self._painter is not None and isinstance(exact, ExactUpdate | ExactLayout):
            self._paint(self._painter, exact)

    def _put_off(self, screen: Screen[Any], frame: RenderableType | None) -> bool:
        """Keep a frame's cells for later where the line is behind."""
        if not self.line.behind or not isinstance(frame, ChopsUpdate | LayoutUpdate):
            return False
        self.line.drained = self._resume
        if not self.line.behind:  # meanwhile
            return False
        dirty = screen._compositor._dirty_regions
        if isinstance(frame, LayoutUpdate):
            dirty.add(frame.region)
        else:
            dirty.update(Region(left, y, right - left, 1) for y, left, right in frame.spans)
        return True

    def _resume(self) -> None:
        """From the writer's thread: the line is free."""
        self.call_later(self._catch_up)

    def _catch_up(self) -> None:
        """Draw what was put off, as it is now."""
        self.screen._compositor_refresh()

    def _idle(self, frame: Exact) -> bool:
        """Whether a frame would change nothing that is seen, nor where text is typed."""
        if self._batch_count or not self._running or self.is_headless or self._painter is not None:
            return False
        place = self.screen.outer_size.clamp_offset(self.cursor_position)
        return place == self._previous_cursor_position and not frame.render_segments(self.console)

    def on_mount(self) -> None:
        """In tmux bytes have left when its own terminal takes more."""
        if not self.is_headless and os.environ.get("TMUX"):
            from tmtv_tui.terminal.meter import Meter

            Meter(self.line).start()

    def on_resize(self) -> None:
        """Of another size, or continued, a terminal may show anything."""
        self._shown.forget()

    def repaint(self) -> None:
        """Write every cell again, whatever the terminal shows."""
        self._shown.forget()
        self.refresh(repaint=True, layout=True)

    def _paint(self, painter: Painter, frame: ExactUpdate | ExactLayout) -> None:
        """Send what changed of the pictures in pixels after a frame of text."""
        if self._driver is None:
            return
        below = isinstance(self.screen, ModalScreen)
        text, torn = painter.follow(None if below else self.pictures(), frame.written)
        if text:
            self._driver.write(text)
            self._driver.flush()
        if torn:
            self._shown.forget()
            self.call_next(self.repaint)

    def farewell(self) -> str:
        """What takes the pictures in pixels off the terminal."""
        return self._painter.farewell() if self._painter is not None else ""

    def get_driver_class(self) -> type[Driver]:
        """Textual's choice; on a terminal the one that takes replies out of the input."""
        found = super().get_driver_class()
        if found.__name__ == "LinuxDriver":
            from tmtv_tui.terminal.driver import QuietDriver

            return QuietDriver
        return found
