"""The pictures of the readers' pages, rendered from the app itself on digital patients.

After a new network all are drawn anew by one command, in a few minutes of a core:

    python docs/images/review.py [C]

Without ``C``, a folder of cases, six patients are drawn (seed 31) and predicted by the bundled
network first. Writes ``review-*.svg``, of 80 × 24, 100 × 50, 132 × 44 and 200 × 60 cells; look at
each.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
os.environ["TEXTUAL_ANIMATIONS"] = "none"
os.environ["TEXTUAL_COLOR_SYSTEM"] = "truecolor"

from svg import svg
from textual.pilot import Pilot
from textual.strip import Strip

from tests.support.drive import settle
from tmtv_engine.case.folder import read_case
from tmtv_engine.review.journal import Decision
from tmtv_engine.review.session import record
from tmtv_tui.app import ReviewApp
from tmtv_tui.cli.app import main as tmtv
from tmtv_tui.config import Config

HERE = Path(__file__).resolve().parent
SHOTS = (
    ("case", ("x", "4")),
    ("rule", ("k", "X")),
    ("log", ("escape", "l")),
    ("help", ("escape", "question_mark")),
    ("compare", ("escape", "c")),
)
REASONS = ("bladder", "bladder", "bladder", "bowel", "inflammation")
ALONE = (  # name, size, settings, keys
    ("slice", (150, 48), {"theme": "dark", "image": "sextant"}, ("i", *"jjjjjjjj")),
    ("repair", (100, 50), {"theme": "dark"}, ("j", "j", "E")),
    ("small", (80, 24), {"theme": "dark"}, ("j", "j")),
    ("medium", (100, 50), {"theme": "dark"}, ("j", "j")),
    ("large", (200, 60), {"theme": "dark", "image": "sextant"}, ("j", "j")),
    ("light", (132, 44), {"theme": "light"}, ("j", "j")),
    ("contrast", (132, 44), {"theme": "contrast", "image": "quad"}, ("j", "j")),
)


async def shoot(out: Path) -> None:
    """Every screen at 132 × 44, the case at 80 × 24 and in the other themes too."""
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
    for name, size, settings, keys in ALONE:
        app = ReviewApp(out, reader="AB", config=Config(**settings))
        async with app.run_test(size=size) as pilot:
            await settled(app, pilot)
            await pilot.press("enter")
            await settled(app, pilot)
            await pilot.press(*keys)
            await settled(app, pilot)
            save(app, name)


async def settled(app: ReviewApp, pilot: Pilot[None]) -> None:
    """Once nothing moves any more."""
    await pilot.pause(0.3)
    await settle(app, pilot)


def save(app: ReviewApp, name: str) -> None:
    """As ``review-<name>.svg``."""
    compositor, below = app.screen._compositor, app._background_screens
    update = compositor.render_update(full=True, screen_stack=below)
    text = svg([Strip.join(line) for line in update.strips])
    (HERE / f"review-{name}.svg").write_text(text, "utf-8")


def predicted(patients: Path, out: Path) -> None:
    """Draw six patients and predict them."""
    for line in (
        ["phantom", str(patients), "-n", "6", "--seed", "31", "-q"],
        ["predict", str(patients), "-o", str(out), "-q"],
    ):
        if tmtv(line):
            raise SystemExit(1)


def main() -> None:
    """On a copy, with a second reader who sees it otherwise."""
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "out"
        if sys.argv[1:]:
            shutil.copytree(sys.argv[1], out)
        else:
            predicted(Path(folder) / "patients", out)
        cases = sorted(p for p in out.iterdir() if (p / "case.json").exists())
        for k, path in enumerate(cases):
            shutil.rmtree(path / "review", ignore_errors=True)
            case = read_case(path)
            ids = [row.id for row in case.record.lesions]
            for number, reason in zip(ids[:5], REASONS, strict=False):
                if k < 4:
                    record(case, Decision("reject", (number,), reason=reason), "CD")
            if k in (1, 3):
                record(case, Decision("sign" if k == 1 else "flag"), "CD")
        asyncio.run(shoot(out))


if __name__ == "__main__":
    main()
