"""SUV rules: the factors of the real GE header and its variants, and everything refused.

The expected factors were given by mirp 2.7.0 and z-rad 26.9.0 on variants of one GE series
(tests/golden/suv_variants.json names each); the rest is worked out by hand in the test.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tmtv_engine.errors import BadTag, Implausible, MissingTag
from tmtv_engine.suv.clock import Stamp, day_of, seconds_of, stamp_of
from tmtv_engine.suv.decay import mean_activity_s
from tmtv_engine.suv.factor import suv_factor
from tmtv_engine.suv.header import PetHeader
from tmtv_engine.suv.overrides import Overrides

SCAN = datetime(2000, 9, 7, 11, 20, 11)


def _on(at: datetime) -> Stamp:
    return Stamp.of(at)


def _at_clock(hour: int, minute: int, second: int = 0) -> Stamp:
    return Stamp(None, hour * 3600.0 + minute * 60.0 + second)


GE = PetHeader(
    units="BQML",
    corrected_image=("DECY", "ATTN", "SCAT", "DTIM", "RAN"),
    decay_correction="START",
    weight_kg=71.0,
    height_m=1.63,
    sex="M",
    dose_bq=388777472.0,
    half_life_s=6588.0,
    injection_time=_at_clock(10, 35),
    series=_on(SCAN),
    acquisitions=(_on(SCAN), _on(SCAN + timedelta(minutes=4))),
    frame_duration_s=(240.0, 240.0),
    frame_reference_s=(0.0, 240.0),
    manufacturer="GE MEDICAL SYSTEMS",
    nuclides=("18F C-111A1",),
    tracers=("FDG -- fluorodeoxyglucose",),
)
VARIANTS: dict[str, Callable[[PetHeader], PetHeader]] = {
    "base": lambda h: h,
    "ADMIN": lambda h: replace(h, decay_correction="ADMIN"),
    "NONE": lambda h: replace(h, decay_correction="NONE", corrected_image=("ATTN",)),
    "GML LBMJANMA": lambda h: replace(h, units="GML", suv_type="LBMJANMA"),
    "CM2ML": lambda h: replace(h, units="CM2ML"),
    "injection the evening before": lambda h: replace(
        h,
        series=_on(datetime(2000, 9, 8, 0, 15, 11)),
        injection_time=_at_clock(23, 30),
        acquisitions=(_on(datetime(2000, 9, 8, 0, 15, 11)),),
    ),
    "Siemens reprocessed": lambda h: replace(
        h,
        manufacturer="SIEMENS",
        series=_on(SCAN + timedelta(hours=2)),
        frame_reference_s=(mean_activity_s(240.0, 6588.0),),
        frame_duration_s=(240.0,),
        acquisitions=(_on(SCAN),),
    ),
    "GE series 13 min before acquisition": lambda h: replace(
        h, acquisitions=(_on(SCAN + timedelta(minutes=13)),)
    ),
    "GE reprocessed": lambda h: replace(
        h, series=_on(SCAN + timedelta(hours=2)), ge_scan=_on(SCAN)
    ),
    "Philips 1009 = 1.602563": lambda h: replace(
        h, units="CNTS", philips_suv=0.0003, philips_bqml=1.602563
    ),
    "Philips 1000 = .0003": lambda h: replace(h, units="CNTS", philips_suv=0.0003),
    "GML BW": lambda h: replace(h, units="GML", suv_type="BW"),
    "GML without SUVType": lambda h: replace(h, units="GML"),
}
GOLDEN = json.loads(
    (Path(__file__).parents[1] / "golden" / "suv_variants.json").read_text(encoding="utf-8")
)


@pytest.mark.parametrize("name", sorted(VARIANTS))
def test_the_factor_of_each_variant(name: str) -> None:
    expected = GOLDEN[name]
    found = suv_factor(VARIANTS[name](GE))
    assert found.value == pytest.approx(expected["factor"], rel=expected["rel"])
    assert found.rule


def test_the_base_factor_to_nine_digits() -> None:
    found = suv_factor(GE)
    assert found.value == pytest.approx(0.0002429029766148455, rel=1e-9)
    assert "2711 s" in found.rule
    assert found.notices == ()


def test_without_decay_correction_each_frame_has_its_own_factor() -> None:
    found = suv_factor(VARIANTS["NONE"](GE))
    assert found.per_slice is not None
    assert found.per_slice[1] / found.per_slice[0] == pytest.approx(2 ** (240 / 6588.0))


def test_the_mean_activity_of_a_frame() -> None:
    """At λT → 0 it is the middle; for T one half-life, ln(ln 2 / ½) / ln 2 half-lives."""
    assert mean_activity_s(1.0, 6588.0) == pytest.approx(0.5, rel=1e-3)
    one = math.log(math.log(2) / 0.5) / math.log(2)
    assert mean_activity_s(6588.0, 6588.0) == pytest.approx(6588.0 * one)


@pytest.mark.parametrize(
    ("sex", "kind", "mass"),
    [
        ("M", "LBM", 1.10 * 71 - 120 * (71 / 163) ** 2),
        ("F", "LBM", 1.07 * 71 - 148 * (71 / 163) ** 2),
        ("M", "LBMJAMES128", 1.10 * 71 - 128 * (71 / 163) ** 2),
        ("F", "LBMJAMES128", 1.07 * 71 - 148 * (71 / 163) ** 2),
        ("F", "LBMJANMA", 9270 * 71 / (8780 + 244 * 71 / 1.63**2)),
        ("M", "IBW", 48.0 + 1.06 * 11),
        ("F", "IBW", 45.5 + 0.91 * 11),
    ],
)
def test_other_suv_types_become_body_weight(sex: str, kind: str, mass: float) -> None:
    found = suv_factor(replace(GE, units="GML", suv_type=kind, sex=sex))
    assert found.value == pytest.approx(71 / mass)


def _no(**changes: Any) -> PetHeader:
    return replace(GE, **changes)


REFUSED = {
    "no ATTN": (_no(corrected_image=("DECY",)), "CorrectedImage"),
    "no DECY": (_no(corrected_image=("ATTN",)), "CorrectedImage"),
    "weight missing": (_no(weight_kg=None), "PatientWeight"),
    "weight 0": (_no(weight_kg=0.0), "PatientWeight"),
    "weight 7": (_no(weight_kg=7.0), "PatientWeight"),
    "weight 351": (_no(weight_kg=351.0), "PatientWeight"),
    "dose missing": (_no(dose_bq=None), "RadionuclideTotalDose"),
    "dose in MBq": (_no(dose_bq=388.8), "RadionuclideTotalDose"),
    "half-life missing": (_no(half_life_s=None), "RadionuclideHalfLife"),
    "injection missing": (_no(injection_time=None), "RadiopharmaceuticalStartTime"),
    "injection after the scan": (
        _no(injection=_on(SCAN + timedelta(minutes=1)), injection_time=None),
        "RadiopharmaceuticalStartDateTime",
    ),
    "injection two days before": (
        _no(injection=_on(SCAN - timedelta(days=2)), injection_time=None),
        "RadiopharmaceuticalStartDateTime",
    ),
    "no scan time": (_no(series=None, acquisitions=()), "SeriesTime"),
    "units": (_no(units="PROPCNTS"), "Units"),
    "no units": (_no(units=""), "Units"),
    "counts without factors": (_no(units="CNTS"), "(7053,1009)"),
    "decay correction unknown": (_no(decay_correction=""), "DecayCorrection"),
    "two tracers": (_no(radiopharmaceuticals=2), "RadiopharmaceuticalInformationSequence"),
    "gallium": (_no(nuclides=("68Ga",)), "RadionuclideCodeSequence"),
    "FLT": (_no(tracers=("FLT",)), "Radiopharmaceutical"),
    "SUV type unknown": (_no(units="GML", suv_type="XYZ"), "SUVType"),
    "SUV type without height": (_no(units="GML", suv_type="LBM", height_m=None), "PatientSize"),
    "SUV type without sex": (_no(units="GML", suv_type="LBM", sex="O"), "PatientSex"),
    "frames without durations": (
        _no(decay_correction="NONE", frame_duration_s=()),
        "ActualFrameDuration",
    ),
}


def test_a_height_is_believed_from_40_cm_to_2_6_m() -> None:
    for height in (0.4, 2.6):
        assert suv_factor(_no(units="GML", suv_type="BSA", height_m=height)).value > 0
    for height in (0.39, 2.61):
        with pytest.raises(BadTag, match="PatientSize"):
            suv_factor(_no(units="GML", suv_type="BSA", height_m=height))


def test_a_weight_that_is_there_is_not_missing() -> None:
    with pytest.raises(Implausible) as caught:
        suv_factor(_no(weight_kg=0.5))
    assert caught.value.code == "weight"


def test_units_that_are_none_are_called_nothing() -> None:
    with pytest.raises(BadTag, match="nothing is not BQML"):
        suv_factor(_no(units=""))


@pytest.mark.parametrize("name", sorted(REFUSED))
def test_what_cannot_be_believed_is_refused_by_its_tag(name: str) -> None:
    header, keyword = REFUSED[name]
    with pytest.raises((MissingTag, BadTag, Implausible)) as caught:
        suv_factor(header)
    assert caught.value.keyword == keyword  # type: ignore[attr-defined]
    assert keyword in str(caught.value)
    assert caught.value.remedy  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"half_life_s": 6700.0}, "half-life"),
        ({"injection_time": _at_clock(10, 50)}, "uptake-time"),
        ({"injection_time": _at_clock(9, 0)}, "uptake-time"),
        ({"height_m": 163.0}, "height-cm"),
        ({"tracers": ()}, "tracer-unnamed"),
    ],
)
def test_what_is_odd_is_warned_about(changes: dict[str, Any], code: str) -> None:
    assert [n.code for n in suv_factor(replace(GE, **changes)).notices] == [code]


def test_weight_is_not_needed_where_the_pixels_are_suv() -> None:
    assert suv_factor(replace(GE, units="GML", weight_kg=None)).value == 1.0


def test_overrides_replace_the_header_and_are_recorded() -> None:
    told = Overrides(weight_kg=142.0, injection_time=SCAN - timedelta(seconds=2711))
    found = suv_factor(replace(GE, weight_kg=None, injection_time=None), told)
    assert found.value == pytest.approx(2 * 0.0002429029766148455, rel=1e-9)
    assert told.record() == {"weight_kg": 142.0, "injection_time": "2000-09-07T10:35:00"}
    allowed = suv_factor(replace(GE, tracers=("FLT",)), Overrides(allow_tracer=True))
    assert [n.code for n in allowed.notices] == ["other-tracer"]


@given(st.floats(10.0, 350.0), st.floats(1e7, 1.9e9))
def test_the_factor_is_weight_over_dose(weight: float, dose: float) -> None:
    found = suv_factor(replace(GE, weight_kg=weight, dose_bq=dose)).value
    assert found * dose / weight == pytest.approx(1000 * 2 ** (2711 / 6588.0))


def test_vendor_headers_against_their_published_factors(shared_data: Path) -> None:
    """Five real extracts of calculate-suv's fixtures; Philips counts take tag 1009, 1e-3 off."""
    folder = shared_data / "suv_headers"
    expected = json.loads((folder / "expected_suvbw_factor.json").read_text())
    checked = 0
    for path in sorted(folder.glob("*-instances.json")):
        name = path.name.removesuffix("-instances.json")
        header = _header_of(json.loads(path.read_text()))
        rel = 1.5e-3 if header.units == "CNTS" else 1e-9
        allowed = suv_factor(header, Overrides(allow_tracer=True))
        assert allowed.value == pytest.approx(expected[name], rel=rel), name
        checked += 1
    assert checked == 5


