"""Exported objects: judged by dciodvfy and dcmqi, read back by ourselves, the same bytes twice."""

from __future__ import annotations

import csv
import json
import subprocess
from pathlib import Path

import numpy as np
import pytest
from pydicom import dcmread
from pydicom.dataset import Dataset

from tests.support.exports import OBLIQUE, dcmqi_program, drawn_labels, errors_of, small_case
from tmtv_engine.case.folder import read_case
from tmtv_engine.errors import CaseError, UsageError
from tmtv_engine.export.job import job_of
from tmtv_engine.export.objects import write_objects
from tmtv_engine.export.writers import WRITERS
from tmtv_engine.review.journal import Decision
from tmtv_engine.review.session import record, refresh
from tmtv_engine.study.rois import read_rois


def test_dciodvfy_finds_no_error(tmp_path: Path) -> None:
    case = small_case(tmp_path)
    record(case, Decision("reject", (2,), reason="bladder"), "AB")
    written = write_objects(read_case(case.path), ["seg", "sr", "rtstruct", "mip"])
    assert [p.name for p in written] == [
        "seg_41.dcm",
        "seg_raw.dcm",
        "sr.dcm",
        "rtstruct_41.dcm",
        "rtstruct_raw.dcm",
        "mip.dcm",
    ]
    assert {p.name: errors_of(p) for p in written} == {p.name: [] for p in written}


def test_the_same_reading_is_the_same_bytes_and_another_a_new_series(tmp_path: Path) -> None:
    case = small_case(tmp_path)
    first = {p.name: p.read_bytes() for p in write_objects(case, list(WRITERS))}
    again = {p.name: p.read_bytes() for p in write_objects(case, list(WRITERS))}
    assert first == again
    record(case, Decision("open"), "AB")
    record(case, Decision("close"), "AB")
    looked = {p.name: p.read_bytes() for p in write_objects(read_case(case.path), list(WRITERS))}
    assert looked == first  # looking changes nothing
    before = dcmread(case.path / "export" / "seg_raw.dcm")
    record(case, Decision("reject", (3,)), "AB")
    write_objects(read_case(case.path), ["seg"])
    after = dcmread(case.path / "export" / "seg_raw.dcm")
    assert before.SeriesInstanceUID != after.SeriesInstanceUID
    assert before.SegmentSequence[0].TrackingUID == after.SegmentSequence[0].TrackingUID
    assert before.SegmentSequence[0].SegmentAlgorithmType == "AUTOMATIC"
    assert after.SegmentSequence[0].SegmentAlgorithmType == "SEMIAUTOMATIC"


def test_accepted_lesions_only_and_one_identity_everywhere(tmp_path: Path) -> None:
    case = small_case(tmp_path)
    record(case, Decision("reject", (1,)), "AB")
    write_objects(read_case(case.path), ["seg", "sr"])
    cut, raw = (dcmread(case.path / "export" / f"seg_{key}.dcm") for key in ("41", "raw"))
    assert [s.SegmentLabel for s in raw.SegmentSequence] == ["Lesion 2", "Lesion 3"]
    assert [s.SegmentNumber for s in raw.SegmentSequence] == [1, 2]
    uids = {s.TrackingID: s.TrackingUID for s in raw.SegmentSequence}
    assert uids == {s.TrackingID: s.TrackingUID for s in cut.SegmentSequence}
    assert raw.SegmentSequence[0].SegmentedPropertyTypeCodeSequence[0].CodeValue == "108369006"
    algorithm = raw.SegmentSequence[0].SegmentationAlgorithmIdentificationSequence[0]
    assert algorithm.AlgorithmFamilyCodeSequence[0].CodeValue == "123110"
    assert "abababab" in algorithm.AlgorithmVersion
    report = str(dcmread(case.path / "export" / "sr.dcm"))
    assert all(uid in report for uid in uids.values())
    assert "AB^" in report


@pytest.mark.parametrize("kind", ["seg", "rtstruct"])
@pytest.mark.parametrize("cosines", [OBLIQUE, (1.0, 0, 0, 0, 1, 0), (-1.0, 0, 0, 0, -1, 0)])
def test_our_reader_gives_the_voxels_back(
    kind: str, cosines: tuple[float, ...], tmp_path: Path
) -> None:
    case = small_case(tmp_path, cosines=cosines)
    write_objects(case, [kind])
    rois = read_rois(case.path / "export" / f"{kind}_raw.dcm", case.voxels().grid)
    np.testing.assert_array_equal(rois.labels.array, drawn_labels("some"))


