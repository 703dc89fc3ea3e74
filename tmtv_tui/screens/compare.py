"""Two readers side by side: what they disagree on, settled in one's own journal."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, ClassVar

from rich.text import Text
from textual import events
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.content import Content
from textual.screen import Screen
from textual.widgets import DataTable, Static

from tmtv_engine.errors import TmtvError
from tmtv_engine.review.compare import Difference, differences
from tmtv_engine.review.journal import Decision
from tmtv_engine.review.reading import Reading
from tmtv_tui.review.opened import Opened
from tmtv_tui.review.order import BY_NUMBER, following
from tmtv_tui.review.table import Table
from tmtv_tui.review.words import position
from tmtv_tui.screens.dialogs import TOO_SMALL, Page, fit, help_lines
from tmtv_tui.widgets.keybar import KeyBar
from tmtv_tui.widgets.table import MeasuredTable

if TYPE_CHECKING:
    from tmtv_tui.app import ReviewApp


class CompareScreen(Screen[int | None]):
    """A line a disagreement; closes with the lesion to go to. ``decide`` is the case's."""

    app: ReviewApp
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("question_mark", "help", "help", key_display="?", id="help"),
        Binding("q,escape", "leave", "back", key_display="q", id="back"),
        Binding("a", "settle('accept')", "accept", id="accept"),
        Binding("x", "settle('reject')", "reject", id="reject"),
        Binding("t", "take", "take theirs", id="take"),
        Binding("u", "step('undo')", "undo", id="undo"),
        Binding("ctrl+r", "step('redo')", "redo", id="redo"),
        Binding("enter", "go", "show in the case", id="open"),
        Binding("tab,n", "next", "next by size", key_display="Tab n", id="next"),
        Binding("s", "sort", "sort", id="sort"),
        Binding("j", "move(1)", "down", show=False, id="down"),
        Binding("k", "move(-1)", "up", show=False, id="up"),
    ]

    def __init__(
        self,
        opened: Opened,
        theirs: Reading,
        decide: Callable[[Decision], bool],
        settled: Callable[[Reading], None],
    ) -> None:
        super().__init__()
        self.opened, self.theirs = opened, theirs
        self._decide, self._settled = decide, settled
        self._table = Table.of(opened.case, theirs.lesions, opened.methods)
        self.rows: list[Difference] = []
        self.by = BY_NUMBER
        self._toured: set[int] = set()

    def compose(self) -> ComposeResult:
        """Who, the table, both totals, the keys."""
        yield Static(id="head", markup=False)
        yield MeasuredTable(id="cases", cursor_type="row", zebra_stripes=True)
        yield Static(id="totals", markup=False)
        yield Static(TOO_SMALL, id="small", markup=False)
        yield KeyBar()

    def on_resize(self, event: events.Resize) -> None:
        """Words where there is no room for a table."""
        fit(self, event.size)

    def on_mount(self) -> None:
        """Columns, then rows."""
        table = self.query_one(MeasuredTable)
        mine, theirs = self.app.reader, str(self.theirs.reader)
        names = ("#", mine, "mL", theirs, "mL", "SUVmax", "where LPS mm", "why", "why (theirs)")
        for k, name in enumerate(names):
            table.add_column(Text(name), key=str(k))
        table.focus()
        self.fill()

    def fill(self) -> None:
        """Draw all anew; the cursor stays in its line."""
        table = self.query_one(MeasuredTable)
        at = table.cursor_row
        self.rows = sorted(differences(self.opened.reading, self.theirs), key=self._key)
        table.clear()
        for row in self.rows:
            table.add_row(*[Text(cell, no_wrap=True) for cell in self._cells(row)])
        if self.rows:
            table.move_cursor(row=min(at, len(self.rows) - 1))
        table.remeasure()
        self._say()

    def _say(self) -> None:
        mine, theirs = self.app.reader, str(self.theirs.reader)
        words = [self.app.name_of(self.opened.case.name), f"{mine} beside {theirs}"]
        count = len(self.rows)
        words.append(f"{count} lesion{'' if count == 1 else 's'} to settle" if count else "agreed")
        if self.by != BY_NUMBER:
            words.append(f"by {self.by}")
        if self.opened.reading.signed:
            words.append("SIGNED")
        self.query_one("#head", Static).update(Content(" · ".join(words)))
        lines = [Content(f"     mL {mine[:20]:>20} {theirs[:20]:>20}").stylize("bold")]
        for key in self.opened.table.volume_ml:
            a = self.opened.table.total(key, self.opened.reading.accepted)[0]
            b = self._table.total(key, self.theirs.accepted)[0]
            lines.append(Content(f"   {key:>4} {a:>20.1f} {b:>20.1f}"))
        self.query_one("#totals", Static).update(Content("\n").join(lines))

    def _cells(self, row: Difference) -> list[str]:
        cells = [str(row.lesion)]
        for side, ml in zip((row.mine, row.theirs), self._volumes(row), strict=True):
            cells += [side.state, f"{ml:.1f}"]
        table, hottest = self._hottest(row)
        cells += [f"{table.suv_max[hottest]:.1f}", position(table.centroid_mm[hottest])]
        return [*cells, row.mine.reason, row.theirs.reason]

    def _volumes(self, row: Difference) -> tuple[float, float]:
        """What of a lesion each counts, mL."""
        key = self.app.method_of(self.opened)
        found = []
        for side, table in ((row.mine, self.opened.table), (row.theirs, self._table)):
            volume = table.volume_ml[key]
            found.append(sum(float(volume[table.lesions.row(n)]) for n in side.accepted))
        return found[0], found[1]

    def _hottest(self, row: Difference) -> tuple[Table, int]:
        """Where a lesion's measures stand, and the row of its hottest part."""
        mine = bool(row.mine.numbers)
        side, table = (row.mine, self.opened.table) if mine else (row.theirs, self._table)
        places = [table.lesions.row(n) for n in side.numbers]
        return table, max(places, key=lambda k: table.suv_max[k])

    def _apart(self, row: Difference) -> float:
        """The mL that the two differ in."""
        mine, theirs = self._volumes(row)
        return abs(mine - theirs)

    def _suv_max(self, row: Difference) -> float:
        table, at = self._hottest(row)
        return float(table.suv_max[at])

    def _key(self, row: Difference) -> tuple[float, int]:
        """The most first, ties by number."""
        return -SORTS[self.by](self, row), row.lesion

    def action_sort(self) -> None:
        """Another order; the cursor stays on its lesion."""
        here = self.current()
        self.by = following(SORTS, self.by)
        self.fill()
        self._go(None if here is None else here.lesion)

    def action_next(self) -> None:
        """To the lesion that differs most, with each call to the next."""
        here = self.current()
        sizes = {row.lesion: self._apart(row) for row in self.rows}
        left = sorted(sizes, key=lambda n: (-sizes[n], n))
        new = [n for n in left if n not in self._toured and (here is None or n != here.lesion)]
        if not new:
            self._toured.clear()
            new = [n for n in left if here is None or n != here.lesion]
        if new:
            self._toured.add(new[0])
            self._go(new[0])
        else:
            self.notify("there is no other lesion to settle", markup=False)

    def _go(self, lesion: int | None) -> None:
        at = next((k for k, row in enumerate(self.rows) if row.lesion == lesion), None)
        if at is not None:
            self.query_one(MeasuredTable).move_cursor(row=at)

    def current(self) -> Difference | None:
        """The disagreement under the cursor."""
        at = self.query_one(MeasuredTable).cursor_row
        return self.rows[at] if 0 <= at < len(self.rows) else None

    def action_settle(self, action: str) -> None:
        """Accept or reject the lesion, with all its parts."""
        row = self.current()
        if row is not None and row.mine.numbers:
            self._decide(Decision(action, row.mine.numbers))
            self.fill()

    def action_take(self) -> None:
        """Decide as the other reader did, split and all."""
        row, before = self.current(), self.opened.reading
        if row is None:
            return
        if self.app.read_only:
            self.notify("read only: nothing is recorded", severity="error", markup=False)
            return
        try:
            self.opened.settle_as(self.theirs, row.lesion)
        except TmtvError as error:
            self.notify(str(error), severity="error", markup=False)
        self._settled(before)
        self.fill()

    def action_step(self, action: str) -> None:
        """Undo or redo."""
        self._decide(Decision(action))
        self.fill()

    def action_move(self, step: int) -> None:
        """Up or down."""
        table = self.query_one(MeasuredTable)
        table.move_cursor(row=table.cursor_row + step)

    def on_data_table_row_selected(self, event: DataTable.RowSelected) -> None:
        """Enter."""
        event.stop()
        self.action_go()

    def action_go(self) -> None:
        """Show the lesion in the case."""
        row = self.current()
        self.dismiss(row.mine.numbers[0] if row is not None and row.mine.numbers else None)

    def action_help(self) -> None:
        """The keys."""
        self.app.push_screen(Page("Two readers", help_lines(self)))

    def action_leave(self) -> None:
        """Back to the case."""
        self.dismiss(None)


SORTS: Mapping[str, Callable[[CompareScreen, Difference], float]] = MappingProxyType(
    {
        BY_NUMBER: lambda screen, row: 0.0,
        "volume": CompareScreen._apart,
        "SUVmax": CompareScreen._suv_max,
    }
)
"""The orders of the list: their names, and what a row has the most of where it stands first."""
