"""A folder of many things: each is a case, a failure or a leftover, by name."""

from __future__ import annotations

import csv
import os
import shutil
import socket
import stat
import zipfile
from pathlib import Path

import numpy as np
import pytest
from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence

from tests.support.cases import make_case, make_volume
from tests.support.dicom import pixels, save, write_patient, write_series
from tmtv_engine.batch import FAILURE_KEYS
from tmtv_engine.dicom.read import read_series
from tmtv_engine.errors import UsageError
from tmtv_engine.image.nifti import write_nifti
from tmtv_engine.image.volume import Grid, Unit, Volume
from tmtv_engine.study.find import Stock, find_studies, take_stock
from tmtv_engine.study.load import load_study
from tmtv_tui.cli.app import main


def _told(stock: Stock) -> dict[str, str]:
    return {left.path.name: left.why for left in stock.leftovers}


def _zip(folder: Path, path: Path) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        for one in sorted(folder.rglob("*")):
            file.write(one, one.relative_to(folder.parent))
    return path


def test_every_thing_in_a_folder_of_many_is_accounted_for(tmp_path: Path) -> None:
    """Dozens of things of every kind; none is passed over."""
    root = tmp_path / "batch"
    write_patient(root / "good", 10)
    write_patient(root / "good" / "ct", 10, modality="CT")
    shutil.copytree(root / "good", root / "copy")
    write_patient(root / "ct-only", 11, modality="CT")
    write_patient(root / "two" / "first", 12)
    write_patient(root / "two" / "second", 13)
    write_patient(root / "zipped", 14)
    _zip(root / "zipped", root / "zipped.zip")
    shutil.rmtree(root / "zipped")
    write_patient(root / "several" / "a", 15)
    write_series(root / "several" / "b", study="1.2.15", series="1.2.15.8", frame="1.2.15.9")
    suv, _ = make_volume()
    for name in ("n1", "n2"):
        (root / name).mkdir()
        write_nifti(suv.with_array(suv.array + len(name)), root / name / "pet.nii.gz")
    write_nifti(suv, root / "n1" / "mask.nii.gz")
    (root / "n1" / "CT.nii.gz").write_bytes(b"no image")
    (root / "DICOMDIR").write_bytes(bytes(128) + b"DICM")
    (root / "notes.txt").write_text("nothing")
    (root / "list.csv").write_text("a,b\n")
    (root / "void").touch()
    (root / "empty").mkdir()
    os.mkfifo(root / "pipe")
    (root / "again").symlink_to(root / "good")
    (root / "loop").symlink_to(root)
    (root / "nowhere").symlink_to(root / "absent")
    shutil.copytree(make_case(tmp_path, "old").path, root / "old")
    stock = take_stock([root])
    assert sorted(s.path.relative_to(root).as_posix() for s in stock.studies) == [
        "copy",
        "n1/pet.nii.gz",
        "n2/pet.nii.gz",
        "two/first",
        "two/second",
        "zipped.zip/zipped",
    ]
    assert [f.path for f in stock.failures] == [root / "several"]
    assert (stock.failures[0].patient_id, stock.failures[0].study_date) == ("P15", "20200101")
    told = _told(stock)
    for name, why in {
        "ct-only": "without a PET",
        "mask.nii.gz": "another name",
        "DICOMDIR": "an index",
        "notes.txt": "neither DICOM nor",
        "list.csv": "a table",
        "void": "an empty file",
        "empty": "an empty folder",
        "pipe": "FIFO",
        "again": "a link to",
        "loop": "a link to",
        "nowhere": "nowhere",
        "old": "a case folder",
    }.items():
        assert why in told[name], name
    copies = [left for left in stock.leftovers if "copy of what" in left.why]
    assert {left.path.relative_to(root).parts[0] for left in copies} == {"good"}
    files = {p for s in stock.studies for p in (*s.pet, *s.ct)}
    left = {o.path for o in stock.leftovers} | {f.path for f in stock.failures}
    for path in (p for p in root.rglob("*") if p.is_file() and not p.is_symlink()):
        places = {path, *path.parents}
        assert path in files or places & left or path.suffix == ".zip", path


