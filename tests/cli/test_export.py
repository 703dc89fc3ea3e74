"""``tmtv export`` and ``tmtv predict --write``, and what other commands make of their files."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest

from tests.support.cases import make_case, make_volume
from tests.support.dicom import SHAPE, write_series
from tmtv_engine.case.folder import Case, read_case
from tmtv_engine.image.nifti import write_nifti
from tmtv_engine.image.volume import Unit, Volume
from tmtv_engine.study.find import Study, find_studies
from tmtv_engine.study.load import load_study
from tmtv_engine.suv.factor import Overrides
from tmtv_tui.cli.app import main

BOX = (slice(1, 5), slice(2, 9), slice(2, 9))  # 196 voxels of 24 mm3: 4.7 mL
FILES = [
    *("labels_4.0.nii.gz", "labels_41.nii.gz", "lesions.csv", "mip.dcm"),
    *("rtstruct_4.0.dcm", "rtstruct_41.dcm", "seg_4.0.dcm", "seg_41.dcm", "sr.dcm"),
]
ALL = "seg,sr,rtstruct,mip,nifti,csv"


def scan(folder: Path, hot: int = 20000) -> Path:
    """A PET with one hot box that falls off from one corner to the other."""
    array = np.full(SHAPE, 300, np.int16)
    ramp = np.indices((4, 7, 7)).sum(axis=0)
    array[BOX] = hot - 400 * ramp.astype(np.int16)
    write_series(folder, array)
    return folder


def predicted(tmp_path: Path, *words: str) -> int:
    asked = ["predict", str(tmp_path / "scan"), "--model", "hotspot", "-o", str(tmp_path / "out")]
    return main([*asked, "--method", "41,4.0", *words])


def case_in(folder: Path) -> Case:
    (path,) = folder.glob("*/case.json")
    return read_case(path.parent)


def test_predict_exports_each_case_as_it_comes(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    scan(tmp_path / "scan")
    assert predicted(tmp_path, "--write", "sr,csv", "--json") == 0
    told = capsys.readouterr()
    (record,) = [json.loads(line) for line in told.out.splitlines()]
    case = case_in(tmp_path / "out")
    assert record["case"] == case.name
    written = sorted(p.name for p in (case.path / "export").iterdir())
    assert written == ["lesions.csv", "seg_4.0.dcm", "seg_41.dcm", "sr.dcm"]
    assert f"files in {case.path / 'export'}" in told.err
    (case.path / "export" / "sr.dcm").unlink()
    assert predicted(tmp_path, "--write", "sr", "-q") == 0  # resumed: what is missing is written
    assert (case.path / "export" / "sr.dcm").exists()


def test_wrong_kinds_and_no_cases(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    scan(tmp_path / "scan")
    assert predicted(tmp_path, "--write", "seg,pdf") == 2
    assert not (tmp_path / "out").exists()
    assert main(["export", str(tmp_path), "--write", "pdf"]) == 2
    assert main(["export", str(tmp_path)]) == 2
    assert "Choose one of seg, sr" in capsys.readouterr().err


def test_what_holds_no_case_is_not_passed_over(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    place = make_case(tmp_path / "out").path
    (tmp_path / "out" / "cases.csv").write_text("case\n")
    words = ["export", str(place), str(tmp_path / "out" / "cases.csv"), "--write", "csv"]
    assert main(words) == 2
    assert capsys.readouterr().err.startswith(f"error: there is no case in {words[2]}\n")
    assert not (place / "export").exists()
    assert main(["export", str(place), str(tmp_path / "out"), "--write", "csv"]) == 0
    assert len(capsys.readouterr().out.splitlines()) == 1  # once, though named twice


def test_nifti_cases_say_the_way_out_and_stand(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    suv, _ = make_volume()
    (tmp_path / "scan").mkdir()
    write_nifti(suv, tmp_path / "scan" / "pet.nii.gz")
    assert predicted(tmp_path, "--write", "seg") == 1
    told = capsys.readouterr()
    case = case_in(tmp_path / "out")
    said = f"failed: {case.name}: was read from NIfTI, there is no DICOM to refer to\n"
    assert said in told.err
    assert "Export nifti, csv or page, or predict from the DICOM." in told.err
    assert case.name in told.out
    assert main(["export", str(case.path), "--write", "seg"]) == 1
    assert said in capsys.readouterr().err
    assert main(["export", str(case.path), "--write", "nifti,csv"]) == 0
    files = [Path(line).name for line in capsys.readouterr().out.splitlines()]
    assert files == ["labels_41.nii.gz", "labels_4.0.nii.gz", "lesions.csv"]


def test_threshold_takes_what_export_writes(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """SEG, RTSTRUCT and NIfTI of a method, read back and left uncut: the method's volume."""
    scan(tmp_path / "scan")
    drawn = np.zeros(SHAPE, np.uint16)
    drawn[BOX], drawn[5:7, 8:10, 9:12] = 1, 2
    (study,) = find_studies(tmp_path / "scan")
    assert isinstance(study, Study)
    grid = load_study(study, Overrides()).suv.grid
    write_nifti(Volume(drawn, grid, Unit.LABEL), tmp_path / "rois.nii.gz")
    words = ["threshold", str(tmp_path / "scan"), str(tmp_path / "rois.nii.gz")]
    assert main([*words, "--method", "41,4.0", "-o", str(tmp_path / "out"), "-q"]) == 0
    case = case_in(tmp_path / "out")
    assert main(["export", str(tmp_path / "out"), "--write", ALL, "-q"]) == 0
    assert sorted(p.name for p in (case.path / "export").iterdir()) == FILES
    expected = case.raw["totals"]["41"]["tmtv_ml"]
    assert expected > 0
    for name in ("seg_41.dcm", "rtstruct_41.dcm", "labels_41.nii.gz"):
        words = ["threshold", str(tmp_path / "scan"), str(case.path / "export" / name)]
        assert main([*words, "--method", "raw", "-o", str(tmp_path / name), "-q"]) == 0
        again = case_in(tmp_path / name).raw
        assert again["totals"]["raw"]["tmtv_ml"] == pytest.approx(expected, rel=1e-9)
        assert len(again["lesions"]) == case.raw["totals"]["41"]["lesions"]
    capsys.readouterr()


def test_report_takes_what_export_writes_as_reference(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    scan(tmp_path / "scan")
    assert predicted(tmp_path, "--write", "seg,rtstruct,nifti", "-q") == 0
    case = case_in(tmp_path / "out")
    for name in ("seg_41.dcm", "rtstruct_41.dcm", "labels_41.nii.gz"):
        manifest = tmp_path / "manifest.csv"
        manifest.write_text(f"case,roi\n{case.name},{case.path / 'export' / name}\n")
        capsys.readouterr()
        words = ["report", str(tmp_path / "out"), "--reference", str(manifest), "--json"]
        assert main([*words, "-o", str(tmp_path / f"report-{name}")]) == 0
        found = json.loads(capsys.readouterr().out)
        assert found["methods"]["41"]["n"] == 1


def test_the_table_is_the_reading(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    case = make_case(tmp_path)
    assert main(["reject", str(case.path), "1", "--reader", "AB"]) == 0
    assert main(["export", str(case.path), "--write", "csv", "-q"]) == 0
    with (case.path / "export" / "lesions.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert {(row["id"], row["status"]) for row in rows} == {
        ("1", "rejected"),
        ("2", "accepted"),
        ("3", "candidate"),
    }
    capsys.readouterr()
