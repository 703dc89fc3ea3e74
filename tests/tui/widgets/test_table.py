"""Columns of the worklist are as wide as Textual itself would make them."""

from __future__ import annotations

import asyncio

from rich.text import Text
from textual.app import App, ComposeResult
from textual.widgets import DataTable

from tmtv_tui.widgets.table import MeasuredTable

ROWS = (("·", "c0001", "3.0 → 12.3"), ("#", "日本語の患者", ""), ("✓", "e\u0301te\u0301", "1"))


class Both(App[None]):
    def compose(self) -> ComposeResult:
        yield MeasuredTable(id="ours")
        yield DataTable(id="theirs")


async def widths() -> tuple[list[int], list[int]]:
    app = Both()
    async with app.run_test(size=(80, 24)) as pilot:
        tables: list[DataTable[Text]] = [app.query_one("#ours", MeasuredTable)]
        tables.append(app.query_one("#theirs", DataTable))
        for table in tables:
            for name in ("", "case", "mL"):
                table.add_column(Text(name), key=name)
            for row in ROWS:
                table.add_row(*(Text(cell, no_wrap=True) for cell in row), key=row[1])
        await pilot.pause()
        for table in tables:  # and one that is wider still, after the others stand
            table.add_row(Text(""), Text("a name of 24 characters."), Text(""), key="wide")
        await pilot.pause()
        ours, theirs = ([c.content_width for c in t.ordered_columns] for t in tables)
        return ours, theirs


def test_columns_are_as_wide_as_their_widest_cell() -> None:
    ours, theirs = asyncio.run(widths())
    assert ours == theirs == [1, 24, 10]