@pytest.mark.parametrize("unit", ["suv", "bqml"])
@pytest.mark.parametrize("turned", [False, True])
def test_a_nifti_made_of_a_dicom_study_is_left_over(
    unit: str, turned: bool, tmp_path: Path
) -> None:
    write_patient(tmp_path / "dicom", 10)
    (study,) = find_studies(tmp_path / "dicom")
    volume = load_study(study).suv  # type: ignore[arg-type]
    if unit == "bqml":
        volume = volume.with_array(pixels().astype(np.float32))
    if turned:  # as dcm2niix does: rows from below
        affine = volume.grid.affine.copy()
        affine[:3, 3] = volume.grid.to_mm((0, 10, 0))
        affine[:3, 1] *= -1
        volume = Volume(volume.array[:, ::-1], Grid(volume.grid.shape, affine), Unit.SUV)
    (tmp_path / "nifti").mkdir()
    write_nifti(volume, tmp_path / "nifti" / "pet.nii.gz")
    write_nifti(volume, tmp_path / "nifti" / "ct.nii.gz")
    stock = take_stock([tmp_path])
    assert [s.kind for s in stock.studies] == ["dicom"]
    assert "the same image as" in _told(stock)["pet.nii.gz"]
    assert "ct.nii.gz" in _told(stock)


@pytest.mark.parametrize("times", [0.5, 1.02, 3.0])
def test_a_nifti_of_another_suv_than_the_dicom_fails_by_the_factor(
    times: float, tmp_path: Path
) -> None:
    write_patient(tmp_path / "dicom", 10)
    (study,) = find_studies(tmp_path / "dicom")
    volume = load_study(study).suv  # type: ignore[arg-type]
    (tmp_path / "n").mkdir()
    path = tmp_path / "n" / "pet.nii.gz"
    write_nifti(volume.with_array(volume.array * times), path)
    write_nifti(volume, tmp_path / "n" / "ct.nii.gz")
    stock = take_stock([tmp_path])
    assert [s.kind for s in stock.studies] == ["dicom"]
    (failure,) = stock.failures
    told = f"is the PET of {study.case} times {times:g} (its SUV by the DICOM in"  # type: ignore[union-attr]
    assert failure.path == path
    assert told in failure.error.what
    assert "STUDY of its own" in failure.error.remedy
    assert failure.patient_id
    assert list(_told(stock)) == ["ct.nii.gz"]
    assert [s.kind for s in take_stock([path.parent]).studies] == ["nifti"]


def test_of_a_dicom_without_an_suv_the_factor_is_of_what_it_stores(tmp_path: Path) -> None:
    write_patient(tmp_path / "dicom", 10, bend=lambda _, ds: ds.pop("PatientWeight"))
    grid = read_series(sorted((tmp_path / "dicom").iterdir())).grid
    for name, times in (("a", 1.0), ("b", 0.001)):
        (tmp_path / name).mkdir()
        image = Volume(pixels().astype(np.float32) * times, grid, Unit.SUV)
        write_nifti(image, tmp_path / name / "pet.nii.gz")
    stock = take_stock([tmp_path])
    assert [left.path.parent.name for left in stock.leftovers] == ["a"]
    (failure,) = stock.failures
    assert "times 0.001 (its stored values" in failure.error.what


@pytest.mark.parametrize("change", ["voxel", "slice", "nothing", "place", "mirrored"])
def test_another_image_of_the_same_shape_is_a_case(change: str, tmp_path: Path) -> None:
    write_patient(tmp_path / "dicom", 10)
    (study,) = find_studies(tmp_path / "dicom")
    volume = load_study(study).suv  # type: ignore[arg-type]
    array, affine = volume.array.copy(), volume.grid.affine.copy()
    if change == "voxel":
        array[3, 4, 5] += 1.0
    elif change == "slice":
        array[3] *= 2
    elif change == "nothing":
        array[:] = 0
    elif change == "place":
        affine[0, 3] += 1.0
    else:
        array = array[:, :, ::-1]
    (tmp_path / "n").mkdir()
    write_nifti(Volume(array, Grid(array.shape, affine), Unit.SUV), tmp_path / "n" / "pet.nii.gz")
    assert len(take_stock([tmp_path]).studies) == 2


