"""The app driven by keys: numbers against an independent computation, journals, hostile text."""

from __future__ import annotations

import gzip
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from textual.widgets import DataTable, Input, Static

from tests.review.test_session import two_peaks
from tests.support.cases import SPACING_MM, copied_case, snapshot, tmtv_ml
from tests.support.drive import opened, running, settle, shown, text_of, until
from tmtv_engine.case.folder import read_case
from tmtv_engine.review.journal import Decision, Journal
from tmtv_engine.review.reading import reading_of
from tmtv_engine.review.session import record
from tmtv_engine.review.verify import verify
from tmtv_tui.config import Config, read_config
from tmtv_tui.screens.case import CaseScreen
from tmtv_tui.widgets.lesions import LesionTable
from tmtv_tui.widgets.mip import MipView

ROOT = Path(__file__).resolve().parents[2]


def shown_total(screen: CaseScreen, method: str) -> float:
    text = str(screen.query_one("#totals", Static).content)
    line = next(x for x in text.splitlines() if x[1:].split()[:1] == [method])
    return float(line[1:].split()[3])


async def test_decisions_change_every_total_and_undo_brings_them_back(tmp_path: Path) -> None:
    copied_case(tmp_path)
    async with running(tmp_path) as (app, pilot):
        screen = await opened(app, pilot)
        for keys, accepted in (
            ([], [1, 2]),
            (["x"], [2]),
            (["j", "a"], [2, 3]),
            (["u"], [2]),
            (["u"], [1, 2]),
            (["ctrl+r", "ctrl+r"], [2, 3]),
        ):
            await pilot.press(*keys)
            await pilot.pause()
            for method in ("41", "2.5", "4.0"):
                assert shown_total(screen, method) == round(tmtv_ml(accepted, method), 1)
    actions = [x.action for x in Journal(tmp_path / "case-1/review/AB.jsonl").read()]
    decided = ["reject", "accept", "undo", "undo", "redo", "redo"]
    assert actions == ["open", *decided, "close"]
    record = read_case(tmp_path / "case-1").raw
    assert record["totals"]["4.0"]["tmtv_ml"] == pytest.approx(tmtv_ml([2, 3], "4.0"))
    assert not [f for f in verify(tmp_path / "case-1") if f.failed]


async def test_a_restart_finds_everything_and_undoes_on(tmp_path: Path) -> None:
    copied_case(tmp_path)
    async with running(tmp_path) as (app, pilot):
        await opened(app, pilot)
        await pilot.press("x", "1", "f")
    async with running(tmp_path) as (app, pilot):
        screen = await opened(app, pilot)
        assert screen.opened is not None
        assert screen.opened.reading.reasons == {1: "brain"}
        assert screen.opened.reading.flagged
        await pilot.press("u", "u")  # the flag; the reject and its reason at once
        assert screen.opened.reading.status[1] == "accepted"
        assert not screen.opened.reading.flagged


async def test_signing_closes_the_reading(tmp_path: Path) -> None:
    copied_case(tmp_path)
    async with running(tmp_path) as (app, pilot):
        screen = await opened(app, pilot)
        await pilot.press("S", "enter", "x")
        assert screen.opened is not None
        assert screen.opened.reading.status[1] == "accepted"
        assert "SIGNED" in text_of(app)
        await pilot.press("S", "enter", "x")
        assert screen.opened.reading.status[1] == "rejected"


async def test_marks_ranges_and_rules(tmp_path: Path) -> None:
    copied_case(tmp_path, hotspots=True)
    async with running(tmp_path) as (app, pilot):
        screen = await opened(app, pilot)
        assert screen.opened is not None
        await pilot.press("space", "j", "v", "X")
        assert set(screen.opened.reading.status.values()) == {"rejected"}
        await pilot.press("u", "X")
        await pilot.pause()
        app.screen.query_one(Input).value = "suvmax<7"
        await pilot.pause()
        remark = str(app.screen.query_one("#remark", Static).content)
        assert remark == f"rejects 1 lesion, {tmtv_ml([2], '41'):.1f} mL by 41: #2"
        await pilot.press("enter")
        await pilot.pause()
        assert screen.opened.reading.status == {1: "accepted", 2: "rejected", 3: "accepted"}


