"""What the cases of a folder of many are called: each its own, whatever is beside it."""

from __future__ import annotations

import csv
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


def sources(out: Path) -> dict[str, str]:
    """Case to the folder that it is made from, as `cases.csv` says."""
    rows = csv.DictReader((out / "cases.csv").read_text("utf-8").splitlines())
    return {row["case"]: Path(row["source"]).name for row in rows}


@pytest.mark.parametrize(
    ("naming", "first", "then"),
    [
        ("patient-id", {"P": "20", "P_2": "30"}, {"P_3": "10", "P_4": "40"}),
        ("folder", {"20": "20", "30": "30"}, {"10": "10", "40": "40"}),
    ],
)
def test_a_study_keeps_its_name_when_others_come_in_beside_it(
    tmp_path: Path,
    naming: str,
    first: dict[str, str],
    then: dict[str, str],
    capsys: pytest.CaptureFixture[str],
) -> None:
    """An earlier scan of a patient, or a folder of the same name, arrives later."""
    out = tmp_path / "out"

    def arrives(number: int) -> None:
        def dated(_: int, ds: Dataset) -> None:
            ds.PatientID, ds.StudyDate = "P", f"2020{number // 10:02}15"

        write_patient(tmp_path / "in" / f"{number}", number, bend=dated)

    def run(*more: str) -> str:
        asked = ["predict", str(tmp_path / "in"), "--model", "hotspot", "-o", str(out), *more]
        assert main(asked) == 0
        return capsys.readouterr().err.splitlines()[-1]

    arrives(20)
    arrives(30)
    run("--case-name", naming)
    assert sources(out) == first
    arrives(10)
    arrives(40)
    assert run("--case-name", naming).startswith("2 done, 0 failed, 2 already there")
    assert sources(out) == first | then
    shutil.rmtree(tmp_path / "in" / "20")
    assert run().startswith("0 done, 0 failed, 3 already there")  # named by the hash, as asked now
    assert run("--fresh", "--case-name", "folder").startswith("3 done, 0 failed")
    assert sources(out) == first | then


def test_a_folder_of_a_name_that_is_taken_takes_another(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for number, name in ((10, "x"), (20, "y")):
        write_patient(tmp_path / name / "t0", number)
        write_patient(tmp_path / name / "other", number + 1)
    suv, _ = make_volume()
    for name in ("x", "y"):
        (tmp_path / name / "p1").mkdir()
        image = suv.with_array(suv.array * (1.0 if name == "x" else 1.5))
        write_nifti(image, tmp_path / name / "p1" / "pet.nii.gz")
    out, words = tmp_path / "out", ["--model", "hotspot", "-q", "--case-name", "folder"]
    assert main(["predict", str(tmp_path / "x"), "-o", str(out), *words]) == 0
    assert main(["predict", str(tmp_path / "y"), "-o", str(out), *words]) == 1
    assert "p1 was made from other files" in capsys.readouterr().err  # an image may have moved
    assert set(sources(out)) == {"t0", "other", "p1", "y_t0", "y_other"}
    both = [str(tmp_path / name) for name in ("y", "x")]
    assert main(["predict", *both, "-o", str(out), *words]) == 0
    assert set(sources(out)) == {"t0", "other", "p1", "y_t0", "y_other", "y_p1"}
