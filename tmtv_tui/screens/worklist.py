"""The worklist: every case of a folder, while a batch still runs."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, ClassVar

from rich.text import Text
from textual import events, work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.content import Content
from textual.screen import Screen
from textual.timer import Timer
from textual.widgets import DataTable, Static
from textual.worker import get_current_worker

from tmtv_tui.messages import CaseChanged, RowsRead
from tmtv_tui.review.order import following
from tmtv_tui.review.polling import Watched, interval
from tmtv_tui.review.rows import BROKEN, LEFT, STATES, CaseRow, case_row, order_of
from tmtv_tui.review.words import change
from tmtv_tui.screens.dialogs import TOO_SMALL, Ask, Page, fit, help_lines
from tmtv_tui.widgets.keybar import KeyBar
from tmtv_tui.widgets.table import MeasuredTable

if TYPE_CHECKING:
    from tmtv_tui.app import ReviewApp

BY_NAME = "name"
SORTS: Mapping[str, Callable[[CaseRow, str], float]] = MappingProxyType(
    {
        BY_NAME: lambda row, method: 0.0,
        "status": lambda row, method: list(STATES).index(row.state),
        "TMTV": lambda row, method: -row.reviewed.get(method, 0.0),
        "change": lambda row, method: (
            -abs(row.reviewed.get(method, 0.0) - row.predicted.get(method, 0.0))
        ),
    }
)
"""The orders of the list: their names, and what stands first; ties by name."""
FIRST, TELL_S = 60, 1.0
LEGEND = (
    "One line a case. Lesions 11 +4?: 11 count, 4 candidates do not.",
    "mL by the method that the top line names: predicted → reviewed",
    "(difference). Reader: who decided; open: who has it before them.",
)


class Worklist(Screen[None]):
    """One line a case; Enter opens it."""

    app: ReviewApp
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("question_mark", "help", "help", key_display="?", id="help"),
        Binding("q", "quit", "quit", id="back"),
        Binding("enter", "open", "open", id="open"),
        Binding("tab,n", "next", "next to do", key_display="Tab n", id="next"),
        Binding("slash", "filter", "filter", key_display="/", id="filter"),
        Binding("s", "sort", "sort", id="sort"),
        Binding("m", "method", "method", id="method"),
        Binding("f", "flag", "flag", id="flag"),
        Binding("w", "warnings", "warnings", id="warnings"),
        Binding("j", "move(1)", "down", show=False, id="down"),
        Binding("k", "move(-1)", "up", show=False, id="up"),
        Binding("h,left", "scroll(-20)", "scroll left", key_display="h ←", show=False),
        Binding("l,right", "scroll(20)", "scroll right", key_display="l →", show=False),
        Binding("ctrl+l", "redraw", "redraw", show=False, id="redraw"),
    ]

    def __init__(self) -> None:
        super().__init__()
        self.rows: dict[Path, CaseRow] = {}
        self.shown: list[Path] = []
        self.filter = ""
        self.sort = BY_NAME
        self.finished = False
        self._watched: Watched | None = None
        self._spent_s = 0.0
        self._timer: Timer | None = None
        self._reading = False
        self._drawn: tuple[str, list[str]] = "", []
        self._others: list[str] = []
        self._stale: set[Path] = set()

    def compose(self) -> ComposeResult:
        """A head line, the table, the keys."""
        yield Static(id="head", markup=False)
        yield MeasuredTable(id="cases", cursor_type="row", zebra_stripes=True)
        yield Static(TOO_SMALL, id="small", markup=False)
        yield KeyBar()

    def on_resize(self, event: events.Resize) -> None:
        """Words where there is no room for a table."""
        fit(self, event.size)

    def on_mount(self) -> None:
        """Rows when they are read."""
        self.query_one(MeasuredTable).focus()
        self._columns()
        self._watched = Watched(self.app.out)
        self.read()

    def _columns(self) -> None:
        """The method in use near the front, the others where a wide terminal has room."""
        table = self.query_one(MeasuredTable)
        table.clear(columns=True)
        names = ["", "status", "case", "lesions", f"mL {self.app.method}", "reader", "warnings"]
        names += [] if self.app.blind else ["patient", "date"]
        methods = self._methods()
        self._drawn = self.app.method, methods
        self._others = [k for k in methods if k != self.app.method]
        for k, name in enumerate([*names, *(f"mL {key}" for key in self._others)]):
            table.add_column(Text(name), key=str(k))

    def _methods(self) -> list[str]:
        return list(dict.fromkeys(k for r in self.rows.values() for k in r.predicted))

    def read(self) -> None:
        """Look for what is new or changed, unless that is being done."""
        if not self._reading and self._watched is not None:
            self._reading = True
            self._read(self._watched)

    @work(thread=True, group="read")
    def _read(self, watched: Watched) -> None:
        """The first screenful, then what came within a second: each time the table is drawn."""
        worker = get_current_worker()
        rows: list[CaseRow] = []
        start, told = time.thread_time(), time.monotonic()
        changed, gone = watched.look()
        self._spent_s = time.thread_time() - start
        for folder, stamp in changed:
            if worker.is_cancelled:
                return
            rows.append(case_row(Path(folder), self.app.blind_reader))
            watched.seen[folder] = stamp
            if len(watched.seen) == FIRST or time.monotonic() - told > TELL_S:
                self.post_message(RowsRead(rows, False))
                rows, told = [], time.monotonic()
        for folder in gone:
            del watched.seen[folder]
        self.post_message(RowsRead(rows, True, [Path(folder) for folder in gone]))

    def on_rows_read(self, message: RowsRead) -> None:
        """Take rows in; where the order stands, only what changed is drawn. What failed under its
        screen stays broken until it is opened again."""
        first = not self.finished
        failed = self.app.failed & self.rows.keys()
        rows = [r for r in message.rows if r.path not in failed]
        new = [r for r in rows if r.path not in self.rows]
        for path in message.gone:
            self.rows.pop(path, None)
        self.rows |= {r.path: r for r in rows}
        self.finished = self.finished or message.finished
        if message.finished:
            self._reading = False
            if self._timer is not None:
                self._timer.stop()
            self._timer = self.set_timer(interval(self._spent_s), self.read)
        if new or message.gone or (rows and self.sort != BY_NAME):
            self.fill(appended=len(new) == len(rows) and not message.gone)
        else:
            for row in rows:
                self.redraw_row(row)
        if rows or message.gone or first:
            self._say()

    def on_case_changed(self, message: CaseChanged) -> None:
        """A decision has reached `case.json`."""
        row = message.row
        if row == self.rows.get(row.path, row):  # the same, or its folder is gone
            return
        self.rows[row.path] = row
        if self.app.screen is self:
            self.redraw_row(row)
            self._say()
        else:
            self._stale.add(row.path)

    def on_screen_resume(self) -> None:
        """Draw what changed while a case was in front."""
        for path in self._stale & self.rows.keys():
            self.redraw_row(self.rows[path])
        self._stale.clear()
        if self.is_mounted:
            self._say()

    def fill(self, appended: bool = False) -> None:
        """Draw the table anew, the cursor on the same case; ``appended``: no row has changed."""
        table = self.query_one(MeasuredTable)
        current = self.current()
        rows = [r for r in self.rows.values() if self.filter.lower() in r.haystack()]
        before, self.shown = self.shown, [r.path for r in self._sorted(rows)]
        methods = self._methods()
        if methods and self.app.method not in methods:
            self.app.method = methods[0]
        if self._drawn != (self.app.method, methods):
            before = []
            self._columns()
        elif appended and before == self.shown[: len(before)]:
            pass  # what stands, stands
        else:
            before = []
            table.clear()
        for path in self.shown[len(before) :]:
            table.add_row(*self._cells(self.rows[path]), key=str(path))
        if current in self.shown:
            table.move_cursor(row=self.shown.index(current))
        table.remeasure()

    def redraw_row(self, row: CaseRow) -> None:
        """Draw one line anew."""
        if row.path in self.shown:
            table = self.query_one(MeasuredTable)
            for column, cell in zip(table.ordered_columns, self._cells(row), strict=True):
                table.update_cell(str(row.path), column.key, cell, update_width=True)
            table.remeasure()

    def current(self) -> Path | None:
        """The case under the cursor."""
        at = self.query_one(MeasuredTable).cursor_row
        return self.shown[at] if 0 <= at < len(self.shown) else None

    def neighbour(self, path: Path, step: int) -> Path | None:
        """The case before or after ``path`` in the order shown."""
        if path not in self.shown:
            return None
        at = self.shown.index(path) + step
        return self.shown[at] if 0 <= at < len(self.shown) else None

    def _sorted(self, rows: list[CaseRow]) -> list[CaseRow]:
        seed = self.app.order_seed
        if seed is not None:
            return sorted(rows, key=lambda r: (order_of(r.path.name, seed), r.name))
        key, method = SORTS[self.sort], self.app.method
        return sorted(rows, key=lambda r: (key(r, method), r.name))

    def _cells(self, row: CaseRow) -> list[Text]:
        if row.state == BROKEN:
            cells = [STATES[BROKEN], BROKEN, row.name, "", "", "", row.broken]
        else:
            count = f"{row.lesions} +{row.candidates}?" if row.candidates else str(row.lesions)
            readers = " ".join(row.readers)
            if row.open_by:
                readers = f"{readers} (open: {' '.join(row.open_by)})".strip()
            tmtv = _tmtv(row, self.app.method)
            cells = [STATES[row.state], row.state, row.name, count, tmtv, readers]
            cells.append(" ".join(row.warnings))
        if not self.app.blind:
            cells += [row.patient, row.date]
        cells += [_tmtv(row, key) for key in self._others]
        return [Text(cell, no_wrap=True) for cell in cells]

    def _say(self) -> None:
        states = [r.state for r in self.rows.values()]
        counts = ", ".join(f"{states.count(s)} {s}" for s in STATES if states.count(s))
        words = [f"{len(states)} case{'' if len(states) == 1 else 's'}", counts]
        seed = self.app.order_seed
        words.append(f"TMTV by {self.app.method}")
        words.append(f"order random:{seed}" if seed is not None else f"by {self.sort}")
        if self.filter:
            words.append(f"filter {self.filter!r}: {len(self.shown)}")
        if not self.finished:
            words.append("reading …")
        words += ["READ ONLY"] if self.app.read_only else []
        words += ["BLIND"] if self.app.blind else []
        words.append(f"reader {self.app.reader}")
        self.query_one("#head", Static).update(Content(" · ".join(w for w in words if w)))

    def on_data_table_row_selected(self, event: DataTable.RowSelected) -> None:
        """Enter."""
        event.stop()
        self.action_open()

    def action_open(self) -> None:
        """Open the case under the cursor."""
        path = self.current()
        if path is not None and not self.rows[path].reads:
            self.notify(self.rows[path].broken, severity="error", markup=False)
        elif path is not None:
            self.app.open_case(path)

    def action_move(self, step: int) -> None:
        """Up or down."""
        table = self.query_one(MeasuredTable)
        table.move_cursor(row=table.cursor_row + step)

    def action_scroll(self, columns: int) -> None:
        """Show the columns further left or right."""
        self.query_one(MeasuredTable).scroll_relative(x=columns, animate=False)

    def action_next(self) -> None:
        """To the next case that is not done."""
        table = self.query_one(MeasuredTable)
        count = len(self.shown)
        for step in range(1, count + 1):
            at = (table.cursor_row + step) % count
            if self.rows[self.shown[at]].state in LEFT:
                table.move_cursor(row=at)
                return
        self.notify("nothing is left to do", markup=False)

    def action_filter(self) -> None:
        """Show the cases whose line holds a text."""

        def done(text: str | None) -> None:
            if text is not None:
                self.filter = text
                self.fill()
                self._say()

        self.app.push_screen(Ask("Show cases that hold", self.filter), done)

    def action_sort(self) -> None:
        """Another order."""
        self.sort = following(SORTS, self.sort)
        self.fill()
        self._say()

    def action_method(self) -> None:
        """TMTV by the next method."""
        keys = self._methods()
        if keys:
            at = keys.index(self.app.method) if self.app.method in keys else -1
            self.app.method = keys[(at + 1) % len(keys)]
            self.fill()
            self._say()

    def action_flag(self) -> None:
        """Flag the case, or take the flag away."""
        path = self.current()
        if path is not None and self.rows[path].state != "broken":
            self.app.flag(path)

    def action_warnings(self) -> None:
        """The case's warnings in full, and its study's quality."""
        path = self.current()
        if path is not None:
            row = self.rows[path]
            self.app.push_screen(Page(row.name, [*row.messages, row.broken]))

    def action_help(self) -> None:
        """The keys."""
        self.app.push_screen(Page("Worklist", [*LEGEND, "", *help_lines(self)]))

    def action_redraw(self) -> None:
        """Paint everything again."""
        self.app.repaint()

    def action_quit(self) -> None:
        """Leave."""
        self.app.exit()


def _tmtv(row: CaseRow, key: str) -> str:
    """Predicted → reviewed by a method, nothing where the case was not cut by it."""
    if key not in row.predicted or key not in row.reviewed:
        return ""
    return change(row.predicted[key], row.reviewed[key])
