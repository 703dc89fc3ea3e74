"""Hostile text in what came later: names, filter, footer, toasts, repairs, signing, comparison."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from textual.pilot import Pilot
from textual.widgets import Input

from tests.support.cases import copied_case
from tests.support.drive import opened, running, settle, text_of, until
from tests.tui.test_injection import CONTROL, VISIBLE
from tmtv_engine.lesion.origin import Structure
from tmtv_engine.review.journal import Decision, Journal
from tmtv_engine.review.session import record
from tmtv_tui.app import ReviewApp
from tmtv_tui.screens.repair import RepairScreen

NEWLINES = ("two\nlines", "a\r\nS\n", "tab\there\x0bx", "\u2028one\u2029two", "\u0085nel")
SETS = {"visible": VISIBLE, "control": CONTROL, "newlines": NEWLINES}
BLADDER = (Structure("bladder", 0.9, "network"), None)


def hostile(out: Path, payloads: tuple[str, ...]) -> None:
    """A case whose places, reasons and warnings are payloads, with a named candidate."""
    case = copied_case(out, known=[(None, None), (None, None), BLADDER])
    for payload in payloads:
        record(case, Decision("reject", (1, 2), reason=payload), "CD")
    path = case.path / "case.json"
    found = json.loads(path.read_text())
    for row, payload in zip(found["lesions"], payloads, strict=False):
        row["region"] = payload
    found["patient"]["id"] = " ".join(payloads)
    found["warnings"] = [{"code": p, "message": p} for p in payloads]
    path.write_text(json.dumps(found))


async def look(app: ReviewApp, pilot: Pilot[None]) -> str:
    """The screen, of which every cell is a letter."""
    await settle(app, pilot)
    text = text_of(app)
    assert not [c for c in text if c != "\n" and not c.isprintable()]
    return text


@pytest.mark.parametrize("kind", SETS)
async def test_dialogs_show_and_never_obey(tmp_path: Path, kind: str) -> None:
    payloads = SETS[kind]
    hostile(tmp_path, payloads)
    async with running(tmp_path, (200, 50)) as (app, pilot):
        screen = await opened(app, pilot, "case-1")
        await look(app, pilot)
        for key in ("N", "A", "S", "w"):
            await pilot.press(key)
            await look(app, pilot)
            assert app.screen is not screen
            await pilot.press("escape")
        for key in ("E", "T", "g"):
            await pilot.press(key)
            await until(pilot, lambda: isinstance(app.screen, RepairScreen) and app.screen.seen)
            await look(app, pilot)
            await pilot.press("escape")
        for payload in payloads:
            await pilot.press("slash")
            await settle(app, pilot)
            app.screen.query_one(Input).value = payload
            await look(app, pilot)
            await pilot.press("enter")
            text = await look(app, pilot)
            assert kind != "visible" or "only" not in text or payload[:6] in text
            if app.screen is not screen:
                await pilot.press("escape")
            screen.complain(payload)  # a toast
            text = await look(app, pilot)
            assert kind != "visible" or payload in text
            app.clear_notifications()
        await pilot.press("question_mark")
        await look(app, pilot)
        await pilot.press("escape", "s", "z", "space", "v")
        await look(app, pilot)
        assert app.is_running
    lines = Journal(tmp_path / "case-1" / "review" / "AB.jsonl").read()
    assert [line.action for line in lines] == ["open", "close"]


@pytest.mark.parametrize("kind", SETS)
async def test_beside_another_reader_too(tmp_path: Path, kind: str) -> None:
    hostile(tmp_path, SETS[kind])
    async with running(tmp_path, (200, 50), compare="CD") as (app, pilot):
        await opened(app, pilot, "case-1")
        await pilot.press("c")
        await look(app, pilot)
        for key in ("tab", "s", "s", "tab", "question_mark"):
            await pilot.press(key)
            await look(app, pilot)
        assert app.is_running
