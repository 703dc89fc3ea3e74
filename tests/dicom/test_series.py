"""One series is one patient and one acquisition, whole, in one place, of one kind of image."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from pydicom import dcmread
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, RLELossless

from tests.support.dicom import SHAPE, Change, only, pixels, save, tags, write_series
from tmtv_engine.dicom.read import read_series
from tmtv_engine.errors import BadTag, GeometryError, Implausible, InputError


def _files(folder: Path) -> list[Path]:
    return sorted(folder.iterdir())


# What is missing


def test_a_series_of_nothing_is_refused() -> None:
    with pytest.raises(InputError, match="without files"):
        read_series([])


def _promising(count: int | None, index: bool = False) -> Callable[[int, Dataset], None]:
    def bend(k: int, ds: Dataset) -> None:
        if count is not None:
            ds.NumberOfSlices = count
        if index:
            ds.ImageIndex = SHAPE[0] - k

    return bend


@pytest.mark.parametrize("end", [slice(1, None), slice(None, -1)])
def test_a_series_short_at_an_end_is_refused_as_one_with_a_hole(end: slice, tmp_path: Path) -> None:
    files = write_series(tmp_path, bend=_promising(7))
    assert read_series(files).promised == 7
    with pytest.raises(GeometryError, match="6 of 7 slices") as caught:
        read_series(files[end])
    assert "--allow-gaps" in caught.value.remedy
    stack = read_series(files[end], allow_gaps=True)
    assert "1 at an end" in {n.code: n.message for n in stack.notices}["gaps"]
    np.testing.assert_array_equal(stack.array, pixels()[end])


def test_holes_and_ends_add_up(tmp_path: Path) -> None:
    files = write_series(tmp_path, bend=_promising(7))
    stack = read_series([*files[:2], *files[3:6]], allow_gaps=True)
    assert stack.grid.shape[0] == 6
    assert "1 between others, 1 at an end" in stack.notices[0].message


def test_the_index_of_the_images_promises_too(tmp_path: Path) -> None:
    """They count from the head: without the foot end the highest is still known."""
    files = write_series(tmp_path, bend=_promising(None, index=True))
    assert read_series(files).promised == 7
    with pytest.raises(GeometryError, match="6 of 7"):
        read_series(files[:-1])
    same = write_series(tmp_path / "all", bend=lambda _, ds: tags(ImageIndex=9)(ds))
    assert read_series(same).promised is None


def test_fewer_than_are_there_are_told(tmp_path: Path) -> None:
    stack = read_series(write_series(tmp_path, bend=_promising(3)))
    assert ([n.code for n in stack.notices], stack.present) == (["image-numbers"], 7)


def test_numbers_that_begin_late_are_told(tmp_path: Path) -> None:
    files = write_series(tmp_path)
    assert [n.code for n in read_series(files[2:]).notices] == ["numbered-late"]
    assert read_series(files[:-2]).notices == ()
    zero = write_series(tmp_path / "0", bend=lambda k, ds: tags(InstanceNumber=k)(ds))
    assert read_series(zero).notices == ()
    assert read_series(zero[1:]).notices == ()


@pytest.mark.parametrize("broken", [b"", b"not DICOM", bytes(200), bytes(128) + b"DICM"])
def test_a_file_that_cannot_be_read_is_named(broken: bytes, tmp_path: Path) -> None:
    for name, bend in (("known", _promising(7)), ("unknown", None)):
        files = write_series(tmp_path / name, bend=bend)
        files[3].write_bytes(broken)
        with pytest.raises(GeometryError, match=files[3].name):
            read_series([p for p in files if p != files[3]])
    end = write_series(tmp_path / "end")
    end[-1].write_bytes(broken)
    with pytest.raises(Implausible, match=end[-1].name) as caught:
        read_series(end[:-1])
    assert caught.value.code == "unreadable-files"
    stack = read_series(end[:-1], accepted={"unreadable-files"})
    assert [n.code for n in stack.notices] == ["unreadable-files"]


def test_an_unreadable_file_that_a_whole_series_does_not_miss(tmp_path: Path) -> None:
    files = write_series(tmp_path, bend=_promising(7))
    (tmp_path / "IM999").write_bytes(b"")
    (told,) = read_series(files).notices
    assert (told.code, "IM999" in told.message) == ("unreadable-files", True)


def test_other_things_in_the_folder_are_not_the_series(tmp_path: Path) -> None:
    files = write_series(tmp_path)
    for name in ("DICOMDIR", "README", "IM003.txt", "._IM003", ".DS_Store", "Thumbs.db"):
        (tmp_path / name).write_bytes(b"x")
    (tmp_path / "IM111").mkdir()
    ct = write_series(tmp_path / "ct", modality="CT", series="1.2.3.5")
    shutil.copy(ct[0], tmp_path / "IM500")
    assert read_series(files).notices == ()


# What does not belong


def test_exact_copies_are_taken_once(tmp_path: Path) -> None:
    files = write_series(tmp_path)
    shutil.copy(files[2], tmp_path / "again")
    stack = read_series([*files, tmp_path / "again"])
    np.testing.assert_array_equal(stack.array, pixels())
    assert [n.code for n in stack.notices] == ["copies"]
    assert "again" in stack.notices[0].message


def test_a_copy_in_another_encoding_is_one(tmp_path: Path) -> None:
    files = write_series(tmp_path)
    dataset = dcmread(files[2])
    dataset.compress(RLELossless, generate_instance_uid=False)
    dataset.save_as(tmp_path / "again")
    assert len(read_series([*files, tmp_path / "again"]).slices) == 7


@pytest.mark.parametrize(
    "change",
    [
        tags(PixelData=bytes(2 * 11 * 13)),
        tags(ImagePositionPatient=["0", "0", "77"]),
        tags(RescaleSlope="2"),
    ],
)
def test_two_images_under_one_uid_are_refused(change: Change, tmp_path: Path) -> None:
    files = write_series(tmp_path)
    dataset = dcmread(files[2])
    change(dataset)
    dataset.save_as(tmp_path / "again")
    with pytest.raises(GeometryError, match="SOPInstanceUID"):
        read_series([*files, tmp_path / "again"])


def _mip(ds: Dataset) -> None:
    ds.ImageType, ds.ImageOrientationPatient = ["DERIVED", "SECONDARY", "MIP"], [1, 0, 0, 0, 0, -1]


def _capture(ds: Dataset) -> None:
    ds.SOPClassUID = "1.2.840.10008.5.1.4.1.1.7"
    ds.SamplesPerPixel, ds.PhotometricInterpretation = 3, "RGB"
    ds.PixelData = bytes(3 * len(ds.PixelData))
    for keyword in ("ImagePositionPatient", "ImageOrientationPatient", "PixelSpacing"):
        delattr(ds, keyword)


def _scout(ds: Dataset) -> None:
    ds.ImageType = ["ORIGINAL", "PRIMARY", "LOCALIZER"]
    ds.Rows, ds.Columns = 13, 11


def _derived_coronal(ds: Dataset) -> None:
    ds.ImageType, ds.ImageOrientationPatient = ["DERIVED", "SECONDARY"], [1, 0, 0, 0, 0, -1]


FOREIGN = {"MIP": _mip, "capture": _capture, "scout": _scout, "coronal": _derived_coronal}


@pytest.mark.parametrize("modality", ["PT", "CT"])
@pytest.mark.parametrize("name", sorted(FOREIGN))
@pytest.mark.parametrize("count", [1, 9])
def test_images_of_another_kind_are_left_out(
    name: str, modality: str, count: int, tmp_path: Path
) -> None:
    """One, or more of them than there are slices; first and last in the folder."""
    if name == "coronal" and count > 1:
        pytest.skip("which of two unnamed kinds is the volume, nobody says")

    def typed(_: int, ds: Dataset) -> None:
        ds.ImageType = ["ORIGINAL", "PRIMARY"]

    files = write_series(tmp_path, modality=modality, bend=typed)
    others = []
    for k in range(count):
        dataset = dcmread(files[3])
        dataset.SOPInstanceUID = f"1.2.3.4.9{k}"
        FOREIGN[name](dataset)
        others.append(tmp_path / f"{'a' if k % 2 else 'z'}{k}")
        save(dataset, others[-1])
    stack = read_series([*others[::2], *files, *others[1::2]])
    offset = 1024 if modality == "CT" else 0
    np.testing.assert_allclose(stack.array, pixels() - float(offset))
    (told,) = stack.notices
    assert (told.code, others[0].name in told.message) == ("foreign-images", True)


def test_a_whole_series_of_derived_images_is_one(tmp_path: Path) -> None:
    files = write_series(tmp_path, bend=lambda _, ds: tags(ImageType=["DERIVED", "SECONDARY"])(ds))
    assert read_series(files).notices == ()


# Where it lies


def _moved(of: Callable[[int], tuple[float, float]]) -> Callable[[int, Dataset], None]:
    def bend(k: int, ds: Dataset) -> None:
        x, y = of(k)
        ds.ImagePositionPatient = [f"{-10 + x:.5f}", f"{20 + y:.5f}", f"{-300 + 3 * k}"]

    return bend


SHIFTS = {
    "a bed to the left": lambda k: (2.0 if k >= 4 else 0.0, 0.0),
    "one slice": lambda k: (0.0, 0.05 if k == 3 else 0.0),
    "a tilt": lambda k: (0.0, 0.3 * k),
}


@pytest.mark.parametrize("name", sorted(SHIFTS))
def test_slices_beside_each_other_are_refused(name: str, tmp_path: Path) -> None:
    with pytest.raises(Implausible, match="mm beside") as caught:
        read_series(write_series(tmp_path, bend=_moved(SHIFTS[name])))
    assert caught.value.code == "slices-shifted"


def test_accepted_they_are_resampled_onto_the_first(tmp_path: Path) -> None:
    """By one column (2 mm) from slice 4 on, by half a row (2 mm) in slice 2."""

    def where(k: int) -> tuple[float, float]:
        return (2.0 if k >= 4 else 0.0), (2.0 if k == 2 else 0.0)

    files = write_series(tmp_path, bend=_moved(where))
    stack = read_series(files, accepted={"slices-shifted"})
    whole = pixels().astype(np.float32)
    np.testing.assert_array_equal(stack.array[[0, 1, 3]], whole[[0, 1, 3]])
    np.testing.assert_allclose(stack.array[4:, :, 1:], whole[4:, :, :-1], rtol=1e-5)
    np.testing.assert_allclose(stack.array[2, 1:], (whole[2, :-1] + whole[2, 1:]) / 2, rtol=1e-5)
    assert [n.code for n in stack.notices] == ["slices-shifted"]


@pytest.mark.parametrize("of", [lambda k: (0.019 * (k % 2), 0.0), lambda k: (0.0, 0.039 * (k % 2))])
def test_a_hundredth_of_a_pixel_is_rounding(
    of: Callable[[int], tuple[float, float]], tmp_path: Path
) -> None:
    assert read_series(write_series(tmp_path, bend=_moved(of))).notices == ()


# What is in the pixels


@pytest.mark.parametrize("signed", [0, 1])
@pytest.mark.parametrize(("stored", "high"), [(12, 11), (12, 13), (10, 15), (16, 15)])
def test_unused_bits_are_not_read(signed: int, stored: int, high: int, tmp_path: Path) -> None:
    """Bits above and below the stored ones hold noise; a negative value keeps its sign."""
    low, top = (-(1 << stored - 1), (1 << stored - 1)) if signed else (0, 1 << stored)
    rng = np.random.default_rng(3)
    values = rng.integers(low, top, SHAPE)
    values[0, 0, :2] = low, top - 1
    mask = ((1 << stored) - 1) << (high + 1 - stored)
    noise = rng.integers(0, 1 << 16, SHAPE) & ~mask & 0xFFFF
    words = (((values << (high + 1 - stored)) & mask) | noise).astype(np.uint16)

    def store(_: int, ds: Dataset) -> None:
        ds.BitsStored, ds.HighBit, ds.PixelRepresentation = stored, high, signed

    files = write_series(tmp_path, words.view(np.int16), bend=store)
    stack = read_series(files)
    np.testing.assert_array_equal(stack.array, values.astype(np.float32))
    told = ["bits-stored"] if stored < 16 else []
    assert [n.code for n in stack.notices] == told


@pytest.mark.parametrize("signed", [0, 1])
def test_bits_that_only_carry_the_sign_are_no_surprise(signed: int, tmp_path: Path) -> None:
    def store(_: int, ds: Dataset) -> None:
        ds.BitsStored, ds.HighBit, ds.PixelRepresentation = 12, 11, signed

    values = np.arange(np.prod(SHAPE)).reshape(SHAPE) % 2048 - (1024 if signed else 0)
    stack = read_series(write_series(tmp_path, values.astype(np.int16), bend=store))
    np.testing.assert_array_equal(stack.array, values.astype(np.float32))
    assert stack.notices == ()


@pytest.mark.parametrize(("stored", "high"), [(0, 15), (17, 16), (12, 4)])
def test_bits_that_cannot_be_are_refused(stored: int, high: int, tmp_path: Path) -> None:
    def store(_: int, ds: Dataset) -> None:
        ds.BitsStored, ds.HighBit = stored, high

    with pytest.raises(InputError, match="BitsStored"):
        read_series(write_series(tmp_path, bend=store))


@pytest.mark.parametrize(
    "keyword", ["PixelSpacing", "ImagePositionPatient", "ImageOrientationPatient"]
)
@pytest.mark.parametrize("coded", [False, True])
def test_one_number_where_several_belong(keyword: str, coded: bool, tmp_path: Path) -> None:
    def one(_: int, ds: Dataset) -> None:
        setattr(ds, keyword, "1")
        if coded:  # read by pydicom, which gives a number instead of a list
            ds.file_meta = FileMetaDataset()
            ds.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
            ds.compress(RLELossless)

    with pytest.raises(BadTag, match=keyword):
        read_series(write_series(tmp_path, bend=one))


@pytest.mark.parametrize(("keyword", "value"), [("Rows", SHAPE[1] - 1), ("Columns", 3)])
def test_pixels_beyond_rows_and_columns_are_refused(
    keyword: str, value: int, tmp_path: Path
) -> None:
    files = write_series(tmp_path, bend=lambda _, ds: setattr(ds, keyword, value))
    with pytest.raises(BadTag, match="more than Rows and Columns say"):
        read_series(files)


def test_padding_less_than_a_row_is_none(tmp_path: Path) -> None:
    def pad(_: int, ds: Dataset) -> None:
        ds.PixelData = ds.PixelData + bytes(2 * SHAPE[2] - 2)

    assert read_series(write_series(tmp_path, bend=pad)).array.shape == SHAPE


@pytest.mark.parametrize("slope", ["0", "-1", "-0.0"])
def test_a_slope_that_cannot_be_counts_where_pixels_are(slope: str, tmp_path: Path) -> None:
    def empty(k: int, ds: Dataset) -> None:
        if k == 2:
            ds.RescaleSlope, ds.PixelData = slope, bytes(len(ds.PixelData))

    stack = read_series(write_series(tmp_path / "empty", bend=empty))
    assert (stack.array[2].any(), stack.notices) == (False, ())
    files = write_series(tmp_path / "full", bend=only(2, tags(RescaleSlope=slope)))
    with pytest.raises(Implausible, match="RescaleSlope") as caught:
        read_series(files)
    assert (caught.value.code, caught.value.keyword) == ("slope", "RescaleSlope")
    accepted = read_series(files, accepted={"slope"})
    np.testing.assert_allclose(accepted.array[2], float(slope) * pixels()[2].astype(np.float32))


# Static or not


def test_a_slice_behind_a_dead_link_is_named(tmp_path: Path) -> None:
    """A store of large files as links (git-annex) of which one was not fetched."""
    files = sorted(write_series(tmp_path))
    files[-1].unlink()
    files[-1].symlink_to(tmp_path / "annex" / "gone")
    with pytest.raises(InputError, match=files[-1].name):
        read_series(files[:-1])


def test_a_fifo_is_no_slice_and_is_not_opened(tmp_path: Path) -> None:
    files = sorted(write_series(tmp_path))
    os.mkfifo(tmp_path / "IM999")
    assert read_series(files).array.shape == SHAPE
