"""`--json`: one object a line on stdout and nothing else, from commands that print no case."""

from __future__ import annotations

import json
from pathlib import Path

import pydicom
import pytest

from tests.support.cases import make_case
from tmtv_engine.case.folder import read_case
from tmtv_tui.cli.app import main


def _lines(capsys: pytest.CaptureFixture[str]) -> list[dict[str, object]]:
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


@pytest.mark.parametrize("words", [["note", "seen"], ["flag"], ["flag", "--off"], ["unflag"]])
def test_what_moves_no_number_shows_the_case_as_json_only(
    words: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    place = make_case(tmp_path).path
    if words != ["flag"]:
        assert main(["flag", str(place)]) == 0
    command, *rest = words
    assert main([command, str(place), *rest, "--json"]) == 0
    assert _lines(capsys) == [read_case(place).raw]
    if command == "note":
        assert main([command, str(place), "again"]) == 0
        assert capsys.readouterr().out == ""


def test_export_names_each_file_with_its_case(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    place = make_case(tmp_path).path
    assert main(["export", str(place), "--write", "csv,page", "--json"]) == 0
    names = ["lesions.csv", "page.html"]
    told = [{"case": "case-1", "file": str(place / "export" / name)} for name in names]
    assert _lines(capsys) == told


@pytest.mark.slow
def test_demo_tells_the_truth_as_json(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["demo", "-o", str(tmp_path / "demo"), "--json", "-q"]) == 0
    (told,) = _lines(capsys)
    drawn = pydicom.dcmread(tmp_path / "demo/patients/digital-0001/RTSTRUCT/rois.dcm")
    assert told["true_lesions"] == len(drawn.StructureSetROISequence)
    assert Path(str(told["picture"])).is_file()
    assert told["missed"] <= told["true_lesions"]  # type: ignore[operator]


@pytest.mark.slow
def test_phantom_names_each_patient(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    asked = ["phantom", str(tmp_path / "p"), "-n", "2", "--spacing-mm", "12", "--json", "-q"]
    assert main([*asked, "--format", "nifti"]) == 0
    assert [Path(str(t["patient"])).name for t in _lines(capsys)] == [
        "digital-0000",
        "digital-0001",
    ]