def test_copies_in_the_same_folder_are_a_warning_and_must_be_the_same(tmp_path: Path) -> None:
    files = write_patient(tmp_path, 10)
    shutil.copy(files[2], tmp_path / "copy of it")
    (study,) = take_stock([tmp_path]).studies
    assert (len(study.pet), [n.code for n in study.notices]) == (7, ["copies"])
    assert len(load_study(study).input_files) == 7
    for keyword, value in (("PatientWeight", "80"), ("PixelData", bytes(2 * 11 * 13))):
        other = dcmread(files[2])
        setattr(other, keyword, value)
        other.save_as(tmp_path / "copy of it")
        (failure,) = take_stock([tmp_path]).failures
        assert "another image" in failure.error.what


def test_a_study_in_a_zip_and_beside_it_is_one(tmp_path: Path) -> None:
    write_patient(tmp_path / "p", 10)
    _zip(tmp_path / "p", tmp_path / "p.zip")
    stock = take_stock([tmp_path])
    assert [s.archives for s in stock.studies] == [()]
    assert _told(stock)["p.zip"].startswith("a copy of")
    first = min((tmp_path / "p").iterdir())
    first.unlink()
    (study,) = take_stock([tmp_path]).studies
    assert study.archives[0] == tmp_path / "p.zip"
    with zipfile.ZipFile(tmp_path / "p.zip") as held:
        names = held.namelist()
    cut = tmp_path / "cut.zip"
    with zipfile.ZipFile(tmp_path / "p.zip") as held, zipfile.ZipFile(cut, "w") as some:
        for name in names[:3] + names[-3:]:
            some.writestr(name, held.read(name))
    (tmp_path / "p.zip").unlink()
    (tmp_path / "p" / Path(names[-1]).name).unlink()
    (study,) = take_stock([tmp_path]).studies
    assert (study.archives, len(study.pet), len(study.instances)) == ((cut,), 7, 7)


def test_paths_that_overlap_are_searched_once(tmp_path: Path) -> None:
    write_patient(tmp_path / "a", 10)
    stock = take_stock([tmp_path, tmp_path / "a", tmp_path])
    assert len(stock.studies) == 1
    assert [left.why for left in stock.leftovers] == [
        f"searched already as {tmp_path / 'a'}",
        f"searched already as {tmp_path}",
    ]


def test_the_results_own_folder_is_not_searched(tmp_path: Path) -> None:
    write_patient(tmp_path / "a", 10)
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "summary.csv").write_text("case\n")
    assert take_stock([tmp_path], without=[tmp_path / "out"]).leftovers == ()


