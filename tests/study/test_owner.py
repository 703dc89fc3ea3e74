"""ROIs of another patient, of another study, off their own geometry, or on no uptake at all."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence

from tests.fuzz import drawings
from tests.fuzz.world import parsed, written
from tests.support.dicom import FACTOR, Change, codes, tags, write_series
from tmtv_engine.errors import GeometryError, Implausible
from tmtv_engine.image.nifti import write_nifti
from tmtv_engine.image.volume import Grid, Unit, Volume
from tmtv_engine.study.find import Study, find_studies
from tmtv_engine.study.load import load_study
from tmtv_engine.study.owner import Owner
from tmtv_engine.study.rois import read_rois
from tmtv_tui.cli.app import main

GRID = Grid.axial(drawings.SHAPE, drawings.SPACING, drawings.ORIGIN, "1.2.3.9")
KINDS: dict[str, Callable[[], bytes]] = {"rtstruct": drawings.rtstruct, "seg": drawings.seg}
SAME = tags(PatientID="T1", PatientName="Test^Case", StudyInstanceUID="1.2.3")


def _rois(path: Path, kind: str, *changes: Change) -> Path:
    ds = parsed(KINDS[kind]())
    for change in (SAME, *changes):
        change(ds)
    path.write_bytes(written(ds))
    return path


def _pet(folder: Path, hot: float = 6.0) -> Path:
    """SUV 1, and ``hot`` in the boxes of `drawings`."""
    suv = np.ones(drawings.SHAPE)
    for mask in drawings.truth().values():
        suv[mask] = hot
    stored = np.rint(suv / FACTOR / 2).astype(np.int16)  # FACTOR is 0.0004

    def twice(_: int, ds: Dataset) -> None:
        ds.RescaleSlope = "2"

    write_series(folder, stored, spacing=drawings.SPACING, origin=drawings.ORIGIN, bend=twice)
    return folder


def _owner(folder: Path) -> Owner:
    (study,) = find_studies(_pet(folder))
    assert isinstance(study, Study)
    return Owner.of_source(json.loads(json.dumps(load_study(study).source)))


def test_a_pet_says_whose_it_is_by_its_source(tmp_path: Path) -> None:
    owner = _owner(tmp_path)
    assert (owner.whose.patient_id, owner.whose.name) == ("T1", "TEST CASE")
    assert (owner.whose.born, owner.study_uid) == ("19700102", "1.2.3")
    assert owner.series == {"1.2.3.4"}


@pytest.mark.parametrize(
    "source",
    [
        {},
        {"pet": None},
        {"pet": {"header": None}},
        {"pet": {"header": {"00100020": 7, "00100010": {"Value": [None]}}}},
        {"pet": {"header": {"00100020": {"Value": "T1"}, "0020000D": {"Value": []}}}},
    ],
)
def test_a_source_that_says_nothing_owns_nothing(source: dict[str, object]) -> None:
    assert Owner.of_source(source) == Owner()


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_rois_of_another_patient_are_refused_though_the_frame_is_the_same(
    kind: str, tmp_path: Path
) -> None:
    owner, path = _owner(tmp_path / "pet"), _rois(tmp_path / "r.dcm", kind, tags(PatientID="T2"))
    with pytest.raises(Implausible, match="its PatientID") as caught:
        read_rois(path, GRID, owner=owner)
    assert caught.value.code == "other-patient"
    taken = read_rois(path, GRID, owner=owner, accepted={"other-patient"})
    assert codes(taken.notices) == ["other-patient"]
    assert codes(read_rois(path, GRID).notices) == []  # nobody said whose the PET is


def _of_study(*uids: str) -> Change:
    def change(ds: Dataset) -> None:
        ds.StudyInstanceUID = uids[0]
        frame, studies = Dataset(), []
        for uid in uids[1:]:
            study = Dataset()
            study.ReferencedSOPInstanceUID = uid
            studies.append(study)
        frame.RTReferencedStudySequence = Sequence(studies)
        ds.ReferencedFrameOfReferenceSequence = Sequence([frame])

    return change


UNCLEAR: dict[str, tuple[Change, list[str]]] = {
    "the same": (tags(), []),
    "nobody": (tags(PatientID="", PatientName=None, StudyInstanceUID=""), []),
    "written otherwise": (tags(PatientName="TEST CASE"), []),
    "another name": (tags(PatientName="Other^Case"), ["patient-unclear"]),
    "another birth date": (tags(PatientBirthDate="19600101"), ["patient-unclear"]),
    "no number, another name": (
        tags(PatientID=None, PatientName="Other^Case"),
        ["patient-unclear"],
    ),
    "another study": (tags(StudyInstanceUID="1.2.99"), ["other-study"]),
    "a plan of its own, drawn on this": (_of_study("1.2.99", "1.2.3"), []),
    "stored with this, drawn on another": (_of_study("1.2.3", "1.2.98"), ["other-study"]),
    "drawn on this and another": (_of_study("1.2.99", "1.2.98", "1.2.3"), []),
    "another, drawn on a third": (_of_study("1.2.99", "1.2.98"), ["other-study"]),
}


@pytest.mark.parametrize("kind", sorted(KINDS))
@pytest.mark.parametrize("name", sorted(UNCLEAR))
def test_what_else_rois_say_of_their_patient_and_study(
    name: str, kind: str, tmp_path: Path
) -> None:
    change, told = UNCLEAR[name]
    path = _rois(tmp_path / "r.dcm", kind, change)
    assert codes(read_rois(path, GRID, owner=_owner(tmp_path / "pet")).notices) == told


def test_threshold_report_and_import_ask_as_well(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pet, out = str(_pet(tmp_path / "pet")), str(tmp_path / "out")
    own = _rois(tmp_path / "own.dcm", "rtstruct")
    other = _rois(tmp_path / "other.dcm", "rtstruct", tags(PatientID="T2"))
    assert main(["threshold", pet, str(other), "-o", out]) == 1
    assert "other.dcm: its PatientID is not that of the PET" in capsys.readouterr().err
    assert main(["threshold", pet, str(own), "-o", out]) == 0
    (case,) = (p for p in (tmp_path / "out").iterdir() if (p / "case.json").exists())
    assert main(["import", str(case), str(other), "--reader", "AB"]) == 1
    assert main(["import", str(case), str(own), "--reader", "AB"]) == 0
    rows = f"case,roi\n{case.name},{other.name}\n"
    (tmp_path / "manual.csv").write_text(rows, "utf-8")
    capsys.readouterr()
    report = ["report", out, "--reference", str(tmp_path / "manual.csv"), "-o", f"{out}-r"]
    assert main(report) != 0
    assert "PatientID" in capsys.readouterr().err
    accept = ["--accept", "other-patient"]
    assert main([*report, *accept]) == 0
    assert json.loads((tmp_path / "out-r" / "report.json").read_text())["accepted"] == accept[1:]
    assert main(["import", str(case), str(other), "--reader", "CD", *accept]) == 0
    (journal,) = case.rglob("CD.jsonl")
    assert "accepted other-patient" in journal.read_text()
    assert main(["threshold", pet, str(other), "-o", f"{out}2", *accept]) == 0
    (tmp_path / "cohort.csv").write_text(f"case,pet,roi\na,pet,own.dcm\nb,pet,{other.name}\n")
    assert main(["train", str(tmp_path / "cohort.csv"), "-o", f"{out}-t", "--epochs", "1"]) == 1
    told = capsys.readouterr().err
    assert f"1 of 2 patients cannot be taken: b: {other}: its PatientID is not that of" in told


@pytest.mark.parametrize(
    ("frames", "asked", "told"),
    [
        (("1.2.3.9", "1.2.3.9"), None, False),
        (("1.2.3.9", "9.9"), None, True),  # one of them was drawn in another
        (("1.2.3.9", "9.9"), ["1"], False),
        (("", ""), None, False),
    ],
)
def test_each_roi_may_name_a_frame_of_its_own(
    frames: tuple[str, str], asked: list[str] | None, told: bool, tmp_path: Path
) -> None:
    def change(ds: Dataset) -> None:
        for roi, frame in zip(ds.StructureSetROISequence, frames, strict=True):
            roi.ReferencedFrameOfReferenceUID = frame

    rois = read_rois(_rois(tmp_path / "r.dcm", "rtstruct", change), GRID, names=asked)
    assert codes(rois.notices) == (["frames-differ"] if told else [])


# A SEG and its own geometry


def _measures(**values: object) -> Change:
    def change(ds: Dataset) -> None:
        size = ds.SharedFunctionalGroupsSequence[0].PixelMeasuresSequence[0]
        for keyword, value in values.items():
            setattr(size, keyword, value)

    return change


def _turned(*cosines: float) -> Change:
    def change(ds: Dataset) -> None:
        plane = ds.SharedFunctionalGroupsSequence[0].PlaneOrientationSequence[0]
        plane.ImageOrientationPatient = list(cosines)

    return change


REFUSED: dict[str, Change] = {
    "spacing of another image": _measures(PixelSpacing=[4.0, 4.0]),
    "rows for columns": _measures(PixelSpacing=[2.0, 3.0]),
    "one per cent of a size": _measures(PixelSpacing=[0.03, 0.02]),
    "no size": _measures(PixelSpacing=[0.0, 2.0]),
    "negative": _measures(PixelSpacing=[-3.0, 2.0]),
    "rows turned round": _turned(-1, 0, 0, 0, 1, 0),
    "upside down": _turned(1, 0, 0, 0, -1, 0),
    "no right angle": _turned(1, 0, 0, 0.5, 0.866, 0),
    "no unit": _turned(2, 0, 0, 0, 1, 0),
}


@pytest.mark.parametrize("name", sorted(REFUSED))
def test_a_seg_of_the_pets_matrix_that_is_of_another_size_is_refused(
    name: str, tmp_path: Path
) -> None:
    with pytest.raises(GeometryError, match=r"r\.dcm"):
        read_rois(_rois(tmp_path / "r.dcm", "seg", REFUSED[name]), GRID)


@pytest.mark.parametrize(
    ("spacing", "told"), [(4.0, []), (4.03, []), (8.0, ["seg-geometry"]), (2.0, ["seg-geometry"]),
                          (5.0, ["seg-geometry"]), (None, [])],
)  # fmt: skip
def test_a_spacing_that_no_frame_keeps_is_told(
    spacing: float | None, told: list[str], tmp_path: Path
) -> None:
    """The frames of both segments lie 4 mm apart: that holds, and nothing is thick or thin."""
    rois = read_rois(
        _rois(tmp_path / "r.dcm", "seg", _measures(SpacingBetweenSlices=spacing)), GRID
    )
    assert [n for n in codes(rois.notices) if n == "seg-geometry"] == told


KINDS_OF_GRID = ("seg-geometry", "roi-spacing")


def _cut(*pixel_mm: float) -> Change:
    """A SEG of fewer rows, as some crop it: its matrix tells nothing."""

    def change(ds: Dataset) -> None:
        bits = np.unpackbits(np.frombuffer(ds.PixelData, np.uint8), bitorder="little")
        count = int(ds.NumberOfFrames) * ds.Rows * ds.Columns
        frames = bits[:count].reshape(-1, ds.Rows, ds.Columns)[:, :-1]
        ds.Rows -= 1
        packed = np.packbits(frames.reshape(-1), bitorder="little").tobytes()
        ds.PixelData = packed + b"\0" * (len(packed) % 2)
        _measures(PixelSpacing=list(pixel_mm))(ds)

    return change


def _drawn_on(uid: str) -> Change:
    item = Dataset()
    item.SeriesInstanceUID = uid
    return tags(ReferencedSeriesSequence=Sequence([item])) if uid else tags()


@pytest.mark.parametrize(
    ("pixel_mm", "series", "told"),
    [
        ((3.0, 2.0), "1.2.3.4", []),
        ((2.5, 2.0), "1.2.3.4", ["seg-geometry"]),
        ((2.5, 2.0), "1.2.3.5", []),  # drawn on the CT, whose voxels these may be
        ((3.0, 2.0), "", []),
        ((2.5, 2.0), "", ["roi-spacing"]),  # nobody says on what
    ],
)
def test_a_seg_drawn_on_the_pet_lies_on_its_voxels(
    pixel_mm: tuple[float, float], series: str, told: list[str], tmp_path: Path
) -> None:
    path = _rois(tmp_path / "r.dcm", "seg", _cut(*pixel_mm), _drawn_on(series))
    rois = read_rois(path, GRID, owner=_owner(tmp_path / "pet"))
    assert [n for n in codes(rois.notices) if n in KINDS_OF_GRID] == told


@pytest.mark.parametrize(
    ("scale", "first", "size", "told"),
    [
        ((1, 1.5, 1.5), (2, 3, 1), (4, 5, 6), True),  # cut out, and 4.5 × 3 mm
        ((1, 1, 1), (2, 3, 1), (4, 5, 6), False),
        ((2, 1, 1), (2, 3, 1), (3, 5, 6), False),  # thicker
        ((1, 0.5, 0.5), (0, 0, 0), (12, 22, 26), False),  # the whole, finer from one corner
        ((1, 1.5, 1.5), (2, 3.3, 1), (4, 5, 6), False),  # a grid of its own
        ((1, -1.5, 1.5), (2, 8, 1), (4, 4, 6), True),
    ],
)
def test_a_mask_cut_out_of_the_pets_grid_has_its_spacing(
    scale: tuple[float, ...],
    first: tuple[float, ...],
    size: tuple[int, int, int],
    told: bool,
    tmp_path: Path,
) -> None:
    affine = GRID.affine.copy()
    affine[:3, 3] = GRID.to_mm(first)
    affine[:3, :3] = affine[:3, :3] * np.array(scale)
    mask = np.zeros(size, np.uint8)
    mask[1:3, 1:4, 1:4] = 1
    write_nifti(Volume(mask, Grid(size, affine), Unit.LABEL), tmp_path / "m.nii.gz")
    notices = codes(read_rois(tmp_path / "m.nii.gz", GRID).notices)
    assert ("roi-spacing" in notices) is told
