"""Out and back: random lesions on oblique, anisotropic grids, by our readers and by others'."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.uid import ExplicitVRLittleEndian, ImplicitVRLittleEndian

from tests.support.dicom import write_series
from tests.support.exports import OBLIQUE, drawn_labels, errors_of, small_case
from tmtv_engine.case.cuts import Cuts
from tmtv_engine.export.job import Job, job_of
from tmtv_engine.export.objects import write_objects
from tmtv_engine.export.rtstruct import write_rtstruct
from tmtv_engine.export.seg import write_seg
from tmtv_engine.image.volume import Grid, Unit, Volume
from tmtv_engine.lesion.lists import from_labels
from tmtv_engine.lesion.methods import METHODS, Method
from tmtv_engine.lesion.origin import Origin, Source, Status
from tmtv_engine.model.finders import Finder, Found
from tmtv_engine.pipeline import CaseConfig, run_case
from tmtv_engine.study.find import Study, find_studies
from tmtv_engine.study.rois import read_rois

Labels = npt.NDArray[np.int64]
Writer = Callable[[Job, Method, Path, int], bool]
RAW = METHODS["raw"]


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Job:
    """A real export, whose lesions and place the tests change."""
    return job_of(small_case(tmp_path_factory.mktemp("base")))


def placed(base: Job, labels: Labels, affine: npt.NDArray[np.float64]) -> Job:
    """``base`` with other lesions, elsewhere, its PET's header and positions to match."""
    grid = Grid(labels.shape, affine, base.lesions.grid.frame_uid)  # type: ignore[arg-type]
    suv = Volume(np.full(labels.shape, 5.0, np.float32), grid, Unit.SUV)
    lesions = from_labels(Volume(labels, grid, Unit.LABEL), suv)
    header = base.header()
    steps = affine[:3, :3] / np.linalg.norm(affine[:3, :3], axis=0)
    header.ImageOrientationPatient = [f"{v:.9f}" for v in (*steps[:, 2], *steps[:, 1])]
    header.PixelSpacing = [f"{v:.6f}" for v in grid.spacing_mm[1:]]
    header.Rows, header.Columns = labels.shape[1:]
    places = grid.to_mm([(z, 0, 0) for z in range(len(labels))]).tolist()
    instances = [{"uid": f"1.2.3.4.{k + 1}", "position_mm": p} for k, p in enumerate(places)]
    pet = {**base.source["pet"], "header": header.to_json_dict(), "instances": instances}
    ids = [int(i) for i in lesions.ids]
    reading = replace(base.reading, lesions=lesions, status=dict.fromkeys(ids, Status.ACCEPTED))
    cuts = Cuts(lesions, (RAW,), np.full(len(ids), np.nan))
    rows = tuple(range(len(ids)))
    return Job(base.case, reading, cuts, rows, {**base.source, "pet": pet})


@st.composite
def affines(draw: st.DrawFn) -> npt.NDArray[np.float64]:
    """Any rotation, any spacing from 0.7 to 6 mm, anywhere within a metre."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    turn, _ = np.linalg.qr(rng.normal(size=(3, 3)))
    turn *= np.sign(np.linalg.det(turn))
    slices, rows, columns = rng.uniform(0.7, 6.0, 3)
    affine = np.eye(4)
    affine[:3, :3] = turn[:, [2, 1, 0]] * (slices, rows, columns)
    affine[:3, 3] = rng.uniform(-1000, 1000, 3)
    return affine


@st.composite
def label_maps(draw: st.DrawFn) -> Labels:
    """Up to five lesions of any voxels: rings, single ones, neighbours at a corner."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    shape = tuple(draw(st.integers(low, high)) for low, high in ((2, 7), (3, 13), (3, 17)))
    filled = rng.random(shape) < draw(st.floats(0.02, 0.7))
    labels = np.asarray(rng.integers(1, 6, shape) * filled)
    labels.flat[rng.integers(labels.size)] = 1
    dense = np.unique(labels, return_inverse=True)[1].reshape(shape)
    return np.asarray(dense + (labels.min() > 0))


