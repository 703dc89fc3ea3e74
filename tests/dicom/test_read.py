"""Series from real bytes: order, geometry, pixels, and what is refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence
from pydicom.uid import JPEG2000Lossless, RLELossless

from tests.support.dicom import SHAPE, SPACING, pixels, save, write_series
from tmtv_engine.dicom.read import read_series
from tmtv_engine.errors import GeometryError, InputError, MissingTag

TURN = np.deg2rad(20.0)
ORIENTATIONS = {
    "head first": (1, 0, 0, 0, 1, 0),
    "feet first prone": (1, 0, 0, 0, -1, 0),
    "oblique": (np.cos(TURN), 0, np.sin(TURN), 0, 1, 0),
    "coronal": (1, 0, 0, 0, 0, -1),
}


@pytest.mark.parametrize("name", sorted(ORIENTATIONS))
def test_every_voxel_lies_where_its_header_says(name: str, tmp_path: Path) -> None:
    cosines = ORIENTATIONS[name]
    stack = read_series(write_series(tmp_path, cosines=cosines))
    np.testing.assert_array_equal(stack.array, pixels())
    np.testing.assert_allclose(stack.grid.spacing_mm, SPACING, rtol=1e-6)
    row, column = np.array(cosines[:3]), np.array(cosines[3:])
    where = np.array([-10.0, 20.0, -300.0]) + 5 * 3.0 * np.cross(row, column)
    where = where + 7 * 4.0 * column + 9 * 2.0 * row  # slice 5, row 7, column 9
    np.testing.assert_allclose(stack.grid.to_mm((5, 7, 9)), where, atol=1e-3)
    assert stack.grid.frame_uid == "1.2.3.9"


def test_the_order_is_by_position_not_by_name_or_number(tmp_path: Path) -> None:
    def backwards(k: int, ds: Dataset) -> None:
        ds.InstanceNumber = 99 - k

    files = write_series(tmp_path, bend=backwards)
    np.testing.assert_array_equal(read_series(files[::-1]).array, pixels())


def test_slope_and_intercept_are_those_of_each_slice(tmp_path: Path) -> None:
    """The first slice's slope of 1 must not make the series integer."""

    def scale(k: int, ds: Dataset) -> None:
        ds.RescaleSlope, ds.RescaleIntercept = ("1", "0") if k == 0 else (f"0.000{k}", f"{k}")

    stack = read_series(write_series(tmp_path, bend=scale))
    expected = pixels().astype(np.float64)
    for k in range(1, SHAPE[0]):
        expected[k] = expected[k] * float(f"0.000{k}") + k
    np.testing.assert_allclose(stack.array, expected, rtol=1e-6)
    assert stack.array.dtype == np.float32


def test_bed_joins_are_tolerated_and_missing_slices_named(tmp_path: Path) -> None:
    def wobble(k: int, ds: Dataset) -> None:
        ds.ImagePositionPatient[2] = f"{-300 + 3 * k + (0.05 if k % 3 == 1 else 0):.3f}"

    assert read_series(write_series(tmp_path / "a", bend=wobble)).grid.shape == SHAPE
    files = write_series(tmp_path / "b")
    with pytest.raises(GeometryError, match=r"-294\.00 to -288\.00"):
        read_series(files[:3] + files[4:])


def test_gaps_are_interpolated_on_request(tmp_path: Path) -> None:
    files = write_series(tmp_path)
    stack = read_series(files[:3] + files[5:], allow_gaps=True)
    whole = pixels().astype(np.float64)
    assert stack.grid.shape == SHAPE
    np.testing.assert_allclose(stack.array[3], whole[2] * 2 / 3 + whole[5] / 3, rtol=1e-6)
    np.testing.assert_allclose(stack.array[6], whole[6])
    assert [n.code for n in stack.notices] == ["gaps"]


def test_two_images_at_one_place_are_refused(tmp_path: Path) -> None:
    files = write_series(tmp_path / "a") + write_series(tmp_path / "b", series="1.2.3.5")
    with pytest.raises(GeometryError, match="one position"):
        read_series(files)


def test_mixed_grids_and_lone_slices_are_refused(tmp_path: Path) -> None:
    def turn(k: int, ds: Dataset) -> None:
        if k == 4:
            ds.ImageOrientationPatient = ["0.9", "0.43589", "0", "-0.43589", "0.9", "0"]

    with pytest.raises(GeometryError, match="IM"):
        read_series(write_series(tmp_path / "a", bend=turn))
    with pytest.raises(GeometryError, match="single slice"):
        read_series(write_series(tmp_path / "b")[:1])


def test_a_missing_position_names_tag_and_file(tmp_path: Path) -> None:
    def lose(k: int, ds: Dataset) -> None:
        if k == 2:
            del ds.ImagePositionPatient

    with pytest.raises(MissingTag, match="ImagePositionPatient") as caught:
        read_series(write_series(tmp_path, bend=lose))
    assert "IM003" in str(caught.value)


