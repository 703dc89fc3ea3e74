"""Files to series: a glance at each agrees with pydicom, and nothing in a folder stops it."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
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
)

from tests.support.dicom import SHAPE, pixels, save, write_series
from tmtv_engine.dicom.brief import PREFIX, glance
from tmtv_engine.dicom.discover import find_series
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
