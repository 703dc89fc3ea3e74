"""Files to series: a glance at each agrees with pydicom, and nothing in a folder stops it."""

from __future__ import annotations

import os
import shutil
import tracemalloc
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from pydicom import dcmread, dcmwrite
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence
from pydicom.uid import (
    UID,
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    RLELossless,
)

from tests.support.dicom import SHAPE, pixels, save, write_series
from tmtv_engine.dicom.brief import PREFIX, glance
from tmtv_engine.dicom.discover import find_series, same_image, sort_files
from tmtv_engine.dicom.read import read_series
from tmtv_engine.errors import InputError
from tmtv_engine.study.find import Study, find_studies
from tmtv_engine.study.load import load_study

KEYWORDS = ("SOPInstanceUID", "ImagePositionPatient", "Rows", "RescaleSlope", "SeriesDescription")


def _nested(_: int, ds: Dataset) -> None:
    """The same attributes inside a sequence, before their own place in the file."""
    item, deeper = Dataset(), Dataset()
    deeper.RescaleSlope, deeper.ImagePositionPatient = "77", ["7", "7", "7"]
    deeper.PixelData = b"\1\2\3\4"
    deeper["PixelData"].VR = "OB"
    item.SOPInstanceUID, item.ReferencedImageSequence = "9.9.9", Sequence([deeper])
    item.ReferencedImageSequence.is_undefined_length = True
    item.is_undefined_length_sequence_item = True
    deeper.is_undefined_length_sequence_item = True
    ds.ReferencedStudySequence = Sequence([item])
    ds["ReferencedStudySequence"].is_undefined_length = True
    block = ds.private_block(0x0009, "TMTV TEST", create=True)
    block.add_new(1, "UN", b"\xfe\xff\x00\xe0" * 5)


def _rewritten(path: Path, syntax: UID) -> Path:
    dataset = dcmread(path)
    dataset.file_meta.TransferSyntaxUID = syntax
    little = syntax != ExplicitVRBigEndian
    if not little:
        dataset.PixelData = np.frombuffer(dataset.PixelData, "<i2").astype(">i2").tobytes()
    dcmwrite(path, dataset, implicit_vr=syntax == ImplicitVRLittleEndian, little_endian=little)
    return path


@pytest.mark.parametrize("syntax", [ExplicitVRLittleEndian, ImplicitVRLittleEndian])
def test_a_glance_agrees_with_the_whole_header(syntax: UID, tmp_path: Path) -> None:
    for path in write_series(tmp_path, bend=_nested):
        brief, whole = glance(_rewritten(path, syntax), KEYWORDS), dcmread(path)
        assert brief is not None
        assert brief.get("SOPInstanceUID") == str(whole.SOPInstanceUID)
        assert [float(v) for v in brief.values["ImagePositionPatient"]] == list(  # type: ignore[union-attr]
            whole.ImagePositionPatient
        )
        assert (brief.get("Rows"), brief.get("RescaleSlope")) == (11, "1")
        assert brief.get("PatientName", "not asked") == "not asked"
        assert brief.pixels is not None
        at, length = brief.pixels
        assert path.read_bytes()[at : at + length] == whole.PixelData


def test_a_header_longer_than_the_first_read(tmp_path: Path) -> None:
    def long(_: int, ds: Dataset) -> None:
        ds.private_block(0x0009, "TMTV TEST", create=True).add_new(1, "OB", bytes(PREFIX + 11))

    files = write_series(tmp_path, bend=long)
    np.testing.assert_array_equal(read_series(files).array, pixels())
    brief = glance(files[0], KEYWORDS)
    assert brief is not None
    assert brief.get("Rows") == 11


@pytest.mark.parametrize("syntax", [DeflatedExplicitVRLittleEndian, ExplicitVRBigEndian])
def test_what_a_glance_does_not_read_goes_to_pydicom(syntax: UID, tmp_path: Path) -> None:
    files = [_rewritten(path, syntax) for path in write_series(tmp_path)]
    assert glance(files[0], KEYWORDS) is None
    (series,) = find_series(tmp_path)
    assert len(series.files) == SHAPE[0]
    np.testing.assert_array_equal(read_series(files).array, pixels())


