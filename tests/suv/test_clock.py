"""DICOM's dates and times: what is read, and what is no time."""

from __future__ import annotations

from datetime import date, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tmtv_engine.errors import BadTag
from tmtv_engine.suv.clock import Stamp, day_of, offset_of, seconds_of, stamp_of

DAY = date(2024, 3, 15)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("08", 28800.0),
        ("0815", 29700.0),
        ("081500", 29700.0),
        ("081500.25", 29700.25),
        ("081500.", 29700.0),
        ("08:15:00", 29700.0),
        ("08:15", 29700.0),
        ("000000", 0.0),
        ("235960", 86400.0),
        ("235959.999999", 86399.999999),
        ("", None),
    ],
)
def test_a_time_is_read(text: str, seconds: float | None) -> None:
    assert seconds_of("AcquisitionTime", text) == seconds


@pytest.mark.parametrize(
    "text",
    [
        "81500",
        "8",
        "076199",
        "240000",
        "246000",
        "081561",
        "0815000",
        "08150",
        "-81500",
        "8h15",
        "08.15",
        "081500,5",
        "1e5",
        "0815-0900",
        "٠٨١٥٠٠",
        "08:1500",
        "0815:00",
        "noon",
    ],
)
def test_what_is_no_time_is_refused_by_its_tag(text: str) -> None:
    with pytest.raises(BadTag, match="AcquisitionTime") as caught:
        seconds_of("AcquisitionTime", text)
    assert caught.value.keyword == "AcquisitionTime"


@pytest.mark.parametrize(
    ("text", "day"),
    [
        ("20240315", DAY),
        ("2024.03.15", DAY),
        ("2024-03-15", DAY),
        ("19600116", date(1960, 1, 16)),
        ("19011231", None),
        ("19020101", date(1902, 1, 1)),
        ("19000101", None),
        ("00010101", None),
        ("00000000", None),
        ("", None),
    ],
)
def test_a_date_is_read_or_is_a_dummy(text: str, day: date | None) -> None:
    assert day_of("SeriesDate", text) == day


@pytest.mark.parametrize(
    "text", ["2024031", "20240230", "20241301", "2024-0315", "240315", "2020-1-1"]
)
def test_what_is_no_date_is_refused_by_its_tag(text: str) -> None:
    with pytest.raises(BadTag, match="SeriesDate"):
        day_of("SeriesDate", text)


@pytest.mark.parametrize(
    ("text", "stamp"),
    [
        ("20240315081500", Stamp(DAY, 29700.0)),
        ("2024031508", Stamp(DAY, 28800.0)),
        ("20240315081500.5+0100", Stamp(DAY, 29700.5, 60)),
        ("20240315081500-0330", Stamp(DAY, 29700.0, -210)),
        ("20240315081500+0000", Stamp(DAY, 29700.0, 0)),
        ("19000101081500", Stamp(None, 29700.0)),
        ("20240315", None),
        ("20240315-0500", None),
        ("20240315 ", None),
        ("20240315+0100", None),
        ("2024", None),
        ("", None),
    ],
)
def test_a_moment_is_read(text: str, stamp: Stamp | None) -> None:
    assert stamp_of("AcquisitionDateTime", text) == stamp


@pytest.mark.parametrize(
    "text",
    [
        "20240315240000",
        "2024031581500",
        "20240315081500+1",
        "20240315081500+1500",
        "20240315081500+0160",
        "yesterday",
        "15.03.2024",
    ],
)
def test_what_is_no_moment_is_refused_by_its_tag(text: str) -> None:
    with pytest.raises(BadTag, match="AcquisitionDateTime"):
        stamp_of("AcquisitionDateTime", text)


def test_offsets() -> None:
    assert offset_of("", "+1400") == 840
    assert offset_of("", "-1200") == -720
    assert offset_of("", "") is None
    with pytest.raises(BadTag, match="TimezoneOffsetFromUTC"):
        offset_of("TimezoneOffsetFromUTC", "CET")


def test_a_stamp_is_told_as_a_clock_shows_it_and_keeps_parts_of_a_second() -> None:
    assert str(Stamp(DAY, 29705.9)) == "08:15:05"
    assert str(Stamp(None, 86399.0)) == "23:59:59"
    assert str(Stamp(None, 72060.0)) == "20:01:00"
    exact = datetime(2024, 3, 15, 8, 15, 0, 250_000, timezone(timedelta(hours=-3, minutes=-30)))
    assert Stamp.of(exact) == Stamp(DAY, 29700.25, -210)
    assert (Stamp(DAY, 0.0).zero, Stamp(DAY, 0.5).zero) == (True, False)


def test_midnight_is_passed_with_the_day() -> None:
    assert Stamp(DAY, 1800.0).shifted(-60) == Stamp(date(2024, 3, 14), 84600.0)
    assert Stamp(None, 84600.0).shifted(60) == Stamp(None, 1800.0)


@given(
    st.datetimes(datetime(1902, 1, 1), datetime(2100, 1, 1)),
    st.integers(-12 * 4, 14 * 4),
    st.integers(-12 * 4, 14 * 4),
)
def test_two_clocks_agree_with_pythons(at: datetime, own: int, other: int) -> None:
    """Any moment brought from one offset to another is the one that `datetime` makes of it."""
    at = at.replace(microsecond=0)
    aware = at.replace(tzinfo=timezone(timedelta(minutes=15 * own)))
    moved = aware.astimezone(timezone(timedelta(minutes=15 * other)))
    assert Stamp.of(aware).offset_min == 15 * own
    assert Stamp.of(aware).shifted(15 * (other - own)) == Stamp.of(moved.replace(tzinfo=None))
