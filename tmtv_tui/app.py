"""The review app: a worklist and, above it, one case at a time."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from rich.color import ColorSystem
from rich.segment import Segment
from textual import events, work
from textual.actions import ActionParseResult
from textual.app import SystemCommand
from textual.color import Color
from textual.dom import DOMNode
from textual.filter import LineFilter
from textual.screen import ModalScreen, Screen
from textual.theme import Theme

from tmtv_engine.case.folder import read_case
from tmtv_engine.errors import TmtvError, UsageError
from tmtv_engine.review.journal import Decision, login
from tmtv_engine.review.line import Action
from tmtv_engine.review.session import Session, refresh
from tmtv_engine.text import clean
from tmtv_tui.config import PIXELS, THEMES, Config
from tmtv_tui.messages import CaseChanged
from tmtv_tui.review.glyphs import OWN
from tmtv_tui.review.opened import Opened
from tmtv_tui.review.picture import GREYS
from tmtv_tui.review.rows import alias, broken_row, case_row
from tmtv_tui.screens.case import CaseScreen
from tmtv_tui.screens.compare import CompareScreen
from tmtv_tui.screens.worklist import Worklist
from tmtv_tui.terminal.frames import FramedApp
from tmtv_tui.widgets.canvas import Canvas
from tmtv_tui.widgets.keybar import KeyBar, bindings_of, keys_of

if TYPE_CHECKING:
    from tmtv_engine.review.asked import Interactive
    from tmtv_tui.terminal.painter import Painter

CONTRAST = Theme(
    "contrast",
    primary="#ffff00",
    secondary="#00ffff",
    accent="#ffff00",
    foreground="#ffffff",
    background="#000000",
    surface="#000000",
    panel="#202020",
    dark=True,
)


FEW = 4  # greys among 16 colours
FEW_COLOURS = (
    "This terminal says that it has 16 colours, so pictures are dithered in 4 greys. "
    "If it can show 256: TMTV_COLOURS=256 tmtv review …"
)


class Harmless(LineFilter):
    """No control or format character leaves for the terminal, whatever a case holds."""

    def apply(self, segments: list[Segment], background: Color) -> list[Segment]:
        """Segments with their text cleaned; widths stand."""
        return [s if s.text.isascii() and s.text.isprintable() else _harmless(s) for s in segments]


HARMLESS = Harmless()  # one, for strips remember what a filter made of them


def _harmless(segment: Segment) -> Segment:
    text = "".join(c if c == " " or c in OWN or clean(c) else " " for c in segment.text)
    return segment if text == segment.text else Segment(text, segment.style)


def _known_actions(keys: Iterable[str]) -> None:
    """Raise `UsageError` for settings of keys that no screen has."""
    screens = (Worklist, CaseScreen, CompareScreen)
    known = sorted({b.id for screen in screens for b in bindings_of(screen) if b.id})
    for name in keys:
        if name not in known:
            raise UsageError(f"no action is called {clean(name)!r}", f"Known: {', '.join(known)}.")


def _painter(image: str, plain: bool) -> Painter | None:
    if image not in PIXELS:
        return None
    from tmtv_tui.terminal.painters import painter_of

    return painter_of(image, plain, os.environ)


class ReviewApp(FramedApp):
    """``tmtv review``: `out` holds the cases; every decision goes to ``reader``'s journal.

    ``start``: a reader whose decisions a case begins with; ``compare``: one to be put beside;
    ``asked``: the interactive model that is asked at a point.
    """

    CSS_PATH = "review.tcss"
    TITLE = "tmtv review"
    SCREENS: ClassVar = {}

    def __init__(
        self,
        out: Path,
        *,
        reader: str | None = None,
        read_only: bool = False,
        blind: bool = False,
        order_seed: int | None = None,
        start: str | None = None,
        compare: str | None = None,
        config: Config | None = None,
        asked: Interactive | None = None,
    ) -> None:
        super().__init__()
        self.config = config or Config()
        _known_actions(self.config.keys)
        self.out = out
        self.reader = reader or self.config.reader or login()
        self.read_only, self.blind, self.order_seed = read_only, blind, order_seed
        self.start, self.compare, self.asked = start, compare, asked
        self.method = "41"
        self.extra_methods: list[str] = []
        self.at_work: list[Opened] = []
        self._waiting: set[Path] = set()
        self._following: set[Path] = set()
        self.failed: set[Path] = set()
        self.typed_at = 0.0
        self._painter = _painter(self.config.image, self.no_color)
        self.worklist = Worklist()

    def pictures(self) -> Sequence[Any]:
        """As `FramedApp`."""
        return self.screen.query(Canvas).nodes

    async def on_event(self, event: events.Event) -> None:
        """Know when a key came in, which may be before what it is answered by was there."""
        if isinstance(event, events.Key):
            self.typed_at = event.time
        await super().on_event(event)

    def _refresh_notifications(self) -> None:
        """What there is to say stands in the line of the keys, where it covers nothing."""
        told = list(self._notifications)
        for screen in reversed(self._screen_stack if self._running else []):
            for bar in screen.query(KeyBar):
                bar.tell(told)
            if not isinstance(screen, ModalScreen):
                return

    def get_line_filters(self) -> Sequence[LineFilter]:
        """The app's own, last."""
        return [*super().get_line_filters(), HARMLESS]

    def on_mount(self) -> None:
        """Theme and worklist."""
        self.register_theme(CONTRAST)
        self.theme = THEMES[self.config.theme]
        self.set_keymap(dict(self.config.keys))
        self.push_screen(self.worklist)
        if self.greys < GREYS:
            self.notify(FEW_COLOURS, timeout=8, markup=False)

    @property
    def greys(self) -> int:
        """How many greys pictures have in this terminal."""
        few = self.console._color_system is ColorSystem.STANDARD and not self.no_color
        return FEW if few else GREYS

    def get_system_commands(self, screen: Screen[Any]) -> Iterable[SystemCommand]:
        """What the keys of the screen do, then themes and the like."""
        for key in keys_of(screen):
            run = partial(screen.run_action, key.action)
            yield SystemCommand(f"{key.words} ({key.name})", "", run)
        for name, theme in THEMES.items():
            yield SystemCommand(f"theme {name}", "", partial(setattr, self, "theme", theme))

    @property
    def blind_reader(self) -> str | None:
        """The one reader whose doings are seen, where the reading is blind."""
        return self.reader if self.blind else None

    def name_of(self, name: str) -> str:
        """What a case is called here: blind, nothing that tells whose it is."""
        return alias(name) if self.blind else name

    def method_of(self, opened: Opened) -> str:
        """The method in use, or the case's first where it lacks that."""
        known = list(opened.table.volume_ml)
        return self.method if self.method in known else known[0]

    def use_method(self, key: str) -> None:
        """Use a method here and in the cases opened next."""
        self.method = key
        if key not in self.extra_methods:
            self.extra_methods.append(key)

    def open_case(self, path: Path) -> None:
        """Show a case above the worklist."""
        self.failed.discard(path)
        self.push_screen(CaseScreen(path))

    def told(self, error: Exception) -> str:
        """An error in words; one that nobody foresaw with its kind. Blind it does not say what."""
        if self.blind:
            return "this case cannot be read"
        return str(error) if isinstance(error, TmtvError) else f"{type(error).__name__}: {error}"

    def broken(self, path: Path, error: object) -> None:
        """A case did not open, or failed under its screen: its row says so, the others stand."""
        self.failed.add(path)
        row = broken_row(path, error, self.blind_reader, reads=True)
        self.worklist.post_message(CaseChanged(row))

    async def run_action(
        self,
        action: str | ActionParseResult,
        default_namespace: DOMNode | None = None,
        namespaces: Mapping[str, DOMNode] | None = None,
    ) -> bool:
        """What a key of a case's screen raises, ends that screen and not the app."""
        try:
            return await super().run_action(action, default_namespace, namespaces)
        except Exception as error:
            if not self.fail(error):
                raise
            return True

    def _handle_exception(self, error: Exception) -> None:
        """As for keys, what drawing it raises."""
        if not self.fail(error):
            super()._handle_exception(error)

    def fail(self, error: Exception) -> bool:
        """Close the case in front, which raised ``error``; False where there is none."""
        path = next((s.path for s in self._screen_stack if isinstance(s, CaseScreen)), None)
        if path is None:
            return False
        if path not in self.failed:
            self.broken(path, error)
            self.call_later(self._leave, path, error)
        return True

    async def _leave(self, path: Path, error: Exception) -> None:
        """Back to the worklist."""
        while len(self._screen_stack) > 1 and self.screen is not self.worklist:
            await self.pop_screen()
        self._refused(f"{self.name_of(path.name)} was closed: {type(error).__name__}")

    def close_case(self, opened: Opened) -> None:
        """Bound the reading time of a case, once."""
        if opened in self.at_work:
            self.at_work.remove(opened)
            if not self.read_only:
                opened.close()
                self._waiting.add(opened.case.path)
                self._follow(opened.case.path)

    def step_case(self, path: Path, step: int) -> None:
        """The case before or after ``path`` in the worklist."""
        found = self.worklist.neighbour(path, step)
        if found is None:
            self.notify("there is no further case", markup=False)
        else:
            self.failed.discard(found)
            self.switch_screen(CaseScreen(found))

    def flag(self, path: Path) -> None:
        """Flag a case from the worklist, or take the flag away."""
        if self.read_only:
            self.notify("read only: nothing is recorded", severity="error", markup=False)
            return
        self._flag(path)

    @work(thread=True, group="follow")
    def _flag(self, path: Path) -> None:
        try:
            session = Session(read_case(path), self.reader)
            session.decide(Decision(Action.UNFLAG if session.reading.flagged else Action.FLAG))
        except Exception as error:
            self.call_from_thread(self._refused, self.told(error))
            return
        self.call_from_thread(self.follow, path)

    def _refused(self, error: str) -> None:
        self.notify(error, severity="error", markup=False)

    def follow(self, path: Path) -> None:
        """Bring `case.json` and `summary.csv` after the journal, soon and off the event loop."""
        if path not in self._waiting:
            self._waiting.add(path)
            self.set_timer(0.25, lambda: self._follow(path))

    @work(thread=True, group="follow")
    def _follow(self, path: Path) -> None:
        self._following.add(path)
        self._waiting.discard(path)
        try:
            refresh(read_case(path))
            self._following.discard(path)
        except Exception as failed:  # of one case: it may not end the others
            self.call_from_thread(self._refused, self.told(failed))
        if path not in self.failed:
            self.worklist.post_message(CaseChanged(case_row(path, self.blind_reader)))

    def finish(self) -> None:
        """After the app has ended: close what is open, follow what was not followed yet. What one
        case raises is raised when all are done."""
        failed: list[Exception] = []
        for opened in self.at_work:
            if not self.read_only:
                opened.close()
                self._waiting.add(opened.case.path)
        for path in self._waiting | self._following:
            try:
                refresh(read_case(path))
            except Exception as error:
                failed.append(error)
        if failed:
            raise failed[0]
