"""Scan and injection on one clock: the day, midnight, zones, emptied times, clocks that are off.

Base: 70 kg, 310 MBq, injected 08:15, scanned 09:15 on 15 March 2024; SUV per Bq/mL by hand.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from types import MappingProxyType
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.suv.headers import HALF, PLAIN
from tmtv_engine.errors import BadTag, Implausible, InputError, MissingTag
from tmtv_engine.suv.clock import Stamp
from tmtv_engine.suv.decay import mean_activity_s
from tmtv_engine.suv.factor import suv_factor
from tmtv_engine.suv.header import PetHeader
from tmtv_engine.suv.overrides import Overrides

DAY, LATER = date(2024, 3, 15), date(2024, 3, 18)


def at(hour: int, minute: int = 0, day: date | None = DAY, offset: int | None = None) -> Stamp:
    return Stamp(day, hour * 3600.0 + minute * 60.0, offset)


def clock(hour: int, minute: int = 0) -> Stamp:
    return at(hour, minute, None)


BASE = replace(
    PLAIN,
    injection_time=clock(8, 15),
    series=at(9, 15),
    acquisitions=(at(9, 15), at(9, 17), at(9, 19)),
    frame_reference_s=(0.0, 0.0, 0.0),  # emptied: what it says of the start is not asked here
    frame_duration_s=(120.0, 120.0, 120.0),
)


def factor(minutes: float) -> float:
    return 70 * 1000 / (3.1e8 * 2 ** (-60 * minutes / HALF))


def _with(**changes: Any) -> PetHeader:
    return replace(BASE, **changes)


TOD, SCAN_TIME, UPTAKE = "time-of-day", "scan-time", "uptake-time"
BLANK = {"series": clock(9, 15), "acquisitions": (clock(9, 15),) * 3}
TAKEN: dict[str, tuple[PetHeader, float, list[str]]] = {
    "base": (BASE, 60, []),
    "a date and time": (_with(injection=at(8, 15), injection_time=None), 60, []),
    "both that agree": (_with(injection=at(8, 15)), 60, []),
    "both, a minute rounded off": (_with(injection=Stamp(DAY, 29759.0)), 60 - 59 / 60, []),
    "both, a minute apart": (_with(injection=Stamp(DAY, 29760.0)), 59, []),
    "acquisitions without a date, on the series' day": (
        _with(acquisitions=(clock(9, 15),) * 3, injection=at(8, 15), injection_time=None),
        60,
        [TOD],
    ),
    "no dates, the series ten minutes early": (
        _with(series=clock(9, 5), acquisitions=(clock(9, 15),) * 3),
        50,
        [TOD],
    ),
    "beds four hours apart": (_with(acquisitions=(at(9, 15), at(13, 15))), 60, []),
    "the series four hours early": (
        _with(series=at(5, 15), injection_time=clock(5)),
        15,
        [SCAN_TIME, UPTAKE],
    ),
    "decayed to a moment of the next day, the scan's day from the series": (
        _with(
            series=at(23, 50),
            acquisitions=(clock(23, 50),) * 3,
            decayed_to=at(0, 5, date(2024, 3, 16)),
            injection=at(22, 50),
            injection_time=None,
        ),
        75,
        [TOD],
    ),
    # zones
    "UTC beside a zone": (
        _with(timezone_min=60, injection=at(7, 15, offset=0), injection_time=None),
        60,
        [],
    ),
    "west of it, the day before": (
        _with(
            timezone_min=-300,
            series=at(20),
            acquisitions=(at(20),),
            injection=at(0, 0, date(2024, 3, 16), 0),
            injection_time=None,
        ),
        60,
        [],
    ),
    "acquisitions with an offset": (
        _with(
            acquisitions=(at(8, 15, offset=0),) * 3,
            series=at(8, 15),
            injection=at(7, 15, offset=0),
            injection_time=None,
        ),
        60,
        [],
    ),
    "an offset, and the local time beside it": (_with(injection=at(8, 15, offset=60)), 60, []),
    "an offset and a zone, and the local time": (
        _with(timezone_min=60, injection=at(7, 15, offset=0)),
        60,
        [],
    ),
    # days
    "reconstructed days later": (_with(series=at(8, 0, LATER)), 60, []),
    "reconstructed days later, a full date": (
        _with(series=at(8, 0, LATER), injection=at(8, 15)),
        60,
        [],
    ),
    "no acquisition date, late series": (
        _with(series=at(11, 30), acquisitions=(clock(9, 15),) * 3),
        60,
        [TOD],
    ),
    "no acquisition date, series days later": (
        _with(series=at(11, 30, LATER), acquisitions=(clock(9, 15),), injection=at(8, 15)),
        60,
        [TOD, TOD],
    ),
    "all dates blank": (_with(**BLANK), 60, [TOD]),
    "all dates blank, the injection's stands": (
        _with(**BLANK, injection=at(8, 15)),
        60,
        [TOD, TOD],
    ),
    "the injection's date is a dummy": (_with(injection=clock(8, 15)), 60, [TOD]),
    "the evening before": (
        _with(series=at(0, 15), acquisitions=(at(0, 15),), injection_time=clock(23, 15)),
        60,
        [TOD],
    ),
    "a second bed after midnight": (
        _with(
            series=at(23, 50),
            acquisitions=(at(23, 50), at(0, 5)),
            injection_time=clock(22, 50),
        ),
        60,
        [TOD],
    ),
    "a second bed after midnight, dated": (
        _with(
            series=at(23, 50),
            acquisitions=(at(0, 5, date(2024, 3, 16)), at(23, 50)),
            injection_time=clock(22, 50),
        ),
        60,
        [],
    ),
    # emptied times
    "one slice's time emptied": (_with(acquisitions=(at(9, 15), at(0), at(9, 19))), 60, []),
    "decayed to the injection by its own word": (_with(decayed_to=at(8, 15)), 0, [SCAN_TIME]),
    "the same, said as ADMIN": (
        _with(decayed_to=at(8, 15), decay_correction="ADMIN"),
        0,
        [],
    ),
    "the series a quarter of an hour early": (_with(series=at(9)), 45, []),
    "the series more than that early": (_with(series=at(8, 59)), 44, [SCAN_TIME]),
    "the same, as the first bed's frame says": (
        _with(series=at(8, 55), frame_reference_s=(1200.0,)),
        40,
        [],
    ),
    "the same, by a frame at its middle": (
        _with(series=at(8, 55), frame_reference_s=(1290.0,), frame_duration_s=(180.0,)),
        40,
        [],
    ),
    "the same, where frames say half of it": (
        _with(series=at(8, 55), frame_reference_s=(600.0,)),
        40,
        [SCAN_TIME, "decay-unclear"],
    ),
    "half an hour early": (_with(series=at(8, 44), frame_reference_s=(1860.0,)), 29, [SCAN_TIME]),
    "all slices' times emptied": (_with(acquisitions=(at(0),) * 3), 60, [SCAN_TIME]),
    "no slice has a time": (_with(acquisitions=(None,) * 3), 60, [SCAN_TIME]),
    "the series' time emptied": (_with(series=at(0)), 60, []),
    "the injection's date and time emptied": (_with(injection=at(0)), 60, []),
    "the injection's bare time emptied": (
        _with(injection=at(8, 15), injection_time=clock(0)),
        60,
        [],
    ),
    "a bed that began at midnight": (
        _with(series=at(0), acquisitions=(at(0), at(0, 3)), injection_time=clock(23)),
        60,
        [TOD],
    ),
    # the moment that START means
    "series 13 min before acquisition": (_with(acquisitions=(at(9, 28),)), 60, []),
    "series hours before acquisition": (_with(series=at(5, 14)), 60, []),
    "series undated, an hour before": (
        _with(series=clock(8, 20), acquisitions=(at(9, 15),)),
        60,
        [],
    ),
    "GE's own time": (_with(series=at(11), ge_scan=at(9, 5)), 50, []),
    "GE's own time, its date not shifted": (
        _with(series=at(11), ge_scan=at(9, 5, date(2019, 1, 1))),
        50,
        [],
    ),
    "GE's own time, hours off": (_with(series=at(11), ge_scan=at(3)), 60, []),
    "GE's own time, after the scan": (_with(series=at(11), ge_scan=at(9, 30)), 60, []),
}


@pytest.mark.parametrize("name", sorted(TAKEN))
def test_taken_with_its_wait(name: str) -> None:
    header, minutes, codes = TAKEN[name]
    found = suv_factor(header)
    assert found.value == pytest.approx(factor(minutes), rel=1e-9)
    assert [n.code for n in found.notices] == codes


REFUSED: dict[str, tuple[PetHeader, str]] = {
    "ten minutes after the scan": (_with(injection_time=clock(9, 25)), "StartTime"),
    "a day before would be nine hours": (
        _with(series=at(7), acquisitions=(at(7),), injection_time=clock(22)),
        "StartTime",
    ),
    "two that disagree by more than a minute": (_with(injection=Stamp(DAY, 29761.0)), "disagrees"),
    "two that disagree": (_with(injection=at(7, 15)), "StartDateTime"),
    "an offset that nothing settles": (
        _with(injection=at(7, 15, offset=0), injection_time=None),
        "TimezoneOffsetFromUTC",
    ),
    "an offset beside another local time": (_with(injection=at(7, 15, offset=0)), "disagrees"),
    "another year": (_with(injection=at(8, 15, date(2010, 3, 15))), "StartDateTime"),
    "a day after": (_with(injection=at(8, 15, date(2024, 3, 16))), "after the scan"),
    "an emptied injection": (_with(injection_time=clock(0)), "000000"),
    "an emptied injection, with a date": (
        _with(injection=at(0), injection_time=None),
        "000000",
    ),
    "everything emptied": (
        _with(series=at(0), acquisitions=(at(0),), injection_time=clock(0)),
        "SeriesTime",
    ),
    "beds hours apart": (_with(acquisitions=(at(9, 15), at(14))), "AcquisitionTime"),
    "beds days apart": (_with(acquisitions=(at(9, 15), at(9, 15, LATER))), "AcquisitionTime"),
    "no time at all": (_with(series=None, acquisitions=()), "SeriesTime"),
    "no injection": (_with(injection_time=None), "StartTime"),
}


def test_the_uptake_ends_with_the_first_bed_where_no_factor_depends_on_it() -> None:
    assert suv_factor(_with(units="GML", series=at(9, 10))).uptake_s == 3600.0


@pytest.mark.parametrize("name", sorted(REFUSED))
def test_refused_by_name_with_a_way_out(name: str) -> None:
    header, said = REFUSED[name]
    with pytest.raises(InputError, match=said) as caught:
        suv_factor(header)
    assert caught.value.remedy


@pytest.mark.parametrize(("minutes", "hours"), [(4, 0), (1, 9), (0, 12)])
def test_an_uptake_that_no_static_scan_has_may_be_accepted(minutes: int, hours: int) -> None:
    injected = datetime(2024, 3, 15, 9, 15) - timedelta(hours=hours, minutes=minutes)
    header = _with(injection=Stamp.of(injected), injection_time=None)
    with pytest.raises(Implausible) as caught:
        suv_factor(header)
    assert caught.value.code == "uptake"
    found = suv_factor(header, Overrides(accepted=frozenset({"uptake"})))
    assert found.value == pytest.approx(factor(60 * hours + minutes))
    assert [n.code for n in found.notices] == ["uptake"]


@pytest.mark.parametrize(
    ("minutes", "codes"), [(44, [UPTAKE]), (45, []), (120, []), (121, [UPTAKE]), (480, [UPTAKE])]
)
def test_the_edges_of_a_usual_uptake(minutes: int, codes: list[str]) -> None:
    injected = datetime(2024, 3, 15, 9, 15) - timedelta(minutes=minutes)
    found = suv_factor(_with(injection=Stamp.of(injected), injection_time=None))
    assert [n.code for n in found.notices] == codes
    assert found.uptake_s == 60.0 * minutes


def test_the_users_time_replaces_what_cannot_be_read() -> None:
    bad = BadTag("RadiopharmaceuticalStartTime", "8h15 is no time")
    header = _with(injection_time=None, unread=MappingProxyType({"injection_time": bad}))
    with pytest.raises(BadTag, match="8h15"):
        suv_factor(header)
    told = Overrides(injection_time=datetime(2024, 3, 15, 8, 15))
    assert suv_factor(header, told).value == pytest.approx(factor(60))
    zone = datetime(2024, 3, 15, 7, 15, tzinfo=UTC)
    with pytest.raises(BadTag, match="TimezoneOffsetFromUTC"):
        suv_factor(header, Overrides(injection_time=zone))
    local = replace(header, timezone_min=60)
    assert suv_factor(local, Overrides(injection_time=zone)).value == pytest.approx(factor(60))


def test_the_users_time_opens_a_study_without_dates() -> None:
    told = Overrides(injection_time=datetime(2024, 3, 15, 8, 15))
    found = suv_factor(_with(**BLANK), told)
    assert found.value == pytest.approx(factor(60))
    assert {n.code for n in found.notices} == {TOD}


def test_a_siemens_series_of_later_starts_from_its_earliest_bed() -> None:
    """The earliest bed is neither the first slice nor the one of the shortest reference."""
    late = _with(
        manufacturer="SIEMENS",
        series=at(12),
        acquisitions=(at(9, 21), at(9, 17), at(9, 19)),
        frame_reference_s=(1.0, 180.0, 300.0),
        frame_duration_s=(60.0, 120.0, 240.0),
    )
    wait = 62 - 3 + mean_activity_s(120.0, HALF) / 60
    assert suv_factor(late).value == pytest.approx(factor(wait), rel=1e-9)
    short = replace(late, frame_reference_s=(1.0, 0.5, 300.0))
    wait = 62 - 0.5 / 60 + mean_activity_s(120.0, HALF) / 60
    assert suv_factor(short).value == pytest.approx(factor(wait), rel=1e-9)
    other = replace(late, manufacturer="GE")
    assert suv_factor(other).value == pytest.approx(factor(62), rel=1e-9)
    none = replace(late, frame_reference_s=(1.0, None, 300.0))
    assert suv_factor(none).value == pytest.approx(factor(62), rel=1e-9)


def test_without_decay_correction_the_injection_is_waited_for_from_each_bed() -> None:
    none = _with(decay_correction="NONE", corrected_image=("ATTN",), series=at(9, 10))
    found = suv_factor(none)
    assert found.per_slice is not None
    mean = mean_activity_s(120.0, HALF) / 60
    expected = [factor(60 + mean), factor(62 + mean), factor(64 + mean)]
    assert found.per_slice == pytest.approx(expected, rel=1e-9)
    assert found.uptake_s == 3600.0
    for changes in (
        {"acquisitions": (at(9, 15), None, at(9, 19))},
        {"frame_duration_s": (0.0,) * 3},
    ):
        with pytest.raises(MissingTag):
            suv_factor(replace(none, **changes))


def test_an_enhanced_pet_is_corrected_to_its_own_moment() -> None:
    to_injection = _with(decayed_to=at(8, 15))
    found = suv_factor(to_injection)
    assert found.value == pytest.approx(70 * 1000 / 3.1e8)
    assert found.uptake_s == 3600.0
    assert suv_factor(_with(decayed_to=at(9, 5))).value == pytest.approx(factor(50))
    with pytest.raises(BadTag, match="after the scan"):
        suv_factor(_with(decayed_to=at(8, 0)))


@given(st.integers(0, 23), st.integers(0, 59), st.integers(5, 480))
def test_a_bare_time_is_found_again_whatever_the_hour(hour: int, minute: int, wait: int) -> None:
    """Every scan that began at most eight hours after its injection, across midnight or not."""
    scan = datetime(2024, 3, 15, hour, minute)
    injected = scan - timedelta(minutes=wait)
    bare = Stamp(None, Stamp.of(injected).seconds)
    if bare.zero or Stamp.of(scan).zero:
        return  # told apart from emptied times above
    header = _with(series=Stamp.of(scan), acquisitions=(Stamp.of(scan),), injection_time=bare)
    assert suv_factor(header).value == pytest.approx(factor(wait), rel=1e-9)