@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(affine=affines(), labels=label_maps(), write=st.sampled_from([write_seg, write_rtstruct]))
def test_any_lesions_anywhere_come_back(
    base: Job, affine: npt.NDArray[np.float64], labels: Labels, write: Writer
) -> None:
    job = placed(base, labels, affine)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "object.dcm"
        assert write(job, RAW, path, 931)
        rois = read_rois(path, job.lesions.grid)
    np.testing.assert_array_equal(rois.labels.array, labels)


@pytest.mark.parametrize("write", [write_seg, write_rtstruct])
def test_one_voxel_is_an_object_without_a_fault(base: Job, write: Writer, tmp_path: Path) -> None:
    labels = np.zeros((3, 4, 5), np.int64)
    labels[1, 2, 3] = 1
    job = placed(base, labels, np.diag([3.0, 2.0, 4.0, 1.0])[[2, 1, 0, 3]])
    assert write(job, RAW, tmp_path / "one.dcm", 931)
    assert errors_of(tmp_path / "one.dcm") == []
    if write is write_seg:
        (measures,) = (
            dcmread(tmp_path / "one.dcm").SharedFunctionalGroupsSequence[0].PixelMeasuresSequence
        )
        assert float(measures.SpacingBetweenSlices) == 3.0
    found = read_rois(tmp_path / "one.dcm", job.lesions.grid)
    np.testing.assert_array_equal(found.labels.array, labels)


@pytest.mark.parametrize("write", [write_seg, write_rtstruct])
def test_more_than_255_lesions(base: Job, write: Writer, tmp_path: Path) -> None:
    labels = np.zeros((5, 31, 30), np.int64)
    labels[::2, ::3, ::3] = np.arange(1, 331).reshape(3, 11, 10)
    job = placed(base, labels, base.lesions.grid.affine)
    assert write(job, RAW, tmp_path / "many.dcm", 931)
    assert errors_of(tmp_path / "many.dcm") == []
    rois = read_rois(tmp_path / "many.dcm", job.lesions.grid)
    assert len(rois.names) == 330
    np.testing.assert_array_equal(rois.labels.array, labels)


@pytest.mark.parametrize("write", [write_seg, write_rtstruct])
def test_a_slice_left_out_stays_out(base: Job, write: Writer, tmp_path: Path) -> None:
    labels = np.zeros((5, 4, 5), np.int64)
    labels[0, 1:3, 2] = labels[2, 1, 1:4] = labels[4, 1, 1] = 1
    job = placed(base, labels, np.diag([3.0, 2.0, 4.0, 1.0])[[2, 1, 0, 3]])
    assert write(job, RAW, tmp_path / "gaps.dcm", 931)
    found = read_rois(tmp_path / "gaps.dcm", job.lesions.grid)
    np.testing.assert_array_equal(found.labels.array, labels)


def others_volume_ml(plan: Path, pet: Path, name: str) -> float:
    """A ROI's volume as matplotlib fills it in the plane of each slice of the PET (even-odd)."""
    paths = pytest.importorskip("matplotlib.path")
    slices = {d.SOPInstanceUID: d for d in map(dcmread, sorted(pet.iterdir()))}
    structure = dcmread(plan)
    number = next(r.ROINumber for r in structure.StructureSetROISequence if r.ROIName == name)
    roi = next(r for r in structure.ROIContourSequence if r.ReferencedROINumber == number)
    filled: dict[str, npt.NDArray[np.bool_]] = {}
    for contour in roi.ContourSequence:
        uid = contour.ContourImageSequence[0].ReferencedSOPInstanceUID
        inside = paths.Path(_in_plane(contour, slices[uid]), closed=False).contains_points(
            np.indices((slices[uid].Rows, slices[uid].Columns)).reshape(2, -1).T
        )
        filled[uid] = filled.get(uid, np.zeros_like(inside)) ^ inside
    area = float(np.prod([float(v) for v in next(iter(slices.values())).PixelSpacing]))
    thickness = float(next(iter(slices.values())).SliceThickness)  # the tests' slices touch
    return sum(int(f.sum()) for f in filled.values()) * area * thickness / 1000