def _header_of(instances: list[dict[str, Any]]) -> PetHeader:
    first = instances[0]
    philips = first.get("PhilipsPETPrivateGroup") or {}
    ge = (first.get("GEPrivatePostInjectionDateTime") or "").strip()
    started = first.get("RadiopharmaceuticalStartDateTime")
    return PetHeader(
        units=first["Units"],
        corrected_image=tuple(first["CorrectedImage"]),
        decay_correction=first["DecayCorrection"],
        weight_kg=first["PatientWeight"],
        sex=first.get("PatientSex") or "",
        dose_bq=first["RadionuclideTotalDose"],
        half_life_s=first["RadionuclideHalfLife"],
        injection=stamp_of("", started.strip()) if started else None,
        injection_time=Stamp(None, seconds_of("", first["RadiopharmaceuticalStartTime"]) or 0.0),
        series=_at(first["SeriesDate"], first["SeriesTime"]),
        acquisitions=tuple(_at(i["AcquisitionDate"], i["AcquisitionTime"]) for i in instances),
        frame_reference_s=tuple(i.get("FrameReferenceTime", 0) / 1000 for i in instances),
        frame_duration_s=tuple(i.get("ActualFrameDuration", 0) / 1000 for i in instances),
        manufacturer="SIEMENS" if not philips and not ge else "",
        ge_scan=stamp_of("", ge),
        philips_suv=float(philips.get("SUVScaleFactor") or 0) or None,
        philips_bqml=float(philips.get("ActivityConcentrationScaleFactor") or 0) or None,
    )


