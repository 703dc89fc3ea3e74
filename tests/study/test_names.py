"""What the cases of a folder of many are called: each its own, whatever is beside it."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from pydicom.dataset import Dataset

from tests.support.cases import make_volume
from tests.support.dicom import write_patient
from tmtv_engine.image.nifti import write_nifti
from tmtv_engine.study.find import take_stock
from tmtv_tui.cli.app import main


def test_names_do_not_depend_on_the_order_of_paths(tmp_path: Path) -> None:
    suv, _ = make_volume()
    for parts in ("x/p1", "y/p1", "y/P1"):
        (tmp_path / parts).mkdir(parents=True)
        write_nifti(suv, tmp_path / parts / "pet.nii.gz")
    one = take_stock([tmp_path / "x", tmp_path / "y"])
    other = take_stock([tmp_path / "y", tmp_path / "x"])
    names = {s.case for s in one.studies}
    assert names == {s.case for s in other.studies}
    assert len({n.lower() for n in names}) == 3
    (tmp_path / "y" / "P1" / "pet.nii.gz").unlink()
    two = take_stock([tmp_path / "x", tmp_path / "y"]).studies
    assert {s.case for s in two} == {"x_p1", "y_p1"}


def test_folders_whose_names_become_one_are_told_apart(tmp_path: Path) -> None:
    suv, _ = make_volume()
    for name in ("a b", "a_b", "a?b"):
        (tmp_path / name).mkdir()
        write_nifti(suv, tmp_path / name / "pet.nii.gz")
    cases = [s.case for s in take_stock([tmp_path]).studies]
    assert len(set(cases)) == 3
    assert all(c.startswith("a_b_") for c in cases)


def test_a_study_is_named_after_the_folder_that_is_its_own(tmp_path: Path) -> None:
    for number, name in ((10, "Doe"), (11, "Roe")):
        write_patient(tmp_path / name / "series" / "1", number)
        write_patient(tmp_path / name / "series" / "2", number, modality="CT")
    for number in (12, 13):
        write_patient(tmp_path / "twice" / f"{number}", number)
    shutil.copytree(tmp_path / "twice" / "13", tmp_path / "zz")
    stock = take_stock([tmp_path], case_name="folder")
    assert {s.case for s in stock.studies} == {"Doe", "Roe", "12", "13"}
    assert {left.why for left in stock.leftovers} == {"a copy of what 13 is made from"}


def test_one_patients_studies_are_numbered_by_date(tmp_path: Path) -> None:
    for number, day in ((10, "20200301"), (11, "20200101")):

        def dated(_: int, ds: Dataset, day: str = day) -> None:
            ds.PatientID, ds.StudyDate = "Same", day

        write_patient(tmp_path / f"{number}", number, bend=dated)
    found = take_stock([tmp_path], case_name="patient-id").studies
    assert {s.case: s.study_date for s in found} == {"Same": "20200101", "Same_2": "20200301"}


def test_a_case_of_one_name_is_never_anothers(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two runs, the same folder's name: neither taken for the first nor written over it."""
    suv, _ = make_volume()
    for place, factor in (("x", 1.0), ("y", 1.5)):
        (tmp_path / place / "p1").mkdir(parents=True)
        write_nifti(suv.with_array(suv.array * factor), tmp_path / place / "p1" / "pet.nii.gz")
    shutil.copytree(tmp_path / "x", tmp_path / "moved")

    def run(place: str, *more: str) -> tuple[int, str]:
        out = str(tmp_path / "out")
        status = main(["predict", place, "-o", out, "--model", "hotspot", *more])
        return status, capsys.readouterr().err

    assert run(str(tmp_path / "x"))[0] == 0
    before = (tmp_path / "out" / "p1" / "case.json").read_bytes()
    status, err = run(str(tmp_path / "y"))
    assert (status, "made from other files than" in err) == (1, True)
    assert "0 done, 1 failed, 0 already there, 0 left over" in err
    status, err = run(str(tmp_path / "y"), "--fresh")
    assert (status, "the case of another study" in err) == (1, True)
    assert (tmp_path / "out" / "p1" / "case.json").read_bytes() == before
    monkeypatch.chdir(tmp_path / "x")
    assert run("p1")[0] == 0
    monkeypatch.chdir(tmp_path / "y")
    assert run("p1")[0] == 1
    status, err = run(str(tmp_path / "moved"))
    assert (status, "1 already there" in err) == (0, True)
    assert run(str(tmp_path / "moved"), "--fresh")[0] == 0
