"""A RealWorldValueMapping that says other values than RescaleSlope and Units do."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence

from tests.support.dicom import FACTOR, Change, codes, write_series
from tmtv_engine.errors import Implausible
from tmtv_engine.study.find import Study, find_studies
from tmtv_engine.study.load import load_study
from tmtv_engine.suv.overrides import Overrides

SLOPE, SHAPE = 5.0, (7, 20, 22)  # Bq/mL a step


def _map(slope: float, unit: str, meaning: str = "", intercept: float = 0.0) -> Dataset:
    item, code = Dataset(), Dataset()
    item.RealWorldValueSlope, item.RealWorldValueIntercept = slope, intercept
    item.RealWorldValueFirstValueMapped = 0
    item.RealWorldValueLastValueMapped = 30000
    item["RealWorldValueFirstValueMapped"].VR = item["RealWorldValueLastValueMapped"].VR = "US"
    code.CodeValue, code.CodingSchemeDesignator, code.CodeMeaning = unit, "UCUM", meaning or unit
    item.MeasurementUnitsCodeSequence = Sequence([code])
    return item


def _maps(*items: Dataset, **more: str) -> Change:
    def change(ds: Dataset) -> None:
        ds.RealWorldValueMappingSequence = Sequence(list(items))
        for keyword, value in more.items():
            setattr(ds, keyword, value)

    return change


def _table(ds: Dataset) -> None:
    item = _map(SLOPE, "Bq/ml")
    del item.RealWorldValueSlope, item.RealWorldValueIntercept
    item.RealWorldValueLUTData = [0.0, 1.0, 4.0]
    ds.RealWorldValueMappingSequence = Sequence([item])


def _modality(ds: Dataset) -> None:
    item = Dataset()
    item.LUTDescriptor, item.ModalityLUTType, item.LUTData = [3, 0, 16], "US", [0, 2, 4]
    item["LUTDescriptor"].VR, item["LUTData"].VR = "US", "US"
    ds.ModalityLUTSequence = Sequence([item])


def _study(folder: Path, change: Change, number: int | None = None) -> Study:
    """SUV 1.4 throughout; the change in all slices, or in one."""
    value = round(1.4 / FACTOR / SLOPE)

    def bend(k: int, ds: Dataset) -> None:
        ds.RescaleSlope = f"{SLOPE:g}"
        if number in (None, k):
            change(ds)

    write_series(folder, np.full(SHAPE, value, np.int16), bend=bend)
    (study,) = find_studies(folder)
    assert isinstance(study, Study)
    return study


AGREE: dict[str, Change] = {
    "activity": _maps(_map(SLOPE, "Bq/ml", "Becquerels/milliliter")),
    "in kBq": _maps(_map(SLOPE / 1000, "kBq/ml")),
    "SUV": _maps(_map(SLOPE * FACTOR, "g/ml{SUVbw}", "Standardized Uptake Value body weight")),
    "SUV, by another clock": _maps(_map(SLOPE * FACTOR * 1.04, "{SUVbw}g/ml")),
    "both": _maps(_map(SLOPE, "Bq/ml"), _map(SLOPE * FACTOR, "g/ml{SUVbw}")),
    "lean, beside": _maps(_map(SLOPE, "Bq/ml"), _map(0.4 * SLOPE * FACTOR, "g/ml{SUVlbm}")),
    "no unit": _maps(_map(1.0, "1", "no units")),
    "per cent": _maps(_map(77.0, "%")),
    "rescaled": _maps(RescaleType="BQML"),
    "rescaled, unspecified": _maps(RescaleType="US"),
}


@pytest.mark.parametrize("name", sorted(AGREE))
def test_what_agrees_or_is_of_another_matter_is_taken(name: str, tmp_path: Path) -> None:
    loaded = load_study(_study(tmp_path, AGREE[name]))
    assert codes(loaded.notices) == ["tracer-unnamed"] or "value-mapping" not in codes(
        loaded.notices
    )


DIFFER: dict[str, tuple[Change, str]] = {
    "another slope": (_maps(_map(SLOPE * 1.01, "Bq/ml")), "RealWorld"),
    "an intercept": (_maps(_map(SLOPE, "Bq/ml", intercept=10.0)), "RealWorld"),
    "Bq for kBq": (_maps(_map(SLOPE, "kBq/ml")), "RealWorld"),
    "SUV": (_maps(_map(SLOPE * FACTOR * 1.06, "g/ml{SUVbw}")), "RealWorld"),
    "SUV at the injection's time": (
        _maps(_map(SLOPE * 70_000 / 2.5e8, "g/ml{SUVbw}")),
        "RealWorld",
    ),
    "activity right, SUV not": (
        _maps(_map(SLOPE, "Bq/ml"), _map(SLOPE * FACTOR / 2, "g/ml{SUVbw}")),
        "RealWorld",
    ),
    "they are counts": (_maps(_map(SLOPE, "{counts}", "Counts")), "RealWorld"),
    "they are lean SUV": (_maps(_map(SLOPE, "g/ml{SUVlbm}")), "RealWorld"),
    "a table": (_table, "RealWorld"),
    "a modality's table": (_modality, "ModalityLUTSequence"),
    "rescaled to SUV": (_maps(RescaleType="GML"), "RescaleType"),
    "rescaled to HU": (_maps(RescaleType="HU"), "RescaleType"),
}


@pytest.mark.parametrize("name", sorted(DIFFER))
def test_what_says_other_values_is_refused(name: str, tmp_path: Path) -> None:
    change, tag = DIFFER[name]
    study = _study(tmp_path, change)
    with pytest.raises(Implausible) as caught:
        load_study(study)
    assert (caught.value.code, caught.value.what[: len(tag)]) == ("value-mapping", tag)
    taken = load_study(study, Overrides(accepted=frozenset({"value-mapping"})))
    assert taken.suv.array.max() == pytest.approx(1.4, rel=1e-3)


@pytest.mark.parametrize("number", [0, 3, 6])
def test_one_slice_is_enough(number: int, tmp_path: Path) -> None:
    study = _study(tmp_path, _maps(_map(SLOPE * 3, "Bq/ml")), number)
    with pytest.raises(Implausible, match="IM") as caught:
        load_study(study)
    assert caught.value.code == "value-mapping"


def test_pixels_in_suv_are_compared_as_they_are(tmp_path: Path) -> None:
    right = _maps(_map(SLOPE, "g/ml{SUVbw}"), Units="GML", SUVType="BW", RescaleSlope="5")
    accepted = Overrides(accepted=frozenset({"body-suv", "suv-max"}))
    told = codes(load_study(_study(tmp_path / "a", right), accepted).notices)
    assert "value-mapping" not in told
    lean = _maps(_map(SLOPE, "g/ml{SUVlbm}"), Units="GML", SUVType="BW", RescaleSlope="5")
    with pytest.raises(Implausible) as caught:
        load_study(_study(tmp_path / "b", lean), accepted)
    assert caught.value.code == "value-mapping"