def _at(day: str, at: str) -> Stamp:
    return Stamp(day_of("", day), seconds_of("", at) or 0.0)


# What contradicts itself


@pytest.mark.parametrize(
    ("least", "refused"),
    [(1.0127, False), (1.15, False), (1.16, True), (1.33, True), (None, False)],
)
def test_a_start_whose_decay_factors_go_back_to_the_injection(
    least: float | None, refused: bool
) -> None:
    """The GE scan waits 45 min: to the injection the first bed's factor is 1.33.

    Half way to it, in the exponent, is 2^(uptake / 2 half-lives).
    """
    header = replace(GE, decay_factors=(least, None))
    half_way = 2.0 ** (suv_factor(GE).uptake_s / 2 / GE.half_life_s)  # type: ignore[operator]
    assert 1.15 < half_way < 1.16
    if not refused:
        assert suv_factor(header).value == suv_factor(GE).value
        told = {n.code for n in suv_factor(header).notices}
        assert told == ({"decay-unclear"} if least == 1.15 else set())
        return
    with pytest.raises(Implausible) as caught:
        suv_factor(header)
    assert caught.value.code == "decay-factor"
    taken = suv_factor(header, Overrides(accepted=frozenset({"decay-factor"})))
    assert taken.value == suv_factor(GE).value
    assert "decay-factor" in [n.code for n in taken.notices]


