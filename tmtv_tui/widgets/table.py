"""A table that draws its cells anew once it has measured its columns."""

from __future__ import annotations

from rich.text import Text
from textual.widgets import DataTable


class MeasuredTable(DataTable[Text]):
    """Textual measures the columns when idle, but may keep lines that were drawn before that."""

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
