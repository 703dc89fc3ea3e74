"""Small questions: a line of text, a rule with its preview, help."""

from __future__ import annotations

from collections.abc import Callable
from time import monotonic
from typing import TYPE_CHECKING, Any, ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical, VerticalScroll
from textual.content import Content
from textual.geometry import Size
from textual.screen import ModalScreen, Screen
from textual.widgets import Input, Static

from tmtv_tui.widgets.keybar import keys_of

if TYPE_CHECKING:
    from tmtv_tui.app import ReviewApp

TWO_COLUMNS = 100
TOO_SMALL = "The terminal is too small: 60 × 16 at least, 80 × 24 to read well."


def fit(screen: Screen[Any], size: Size) -> None:
    """Tell a screen's style whether the terminal is narrow or too small."""
    screen.set_class(size.width < 100, "narrow")
    screen.set_class(size.width < 60 or size.height < 16, "small")


class Ask(ModalScreen[str | None]):
    """One line of text, with a remark that follows what is typed."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape,ctrl+q", "dismiss", "cancel")]

    def __init__(
        self, title: str, value: str = "", preview: Callable[[str], str] | None = None
    ) -> None:
        super().__init__()
        self._title, self._value = title, value
        self._preview = preview

    def compose(self) -> ComposeResult:
        """A title, the line and the remark."""
        with Vertical(classes="dialog"):
            yield Static(Content(self._title), markup=False)
            yield Input(self._value, id="answer")
            yield Static(Content(self._remark(self._value)), id="remark", markup=False)
            yield Static(Content("Enter: do it   Escape: leave it"), classes="dim", markup=False)

    def on_mount(self) -> None:
        """Type at once."""
        self.query_one(Input).focus()

    def on_input_changed(self, event: Input.Changed) -> None:
        """Say what would happen."""
        self.query_one("#remark", Static).update(Content(self._remark(event.value)))

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Answer."""
        self.dismiss(event.value)

    def _remark(self, value: str) -> str:
        return self._preview(value) if self._preview else ""

    async def action_dismiss(self, result: str | None = None) -> None:
        """Leave without an answer."""
        self.dismiss(None)


class Confirm(ModalScreen[bool]):
    """What would be done, in lines; Enter does it, nothing else, and no Enter that was typed
    before the lines were there: pasted text confirms nothing."""

    app: ReviewApp
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "go", "do it"),
        Binding("escape,q,ctrl+q", "leave", "leave it"),
    ]

    def __init__(self, title: str, lines: list[str]) -> None:
        super().__init__()
        self._title, self._lines = title, lines
        self._since = 0.0

    def compose(self) -> ComposeResult:
        """The title, the lines, the two keys."""
        with Vertical(classes="dialog"):
            yield Static(Content(self._title).stylize("bold"), markup=False)
            with VerticalScroll(classes="lines"):
                yield Static(Content("\n".join(self._lines)), markup=False)
            yield Static(Content("Enter: do it   Escape: leave it"), classes="dim", markup=False)

    def on_mount(self) -> None:
        """Long lists scroll."""
        self._since = monotonic()
        self.query_one(VerticalScroll).focus()

    def action_go(self) -> None:
        """Yes."""
        if self.app.typed_at < self._since:
            self.notify("Enter came before this was to be read: once more", markup=False)
            return
        self.dismiss(True)

    def action_leave(self) -> None:
        """No."""
        self.dismiss(False)


class Page(ModalScreen[None]):
    """A page of text: help, warnings, the decision log."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q,question_mark,enter,w,l", "close", "close"),
        Binding("j", "scroll(1)", show=False),
        Binding("k", "scroll(-1)", show=False),
    ]

    def __init__(self, title: str, lines: list[str]) -> None:
        super().__init__()
        self._title, self._lines = title, lines

    def compose(self) -> ComposeResult:
        """The title above its lines."""
        with VerticalScroll(classes="dialog page"):
            yield Static(Content(self._title).stylize("bold"), markup=False)
            yield Static(Content("\n".join(self._lines) or "nothing"), markup=False)

    def on_mount(self) -> None:
        """Say where there is more than is seen."""
        self.call_after_refresh(more, self.query_one(VerticalScroll))

    def action_scroll(self, lines: int) -> None:
        """As in every list."""
        self.query_one(VerticalScroll).scroll_relative(y=lines, animate=False)

    def action_close(self) -> None:
        """Back."""
        self.dismiss(None)


def more(lines: VerticalScroll) -> None:
    """A word on the border of what is longer than the screen."""
    if lines.max_scroll_y:
        lines.border_subtitle = "more: j k PgDn PgUp"


def help_lines(screen: Screen[Any]) -> list[str]:
    """Key and meaning of all that a screen can do, in two columns where there is room."""
    found = [f"{key.name:<10} {key.words}" for key in keys_of(screen)]
    found += [f"{'^p':<10} all commands and themes, by name", f"{'^q':<10} quit"]
    if screen.size.width < TWO_COLUMNS:
        return found
    half = (len(found) + 1) // 2
    wide = max(map(len, found[:half])) + 2
    rest = [*found[half:], ""]
    return [f"{left:<{wide}}{right}" for left, right in zip(found[:half], rest, strict=False)]
