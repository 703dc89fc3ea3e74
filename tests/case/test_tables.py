"""The tables of a case: a column added to their table is written, and what the cells say."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest
from msgspec.structs import replace

from tests.support.cases import make_case
from tmtv_engine.case import tables
from tmtv_engine.case.tables import (
    LESION_COLUMNS,
    SUMMARY_COLUMNS,
    lesions_csv,
    summary_rows,
    update_summary,
    write_summary,
)
from tmtv_engine.lesion.origin import Structure


def test_the_columns_of_the_lesions(tmp_path: Path) -> None:
    case = make_case(tmp_path, methods=("41", "raw"))
    first = replace(case.record.lesions[0], structure=Structure("heart", 0.75, "organs"))
    first = replace(first, region="mediastinum")
    record = replace(case.record, lesions=(first, *case.record.lesions[1:]))
    rows = list(csv.DictReader(lesions_csv(record).splitlines()))
    assert list(rows[0]) == [
        *("id", "component", "source", "status", "decided_by", "probability"),
        *("structure", "structure_p", "region", "voxels", "suv_max", "suv_peak"),
        *("x_mm", "y_mm", "z_mm"),
        *("volume_ml_41", "suv_mean_41", "tlg_g_41", "threshold_suv_41"),
        *("volume_ml_raw", "suv_mean_raw", "tlg_g_raw", "threshold_suv_raw"),
    ]
    assert (rows[0]["structure"], rows[0]["structure_p"]) == ("heart", "0.75")
    assert (rows[0]["region"], rows[1]["region"], rows[1]["structure"]) == ("mediastinum", "", "")
    assert rows[0]["status"] == "accepted"
    assert float(rows[0]["x_mm"]) == first.centroid_mm[0]
    assert rows[0]["threshold_suv_raw"] == ""  # there is none
    assert (tmp_path / "case-1" / "lesions.csv").read_text() == lesions_csv(case.record)


def test_an_added_column_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    case = make_case(tmp_path)
    litres = {"litres": lambda row: row.voxels * case.record.pet.voxel_ml / 1000}
    monkeypatch.setattr(tables, "LESION_COLUMNS", {**LESION_COLUMNS, **litres})
    reader = {"readers": lambda record, key, sums: len(record.review.readers)}
    monkeypatch.setattr(tables, "SUMMARY_COLUMNS", {**SUMMARY_COLUMNS, **reader})
    row = next(csv.DictReader(lesions_csv(case.record).splitlines()))
    assert float(row["litres"]) == pytest.approx(case.record.lesions[0].voxels * 0.000024)
    update_summary(tmp_path, case.record)
    write_summary(tmp_path)
    rows = list(csv.DictReader((tmp_path / "summary.csv").read_text().splitlines()))
    assert [r["readers"] for r in rows] == ["0", "0", "0"]


def test_the_summary_has_each_total_under_its_name(tmp_path: Path) -> None:
    case = make_case(tmp_path, hotspots=True)
    for cells in summary_rows(case.record):
        row = dict(zip(SUMMARY_COLUMNS, cells, strict=True))
        sums = case.record.totals[row["method"]]
        for key in ("tmtv_ml", "tlg_g", "lesions", "suv_max", "suv_peak", "dmax_mm"):
            assert row[key] == getattr(sums, key)
        assert row["sdmax_per_m"] == pytest.approx(sums.dmax_mm / 1000 / 1.8481, rel=1e-4)  # type: ignore[operator]
        assert row["warnings"] == "no-ct unreviewed-hotspots below-floor"
        assert (row["case"], row["model"], row["review"]) == ("case-1", "hotspot", "todo")
