"""The app driven by keys in the same process; every wait is for something, with a deadline."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from textual.pilot import Pilot

from tmtv_tui.app import ReviewApp
from tmtv_tui.screens.case import CaseScreen

LIMIT_S = 60.0
ReviewApp.NOTIFICATION_TIMEOUT = LIMIT_S  # or what it says is gone before a busy machine has looked


@asynccontextmanager
async def running(
    out: Path, size: tuple[int, int] = (120, 40), **options: Any
) -> AsyncIterator[tuple[ReviewApp, Pilot[None]]]:
    """The app with its worklist read; closed as `tmtv review` closes it."""
    app = ReviewApp(out, **{"reader": "AB", **options})
    async with app.run_test(size=size) as pilot:
        await until(pilot, lambda: app.worklist.finished)
        await settle(app, pilot)
        yield app, pilot
        await settle(app, pilot)
    app.finish()


async def until(pilot: Pilot[None], holds: Callable[[], object]) -> None:
    """Let the app work until ``holds``."""
    end = time.monotonic() + LIMIT_S
    while not holds():
        assert time.monotonic() < end, f"waited {LIMIT_S} s in vain:\n{text_of(pilot.app)}"
        await pilot.pause(0.02)


async def settle(app: ReviewApp, pilot: Pilot[None]) -> None:
    """Until no worker runs and nothing is left to draw."""
    for _ in range(2):
        await pilot.pause()
        await until(pilot, lambda: all(w.is_finished for w in app.workers))
    await pilot.pause()


async def opened(app: ReviewApp, pilot: Pilot[None], name: str = "") -> CaseScreen:
    """The case under the cursor (or the one of that folder), read and drawn."""
    if name:
        table = app.worklist.query_one("#cases")
        wanted = app.worklist.shown.index(app.out / name)
        while table.cursor_row != wanted:  # type: ignore[attr-defined]
            at = table.cursor_row  # type: ignore[attr-defined]
            await pilot.press("j" if at < wanted else "k")
    await pilot.press("enter")
    return await read(app, pilot)


async def read(app: ReviewApp, pilot: Pilot[None]) -> CaseScreen:
    """The case screen in front once its case is read."""
    await until(pilot, lambda: isinstance(app.screen, CaseScreen) and app.screen.opened)
    await settle(app, pilot)
    screen = app.screen
    assert isinstance(screen, CaseScreen)
    return screen


def text_of(app: Any) -> str:
    """What is on the screen, line by line."""
    return "\n".join(strip.text for strip in app.screen._compositor.render_strips())


async def shown(app: ReviewApp, pilot: Pilot[None], text: str) -> str:
    """The screen once it shows ``text``."""
    await until(pilot, lambda: text in text_of(app))
    return text_of(app)
