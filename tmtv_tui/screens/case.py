"""One case: projections, lesions, totals, decisions."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from textual import events, work
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.widgets import Static

from tmtv_engine.errors import TmtvError
from tmtv_engine.review.journal import Decision
from tmtv_engine.review.line import Action
from tmtv_engine.review.reading import Reading
from tmtv_engine.review.reasons import Reason
from tmtv_tui.messages import CameOrWent, CaseRead, LesionPicked, RegionDrawn
from tmtv_tui.review.cursor import Cursor
from tmtv_tui.review.opened import Opened
from tmtv_tui.review.present import Present
from tmtv_tui.review.rows import day
from tmtv_tui.review.rules import region_rule
from tmtv_tui.review.signing import rehearse
from tmtv_tui.review.sites import sites_of
from tmtv_tui.review.words import SHORT_HEADER, TOTALS_HEADER, total_line
from tmtv_tui.screens.dialogs import TOO_SMALL, Ask, fit
from tmtv_tui.screens.keys import CASE_KEYS, DIGITS
from tmtv_tui.screens.pictures import WINDOWS
from tmtv_tui.screens.repair import RepairingScreen
from tmtv_tui.screens.slices import slice_panes
from tmtv_tui.widgets.canvas import Canvas
from tmtv_tui.widgets.keybar import KeyBar
from tmtv_tui.widgets.lesions import LesionTable
from tmtv_tui.widgets.mip import MipView

ROOM_FOR_TOTALS = 132
"""Columns of a terminal whose part beside slices holds the whole lines."""

if TYPE_CHECKING:
    from tmtv_tui.app import ReviewApp


class CaseScreen(RepairingScreen):
    """Decide lesion by lesion; every decision is on disk when its key has been answered."""

    app: ReviewApp
    BINDINGS: ClassVar[list[BindingType]] = CASE_KEYS

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.path = path
        self._asked: tuple[int, ...] = ()
        self._present: Present | None = None

    def compose(self) -> ComposeResult:
        """Pictures on the left, numbers on the right."""
        yield Static(id="head", markup=False)
        with Horizontal(id="body"):
            with Horizontal(id="pictures"):
                yield MipView(0, id="front")
                yield MipView(0, id="side")
                yield from slice_panes()
            with Vertical(id="numbers"):
                yield LesionTable(id="lesions")
                yield Static(id="totals", markup=False)
                yield Static(id="hint", markup=False)
        yield Static(TOO_SMALL, id="small", markup=False)
        yield KeyBar()

    def on_resize(self, event: events.Resize) -> None:
        """Words where there is no room for a picture at all."""
        fit(self, event.size)
        self.lay_views()

    def on_mount(self) -> None:
        """Blank at first, filled when the files are read."""
        self.lay_views()
        name = self.app.name_of(self.path.name)
        self.query_one("#head", Static).update(Content(f"{name}  reading …"))
        wanted = self.app.config.white_suv
        self.white = min(range(len(WINDOWS)), key=lambda k: abs(WINDOWS[k] - wanted))
        for view in self.query(Canvas):
            view.mode, view.greys = self.app.config.image, self.app.greys
            view.signs = self.app.no_color
        self.query_one(LesionTable).focus()
        self.load()

    def lay_views(self) -> None:
        """As the screens below, and the totals in the columns that there are then."""
        super().lay_views()
        if self.opened is not None:
            self._put("#totals", self._totals(self.opened))

    @work(thread=True, exclusive=True)
    def load(self) -> None:
        """Read the case and replay the journal."""
        try:
            opened = Opened.of(self.path, self.app.reader, self.app.extra_methods)
            rehearse(opened)
            present = Present(self.path, self.app.reader, self.app.blind)
            told = present.look()
            if not self.app.read_only:
                opened.open()
                if self.app.start:
                    told.append(opened.start_from(self.app.start))
            self.post_message(CaseRead(opened, [text for text in told if text], present=present))
        except Exception as error:  # whatever a case's files make fail, it is that case alone
            self.app.broken(self.path, error)
            self.post_message(CaseRead(None, [], self.app.told(error)))

    def on_case_read(self, message: CaseRead) -> None:
        """Show what was read."""
        if message.opened is None:
            self.complain(message.error)
            name = self.app.name_of(self.path.name)
            self.query_one("#head", Static).update(Content(f"{name}: {message.error}"))
            return
        self.opened, self._present = message.opened, message.present
        self.app.at_work.append(message.opened)
        self._show_all()
        for text in message.told:
            self.notify(text, severity="warning", markup=False)
        self.set_interval(3.0, self._look)

    def _look(self) -> None:
        """Show what another session of this reader decided meanwhile, and who came or went."""
        o = self.opened
        if o is None:
            return
        if self._present is not None:
            self._look_around(self._present)
        before = o.reading
        try:
            o.refresh()
        except TmtvError as error:
            self.complain(str(error))
            return
        if o.reading is not before:
            self.settle(before)

    @work(thread=True, group="present", exclusive=True)
    def _look_around(self, present: Present) -> None:
        if told := present.look():
            self.post_message(CameOrWent(told))

    def on_came_or_went(self, message: CameOrWent) -> None:
        """Say who opened or closed the case meanwhile."""
        self.say()
        for text in message.told:
            self.notify(text, severity="warning", markup=False)

    def _show_all(self) -> None:
        o = self.opened
        if o is None:
            return
        self.query_one(LesionTable).fill(o, self.app.method_of(o))
        quarter = len(o.mip.angles_deg) // 4
        for name, turn in (("#front", 0), ("#side", quarter)):
            view = self.query_one(name, MipView)
            view.white_suv = WINDOWS[self.white]
            view.angle = (self.angle + turn) % len(o.mip.angles_deg)
        self._show_lesions(o)

    def _show_lesions(self, o: Opened) -> None:
        """Marks, chosen lesion and words for the lesions that there are now."""
        for view in self.query(MipView):
            view.show(o.prints, o.reading.lesions, o.reading.status)
        self._choose(self.query_one(LesionTable).current())
        self.say()

    def settle(self, before: Reading) -> None:
        """Draw what a decision changed, no more."""
        o = self.opened
        if o is None:
            return
        self.query_one(LesionTable).settle(o, before)
        if o.reading.lesions is not before.lesions:
            self._show_lesions(o)
        else:
            for view in self.query(MipView):
                view.settle(o.reading.status)
            self.say()
        self.draw_slices()
        self.app.follow(self.path)

    def say(self) -> None:
        o = self.opened
        if o is None:
            return
        words = [self.app.name_of(o.case.name), o.reading.state]
        if o.reading.signed:
            words.append("SIGNED (S re-opens)")
        if self.app.read_only:
            words.append("READ ONLY")
        there = self._present.short if self._present is not None else []
        words += [f"also open: {' '.join(there)}"] if there else []
        if not self.app.blind:
            patient, study = o.case.record.patient, o.case.record.study
            words += [patient.id or "", day(study.date)]
        words += [f"reader {self.app.reader}", f"{o.angle(self.angle):.0f}°"]
        words.append(f"SUV 0–{WINDOWS[self.white]:g}")
        words.append(self.listed())
        self._put("#head", Content(" · ".join(w for w in words if w)))
        self.footer()
        self._put("#totals", self._totals(o))
        self._put("#hint", Content(self._hint(o)))

    def _hint(self, o: Opened) -> str:
        if self._asked:
            offered = (f"{d} {r}" for d, r in zip(DIGITS, Reason, strict=False))
            return f"{self.which(self._asked)}: why? {' '.join(offered)} t type"
        number = self.query_one(LesionTable).current()
        codes = " ".join(w.code for w in o.case.record.warnings)
        reason = o.reading.reasons.get(number or 0)
        words = [f"#{number}: {reason}"] if reason else []
        return "  ".join(words + ([f"warnings: {codes}"] if codes else []))

    def _put(self, name: str, content: Content) -> None:
        """Write words where they changed; the layout moves only with the number of lines."""
        found = self.query_one(name, Static)
        before = found.content
        if not isinstance(before, Content) or not content.is_same(before):
            lines = content.plain.count("\n") != str(before).count("\n")
            found.update(content, layout=lines)

    def _totals(self, o: Opened) -> Content:
        key = self.app.method_of(o)
        short = self.slices and self.size.width < ROOM_FOR_TOTALS
        lines = [Content(f" {SHORT_HEADER if short else TOTALS_HEADER}").stylize("bold")]
        for method in o.table.volume_ml:
            line = Content(f"{'▸' if method == key else ' '}{total_line(o, method, short)}")
            lines.append(line.stylize("bold") if method == key else line)
        sites = sites_of(o).words()
        return Content("\n").join(lines + ([Content(sites)] if sites else []))

    def on_lesion_table_chosen(self, message: LesionTable.Chosen) -> None:
        """The table's cursor chooses in the picture."""
        self._choose(message.lesion)

    def on_lesion_picked(self, message: LesionPicked) -> None:
        """A click in the picture chooses in the table."""
        self.query_one(LesionTable).go(message.lesion)

    def on_region_drawn(self, message: RegionDrawn) -> None:
        """A box in the picture asks to reject what lies in it."""
        if self.opened is not None:
            mip = self.opened.mip
            self.ask_rule(region_rule(mip, message.angle, message.first, message.last))

    def _choose(self, lesion: int | None) -> None:
        for view in self.query(MipView):
            view.choose(lesion)
        if self.opened is not None:
            if lesion is not None:
                self.point_at(Cursor.on_peak(self.opened.reading.lesions, lesion))
            self._put("#hint", Content(self._hint(self.opened)))

    def decide(self, decision: Decision) -> bool:
        """Record a decision and show it; False where it was refused."""
        o = self.opened
        if o is None:
            return False
        if self.app.read_only:
            self.complain("read only: nothing is recorded")
            return False
        before = o.reading
        try:
            o.decide(decision)
        except TmtvError as error:
            self.complain(str(error))
            return False
        self._asked = decision.lesions if decision.action == Action.REJECT else ()
        self.settle(before)
        return True

    def action_decide(self, action: str) -> None:
        """Accept or reject the marked lesions, or the chosen one, and go on."""
        table = self.query_one(LesionTable)
        lesions = table.marked or ((table.current(),) if table.current() else ())
        lesions = tuple(n for n in lesions if n is not None)
        if lesions and self.decide(Decision(action, lesions)):
            single = not table.marked
            table.unmark()
            if single and self.app.config.advance:
                self.action_move(1)
                self._choose(table.current())  # in the same frame

    def reject_marked(self) -> None:
        """Reject the marked lesions."""
        self.action_decide("reject")

    def action_reason(self, which: int) -> None:
        """Say why the last lesion was rejected."""
        if self._asked:
            self._because(list(Reason)[which])

    def _because(self, reason: str) -> None:
        """The reject just made, with its reason: one undo takes both back."""
        o = self.opened
        if o is not None and self._asked:
            last = o.reading.undoable
            self.decide(Decision(Action.REJECT, self._asked, last.seq if last else None, reason))
            self._asked = ()
            self.say()

    def action_type_reason(self) -> None:
        """A reason in words."""
        if not self._asked:
            return

        def done(text: str | None) -> None:
            if text and text.strip():
                self._because(text)

        listed = "  ".join(Reason)
        title = f"Why was {self.which(self._asked)} rejected?"
        self.app.push_screen(Ask(title, preview=lambda _: listed), done)

    def action_move(self, step: int) -> None:
        """Up or down."""
        table = self.query_one(LesionTable)
        table.move_cursor(table.cursor_row + step)

    def action_next(self) -> None:
        """To the next lesion that nobody decided."""
        if self.opened is not None and not self.query_one(LesionTable).next(self.opened.reading):
            self.notify("every lesion is decided", markup=False)

    def action_mark(self) -> None:
        """Mark the chosen lesion, or unmark it."""
        self.query_one(LesionTable).mark()
        self.action_move(1)

    def action_range(self) -> None:
        """Mark from the last mark to here."""
        self.query_one(LesionTable).mark_range()

    def action_step(self, action: str) -> None:
        """Undo or redo."""
        self.decide(Decision(action))

    def use(self, key: str) -> None:
        """Show this method first."""
        o = self.opened
        if o is None:
            return
        self.app.use_method(key)
        self.query_one(LesionTable).fill(o, key)
        self.say()

    def action_patient(self, step: int) -> None:
        """The next case of the worklist, or the one before."""
        self.app.step_case(self.path, step)

    def on_unmount(self) -> None:
        """Bound the reading time."""
        if self.opened is not None:
            self.app.close_case(self.opened)