async def test_any_method_can_be_typed(tmp_path: Path) -> None:
    copied_case(tmp_path)
    async with running(tmp_path) as (app, pilot):
        screen = await opened(app, pilot)
        for typed in ("3.3", "70"):
            await pilot.press("M")
            await pilot.pause()
            app.screen.query_one(Input).value = typed
            await pilot.press("enter")
            await pilot.pause()
            assert shown_total(screen, typed) == round(tmtv_ml([1, 2], typed), 1)
        await pilot.press("M")
        await pilot.pause()
        app.screen.query_one(Input).value = "0.41"
        await pilot.press("enter")
        await pilot.pause()
        assert [n for n in app._notifications if "write 41" in n.message]


async def test_picture_and_table_choose_for_each_other(tmp_path: Path) -> None:
    copied_case(tmp_path)
    async with running(tmp_path) as (app, pilot):
        screen = await opened(app, pilot)
        view, table = screen.query_one("#front", MipView), screen.query_one(LesionTable)
        for number in (2, 3, 1):
            cell = view.cell_of(number)
            assert cell is not None
            await pilot.click(view, offset=cell)
            await pilot.pause()
            assert table.current() == number
            assert view._chosen == number
        await pilot.press("r", "plus", "minus", "comma", "full_stop", "i", "o", "i", "R")
        assert screen.angle == 0


@pytest.mark.parametrize("size", [(80, 24), (100, 50), (200, 60), (60, 16), (30, 8)])
async def test_every_size(tmp_path: Path, size: tuple[int, int]) -> None:
    copied_case(tmp_path)
    async with running(tmp_path, size) as (app, pilot):
        screen = await opened(app, pilot)
        await pilot.press("x")
        small = size[0] < 60 or size[1] < 16
        assert ("too small" in text_of(app)) == small
        if not small:
            assert "rejected" in text_of(app)
            assert "→" in text_of(app)
        await pilot.resize_terminal(100, 30)
        await pilot.pause()
        assert "rejected" in text_of(app)
        assert screen.opened is not None


async def test_the_worklist_shows_broken_and_new_cases(tmp_path: Path) -> None:
    copied_case(tmp_path)
    (tmp_path / "bad").mkdir()
    (tmp_path / "bad" / "case.json").write_text("{")
    async with running(tmp_path) as (app, pilot):
        table = app.worklist.query_one(DataTable)
        assert table.row_count == 2
        assert "broken" in text_of(app)
        copied_case(tmp_path, "case-0")
        app.worklist.read()
        await settle(app, pilot)
        assert table.row_count == 3
        await pilot.press("enter")
        await pilot.pause()
        assert app.screen is app.worklist
        await pilot.press("slash")
        await pilot.pause()
        app.screen.query_one(Input).value = "case-0"
        await pilot.press("enter")
        await pilot.pause()
        assert table.row_count == 1
        await pilot.press("s", "m", "f", "end", "home")
        await settle(app, pilot)
    assert reading_of(read_case(tmp_path / "case-0")).flagged


async def test_the_next_case_and_back(tmp_path: Path) -> None:
    for name in ("a", "b"):
        copied_case(tmp_path, name)
    async with running(tmp_path) as (app, pilot):
        await opened(app, pilot)
        await pilot.press("x", "right_square_bracket")
        await settle(app, pilot)
        assert isinstance(app.screen, CaseScreen)
        assert app.screen.path.name == "b"
        await pilot.press("q")
        await settle(app, pilot)
        await pilot.pause(0.4)
        await settle(app, pilot)
        assert app.worklist.rows[tmp_path / "a"].state == "partial"
        expected = tmtv_ml([2], "41")
        assert app.worklist.rows[tmp_path / "a"].reviewed["41"] == pytest.approx(expected)


async def test_read_only_writes_nothing(tmp_path: Path) -> None:
    case = copied_case(tmp_path)
    before = snapshot(case.path)
    async with running(tmp_path, read_only=True) as (app, pilot):
        await opened(app, pilot)
        await pilot.press("x", "S", "p", "u", "q")
        await settle(app, pilot)
        await pilot.press("f")
    assert snapshot(case.path) == before


async def test_blind_shows_no_identity(tmp_path: Path) -> None:
    copied_case(tmp_path)
    async with running(tmp_path, blind=True, order_seed=3) as (app, pilot):
        assert "P1" not in text_of(app)
        await opened(app, pilot)
        assert "P1" not in text_of(app)
        assert "2020-01-02" not in text_of(app)


