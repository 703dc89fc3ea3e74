"""What of the lesion list is seen where room is short: numbers whole, words with a sign."""

from __future__ import annotations

from pathlib import Path

from tests.support.cases import copied_case
from tests.support.drive import opened, running, settle, until
from tmtv_engine.lesion.origin import Structure
from tmtv_tui.widgets.lesions import LesionTable

KNOWN = [(Structure("lesion", 0.85, "network"), "pelvis, midline")] * 3


async def test_a_scrollbar_hides_no_digit_and_a_cut_word_says_so(tmp_path: Path) -> None:
    copied_case(tmp_path, known=KNOWN)
    async with running(tmp_path, (80, 24)) as (app, pilot):
        screen = await opened(app, pilot)
        assert screen.opened is not None
        table = screen.query_one(LesionTable)
        table.styles.height = 3  # less than the header and three lesions take
        await until(pilot, lambda: table.show_vertical_scrollbar)
        await settle(app, pilot)
        room = table.scrollable_content_region.width
        for line, row in ((1, 0), (2, 1)):
            seen = table.render_line(line).text[:room]
            assert f" {screen.opened.table.suv_max[row]:.1f}" in seen
            assert "pelvis, midline" not in seen
            assert "pelvis, midl…" in seen
        assert "SUVmax" in table.render_line(0).text[:room]
