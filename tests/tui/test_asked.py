"""A model asked in the app: what is previewed, what Enter records, and that nobody waits for it."""

from __future__ import annotations

import threading
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from textual.pilot import Pilot
from textual.widgets import Static

from tests.review.test_asked import CHANCE, FAR, expected, inside
from tests.review.test_asked import model as clicker
from tests.review.test_repairs import IMAGE, MAP, failures, flooded, mask_of, mm
from tests.support.cases import copied_case
from tests.support.drive import opened, running, text_of, until
from tmtv_engine.case.folder import read_case
from tmtv_engine.errors import CaseError
from tmtv_engine.image.volume import Unit, Volume
from tmtv_engine.model.clicks import Clicks
from tmtv_engine.model.registry import Model
from tmtv_engine.review.asked import Interactive
from tmtv_engine.review.journal import Journal
from tmtv_engine.review.reading import reading_of
from tmtv_tui.app import ReviewApp
from tmtv_tui.review.cursor import Cursor
from tmtv_tui.screens.case import CaseScreen
from tmtv_tui.screens.repair import RepairScreen

HELD = (MAP == 1) | (MAP == 2)
Index = tuple[int, int, int]


class Slow:
    """A model that answers when it is let, or leaves when nobody waits."""

    def __init__(self) -> None:
        self.asked: list[Clicks] = []
        self.free, self.left, self.loaded = threading.Event(), 0, 0

    def load(self, name: str) -> Model:
        self.loaded += 1
        assert name == "clicker"
        return Model(None, dict(clicker().record), takes_ct=False, ask=self.answer)

    def answer(self, suv: Volume, ct: Any, clicks: Clicks, stop: Callable[[], bool] | None) -> Any:
        assert stop is not None
        self.asked.append(clicks)
        while not self.free.wait(0.01):
            if stop():
                self.left += 1
                raise CaseError("nobody waits")
        return Volume(CHANCE.astype(np.float32), suv.grid, Unit.PROBABILITY)


def at(screen: CaseScreen, index: Index) -> None:
    assert screen.opened is not None
    screen.point_at(Cursor(screen.opened.reading.lesions.grid, index))


async def asking(app: ReviewApp, pilot: Pilot[None]) -> RepairScreen:
    await pilot.press("g")
    await until(pilot, lambda: isinstance(app.screen, RepairScreen))
    assert isinstance(app.screen, RepairScreen)
    return app.screen


async def test_g_asks_the_model_and_enter_records_what_was_previewed(tmp_path: Path) -> None:
    case, slow, place = copied_case(tmp_path), Slow(), inside(FAR)
    async with running(tmp_path, asked=Interactive("clicker", slow.load)) as (app, pilot):
        screen = await opened(app, pilot)
        assert slow.loaded == 0
        at(screen, place)
        repair = await asking(app, pilot)
        await until(pilot, lambda: slow.asked)
        assert "asking the model" in str(repair.query_one("#told", Static).content)
        assert "add a lesion, as clicker answers at the point, within 60 mm" in text_of(app)
        await pilot.press("enter")  # nothing is shown yet
        assert app.screen is repair
        slow.free.set()
        await until(pilot, lambda: repair.seen is not None)
        wanted = expected(place, 60.0, HELD)
        assert repair.seen is not None
        assert (repair.seen.gained == np.argwhere(wanted)).all()
        assert not list((case.path / "review").glob("added-*"))
        await pilot.press("enter")
        await until(pilot, lambda: app.screen is screen)
    reading = reading_of(read_case(case.path), "AB")
    assert (mask_of(reading, 4) == wanted).all()
    line = next(x for x in Journal(case.path / "review" / "AB.jsonl").read() if x.action == "add")
    assert line.parameters == {
        "seed": list(mm(place)), "reach": 60.0, "model": "clicker", "sha256": "ab" * 32,
    }  # fmt: skip
    assert failures(case) == []
    assert [c.foreground for c in slow.asked] == [(mm(place),)]


async def test_a_point_that_is_no_tumour_is_asked_with(tmp_path: Path) -> None:
    case, slow, place = copied_case(tmp_path), Slow(), inside(FAR)
    slow.free.set()
    async with running(tmp_path, asked=Interactive("clicker", slow.load)) as (app, pilot):
        screen = await opened(app, pilot)
        at(screen, place)
        repair = await asking(app, pilot)
        await until(pilot, lambda: repair.seen is not None)
        await pilot.press("x", "right", "right", "greater_than_sign")
        await until(pilot, lambda: repair.seen is not None)
        assert "to what is no tumour" in str(repair.query_one("#told", Static).content)
        await pilot.press("enter")  # nothing to be recorded yet
        assert app.screen is repair
        assert len(slow.asked) == 1
        await pilot.press("x")
        await until(pilot, lambda: repair.seen is not None and repair.seen.decision is not None)
        assert "not at 1 point" in text_of(app)
        await pilot.press("enter")
        await until(pilot, lambda: app.screen is screen)
    wrong = mm((place[0] - 1, place[1], place[2] + 2))  # `>` goes to the feet
    assert [(c.foreground, c.background) for c in slow.asked] == [
        ((mm(place),), ()),
        ((mm(place),), (wrong,)),
    ]
    line = next(x for x in Journal(case.path / "review" / "AB.jsonl").read() if x.action == "add")
    assert line.parameters is not None
    assert line.parameters["background"] == [list(wrong)]
    assert line.parameters["seed"] == list(mm(place))
    assert failures(case) == []


