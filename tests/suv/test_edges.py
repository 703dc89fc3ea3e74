"""The edges of the SUV rules: the last value that is believed and the first that is not.

Base: 70 kg, 310 MBq, injected 08:15:00, scanned 09:15:00 on 15 March 2024; expected by hand.
"""

from __future__ import annotations

import math
from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import pytest

from tests.suv.headers import HALF, PLAIN
from tmtv_engine.errors import BadTag, Implausible, MissingTag
from tmtv_engine.suv.clock import Stamp
from tmtv_engine.suv.decay import mean_activity_s
from tmtv_engine.suv.factor import height_m, suv_factor
from tmtv_engine.suv.header import PetHeader
from tmtv_engine.suv.overrides import Overrides

DAY = date(2024, 3, 15)


def at(clock: str, day: date | None = DAY, offset: int | None = None) -> Stamp:
    """A stamp of HH:MM or HH:MM:SS."""
    hour, minute, second = (*map(int, clock.split(":")), 0)[:3]
    return Stamp(day, 3600.0 * hour + 60.0 * minute + second, offset)


BASE = replace(
    PLAIN,
    injection=at("8:15"),
    series=at("9:15"),
    acquisitions=(at("9:15"), at("9:17")),
    frame_duration_s=(120.0, 180.0),
)


def of(**changes: Any) -> PetHeader:
    return replace(BASE, **changes)


def wait_s(header: PetHeader, *accepted: str) -> float:
    """The wait that the factor was decayed by, back from the factor."""
    value = suv_factor(header, Overrides(accepted=frozenset(accepted))).value
    weight, dose = header.weight_kg or 0.0, header.dose_bq or 0.0
    return HALF * math.log2(value * dose / (weight * 1000))


def codes(header: PetHeader, *accepted: str) -> list[str]:
    found = suv_factor(header, Overrides(accepted=frozenset(accepted)))
    return [n.code for n in found.notices]


def refusal(header: PetHeader) -> str:
    """The code, or the tag, by which a header is refused; "" where it is taken."""
    try:
        suv_factor(header)
    except Implausible as error:
        return error.code
    except (BadTag, MissingTag) as error:
        return error.keyword
    return ""


@pytest.mark.parametrize(
    ("said", "meant"),
    [(None, None), (0.0, None), (1.63, 1.63), (3.0, 3.0), (3.01, 0.0301), (163.0, 1.63)],
)
def test_a_height_above_3_is_in_centimetres(said: float | None, meant: float | None) -> None:
    found, told = height_m(of(height_m=said))
    assert found == (None if meant is None else pytest.approx(meant, rel=1e-12))
    assert [n.code for n in told] == (["height-cm"] if said and said > 3 else [])


@pytest.mark.parametrize(
    ("changes", "refused"),
    [
        ({"weight_kg": 10.0}, ""),
        ({"weight_kg": 9.99}, "weight"),
        ({"weight_kg": 350.0}, ""),
        ({"weight_kg": 350.01}, "weight"),
        ({"weight_kg": -70.0}, "PatientWeight"),
        ({"dose_bq": 1e6}, ""),
        ({"dose_bq": 1e6 - 0.5}, "low-dose"),
        ({"dose_bq": 2e9}, ""),
        ({"dose_bq": 2e9 + 0.5}, "high-dose"),
        ({"dose_bq": 1e-3}, "low-dose"),
        ({"dose_bq": -3.1e8}, "RadionuclideTotalDose"),
        ({"dose_bq": 0.0}, "RadionuclideTotalDose"),
        ({"half_life_s": 0.0}, "RadionuclideHalfLife"),
        ({"half_life_s": -HALF}, "RadionuclideHalfLife"),
        ({"half_life_s": HALF * 1.0499}, ""),
        ({"half_life_s": HALF * 1.0501}, "wrong-half-life"),
        ({"half_life_s": HALF * 0.9499}, "wrong-half-life"),
    ],
)
def test_weight_dose_and_half_life(changes: dict[str, float], refused: str) -> None:
    assert refusal(of(**changes)) == refused


def test_the_words_of_a_dose_guess_its_unit() -> None:
    for dose, unit in ((310.0, "is it MBq?"), (3.1e11, "is it kBq?")):
        with pytest.raises(Implausible, match=unit.replace("?", r"\?")):
            suv_factor(of(dose_bq=dose))