def test_a_signed_report_is_final_and_holds_the_signature(tmp_path: Path) -> None:
    case = small_case(tmp_path)
    write_objects(case, ["sr"])
    before = dcmread(case.path / "export" / "sr.dcm")
    assert (before.PreliminaryFlag, before.CompletionFlag) == ("PRELIMINARY", "COMPLETE")
    record(case, Decision("sign"), "AB")
    write_objects(read_case(case.path), ["sr"])
    after = dcmread(case.path / "export" / "sr.dcm")
    assert after.PreliminaryFlag == "FINAL"
    (signature,) = [
        item
        for item in after.ContentSequence
        if item.ConceptNameCodeSequence[0].CodeValue == "SIGNATURE"
    ]
    assert str(signature.TextValue) == job_of(read_case(case.path)).reading.signed
    assert errors_of(case.path / "export" / "sr.dcm") == []


def test_no_number_is_longer_than_sixteen_characters(tmp_path: Path) -> None:
    case = small_case(tmp_path)
    write_objects(case, ["rtstruct"])
    plan = dcmread(case.path / "export" / "rtstruct_raw.dcm")
    for roi in plan.ROIContourSequence:
        for contour in roi.ContourSequence:
            assert max(len(str(v)) for v in contour.ContourData) <= 16


def test_dcmqi_reads_the_voxels(tmp_path: Path) -> None:
    """dcmqi returns only the slices that hold something: compared by position."""
    program = dcmqi_program("segimage2itkimage")
    sitk = pytest.importorskip("SimpleITK")
    case = small_case(tmp_path)
    write_objects(case, ["seg"])
    (tmp_path / "itk").mkdir()
    command = [program, "--inputDICOM", str(case.path / "export" / "seg_raw.dcm"), "-t", "nifti"]
    subprocess.run(
        [*command, "--outputDirectory", str(tmp_path / "itk")], check=True, capture_output=True
    )
    lesions, found = case.voxels(), 0
    for number, row in enumerate(range(3), start=1):
        image = sitk.ReadImage(str(tmp_path / "itk" / f"{number}.nii.gz"))
        array = sitk.GetArrayFromImage(image)
        points = [
            image.TransformIndexToPhysicalPoint((int(x), int(y), int(z)))
            for z, y, x in np.argwhere(array)
        ]
        index = np.round(lesions.grid.to_index(np.array(points))).astype(int)
        ours = {tuple(i) for i in lesions.index(row).tolist()}
        assert {tuple(i) for i in index.tolist()} == ours
        found += len(ours)
    assert found == np.count_nonzero(drawn_labels("some"))


def test_dcmqi_reads_the_measures(tmp_path: Path) -> None:
    """Volume, TLG and SUVs of every lesion equal `case.json` to the digits of a DS."""
    program = dcmqi_program("tid1500reader")
    case = small_case(tmp_path)
    write_objects(case, ["sr"])
    out = tmp_path / "sr.json"
    command = [program, "--inputDICOM", str(case.path / "export" / "sr.dcm")]
    subprocess.run([*command, "--outputMetadata", str(out)], check=True, capture_output=True)
    groups = json.loads(out.read_text())["Measurements"]
    seen = 0
    for group in groups:
        name = str(group.get("TrackingIdentifier", ""))
        if not name.startswith("lesion "):
            continue
        values = {
            (m["quantity"]["CodeValue"], m.get("derivationModifier", {}).get("CodeValue")): m[
                "value"
            ]
            for m in group["measurementItems"]
        }
        row = next(r for r in case.raw["lesions"] if name == f"lesion {r['id']}")
        volume = float(values[("126032", None)])
        key = min(row["methods"], key=lambda k: abs((row["methods"][k]["volume_ml"] or 0) - volume))
        measures = row["methods"][key]
        assert volume == pytest.approx(measures["volume_ml"], rel=1e-10)
        assert float(values[("126033", None)]) == pytest.approx(measures["tlg_g"], rel=1e-10)
        assert float(values[("126401", "56851009")]) == pytest.approx(row["suv_max"], rel=1e-10)
        assert float(values[("126401", "373098007")]) == pytest.approx(
            measures["suv_mean"], rel=1e-10
        )
        assert float(values[("126401", "126031")]) == pytest.approx(row["suv_peak"], rel=1e-10)
        seen += 1
    assert seen == 6


