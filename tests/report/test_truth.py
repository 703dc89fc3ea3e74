"""A case beside its truth: what was found, missed and invented, counted and drawn."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.support.cases import make_volume
from tmtv_engine.case.folder import Case, find_cases, read_case
from tmtv_engine.image.nifti import write_nifti
from tmtv_engine.image.volume import Unit, Volume
from tmtv_engine.lesion.origin import Status
from tmtv_engine.report import truth
from tmtv_engine.report.truth import FOUND, MISSED, beside_truth, draw_truth
from tmtv_tui.cli.app import main


@pytest.fixture(scope="module")
def case(tmp_path_factory: pytest.TempPathFactory) -> tuple[Case, Path]:
    """Two hot spots of SUV 9 and 6; true are one voxel of the first, a third spot and a fourth."""
    folder = tmp_path_factory.mktemp("truth")
    suv, labels = make_volume()
    (folder / "a").mkdir()
    write_nifti(suv, folder / "a" / "pet.nii.gz")
    true = np.zeros_like(labels.array)
    true[5, 9, 9] = 1
    true[labels.array == 3] = 2
    true[1, 30, 36] = 3
    write_nifti(Volume(true, labels.grid, Unit.LABEL), folder / "rois.nii.gz")
    asked = ["predict", str(folder / "a"), "--model", "hotspot", "-o", str(folder / "out"), "-q"]
    assert main(asked) == 0
    return read_case(find_cases(folder / "out")[0]), folder / "rois.nii.gz"


def test_one_shared_voxel_is_found_and_what_touches_none_is_invented(
    case: tuple[Case, Path],
) -> None:
    told = beside_truth(case[0].path, case[1])
    assert told.truth.ids.tolist() == [1, 2, 3]
    assert told.missed == (1, 2)
    assert len(told.accepted) == 2
    (number,) = told.invented
    highest = {row.id: row.suv_max for row in case[0].record.lesions}
    assert highest[number] == pytest.approx(6.0)
    assert told.words == "1 of 3 true lesions found, 2 missed; 1 of 2 accepted invented"


def test_a_healthy_patient_has_everything_invented(case: tuple[Case, Path]) -> None:
    told = beside_truth(case[0].path, None)
    assert (len(told.truth), told.missed, told.invented) == (0, (), told.accepted)
    assert told.words == "0 of 0 true lesions found, 0 missed; 2 of 2 accepted invented"


def test_the_picture_has_what_was_missed_in_its_colour(
    case: tuple[Case, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    counts = []
    inks = (FOUND, MISSED, Status.ACCEPTED.paper)
    for rois in (case[1], None):
        draw_truth(tmp_path / "truth.png", case[0].path, beside_truth(case[0].path, rois))
        pixels = np.asarray(Image.open(tmp_path / "truth.png").convert("RGB"))
        counts.append([int((pixels == rgb).all(axis=2).sum()) for rgb in inks])
    assert all(n > 50 for n in counts[0])
    assert counts[1][:2] == [0, 0]
    assert counts[1][2] > counts[0][2]  # one more is invented: its line is broad
    names: list[str] = []
    monkeypatch.setattr(truth, "write_sheet", lambda *a: names.extend(m.name for m in a[3]))
    told = beside_truth(case[0].path, case[1])
    draw_truth(tmp_path / "none.png", case[0].path, told)
    (hit,) = set(told.accepted) - set(told.invented)
    assert sorted(names) == sorted(
        [str(hit), f"{told.invented[0]} invented", "T1", "T2 missed", "T3 missed"]
    )