@pytest.mark.parametrize(
    ("lengths", "refused"),
    [
        ((120.0, 180.0), ""),
        ((120.0,), "ActualFrameDuration"),
        ((120.0, 180.0, 240.0), "ActualFrameDuration"),
        ((120.0, 0.0), "ActualFrameDuration"),
        ((120.0, -1.0), "ActualFrameDuration"),
        ((120.0, None), "ActualFrameDuration"),
    ],
)
def test_without_decay_correction_each_frame_needs_its_length(
    lengths: tuple[float | None, ...], refused: str
) -> None:
    none = of(decay_correction="NONE", corrected_image=("ATTN",), frame_duration_s=lengths)
    assert refusal(none) == refused
    assert refusal(replace(none, acquisitions=())) == "AcquisitionTime"


def test_undecayed_counts_are_worth_their_activity_frame_by_frame() -> None:
    """Injected 60 and 62 min before frames of 120 and 180 s; 2.5 Bq/mL a count."""
    none = of(decay_correction="NONE", corrected_image=("ATTN",), units="CNTS", philips_bqml=2.5)
    found = suv_factor(none)
    waits = [3600 + mean_activity_s(120.0, HALF), 3720 + mean_activity_s(180.0, HALF)]
    expected = [2.5 * 70 * 1000 / 3.1e8 * 2 ** (wait / HALF) for wait in waits]
    assert found.per_slice == pytest.approx(expected, rel=1e-12)
    assert found.value == pytest.approx(expected[0], rel=1e-12)
    assert found.uptake_s == 3600.0
    assert found.rule.startswith("(7053,1009) × CNTS, NONE")
    start = suv_factor(replace(none, decay_correction="START", corrected_image=("ATTN", "DECY")))
    assert start.per_slice is None


def test_the_mean_of_a_frame_is_a_little_before_its_middle() -> None:
    """λt = ln 2: the mean activity is 1 / (2 ln 2) of the first, so log2(2 ln 2) half-lives in."""
    assert mean_activity_s(1000.0, 1000.0) == pytest.approx(1000 * math.log2(2 * math.log(2)))
    assert mean_activity_s(0.0, HALF) == mean_activity_s(-1.0, HALF) == 0.0


@pytest.mark.parametrize(
    ("series", "codes_told"), [("9:00", []), ("8:59:59", ["scan-time", "uptake-time"])]
)
def test_a_start_more_than_a_quarter_of_an_hour_before_the_first_bed_is_told(
    series: str, codes_told: list[str]
) -> None:
    injected = at("7:50") if series == "9:00" else at("7:00")
    assert codes(of(series=at(series), injection=injected)) == codes_told