def _numbers(container: Dataset) -> dict[str, tuple[float, str]]:
    """The measured values of a group by code: the double, and the decimal string."""
    found = {}
    for item in container.ContentSequence:
        if item.ValueType == "NUM":
            (value,) = item.MeasuredValueSequence
            code = item.ConceptNameCodeSequence[0].CodeValue
            found[code] = (float(value.FloatingPointValue), str(value.NumericValue))
    return found


def test_the_report_s_totals_are_those_of_the_reviewed_case(tmp_path: Path) -> None:
    case = small_case(tmp_path)
    record(case, Decision("split", (1,)), "AB")
    record(case, Decision("reject", (2,)), "AB")
    refresh(case)
    write_objects(read_case(case.path), ["sr"])
    totals = read_case(case.path).raw["totals"]
    seen: dict[str, dict[str, tuple[float, str]]] = {}
    for item in _walk(dcmread(case.path / "export" / "sr.dcm")):
        texts = [str(i.get("TextValue", "")) for i in item.get("ContentSequence") or []]
        seen |= {t.removeprefix("TMTV "): _numbers(item) for t in texts if t.startswith("TMTV ")}
    assert set(seen) == set(totals) == {"41", "raw"}
    for key, sums in totals.items():
        names = {"126032": "tmtv_ml", "126033": "tlg_g", "DMAX": "dmax_mm"}
        assert {names[code]: value for code, (value, _) in seen[key].items()} == {
            name: sums[name] for name in names.values()
        }
        for value, text in seen[key].values():
            assert len(text) <= 16
            assert float(text) == pytest.approx(value, rel=1e-13)


def test_nothing_accepted_is_zero_and_no_seg(tmp_path: Path) -> None:
    case = small_case(tmp_path, kind="none")
    written = write_objects(case, ["seg", "sr", "rtstruct"])
    assert [p.name for p in written] == ["sr.dcm"]
    report = dcmread(written[0])
    text = str(report)
    assert "TMTV 41" in text
    volumes = [item for item in _walk(report) if item.get("ConceptNameCodeSequence")]
    named = [v for v in volumes if v.ConceptNameCodeSequence[0].CodeValue == "126032"]
    assert [float(v.MeasuredValueSequence[0].NumericValue) for v in named] == [0.0, 0.0]
    assert errors_of(written[0]) == []


def _walk(dataset: Dataset) -> list[Dataset]:
    """Every content item below a dataset."""
    items = list(dataset.get("ContentSequence") or [])
    return [found for item in items for found in (item, *_walk(item))]


def test_what_a_reading_no_longer_has_is_taken_away(tmp_path: Path) -> None:
    case = small_case(tmp_path)
    write_objects(case, ["seg"])
    assert (case.path / "export" / "seg_raw.dcm").exists()
    record(case, Decision("reject", (1, 2, 3)), "AB")
    assert write_objects(read_case(case.path), ["seg"]) == []
    assert list((case.path / "export").iterdir()) == []


def test_tables_and_label_maps_follow_the_reading(tmp_path: Path) -> None:
    case = small_case(tmp_path)
    record(case, Decision("reject", (1,)), "AB")
    refresh(case)
    write_objects(read_case(case.path), ["nifti", "csv"])
    labels = read_rois(case.path / "export" / "labels_raw.nii.gz", case.voxels().grid)
    assert labels.names == ("2", "3")
    with (case.path / "export" / "lesions.csv").open() as file:
        assert [row["status"] for row in csv.DictReader(file)] == [
            "rejected",
            "accepted",
            "accepted",
        ]


def test_nifti_sources_say_what_can_be_written(tmp_path: Path) -> None:

    from tests.support.cases import make_case

    case = make_case(tmp_path)
    with pytest.raises(CaseError, match="NIfTI"):
        write_objects(case, ["seg"])
    assert [p.name for p in write_objects(case, ["csv"])] == ["lesions.csv"]
    with pytest.raises(UsageError, match="pdf"):
        write_objects(case, ["pdf"])


def test_a_split_goes_out_as_its_parts(tmp_path: Path) -> None:
    case = small_case(tmp_path)
    record(case, Decision("split", (1,)), "AB")
    job = job_of(read_case(case.path))
    parts = sorted(job.reading.splits[1])
    assert len(parts) >= 2
    assert [job.tracking_id(row) for row in job.rows] == [f"lesion {i}" for i in (2, 3, *parts)]
    write_objects(read_case(case.path), ["seg"])
    raw = dcmread(case.path / "export" / "seg_raw.dcm")
    assert [s.SegmentLabel for s in raw.SegmentSequence] == [f"Lesion {i}" for i in (2, 3, *parts)]