def test_special_files_are_named_and_never_opened(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as sock:
        sock.bind(str(tmp_path / "s"))
        os.mkfifo(tmp_path / "pet.nii.gz")
        (tmp_path / "dev").symlink_to("/dev/zero")
        told = _told(take_stock([tmp_path, Path("/dev/null")]))
    assert "socket" in told["s"]
    assert "FIFO" in told["pet.nii.gz"]
    assert "device" in told["dev"]
    assert "device" in told["null"]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_what_may_not_be_read_is_named(tmp_path: Path) -> None:
    write_patient(tmp_path / "a", 10)
    (tmp_path / "b").mkdir()
    (tmp_path / "f").write_text("x")
    (tmp_path / "b").chmod(0)
    (tmp_path / "f").chmod(0)
    told = _told(take_stock([tmp_path]))
    (tmp_path / "b").chmod(0o700)
    assert "Permission" in told["b"]
    assert "Permission" in told["f"]


def test_a_dicomdir_names_what_is_missing(tmp_path: Path) -> None:
    index = Dataset()
    index.SOPClassUID, index.SOPInstanceUID = "1.2.840.10008.1.3.10", "1.2.3.99"
    records = []
    for path in write_patient(tmp_path / "images", 10):  # as a copy of a disc in small letters
        record = Dataset()
        record.ReferencedFileID = ["IMAGES", path.name.upper()]
        path.rename(path.with_name(path.name.lower()))
        records.append(record)
    index.DirectoryRecordSequence = Sequence(records)
    save(index, tmp_path / "DICOMDIR")
    (study,) = take_stock([tmp_path]).studies
    assert len(study.pet) == 7
    for path in (tmp_path, tmp_path / "DICOMDIR"):
        stock = take_stock([path])
        assert (len(stock.studies), _told(stock)) == (
            1,
            {"DICOMDIR": "an index of the files beside it"},
        )
    study.pet[3].unlink()
    told = _told(take_stock([tmp_path]))["DICOMDIR"]
    assert "names 1 files that are not there: IMAGES/IM0" in told


def test_the_command_closes_with_the_counts_and_names_the_files(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root, out = tmp_path / "batch", tmp_path / "out"
    write_patient(root / "good", 10)

    def heavy(_: int, ds: Dataset) -> None:
        ds.PatientID, ds.PatientWeight = "=P11\x07", None

    write_patient(root / "bad", 11, bend=heavy)
    write_patient(root / "ct", 12, modality="CT")
    arguments = ["predict", str(root), "-o", str(out), "--model", "hotspot"]
    assert main(arguments) == 1
    last = capsys.readouterr().err.splitlines()[-1]
    (log,) = (out / "runs").iterdir()
    files = [*(out / f"{name}.csv" for name in ("summary", "cases", "failures")), log]
    told = ", ".join(map(str, files))
    assert last == f"1 done, 1 failed, 0 already there, 1 left over ({told})"
    assert stat.S_IMODE((out / "failures.csv").stat().st_mode) == 0o600
    with (out / "failures.csv").open(newline="") as file:
        failed, left = list(csv.DictReader(file))
    assert tuple(failed) == FAILURE_KEYS
    assert failed["path"] == str(root / "bad")
    assert (failed["tag"], failed["kind"]) == ("PatientWeight", "failure")
    assert "--weight-kg" in failed["way_out"]
    assert (left["path"], left["kind"]) == (str(root / "ct"), "leftover")
    shutil.rmtree(root / "bad")
    shutil.rmtree(root / "ct")
    assert main([*arguments, "-q"]) == 0
    assert capsys.readouterr().err == ""
    assert not (out / "failures.csv").exists()
    assert main(arguments) == 0
    assert "0 done, 0 failed, 1 already there, 0 left over" in capsys.readouterr().err


def test_a_failure_is_told_by_its_path(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_patient(tmp_path / "p7", 10, bend=lambda _, ds: setattr(ds, "PatientWeight", None))
    assert main(["predict", str(tmp_path), "-o", str(tmp_path / "o"), "--model", "hotspot"]) == 1
    err = capsys.readouterr().err
    assert f"failed: {tmp_path / 'p7'}: PatientWeight" in err


@pytest.mark.parametrize("kind", ["ct", "nothing", "absent"])
def test_nothing_at_all_is_a_failure_and_what_is_left_over_is_none(
    kind: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root = tmp_path / "in"
    if kind != "absent":
        root.mkdir()
    if kind == "ct":
        write_patient(root, 10, modality="CT")
    status = main(["predict", str(root), "-o", str(tmp_path / "out"), "--model", "hotspot"])
    assert status == (0 if kind == "ct" else 1)
    err = capsys.readouterr().err
    said = {"ct": "no PET was found", "nothing": "in: holds no file", "absent": "no such file"}
    assert said[kind] in err
    failed, left = int(kind != "ct"), int(kind == "ct")
    assert f"0 done, {failed} failed, 0 already there, {left} left over" in err


def test_patterns_that_are_none_are_wrong_usage(tmp_path: Path) -> None:
    with pytest.raises(UsageError):
        take_stock([tmp_path], pet_match="[")
