"""Enhanced PET: its own words put into those of a PET image, or refused as what it is."""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from pathlib import Path

import numpy as np
import pytest
from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence

from tests.support.dicom import FACTOR, SHAPE, pixels, save, write_series
from tmtv_engine.errors import GeometryError, InputError
from tmtv_engine.study.find import Study, find_studies
from tmtv_engine.study.load import Loaded, load_study

GONE = [
    "ImagePositionPatient",
    "ImageOrientationPatient",
    "PixelSpacing",
    "SliceThickness",
    "RescaleSlope",
    "RescaleIntercept",
    "Units",
    "DecayCorrection",
    "CorrectedImage",
    "SeriesType",
    "AcquisitionTime",
    "AcquisitionDate",
]


def item(**values: object) -> Dataset:
    found = Dataset()
    for keyword, value in values.items():
        setattr(found, keyword, value)
    return found


def write_enhanced(folder: Path, bend: Callable[[Dataset], None] = lambda ds: None) -> None:
    """The series of `write_series` as one file of frames, stored from the head down."""
    whole = dcmread(write_series(folder / "single")[0])
    for path in (folder / "single").iterdir():
        path.unlink()
    for keyword in GONE:
        delattr(whole, keyword)
    whole.SOPClassUID, whole.SOPInstanceUID = "1.2.840.10008.5.1.4.1.1.130", "1.2.3.77"
    whole.AttenuationCorrected = whole.DecayCorrected = whole.ScatterCorrected = "YES"
    whole.DecayCorrectionDateTime = whole.AcquisitionDateTime = "20200101110000"
    drug = whole.RadiopharmaceuticalInformationSequence[0]
    drug.RadionuclideTotalDose = "250"
    drug.RadiopharmaceuticalStartDateTime = "20200101100000"
    del drug.RadiopharmaceuticalStartTime
    cosines = item(ImageOrientationPatient=[1, 0, 0, 0, 1, 0])
    shared = item(
        PlaneOrientationSequence=Sequence([cosines]),
        PixelMeasuresSequence=Sequence([item(PixelSpacing=[4.0, 2.0], SliceThickness=3.0)]),
    )
    frames = []
    for k in reversed(range(SHAPE[0])):
        value = item(RescaleSlope=str(k + 1), RescaleIntercept="0", RescaleType="BQML")
        content = item(FrameAcquisitionDateTime="20200101110000", FrameAcquisitionDuration=120000.0)
        place = item(ImagePositionPatient=[-10.0, 20.0, -300.0 + 3 * k])
        frames.append(
            item(
                PlanePositionSequence=Sequence([place]),
                PixelValueTransformationSequence=Sequence([value]),
                FrameContentSequence=Sequence([content]),
            )
        )
    whole.SharedFunctionalGroupsSequence = Sequence([shared])
    whole.PerFrameFunctionalGroupsSequence = Sequence(frames)
    whole.NumberOfFrames = len(frames)
    whole.PixelData = pixels()[::-1].astype("<i2").tobytes()
    bend(whole)
    save(whole, folder / "enhanced.dcm")


def _loaded(folder: Path, bend: Callable[[Dataset], None] = lambda ds: None) -> Loaded:
    write_enhanced(folder, bend)
    (study,) = (s for s in find_studies(folder) if isinstance(s, Study))
    return load_study(study)


RAMP = np.arange(1, SHAPE[0] + 1)[:, None, None]


def test_an_enhanced_pet_becomes_suv(tmp_path: Path) -> None:
    loaded = _loaded(tmp_path)
    np.testing.assert_allclose(loaded.suv.array, pixels() * RAMP * FACTOR, rtol=1e-5)
    assert "DECY" not in loaded.info["pet"]["suv_rule"]
    assert loaded.info["pet"]["units"] == "BQML"
    assert loaded.source["pet"]["frames"] is True


def _frames(keyword: str, **values: object) -> Callable[[Dataset], None]:
    def bend(ds: Dataset) -> None:
        for frame in ds.PerFrameFunctionalGroupsSequence:
            for name, value in values.items():
                setattr(frame[keyword].value[0], name, value)

    return bend


def _part(number: int, whole: Dataset, total: int | None) -> Dataset:
    """The first 4 frames or the last 3, as one of the files of a concatenation."""
    own = slice(0, 4) if number == 1 else slice(4, None)
    ds = deepcopy(whole)
    ds.PerFrameFunctionalGroupsSequence = Sequence(whole.PerFrameFunctionalGroupsSequence[own])
    ds.NumberOfFrames = len(ds.PerFrameFunctionalGroupsSequence)
    ds.PixelData = pixels()[::-1][own].astype("<i2").tobytes()
    ds.SOPInstanceUID = f"1.2.3.77.{number}"
    ds.ConcatenationUID, ds.InConcatenationNumber = "1.2.3.78", number
    ds.InConcatenationTotalNumber = total
    return ds


