"""SEG onto the PET's grid by its own geometry: thick, thin, turned, sparse, and what is refused."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from pydicom.dataset import Dataset
from pydicom.pixels.utils import pack_bits
from pydicom.sequence import Sequence

from tests.support.dicom import items, save
from tmtv_engine.errors import GeometryError, InputError
from tmtv_engine.image.volume import Grid
from tmtv_engine.study.rois import read_rois

GRID = Grid.axial((12, 11, 13), (4.0, 3.0, 2.0), (-10.0, 20.0, -300.0), "1.2.3.9")
Mask = npt.NDArray[np.bool_]
AXIAL = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0)
CORONAL = (1.0, 0.0, 0.0, 0.0, 0.0, 1.0)


def _write(
    path: Path,
    frames: list[Mask],
    positions: list[tuple[float, float, float]],
    pixel_mm: tuple[float, float],
    *,
    cosines: tuple[float, ...] = AXIAL,
    spacing: float | None = None,
    thickness: float | None = None,
    segments: list[int] | None = None,
    bend: Callable[[Dataset], None] = lambda ds: None,
) -> Path:
    ds = Dataset()
    ds.SOPClassUID, ds.SOPInstanceUID = "1.2.840.10008.5.1.4.1.1.66.4", "1.2.3.88"
    ds.Modality, ds.SegmentationType, ds.FrameOfReferenceUID = "SEG", "BINARY", "1.2.3.9"
    ds.Rows, ds.Columns = frames[0].shape
    ds.NumberOfFrames, ds.SamplesPerPixel, ds.PixelRepresentation = len(frames), 1, 0
    ds.BitsAllocated = ds.BitsStored = 1
    ds.HighBit, ds.PhotometricInterpretation = 0, "MONOCHROME2"
    ds.PixelData = pack_bits(np.stack(frames).astype(np.uint8))
    numbers = segments or [1] * len(frames)
    named = []
    for number in sorted(set(numbers)):
        item = Dataset()
        item.SegmentNumber, item.SegmentLabel = number, f"S{number}"
        named.append(item)
    ds.SegmentSequence = Sequence(named)
    told = {"SpacingBetweenSlices": spacing, "SliceThickness": thickness}
    size = {k: v for k, v in told.items() if v is not None}
    shared = Dataset()
    shared.PixelMeasuresSequence = items(PixelSpacing=list(pixel_mm), **size)
    shared.PlaneOrientationSequence = items(ImageOrientationPatient=list(cosines))
    ds.SharedFunctionalGroupsSequence = Sequence([shared])
    groups = []
    for position, number in zip(positions, numbers, strict=True):
        group = Dataset()
        group.PlanePositionSequence = items(ImagePositionPatient=list(position))
        group.SegmentIdentificationSequence = items(ReferencedSegmentNumber=number)
        groups.append(group)
    ds.PerFrameFunctionalGroupsSequence = Sequence(groups)
    bend(ds)
    save(ds, path)
    return path


def _frame(shape: tuple[int, int] = (11, 13)) -> Mask:
    frame = np.zeros(shape, bool)
    frame[2:5, 3:9] = True  # 18 pixels
    return frame


def _slices(path: Path) -> list[int]:
    return np.flatnonzero(read_rois(path, GRID).labels.array.any(axis=(1, 2))).tolist()


@pytest.mark.parametrize("told", [{"spacing": 8.0}, {"thickness": 8.0}, {}])
def test_slices_twice_as_thick_leave_no_comb(told: dict[str, float], tmp_path: Path) -> None:
    """Three planes of 8 mm from z = -296 on: -300 ≤ z < -276, six slices of 4 mm."""
    positions = [(-10.0, 20.0, -296.0 + 8 * k) for k in range(3)]
    path = _write(tmp_path / "s.dcm", [_frame()] * 3, positions, (3.0, 2.0), **told)  # type: ignore[arg-type]
    rois = read_rois(path, GRID)
    assert _slices(path) == [0, 1, 2, 3, 4, 5]
    assert int((rois.labels.array > 0).sum()) == 6 * 18


def test_planes_half_as_thick_are_sampled(tmp_path: Path) -> None:
    positions = [(-10.0, 20.0, -292.0 + 2 * k) for k in range(4)]
    path = _write(tmp_path / "s.dcm", [_frame()] * 4, positions, (3.0, 2.0), spacing=2.0)
    assert _slices(path) == [2, 3]


@pytest.mark.parametrize("told", [{"spacing": 4.0}, {"thickness": 4.0}])
def test_frames_that_hold_nothing_may_be_missing(told: dict[str, float], tmp_path: Path) -> None:
    """Two slices that are not neighbours are two slices, not one thick one."""
    positions = [(-10.0, 20.0, -300.0 + 4 * k) for k in (3, 5)]
    path = _write(tmp_path / "s.dcm", [_frame()] * 2, positions, (3.0, 2.0), **told)  # type: ignore[arg-type]
    assert _slices(path) == [3, 5]


def test_a_thickness_that_no_slice_shows_is_not_believed(tmp_path: Path) -> None:
    """A writer's 1 mm under planes that are all 4 mm apart, half a slice off the PET's."""
    positions = [(-10.0, 20.0, -299.0 + 4 * k) for k in range(1, 6)]
    path = _write(tmp_path / "s.dcm", [_frame()] * 5, positions, (3.0, 2.0), thickness=1.0)
    assert _slices(path) == [1, 2, 3, 4, 5]


def test_a_turned_segment_lies_where_it_says(tmp_path: Path) -> None:
    """Coronal planes: rows along z, planes along -y by the cosines' own normal."""
    frame = np.zeros((12, 13), bool)
    frame[4:7, 2:6] = True
    positions = [(-10.0, 20.0 + 3 * y, -300.0) for y in (5, 6)]
    path = _write(
        tmp_path / "s.dcm", [frame] * 2, positions, (4.0, 2.0), cosines=CORONAL, spacing=3.0
    )
    expected = np.zeros(GRID.shape, bool)
    expected[4:7, 5:7, 2:6] = True
    rois = read_rois(path, GRID)
    np.testing.assert_array_equal(rois.labels.array > 0, expected)
    assert rois.notices == ()


