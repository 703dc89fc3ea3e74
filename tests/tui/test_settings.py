"""What a reader or a study can set: keys, colours, pictures, blind, order; palette and help."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.support.cases import copied_case
from tests.support.drive import opened, read, running, settle, shown, text_of, until
from tmtv_engine.case.folder import read_case
from tmtv_engine.errors import UsageError
from tmtv_engine.review.journal import Decision
from tmtv_engine.review.session import record
from tmtv_tui.cli.review import review
from tmtv_tui.config import Config, read_config
from tmtv_tui.review.rows import alias, case_row
from tmtv_tui.widgets.mip import MipView


async def test_keys_can_be_chosen(tmp_path: Path) -> None:
    copied_case(tmp_path)
    keys = {"accept": "y", "reject": "d", "zoom_in": "z"}
    async with running(tmp_path, config=Config(keys=keys, advance=False)) as (app, pilot):
        screen = await opened(app, pilot)
        assert screen.opened is not None
        assert " y accept" in text_of(app)
        await pilot.press("x")
        assert screen.opened.reading.status[1] == "accepted"
        await pilot.press("d")
        assert screen.opened.reading.status[1] == "rejected"
        await pilot.press("z", "plus")
        assert {view.zoom for view in screen.query(MipView)} == {2}
        await pilot.press("question_mark")
        await shown(app, pilot, "Tab n")
        assert re.search(r"\bd +reject", text_of(app))


async def test_every_screen_has_help_and_the_palette_knows_its_commands(tmp_path: Path) -> None:
    case = copied_case(tmp_path)
    record(case, Decision("reject", (1,)), "CD")
    async with running(tmp_path, (100, 50), compare="CD") as (app, pilot):
        for entering, words in ((None, "next to do"), ("enter", "split"), ("c", "take theirs")):
            if entering == "enter":
                await opened(app, pilot)
            elif entering:
                await pilot.press(entering)
                await settle(app, pilot)
            screen = app.screen
            commands = [c.title for c in app.get_system_commands(screen)]
            assert any(c.startswith(words) for c in commands)
            await pilot.press("question_mark")
            assert words in await shown(app, pilot, "all commands and themes")
            await pilot.press("escape")
            await until(pilot, lambda s=screen: app.screen is s)  # type: ignore[misc]
        await pilot.press("q", "ctrl+p")
        await settle(app, pilot)
        await pilot.press(*"theme light")
        await shown(app, pilot, "theme light")
        await until(pilot, lambda: "No matches" not in text_of(app))
        await pilot.press("down", "enter")
        await until(pilot, lambda: app.theme == "textual-light")


def test_settings_come_from_file_and_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    file = tmp_path / "tmtv" / "config.toml"
    file.parent.mkdir()
    file.write_text('colours = 256\nwhite_suv = 6\n[keys]\naccept = "y"\n')
    assert read_config() == Config(colours="256", white_suv=6.0, keys={"accept": "y"})
    for name, value in (("IMAGE", "quad"), ("ADVANCE", "false"), ("COLOURS", "16")):
        monkeypatch.setenv(f"TMTV_{name}", value)
    found = read_config()
    assert (found.image, found.advance, found.colours) == ("quad", False, "16")
    for text in ('image = "x"', "white_suv = 0", 'advance = "maybe"', "keys = 1", "reader = 1"):
        for name in ("IMAGE", "ADVANCE", "COLOURS"):
            monkeypatch.delenv(f"TMTV_{name}", raising=False)
        file.write_text(text)
        with pytest.raises(UsageError):
            read_config()
    file.write_text('[keys]\naccpt = "y"\n')
    with pytest.raises(UsageError, match="accpt"):
        review(tmp_path, None, False, False, None, None, None, None)
    file.unlink()
    with pytest.raises(UsageError, match="etching"):
        review(tmp_path, None, False, False, None, None, None, "etching")


async def test_a_blind_reading_sees_the_prediction_and_its_own_doing_only(tmp_path: Path) -> None:
    for name in ("Doe_John", "0123456789ab", "b", "c"):
        case = copied_case(tmp_path, name)
        record(case, Decision("reject", (1,), reason="brain"), "CD")
        record(case, Decision("sign"), "CD")
    record(case, Decision("flag"), "EF")
    async with running(tmp_path, blind=True, order_seed=3) as (app, pilot):
        seen = text_of(app)
        for secret in ("Doe", "P1", "2020", "CD", "EF", "→", "done", "flagged", "brain"):
            assert secret not in seen, secret
        assert "BLIND" in seen
        assert alias("Doe_John") in seen
        assert "0123456789ab" in seen
        order = [path.name for path in app.worklist.shown]
        await opened(app, pilot, "Doe_John")
        await pilot.press("x", "l")
        seen = await shown(app, pilot, "Decisions of AB")
        assert not [secret for secret in ("Doe", "P1", "2020-", "CD") if secret in seen]
        await pilot.press("escape", "q")
        await until(pilot, lambda: app.worklist.rows[tmp_path / "Doe_John"].state == "partial")
        copied_case(tmp_path, "newcomer")
        app.worklist.read()
        await until(pilot, lambda: len(app.worklist.shown) == 5)
        assert [p.name for p in app.worklist.shown if p.name != "newcomer"] == order
    async with running(tmp_path, blind=True, order_seed=4) as (app, pilot):
        assert [p.name for p in app.worklist.shown if p.name != "newcomer"] != order


def test_a_blind_row_says_nothing_of_what_is_wrong(tmp_path: Path) -> None:
    (tmp_path / "Doe").mkdir()
    (tmp_path / "Doe" / "case.json").write_text('{"schema": "Doe"}')
    row = case_row(tmp_path / "Doe", "AB")
    assert row.state == "broken"
    assert "Doe" not in row.name + row.broken


async def test_the_worklist_shows_who_has_a_case_open(tmp_path: Path) -> None:
    case = copied_case(tmp_path)
    async with running(tmp_path, reader="CD") as (other, theirs):
        await opened(other, theirs)
        assert case_row(case.path).open_by == ("CD",)
        async with running(tmp_path) as (app, pilot):
            assert "(open: CD)" in text_of(app)
            await opened(app, pilot)
            assert "also open: CD@" in text_of(app)
    assert case_row(case.path).open_by == ()


async def test_all_methods_stand_in_the_worklist_and_warnings_in_full(tmp_path: Path) -> None:
    copied_case(tmp_path)
    async with running(tmp_path, (160, 30)) as (app, pilot):
        assert "mL 41" in text_of(app)
        assert "mL 4.0" in text_of(app)
        await pilot.press("w")
        assert "no-ct: there is no CT" in await shown(app, pilot, "there is no CT")
        await pilot.press("escape", "m")
        await settle(app, pilot)
        assert text_of(app).index("mL 2.5") < text_of(app).index("mL 41")


@pytest.mark.parametrize("image", ["half", "quad", "sextant", "octant", "braille", "ascii"])
async def test_pictures_of_every_kind_choose_by_a_click(tmp_path: Path, image: str) -> None:
    copied_case(tmp_path)
    async with running(tmp_path, config=Config(image=image)) as (app, pilot):
        screen = await opened(app, pilot)
        view = screen.query_one("#front", MipView)
        for number in (2, 3, 1):
            cell = view.cell_of(number)
            assert cell is not None
            await pilot.click(view, offset=cell)
            await until(pilot, lambda n=number: view._chosen == n)  # type: ignore[misc]
            assert view._marks


async def test_flags_from_the_worklist_leave_the_event_loop_free(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The journal is on a disk that hangs: the cursor moves on."""
    import threading

    for name in ("a", "b", "c"):
        copied_case(tmp_path, name)
    gate = threading.Event()

    def slow(path: Path) -> object:
        gate.wait(60)
        return read_case(path)

    async with running(tmp_path) as (app, pilot):
        monkeypatch.setattr("tmtv_tui.app.read_case", slow)
        await pilot.press("f", "j", "j", "k")
        assert app.worklist.current() == tmp_path / "b"
        gate.set()
        await until(pilot, lambda: app.worklist.rows[tmp_path / "a"].state == "flagged")


async def test_the_case_after_this(tmp_path: Path) -> None:
    for name in ("a", "b"):
        copied_case(tmp_path, name)
    async with running(tmp_path) as (app, pilot):
        await opened(app, pilot)
        await pilot.press("right_square_bracket")
        await until(pilot, lambda: getattr(app.screen, "path", tmp_path).name == "b")
        await read(app, pilot)
