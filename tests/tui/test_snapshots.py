"""What the key screens look like, cell by cell and colour by colour, at three sizes.

A change that is meant: ``TMTV_GOLDEN=write pytest tests/tui/test_snapshots.py`` and look at the
difference.
"""

from __future__ import annotations

import os
import re
import string
from pathlib import Path

import pytest
from rich.style import Style

from tests.support.cases import copied_case
from tests.support.drive import opened, running, settle
from tmtv_engine.review.journal import Decision
from tmtv_engine.review.session import record
from tmtv_tui.app import ReviewApp
from tmtv_tui.config import Config

GOLDEN = Path(__file__).resolve().parents[1] / "golden"
SIZES = ((80, 24), (100, 50), (200, 60))
STEPS = (  # picture, keys
    ("case", ("x", "1")),
    ("slice", ("k", "i")),
    ("rule", ("i", "X")),
    ("log", ("escape", "l")),
    ("help", ("escape", "question_mark")),
    ("compare", ("escape", "c")),
)
THEMES = (("light", "half"), ("contrast", "quad"), ("dark", "ascii"))


def drawn(app: ReviewApp) -> str:
    """The cells of the screen, then the styles of each line as letter and length."""
    screen = app.screen
    update = screen._compositor.render_update(full=True, screen_stack=app._background_screens)
    names: dict[str, str] = {}
    lines, inks = [], []
    for strips in update.strips:  # type: ignore[union-attr]
        text, runs = "", []
        for strip in strips:
            for segment in strip:
                text += segment.text
                style = str((segment.style or Style()).without_color)
                style += f" {_hue(segment.style)}"
                name = names.setdefault(style, _letters(len(names)))
                runs.append((name, len(segment.text)))
        lines.append(text.rstrip())
        inks.append(" ".join(f"{name}{count}" for name, count in _joined(runs)))
    legend = [f"{name}: {style}" for style, name in names.items()]
    text = re.sub(r"\d\d:\d\d:\d\d", "hh:mm:ss", "\n".join(lines))
    return "\n".join([text, "", *inks, "", *legend, ""])


def _hue(style: Style | None) -> str:
    pair = (style.color, style.bgcolor) if style else (None, None)
    return " on ".join(c.triplet.hex if c is not None and c.triplet else "default" for c in pair)


def _letters(number: int) -> str:
    more, last = divmod(number, 26)
    return (_letters(more - 1) if more else "") + string.ascii_lowercase[last]


def _joined(runs: list[tuple[str, int]]) -> list[tuple[str, int]]:
    found: list[tuple[str, int]] = []
    for name, count in runs:
        if found and found[-1][0] == name:
            found[-1] = (name, found[-1][1] + count)
        else:
            found.append((name, count))
    return found


def compare(app: ReviewApp, name: str) -> None:
    path = GOLDEN / f"review-{name}.txt"
    found = drawn(app)
    if os.environ.get("TMTV_GOLDEN") == "write":
        path.write_text(found, "utf-8")
    assert found == path.read_text("utf-8"), f"{name} looks otherwise than {path}"


def two_readers(out: Path) -> None:
    """Two cases, one read by another, and a broken one."""
    case = copied_case(out)
    copied_case(out, "case-2")
    record(case, Decision("reject", (2,), reason="bladder"), "CD")
    record(case, Decision("accept", (3,)), "CD")
    (out / "case-3").mkdir()
    (out / "case-3" / "case.json").write_text("{")


@pytest.mark.parametrize("size", SIZES, ids=lambda s: f"{s[0]}x{s[1]}")
async def test_screens_look_as_they_did(tmp_path: Path, size: tuple[int, int]) -> None:
    two_readers(tmp_path)
    cells = f"{size[0]}x{size[1]}"
    async with running(tmp_path, size, compare="CD") as (app, pilot):
        compare(app, f"worklist-{cells}")
        await opened(app, pilot)
        for name, keys in STEPS:
            await pilot.press(*keys)
            await settle(app, pilot)
            compare(app, f"{name}-{cells}")


@pytest.mark.parametrize(("theme", "image"), THEMES)
async def test_themes_and_pictures_look_as_they_did(tmp_path: Path, theme: str, image: str) -> None:
    two_readers(tmp_path)
    async with running(tmp_path, (100, 30), config=Config(theme=theme, image=image)) as (
        app,
        pilot,
    ):
        await opened(app, pilot)
        compare(app, f"{theme}-{image}")


async def test_without_colour(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    two_readers(tmp_path)
    async with running(tmp_path, (80, 24)) as (app, pilot):
        await opened(app, pilot)
        compare(app, "no-color")
        hues = re.findall(r"#(\w\w)(\w\w)(\w\w)", drawn(app))
        assert all(red == green == blue for red, green, blue in hues)
