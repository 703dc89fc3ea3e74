"""A study that comes as several zips, or in part beside them, is one: each image once."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from pydicom.dataset import Dataset

from tests.support.dicom import FACTOR, pixels, write_patient, write_series
from tmtv_engine.batch import watch
from tmtv_engine.case.folder import read_case
from tmtv_engine.errors import InputError
from tmtv_engine.review.source import source_suv
from tmtv_engine.study import archive
from tmtv_engine.study.find import Study, take_stock
from tmtv_engine.study.inputs import inputs_sha256
from tmtv_engine.study.load import load_study
from tmtv_tui.cli.app import main

pytestmark = pytest.mark.usefixtures("scratch")


def _zip(files: Sequence[Path], path: Path) -> Path:
    """The files as a zip of its own folder name, all in one folder in it."""
    path.parent.mkdir(exist_ok=True)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        for one in files:
            file.write(one, Path("DICOM") / one.parent.name / one.name)
    return path


def _pet_and_ct(folder: Path) -> tuple[list[Path], list[Path]]:
    return write_patient(folder / "p", 1), write_patient(folder / "c", 1, modality="CT")


def test_one_zip_a_series_is_one_study_with_its_ct(tmp_path: Path, scratch: Path) -> None:
    pet, ct = _pet_and_ct(tmp_path)
    zips = [_zip(ct, tmp_path / "in" / "a.zip"), _zip(pet, tmp_path / "in" / "b.zip")]
    stock = take_stock([tmp_path / "in"])
    (study,) = stock.studies
    assert (stock.failures, stock.leftovers) == ((), ())
    assert (study.archives, study.folder) == (tuple(zips), tmp_path / "in")
    loaded = load_study(study)
    np.testing.assert_allclose(loaded.suv.array, pixels() * FACTOR, rtol=1e-6)
    assert loaded.ct is not None
    np.testing.assert_array_equal(loaded.ct.array, pixels() - 1024.0)
    assert loaded.source["pet"]["folder"] == str(tmp_path / "in")
    assert loaded.source["pet"]["files"][0] == "b.zip/DICOM/p/IM000"
    assert len(loaded.source["inputs"]) == len(set(loaded.source["inputs"])) == 14
    assert list(scratch.iterdir()) == []


@pytest.mark.parametrize("shared", [0, 2])
def test_the_slices_of_a_series_over_two_zips_are_one_image(shared: int, tmp_path: Path) -> None:
    """Also where some slices are in both: each instance once."""
    pet = write_patient(tmp_path / "p", 1)
    zips = [
        _zip(pet[:4], tmp_path / "in" / "a.zip"),
        _zip(pet[4 - shared :], tmp_path / "in" / "b.zip"),
    ]
    stock = take_stock(list(reversed(zips)))  # in whatever order they are named
    (study,) = stock.studies
    assert len(study.pet) == len(study.instances) == 7
    assert [left.why.split()[:3] for left in stock.leftovers] == [["a", "copy", "of"]] * shared
    np.testing.assert_allclose(load_study(study).suv.array, pixels() * FACTOR, rtol=1e-6)


def test_the_case_is_that_of_the_folder_and_is_there_again(tmp_path: Path) -> None:
    """By the command: name, hash and totals of the unpacked study; a second run takes it."""
    pet, ct = _pet_and_ct(tmp_path / "whole")
    _zip(ct, tmp_path / "in" / "ct.zip")
    _zip(pet, tmp_path / "in" / "pet.zip")
    records = []
    for path, out in (("whole", "one"), ("in", "two"), ("in", "two")):
        words = ["predict", str(tmp_path / path), "-o", str(tmp_path / out), "--model", "hotspot"]
        assert main([*words, "--accept", "body-suv"]) == 0
        (case,) = (tmp_path / out).glob("*/case.json")
        records.append(json.loads(case.read_text()))
    assert records[0]["provenance"]["inputs_sha256"] == inputs_sha256([*pet, *ct])
    assert records[1]["provenance"]["inputs_sha256"] == inputs_sha256([*pet, *ct])
    for key in ("case", "totals", "warnings", "pet", "ct"):
        assert records[0][key] == records[1][key]
    assert records[1] == records[2]


def test_a_part_in_a_folder_and_the_rest_in_a_zip(tmp_path: Path) -> None:
    pet, ct = _pet_and_ct(tmp_path / "in")
    packed = _zip([*pet[5:], *ct], tmp_path / "in" / "rest.zip")
    for path in (*pet[5:], *ct):
        path.unlink()
    write_patient(tmp_path / "in" / "other", 2)
    first, second = take_stock([tmp_path / "in"]).studies
    study = first if first.archives else second
    assert study.archives == (packed,)
    loaded = load_study(study)
    np.testing.assert_allclose(loaded.suv.array, pixels() * FACTOR, rtol=1e-6)
    assert loaded.ct is not None
    assert set(watch._homes(study)) == {packed, tmp_path / "in" / "p"}


def test_many_studies_over_the_same_zips(tmp_path: Path) -> None:
    """All PETs in one, all CTs in another, and a study of which nothing is elsewhere."""
    pets = [write_patient(tmp_path / f"p{k}", k) for k in (1, 2, 3)]
    cts = [write_patient(tmp_path / f"c{k}", k, modality="CT") for k in (1, 2)]
    for kind, sets in (("pet", pets), ("ct", cts)):
        (tmp_path / "in").mkdir(exist_ok=True)
        with zipfile.ZipFile(tmp_path / "in" / f"{kind}.zip", "w") as file:
            for one in (path for files in sets for path in files):
                file.write(one, one.relative_to(tmp_path))
    stock = take_stock([tmp_path / "in"])
    assert sorted((s.patient_id, len(s.pet), len(s.ct)) for s in stock.studies) == [
        ("P1", 7, 7),
        ("P2", 7, 7),
        ("P3", 7, 0),
    ]
    assert (stock.failures, stock.leftovers) == ((), ())


def test_two_pets_over_two_zips_are_a_choice_and_not_two_cases(tmp_path: Path) -> None:
    write_series(tmp_path / "a")
    write_series(tmp_path / "b", series="1.2.3.8")
    for name in ("a", "b"):
        _zip(sorted((tmp_path / name).iterdir()), tmp_path / "in" / f"{name}.zip")
    (failure,) = take_stock([tmp_path / "in"]).failures
    assert "several PET series" in failure.error.what
    (study,) = take_stock([tmp_path / "in"], pet_series="1.2.3.8").studies
    assert study.archives == (tmp_path / "in" / "b.zip",)
    assert study.folder == tmp_path / "in" / "b.zip"


def test_another_image_of_the_same_uid_in_the_other_zip_is_refused(tmp_path: Path) -> None:
    """A zip made anew by another anonymiser: which of the two counts cannot be told."""

    def lighter(_: int, ds: Dataset) -> None:
        ds.PatientWeight = "60"

    one = write_series(tmp_path / "a")
    two = write_series(tmp_path / "b", bend=lighter)
    _zip(one[:5], tmp_path / "in" / "a.zip")
    _zip(two[2:], tmp_path / "in" / "b.zip")
    stock = take_stock([tmp_path / "in"])
    (failure,) = stock.failures
    assert not stock.studies
    assert "another image" in failure.error.what
    assert "a.zip" in failure.error.what
    assert "b.zip" in failure.error.what
    assert "tmtv-zip" not in str(failure.error)


def test_all_zips_are_named_where_they_cannot_be_read_together(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pet, ct = _pet_and_ct(tmp_path)
    zips = [_zip(pet, tmp_path / "in" / "a.zip"), _zip(ct, tmp_path / "in" / "b.zip")]
    taken: list[Path] = []
    before = archive._measure

    def measure(members: list[zipfile.ZipInfo], path: Path) -> None:
        """As on a disk that has room for each alone."""
        taken.append(path)
        if len(taken) > 3:
            raise InputError(f"{path}: too much", "Unpack it yourself.")
        before(members, path)

    monkeypatch.setattr(archive, "_measure", measure)
    failures = take_stock([tmp_path / "in"]).failures
    assert [f.path for f in failures] == zips
    assert all(str(z) in f.error.what for z in zips for f in failures)


def test_the_pet_is_named_by_its_zip_once_it_is_measured(tmp_path: Path) -> None:
    """What a case says of where it came from, and that it cannot be read from there unpacked."""
    pet = write_patient(tmp_path / "p", 1)
    _zip(pet[:4], tmp_path / "in" / "a.zip")
    _zip(pet[4:], tmp_path / "in" / "b.zip")
    words = ["predict", str(tmp_path / "in"), "-o", str(tmp_path / "out"), "--model", "hotspot"]
    assert main([*words, "--accept", "body-suv", "--no-image"]) == 0
    (folder,) = (p.parent for p in (tmp_path / "out").glob("*/case.json"))
    case = read_case(folder)
    np.testing.assert_allclose(
        source_suv(case, tmp_path / "in").array, pixels() * FACTOR, rtol=1e-6
    )


def test_a_missing_slice_names_the_zips(tmp_path: Path) -> None:
    pet = write_patient(tmp_path / "p", 1)
    _zip(pet[:3], tmp_path / "in" / "a.zip")
    _zip(pet[4:], tmp_path / "in" / "b.zip")
    (study,) = take_stock([tmp_path / "in"]).studies
    assert isinstance(study, Study)
    with pytest.raises(InputError) as caught:
        load_study(study)
    assert str(tmp_path / "in") in str(caught.value)
    assert "tmtv-zip" not in str(caught.value)


@pytest.mark.parametrize("zipped", ["second", "both"])
def test_a_zip_of_other_pixels_under_the_same_uids_is_no_copy(zipped: str, tmp_path: Path) -> None:
    """Exported twice, the second time on another scale: which is right, no UID tells."""
    one = write_series(tmp_path / "in" / "a", np.full((7, 20, 20), 1000, np.int16))
    two = write_series(tmp_path / "b", np.full((7, 20, 20), 2000, np.int16))
    _zip(two, tmp_path / "in" / "b.zip")
    if zipped == "both":
        _zip(one, tmp_path / "in" / "a.zip")
        for path in one:
            path.unlink()
        one[0].parent.rmdir()
    stock = take_stock([tmp_path / "in"])
    (failure,) = stock.failures
    assert (stock.studies, stock.leftovers) == ((), ())
    assert "b.zip/DICOM/b/IM0" in failure.error.what
    assert "is another image than" in failure.error.what
    assert (failure.patient_id, failure.study_date) == ("T1", "20200101")


def test_a_copy_in_a_zip_says_where_the_case_is_from(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where that is the folder that one stands in, which is called "."."""
    files = write_series(tmp_path / "in", np.full((7, 20, 20), 1000, np.int16))
    _zip(files, tmp_path / "in" / "copy.zip")
    monkeypatch.chdir(tmp_path / "in")
    stock = take_stock([Path()])
    (study,), (left,) = stock.studies, stock.leftovers
    assert left.why == f"a copy of {study.case}, which is made from {tmp_path / 'in'}"
