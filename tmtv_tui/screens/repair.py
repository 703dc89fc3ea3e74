"""Repairing a lesion: the preview, which Enter confirms, and the keys of a case that open it."""

from __future__ import annotations

import contextlib
import time
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, ClassVar

from textual import work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.message import Message
from textual.screen import ModalScreen
from textual.widgets import Static
from textual.worker import get_current_worker

from tmtv_engine.case.parts import without_background
from tmtv_engine.errors import TmtvError
from tmtv_engine.review.journal import Decision
from tmtv_engine.review.line import Action
from tmtv_tui.review.cursor import Cursor
from tmtv_tui.review.opened import Opened
from tmtv_tui.review.planes import planes_of
from tmtv_tui.review.repair import Draft, Kind, Preview, preview, with_method
from tmtv_tui.screens.asking import AskingScreen
from tmtv_tui.screens.slices import LAYOUTS, THREE_LINES, Laid
from tmtv_tui.widgets.lesions import LesionTable
from tmtv_tui.widgets.preview import PreviewView

if TYPE_CHECKING:
    from tmtv_tui.app import ReviewApp

Hidden = partial(Binding, show=False)
STILL_S = 0.3
NARROW = 70
ASKED = "asking the model; Escape leaves it"
KEYS = (
    "+ - its number   [ ] how far   % SUV or share, below or above",
    "arrows < > move the point   b planes   Enter: do it   Escape: leave it",
)


MODEL_KEY = "x then arrows and x: a point that is no tumour; the model is asked again"