def _in_plane(contour: Dataset, image: Dataset) -> npt.NDArray[np.float64]:
    """A contour's corners as (row, column) of an image; it must lie in its plane."""
    points = np.array(contour.ContourData, float).reshape(-1, 3)
    along, down = np.array(image.ImageOrientationPatient, float).reshape(2, 3)
    off = points - np.array(image.ImagePositionPatient, float)
    assert np.abs(off @ np.cross(along, down)).max() < 1e-3
    spacing = np.array(image.PixelSpacing, float)
    found = np.column_stack([off @ down, off @ along]) / spacing
    return np.vstack([found, found[:1]])


@pytest.mark.parametrize("cosines", [OBLIQUE, (0, 1, 0, 0, 0, -1)])
def test_another_rasteriser_gives_the_reported_volumes(
    tmp_path: Path, cosines: tuple[float, ...]
) -> None:
    """Ring, diagonal neighbours and a single voxel: within 0.5 % of `case.json`."""
    case = small_case(tmp_path, cosines=cosines)
    write_objects(case, ["rtstruct"])
    for row in case.raw["lesions"]:
        for key, measures in row["methods"].items():
            plan = case.path / "export" / f"rtstruct_{key}.dcm"
            volume = others_volume_ml(plan, tmp_path / "dicom", f"Lesion {row['id']}")
            assert volume == pytest.approx(measures["volume_ml"], rel=0.005)


def test_a_contour_too_long_for_an_explicit_decimal(base: Job, tmp_path: Path) -> None:
    """A comb of 1,000 teeth: 4,000 corners, where an explicit DS holds 65,534 bytes."""
    labels = np.zeros((2, 3, 2001), np.int64)
    labels[0, 1], labels[0, 0, ::2] = 1, 1
    job = placed(base, labels, np.diag([2.0, 3.0, 4.0, 1.0])[[2, 1, 0, 3]])
    assert write_rtstruct(job, RAW, tmp_path / "comb.dcm", 931)
    plan = dcmread(tmp_path / "comb.dcm")
    assert plan.file_meta.TransferSyntaxUID == ImplicitVRLittleEndian
    (contour,) = plan.ROIContourSequence[0].ContourSequence
    assert contour.NumberOfContourPoints == len(contour.ContourData) // 3 == 4004
    assert errors_of(tmp_path / "comb.dcm") == []
    found = read_rois(tmp_path / "comb.dcm", job.lesions.grid)
    np.testing.assert_array_equal(found.labels.array, labels)
    labels[0, 0] = 0
    bar = placed(base, labels, job.lesions.grid.affine)
    assert write_rtstruct(bar, RAW, tmp_path / "bar.dcm", 931)
    assert dcmread(tmp_path / "bar.dcm").file_meta.TransferSyntaxUID == ExplicitVRLittleEndian


def test_predicted_anew_it_is_the_same_export(tmp_path: Path) -> None:
    """The same study and lesions: the same bytes, whenever and wherever it was measured."""
    first, second = (small_case(tmp_path / name) for name in "ab")
    kinds = ["seg", "sr", "rtstruct", "mip"]
    pairs = zip(write_objects(first, kinds), write_objects(second, kinds), strict=True)
    assert all(a.read_bytes() == b.read_bytes() for a, b in pairs)


def test_a_lesion_is_tracked_through_another_prediction(tmp_path: Path) -> None:
    """Its voxels are the same, another is gone: tracking UIDs stay, series are new."""
    write_series(tmp_path / "dicom")
    (study,) = find_studies(tmp_path / "dicom")
    assert isinstance(study, Study)

    def case_of(name: str, labels: npt.NDArray[np.uint16]) -> Dataset:
        def find(suv: Volume, ct: Volume | None) -> Found:
            lesions = from_labels(suv.with_array(labels, Unit.LABEL), suv)
            return Found(lesions, (Origin(Source.MODEL),) * len(lesions))

        finder = Finder(find, {"name": name, "sha256": "0" * 64})
        case = run_case(study, finder, CaseConfig(tmp_path / name, (RAW,)))
        return dcmread(write_objects(case, ["seg"])[0])

    labels = drawn_labels("some")
    one, two = case_of("one", labels), case_of("two", np.where(labels == 2, 0, labels))
    assert one.SeriesInstanceUID != two.SeriesInstanceUID
    uids = [s.TrackingUID for s in one.SegmentSequence]
    assert [s.TrackingUID for s in two.SegmentSequence] == [uids[0], uids[2]]
