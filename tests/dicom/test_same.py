"""What must be the same in every slice of a series, and which words mean the same."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.uid import RLELossless

from tests.support.dicom import Change, drug, only, tags, write_series
from tmtv_engine.dicom.read import read_series
from tmtv_engine.dicom.same import check_same, check_static
from tmtv_engine.errors import BadTag, Implausible
from tmtv_engine.suv.overrides import Overrides

DIFFERENT: dict[str, tuple[Change, str]] = {
    "patient": (tags(PatientID="T2"), "PatientID"),
    "name": (tags(PatientName="Other^Case"), "PatientName"),
    "first name": (tags(PatientName="Test^Casey"), "PatientName"),
    "birth date": (tags(PatientBirthDate="19800102"), "PatientBirthDate"),
    "sex": (tags(PatientSex="M"), "PatientSex"),
    "frame of reference": (tags(FrameOfReferenceUID="1.2.3.99"), "FrameOfReferenceUID"),
    "units": (tags(Units="GML"), "Units"),
    "no units": (tags(Units=""), "Units"),
    "corrections": (tags(CorrectedImage=["DECY", "SCAT"]), "CorrectedImage"),
    "decay correction": (tags(DecayCorrection="ADMIN"), "DecayCorrection"),
    "SUV type": (tags(SUVType="LBM"), "SUVType"),
    "weight": (tags(PatientWeight="71"), "PatientWeight"),
    "no weight": (tags(PatientWeight=None), "PatientWeight"),
    "dose": (drug(RadionuclideTotalDose="250000001"), "RadionuclideTotalDose"),
    "half-life": (drug(RadionuclideHalfLife="6588"), "RadionuclideHalfLife"),
    "injection": (drug(RadiopharmaceuticalStartTime="100100"), "RadiopharmaceuticalStartTime"),
    "tracer": (drug(Radiopharmaceutical="FLT"), "Radiopharmaceutical"),
    "no drug": (tags(RadiopharmaceuticalInformationSequence=None), "Radiopharmaceutical"),
}


@pytest.mark.parametrize("number", [0, 4, 6])
@pytest.mark.parametrize("name", sorted(DIFFERENT))
def test_what_differs_in_one_slice_is_named(name: str, number: int, tmp_path: Path) -> None:
    change, keyword = DIFFERENT[name]
    stack = read_series(write_series(tmp_path, bend=only(number, change)))
    with pytest.raises(BadTag, match="differs within the series") as caught:
        check_same(stack.slices, Overrides())
    assert caught.value.keyword.startswith(keyword)
    assert "IM" in str(caught.value)
    assert caught.value.remedy


@pytest.mark.parametrize(
    "change",
    [
        tags(PatientWeight="70.0"),
        tags(PatientName="TEST^CASE^^"),
        tags(PatientName=""),
        tags(PatientSex=None),
        tags(CorrectedImage=["SCAT", "DECY", "ATTN"]),
        tags(PatientID=""),
        tags(PatientSize="1.80", OperatorsName="Other"),
        drug(RadiopharmaceuticalVolume="7", RadionuclideTotalDose="2.5E8"),
    ],
)
def test_the_same_in_other_words_is_the_same(change: Change, tmp_path: Path) -> None:
    check_same(read_series(write_series(tmp_path, bend=only(3, change))).slices, Overrides())


def test_compressed_slices_are_compared_too(tmp_path: Path) -> None:
    change = drug(RadionuclideTotalDose="250000001")
    files = write_series(tmp_path, bend=only(2, change))
    for path in files[1:]:
        dataset = dcmread(path)
        dataset.compress(RLELossless, generate_instance_uid=False)
        dataset.save_as(path)
    with pytest.raises(BadTag, match="RadionuclideTotalDose"):
        check_same(read_series(files).slices, Overrides())


def test_what_is_overridden_need_not_agree(tmp_path: Path) -> None:
    def change(ds: Dataset) -> None:
        tags(PatientWeight="71")(ds)
        drug(RadionuclideTotalDose="1")(ds)

    stack = read_series(write_series(tmp_path, bend=only(3, change)))
    with pytest.raises(BadTag, match="RadionuclideTotalDose"):
        check_same(stack.slices, Overrides(weight_kg=70.0))
    check_same(stack.slices, Overrides(weight_kg=70.0, dose_bq=2.5e8))


def test_philips_factors_are_compared(tmp_path: Path) -> None:
    def counts(k: int, ds: Dataset) -> None:
        ds.Units = "CNTS"
        block = ds.private_block(0x7053, "Philips PET Private Group", create=True)
        block.add_new(0x09, "DS", "1.5" if k != 5 else "1.6")

    with pytest.raises(BadTag, match="7053,1009"):
        check_same(read_series(write_series(tmp_path, bend=counts)).slices, Overrides())


@pytest.mark.parametrize(
    ("word", "tag"), [("DYNAMIC", "NumberOfTimeSlices"), ("GATED", "NumberOfTimeSlots")]
)
def test_one_time_point_of_several_is_refused(word: str, tag: str) -> None:
    head = Dataset()
    head.SeriesType = [word, "IMAGE"]
    assert [n.code for n in check_static(head, Overrides())] == ["marked-dynamic"]
    setattr(head, tag, 1)
    assert [n.code for n in check_static(head, Overrides())] == ["marked-dynamic"]
    setattr(head, tag, 2)
    with pytest.raises(Implausible, match="SeriesType") as caught:
        check_static(head, Overrides())
    assert caught.value.code == "dynamic"
    told = check_static(head, Overrides(accepted=frozenset({"dynamic"})))
    assert [n.code for n in told] == ["dynamic"]
    head.SeriesType = ["STATIC", "IMAGE"]  # GE counts its beds in NumberOfTimeSlices
    assert check_static(head, Overrides()) == []
