"""ROIs on no uptake, in air, or beside what they were drawn for; told wherever ROIs are read."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence

from tests.fuzz import drawings
from tests.fuzz.world import parsed, written
from tests.support.dicom import FACTOR, Change, codes, tags, write_series
from tmtv_engine import read_rois
from tmtv_engine.image.nifti import write_nifti
from tmtv_engine.image.volume import Array, Grid, Unit, Volume
from tmtv_engine.study.find import find_studies
from tmtv_engine.study.load import load_study
from tmtv_engine.study.rois import Kind, Rois
from tmtv_engine.study.rois import read_rois as from_file
from tmtv_engine.study.uptake import doubts
from tmtv_tui.cli.app import main

GRID = Grid.axial(drawings.SHAPE, drawings.SPACING, drawings.ORIGIN, "1.2.3.9")
WIDE = Grid.axial((11, 15, 20), (4.0, 3.0, 2.0), (-10.0, 20.0, -300.0), "1.2.3.9")
SAME = tags(PatientID="T1", PatientName="Test^Case", StudyInstanceUID="1.2.3")


def _rois(labels: Array, kind: Kind = "labels") -> Rois:
    names = tuple(f"r{k}" for k in range(1, int(labels.max()) + 1))
    return Rois(Volume(labels, WIDE, Unit.LABEL), names, kind)


@pytest.mark.parametrize(("hot", "told"), [(1.49, True), (1.51, False), (0.05, True)])
def test_rois_that_hold_no_uptake_are_told_with_their_volume(hot: float, told: bool) -> None:
    masks = drawings.truth()
    labels = np.zeros(GRID.shape, np.int32)
    suv = np.ones(GRID.shape, np.float32)
    for k, mask in enumerate(masks.values(), 1):
        labels[mask] = k
    suv[masks["spleen"]], suv[masks["node"] & ~masks["spleen"]] = hot, 8.0
    rois = Rois(Volume(labels, GRID, Unit.LABEL), tuple(masks), "rtstruct")
    found = doubts(rois, Volume(suv, GRID, Unit.SUV))
    assert codes(found) == (["roi-cold"] if told else [])
    if told:  # 4 × 4 × 11 voxels of 24 µL
        assert f"spleen: 4.22 mL, SUVmax {hot:.2f}" in found[0].message


def _spots(*, by: int = 0, beside: float = 0.0) -> tuple[Array, Volume]:
    """Three ROIs of 2 × 3 × 4 voxels, ``by`` voxels aside of uptake that falls off from their
    middle, and the SUV ``beside`` the first."""
    labels = np.zeros(WIDE.shape, np.int32)
    suv = np.ones(WIDE.shape, np.float32)
    for k, (z, y, x) in enumerate(((1, 2, 3), (4, 9, 8), (7, 3, 12)), 1):
        labels[z : z + 2, y : y + 3, x + by : x + by + 4] = k
        suv[z : z + 2, y : y + 3, x : x + 4] = 4.0
        suv[z, y + 1, x + 1] = 4.0 + k
    if beside:
        suv[3, 3, 4] = beside
    return labels, Volume(suv, WIDE, Unit.SUV)


def _moved(labels: Array, suv: Volume, kind: Kind = "labels") -> str:
    told = [n.message for n in doubts(_rois(labels, kind), suv) if n.code == "roi-moved"]
    return "".join(told)


def test_rois_beside_their_uptake_are_told() -> None:
    assert doubts(_rois(_spots()[0]), _spots()[1]) == ()
    assert "(3 of 3)" in _moved(*_spots(by=2))
    labels, suv = _spots(by=2)
    assert "(3 of 3)" in _moved((labels > 0).astype(np.int32), suv, "mask")
    assert "(1 of 1)" in _moved((labels > 0).astype(np.int32), suv)


def test_one_that_rightly_ends_at_a_bladder_is_not() -> None:
    """One of three, one of two; as hot is not hotter; what is another ROI's is not beside."""
    labels, suv = _spots(beside=20.0)
    assert _moved(labels, suv) == ""
    assert _moved(np.where(labels == 3, 0, labels), suv) == ""
    assert "(1 of 1)" in _moved(np.where(labels > 1, 0, labels), suv)
    labels, suv = _spots(beside=5.0)
    assert _moved(np.where(labels > 1, 0, labels), suv) == ""
    labels, suv = _spots(beside=20.0)
    labels[3, 3, 4] = 2
    assert _moved(np.where(labels > 2, 0, labels), suv) == ""