@pytest.mark.parametrize(
    ("kept", "total", "refused"), [((1, 2), 2, False), ((1,), 2, True), ((1, 2), 3, True)]
)
def test_a_concatenation_that_lacks_a_file_is_refused(
    kept: tuple[int, ...], total: int, refused: bool, tmp_path: Path
) -> None:
    write_enhanced(tmp_path)
    whole = dcmread(tmp_path / "enhanced.dcm")
    (tmp_path / "enhanced.dcm").unlink()
    for number in kept:
        save(_part(number, whole, total), tmp_path / f"{number}.dcm")
    (study,) = (s for s in find_studies(tmp_path) if isinstance(s, Study))
    if refused:
        with pytest.raises(GeometryError, match="1 missing at an end"):
            load_study(study)
    else:
        found = load_study(study).suv.array
        np.testing.assert_allclose(found, pixels() * RAMP * FACTOR, rtol=1e-5)


def test_a_dose_in_becquerel_is_taken_as_it_is(tmp_path: Path) -> None:
    def becquerel(ds: Dataset) -> None:
        ds.RadiopharmaceuticalInformationSequence[0].RadionuclideTotalDose = "250000000"

    assert _loaded(tmp_path, becquerel).info["pet"]["suv_factor"] == pytest.approx(FACTOR)


def test_corrected_to_the_injection(tmp_path: Path) -> None:
    def admin(ds: Dataset) -> None:
        ds.DecayCorrectionDateTime = "20200101100000"

    assert _loaded(tmp_path, admin).info["pet"]["suv_factor"] == pytest.approx(70000 / 2.5e8)


def _without(keyword: str) -> Callable[[Dataset], None]:
    return lambda ds: delattr(ds, keyword)


def _with(**values: object) -> Callable[[Dataset], None]:
    def bend(ds: Dataset) -> None:
        for keyword, value in values.items():
            setattr(ds, keyword, value)

    return bend


def _typed(*words: str, everywhere: bool = True) -> Callable[[Dataset], None]:
    """Frames that call themselves so (PS3.3 C.8.22.5.1); the image's own type is a plain one."""

    def bend(ds: Dataset) -> None:
        ds.ImageType = ["DERIVED", "PRIMARY", "STATIC", "MIXED"]
        for k, frame in enumerate(ds.PerFrameFunctionalGroupsSequence):
            own = list(words) if everywhere or k == 3 else ["ORIGINAL", "PRIMARY", "STATIC", "NONE"]
            frame.PETFrameTypeSequence = Sequence([item(FrameType=own)])

    return bend


def _mapped(times: float) -> Callable[[Dataset], None]:
    """Each frame's own mapping, in Bq/mL: its slope, so many times."""

    def bend(ds: Dataset) -> None:
        unit = item(CodeValue="Bq/ml", CodingSchemeDesignator="UCUM", CodeMeaning="Becquerel/ml")
        for frame in ds.PerFrameFunctionalGroupsSequence:
            slope = float(frame.PixelValueTransformationSequence[0].RescaleSlope)
            own = item(RealWorldValueSlope=slope * times, RealWorldValueIntercept=0.0)
            own.MeasurementUnitsCodeSequence = Sequence([unit])
            frame.RealWorldValueMappingSequence = Sequence([own])

    return bend


def test_frames_that_say_the_same_twice_are_taken(tmp_path: Path) -> None:
    plain = ("DERIVED", "PRIMARY", "STATIC", "NONE")
    loaded = _loaded(tmp_path, lambda ds: (_typed(*plain)(ds), _mapped(1.0)(ds))[0])
    np.testing.assert_allclose(loaded.suv.array, pixels() * RAMP * FACTOR, rtol=1e-5)


REFUSED = {
    "subtracted": (_typed("DERIVED", "PRIMARY", "STATIC", "SUBTRACTION"), "FrameType"),
    "one frame subtracted": (
        _typed("DERIVED", "PRIMARY", "STATIC", "SUBTRACTION", everywhere=False),
        "missing",
    ),
    "other values": (_mapped(2.0), "RealWorldValueMappingSequence"),
    "no unit": (_frames("PixelValueTransformationSequence", RescaleType="US"), "Enhanced PET"),
    "no moment": (_without("DecayCorrectionDateTime"), "DecayCorrectionDateTime"),
    "not attenuation corrected": (_with(AttenuationCorrected="NO"), "CorrectedImage"),
    "frames that do not count": (_with(NumberOfFrames=6), "NumberOfFrames"),
    "no dose": (
        lambda ds: delattr(ds.RadiopharmaceuticalInformationSequence[0], "RadionuclideTotalDose"),
        "RadionuclideTotalDose",
    ),
}


@pytest.mark.parametrize("name", sorted(REFUSED))
def test_refused_by_name(name: str, tmp_path: Path) -> None:
    bend, said = REFUSED[name]
    with pytest.raises(InputError, match=said):
        _loaded(tmp_path, bend)


def test_two_time_points_in_one_file_are_refused(tmp_path: Path) -> None:
    def twice(ds: Dataset) -> None:
        ds.PerFrameFunctionalGroupsSequence.extend(list(ds.PerFrameFunctionalGroupsSequence))
        ds.NumberOfFrames, ds.PixelData = 14, ds.PixelData * 2

    with pytest.raises(InputError, match="one position"):
        _loaded(tmp_path, twice)
