"""Repairs in the app: the preview tells what Enter then does, in mL straight from the volume."""

from __future__ import annotations

import threading
from pathlib import Path

import numpy as np
import pytest
from textual.pilot import Pilot
from textual.widgets import Static

from tests.review.test_repairs import IMAGE, MAP, ML, SPOT_1, distance, flooded, mask_of, summed
from tests.review.test_session import two_peaks
from tests.support.cases import copied_case
from tests.support.drive import opened, running, settle, text_of, until
from tmtv_engine.case.folder import read_case
from tmtv_engine.review.journal import Journal
from tmtv_engine.review.reading import reading_of
from tmtv_engine.review.verify import verify
from tmtv_tui.app import ReviewApp
from tmtv_tui.review.cursor import Cursor
from tmtv_tui.review.planes import planes_of
from tmtv_tui.screens.repair import RepairScreen
from tmtv_tui.widgets.lesions import LesionTable
from tmtv_tui.widgets.preview import PreviewView


async def preview_of(app: ReviewApp, pilot: Pilot[None], key: str) -> RepairScreen:
    await pilot.press(key)
    await until(pilot, lambda: isinstance(app.screen, RepairScreen) and app.screen.seen)
    screen = app.screen
    assert isinstance(screen, RepairScreen)
    return screen


def told(screen: RepairScreen) -> dict[str, list[float]]:
    """mL by method: lesion before, after, total before, after."""
    text = str(screen.query_one("#told", Static).content)
    rows = [line.split() for line in text.splitlines()[2:] if line.strip()]
    return {r[0]: [float(v) for v in r[1:5]] for r in rows if r[0] in ("41", "2.5", "4.0")}


async def test_in_a_narrow_terminal_a_method_stays_in_one_line(tmp_path: Path) -> None:
    copied_case(tmp_path)
    async with running(tmp_path, (60, 20)) as (app, pilot):
        await opened(app, pilot)
        screen = await preview_of(app, pilot, "E")
        await settle(app, pilot)
        shown = text_of(app).splitlines()
        for method, numbers in told(screen).items():
            line = next(line for line in shown if f" {method} " in line)
            assert line.split(f" {method} ")[1].split()[:4] == [f"{n:.1f}" for n in numbers]


async def again(pilot: Pilot[None], screen: RepairScreen, key: str) -> None:
    await pilot.press(key)
    await until(pilot, lambda: screen.seen is not None)


async def test_a_sphere_is_previewed_erased_and_undone(tmp_path: Path) -> None:
    copied_case(tmp_path)
    async with running(tmp_path) as (app, pilot):
        case = await opened(app, pilot)
        screen = await preview_of(app, pilot, "E")
        for _ in range(5):
            await again(pilot, screen, "minus")
        assert screen.draft.radius_mm == 5
        left = (MAP == 1) & ~(distance(SPOT_1) <= 5)
        for method, (own, now, total, after) in told(screen).items():
            assert own == round(summed(MAP == 1, method), 1)
            assert now == round(summed(left, method), 1)
            assert total == round(summed(MAP == 1, method) + summed(MAP == 2, method), 1)
            assert after == round(summed(left, method) + summed(MAP == 2, method), 1)
        seen = screen.seen
        assert seen is not None
        gone = (MAP == 1) & (distance(SPOT_1) <= 5)
        assert len(seen.gained) == 0
        assert (seen.lost == np.argwhere(gone)).all()
        for name, axis in (("axial", 0), ("coronal", 1), ("sagittal", 2)):
            cut = seen.cut(planes_of(screen.draft.point.grid)[name])
            assert len(cut.lost[0]) == int(np.take(gone, SPOT_1[axis], axis=axis).sum())
            assert len(cut.kept[0]) == int(np.take(left, SPOT_1[axis], axis=axis).sum())
            assert cut.image[cut.centre] == IMAGE[SPOT_1]
        views = screen.query(PreviewView)
        assert [view.plane for view in views if view.region.area] == [
            "axial",
            "coronal",
            "sagittal",
        ]
        assert all(len(set(view._marks.values())) == 2 for view in views)
        assert [x.action for x in Journal(tmp_path / "case-1/review/AB.jsonl").read()] == ["open"]
        await pilot.press("enter")
        await until(pilot, lambda: app.screen is case)
        reading = reading_of(read_case(tmp_path / "case-1"), "AB")
        assert (mask_of(reading, 1) == left).all()
        await pilot.press("u")
        await until(pilot, lambda: case.opened is not None and case.opened.reading.decisions == 0)
        assert (mask_of(case.opened.reading, 1) == (MAP == 1)).all()  # type: ignore[union-attr]
    assert not [f for f in verify(tmp_path / "case-1") if f.failed]


async def test_escape_leaves_all_as_it_was(tmp_path: Path) -> None:
    copied_case(tmp_path)
    async with running(tmp_path) as (app, pilot):
        case = await opened(app, pilot)
        await preview_of(app, pilot, "T")
        await pilot.press("escape")
        await until(pilot, lambda: app.screen is case)
    actions = [x.action for x in Journal(tmp_path / "case-1/review/AB.jsonl").read()]
    assert actions == ["open", "close"]


