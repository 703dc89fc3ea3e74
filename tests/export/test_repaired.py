"""Repaired lesions go out as they are: objects read back, tables; DICOM where no image is."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest

from tests.support.exports import drawn_labels, small_case
from tmtv_engine.case.folder import Case, read_case
from tmtv_engine.errors import CaseError
from tmtv_engine.export.objects import write_objects
from tmtv_engine.review.reading import reading_of
from tmtv_engine.review.repairs import add, erase, merge
from tmtv_engine.review.session import Session, record
from tmtv_engine.study.rois import read_rois

LABELS = drawn_labels("some")
FREE = (3, 9, 2)  # (z, y, x), in no lesion


def mm(case: Case, at: tuple[int, int, int]) -> tuple[float, float, float]:
    x, y, z = case.voxels().grid.to_mm(at)
    return float(x), float(y), float(z)


def repaired(case: Case) -> np.ndarray:
    """Erase, merge and add; the label map that is expected, by hand."""
    record(case, erase(1, [(*mm(case, (2, 4, 6)), 0.1)]), "AB")  # one voxel
    record(case, merge([2, 3]), "AB")
    seed = Session(case, "AB").replayer.pet
    suv = seed.volume().array[FREE]
    record(case, add(seed, mm(case, FREE), float(suv) / 2, 0.1), "AB")  # one voxel too
    expected = np.where(LABELS == 3, 2, LABELS)
    expected[2, 4, 6] = 0
    expected[FREE] = 4
    return np.asarray(expected)


@pytest.mark.parametrize("name", ["seg_raw.dcm", "rtstruct_raw.dcm", "labels_raw.nii.gz"])
def test_what_is_written_is_what_was_repaired(tmp_path: Path, name: str) -> None:
    case = small_case(tmp_path)
    expected = repaired(case)
    assert (reading_of(case, "AB").lesions.labels().array == expected).all()
    kind = {"seg": "seg", "rts": "rtstruct", "lab": "nifti"}[name[:3]]
    write_objects(read_case(case.path), [kind])
    found = read_rois(case.path / "export" / name, case.voxels().grid)
    mask = found.labels.array > 0
    if kind == "rtstruct":  # contours, not voxels
        assert mask[FREE]
        assert not mask[2, 4, 6]
        return
    assert (mask == (expected > 0)).all()
    assert len(found.names) == 3


def test_tables_of_an_export_say_what_is_now(tmp_path: Path) -> None:
    case = small_case(tmp_path)
    expected = repaired(case)
    write_objects(read_case(case.path), ["csv", "sr"])
    with (case.path / "export" / "lesions.csv").open() as file:
        rows = {row["id"]: row for row in csv.DictReader(file)}
    assert {n: (row["status"], row["voxels"]) for n, row in rows.items()} == {
        "1": ("accepted", str(int((expected == 1).sum()))),
        "2": ("accepted", str(int((expected == 2).sum()))),
        "3": ("rejected", "1"),
        "4": ("accepted", "1"),
    }
    totals = read_case(case.path).record.totals["raw"]
    assert totals.tmtv_ml == pytest.approx(int((expected > 0).sum()) * case.voxels().grid.voxel_ml)


def test_without_an_image_the_dicom_is_read_and_that_is_said(tmp_path: Path) -> None:
    case = small_case(tmp_path)
    with_image = Session(case, "AB").replayer.pet.volume().array
    (case.path / "image.b2nd").unlink()
    pet = Session(case, "AB").replayer.pet
    with pytest.warns(UserWarning, match="the PET is read from"):
        assert pet.volume().array.tobytes() == with_image.tobytes()
    with pytest.warns(UserWarning, match="the PET is read from"):
        reading = record(case, add(pet, mm(case, FREE), 0.0, 0.1), "AB")
    assert reading.lesions.index(reading.lesions.row(4)).tolist() == [list(FREE)]
    (tmp_path / "dicom").rename(tmp_path / "elsewhere")
    with (
        pytest.warns(UserWarning, match="the PET is read from"),
        pytest.raises(CaseError, match=r"has no image\.b2nd") as error,
    ):
        reading_of(read_case(case.path), "AB")
    assert "source.json" in error.value.remedy