@pytest.mark.filterwarnings("ignore::UserWarning")
@settings(max_examples=80, deadline=None)
@given(
    cut=st.just(0) | st.integers(0, 2500),
    at=st.integers(128, 2500),
    noise=st.binary(min_size=1, max_size=12),
)
@example(cut=0, at=958, noise=b"\x00")  # Rows of no length
def test_no_bytes_crash_a_glance(
    tmp_path_factory: pytest.TempPathFactory, cut: int, at: int, noise: bytes
) -> None:
    folder = tmp_path_factory.mktemp("noise")
    files = write_series(folder, pixels()[:2], bend=_nested)
    raw = files[0].read_bytes()
    spoilt = raw[:at] + noise + raw[at + len(noise) :]
    files[0].write_bytes(spoilt[: len(spoilt) - cut])
    glance(files[0], KEYWORDS)
    with suppress(InputError):  # whatever is wrong with it has a name
        assert len(find_series(folder)) <= len(files)
        for found in find_studies(folder):
            if isinstance(found, Study):
                load_study(found)


def test_other_files_and_broken_ones_are_passed_over(tmp_path: Path) -> None:
    (tmp_path / "DICOMDIR").write_bytes(bytes(128) + b"DICM")
    (tmp_path / "readme").write_text("no DICOM")
    (tmp_path / "empty").touch()
    (tmp_path / "dangling").symlink_to(tmp_path / "nowhere")
    assert find_series(tmp_path) == []
    write_series(tmp_path / "a\x1b[31m" / "[/nope]")
    (series,) = find_series(tmp_path)
    assert (series.modality, series.frames) == ("PT", 7)
    assert series.extent_mm == pytest.approx(18.0)
    with pytest.raises(InputError, match="no such folder"):
        find_series(tmp_path / "absent")


def test_descriptions_in_other_alphabets_and_without_controls(tmp_path: Path) -> None:
    def name(_: int, ds: Dataset) -> None:
        ds.SpecificCharacterSet, ds.SeriesDescription = "ISO_IR 192", "Ganzkörper ПЭТ [bold]\x07"

    write_series(tmp_path, bend=name)
    (series,) = find_series(tmp_path)
    assert series.description == "Ganzkörper ПЭТ [bold]"
    assert "Ganzkörper" in str(series)


def test_a_dynamic_series_is_known_by_its_header(tmp_path: Path) -> None:
    def dynamic(_: int, ds: Dataset) -> None:
        ds.SeriesType = ["DYNAMIC", "IMAGE"]

    write_series(tmp_path / "d", bend=dynamic, series="1.2.3.5")
    write_series(tmp_path / "s")
    assert [(s.uid, s.dynamic) for s in find_series(tmp_path)] == [
        ("1.2.3.4", False),
        ("1.2.3.5", True),
    ]


def test_the_extent_of_a_multi_frame_series(tmp_path: Path) -> None:
    (first, *_) = write_series(tmp_path / "single")
    whole = dcmread(first)
    first.unlink()
    del whole.ImagePositionPatient
    frames = []
    for k in range(SHAPE[0]):
        place, frame = Dataset(), Dataset()
        place.ImagePositionPatient = [0.0, 0.0, 3.0 * k]
        frame.PlanePositionSequence = Sequence([place])
        frames.append(frame)
    whole.PerFrameFunctionalGroupsSequence, whole.NumberOfFrames = Sequence(frames), len(frames)
    whole.PixelData, whole.SeriesInstanceUID = pixels().astype("<i2").tobytes(), "1.2.3.6"
    (tmp_path / "multi").mkdir()
    save(whole, tmp_path / "multi" / "x.dcm")
    (series,) = find_series(tmp_path / "multi")
    assert (series.frames, series.extent_mm) == (7, 18.0)


def _bare(path: Path, syntax: UID, meta: bool) -> None:
    """The file without preamble and prefix, with its meta header or without that too."""
    _rewritten(path, syntax)
    raw = path.read_bytes()[132:]
    length = 12 + int.from_bytes(raw[8:12], "little")  # of the meta header after its own length
    path.write_bytes(raw if meta else raw[length:])


@pytest.mark.parametrize("meta", [True, False])
@pytest.mark.parametrize("syntax", [ExplicitVRLittleEndian, ImplicitVRLittleEndian])
def test_files_without_preamble_are_read(syntax: UID, meta: bool, tmp_path: Path) -> None:
    for path in write_series(tmp_path):
        _bare(path, syntax, meta)
    (series,) = find_series(tmp_path)
    assert (series.modality, series.frames, series.description) == ("PT", SHAPE[0], "WB AC")
    np.testing.assert_array_equal(read_series(series.files).array, pixels())


