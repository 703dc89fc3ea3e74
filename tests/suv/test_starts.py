"""Where a scan starts beside its beds: what says so, midnight among them, the words of refusals.

Base: 70 kg, 310 MBq, injected 08:15:00, scanned 09:15:00 on 15 March 2024; expected by hand.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from tests.suv.test_edges import DAY, at, codes, of
from tmtv_engine.errors import BadTag
from tmtv_engine.suv.factor import suv_factor


@pytest.mark.parametrize(
    ("reference", "length", "told"),
    [
        (1440.0, 120.0, False), (1439.0, 120.0, True),
        (1680.0, 120.0, False), (1681.0, 120.0, True),
        (1560.0, None, False), (1560.5, None, True), (0.0, 120.0, True),
    ],
)  # fmt: skip
def test_a_start_25_minutes_early_is_believed_where_the_first_bed_says_so(
    reference: float, length: float | None, told: bool
) -> None:
    """FrameReferenceTime of the first bed: 1,500 s to its start, up to its end, a minute more."""
    lengths = None if length is None else (length, 180.0)
    header = of(
        series=at("8:50"),
        injection=at("7:50"),
        frame_reference_s=(reference, reference + 120.0),
        frame_duration_s=lengths,
    )
    assert ("scan-time" in codes(header)) == told


def test_what_is_refused_says_by_how_much() -> None:
    """Hours and seconds by hand; of a series' start and a first bed the earlier counts."""
    with pytest.raises(BadTag, match=r"acquired 4\.5 h apart"):
        suv_factor(of(acquisitions=(at("9:15"), at("13:45"))))
    with pytest.raises(BadTag, match=r"injection lies 25\.0 h before the scan"):
        suv_factor(of(injection=at("8:15", DAY - timedelta(days=1))))
    with pytest.raises(BadTag, match="injection lies 900 s after the scan"):
        suv_factor(of(injection=at("9:20"), series=at("9:05")))
    with pytest.raises(BadTag, match="injection lies 300 s after the scan"):
        suv_factor(of(injection=at("9:10"), series=at("9:05")))


def test_other_beds_on_both_sides_of_midnight_keep_one_at_midnight() -> None:
    """Only one of the others lies near: 21:00 and 22:30, then a bed at 0:00 that is real."""
    none = of(series=None, injection=at("20:00"))
    beds = replace(none, acquisitions=(at("21:00"), at("22:30"), at("0:00")))
    assert suv_factor(beds).uptake_s == 3600.0
    assert codes(beds).count("time-of-day") == 1
    far = replace(none, acquisitions=(at("21:00"), at("21:30"), at("0:00")))
    assert codes(far) == []


def test_beds_ten_hours_apart_are_no_scan_across_midnight() -> None:
    """Only more than half a day apart is a date that was not moved on."""
    with pytest.raises(BadTag, match=r"acquired 10\.0 h apart"):
        suv_factor(of(acquisitions=(at("9:15"), at("19:15")), series=None))
    undated = tuple(at(clock, None) for clock in ("23:50", "14:00", "0:05"))
    with pytest.raises(BadTag, match=r"acquired 10\.1 h apart"):  # 14:00 is of the same day
        suv_factor(of(acquisitions=undated, series=None))