class RepairScreen(ModalScreen[Decision | None]):
    """What a repair would do, by every method, before it is done; computed in a worker."""

    app: ReviewApp
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "go", "do it"),
        Binding("escape,q,ctrl+q", "leave", "leave it"),
        Binding("plus,equals_sign", "step(1)", "more"),
        Binding("minus", "step(-1)", "less"),
        Binding("right_square_bracket", "reach(1)", "further"),
        Binding("left_square_bracket", "reach(-1)", "nearer"),
        Binding("percent_sign", "other", "SUV or share, below or above"),
        Binding("left", "move('right', -1)", "point to the left"),
        Binding("right", "move('right', 1)", "point to the right"),
        Binding("up", "move('down', -1)", "point up"),
        Binding("down", "move('down', 1)", "point down"),
        Binding("less_than_sign", "move('across', -1)", "slice before"),
        Binding("greater_than_sign", "move('across', 1)", "next slice"),
        Binding("x", "deny", "here is no tumour: ask the model again"),
        Binding("b", "planes", "three planes, axial, coronal, sagittal"),
    ]
    DEFAULT_CSS = """
    RepairScreen { align: center middle; }
    RepairScreen #asked { width: 96%; height: 90%; border: round $primary; background: $surface;
                          padding: 0 1; }
    RepairScreen #repair, RepairScreen #planes, RepairScreen #flat { height: 1fr; }
    RepairScreen #flat PreviewView { margin-right: 1; }
    RepairScreen #told { width: 52; max-width: 60%; padding: 0 1; }
    """

    class Computed(Message):
        """What a draft would do is known."""

        def __init__(self, seen: Preview) -> None:
            super().__init__()
            self.seen = seen

    def __init__(self, opened: Opened, draft: Draft, view: tuple[str, int, bool, float]) -> None:
        """``view``: how pictures are drawn, their greys, whether marks are signs, the window."""
        super().__init__()
        self._opened, self.draft = opened, draft
        self._view = view
        self._laid: Laid = "three"
        self.seen: Preview | None = None

    def compose(self) -> ComposeResult:
        """The slice, the numbers beside it, the keys below."""
        with Vertical(id="asked"):
            yield Static(id="what", markup=False)
            with Horizontal(id="repair"):
                with Vertical(id="planes"):
                    yield PreviewView("axial", id="seen")
                    with Horizontal(id="flat"):
                        yield PreviewView("coronal", id="coronal")
                        yield PreviewView("sagittal", id="sagittal")
                yield Static(id="told", markup=False)
            keys = [*KEYS, MODEL_KEY] if self.draft.model else KEYS
            yield Static(Content("\n".join(keys)), classes="dim", markup=False)

    def on_mount(self) -> None:
        """Compute at once."""
        for picture in self.query(PreviewView):
            picture.mode, picture.greys, picture.signs, _ = self._view
        self._lay()
        self._ask(self.draft)

    def on_resize(self) -> None:
        """As many planes as there is room for."""
        self._lay()

    def _lay(self) -> None:
        narrow = self.size.width < NARROW  # the numbers need 33 columns in one line
        self.query_one("#told").styles.max_width = "70%" if narrow else "60%"
        three = self._laid == "three" and self.size.height >= THREE_LINES
        self.query_one("#flat").display = three
        self.query_one("#seen", PreviewView).turn("axial" if self._laid == "three" else self._laid)

    def action_planes(self) -> None:
        """Three planes, or one of them alone."""
        self._laid = LAYOUTS[(LAYOUTS.index(self._laid) + 1) % len(LAYOUTS)]
        self._lay()

    def _ask(self, draft: Draft) -> None:
        self.draft, self.seen = draft, None
        self.query_one("#what", Static).update(Content(draft.words()).stylize("bold"))
        if draft.asks and draft.kept is None:
            self.query_one("#told", Static).update(Content(ASKED))
        self._compute(draft)

    @work(thread=True, exclusive=True, group="preview")
    def _compute(self, draft: Draft) -> None:
        worker = get_current_worker()
        model, wanted = self.app.asked, time.monotonic() + STILL_S
        waits = draft.asks and draft.kept is None
        while waits and time.monotonic() < wanted and not worker.is_cancelled:
            time.sleep(0.02)  # a point that is still being moved is not asked about
        seen = preview(self._opened, draft, model, lambda: worker.is_cancelled, self.app.blind)
        if not worker.is_cancelled:
            self.post_message(self.Computed(seen))

    def on_repair_screen_computed(self, message: Computed) -> None:
        """Show what was computed, unless something else was asked for since."""
        if message.seen.draft != self.draft:
            return
        self.seen = seen = message.seen
        told = seen.told or "\n".join(seen.lines)
        colours = (
            "" if seen.told else "\n\ngreen +: comes   orange -: goes\nblue: stays   ×: the point"
        )
        self.query_one("#told", Static).update(Content(told + colours))
        for picture in self.query(PreviewView):
            picture.show(seen, self._view[3])

    def action_go(self) -> None:
        """Do what is shown; nothing while it is not shown or cannot be."""
        if self.seen is not None and self.seen.decision is not None:
            self.dismiss(self.seen.decision)

    def action_leave(self) -> None:
        """Do nothing."""
        self.dismiss(None)

    def action_step(self, by: int) -> None:
        """The radius, the SUV or the share."""
        self._ask(self.draft.stepped(by))

    def action_reach(self, by: int) -> None:
        """How far from the point."""
        self._ask(self.draft.reaching(by))

    def action_other(self) -> None:
        """Share for SUV, above for below."""
        self._ask(self.draft.other())

    def action_deny(self) -> None:
        """Look for what is no tumour; or that it is here."""
        if self.draft.asks:
            self._ask(self.draft.denied())

    def action_move(self, way: str, by: int) -> None:
        """The point, one voxel as the first plane is shown: `>` to the feet, the back, the left."""
        plane = planes_of(self.draft.point.grid)[self.query_one("#seen", PreviewView).plane]
        axis, sign = getattr(plane, way)
        self._ask(replace(self.draft, point=self.draft.point.step(axis, sign * by)))