def test_a_decay_factor_tells_nothing_of_a_correction_to_the_injection() -> None:
    header = replace(GE, decay_correction="ADMIN")
    assert suv_factor(replace(header, decay_factors=(1.5, 1.5))).value == suv_factor(header).value


@pytest.mark.parametrize(
    ("described", "refused"),
    [
        ("PET WB AC SUV LBM", True),
        ("SUL", True),
        ("PET_SUVlbm", True),
        ("LBM_Janma", True),
        ("lean body mass", True),
        ("SUV-BSA", True),
        ("PET AC SUVbw", False),
        ("Results cleaned", False),
        ("CONSULT LBMX", False),
        ("", False),
    ],
)
def test_an_suv_of_no_kind_that_is_called_lean(described: str, refused: bool) -> None:
    header = replace(GE, units="GML", description=described)
    if refused:
        with pytest.raises(Implausible) as caught:
            suv_factor(header)
        assert caught.value.code == "suv-type"
        assert suv_factor(header, Overrides(accepted=frozenset({"suv-type"}))).value == 1.0
    else:
        assert suv_factor(header).value == 1.0
    stated = replace(header, suv_type="BW")
    if refused:
        with pytest.raises(Implausible, match="SUVType: BW, and the series is called"):
            suv_factor(stated)
    else:
        assert suv_factor(stated).value == 1.0


@pytest.mark.parametrize(
    ("weight", "height", "told"),
    [
        (70.0, 1.75, False),
        (154.3, 1.70, True),  # 70 kg in pounds
        (70.0, 67.0, True),  # 1.70 m in inches
        (130.0, 1.70, False),
        (130.1, 1.70, True),  # 45.02 kg/m²
        (11.01, 1.0, False),
        (10.99, 1.0, True),
        (70.0, None, False),
    ],
)
def test_a_weight_that_the_height_contradicts(
    weight: float, height: float | None, told: bool
) -> None:
    header = replace(GE, weight_kg=weight, height_m=height)
    codes = [n.code for n in suv_factor(header).notices if n.code != "height-cm"]
    assert codes == (["body-mass"] if told else [])
