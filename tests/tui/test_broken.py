"""One bad case is one bad row, whatever it raises; the others are read as ever."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from textual.widgets import DataTable

from tests.support.cases import copied_case
from tests.support.drive import opened, read, running, settle, shown, text_of, until
from tmtv_engine.case.folder import read_case
from tmtv_engine.review.session import Decision, Session
from tmtv_tui.app import ReviewApp
from tmtv_tui.review.rows import case_row
from tmtv_tui.screens.case import CaseScreen
from tmtv_tui.widgets.lesions import LesionTable


def edited(change: Callable[[dict[str, object]], object]) -> Callable[[Path], object]:
    def damage(case: Path) -> None:
        record = json.loads((case / "case.json").read_text())
        change(record)
        (case / "case.json").write_text(json.dumps(record))

    return damage


UNREADABLE: dict[str, Callable[[Path], object]] = {
    "cut": lambda c: os.truncate(c / "case.json", 700),
    "empty": lambda c: (c / "case.json").write_bytes(b""),
    "deep": lambda c: (c / "case.json").write_text("[" * 200_000),
    "deeper": lambda c: (c / "case.json").write_text('{"a":' * 99_000 + "1" + "}" * 99_000),
    "latin": lambda c: (c / "case.json").write_bytes(b'{"case": "\xff"}'),
    "number": edited(lambda r: r.update(totals=5)),
    "huge": lambda c: (c / "case.json").write_text('{"a": ' + "9" * 10_000 + "}"),
    "circle": lambda c: _circle(c / "case.json"),
    "fifo": lambda c: _fifo(c / "case.json"),
    "list": lambda c: (c / "case.json").write_text("[]"),
}
UNOPENED: dict[str, Callable[[Path], object]] = {
    "no-labels": lambda c: (c / "lesions.nii.gz").unlink(),
    "no-voxels": lambda c: (c / "voxels.npz").unlink(),
    "no-mip": lambda c: (c / "mip.npz").unlink(),
    "cut-voxels": lambda c: os.truncate(c / "voxels.npz", 300),
    "cut-mip": lambda c: os.truncate(c / "mip.npz", 300),
    "mip-is-folder": lambda c: _folder(c / "mip.npz"),
}


def _circle(path: Path) -> None:
    path.unlink()
    path.symlink_to(path.name)


def _folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


def _fifo(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


async def test_what_cannot_be_read_is_a_row_that_says_so(tmp_path: Path) -> None:
    copied_case(tmp_path, "a-good")
    for name, damage in UNREADABLE.items():
        shutil.copytree(tmp_path / "a-good", tmp_path / name)
        damage(tmp_path / name)
    async with running(tmp_path, (160, 40)) as (app, pilot):
        states = {path.name: row.state for path, row in app.worklist.rows.items()}
        assert states == {"a-good": "todo"} | dict.fromkeys(UNREADABLE, "broken")
        assert all(app.worklist.rows[tmp_path / name].broken for name in UNREADABLE)
        for _ in UNREADABLE:
            await pilot.press("j", "enter", "f", "w", "escape")
        await settle(app, pilot)
        assert app.screen is app.worklist
        await opened(app, pilot, "a-good")
        await pilot.press("x")
        await settle(app, pilot)
        assert "rejected" in text_of(app)


@pytest.mark.parametrize("name", UNOPENED)
async def test_what_does_not_open_is_a_row_too(tmp_path: Path, name: str) -> None:
    copied_case(tmp_path, "a-good")
    shutil.copytree(tmp_path / "a-good", tmp_path / "b-bad")
    UNOPENED[name](tmp_path / "b-bad")
    async with running(tmp_path, (160, 40)) as (app, pilot):
        app.worklist.query_one(DataTable).move_cursor(row=1)
        await pilot.press("enter")
        await until(pilot, lambda: app.worklist.rows[tmp_path / "b-bad"].state == "broken")
        await pilot.press("x", "a", "u", "S", "enter", "m", "i", "N", "A", "z", "s", "q")
        await until(pilot, lambda: app.screen is app.worklist)
        line = next(x for x in text_of(app).splitlines() if "b-bad" in x)
        assert "broken" in line
        await opened(app, pilot, "a-good")
        await pilot.press("right_square_bracket")  # to the bad one, and back
        await until(pilot, lambda: isinstance(app.screen, CaseScreen))
        await settle(app, pilot)
        await pilot.press("left_square_bracket")
        assert (await read(app, pilot)).path.name == "a-good"


@pytest.mark.parametrize("error", [ZeroDivisionError("x"), RecursionError("[/nope]\x1b[2J")])
@pytest.mark.parametrize("where", ["draw", "handler"])
async def test_what_a_case_raises_under_its_screen_closes_that_screen(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, where: str, error: Exception
) -> None:
    copied_case(tmp_path, "a-good")
    shutil.copytree(tmp_path / "a-good", tmp_path / "b-bad")

    def fail(*_: object, **__: object) -> None:
        raise error

    async with running(tmp_path, (160, 40)) as (app, pilot):
        await opened(app, pilot, "b-bad")
        with monkeypatch.context() as patch:
            name = "render_line" if where == "draw" else "settle"
            patch.setattr(LesionTable, name, fail)
            await pilot.press("x")
            await until(pilot, lambda: app.screen is app.worklist)
            await settle(app, pilot)
        assert type(error).__name__ in await shown(app, pilot, "b-bad was closed")
        Session(read_case(tmp_path / "b-bad"), "CD").decide(Decision("flag"))
        app.worklist.read()  # what changes meanwhile does not make it whole
        await settle(app, pilot)
        assert app.worklist.rows[tmp_path / "b-bad"].state == "broken"
        assert "\x1b" not in text_of(app)
        await opened(app, pilot, "a-good")
        await pilot.press("x")
        await settle(app, pilot)
        assert "rejected" in text_of(app)


async def test_a_folder_that_may_not_be_entered_is_a_row(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    copied_case(tmp_path, "a-good")
    shut = tmp_path / "shut"
    shutil.copytree(tmp_path / "a-good", shut)
    stat = os.stat

    def refused(path: object, **options: object) -> os.stat_result:
        if str(path).startswith(str(shut)):
            raise PermissionError(13, "Permission denied", str(path))
        return stat(path, **options)  # type: ignore[arg-type, no-any-return, call-overload]

    monkeypatch.setattr("tmtv_tui.review.polling.os.stat", refused)
    async with running(tmp_path, (160, 40)) as (app, _):
        assert app.worklist.rows[shut].state == "broken"
        assert app.worklist.rows[tmp_path / "a-good"].state == "todo"


async def test_one_that_cannot_be_followed_does_not_keep_the_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    good, bad = copied_case(tmp_path, "good"), copied_case(tmp_path, "bad")
    app = ReviewApp(tmp_path, reader="AB")
    done: list[str] = []

    def refresh(case: object) -> None:
        done.append(case.path.name)  # type: ignore[attr-defined]
        if case.path == bad.path:  # type: ignore[attr-defined]
            raise ZeroDivisionError("nobody foresaw it")

    monkeypatch.setattr("tmtv_tui.app.refresh", refresh)
    app._waiting = {bad.path, good.path}
    with pytest.raises(ZeroDivisionError):
        app.finish()
    assert sorted(done) == ["bad", "good"]


def test_a_copied_folder_is_told_from_its_case(tmp_path: Path) -> None:
    case = copied_case(tmp_path, "case-1")
    shutil.copytree(case.path, tmp_path / "copy [b]")
    assert case_row(case.path).name == "case-1"
    assert case_row(tmp_path / "copy [b]").name == "copy [b] (case case-1)"
    blind = {case_row(path, "AB").name for path in (case.path, tmp_path / "copy [b]")}
    assert len(blind) == 2


async def test_home_and_end_go_to_the_first_and_the_last_case(tmp_path: Path) -> None:
    for name in ("a", "b", "c"):
        copied_case(tmp_path, name)
    async with running(tmp_path) as (app, pilot):
        table = app.worklist.query_one(DataTable)
        for key, row in (("end", 2), ("home", 0), ("end", 2), ("k", 1)):
            await pilot.press(key)
            assert table.cursor_row == row


async def test_a_case_that_is_moved_away_under_its_screen_ends_nothing(tmp_path: Path) -> None:
    out, away = tmp_path / "out", tmp_path / "away"
    out.mkdir()
    for name in ("a", "b"):
        copied_case(out, name)
    async with running(out, (160, 40)) as (app, pilot):
        await opened(app, pilot)
        await pilot.press("x")
        await settle(app, pilot)
        (out / "a").rename(away)
        await pilot.press("a")
        await settle(app, pilot)
        assert f"{out / 'a'} is gone" in text_of(app).replace("\n", "")
        assert not (out / "a").exists()  # no lock is left where it was
        app.worklist.read()
        await settle(app, pilot)
        await pilot.press("q")
        await settle(app, pilot)
        assert app.screen is app.worklist
        assert list(app.worklist.rows) == [out / "b"]
        away.rename(out / "a")
        app.worklist.read()
        await settle(app, pilot)
        assert list(app.worklist.rows) == [out / "b", out / "a"]
        await opened(app, pilot, "a")
        assert "rejected!" in text_of(app)