def test_text_that_begins_like_dicom_is_none(tmp_path: Path) -> None:
    for k, start in enumerate(
        (b"\x08\x00\x05\x00\x0a\0\0\0", b"\x08\x00\x16\x00UI\xff\xff", b"\x08\0")
    ):
        (tmp_path / f"{k}").write_bytes(start + bytes(range(256)) * k)
    assert find_series(tmp_path) == []


def test_every_file_is_in_a_series_or_says_why_not(tmp_path: Path) -> None:
    files = write_series(tmp_path / "pet")
    (tmp_path / "note").write_text("no DICOM")
    (tmp_path / "empty").touch()
    (tmp_path / "cut").write_bytes(files[0].read_bytes()[:400])
    others = [tmp_path / name for name in ("note", "empty", "cut", "absent")]
    found = sort_files([*files, *others])
    assert [len(s.files) for s in found.series] == [7]
    told = {path.name: why for path, why in found.others}
    assert told["note"] == "neither DICOM nor an image that is read"
    assert told["empty"] == "an empty file"
    assert "SeriesInstanceUID" in told["cut"]
    assert told["absent"].startswith("cannot be read")


def test_an_instance_is_taken_once_and_its_copies_are_known(tmp_path: Path) -> None:
    files = write_series(tmp_path / "a")
    shutil.copytree(tmp_path / "a", tmp_path / "b")
    other = dcmread(tmp_path / "b" / files[0].name)
    other.PixelData = bytes(len(other.PixelData))
    other.save_as(tmp_path / "b" / files[0].name)
    _rewritten(tmp_path / "b" / files[1].name, ImplicitVRLittleEndian)
    (series,) = find_series(tmp_path)
    assert {p.parent.name for p in series.files} == {"a"}
    assert len(set(series.instances)) == len(series.files) == len(series.copies) == 7
    same = {copy.name: same_image(copy, first) for copy, first in series.copies}
    assert [name for name, s in same.items() if not s] == [files[0].name]


def test_what_is_no_regular_file_is_never_opened(tmp_path: Path) -> None:
    write_series(tmp_path / "a")
    os.mkfifo(tmp_path / "a" / "pipe")
    assert len(find_series(tmp_path)) == 1


def test_a_file_of_gigabytes_is_read_by_its_header(tmp_path: Path) -> None:
    """A private value of 3 GB before the pixels, and junk of 3 GB that begins as DICOM does."""
    import resource

    (path, *_) = write_series(tmp_path / "a")
    raw = path.read_bytes()
    at = raw.index(b"\x10\x00\x10\x00PN")
    with path.open("wb") as file:
        file.write(raw[:at] + b"\x09\x00\x10\x00OB\0\0" + (3 << 30).to_bytes(4, "little"))
        file.seek(3 << 30, os.SEEK_CUR)
        file.write(raw[at:])
    with (tmp_path / "a" / "junk").open("wb") as file:
        file.write(bytes(128) + b"DICM" + b"\x09\x00\x10\x00OB\0\0\xf0\xff\xff\xff")
        file.truncate(3 << 30)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    found = sort_files(sorted((tmp_path / "a").iterdir()))
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 300_000  # KB
    assert [s.frames for s in found.series] == [7]
    assert [p.name for p, _ in found.others] == ["junk"]


@pytest.mark.parametrize("packed", [False, True])
def test_of_a_million_files_headers_are_not_kept(tmp_path: Path, packed: bool) -> None:
    """What is kept of a file is its place and its instance: all headers would be gigabytes."""
    files = write_series(tmp_path, np.full((121, 4, 4), 300, np.int16))
    for path in files if packed else ():
        ds = dcmread(path)
        ds.compress(RLELossless, generate_instance_uid=False)
        ds.save_as(path)
    sort_files(files[:2])  # what is imported and cached once
    tracemalloc.start()
    try:
        (found,) = sort_files(files).series
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert (len(found.files), len(set(found.instances)), found.frames) == (121, 121, 121)
    most = 4000 if packed else 1500  # with their headers 11 kB a file, read by pydicom, and 2.5
    assert peak < 121 * most