async def test_a_smaller_reach_asks_nothing_and_an_suv_is_a_key_away(tmp_path: Path) -> None:
    copied_case(tmp_path)
    slow, place = Slow(), inside((17, 8, 30))
    slow.free.set()
    async with running(tmp_path, asked=Interactive("clicker", slow.load)) as (app, pilot):
        at(await opened(app, pilot), place)
        repair = await asking(app, pilot)
        await until(pilot, lambda: repair.seen is not None)
        for _ in range(10):
            await pilot.press("left_square_bracket", "plus")
        await until(pilot, lambda: repair.seen is not None)
        assert repair.seen is not None
        assert (repair.seen.gained == np.argwhere(expected(place, 10.0, HELD))).all()
        assert (len(slow.asked), slow.loaded) == (1, 1)
        await pilot.press("right_square_bracket", *["right_square_bracket"] * 10)
        await until(pilot, lambda: repair.seen is not None)
        assert [c.within_mm for c in slow.asked] == [60.0, 65.0]
        await pilot.press("percent_sign")
        await until(pilot, lambda: repair.seen is not None)
        assert "above SUV 2.5" in repair.draft.words()
        if IMAGE[place] > 2.5:
            assert (repair.seen.gained == np.argwhere(flooded(place, 2.5, 65, HELD))).all()
        await pilot.press("percent_sign")
        assert "% of the highest" in repair.draft.words()
        await pilot.press("percent_sign")
        await until(pilot, lambda: repair.seen is not None)
        assert "as clicker answers" in repair.draft.words()
        assert len(slow.asked) == 2


async def test_nobody_waits_for_a_model(tmp_path: Path) -> None:
    case, slow, place = copied_case(tmp_path), Slow(), inside(FAR)
    async with running(tmp_path, asked=Interactive("clicker", slow.load)) as (app, pilot):
        screen = await opened(app, pilot)
        at(screen, place)
        await asking(app, pilot)
        await until(pilot, lambda: slow.asked)
        await pilot.press("escape")
        await until(pilot, lambda: app.screen is screen and slow.left == 1)
        await pilot.press("a")  # the reader goes on
        await until(pilot, lambda: screen.opened and screen.opened.reading.decisions == 1)
        repair = await asking(app, pilot)
        await until(pilot, lambda: len(slow.asked) == 2)
        for _ in range(5):
            await pilot.press("right")  # each is another point; the last one is asked about
        await until(pilot, lambda: slow.asked[-1].foreground == (repair.draft.point.mm,))
        await until(pilot, lambda: slow.left == len(slow.asked) - 1)
        await pilot.press("escape")
    assert slow.left == len(slow.asked)
    assert not list((case.path / "review").glob("added-*"))


async def test_what_the_model_cannot_is_said(tmp_path: Path) -> None:
    copied_case(tmp_path)

    def load(name: str) -> Model:
        raise CaseError("/secret/place: is not what was added as clicker")

    none = inside(FAR)
    for blind, words in ((False, "is not what was added"), (True, "cannot be read")):
        held = Interactive("clicker", load)
        async with running(tmp_path, asked=held, blind=blind) as (app, pilot):
            at(await opened(app, pilot), none)
            repair = await asking(app, pilot)
            await until(pilot, partial(lambda r: r.seen is not None, repair))
            told = str(repair.query_one("#told", Static).content)
            assert words in told
            assert ("secret" in told) is not blind
            await pilot.press("enter")
            assert app.screen is repair


def test_without_a_model_the_keys_are_as_they_were(tmp_path: Path) -> None:
    from tmtv_tui.review.repair import Draft, Kind

    case = copied_case(tmp_path)
    draft = Draft(Kind.ADD, Cursor(case.voxels().grid, FAR))
    assert draft.other().share == 41
    assert draft.other().other() == draft


@pytest.mark.parametrize("name", ["clicker", "nnunet:somewhere"])
def test_a_model_that_takes_no_clicks_is_refused_before_anything_is_shown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    from tmtv_tui.cli.app import main

    monkeypatch.setenv("TMTV_MODELS", str(tmp_path / "models"))
    copied_case(tmp_path)
    assert main(["review", str(tmp_path), "--model", name]) != 0
    said = capsys.readouterr().err
    assert "takes clicks" in said or "cannot be read" in said
    assert not (tmp_path / "case-1" / "review").exists() or not list(
        (tmp_path / "case-1" / "review").glob("*.jsonl")
    )
