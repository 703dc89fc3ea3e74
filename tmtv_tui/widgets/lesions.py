"""The lesion table."""

from __future__ import annotations

from typing import Any

from rich.text import Text

from tmtv_engine.reading import Reading
from tmtv_tui.opened import Opened
from tmtv_tui.state import GLYPHS, position
from tmtv_tui.widgets.table import MeasuredTable

COLUMNS = ("", "status", "#", "mL", "SUVmax", "SUVpeak", "TLG g", "p", "source", "where LPS mm")


class LesionTable(MeasuredTable):
    """One row a lesion, by number; glyph and word tell the status, a star what is marked."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._ids: list[int] = []
        self._marks: set[int] = set()
        self._last: int | None = None
        self._opened: Opened | None = None
        self._method = ""

    @property
    def marked(self) -> tuple[int, ...]:
        """Numbers of the marked lesions."""
        return tuple(sorted(self._marks))

    def current(self) -> int | None:
        """The lesion under the cursor."""
        return self._ids[self.cursor_row] if 0 <= self.cursor_row < len(self._ids) else None

    def fill(self, opened: Opened, method: str) -> None:
        """Draw all rows; the cursor stays on its lesion."""
        current = self.current()
        self._opened, self._method = opened, method
        self.clear(columns=True)
        others = [key for key in opened.table.volume_ml if key != method]
        names = [*COLUMNS[:3], f"mL {method}", *COLUMNS[4:], *(f"mL {key}" for key in others)]
        for name in [*names, "why"]:
            self.add_column(Text(name), key=name or "mark")
        self._ids = [int(i) for i in opened.reading.lesions.ids]
        self._marks &= set(self._ids)
        for number in self._ids:
            self.add_row(*self._cells(number), key=str(number))
        if current in self._ids:
            self.move_cursor(row=self._ids.index(current))
        self.remeasure()

    def settle(self, opened: Opened, before: Reading) -> None:
        """Draw the rows whose status or reason changed."""
        now = opened.reading
        for number in self._ids:
            if (
                now.status[number] != before.status[number]
                or now.reasons.get(number) != before.reasons.get(number)
                or now.decided_by[number] != before.decided_by[number]
            ):
                self._redraw(number)

    def go(self, lesion: int) -> None:
        """Put the cursor on a lesion."""
        if lesion in self._ids:
            self.move_cursor(row=self._ids.index(lesion))

    def next(self, reading: Reading) -> bool:
        """To the next lesion that nobody decided; False where there is none."""
        count = len(self._ids)
        for step in range(1, count + 1):
            at = (self.cursor_row + step) % count
            if reading.decided_by[self._ids[at]] is None:
                self.move_cursor(row=at)
                return True
        return False

    def mark(self) -> None:
        """Mark the lesion under the cursor, or unmark it."""
        number = self.current()
        if number is not None:
            self._marks ^= {number}
            self._last = number
            self._redraw(number)

    def mark_range(self) -> None:
        """Mark all from the last marked to the cursor."""
        first = self._ids.index(self._last) if self._last in self._ids else self.cursor_row
        low, high = sorted((first, self.cursor_row))
        for number in self._ids[low : high + 1]:
            self._marks.add(number)
            self._redraw(number)

    def unmark(self) -> None:
        """Take all marks away."""
        gone, self._marks = self._marks, set()
        for number in gone:
            if number in self._ids:
                self._redraw(number)

    def _redraw(self, number: int) -> None:
        for column, cell in zip(self.ordered_columns, self._cells(number), strict=True):
            old = self.get_cell(str(number), column.key)
            if (old.plain, old.style) != (cell.plain, cell.style):
                self.update_cell(str(number), column.key, cell)

    def _cells(self, number: int) -> list[Text]:
        o = self._opened
        if o is None:
            return []
        reading, table = o.reading, o.table
        row = reading.lesions.row(number)
        status = reading.status[number]
        decided = "" if reading.decided_by[number] is None else "!"
        known = {r["id"]: r["probability"] for r in o.case.record["lesions"]}
        chance = known.get(number)
        others = [v for key, v in table.volume_ml.items() if key != self._method]
        cells = [
            "*" if number in self._marks else "",
            f"{GLYPHS[status]} {status}{decided}",
            str(number),
            f"{table.volume_ml[self._method][row]:.1f}",
            f"{table.suv_max[row]:.1f}",
            f"{table.suv_peak[row]:.1f}",
            f"{table.tlg_g[self._method][row]:.0f}",
            "" if chance is None else f"{chance:.2f}",
            reading.sources[number] + (" part" if number in reading.parents else ""),
            position(table.centroid_mm[row]),
            *(f"{v[row]:.1f}" for v in others),
            reading.reasons.get(number, ""),
        ]
        style = {"accepted": "bold", "rejected": "dim", "candidate": "italic"}[status]
        return [Text(cell, style=style, no_wrap=True) for cell in cells]
