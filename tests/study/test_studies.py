"""Folders, NIfTI and manifests to studies: who is chosen, who is refused, what is told."""

from __future__ import annotations

import hashlib
import shutil
from pathlib import Path

import numpy as np
import pytest
from pydicom.dataset import Dataset

from tests.support.cases import make_volume
from tests.support.dicom import FACTOR, codes, pixels, write_series
from tmtv_engine.errors import AmbiguousInput, BadTag, InputError, UsageError
from tmtv_engine.image.nifti import write_nifti
from tmtv_engine.image.volume import Unit
from tmtv_engine.study.find import Failure, Study, find_studies
from tmtv_engine.study.load import load_study
from tmtv_engine.suv.factor import Overrides


def _one(path: Path, **wanted: object) -> Study:
    (study,) = find_studies(path, **wanted)  # type: ignore[arg-type]
    assert isinstance(study, Study)
    return study


def _without_attenuation(_: int, ds: Dataset) -> None:
    ds.CorrectedImage, ds.SeriesDescription = ["DECY"], "WB NAC"


def test_a_folder_becomes_suv(tmp_path: Path) -> None:
    write_series(tmp_path / "deep" / "er" / "PET")
    write_series(tmp_path / "CT", modality="CT", series="1.2.3.5")
    (tmp_path / "notes.txt").write_text("nothing")
    loaded = load_study(_one(tmp_path))
    np.testing.assert_allclose(loaded.suv.array, pixels() * FACTOR, rtol=1e-6)
    assert loaded.suv.unit is Unit.SUV
    assert loaded.ct is not None
    np.testing.assert_allclose(loaded.ct.array, pixels() - 1024.0)
    assert codes(loaded.notices) == []
    assert loaded.info["patient"] == {
        "id": "T1",
        "sex": "F",
        "weight_kg": 70.0,
        "height_m": 1.75,
        "age_years": 50.0,
    }
    assert loaded.info["pet"]["suv_factor"] == pytest.approx(FACTOR)
    assert loaded.info["ct"] == {"series_uid": "1.2.3.5"}
    assert [i["uid"] for i in loaded.source["pet"]["instances"]][:2] == ["1.2.3.4.1", "1.2.3.4.2"]
    assert len(loaded.input_files) == 14


def test_the_case_is_a_hash_that_no_folder_changes(tmp_path: Path) -> None:
    write_series(tmp_path / "a")
    shutil.copytree(tmp_path / "a", tmp_path / "b" / "c")
    names = {_one(tmp_path / "a").case, _one(tmp_path / "b").case}
    assert names == {"c" + hashlib.sha256(b"1.2.3\n1.2.3.4").hexdigest()[:12]}
    assert _one(tmp_path / "a", case_name="folder").case == "a"
    assert _one(tmp_path / "a", case_name="patient-id").case == "T1"


def test_studies_mixed_in_one_folder_are_told_apart(tmp_path: Path) -> None:
    for number in (3, 5):
        study = f"1.2.{number}"
        files = write_series(tmp_path / "x", study=study, series=f"{study}.4", frame=f"{study}.9")
        write_series(
            tmp_path / "y", modality="CT", study=study, series=f"{study}.5", frame=f"{study}.9"
        )
        for path in files + sorted((tmp_path / "y").iterdir()):
            if path.exists() and path.parent != tmp_path / "all":
                (tmp_path / "all").mkdir(exist_ok=True)
                path.rename(tmp_path / "all" / f"{study}-{path.parent.name}-{path.name}")
    found = [s for s in find_studies(tmp_path / "all") if isinstance(s, Study)]
    assert len(found) == 2
    for study_found in found:
        assert len(study_found.pet) == len(study_found.ct) == 7
        assert len({p.name.split("-")[0] for p in study_found.pet + study_found.ct}) == 1


