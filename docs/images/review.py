"""The pictures of `docs/review.md`, rendered from the app itself on a digital patient.

Run: ``tmtv demo -o DEMO && python docs/images/review.py DEMO/cases``; writes ``review-*.svg``.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import sys
import tempfile
from pathlib import Path

os.environ["TEXTUAL_ANIMATIONS"] = "none"

from textual.pilot import Pilot

from tmtv_engine.case import read_case
from tmtv_engine.journal import Decision
from tmtv_engine.review import record
from tmtv_tui.app import ReviewApp
from tmtv_tui.config import Config

HERE = Path(__file__).resolve().parent
SHOTS = (
    ("case", ("x", "4", "k")),
    ("slice", ("i",)),
    ("rule", ("i", "X")),
    ("log", ("escape", "l")),
    ("help", ("escape", "question_mark")),
    ("compare", ("escape", "c")),
)


async def shoot(out: Path) -> None:
    """Every screen at 132 × 44, the case at 80 × 24 and in the light theme too."""
    app = ReviewApp(out, reader="AB", compare="CD", config=Config(theme="dark"))
    async with app.run_test(size=(132, 44)) as pilot:
        await settled(app, pilot)
        save(app, "worklist")
        await pilot.press("enter")
        for name, keys in SHOTS:
            await settled(app, pilot)
            await pilot.press(*keys)
            await settled(app, pilot)
            save(app, name)
    app.finish()
    for name, size, theme in (("small", (80, 24), "dark"), ("light", (132, 44), "light")):
        app = ReviewApp(out, reader="AB", config=Config(theme=theme))
        async with app.run_test(size=size) as pilot:
            await settled(app, pilot)
            await pilot.press("enter")
            await settled(app, pilot)
            save(app, name)


async def settled(app: ReviewApp, pilot: Pilot[None]) -> None:
    """Once nothing moves any more."""
    await pilot.pause()
    await app.workers.wait_for_complete()
    await pilot.pause(0.8)


def save(app: ReviewApp, name: str) -> None:
    """As ``review-<name>.svg``."""
    text = app.export_screenshot(title="tmtv review", simplify=True)
    (HERE / f"review-{name}.svg").write_text(text, "utf-8")


def main() -> None:
    """On a copy, with a second reader who sees it otherwise."""
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "out"
        shutil.copytree(sys.argv[1], out)
        for path in sorted(p for p in out.iterdir() if (p / "case.json").exists()):
            shutil.rmtree(path / "review", ignore_errors=True)
            case = read_case(path)
            first, second = (int(row["id"]) for row in case.record["lesions"][:2])
            record(case, Decision("reject", (first,), reason="brain"), "CD")
            record(case, Decision("reject", (second,), reason="kidney"), "CD")
        asyncio.run(shoot(out))


if __name__ == "__main__":
    main()
