"""What stays in sight beside slices, where the list has least room."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.support.cases import copied_case
from tests.support.drive import opened, running, settle, text_of
from tmtv_engine.lesion.origin import Structure
from tmtv_engine.review.journal import Decision
from tmtv_engine.review.reasons import Reason
from tmtv_engine.review.session import Session
from tmtv_tui.review.cells import Column, widths_of
from tmtv_tui.widgets.lesions import LesionTable

KNOWN = [(Structure("lesion", 0.85, "network"), "pelvis, midline")] * 3


@pytest.mark.parametrize("size", [(80, 24), (100, 50), (132, 44)])
async def test_volume_uptake_and_change_are_seen_beside_slices(
    tmp_path: Path, size: tuple[int, int]
) -> None:
    copied_case(tmp_path, known=KNOWN)
    async with running(tmp_path, size) as (app, pilot):
        screen = await opened(app, pilot)
        assert screen.opened is not None
        before = screen.opened.before["41"][0]
        await pilot.press("x", "i")
        await settle(app, pilot)
        table = screen.query_one(LesionTable)
        room = table.scrollable_content_region.width
        for line, row in ((1, 0), (2, 1)):
            seen = table.render_line(line).text[:room]
            measured = screen.opened.table
            assert f" {measured.volume_ml['41'][row]:.1f}" in seen
            assert f" {measured.suv_max[row]:.1f}" in seen
            assert "lesion 0.85" in seen
        assert table.render_line(1).text.split()[0].rstrip("!") == "x"
        assert table.render_line(2).text.split()[0] == "+"
        now = screen.opened.table.total("41", screen.opened.reading.accepted)[0]
        told = next(line for line in text_of(app).splitlines() if "▸   41" in line)
        assert f"−{before - now:.1f}" in told


def test_words_shrink_then_the_status_is_a_sign_then_the_place_goes() -> None:
    def column(header: str, **more: object) -> Column:
        return Column(header, lambda opened, method, number: "", **more)  # type: ignore[arg-type]

    columns = [
        column("status", width=12, least=2, short=str),
        column("structure", least=11),
        column("region", least=8, last=True),
        column("SUVmax", right=True),
    ]
    rows = [
        ["+ accepted", "lesion 0.94 of", "pelvis, midline", "7.9"],
        ["status", "", "", "SUVmax"],
    ]
    for room, widths in (
        (50, [12, 14, 15, 6]),
        (47, [12, 11, 15, 6]),
        (40, [12, 11, 8, 6]),
        (39, [2, 11, 8, 6]),
        (30, [2, 11, 8, 6]),
        (29, [2, 11, 0, 6]),
    ):
        assert widths_of(columns, rows, room) == widths


async def test_who_else_is_there_stands_before_what_may_be_cut_off(tmp_path: Path) -> None:
    case = copied_case(tmp_path)
    Session(case, "CD").decide(Decision("open", text=f"pid {os.getppid()}"))
    async with running(tmp_path, (80, 24)) as (app, pilot):
        await opened(app, pilot)
        assert "also open: CD@" in text_of(app).splitlines()[0][:60]


async def test_help_tells_what_the_marks_mean_first_and_that_there_is_more(tmp_path: Path) -> None:
    copied_case(tmp_path)
    async with running(tmp_path, (80, 24)) as (app, pilot):
        await pilot.press("question_mark")
        await settle(app, pilot)
        assert "predicted → reviewed" in text_of(app)
        await pilot.press("q")
        await opened(app, pilot)
        await pilot.press("question_mark")
        await settle(app, pilot)
        shown = text_of(app)
        assert "orange (+)" in shown
        assert "more: j k" in shown
        assert "a          accept" in shown
        assert "erase a sphere" not in shown
        await pilot.press(*"j" * 30)
        await settle(app, pilot)
        assert "erase a sphere" in text_of(app)


@pytest.mark.parametrize("size", [(80, 24), (100, 50), (200, 60)])
async def test_every_reason_that_is_offered_is_seen(tmp_path: Path, size: tuple[int, int]) -> None:
    copied_case(tmp_path)
    async with running(tmp_path, size) as (app, pilot):
        screen = await opened(app, pilot)
        await pilot.press("x")
        await settle(app, pilot)
        x, y, wide, high = screen.query_one("#hint").region
        lines = text_of(app).splitlines()[y : y + high]
        shown = " ".join(" ".join(line[x : x + wide] for line in lines).split())
        offered = zip("1234567890", Reason, strict=False)
        assert " ".join(f"{key} {reason}" for key, reason in offered) in shown
        assert shown.endswith("t type")


async def test_the_key_that_signs_is_seen_however_many_methods_there_are(tmp_path: Path) -> None:
    copied_case(tmp_path, methods=("41", "2.5", "4.0", "otsu", "prob", "raw", "mv2", "mv3", "a50p"))
    async with running(tmp_path, (80, 24)) as (app, pilot):
        await opened(app, pilot)
        await pilot.press("x", "x", "S")
        await settle(app, pilot)
        assert "Enter: do it" in text_of(app)
