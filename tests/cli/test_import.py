"""What was corrected in another viewer comes back as decisions in the journal."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from tests.support.cases import SPOTS, make_case, make_volume
from tests.support.dicom import write_series
from tests.support.exports import finder_of
from tmtv_engine.case.cuts import Cuts
from tmtv_engine.case.folder import Case, read_case
from tmtv_engine.errors import CaseError, InputError, UsageError
from tmtv_engine.export.objects import write_objects
from tmtv_engine.image.nifti import write_nifti
from tmtv_engine.image.volume import Unit, Volume
from tmtv_engine.lesion.methods import parse_method
from tmtv_engine.pipeline import CaseConfig, run_case
from tmtv_engine.review.corrected import correct, import_rois
from tmtv_engine.review.journal import Decision, Journal
from tmtv_engine.review.reading import reading_of
from tmtv_engine.review.session import record
from tmtv_engine.study.find import Study, find_studies
from tmtv_engine.study.rois import Rois
from tmtv_tui.cli.app import main

Labels = npt.NDArray[np.uint16]
NEW = (slice(2, 4), slice(20, 23), slice(5, 9))  # 24 voxels of background


@pytest.fixture
def case(tmp_path: Path) -> Case:
    """Lesions 1 and 2 accepted, 3 a candidate; the PET lies beside, as NIfTI."""
    suv, _ = make_volume()
    write_nifti(suv, tmp_path / "pet.nii.gz")
    where = {"folder": str(tmp_path), "files": ["pet.nii.gz"]}
    return make_case(tmp_path, source={"kind": "nifti", "pet": where})


def drawn() -> Labels:
    return np.array(make_volume()[1].array, np.uint16)


def rois(labels: Labels, kind: str = "labels") -> Rois:
    n = int(labels.max())
    grid = make_volume()[1].grid
    names = tuple(f"ROI {k + 1}" for k in range(n))
    return Rois(Volume(labels.astype(np.int32), grid, Unit.LABEL), names, kind)  # type: ignore[arg-type]


def matched(case: Case, labels: Labels, kind: str = "labels", same: float = 0.5) -> list[list[int]]:
    reading = reading_of(case)
    found = correct(reading, Cuts.of_record(case.record, reading.lesions), rois(labels, kind), same)
    return [list(m.lesions) for m in found.matches]


def written(tmp_path: Path, labels: Labels) -> Path:
    path = tmp_path / "corrected.nii.gz"
    write_nifti(Volume(labels, make_volume()[1].grid, Unit.LABEL), path)
    return path


def test_one_kept_one_gone_one_new_one_candidate_taken(
    case: Case, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    labels = drawn()
    labels[labels == 1] = 0
    labels[NEW] = 7
    file = str(written(tmp_path, labels))
    words = ["import", str(case.path), file, "--reader", "AB"]
    assert main([*words, "--json"]) == 0
    told = capsys.readouterr()
    rows = {r["id"]: r for r in json.loads(told.out)["lesions"]}
    state = {n: (r["status"], r["source"], r["decided_by"]) for n, r in rows.items()}
    assert state == {
        1: ("rejected", "model", "AB"),
        2: ("accepted", "model", "AB"),
        3: ("accepted", "hotspot", "AB"),
        4: ("accepted", "roi", "AB"),
    }
    assert rows[4]["voxels"] == 24
    assert rows[4]["suv_max"] == 1.0
    assert "ROI 7: new" in told.err
    assert "not in it, rejected: 1" in told.err
    lines = Journal(case.path / "review" / "AB.jsonl").read()
    assert [(x.action, x.lesions) for x in lines] == [
        ("accept", (2, 3)),
        ("reject", (1,)),
        ("add", (4,)),
    ]
    assert str(lines[0].text).startswith("labels ")
    assert main(["verify", str(tmp_path)]) == 0
    capsys.readouterr()
    assert main(words) == 0
    assert "nothing to decide" in capsys.readouterr().err
    assert len(Journal(case.path / "review" / "AB.jsonl").read()) == 3
    for _ in range(3):
        assert main(["undo", str(case.path), "--reader", "AB"]) == 0
    undone = read_case(case.path).raw
    assert [r["status"] for r in undone["lesions"]] == ["accepted", "accepted", "candidate"]
    assert undone["totals"] == undone["predicted_totals"]


def test_matching_by_overlap(case: Case) -> None:
    labels = drawn()
    middle = SPOTS[0][0]
    assert matched(case, labels) == [[1], [2], [3]]
    cut = labels * (make_volume()[0].array > 0.41 * 14.0).astype(np.uint16)
    assert matched(case, np.where(labels == 3, cut, labels)) == [[1], [2], [3]]
    half = np.where((labels == 1) & (np.indices(labels.shape)[1] < middle[1]), 0, labels)
    assert matched(case, half)[0] == [1]
    assert matched(case, half, same=0.95)[0] == []
    joined = np.where(labels == 2, 1, labels)
    joined[joined == 3] = 2
    assert matched(case, joined) == [[1, 2], [3]]
    divided = np.where((labels == 1) & (np.indices(labels.shape)[2] > middle[2] + 2), 4, labels)
    assert matched(case, divided) == [[], [2], [3], []]
    around = np.where(labels == 0, 0, labels)
    around[1:16, 3:30, 3:37] = 1
    around[labels == 3] = 3
    assert matched(case, around.astype(np.uint16))[0] == []


def test_a_mask_is_its_components_and_pieces_of_a_lesion_are_one(case: Case) -> None:
    mask = (drawn() > 0).astype(np.uint16)
    mask[:, :, 9] *= drawn()[:, :, 9] != 1  # lesion 1 falls in two
    mask[NEW] = 1
    found = matched(case, mask, "mask")
    assert sorted(found) == [[], [1], [2], [3]]


def test_shapes_that_differ_too_much_are_taken_as_drawn(case: Case, tmp_path: Path) -> None:
    labels = drawn()
    y = SPOTS[0][0][1]
    labels[(labels == 1) & (np.indices(labels.shape)[1] < y)] = 0
    labels[(labels == 2)] = 0
    found = import_rois(case, written(tmp_path, labels), "AB", same=0.99)
    reading = found.reading
    (row,) = [k for k in reading.accepted if reading.sources[int(reading.lesions.ids[k])] == "roi"]
    assert set(reading.lesions.voxels[reading.lesions.span(row)]) == set(
        np.flatnonzero(labels == 1)
    )
    assert reading.status[1] == "rejected"
    assert reading.status[2] == "rejected"
    assert found.decisions == 3


def test_an_import_of_what_was_exported_decides_as_it_was(tmp_path: Path) -> None:
    array = np.random.default_rng(3).integers(900, 1000, (7, 11, 13)).astype(np.int16)
    labels = np.zeros(array.shape, np.uint16)
    labels[1:4, 2:7, 2:8], labels[4:6, 8:10, 9:12], labels[6, 0:2, 0:3] = 1, 2, 3
    array[labels > 0] += 20000
    write_series(tmp_path / "dicom", array)
    (study,) = find_studies(tmp_path / "dicom")
    assert isinstance(study, Study)

    case = run_case(study, finder_of(labels), CaseConfig(tmp_path / "out", (parse_method("41"),)))
    record(case, Decision("reject", (2,)), "AB")
    written = write_objects(read_case(case.path), ["seg", "rtstruct"])
    for file, reader in zip(written, ("SEG", "RT"), strict=True):
        found = import_rois(read_case(case.path), file, reader)
        assert [found.reading.status[n] for n in (1, 2, 3)] == ["accepted", "rejected", "accepted"]
        assert [m.dice for m in found.correction.matches] == pytest.approx([1.0, 1.0])
    drawn = labels.copy()
    drawn[2, 9, 1:3] = 9
    path = tmp_path / "added.nii.gz"
    write_nifti(Volume(drawn, case.voxels().grid, Unit.LABEL), path)
    found = import_rois(read_case(case.path), path, "NEW")
    assert found.reading.sources[4] == "roi"
    row = found.reading.lesions.row(4)
    factor = case.raw["pet"]["suv_factor"]
    assert found.reading.lesions.suv[found.reading.lesions.span(row)] == pytest.approx(
        array[2, 9, 1:3] * factor, rel=1e-6
    )


def test_what_cannot_be_is_told_and_decides_nothing(case: Case, tmp_path: Path) -> None:
    labels = drawn()
    labels[NEW] = 4
    file = written(tmp_path, labels)
    (tmp_path / "pet.nii.gz").rename(tmp_path / "moved.nii.gz")
    with pytest.raises(CaseError, match="no longer there"):
        import_rois(case, file, "AB")
    suv, _ = make_volume()
    write_nifti(suv.with_array(suv.array * 2), tmp_path / "pet.nii.gz")
    with pytest.raises(CaseError, match="not the one"):
        import_rois(case, file, "AB")
    with pytest.raises(UsageError, match="parts nothing"):
        import_rois(case, file, "AB", same=0.4)
    with pytest.raises(InputError, match="no ROI"):
        import_rois(case, written(tmp_path, np.zeros_like(labels)), "AB")
    assert not list((case.path / "review").glob("AB*"))
    file = written(tmp_path, labels)
    found = import_rois(case, file, "AB", pet=tmp_path / "moved.nii.gz")
    assert found.reading.status[4] == "accepted"
    record(read_case(case.path), Decision("sign"), "AB")
    with pytest.raises(CaseError, match="signed"):
        import_rois(read_case(case.path), file, "AB")
