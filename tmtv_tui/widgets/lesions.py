"""The lesion table, drawn line by line: a decision repaints the rows it changed and no more."""

from __future__ import annotations

from typing import Any, ClassVar

from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.binding import Binding, BindingType
from textual.geometry import Size
from textual.message import Message
from textual.scroll_view import ScrollView
from textual.strip import Strip

from tmtv_engine.lesion.origin import Status
from tmtv_engine.review.reading import Reading
from tmtv_tui.review.cells import Column, columns_of, header_of
from tmtv_tui.review.opened import Opened

STYLES = {
    Status.ACCEPTED: Style(bold=True),
    Status.REJECTED: Style(dim=True),
    Status.CANDIDATE: Style(italic=True),
}


class LesionTable(ScrollView, can_focus=True):
    """One row a lesion, by number; glyph and word tell the status, a star what is marked."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up", "go(-1)", show=False),
        Binding("down", "go(1)", show=False),
        Binding("pageup", "page(-1)", show=False),
        Binding("pagedown", "page(1)", show=False),
        Binding("home", "go(-1000000)", show=False),
        Binding("end", "go(1000000)", show=False),
    ]

    class Chosen(Message):
        """The cursor is on another lesion."""

        def __init__(self, lesion: int | None) -> None:
            super().__init__()
            self.lesion = lesion

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.cursor_row = 0
        self._ids: list[int] = []
        self._marks: set[int] = set()
        self._last: int | None = None
        self._opened: Opened | None = None
        self._method = ""
        self._columns: list[Column] = []
        self._header: list[str] = []
        self._widths: list[int] = []
        self._cells: dict[int, list[str]] = {}

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
        self._ids = [int(i) for i in opened.reading.lesions.ids]
        self._marks &= set(self._ids)
        self._columns = columns_of(opened, method)
        self._header = [header_of(column, method) for column in self._columns]
        self._cells = {n: self._row(n) for n in self._ids}
        rows = [self._header, *self._cells.values()]
        self._widths = [
            column.width or max(len(row[k]) for row in rows)
            for k, column in enumerate(self._columns)
        ]
        self.virtual_size = Size(sum(self._widths) + 2 * len(self._widths), len(self._ids) + 1)
        self.cursor_row = self._ids.index(current) if current in self._ids else 0
        self.refresh()

    def settle(self, opened: Opened, before: Reading) -> None:
        """Draw the rows whose status or reason changed."""
        now = opened.reading
        for row, number in enumerate(self._ids):
            if (
                now.status[number] != before.status[number]
                or now.reasons.get(number) != before.reasons.get(number)
                or now.decided_by[number] != before.decided_by[number]
            ):
                self._cells[number] = self._row(number)
                self.refresh_line(row + 1)

    def go(self, lesion: int) -> None:
        """Put the cursor on a lesion."""
        if lesion in self._ids:
            self.move_cursor(self._ids.index(lesion))

    def move_cursor(self, row: int) -> None:
        """Put the cursor on a row, the nearest that there is."""
        row = max(0, min(row, len(self._ids) - 1))
        if row == self.cursor_row:
            return
        before, self.cursor_row = self.cursor_row, row
        room = max(1, self.scrollable_content_region.height - 1)
        if not self.scroll_offset.y <= row < self.scroll_offset.y + room:
            top = row if row < self.scroll_offset.y else row - room + 1
            self.scroll_to(y=top, animate=False)
        self.refresh_line(before + 1)
        self.refresh_line(row + 1)
        self.post_message(self.Chosen(self.current()))

    def next(self, reading: Reading) -> bool:
        """To the next lesion that nobody decided; False where there is none."""
        count = len(self._ids)
        for step in range(1, count + 1):
            at = (self.cursor_row + step) % count
            if reading.decided_by[self._ids[at]] is None:
                self.move_cursor(at)
                return True
        return False

    def mark(self) -> None:
        """Mark the lesion under the cursor, or unmark it."""
        number = self.current()
        if number is not None:
            self._marks ^= {number}
            self._last = number
            self.refresh_line(self.cursor_row + 1)

    def mark_range(self) -> None:
        """Mark all from the last marked to the cursor."""
        first = self._ids.index(self._last) if self._last in self._ids else self.cursor_row
        low, high = sorted((first, self.cursor_row))
        self._marks |= set(self._ids[low : high + 1])
        self.refresh()

    def unmark(self) -> None:
        """Take all marks away."""
        gone, self._marks = self._marks, set()
        for number in gone:
            if number in self._ids:
                self.refresh_line(self._ids.index(number) + 1)

    def action_go(self, step: int) -> None:
        """Up or down."""
        self.move_cursor(self.cursor_row + step)

    def action_page(self, step: int) -> None:
        """A screenful up or down."""
        self.move_cursor(self.cursor_row + step * max(1, self.size.height - 2))

    def on_click(self, event: events.Click) -> None:
        """Put the cursor where the pointer is."""
        if event.y > 0:
            self.move_cursor(event.y - 1 + self.scroll_offset.y)

    def render_line(self, y: int) -> Strip:
        """The header, or the row of a lesion."""
        left, top = self.scroll_offset
        base = self.rich_style
        at = y - 1 + top
        if y == 0:
            text, style = self._text(self._header), base + Style(bold=True, underline=True)
        elif at < len(self._ids):
            number = self._ids[at]
            mark = "*" if number in self._marks else ""
            text = self._text([mark, *self._cells[number][1:]])
            style = base + STYLES[self._status(number)]
            if at == self.cursor_row:
                style += Style(reverse=True)
        else:
            text, style = "", base
        width = self.size.width
        return Strip([Segment(text[left : left + width].ljust(width), style)])

    def _row(self, number: int) -> list[str]:
        opened = self._opened
        if opened is None:
            return [""] * len(self._columns)
        return [column.cell(opened, self._method, number) for column in self._columns]

    def _status(self, number: int) -> Status:
        glyph = self._cells[number][1][:1]
        return next(status for status in Status if status.glyph == glyph)

    def _text(self, cells: list[str]) -> str:
        parts = [
            cell[:width].rjust(width) if column.right else cell[:width].ljust(width)
            for cell, width, column in zip(cells, self._widths, self._columns, strict=True)
        ]
        return " ".join(parts) + "  "
