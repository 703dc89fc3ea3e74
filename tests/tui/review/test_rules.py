"""Reject by rule and by a region of the picture; what a rule means, checked against the voxels."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from textual.widgets import Input, Static

from tests.support.cases import copied_case, make_volume
from tests.support.drive import opened, running, settle, until
from tmtv_engine.review.reading import reading_of
from tmtv_tui.review.opened import Opened
from tmtv_tui.review.rules import region_rule, rule_hits
from tmtv_tui.widgets.mip import MipView


def top_mm(number: int) -> np.ndarray:
    """LPS mm of a lesion's hottest voxel, straight from the volume."""
    suv, labels = make_volume()
    own = np.where(labels.array == number, suv.array, 0)
    index = np.array(np.unravel_index(np.argmax(own), own.shape))
    return np.asarray(suv.grid.to_mm(index))


def hits(case: Opened, rule: str) -> list[int]:
    return list(rule_hits(case, "41", rule).ids)


def test_positions_are_those_of_the_maximum(tmp_path: Path) -> None:
    case = Opened.of(copied_case(tmp_path, hotspots=True).path, "AB")
    for number in (1, 2, 3):
        assert case.table.top_mm[number - 1] == pytest.approx(top_mm(number))
    for axis, name in enumerate("xyz"):
        limit = float(np.median([top_mm(n)[axis] for n in (1, 2, 3)]))
        assert hits(case, f"{name}>{limit + 0.1:.1f}") == [
            n for n in (1, 2, 3) if top_mm(n)[axis] > limit + 0.1
        ]
    assert hits(case, "suvmax<7") == [2]
    assert hits(case, "suvmax>7 suvmax<10") == [1]
    assert hits(case, "u0>-1000 u90<1000") == [1, 2, 3]
    low, high = sorted(case.table.tlg_g["41"])[:2]
    assert len(hits(case, f"tlg<{(low + high) / 2:.2f}")) == 1


@pytest.mark.parametrize("angle", [0, 3, 6, 12, 20])
def test_a_region_takes_what_it_shows(tmp_path: Path, angle: int) -> None:
    case = Opened.of(copied_case(tmp_path, hotspots=True).path, "AB")
    from tmtv_tui.review.prints import footprints

    peaks = footprints(case.reading.lesions, case.mip, angle).peaks
    for number, (row, col) in peaks.items():
        rule = region_rule(case.mip, angle, (row - 0.2, col - 0.2), (row + 1.2, col + 1.2))
        assert number in hits(case, rule), (angle, number, rule)
    everything = region_rule(case.mip, angle, (0, 0), case.mip.images.shape[1:])
    assert hits(case, everything) == [1, 2, 3]
    assert hits(case, region_rule(case.mip, angle, (0, 0), (0.5, 0.5))) == []


async def test_a_box_drawn_in_the_picture_asks_and_rejects(tmp_path: Path) -> None:
    case = copied_case(tmp_path, hotspots=True)
    async with running(tmp_path, (140, 50)) as (app, pilot):
        screen = await opened(app, pilot)
        view = screen.query_one("#front", MipView)
        cell = view.cell_of(2)
        assert cell is not None
        x, y = cell
        await pilot.mouse_down(view, offset=(x - 3, y - 1))
        await pilot.hover(view, offset=(x + 1, y + 2))
        await pilot.mouse_up(view, offset=(x + 1, y + 2))
        await until(pilot, lambda: app.screen is not screen)
        remark = str(app.screen.query_one("#remark", Static).content)
        assert remark.startswith("rejects 1 lesion, ")
        assert remark.endswith(": #2")
        rule = app.screen.query_one(Input).value
        await pilot.press("enter")
        await settle(app, pilot)
    reading = reading_of(case, "AB")
    assert reading.status == {1: "accepted", 2: "rejected", 3: "accepted"}
    assert reading.reasons == {2: f"rule {rule}"}