@pytest.mark.parametrize("syntax", [RLELossless, JPEG2000Lossless])
def test_compressed_slices(syntax: str, tmp_path: Path) -> None:
    array = np.random.default_rng(8).integers(-900, 3000, (3, 40, 48)).astype(np.int16)
    files = write_series(tmp_path, array)
    for path in files:
        dataset = dcmread(path)
        dataset.compress(syntax, generate_instance_uid=False)
        dataset.save_as(path)
    np.testing.assert_array_equal(read_series(files).array, array)


def test_jpeg_lossless_of_the_scanner(tmp_path: Path) -> None:
    """Lossless JPEG (process 14) is written by gdcm here and read by the plug-in."""
    gdcm = pytest.importorskip("gdcm")
    files = write_series(tmp_path)
    for path in files:
        reader, change, writer = (
            gdcm.ImageReader(),
            gdcm.ImageChangeTransferSyntax(),
            gdcm.ImageWriter(),
        )
        reader.SetFileName(str(path))
        assert reader.Read()
        change.SetTransferSyntax(gdcm.TransferSyntax(gdcm.TransferSyntax.JPEGLosslessProcess14_1))
        change.SetInput(reader.GetImage())
        assert change.Change()
        writer.SetFile(reader.GetFile())
        writer.SetImage(change.GetOutput())
        writer.SetFileName(str(path))
        assert writer.Write()
    assert dcmread(files[0]).file_meta.TransferSyntaxUID == "1.2.840.10008.1.2.4.70"
    np.testing.assert_array_equal(read_series(files).array, pixels())


def test_multi_frame(tmp_path: Path) -> None:
    """An enhanced image: frames stored backwards, geometry and slopes in functional groups."""
    (first, *_) = write_series(tmp_path / "single")
    whole = dcmread(first)
    for keyword in ("ImagePositionPatient", "ImageOrientationPatient", "PixelSpacing"):
        delattr(whole, keyword)
    shared, frames = Dataset(), []
    shared.PlaneOrientationSequence = Sequence([_item(ImageOrientationPatient=[1, 0, 0, 0, 1, 0])])
    shared.PixelMeasuresSequence = Sequence([_item(PixelSpacing=[4.0, 2.0])])
    for k in reversed(range(SHAPE[0])):
        frame = Dataset()
        place = _item(ImagePositionPatient=[-10.0, 20.0, -300.0 + 3 * k])
        frame.PlanePositionSequence = Sequence([place])
        value = _item(RescaleSlope=str(k + 1), RescaleIntercept="0")
        frame.PixelValueTransformationSequence = Sequence([value])
        frames.append(frame)
    whole.SharedFunctionalGroupsSequence = Sequence([shared])
    whole.PerFrameFunctionalGroupsSequence = Sequence(frames)
    whole.NumberOfFrames = SHAPE[0]
    whole.PixelData = pixels()[::-1].astype("<i2").tobytes()
    save(whole, tmp_path / "whole.dcm")
    stack = read_series([tmp_path / "whole.dcm"])
    expected = pixels() * np.arange(1, SHAPE[0] + 1)[:, None, None]
    np.testing.assert_allclose(stack.array, expected)
    np.testing.assert_allclose(stack.grid.to_mm((6, 0, 0)), (-10.0, 20.0, -282.0))


def _item(**values: object) -> Dataset:
    item = Dataset()
    for keyword, value in values.items():
        setattr(item, keyword, value)
    return item


def test_broken_files_are_named(tmp_path: Path) -> None:
    files = write_series(tmp_path)
    files[2].write_bytes(files[2].read_bytes()[:-40])
    with pytest.raises(InputError, match=files[2].name):
        read_series(files)
    files[2].write_bytes(b"not DICOM")
    with pytest.raises(InputError, match=files[2].name):
        read_series(files)


def test_sequences_without_end_are_an_error_not_a_crash(tmp_path: Path) -> None:
    files = write_series(tmp_path)
    deep = b""
    for _ in range(400):  # implicit nesting: items in items, lengths undefined
        head = b"\x08\x00\x40\x11SQ\x00\x00\xff\xff\xff\xff\xfe\xff\x00\xe0\xff\xff\xff\xff"
        tail = b"\xfe\xff\x0d\xe0\x00\x00\x00\x00\xfe\xff\xdd\xe0\x00\x00\x00\x00"
        deep = head + deep + tail
    raw = files[0].read_bytes()
    at = raw.index(b"\x10\x00\x10\x00PN")
    files[0].write_bytes(raw[:at] + deep + raw[at:])
    with pytest.raises(InputError, match=files[0].name):
        read_series(files)