def test_the_corrected_whole_body_series_is_taken(tmp_path: Path) -> None:
    write_series(tmp_path / "nac", series="1.2.3.1", bend=_without_attenuation)
    write_series(tmp_path / "ac", series="1.2.3.4")
    write_series(tmp_path / "head", pixels()[:3], series="1.2.3.6")
    study = _one(tmp_path)
    assert {p.parent.name for p in study.pet} == {"ac"}


def test_two_that_could_be_meant_are_listed_and_one_may_be_named(tmp_path: Path) -> None:
    write_series(tmp_path / "one", series="1.2.3.4")
    write_series(tmp_path / "two", series="1.2.3.6")
    with pytest.raises(AmbiguousInput, match=r"1\.2\.3\.4 .*1\.2\.3\.6 ") as caught:
        find_studies(tmp_path)
    assert "--pet-series" in caught.value.remedy
    assert _one(tmp_path, pet_series="1.2.3.6").pet[0].parent.name == "two"
    with pytest.raises(InputError):
        find_studies(tmp_path, pet_series="9.9")
    with pytest.raises(UsageError):
        find_studies(tmp_path, pet_match="[")


def test_a_lone_uncorrected_series_is_refused_by_its_tag(tmp_path: Path) -> None:
    write_series(tmp_path, bend=_without_attenuation)
    with pytest.raises(BadTag, match="CorrectedImage"):
        load_study(_one(tmp_path))


def test_a_ct_of_another_frame_is_taken_with_a_warning(tmp_path: Path) -> None:
    write_series(tmp_path / "pet")
    write_series(tmp_path / "ct", modality="CT", series="1.2.3.5", frame="1.2.3.8")
    assert codes(load_study(_one(tmp_path)).notices) == ["frames-differ"]
    write_series(tmp_path / "ct2", modality="CT", series="1.2.3.7")
    study = _one(tmp_path)
    assert {p.parent.name for p in study.ct} == {"ct2"}


def test_without_ct_there_is_a_warning(tmp_path: Path) -> None:
    write_series(tmp_path)
    loaded = load_study(_one(tmp_path))
    assert loaded.ct is None
    assert loaded.info["ct"] is None
    assert codes(loaded.notices) == ["no-ct"]


def test_hostile_text_is_cleaned_where_it_enters(tmp_path: Path) -> None:
    def attack(_: int, ds: Dataset) -> None:
        ds.SpecificCharacterSet = "ISO_IR 192"
        ds.PatientID = "A\x07[2J\x08[@click=app.quit]B"
        ds.Manufacturer = "GE\u202e\x9b31m"

    write_series(tmp_path, bend=attack)
    loaded = load_study(_one(tmp_path))
    assert loaded.info["patient"]["id"] == "A[2J[@click=app.quit]B"
    assert loaded.info["pet"]["manufacturer"].startswith("GE")
    assert not any(ord(c) < 32 or 127 <= ord(c) < 160 for c in loaded.info["pet"]["manufacturer"])
    name = _one(tmp_path, case_name="patient-id").case
    assert set(name) <= set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-")


def test_overrides_reach_the_case(tmp_path: Path) -> None:
    def lose(_: int, ds: Dataset) -> None:
        ds.PatientWeight = None

    write_series(tmp_path, bend=lose)
    with pytest.raises(InputError, match="PatientWeight"):
        load_study(_one(tmp_path))
    loaded = load_study(_one(tmp_path), Overrides(weight_kg=140.0))
    np.testing.assert_allclose(loaded.suv.array, 2 * pixels() * FACTOR, rtol=1e-6)
    assert loaded.info["overrides"] == {"weight_kg": 140.0}
    assert loaded.info["patient"]["weight_kg"] == 140.0