def test_a_frame_off_the_files_own_spacing_is_refused(tmp_path: Path) -> None:
    """Moved by 3 of 4 mm it would make each frame 1 mm thick, and its own slice empty."""
    positions = [(-10.0, 20.0, z) for z in (-292.0, -285.0, -284.0, -280.0)]
    path = _write(tmp_path / "s.dcm", [_frame()] * 4, positions, (3.0, 2.0), spacing=4.0)
    with pytest.raises(GeometryError, match="no common grid"):
        read_rois(path, GRID)


@pytest.mark.parametrize("extra", [-1, 1])
def test_as_many_groups_as_frames(extra: int, tmp_path: Path) -> None:
    """A group that is gone would leave each later frame where its neighbour was."""

    def bend(ds: Dataset) -> None:
        groups = list(ds.PerFrameFunctionalGroupsSequence)
        groups = groups[:-1] if extra < 0 else [*groups, groups[-1]]
        ds.PerFrameFunctionalGroupsSequence = Sequence(groups)

    positions = [(-10.0, 20.0, -300.0 + 4 * k) for k in range(3)]
    path = _write(tmp_path / "s.dcm", [_frame()] * 3, positions, (3.0, 2.0), bend=bend)
    with pytest.raises(InputError, match=f"3 frames for {3 + extra} groups"):
        read_rois(path, GRID)


@pytest.mark.parametrize("aligned", [True, False])
def test_what_lies_beyond_the_pet_is_told(aligned: bool, tmp_path: Path) -> None:
    start = -308.0 if aligned else -307.0
    positions = [(-10.0, 20.0, start + 4 * k) for k in range(4)]
    path = _write(tmp_path / "s.dcm", [_frame()] * 4, positions, (3.0, 2.0), spacing=4.0)
    rois = read_rois(path, GRID)
    assert _slices(path) == [0, 1]
    assert [n.code for n in rois.notices] == ["roi-outside"]
    assert f"({2 * 18 * GRID.voxel_ml:.2f} mL of S1)" in rois.notices[0].message


def test_segments_keep_their_own_frames(tmp_path: Path) -> None:
    positions = [(-10.0, 20.0, -300.0 + 4 * k) for k in (1, 2, 7)]
    path = _write(
        tmp_path / "s.dcm", [_frame()] * 3, positions, (3.0, 2.0), spacing=4.0, segments=[1, 1, 3]
    )
    rois = read_rois(path, GRID)
    assert rois.names == ("S1", "S3")
    assert [int((rois.labels.array == k).sum()) for k in (1, 2)] == [36, 18]
    assert read_rois(path, GRID, names=["3"]).names == ("S3",)


def _unnamed(ds: Dataset) -> None:
    del ds.PerFrameFunctionalGroupsSequence[1].SegmentIdentificationSequence


def _unknown(ds: Dataset) -> None:
    named = ds.PerFrameFunctionalGroupsSequence[1].SegmentIdentificationSequence[0]
    named.ReferencedSegmentNumber = 9


def _placeless(ds: Dataset) -> None:
    del ds.PerFrameFunctionalGroupsSequence[1].PlanePositionSequence


def _too_many(ds: Dataset) -> None:
    ds.PerFrameFunctionalGroupsSequence.append(ds.PerFrameFunctionalGroupsSequence[0])


@pytest.mark.parametrize(
    ("bend", "said"),
    [
        (_unnamed, "does not say its segment"),
        (_unknown, "no segment that there is"),
        (_placeless, "no position"),
        (_too_many, "frames for"),
    ],
)
def test_a_frame_that_cannot_be_placed_is_an_error(
    bend: Callable[[Dataset], None], said: str, tmp_path: Path
) -> None:
    positions = [(-10.0, 20.0, -300.0 + 4 * k) for k in range(3)]
    path = _write(tmp_path / "s.dcm", [_frame()] * 3, positions, (3.0, 2.0), spacing=4.0, bend=bend)
    with pytest.raises(InputError, match=said):
        read_rois(path, GRID)


@pytest.mark.parametrize("kind", ["uneven", "shifted"])
def test_frames_on_no_common_grid_are_refused(kind: str, tmp_path: Path) -> None:
    positions = [(-10.0, 20.0, -300.0 + z) for z in (0.0, 4.3, 10.0)]
    if kind == "shifted":
        positions = [(-10.0 + 5 * k, 20.0, -299.0 + 4 * k) for k in range(3)]
    path = _write(tmp_path / "s.dcm", [_frame()] * 3, positions, (3.0, 2.0))
    with pytest.raises(GeometryError, match=r"s\.dcm"):
        read_rois(path, GRID)