async def test_a_lesion_is_added_at_the_cursor_above_what_the_method_says(tmp_path: Path) -> None:
    copied_case(tmp_path)
    async with running(tmp_path) as (app, pilot):
        case = await opened(app, pilot)
        await pilot.press("j", "j")  # the candidate
        await until(pilot, lambda: case.query_one(LesionTable).current() == 3)
        app.use_method("4.0")
        screen = await preview_of(app, pilot, "g")
        assert screen.draft.suv == 4.0
        for _ in range(4):
            await again(pilot, screen, "minus")
        expected = flooded((17, 8, 30), 3.6, 60, (MAP == 1) | (MAP == 2))
        assert told(screen)["2.5"][:2] == [0, round(summed(expected, "2.5"), 1)]
        await again(pilot, screen, "percent_sign")
        await again(pilot, screen, "percent_sign")
        await pilot.press("enter")
        await until(pilot, lambda: app.screen is case)
        assert case.query_one(LesionTable).current() == 4
    reading = reading_of(read_case(tmp_path / "case-1"), "AB")
    assert (mask_of(reading, 4) == expected).all()
    assert read_case(tmp_path / "case-1").raw["totals"]["2.5"]["tmtv_ml"] == pytest.approx(
        (int(expected.sum()) + int(((MAP > 0) & (MAP < 3) & (IMAGE > 2.5)).sum())) * ML
    )


async def test_a_reach_goes_down_to_one_voxel(tmp_path: Path) -> None:
    """By 5 mm to 10, then by 1 to 1, where it stays: less than any voxel's edge."""
    copied_case(tmp_path)
    async with running(tmp_path) as (app, pilot):
        case = await opened(app, pilot)
        await pilot.press("j", "j")  # the candidate
        await until(pilot, lambda: case.query_one(LesionTable).current() == 3)
        screen = await preview_of(app, pilot, "g")
        reaches = []
        for _ in range(20):
            await again(pilot, screen, "left_square_bracket")
            reaches.append(screen.draft.reach_mm)
        assert reaches == [55, 50, 45, 40, 35, 30, 25, 20, 15, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 1]
        assert screen.draft.reaching(1).reach_mm == 2
        await pilot.press("enter")
        await until(pilot, lambda: app.screen is case)
    reading = reading_of(read_case(tmp_path / "case-1"), "AB")
    assert np.argwhere(mask_of(reading, 4)).tolist() == [[17, 8, 30]]


async def test_what_cannot_be_is_said_and_enter_does_nothing(tmp_path: Path) -> None:
    copied_case(tmp_path)
    async with running(tmp_path) as (app, pilot):
        case = await opened(app, pilot)
        await until(pilot, lambda: case.opened is not None)
        grid = case.opened.reading.lesions.grid  # type: ignore[union-attr]
        case.point_at(Cursor(grid, (10, 3, 3)))
        app.use_method("2.5")
        screen = await preview_of(app, pilot, "g")
        text = str(screen.query_one("#told", Static).content)
        assert "SUV 1.00 at that point" in text
        await pilot.press("enter")
        await pilot.pause()
        assert isinstance(app.screen, RepairScreen)
        await pilot.press("escape", "J")
        await pilot.pause()
        assert not isinstance(app.screen, RepairScreen)  # nothing is marked


async def test_marked_lesions_are_merged(tmp_path: Path) -> None:
    copied_case(tmp_path)
    async with running(tmp_path) as (app, pilot):
        case = await opened(app, pilot)
        await pilot.press("space", "space")
        screen = await preview_of(app, pilot, "J")
        both = (MAP == 1) | (MAP == 2)
        assert told(screen)["41"][3] == round(summed(both, "41"), 1)
        await pilot.press("enter")
        await until(pilot, lambda: app.screen is case)
    assert sorted(reading_of(read_case(tmp_path / "case-1"), "AB").status) == [1, 3]


async def test_splitting_and_previews_never_hold_the_screen_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What costs is done in another thread than the screen's."""
    two_peaks(tmp_path)
    from tmtv_engine.review import state

    threads: list[str] = []
    for name in ("split_lesion", "flood"):
        real = getattr(state, name)

        def seen(*given: object, real: object = real) -> object:
            threads.append(threading.current_thread().name)
            return real(*given)  # type: ignore[operator]

        monkeypatch.setattr(state, name, seen)
    async with running(tmp_path) as (app, pilot):
        case = await opened(app, pilot)
        await pilot.press("p")
        await until(pilot, lambda: case.opened is not None and case.opened.reading.splits)
        await preview_of(app, pilot, "g")
        assert len(threads) >= 2
        assert threading.main_thread().name not in threads


async def test_nothing_is_repaired_where_nothing_is_recorded(tmp_path: Path) -> None:
    copied_case(tmp_path)
    async with running(tmp_path) as (app, pilot):
        case = await opened(app, pilot)
        app.read_only = True
        for key in ("g", "E", "T", "J"):
            await pilot.press(key)
            await pilot.pause()
            assert app.screen is case


async def test_the_point_moves_as_each_plane_is_shown(tmp_path: Path) -> None:
    """Right, down and > are: to the left, back, feet; left, feet, back; back, feet, left."""
    copied_case(tmp_path)
    ways = {  # LPS axis and direction of right, down, >
        "axial": ((0, 1), (1, 1), (2, -1)),
        "coronal": ((0, 1), (2, -1), (1, 1)),
        "sagittal": ((1, 1), (2, -1), (0, 1)),
    }
    async with running(tmp_path, (100, 24)) as (app, pilot):
        await opened(app, pilot)
        screen = await preview_of(app, pilot, "E")
        for name, expected in ways.items():
            await pilot.press("b")
            shown = [view.plane for view in screen.query(PreviewView) if view.region.area]
            assert shown == [name]
            keys = ("right", "down", "greater_than_sign")
            for key, (axis, way) in zip(keys, expected, strict=True):
                before = screen.draft.point.mm
                await again(pilot, screen, key)
                moved = np.subtract(screen.draft.point.mm, before)
                assert np.sign(moved[axis]) == way
                assert np.count_nonzero(moved) == 1
