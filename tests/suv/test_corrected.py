"""DecayCorrection, DecayFactor and the frames' times: what cannot all be true is said.

F-18 doubles in 6,586.2 s. A scan an hour after the injection, of three beds of 180 s that begin
200 s apart: their middles lie 90, 290 and 490 s after its start.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from tests.suv.headers import HALF, PLAIN
from tmtv_engine.suv.clock import Stamp
from tmtv_engine.suv.factor import suv_factor
from tmtv_engine.suv.header import PetHeader
from tmtv_engine.suv.overrides import Overrides

START = datetime(2024, 3, 15, 9, 15)
MIDDLES = (90.0, 290.0, 490.0)


def _power(seconds: float) -> float:
    return float(2.0 ** (seconds / HALF))


TRUE = tuple(round(_power(at), 5) for at in MIDDLES)  # 1.00952, 1.03099, 1.05292
INJECTED = tuple(round(_power(3600 + at), 5) for at in MIDDLES)  # from 1.47457
HEADER = replace(
    PLAIN,
    injection=Stamp.of(START - timedelta(hours=1)),
    series=Stamp.of(START),
    acquisitions=tuple(Stamp.of(START + timedelta(seconds=s)) for s in (0, 200, 400)),
    frame_reference_s=MIDDLES,
    frame_duration_s=(180.0,) * 3,
    decay_factors=TRUE,
    manufacturer="SIEMENS",
    nuclides=("F18",),
)


def _codes(header: PetHeader, accepted: str = "") -> list[str]:
    found = suv_factor(header, Overrides(accepted=frozenset({accepted})))
    return [n.code for n in found.notices]


def _begun(minutes: float) -> PetHeader:
    """The series begins before its first bed; the beds' own times, as from it, with it."""
    after = minutes * 60.0
    return replace(
        HEADER,
        series=Stamp.of(START - timedelta(seconds=after)),
        frame_reference_s=tuple(m + after for m in MIDDLES),
        decay_factors=tuple(_power(m + after) for m in MIDDLES),
    )


SAID: dict[str, PetHeader] = {
    "as Siemens writes it": HEADER,
    "as GE writes it": replace(
        HEADER,
        acquisitions=(HEADER.acquisitions[0],) * 3,
        frame_reference_s=(0.0, 200.0, 400.0),
        manufacturer="GE MEDICAL SYSTEMS",
    ),
    "by the beds' begin": replace(HEADER, decay_factors=(1.0, _power(200), _power(400))),
    "by the beds' end": replace(HEADER, decay_factors=(_power(180), _power(380), _power(580))),
    "no times of frames": replace(HEADER, frame_reference_s=(), frame_duration_s=()),
    "no times of frames, one clock": replace(
        HEADER, frame_reference_s=(), acquisitions=(HEADER.acquisitions[0],) * 3
    ),
    "emptied times of frames": replace(HEADER, frame_reference_s=(0.0,) * 3),
    "no factors": replace(HEADER, decay_factors=(None,) * 3),
    "a series begun 18 min before": _begun(18),
    "ADMIN": replace(HEADER, decay_correction="ADMIN", decay_factors=INJECTED),
    "ADMIN, no factors": replace(HEADER, decay_correction="ADMIN", decay_factors=()),
    "ADMIN, no injection time": replace(HEADER, decay_correction="ADMIN", injection=None),
    "NONE": replace(
        HEADER, decay_correction="NONE", corrected_image=("ATTN",), decay_factors=(1.0,) * 3
    ),
}


@pytest.mark.parametrize("name", sorted(SAID))
def test_what_fits_is_taken_without_a_word(name: str) -> None:
    assert _codes(SAID[name]) == []


CONTRADICTIONS: dict[str, PetHeader] = {
    "ADMIN, not decayed": replace(HEADER, decay_correction="ADMIN", decay_factors=(1.0,) * 3),
    "ADMIN, decayed to the start": replace(HEADER, decay_correction="ADMIN"),
    "ADMIN, decayed for 12 min too few": replace(
        HEADER, decay_correction="ADMIN", decay_factors=tuple(_power(2880 + m) for m in MIDDLES)
    ),
    "ADMIN, decayed twice": replace(
        HEADER, decay_correction="ADMIN", decay_factors=tuple(f * f for f in INJECTED)
    ),
    "NONE, decayed": replace(HEADER, decay_correction="NONE", corrected_image=("ATTN",)),
    "NONE, DECY": replace(HEADER, decay_correction="NONE", decay_factors=()),
    "NONE, DECY, factors 1": replace(HEADER, decay_correction="NONE", decay_factors=(1.0,) * 3),
    "START, late beds not decayed": replace(HEADER, decay_factors=(1.0,) * 3),
    "START, one late bed not decayed": replace(HEADER, decay_factors=(TRUE[0], TRUE[1], 1.0)),
    "START, by one clock, late frames not decayed": replace(
        HEADER,
        acquisitions=(HEADER.acquisitions[0],) * 3,
        frame_reference_s=(0.0, 200.0, 400.0),
        decay_factors=(1.0,) * 3,
    ),
    "START, the series' time is lost": replace(_begun(18), series=HEADER.series),
    "START, the same, no times of frames": replace(
        _begun(18), series=HEADER.series, frame_reference_s=()
    ),
    "START, the same, no factors": replace(_begun(18), series=HEADER.series, decay_factors=()),
    "START, a series' time that is no start": replace(
        HEADER, series=Stamp.of(START - timedelta(minutes=14))
    ),
    "the same by factors": replace(
        HEADER, series=Stamp.of(START - timedelta(minutes=14)), frame_reference_s=()
    ),
    "the same by frames": replace(
        HEADER, series=Stamp.of(START - timedelta(minutes=14)), decay_factors=()
    ),
}


@pytest.mark.parametrize("name", sorted(CONTRADICTIONS))
def test_what_cannot_all_be_true_is_said(name: str) -> None:
    header = CONTRADICTIONS[name]
    assert _codes(header) == ["decay-unclear"]
    plain = replace(header, decay_factors=(), frame_reference_s=())
    assert suv_factor(header).value == suv_factor(plain).value  # said, and nothing else


def test_counts_that_are_made_activity_are_looked_at_as_well() -> None:
    header = replace(CONTRADICTIONS["ADMIN, not decayed"], units="CNTS", philips_bqml=1.6)
    assert _codes(header) == ["decay-unclear"]


def test_pixels_in_suv_depend_on_no_decay() -> None:
    """The IBSI patients: GML, ADMIN, and the factors of a START."""
    header = replace(HEADER, units="GML", suv_type="BW", decay_correction="ADMIN")
    assert _codes(header) == []


def test_an_uptake_of_an_admin_is_known_once() -> None:
    found = suv_factor(SAID["ADMIN"])
    assert found.uptake_s == 3600.0
    assert found.value == pytest.approx(70_000 / 3.1e8)


@pytest.mark.parametrize(("seconds", "told"), [(119.0, []), (121.0, ["decay-unclear"])])
def test_two_minutes_between_frame_and_start_are_let_pass(seconds: float, told: list[str]) -> None:
    """Siemens keeps a second between; FrameReferenceTime may be the end of a frame."""
    frames = tuple(180.0 + seconds + at for at in (0, 200, 400))
    assert _codes(replace(HEADER, frame_reference_s=frames, decay_factors=())) == told
