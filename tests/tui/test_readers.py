"""Two readers, an adjudicator, and the same reader twice."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.support.cases import copied_case, make_volume
from tests.support.drive import opened, running, settle, text_of
from tmtv_engine.errors import UsageError
from tmtv_engine.review.journal import Decision
from tmtv_engine.review.reading import reading_of
from tmtv_engine.review.session import Session, record
from tmtv_tui.cli.review import review
from tmtv_tui.screens.compare import SORTS, CompareScreen


async def test_an_adjudicator_settles_two_readers(tmp_path: Path) -> None:
    case = copied_case(tmp_path)
    record(case, Decision("reject", (1,), reason="brain"), "CD")
    record(case, Decision("accept", (3,)), "CD")
    record(case, Decision("reject", (2,), reason="bladder"), "EF")
    async with running(tmp_path, start="CD", compare="EF") as (app, pilot):
        screen = await opened(app, pilot)
        assert screen.opened is not None
        assert screen.opened.reading.reasons == {1: "brain"}
        await pilot.press("c")
        await settle(app, pilot)
        both = app.screen
        assert isinstance(both, CompareScreen)
        shown = text_of(app)
        assert "AB beside EF" in shown
        assert "3 lesions to settle" in shown
        assert "brain" in shown
        assert "bladder" in shown
        await pilot.press("t")  # lesion 1 as EF had it
        assert [r.lesion for r in both.rows] == [2, 3]
        await pilot.press("x", "u", "j", "x")
        assert [r.lesion for r in both.rows] == [2]
        await pilot.press("t")
        await settle(app, pilot)
        assert "agreed" in text_of(app)
        await pilot.press("q")
        assert screen.opened.reading.status == {1: "accepted", 2: "rejected", 3: "rejected"}
        assert screen.opened.reading.reasons == {2: "bladder"}
    assert [x.action for x in reading_of(case, "CD").lines] == ["reject", "accept"]


async def test_a_second_session_of_a_reader_is_told_and_sees_the_first(tmp_path: Path) -> None:
    case = copied_case(tmp_path)
    first = Session(case, "AB")
    first.decide(Decision("open", text=f"pid {os.getppid()}"))
    other = Session(case, "CD")
    other.decide(Decision("open", text=f"pid {os.getppid()}"))
    for blind in (False, True):
        async with running(tmp_path, blind=blind) as (app, pilot):
            screen = await opened(app, pilot)
            told = " ".join(n.message for n in app._notifications)
            assert "another session of yours" in told
            assert ("CD has this case open" in told) != blind
            first.decide(Decision("reject" if not blind else "accept", (1,)))
            screen._look()
            assert screen.opened is not None
            wanted = "accepted" if blind else "rejected"
            assert screen.opened.reading.status[1] == wanted


async def test_a_reader_can_be_named_and_a_blind_reading_names_none(tmp_path: Path) -> None:
    case = copied_case(tmp_path)
    record(case, Decision("reject", (1,)), "CD")
    async with running(tmp_path) as (app, pilot):
        await opened(app, pilot)
        await pilot.press("c")
        await pilot.pause()
        assert "CD" in text_of(app)
        await pilot.press("C", "D", "enter")
        await settle(app, pilot)
        assert "AB beside CD" in text_of(app)
        await pilot.press("enter")
    with pytest.raises(UsageError, match="blind"):
        review(tmp_path, None, False, True, start=None, compare="CD", order=None)


async def test_the_lesions_to_settle_by_number_by_what_they_differ_in_and_by_uptake(
    tmp_path: Path,
) -> None:
    """SUV 9 and 6 at most; by 41 % the second is the larger one."""
    suv, labels = make_volume()
    ml = {}
    for number in (1, 2):
        own = suv.array[labels.array == number]
        ml[number] = int((own > 0.41 * own.max()).sum())
    assert ml[2] > ml[1]
    case = copied_case(tmp_path)
    record(case, Decision("reject", (1, 2)), "CD")
    async with running(tmp_path, (140, 40), compare="CD") as (app, pilot):
        await opened(app, pilot)
        await pilot.press("c")
        await settle(app, pilot)
        screen = app.screen
        assert isinstance(screen, CompareScreen)
        orders = []
        for _ in SORTS:
            orders.append([row.lesion for row in screen.rows])
            await pilot.press("s")
            await settle(app, pilot)
        assert orders == [[1, 2], [2, 1], [1, 2]]
        chosen = []
        for _ in range(3):
            await pilot.press("tab")
            await settle(app, pilot)
            row = screen.current()
            chosen.append(row.lesion if row is not None else None)
        assert chosen == [2, 1, 2]


@pytest.mark.parametrize("blind", [False, True])
async def test_who_comes_and_goes_while_a_case_is_open_is_told(tmp_path: Path, blind: bool) -> None:
    case = copied_case(tmp_path)
    async with running(tmp_path, (160, 40), blind=blind) as (app, pilot):
        screen = await opened(app, pilot)
        assert "also open" not in text_of(app)
        opening = Decision("open", text=f"pid {os.getppid()}")
        for reader in ("CD", "AB"):
            Session(case, reader).decide(opening)
        screen._look()
        await settle(app, pilot)
        told = [n.message for n in app._notifications]
        assert any(m.startswith("AB: another session of yours opened this case on ") for m in told)
        assert any(m.startswith("CD opened this case on ") for m in told) != blind
        assert ("CD@" in text_of(app)) != blind
        for reader in ("CD", "AB"):
            Session(case, reader).decide(Decision("close", text=opening.text))
        screen._look()
        await settle(app, pilot)
        told = [n.message for n in app._notifications]
        assert any(m.startswith("CD@") and m.endswith("closed this case") for m in told) != blind
        assert "also open" not in text_of(app)
        before = len(told)
        await pilot.press("x")
        screen._look()
        await settle(app, pilot)
        assert len(app._notifications) == before  # one's own decisions are no news
