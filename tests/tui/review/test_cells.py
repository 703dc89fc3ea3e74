"""The columns of the lesion list: a row of their table is shown without a second edit."""

from __future__ import annotations

from pathlib import Path

import pytest
from msgspec.structs import replace

from tests.support.cases import copied_case
from tests.support.drive import opened, running, text_of
from tmtv_engine.lesion.origin import Structure
from tmtv_tui.review import cells
from tmtv_tui.review.cells import COLUMNS, Column, columns_of, header_of, lesion_cells
from tmtv_tui.review.opened import Opened


def headers(one: Opened, method: str) -> list[str]:
    return [header_of(column, method) for column in columns_of(one, method)]


def test_the_list_of_a_case_without_structures(tmp_path: Path) -> None:
    one = Opened.of(copied_case(tmp_path).path, "AB")
    assert headers(one, "2.5") == [
        *("", "status", "#", "mL 2.5", "SUVmax", "SUVpeak", "TLG g", "p", "source"),
        *("where LPS mm", "mL 41", "mL 4.0", "why"),
    ]
    row = lesion_cells(one, "2.5", 2)
    assert row[:3] == ["", "+ accepted", "2"]
    assert float(row[3]) == round(one.case.record.lesions[1].methods["2.5"].volume_ml, 1)
    assert row[7:9] == ["0.80", "model"]
    assert lesion_cells(one, "2.5", 3)[7:9] == ["", "hotspot"]


def test_structure_and_region_are_shown_where_they_are_known(tmp_path: Path) -> None:
    one = Opened.of(copied_case(tmp_path).path, "AB")
    bladder = Structure("bladder", 0.97, "network")
    one.rows[3] = replace(one.rows[3], structure=bladder, region="pelvis\x1b[31m")
    at = headers(one, "41").index("structure")
    assert headers(one, "41")[at : at + 2] == ["structure", "region"]
    assert lesion_cells(one, "41", 3)[at : at + 2] == ["bladder 0.97", "pelvis[31m"]
    assert lesion_cells(one, "41", 1)[at : at + 2] == ["", ""]


async def test_an_added_column_is_drawn(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    copied_case(tmp_path)
    added = Column("voxels", lambda o, method, n: f"{o.rows[n].voxels} vx", right=True)
    monkeypatch.setattr(cells, "COLUMNS", (*COLUMNS[:3], added, *COLUMNS[3:]))
    async with running(tmp_path) as (app, pilot):
        screen = await opened(app, pilot)
        lines = text_of(app)
        assert "voxels" in lines
        assert f"{screen.opened.rows[1].voxels} vx" in lines  # type: ignore[union-attr]