def test_nothing_to_read_is_said(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no PET"):
        find_studies(tmp_path)
    with pytest.raises(InputError, match="no such"):
        find_studies(tmp_path / "absent")
    write_series(tmp_path / "ct", modality="CT")
    with pytest.raises(InputError, match="no PET"):
        find_studies(tmp_path)


@pytest.mark.parametrize(("pet", "ct"), [("pet.nii.gz", "ct.nii"), ("SUV.nii.gz", "CTres.nii.gz")])
def test_nifti_pairs_of_both_names(pet: str, ct: str, tmp_path: Path) -> None:
    suv, _ = make_volume()
    folder = tmp_path / "Doe, John"
    folder.mkdir()
    write_nifti(suv, folder / pet)
    write_nifti(suv.with_array(suv.array * 100 - 1000, Unit.HU), folder / ct)
    study = _one(tmp_path)
    assert study.case == "Doe_John"
    loaded = load_study(study)
    np.testing.assert_allclose(loaded.suv.array, suv.array)
    assert loaded.suv.grid.matches(suv.grid)
    assert loaded.ct is not None
    assert loaded.info["pet"]["units"] == "SUV"


def test_a_nifti_file_named_by_itself(tmp_path: Path) -> None:
    suv, _ = make_volume()
    (tmp_path / "p7").mkdir()
    for name in ("pet.nii", "ct.nii", "other (2).nii.gz"):
        write_nifti(suv, tmp_path / "p7" / name)
    named, other = _one(tmp_path / "p7" / "pet.nii"), _one(tmp_path / "p7" / "other (2).nii.gz")
    assert (named.case, [p.name for p in named.ct]) == ("p7", ["ct.nii"])
    assert (other.case, other.ct) == ("other_2", ())
    np.testing.assert_array_equal(load_study(other).suv.array, suv.array)


@pytest.mark.parametrize("values", [(np.nan,), (np.inf,), (np.inf, -np.inf)])
def test_nifti_that_is_not_finite_is_refused(values: tuple[float, ...], tmp_path: Path) -> None:
    suv, _ = make_volume()
    array = suv.array.copy()
    array.reshape(-1)[: len(values)] = values
    write_nifti(suv.with_array(array), tmp_path / "pet.nii.gz")
    with pytest.raises(InputError, match="NaN or infinity"):
        load_study(_one(tmp_path))


def test_nifti_in_becquerel_is_refused(tmp_path: Path) -> None:
    suv, _ = make_volume()
    write_nifti(suv.with_array(suv.array * 4000), tmp_path / "pet.nii.gz")
    with pytest.raises(InputError, match="no SUV"):
        load_study(_one(tmp_path))


def test_a_manifest_goes_on_past_what_is_missing(tmp_path: Path) -> None:
    suv, _ = make_volume()
    write_nifti(suv, tmp_path / "a.nii.gz")
    write_series(tmp_path / "dicom")
    (tmp_path / "m.csv").write_text(
        "\ufeffcase,pet,ct,subtype\none,a.nii.gz,,HL\ntwo,absent.nii,,\n../three,dicom,,FL\n",
        encoding="utf-8",
    )
    one, three, two = find_studies(tmp_path / "m.csv")
    assert isinstance(one, Study)
    assert (one.case, one.kind, one.extra) == ("one", "nifti", {"subtype": "HL"})
    assert isinstance(two, Failure)
    assert "absent.nii" in str(two.error)
    assert isinstance(three, Study)
    assert (three.case, three.kind) == ("three", "dicom")
    (tmp_path / "bad.csv").write_text("a,b\n1,2\n")
    with pytest.raises(InputError, match=r"case,pet"):
        find_studies(tmp_path / "bad.csv")


def test_one_bad_study_leaves_the_others(tmp_path: Path) -> None:
    write_series(tmp_path / "a", study="1.2.3", series="1.2.3.4")
    for k in (1, 2):
        write_series(tmp_path / f"b{k}", study="1.2.5", series=f"1.2.5.{k}")
    found = find_studies(tmp_path)
    assert [type(s) for s in found] == [Study, Failure]


def test_single_slices_of_another_tracer_are_refused(shared_data: Path) -> None:
    """Two FLT slices, one of them dynamic, each a study of its own."""
    for study in find_studies(shared_data / "single_slices"):
        assert isinstance(study, Study)
        with pytest.raises(InputError):
            load_study(study)
