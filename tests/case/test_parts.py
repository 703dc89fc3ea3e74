"""A mass that is counted in parts is said to be, wherever its totals stand."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from msgspec.structs import replace

from tests.support.cases import make_case
from tmtv_engine.case.folder import find_cases, read_case
from tmtv_engine.case.parts import masses_in_parts, parts_words, unknown_words
from tmtv_engine.case.picture import caption
from tmtv_engine.image.nifti import write_nifti
from tmtv_engine.image.volume import Grid, Unit, Volume
from tmtv_engine.lesion.origin import Status
from tmtv_tui.cli.app import main

SHAPE = (17, 19, 41)
VOXEL_ML = 4.0 * 4.0 * 4.0 / 1000
PEAKS = ((8, 9, 11, 20.0), (8, 9, 29, 8.0))


@pytest.fixture
def mass(tmp_path: Path) -> np.ndarray:
    """One component of two maxima, 20 and 8, 72 mm apart, and its PET and mask as NIfTI."""
    index = np.indices(SHAPE).astype(np.float64)
    suv = np.ones(SHAPE, np.float32)
    for z, y, x, peak in PEAKS:
        far = np.sqrt((index[0] - z) ** 2 + (index[1] - y) ** 2 + ((index[2] - x) * 0.7) ** 2)
        suv = np.maximum(suv, (peak - (peak - 3.0) / 6.5 * far).astype(np.float32))
    suv[8, 9, 11:30] = np.maximum(suv[8, 9, 11:30], 3.0)
    grid = Grid.axial(SHAPE, (4.0, 4.0, 4.0), (0.0, 0.0, 0.0), "1.2.3")
    write_nifti(Volume(suv, grid, Unit.SUV), tmp_path / "pet.nii.gz")
    mask = (suv >= 2.9).astype(np.uint16)
    write_nifti(Volume(mask, grid, Unit.LABEL), tmp_path / "mask.nii.gz")
    return suv


def test_parts_are_told_and_merge_undoes_them(
    mass: np.ndarray, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = ["threshold", str(tmp_path / "pet.nii.gz"), str(tmp_path / "mask.nii.gz")]
    assert main([*asked, "--rois", "components", "-o", str(tmp_path / "out")]) == 0
    told = capsys.readouterr()
    case = read_case(find_cases(tmp_path / "out")[0])
    assert [row.suv_max for row in case.record.lesions] == [20.0, 8.0]
    assert "2 lesions (1, 2) are one mass cut into parts" in told.err
    assert "tmtv merge CASE N M..." in told.err
    assert "--no-split" in told.err
    assert "2 lesions are parts of 1 mass" in caption(case.record)
    parts = case.record.totals["41"].tmtv_ml
    assert main(["merge", str(case.path), "1", "2"]) == 0
    assert "cut into parts" not in capsys.readouterr().err
    whole = read_case(case.path).record.totals["41"]
    assert whole.tmtv_ml == pytest.approx(np.count_nonzero(mass > 0.41 * 20.0) * VOXEL_ML)
    assert parts > whole.tmtv_ml  # what was told: each part has its own maximum
    assert whole.lesions == 1


def test_only_what_counts_and_shares_a_component_is_told(tmp_path: Path) -> None:
    record = make_case(tmp_path).record
    assert parts_words(record) == ""
    one, two, three = (replace(row, component=1) for row in record.lesions)
    assert masses_in_parts([one, two, three]) == [(1, 2)]  # the third is a candidate
    assert masses_in_parts([one, replace(two, status=Status.REJECTED), three]) == []
    many = [replace(one, id=i, component=i % 2) for i in range(1, 13)]
    told = parts_words(replace(record, lesions=tuple(many)))
    assert told.startswith("12 lesions (1, 2, 3, 4, 5, 6, 7, 8, …) are 2 masses cut into parts: ")


def test_a_background_that_is_unknown_is_told_of_where_a_method_needs_it(
    mass: np.ndarray, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A reader's split leaves parts whose background nobody knows: A50P keeps nothing of them."""
    asked = ["threshold", str(tmp_path / "pet.nii.gz"), str(tmp_path / "mask.nii.gz")]
    asked += ["--rois", "labels", "--method", "41", "--method", "a50p", "--method", "mv2"]
    assert main([*asked, "-o", str(tmp_path / "out")]) == 0
    assert "A50P keeps nothing" not in capsys.readouterr().err
    case = read_case(find_cases(tmp_path / "out")[0])
    assert case.record.totals["a50p"].tmtv_ml > 0
    assert unknown_words(case.record) == ""
    assert main(["split", str(case.path), "1"]) == 0
    said = "the background of 2 lesions (2, 3) is unknown, A50P keeps nothing there: "
    assert f"{said}a50p, mv2 lack what A50P would keep" in capsys.readouterr().err
    split = read_case(case.path).record
    assert split.totals["a50p"].tmtv_ml == 0
    others = replace(split, totals={"41": split.totals["41"]})
    assert unknown_words(others) == ""
    assert main(["export", str(case.path), "--write", "page"]) == 0
    page = (case.path / "export" / "page.html").read_text("utf-8")
    assert said in page