@pytest.mark.parametrize(("share", "told"), [(5, False), (6, True)])
def test_rois_of_which_most_lies_in_air_are_told(share: int, told: bool) -> None:
    """``share`` of ten voxels of 24 µL are air, the rest is hot."""
    labels, suv = np.zeros(WIDE.shape, np.int32), np.full(WIDE.shape, 0.149, np.float32)
    labels[3, 2, 1:11] = 1
    suv[3, 2, 1 + share : 11] = 9.0
    found = doubts(_rois(labels), Volume(suv, WIDE, Unit.SUV))
    assert codes(found) == (["roi-cold"] if told else [])
    if told:
        assert "(0.14 mL lie in air)" in found[0].message


def _pet(folder: Path) -> str:
    """SUV 1, and 6 in the boxes of `drawings`."""
    suv = np.ones(drawings.SHAPE)
    for mask in drawings.truth().values():
        suv[mask] = 6.0

    def twice(_: int, ds: Dataset) -> None:
        ds.RescaleSlope = "2"

    stored = np.rint(suv / FACTOR / 2).astype(np.int16)  # FACTOR is 0.0004
    write_series(folder, stored, spacing=drawings.SPACING, origin=drawings.ORIGIN, bend=twice)
    return str(folder)


def _struct(path: Path, *changes: Change) -> Path:
    ds = parsed(drawings.rtstruct())
    for change in (SAME, *changes):
        change(ds)
    path.write_bytes(written(ds))
    return path


def _lower(ds: Dataset) -> None:
    """Contours that lie two slices lower down, of which two are looked at."""
    for roi in ds.ROIContourSequence:
        for item in roi.ContourSequence:
            points = np.array(item.ContourData, float).reshape(-1, 3) - (0, 0, 8.0)
            item.ContourData = [f"{v:.4f}" for v in points.reshape(-1)]
    node = ds.ROIContourSequence[0]
    node.ContourSequence = node.ContourSequence[:2]
    ds.ROIContourSequence = Sequence([node])


# node: 2 slices × 3 × 6 voxels of 24 µL
COLD = "node: 0.86 mL, SUVmax 1.00"


def test_threshold_report_and_import_tell_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pet, out = _pet(tmp_path / "pet"), str(tmp_path / "out")
    own, off = _struct(tmp_path / "own.dcm"), _struct(tmp_path / "off.dcm", _lower)
    assert main(["threshold", pet, str(off), "-o", f"{out}-off", "--json"]) == 0
    warned = {w["code"]: w["message"] for w in json.loads(capsys.readouterr().out)["warnings"]}
    assert COLD in warned["roi-cold"]
    assert "(1 of 1)" in warned["roi-moved"]
    assert main(["threshold", pet, str(own), "-o", out]) == 0
    (case,) = (p for p in (tmp_path / "out").iterdir() if (p / "case.json").exists())
    (tmp_path / "manual.csv").write_text(f"case,roi\n{case.name},{off.name}\n", "utf-8")
    report = ["report", out, "--reference", str(tmp_path / "manual.csv"), "-o", f"{out}-r"]
    capsys.readouterr()
    assert main(report) == 0
    assert f"{case.name}: roi-cold: " in (told := capsys.readouterr().err)
    assert COLD in told
    found = json.loads((tmp_path / "out-r" / "report.json").read_text())["warnings"]
    assert [(w["case"], w["code"]) for w in found] == [
        (case.name, "roi-cold"),
        (case.name, "roi-moved"),
    ]
    assert COLD in (tmp_path / "out-r" / "report.html").read_text("utf-8")
    assert main(["import", str(case), str(off), "--reader", "AB"]) == 0
    assert COLD in capsys.readouterr().err


def test_real_rois_are_told_once_they_are_moved(shared_data: Path) -> None:
    folder = shared_data / "ge_wholebody_STS_001_raw"
    (study,) = find_studies(folder / "image")
    suv = load_study(study).suv  # type: ignore[arg-type]
    rois = from_file(folder / "mask" / "1-1.dcm", suv.grid)
    assert codes(doubts(rois, suv)) == []
    up = np.roll(rois.labels.array, 5, 0)  # 16 mm
    assert codes(doubts(replace(rois, labels=rois.labels.with_array(up)), suv)) == ["roi-moved"]


def test_python_is_told_as_well(tmp_path: Path) -> None:
    labels, suv = _spots(by=2)
    write_nifti(Volume(labels, WIDE, Unit.LABEL), tmp_path / "rois.nii.gz")
    with pytest.warns(UserWarning, match=r"roi-moved: .*\(3 of 3\)"):
        assert len(read_rois(tmp_path / "rois.nii.gz", suv)) == 3
