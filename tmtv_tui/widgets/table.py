"""A table that draws its cells anew once it has measured its columns."""

from __future__ import annotations

from collections.abc import Iterable

from rich.text import Text
from textual.widgets import DataTable
from textual.widgets.data_table import RowKey


class MeasuredTable(DataTable[Text]):
    """Rows of one line. Textual measures the columns when idle, but may keep lines that were drawn
    before that."""

    def _update_dimensions(self, new_rows: Iterable[RowKey]) -> None:
        """Widen columns by the cells' text: Textual's own way asks for the terminal's size at each
        cell, which is half of what a thousand rows take."""
        rows = [cells for key in new_rows if (cells := self._data.get(key)) is not None]
        for key, column in self.columns.items():
            widths = (cells[key].cell_len for cells in rows)
            column.content_width = max(column.content_width, max(widths, default=0))
        super()._update_dimensions(())

    def action_scroll_home(self) -> None:
        """To the first row, as in the list of lesions."""
        self.action_scroll_top()

    def action_scroll_end(self) -> None:
        """To the last row."""
        self.action_scroll_bottom()

    def remeasure(self) -> None:
        """To be called after rows or wider cells came in."""
        self.call_after_refresh(self._draw_again)

    def _draw_again(self) -> None:
        self.notify_style_update()
        self.refresh()
