"""The lesion table, drawn line by line: a decision repaints the rows it changed and no more."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, ClassVar

from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.binding import Binding, BindingType
from textual.geometry import Size
from textual.message import Message
from textual.scroll_view import ScrollView
from textual.strip import Strip

from tmtv_engine.lesion.lists import altered
from tmtv_engine.lesion.origin import Status
from tmtv_engine.review.reading import Reading
from tmtv_tui.review.cells import Column, columns_of, fitted, header_of, widths_of
from tmtv_tui.review.names import fold_line, folded
from tmtv_tui.review.opened import Opened
from tmtv_tui.review.order import FOLD, Order, arranged, undecided

STYLES = {status: Style.parse(status.face) for status in Status}


class LesionTable(ScrollView, can_focus=True):
    """One row a lesion, one for all named candidates; glyph and word tell the status, a star what
    is marked. ``order``: how they stand and which."""

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
        self.order = Order()
        self._ids: list[int] = []
        self._folded: list[int] = []  # of those shown
        self._away: list[int] = []  # of all
        self._toured: set[int] = set()
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
        return self._at() or None

    @property
    def on_fold(self) -> bool:
        """Whether the cursor is on the line of the named candidates."""
        return self._at() == FOLD

    def _at(self) -> int | None:
        return self._ids[self.cursor_row] if 0 <= self.cursor_row < len(self._ids) else None

    def fill(
        self, opened: Opened, method: str, known: Mapping[int, list[str]] | None = None
    ) -> None:
        """Draw all rows, those that are ``known`` as they are; the cursor stays on its lesion."""
        current = self._at()
        self._opened, self._method = opened, method
        self._ids, self._folded = arranged(opened, method, self.order)
        self._away = folded(opened)
        numbers = [n for n in self._ids if n != FOLD]
        self._marks &= set(numbers)
        self._columns = columns_of(opened, method)
        self._header = [header_of(column, method) for column in self._columns]
        self._cells = {n: (known or {}).get(n) or self._row(n) for n in numbers}
        self._measure()
        if current not in self._ids and current in self._folded:
            current = FOLD
        self.cursor_row = self._ids.index(current) if current in self._ids else 0
        self.refresh()

    def _measure(self) -> None:
        rows, bar = [self._header, *self._cells.values()], 0
        if not self.show_vertical_scrollbar and len(self._ids) >= self.size.height:
            bar = self.scrollbar_size_vertical  # it comes, and would lie over the last digits
        room = self.scrollable_content_region.width - bar if self.size.width else 1000
        self._widths = widths_of(self._columns, rows, room)
        self.virtual_size = Size(sum(self._widths) + 2 * len(self._widths), len(self._ids) + 1)

    def on_resize(self) -> None:
        """Words shrink where numbers would not be seen."""
        if self._opened is not None:
            self._measure()
            self.refresh()

    def settle(self, opened: Opened, before: Reading) -> None:
        """Draw the rows whose voxels, status or reason changed."""
        now = opened.reading
        new = altered(before.lesions, now.lesions)
        new |= {n for n in self._cells if n not in new and _told(before, n) != _told(now, n)}
        if now.lesions is not before.lesions or folded(opened) != self._away:
            self.fill(opened, self._method, {n: c for n, c in self._cells.items() if n not in new})
            return
        for row, number in enumerate(self._ids):
            if number in new:
                self._cells[number] = self._row(number)
            if number in new or number == FOLD:
                self.refresh_line(row + 1)

    def reorder(self, order: Order) -> None:
        """Another order, or other lesions of the case."""
        self.order = order
        if self._opened is not None:
            self.fill(self._opened, self._method)
            self.post_message(self.Chosen(self.current()))

    def go(self, lesion: int) -> None:
        """Put the cursor on a lesion, also on one that is folded away or filtered out."""
        if lesion not in self._ids and self._opened is not None:
            known = lesion in self._opened.reading.status
            only = self.order.only if lesion in self._folded else ""
            if known:
                self.reorder(replace(self.order, only=only, unfolded=True))
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
        """To the largest lesion that nobody decided, with each call to the next smaller one, then
        to the named candidates; False where all is decided."""
        if self._opened is None:
            return False
        here = self._at()
        left = undecided(self._opened, self._method, self._ids)
        new = [n for n in left if n != here and n not in self._toured]
        if not new:
            self._toured.clear()
            named = any(reading.decided_by[n] is None for n in self._folded)
            new = [FOLD] if named and here != FOLD and FOLD in self._ids else []
        new = new or [n for n in left if n != here]
        if new:
            self._toured.add(new[0])
            self.move_cursor(self._ids.index(new[0]))
        return bool(new or left)

    def mark(self) -> None:
        """Mark the lesion under the cursor, or unmark it."""
        number = self.current()
        if number:
            self._marks ^= {number}
            self._last = number
            self.refresh_line(self.cursor_row + 1)

    def mark_range(self) -> None:
        """Mark all from the last marked to the cursor."""
        first = self._ids.index(self._last) if self._last in self._ids else self.cursor_row
        low, high = sorted((first, self.cursor_row))
        self._marks |= set(self._ids[low : high + 1]) - {FOLD}
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
            text, style = self._line(self._ids[at])
            style = base + style
            if at == self.cursor_row:
                style += Style(reverse=True)
        else:
            text, style = "", base
        width = self.size.width
        return Strip([Segment(text[left : left + width].ljust(width), style)])

    def _line(self, number: int) -> tuple[str, Style]:
        if number == FOLD:
            shown = "" if self._opened is None else self._fold(self._opened)
            return f"  {shown}  ", STYLES[Status.CANDIDATE]
        mark = "*" if number in self._marks else ""
        return self._text([mark, *self._cells[number][1:]]), STYLES[self._status(number)]

    def _fold(self, opened: Opened) -> str:
        return fold_line(opened, self._folded, self.order.unfolded)

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
            fitted(column, cell, width)
            for k, (cell, width, column) in enumerate(
                zip(cells, self._widths, self._columns, strict=True)
            )
            if width or not k  # the first is the mark's
        ]
        return " ".join(parts) + "  "


def _told(reading: Reading, number: int) -> tuple[object, ...]:
    """What a row says of a lesion beside its measures."""
    known = reading.status, reading.reasons, reading.decided_by, reading.sources
    return (*(of.get(number) for of in known), number in reading.parents)
