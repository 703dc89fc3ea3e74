"""Every refusal and warning of the SUV rules, from files of real bytes to the message."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence

from tests.support.dicom import FACTOR, codes, drug, pixels, tags, write_series
from tmtv_engine.errors import InputError
from tmtv_engine.study.find import Study, find_studies
from tmtv_engine.study.load import Loaded, load_study
from tmtv_engine.suv.factor import Overrides

Change = Callable[[Dataset], None]


def _loaded(folder: Path, change: Change, overrides: Overrides | None = None) -> Loaded:
    write_series(folder, bend=lambda _, ds: change(ds))
    (study,) = find_studies(folder)
    assert isinstance(study, Study)
    return load_study(study, overrides)


def _nuclide(code: str, meaning: str) -> Change:
    item = Dataset()
    item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = code, "SRT", meaning
    return drug(RadionuclideCodeSequence=Sequence([item]))


def _twice(ds: Dataset) -> None:
    ds.RadiopharmaceuticalInformationSequence.append(Dataset())


def _none(ds: Dataset) -> None:
    del ds.RadiopharmaceuticalInformationSequence


def _raw(keyword: str, value: str) -> Change:
    """A value of another VR than its tag's, as only a scanner would write it."""

    def change(ds: Dataset) -> None:
        ds[keyword] = DataElement(keyword, "LO", value)

    return change


def _private(**values: str) -> Change:
    """Philips' (7053,1000) and (7053,1009) as a scanner writes them."""

    def change(ds: Dataset) -> None:
        ds.Units, ds.Manufacturer = "CNTS", "Philips Medical Systems"
        block = ds.private_block(0x7053, "Philips PET Private Group", create=True)
        for name, value in values.items():
            block.add_new(int(name[1:], 16) & 0xFF, "DS", value)

    return change


def _scanned_at_ten_thirty(ds: Dataset) -> None:
    ds.SeriesTime = "143000"
    ds.private_block(0x0009, "OTHER", create=True).add_new(0x01, "LO", "x")
    block = ds.private_block(0x0009, "GEMS_PETD_01", create=True)
    block.add_new(0x0D, "DT", "20200101103000.00")


def _stranger(ds: Dataset) -> None:
    """Not GE's scan time, though it stands where GE's would; SeriesTime is late as well."""
    ds.SeriesTime = "143000"
    ds.private_block(0x0009, "SOMEONE ELSE", create=True).add_new(0x0D, "LO", "20200101093000")


REFUSED: dict[str, tuple[Change, str]] = {
    "no attenuation correction": (tags(CorrectedImage=["DECY", "SCAT"]), "CorrectedImage"),
    "one other correction": (tags(CorrectedImage="DECY"), "CorrectedImage"),
    "no decay correction named": (tags(CorrectedImage=["ATTN", "SCAT"]), "CorrectedImage"),
    "no weight": (tags(PatientWeight=None), "PatientWeight"),
    "weight 0": (tags(PatientWeight="0"), "PatientWeight"),
    "weight in grams": (tags(PatientWeight="70000"), "PatientWeight"),
    "weight in words": (_raw("PatientWeight", "seventy"), "PatientWeight"),
    "slope in words": (_raw("RescaleSlope", "one"), "RescaleSlope"),
    "no dose": (drug(RadionuclideTotalDose=None), "RadionuclideTotalDose"),
    "much activity": (drug(RadionuclideTotalDose="2100000000"), "RadionuclideTotalDose"),
    "dose in MBq": (drug(RadionuclideTotalDose="250"), "RadionuclideTotalDose"),
    "no half-life": (drug(RadionuclideHalfLife=None), "RadionuclideHalfLife"),
    "no injection": (drug(RadiopharmaceuticalStartTime=""), "RadiopharmaceuticalStartTime"),
    "injection after the scan": (
        drug(RadiopharmaceuticalStartDateTime="20200101120000"),
        "RadiopharmaceuticalStartDateTime",
    ),
    "injection years before": (
        drug(RadiopharmaceuticalStartDateTime="20100101100000"),
        "RadiopharmaceuticalStartDateTime",
    ),
    "units": (tags(Units="PROPCPS"), "Units"),
    "counts": (tags(Units="CNTS"), "7053,1009"),
    "two drugs": (_twice, "RadiopharmaceuticalInformationSequence"),
    "no drug": (_none, "RadionuclideTotalDose"),
    "gallium": (_nuclide("C-131A3", "^68^Gallium"), "RadionuclideCodeSequence"),
    "another tracer": (drug(Radiopharmaceutical="Florbetapir F18"), "Radiopharmaceutical"),
    "an SUV nobody knows": (tags(Units="GML", SUVType="LBMXYZ"), "SUVType"),
    "lean mass without height": (
        tags(Units="GML", SUVType="LBM", PatientSize=None),
        "PatientSize",
    ),
    "lean mass without sex": (tags(Units="GML", SUVType="LBM", PatientSex="O"), "PatientSex"),
    "no slope": (tags(RescaleSlope=None), "RescaleSlope"),
    "slope 0": (tags(RescaleSlope="0"), "RescaleSlope"),
    "colour": (tags(SamplesPerPixel=3, PhotometricInterpretation="RGB"), "SamplesPerPixel"),
}