@pytest.mark.parametrize(
    ("before_s", "refused"),
    [
        (-1, "RadiopharmaceuticalStartDateTime"),
        (0, "uptake"),
        (299, "uptake"),
        (300, ""),
        (8 * 3600, ""),
        (8 * 3600 + 1, "uptake"),
        (24 * 3600, "uptake"),
        (24 * 3600 + 1, "RadiopharmaceuticalStartDateTime"),
    ],
)
def test_an_uptake_of_5_minutes_to_8_hours_is_believed(before_s: int, refused: str) -> None:
    moment = 9 * 3600 + 15 * 60 - before_s
    day, second = DAY + timedelta(days=moment // 86400), moment % 86400
    assert refusal(of(injection=Stamp(day, float(second)))) == refused


@pytest.mark.parametrize(
    ("before_s", "told"), [(2699, True), (2700, False), (7200, False), (7201, True)]
)
def test_an_uptake_of_45_to_120_minutes_is_usual(before_s: int, told: bool) -> None:
    header = of(injection=Stamp(DAY, 9 * 3600.0 + 900 - before_s))
    assert codes(header) == (["uptake-time"] if told else [])


@pytest.mark.parametrize(("scan", "refused"), [("3:00", ""), ("3:00:01", "an emptied time")])
def test_an_injection_at_midnight_is_believed_for_three_hours(scan: str, refused: str) -> None:
    header = of(injection=at("0:00"), series=at(scan), acquisitions=(at(scan),))
    if refused:
        with pytest.raises(BadTag, match=refused):
            suv_factor(header)
    else:
        assert wait_s(header) == pytest.approx(3 * 3600)


@pytest.mark.parametrize(
    ("scan", "bare", "wait"),
    [
        ("7:00", "23:00", 8 * 3600.0),
        ("7:00:01", "23:00", None),
        ("7:00", "7:00", 0.0),
        ("7:00", "6:59:59", 1.0),
    ],
)
def test_a_bare_time_is_of_the_day_before_up_to_eight_hours(
    scan: str, bare: str, wait: float | None
) -> None:
    header = of(
        series=at(scan),
        acquisitions=(at(scan),),
        injection=None,
        injection_time=at(bare, None),
    )
    if wait is None:
        with pytest.raises(BadTag, match="a day earlier is too long"):
            suv_factor(header)
        return
    assert wait_s(header, "uptake") == pytest.approx(wait, abs=1e-3)
    told = codes(header, "uptake")
    assert ("time-of-day" in told) == (bare == "23:00")


@pytest.mark.parametrize(
    ("series", "wait"),
    [("5:15", 900.0), ("5:14:59", 4 * 3600 + 900.0)],
)
def test_a_series_four_hours_before_its_first_bed_is_its_start(series: str, wait: float) -> None:
    header = of(series=at(series), injection=at("5:00"))
    assert wait_s(header) == pytest.approx(wait, abs=1e-3)


@pytest.mark.parametrize(("series", "wait"), [("8:45", 1800.0), ("8:44:59", 3600.0)])
def test_an_undated_series_half_an_hour_before_its_first_bed_is_its_start(
    series: str, wait: float
) -> None:
    assert wait_s(of(series=at(series, None))) == pytest.approx(wait, abs=1e-3)


@pytest.mark.parametrize(("first", "wait"), [("2:00", 3600.0), ("2:00:01", 3 * 3600 + 1.0)])
def test_a_series_at_midnight_is_believed_for_two_hours(first: str, wait: float) -> None:
    """Injected at 23:00 the day before; else the first bed is the start."""
    injected = at("23:00", DAY - timedelta(days=1))
    header = of(series=at("0:00"), acquisitions=(at(first),), injection=injected)
    assert wait_s(header) == pytest.approx(wait, abs=1e-3)


@pytest.mark.parametrize(
    ("others", "first"),
    [("2:00", "2:00"), ("1:59:59", "0:00"), ("22:00", "22:00"), ("22:00:01", "22:00:01")],
)
def test_a_bed_at_midnight_is_emptied_two_hours_from_the_others(others: str, first: str) -> None:
    """The uptake runs to the first bed that counts; one after midnight is of the next day."""
    injected = (
        at("21:00", DAY - timedelta(days=1)) if others < "2" or others == "2:00" else at("21:00")
    )
    header = of(acquisitions=(at("0:00"), at(others)), series=None, injection=injected)
    moment = at(first).seconds + (86400 if injected.day != DAY else 0)
    assert suv_factor(header).uptake_s == pytest.approx(moment - 21 * 3600)
    late = [n.code for n in suv_factor(header).notices]
    assert ("time-of-day" in late) == (others == "22:00:01")


@pytest.mark.parametrize(
    ("last", "refused"),
    [("13:15", ""), ("13:15:01", "AcquisitionTime"), ("21:15", "AcquisitionTime")],
)
def test_beds_up_to_four_hours_apart_are_one_scan(last: str, refused: str) -> None:
    assert refusal(of(acquisitions=(at("9:15"), at(last)))) == refused


def test_undated_beds_across_midnight_are_one_scan() -> None:
    """23:50 and 00:05 are a quarter of an hour; 21:00 and 02:00 five hours; 12 h are neither."""
    none = of(series=None, injection=None, injection_time=at("23:00", None))
    night = replace(none, acquisitions=(at("23:50", None), at("0:05", None)))
    assert suv_factor(night).uptake_s == 50 * 60.0
    assert codes(night).count("time-of-day") >= 1
    for pair in (("21:00", "2:00"), ("9:15", "21:15")):
        far = replace(none, acquisitions=tuple(at(clock, None) for clock in pair))
        assert refusal(far) == "AcquisitionTime"
    close = replace(none, acquisitions=(at("22:00:02", None), at("2:00", None)))
    assert suv_factor(replace(close, injection_time=at("21:00", None))).uptake_s == pytest.approx(
        3602.0
    )


@pytest.mark.parametrize(
    ("scanned", "wait"),
    [
        ("9:15", 4500.0),
        ("9:15:01", 4500.0),
        ("5:15", 900.0),
        ("5:14:59", 15300.0),
    ],
)
def test_ges_own_time_is_the_start_up_to_four_hours_before_the_first_bed(
    scanned: str, wait: float
) -> None:
    injected = at("8:00") if scanned >= "9" else at("5:00")
    header = of(series=at("12:00"), ge_scan=at(scanned), injection=injected)
    assert wait_s(header) == pytest.approx(wait, abs=1e-3)


def test_ges_own_time_of_another_day_is_taken_as_a_time_of_the_scans() -> None:
    """Dated four hours before or after the first bed it is as it says; beyond, its clock alone."""
    night = of(
        series=at("12:00"),
        acquisitions=(at("2:00"),),
        injection=at("21:00", DAY - timedelta(days=1)),
        ge_scan=at("22:00", DAY - timedelta(days=1)),
    )
    assert wait_s(night) == pytest.approx(3600.0, abs=1e-3)
    shifted = replace(BASE, series=at("12:00"), ge_scan=at("9:05", date(2019, 1, 1)))
    assert wait_s(shifted) == pytest.approx(3000.0, abs=1e-3)
    undated = replace(shifted, ge_scan=at("9:05", None))
    assert wait_s(undated) == pytest.approx(3000.0, abs=1e-3)


@pytest.mark.parametrize(
    ("references", "lengths", "from_frame"),
    [
        ((300.0, 420.0), (120.0, 180.0), True),
        ((300.0,), (120.0,), True),
        ((), (120.0, 180.0), False),
        ((300.0, 420.0), (), False),
        ((0.0, 420.0), (120.0, 180.0), False),
        ((-1.0, 420.0), (120.0, 180.0), False),
        ((None, 420.0), (120.0, 180.0), False),
        ((300.0, 420.0), (None, 180.0), False),
        ((300.0, 420.0), (0.0, 180.0), True),
    ],
)
def test_a_siemens_frame_tells_the_start_where_it_is_whole(
    references: tuple[float | None, ...], lengths: tuple[float | None, ...], from_frame: bool
) -> None:
    header = of(
        manufacturer="Siemens Healthineers",
        series=at("12:00"),
        frame_reference_s=references,
        frame_duration_s=lengths,
    )
    expected = 3600.0
    if from_frame:
        expected += mean_activity_s(lengths[0] or 0.0, HALF) - 300.0
    assert wait_s(header) == pytest.approx(expected, abs=1e-3)


def test_an_offset_counts_from_utc_on_the_scanners_clock() -> None:
    """Zone +01:00: 06:45 UTC−00:30 is 07:15 UTC, 08:15 there."""
    header = of(timezone_min=60, injection=at("6:45", offset=-30))
    assert wait_s(header) == pytest.approx(3600.0, abs=1e-3)
    two = of(
        acquisitions=(at("8:15", offset=0), at("10:15", offset=120)),
        injection=at("7:15", offset=0),
    )
    assert refusal(two) == "AcquisitionDateTime"
    one = of(acquisitions=(at("9:15", offset=60), None), injection=at("7:15", offset=0))
    assert wait_s(one) == pytest.approx(3600.0, abs=1e-3)


def test_the_scans_day_is_the_earliest_of_its_acquisitions() -> None:
    """Undated slices between dated ones are of the usual day."""
    next_day = DAY + timedelta(days=1)
    header = of(
        series=at("23:50"),
        acquisitions=(at("23:50"), at("0:02", next_day), at("0:05", next_day), at("0:08", None)),
        injection=at("22:50"),
    )
    assert suv_factor(header).uptake_s == 3600.0
    assert codes(header) == []


def test_a_guessed_day_gives_way_where_the_injection_lies_a_day_off() -> None:
    """The day is the series'; an injection on it within 24 h is dated, else a time of day."""
    guessed = of(acquisitions=(at("9:15", None),) * 2)
    assert codes(guessed) == ["time-of-day"]
    a_day = replace(guessed, injection=at("9:15", DAY - timedelta(days=1)))
    assert wait_s(a_day, "uptake") == pytest.approx(86400.0, abs=1e-3)
    at_once = replace(guessed, injection=at("9:15"))
    assert codes(at_once, "uptake") == ["time-of-day", "uptake"]
    for day in (DAY - timedelta(days=1), DAY + timedelta(days=1)):
        off = replace(guessed, injection=at("8:15", day))
        assert wait_s(off) == pytest.approx(3600.0, abs=1e-3)
        assert codes(off) == ["time-of-day"] * 2