class RepairingScreen(AskingScreen):
    """A case's keys that repair; what they ask for comes to `decide`."""

    app: ReviewApp
    BINDINGS: ClassVar[list[BindingType]] = [
        Hidden("g", "repair('grow')", "add at the cursor, or grow", id="grow"),
        Hidden("E", "repair('erase')", "erase a sphere", key_display="E", id="erase"),
        Hidden("T", "repair('below')", "shrink or cap by an SUV", key_display="T", id="threshold"),
        Hidden("J", "repair('merge')", "merge the marked", key_display="J", id="merge"),
    ]

    class Parted(Message):
        """A lesion's parts are known: to record the split costs nothing more."""

        def __init__(self, lesion: int) -> None:
            super().__init__()
            self.lesion = lesion

    def action_repair(self, what: str) -> None:
        """Ask for a repair with its preview."""
        o, table = self.opened, self.query_one(LesionTable)
        if o is None:
            return
        if self.app.read_only or o.reading.signed:
            self.complain("read only" if self.app.read_only else "signed: S re-opens it first")
            return
        number = table.current()
        point = self.cursor
        if point is None and number is not None:
            point = Cursor.on_peak(o.reading.lesions, number)
        if point is None:
            self.complain("there is no point to begin at")
            return
        draft = self._draft(o, what, point, number, tuple(n for n in table.marked if n))
        if draft is not None:
            self._show(o, with_method(draft, self.app.method_of(o)))

    def _draft(
        self, o: Opened, what: str, point: Cursor, number: int | None, marked: tuple[int, ...]
    ) -> Draft | None:
        if what == "merge":
            if len(marked) < 2:
                self.complain("mark two lesions at least (space), then merge")
                return None
            return Draft(Kind.MERGE, point, tuple(sorted(marked)))
        if what == "grow":
            held, model = _holder(o, point), self.app.asked.name if self.app.asked else ""
            kind, own = (Kind.ADD, ()) if held is None else (Kind.GROW, (held,))
            return Draft(kind, point, own, model=model, asks=bool(model))
        if number is None:
            self.complain("choose the lesion first")
            return None
        return Draft(Kind.ERASE if what == "erase" else Kind.BELOW, point, (number,))

    def _show(self, o: Opened, draft: Draft) -> None:
        from tmtv_tui.screens.pictures import WINDOWS

        def done(decision: Decision | None) -> None:
            if decision is not None and self.decide(decision):
                table = self.query_one(LesionTable)
                table.unmark()
                line = o.reading.lines[-1]
                table.go(line.lesions[0])

        mode = self.app.config.image
        mode = "half" if mode in ("kitty", "sixel") else mode
        view = (mode, self.app.greys, self.app.no_color, WINDOWS[self.white])
        self.app.push_screen(RepairScreen(o, draft, view), done)

    def action_split(self) -> None:
        """Split the chosen lesion into finer parts, found in a worker."""
        number = self.query_one(LesionTable).current()
        if number is not None and self.opened is not None:
            self._part(self.opened, number)

    @work(thread=True, exclusive=True, group="split")
    def _part(self, o: Opened, number: int) -> None:
        with contextlib.suppress(TmtvError):  # said when it is decided
            o.session.tried(Decision(Action.SPLIT, (number,)))
        self.post_message(self.Parted(number))

    def on_repairing_screen_parted(self, message: Parted) -> None:
        """Record the split."""
        if self.decide(Decision(Action.SPLIT, (message.lesion,))) and self.opened:
            parts = self.opened.reading.splits[message.lesion]
            self.query_one(LesionTable).go(parts[0])
            if told := without_background(self.opened.methods, parts):
                self.notify(told, severity="warning", markup=False)


def _holder(o: Opened, point: Cursor) -> int | None:
    """The accepted lesion that holds a voxel."""
    import numpy as np

    lesions = o.reading.lesions
    flat = int(np.ravel_multi_index(point.index, lesions.grid.shape))
    held = lesions.owner[lesions.voxels == flat]
    number = int(lesions.ids[held[0]]) if len(held) else None
    return number if number is not None and o.reading.status[number] == "accepted" else None
