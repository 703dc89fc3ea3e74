"""What is sent draws the same screen as Textual would: an emulator reads every byte."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from rich.console import Console
from rich.segment import Segment
from rich.style import Style
from textual._compositor import ChopsUpdate, LayoutUpdate
from textual.geometry import Region
from textual.strip import Strip

from tests.support.cases import copied_case
from tests.support.drive import opened, running, settle, text_of
from tests.support.emulator import Emulator
from tmtv_tui.app import ReviewApp
from tmtv_tui.review.glyphs import TURNED
from tmtv_tui.terminal.thrift import ExactLayout, ExactUpdate, Shown


async def test_what_is_sent_is_what_is_shown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("a", "b"):
        copied_case(tmp_path, name)
    emulator, shown = Emulator(), Shown()

    def send(app: ReviewApp, screen: Any, update: Any) -> None:
        if screen is not app.screen:
            return
        if type(update) is ChopsUpdate:
            emulator.feed(ExactUpdate(update, shown).render_segments(app.console))
        elif type(update) is LayoutUpdate:
            emulator.feed(ExactLayout(update, shown).render_segments(app.console))

    monkeypatch.setattr(ReviewApp, "_display", send)
    async with running(tmp_path, (90, 30)) as (app, pilot):
        assert same_blocks(emulator.text(90, 30)) == same_blocks(text_of(app))
        await opened(app, pilot)
        for key in "xa1jxkmruiojvXp?lwc]q":
            await pilot.press({"?": "question_mark", "]": "right_square_bracket"}.get(key, key))
            await settle(app, pilot)
            if app.screen._modal:
                await pilot.press("escape")
                await settle(app, pilot)
            assert same_blocks(emulator.text(90, 30)) == same_blocks(text_of(app)), key


def same_blocks(text: str) -> str:
    """A block for the one with the other dots, which `test_turned` looks at."""
    return "".join(min(c, TURNED.get(c, c)) for c in text)


def update_of(*words: tuple[str, Style]) -> ChopsUpdate:
    """One line of Textual's."""
    strip = Strip([Segment(text, style) for text, style in words])
    return ChopsUpdate([{0: strip}], [(0, 0, strip.cell_length)], [[strip.cell_length]])


def sent(shown: Shown, *words: tuple[str, Style]) -> str:
    console = Console(color_system="truecolor", force_terminal=True)
    return ExactUpdate(update_of(*words), shown).render_segments(console)


def test_only_what_differs_is_sent() -> None:
    shown, red = Shown(), Style.parse("rgb(200,10,10) on rgb(8,8,8)")
    assert sent(shown, ("abcdefgh", red)).count("abcdefgh") == 1
    assert sent(shown, ("abcdefgh", red)) == ""
    assert sent(shown, ("aXcdefgY", red)).count("\x1b[") == 4  # two places, a colour, an end
    assert "X" not in sent(shown, ("aXcdefgZ", red))
    shown.forget()
    assert "aXcdefgZ" in sent(shown, ("aXcdefgZ", red))


def test_wide_letters_and_accents_keep_their_cells() -> None:
    shown, plain = Shown(), Style()
    assert sent(shown, ("a字b", plain)) == "\x1b[1;1Ha字b"
    assert sent(shown, ("a字c", plain)) == "\x1b[1;4Hc"
    assert sent(shown, ("axyc", plain)) == "\x1b[1;2Hxy"
    assert sent(shown, ("ae\u0301yc", plain)) == "\x1b[1;2He\u0301"


def test_greys_and_cube_colours_are_said_short() -> None:
    exact = Style.parse("rgb(8,8,8) on rgb(0,175,135)")
    assert "38;5;232;48;5;36" in sent(Shown(), ("x", exact))
    assert "38;2;9;8;8" in sent(Shown(), ("x", Style.parse("rgb(9,8,8)")))


def test_a_whole_screen_makes_the_next_update_a_difference() -> None:
    shown, console = Shown(), Console(color_system="truecolor", force_terminal=True)
    lines: list[Any] = [[Strip([Segment("hello")])]]
    whole = ExactLayout(LayoutUpdate(lines, Region(0, 0, 5, 1)), shown)
    assert whole.render_segments(console) == "\x1b[1;1Hhello"
    assert sent(shown, ("hallo", Style())) == "\x1b[1;2Ha"
