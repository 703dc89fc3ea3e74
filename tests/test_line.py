"""The whole line, from files on disk through the command line to a case folder."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydicom import dcmread

from tests.support.cases import make_volume
from tmtv_engine.case.folder import IMAGE, read_case
from tmtv_engine.case.record import decode
from tmtv_engine.image.nifti import write_nifti
from tmtv_engine.study.load import load_study
from tmtv_engine.study.stock import take_stock
from tmtv_tui.cli.app import main

REFERENCE_ML = {"41": 113.0, "2.5": 181.6, "4.0": 55.9}


def _records(capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


@pytest.fixture
def ge_scan(shared_data: Path) -> Path:
    folder = shared_data / "ge_wholebody_STS_001_raw"
    if not folder.is_dir():
        pytest.skip("the GE whole-body scan is not there")
    return folder


def test_the_ge_scan_by_its_own_rois(
    ge_scan: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """GTV_Mass: 366.08 mL, SUVmax 7.9107; cuts by MIRP and z-rad (data/README.md)."""
    asked = ["threshold", str(ge_scan), str(ge_scan / "mask" / "1-1.dcm"), "--roi", "GTV_Mass"]
    methods = [part for key in (*REFERENCE_ML, "raw") for part in ("--method", key)]
    assert main([*asked, "--rois", "labels", *methods, "-o", str(tmp_path), "--json"]) == 0
    (record,) = _records(capsys)
    assert record["pet"]["suv_factor"] == pytest.approx(0.0002429029766148455, rel=1e-9)
    (lesion,) = record["lesions"]
    assert lesion["methods"]["raw"]["volume_ml"] == pytest.approx(366.079, rel=0.01)
    assert lesion["methods"]["raw"]["suv_mean"] == pytest.approx(2.555185, rel=0.01)
    assert lesion["suv_max"] == pytest.approx(7.910675, rel=0.01)
    for key, volume in REFERENCE_ML.items():
        assert record["totals"][key]["tmtv_ml"] == pytest.approx(volume, rel=0.02)
    assert record["model"] == {"name": "roi"}
    assert len(record["provenance"]["inputs_sha256"]) == 64


def _the_image_is_the_scan(folder: Path, scan: Path) -> None:
    """Every bit of the SUV, in no more bytes than the DICOM."""
    (study,) = take_stock([scan]).studies
    image = read_case(folder).image()
    assert image is not None
    suv = load_study(study).suv
    assert (image.volume().array.view("u4") == suv.array.view("u4")).all()
    assert (folder / IMAGE).stat().st_size < sum(p.stat().st_size for p in study.pet)


def test_the_hot_spots_of_the_ge_scan(
    ge_scan: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Brain base, heart, kidneys, bladder and the tumour are among them; a re-run skips."""
    asked = ["predict", str(ge_scan), "--model", "hotspot", "-o", str(tmp_path), "--json"]
    assert main(asked) == 0
    (record,) = _records(capsys)
    decode(record, "case.json")
    assert len(record["lesions"]) >= 5
    assert max(r["suv_max"] for r in record["lesions"]) == pytest.approx(66.5215, rel=1e-4)
    codes = {w["code"] for w in record["warnings"]}
    assert "unreviewed-hotspots" in codes
    assert "no-ct" not in codes  # hot spots are found without one
    (folder,) = (p.parent for p in tmp_path.glob("*/case.json"))
    _the_image_is_the_scan(folder, ge_scan)
    before = (folder / "case.json").stat().st_mtime_ns
    assert main(asked) == 0
    assert _records(capsys) == [record]
    assert (folder / "case.json").stat().st_mtime_ns == before
    assert read_case(folder).voxels().counts.sum() == sum(r["voxels"] for r in record["lesions"])


def test_nifti_in_case_out(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    suv, labels = make_volume()
    study = tmp_path / "study A"
    study.mkdir()
    write_nifti(suv, study / "pet.nii.gz")
    write_nifti(labels, study / "rois.nii.gz")
    out = tmp_path / "out"
    assert main(["threshold", str(study), str(study / "rois.nii.gz"), "-o", str(out), "-q"]) == 0
    printed = [line.split("\t") for line in capsys.readouterr().out.splitlines()]
    assert [row[1] for row in printed] == ["method", "41", "2.5", "4.0"]
    (folder,) = (p.parent for p in out.glob("*/case.json"))
    case = read_case(folder)
    assert folder.name == "study_A"
    assert [r["voxels"] for r in case.raw["lesions"]] == [229, 287, 99]
    index = case.voxels().index(0)
    np.testing.assert_allclose(
        case.voxels().grid.to_mm(index[0]), suv.grid.to_mm(index[0]), atol=1e-3
    )


def test_one_bad_study_does_not_stop_the_others(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    suv, _ = make_volume()
    for name in ("good", "bad"):
        (tmp_path / name).mkdir()
        write_nifti(suv, tmp_path / name / "pet.nii.gz")
    (tmp_path / "bad" / "pet.nii.gz").write_bytes(b"not a volume")
    studies = [str(tmp_path / name) for name in ("bad", "good")]
    asked = ["predict", *studies, "--model", "hotspot", "-o", str(tmp_path / "out"), "--json"]
    assert main(asked) == 1
    captured = capsys.readouterr()
    (record,) = (json.loads(line) for line in captured.out.splitlines())
    assert record["case"] == "good"
    assert "pet.nii.gz" in captured.err
    assert "Traceback" not in captured.err


def _check_truth(rows: list[str], patient: Path) -> None:
    """The demo's second table: seven methods, true lesions as many as were drawn."""
    drawn = dcmread(patient / "RTSTRUCT" / "rois.dcm").StructureSetROISequence
    header, *told, last = rows
    assert header.split("\t") == ["method", "true mL", "predicted mL", "Dice"]
    keys = [row.split("\t")[0] for row in told]
    assert keys == ["41", "2.5", "4.0", "otsu", "prob", "mv2", "a50p"]
    assert all(float(row.split("\t")[1]) > 0 for row in told)
    assert f" of {len(drawn)} true lesions found, " in last


def test_a_digital_patient_as_dicom(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("tmtv_engine.phantom.draw")
    pytest.importorskip("tmtv_engine.phantom.dicom")
    assert main(["demo", "-o", str(tmp_path), "--model", "hotspot"]) == 0
    captured = capsys.readouterr()
    rows = captured.out.splitlines()
    assert [row.split("\t")[1] for row in rows[1:8]] == [
        "41",
        "2.5",
        "4.0",
        "otsu",
        "prob",
        "mv2",
        "a50p",
    ]
    _check_truth(rows[8:-1], tmp_path / "patients" / "digital-0001")
    picture = Path(rows[-1].removeprefix("picture: "))
    assert picture.read_bytes().startswith(b"\x89PNG")
    (folder,) = (p.parent for p in (tmp_path / "cases").glob("*/case.json"))
    record = read_case(folder).raw
    assert record["ct"] is not None
    assert record["totals"]["4.0"]["tmtv_ml"] > 0
