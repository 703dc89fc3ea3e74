"""What changed since a patient's first case: a column of the report of one cohort."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from msgspec.structs import replace
from pydicom.dataset import Dataset

from tests.support.cases import copied_case
from tests.support.dicom import FACTOR, SHAPE, write_series
from tmtv_engine.case.record import StudyInfo
from tmtv_engine.case.timepoints import since_first
from tmtv_tui.cli.app import main

BOX = (slice(1, 5), slice(2, 9), slice(2, 9))


def scan(folder: Path, number: int, who: str, day: str, hot: int) -> npt.NDArray[np.float64]:
    """A PET with one box that falls off from a corner; its SUV in the box."""
    array = np.full(SHAPE, 300, np.int16)
    array[BOX] = hot - 400 * np.indices((4, 7, 7)).sum(axis=0).astype(np.int16)

    def bend(_: int, ds: Dataset) -> None:
        ds.PatientID, ds.StudyDate = who, day

    root = f"1.2.9.{number}"
    uids = {"study": root, "series": f"{root}.1", "frame": f"{root}.9"}
    write_series(folder, array, bend=bend, **uids)  # type: ignore[arg-type]
    return np.asarray(array[BOX] * FACTOR, np.float64)


def test_each_later_case_of_a_patient_tells_its_change_since_the_first(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source, out = tmp_path / "in", tmp_path / "out"
    boxes = {
        "first": scan(source / "first", 1, "P", "20200101", 20000),
        "then": scan(source / "then", 2, "P", "20200401", 14000),
        "last": scan(source / "last", 3, "P", "20200801", 22000),
        "other": scan(source / "other", 4, "Q", "20200101", 16000),
    }
    words = ["--model", "hotspot", "--case-name", "folder", "-m", "4.0", "-q", "-o", str(out)]
    assert main(["predict", str(source), *words]) == 0
    assert main(["report", str(out), "-o", str(tmp_path / "report")]) == 0
    text = (tmp_path / "report" / "patients.csv").read_text("utf-8")
    rows = {row["case"]: row for row in csv.DictReader(text.splitlines())}
    ml = {name: np.count_nonzero(box > 4.0) * 0.024 for name, box in boxes.items()}
    tlg = {name: box[box > 4.0].sum() * 0.024 for name, box in boxes.items()}
    for name in ("then", "last"):
        change = ml[name] - ml["first"]
        assert float(rows[name]["tmtv_change_ml_4.0"]) == pytest.approx(change)
        share = 100 * change / ml["first"]
        assert float(rows[name]["tmtv_change_percent_4.0"]) == pytest.approx(share)
        share = 100 * (tlg[name] / tlg["first"] - 1)
        assert float(rows[name]["tlg_change_percent_4.0"]) == pytest.approx(share, rel=1e-4)
    assert ml["then"] < ml["first"] == ml["last"]  # the latter's box is full at both times
    assert float(rows["then"]["suv_max_change_percent_4.0"]) == pytest.approx(-30.0)
    assert float(rows["last"]["suv_max_change_percent_4.0"]) == pytest.approx(10.0)
    for name in ("first", "other"):
        assert {v for k, v in rows[name].items() if "change" in k} == {""}
    page = (tmp_path / "report" / "report.html").read_text("utf-8")
    assert "4.0 ΔTMTV mL" in page
    assert "4.0 ΔSUVmax %" in page


def test_a_cohort_of_one_case_each_has_no_such_column(tmp_path: Path) -> None:
    copied_case(tmp_path / "out")
    assert main(["report", str(tmp_path / "out"), "-o", str(tmp_path / "report")]) == 0
    assert "change" not in (tmp_path / "report" / "patients.csv").read_text("utf-8")
    assert "ΔTMTV" not in (tmp_path / "report" / "report.html").read_text("utf-8")


def test_where_dates_do_not_tell_the_first_nothing_changed(tmp_path: Path) -> None:
    one = copied_case(tmp_path).record

    def dated(name: str, day: str | None) -> Any:
        return replace(one, case=name, study=StudyInfo(uid=None, date=day))

    assert since_first([dated("a", None), dated("b", "20200101")]) == {}
    assert since_first([dated("a", "20200101"), dated("b", "20200101")]) == {}
    found = since_first([dated("a", "20200102"), dated("b", "20200101")])
    assert found["a"]["41"]["tmtv_ml"]["change"] == 0.0
    assert found.keys() == {"a"}