LIGHT = """
import asyncio, sys
from tests.support.drive import read, settle, until
from tmtv_tui.app import ReviewApp
from tmtv_tui.cli.app import main

async def drive(app):
    async with app.run_test(size=(100, 50)) as pilot:
        await until(pilot, lambda: app.worklist.finished)
        await pilot.press("enter")
        await read(app, pilot)
        for key in "ximpuMc?":
            await pilot.press("question_mark" if key == "?" else key)
            await settle(app, pilot)
            if len(app.screen_stack) > 3:
                await pilot.press("escape")

ReviewApp.run = lambda app: asyncio.run(drive(app))
import tmtv_tui.cli.review
sys.modules["tmtv_tui.cli.review"].refuse_unable = lambda *_: None  # no terminal here
assert main(["review", sys.argv[1], "--reader", "AB"]) == 0
print(*sorted({m.split(".")[0] for m in sys.modules}))
print(*(m for m in sys.modules if m in ("tmtv_tui.terminal.pixels", "tmtv_tui.terminal.painter")))
"""


def test_review_imports_nothing_heavy(tmp_path: Path) -> None:
    """From the command line on, with a split tried, a slice, a method, a comparison."""
    copied_case(tmp_path)
    arguments = [sys.executable, "-c", LIGHT, str(tmp_path)]
    done = subprocess.run(arguments, capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 0, done.stderr[-2000:]
    heavy = {"torch", "SimpleITK", "highdicom", "pydicom", "skimage", "matplotlib", "scipy"}
    heavy |= {"nibabel", "cc3d", "PIL", "tmtv_tui.terminal.pixels", "tmtv_tui.terminal.painter"}
    assert not heavy & set(done.stdout.split())
    assert Journal(tmp_path / "case-1/review/AB.jsonl").read()[1].action == "reject"


def test_settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    monkeypatch.delenv("TMTV_READER", raising=False)
    assert read_config() == Config()
    (tmp_path / "tmtv").mkdir()
    (tmp_path / "tmtv" / "config.toml").write_text('reader = "CD"\ntheme = "light"\n')
    assert read_config() == Config(reader="CD", theme="light")
    monkeypatch.setenv("TMTV_READER", "EF")
    assert read_config().reader == "EF"
    (tmp_path / "tmtv" / "config.toml").write_text("colour = 1\n")
    with pytest.raises(Exception, match="colour"):
        read_config()


async def test_a_lesion_that_runs_into_the_bladder_is_split_and_the_part_rejected(
    tmp_path: Path,
) -> None:
    two_peaks(tmp_path)
    async with running(tmp_path) as (app, pilot):
        screen = await opened(app, pilot)
        assert screen.opened is not None
        table = screen.query_one(LesionTable)
        whole = shown_total(screen, "2.5")
        await pilot.press("p")
        await settle(app, pilot)
        assert table.current() == 2
        assert screen.opened.reading.splits == {1: (2, 3)}
        assert shown_total(screen, "2.5") == whole
        assert "model part" in text_of(app)
        await pilot.press("i")
        await settle(app, pilot)
        assert "no slice" not in text_of(app)
        voxels = screen.opened.reading.lesions.counts
        await pilot.press("x", "4")
        await settle(app, pilot)
        part = int(voxels[1]) * float(np.prod(SPACING_MM)) / 1000
        assert shown_total(screen, "2.5") == round(part, 1)
        assert screen.opened.reading.reasons == {2: "bladder"}
        await pilot.press("u", "u")
        await settle(app, pilot)
        assert screen.opened.reading.splits == {}
        assert shown_total(screen, "2.5") == whole
    assert not [f for f in verify(tmp_path / "case-1") if f.failed]


async def test_a_split_tells_of_a_background_that_is_lost(tmp_path: Path) -> None:
    two_peaks(tmp_path)
    async with running(tmp_path) as (app, pilot):
        screen = await opened(app, pilot)
        assert screen.opened is not None
        screen.opened.methods.append("a50p")
        await pilot.press("p")
        await shown(app, pilot, "A50P")


async def test_a_stale_label_map_is_refused_and_said(tmp_path: Path) -> None:
    case = copied_case(tmp_path)
    record(case, Decision("reject", (1,)), "AB")
    path = case.path / "lesions.nii.gz"
    raw = bytearray(gzip.decompress(path.read_bytes()))
    raw[-1] ^= 1
    path.write_bytes(gzip.compress(bytes(raw)))
    before = (case.path / "review" / "AB.jsonl").read_bytes()
    async with running(tmp_path) as (app, pilot):
        await pilot.press("enter")
        assert "was decided on other lesions" in await shown(app, pilot, "decided on other")
        await pilot.press("x", "a", "u", "S", "m", "i", "c", "l", "X", "q")
        await until(pilot, lambda: app.screen is app.worklist)
    assert (case.path / "review" / "AB.jsonl").read_bytes() == before