@pytest.mark.parametrize("name", sorted(REFUSED))
def test_refused_by_the_name_of_its_tag(name: str, tmp_path: Path) -> None:
    change, keyword = REFUSED[name]
    with pytest.raises(InputError, match=keyword) as caught:
        _loaded(tmp_path, change)
    assert caught.value.remedy


WARNED: dict[str, tuple[Change, str]] = {
    "half-life": (drug(RadionuclideHalfLife="6700"), "half-life"),
    "scanned soon": (drug(RadiopharmaceuticalStartTime="103000"), "uptake-time"),
    "scanned late": (drug(RadiopharmaceuticalStartTime="083000"), "uptake-time"),
    "centimetres": (tags(PatientSize="175"), "height-cm"),
    "tracer unnamed": (drug(Radiopharmaceutical=""), "tracer-unnamed"),
}


@pytest.mark.parametrize("name", sorted(WARNED))
def test_warned_of(name: str, tmp_path: Path) -> None:
    change, code = WARNED[name]
    loaded = _loaded(tmp_path, change)
    assert set(codes(loaded.notices)) == {code, "no-ct"}
    assert loaded.info["patient"]["height_m"] == 1.75


TAKEN: dict[str, tuple[Change, float]] = {
    "already SUV": (tags(Units="GML", RescaleSlope="0.001"), 1.0),
    "already SUVbw, weight missing": (
        tags(Units="GML", SUVType="BW", PatientWeight=None, RescaleSlope="0.001"),
        1.0,
    ),
    "ADMIN": (tags(DecayCorrection="ADMIN"), 70000 / 2.5e8),
    "late SeriesTime": (tags(SeriesTime="143000"), FACTOR),
    "a zone": (drug(RadiopharmaceuticalStartDateTime="20200101100000.00+0100"), FACTOR),
    "the old code of fluorine": (_nuclide("C-111A1", "^18^Fluorine"), FACTOR),
    "GE's scan time": (_scanned_at_ten_thirty, FACTOR * 2 ** (-1800 / 6586.2)),
    "counts in Bq/mL": (_private(x1000="0.0003", x1009="1.5"), 1.5 * FACTOR),
    "a stranger's private block": (_stranger, FACTOR),
    "counts in SUV": (_private(x1000="0.0003", x1009="0"), 0.0003),
}


@pytest.mark.parametrize("name", sorted(TAKEN))
def test_taken_with_its_factor(name: str, tmp_path: Path) -> None:
    change, factor = TAKEN[name]
    loaded = _loaded(tmp_path, change)
    assert loaded.info["pet"]["suv_factor"] == pytest.approx(factor, rel=1e-9)
    slope = 0.001 if factor == 1.0 else 1.0
    np.testing.assert_allclose(loaded.suv.array, pixels() * slope * factor, rtol=1e-6)


def test_without_decay_correction_every_slice_has_its_own_factor(tmp_path: Path) -> None:
    """Two beds of 180 s, the second four minutes later."""

    def beds(k: int, ds: Dataset) -> None:
        ds.DecayCorrection, ds.CorrectedImage = "NONE", ["ATTN"]
        ds.ActualFrameDuration = "180000"
        ds.AcquisitionTime = "110400" if k >= 4 else "110000"

    write_series(tmp_path, bend=beds)
    (study,) = find_studies(tmp_path)
    assert isinstance(study, Study)
    suv = load_study(study).suv.array / np.maximum(pixels(), 1)
    rate = np.log(2) / 6586.2
    mean = np.log(rate * 180 / (1 - np.exp(-rate * 180))) / rate
    first = 70000 / (2.5e8 * np.exp(-rate * (3600 + mean)))
    expected = np.where(np.arange(7) >= 4, first * np.exp(rate * 240), first)
    np.testing.assert_allclose(suv.max(axis=(1, 2)), expected, rtol=1e-5)


@pytest.mark.parametrize(
    ("old", "new", "refused"),
    [
        (b"100000.0", b"10:00:00", ""),
        (b"100000.0", b"10 Uhr  ", "RadiopharmaceuticalStartTime"),
        (b"20200101", b"2020-1-1", "SeriesDate"),
        (b"250000000 ", b"zuviel    ", "RadionuclideTotalDose"),
        (b"DS\x02\x0070", b"DS\x02\x00?!", "PatientWeight"),
    ],
)
def test_values_that_their_vr_forbids(old: bytes, new: bytes, refused: str, tmp_path: Path) -> None:
    """Some are understood all the same; the others are refused by name, not by a traceback."""
    change = drug(RadiopharmaceuticalStartTime="100000.0")
    for path in write_series(tmp_path, bend=lambda _, ds: change(ds)):
        raw = path.read_bytes()
        assert old in raw
        path.write_bytes(raw.replace(old, new))
    (study,) = find_studies(tmp_path)
    assert isinstance(study, Study)
    if refused:
        with pytest.raises(InputError, match=refused) as caught:
            load_study(study)
        option = {"PatientWeight": "--weight-kg", "RadionuclideTotalDose": "--dose-bq"}
        assert option.get(refused, "") in caught.value.remedy
    else:
        assert load_study(study).info["pet"]["suv_factor"] == pytest.approx(FACTOR)


def test_a_tracer_may_be_allowed(tmp_path: Path) -> None:
    loaded = _loaded(tmp_path, drug(Radiopharmaceutical="FLT"), Overrides(allow_tracer=True))
    assert "other-tracer" in {n.code for n in loaded.notices}
    assert loaded.info["overrides"] == {"allow_tracer": True}
