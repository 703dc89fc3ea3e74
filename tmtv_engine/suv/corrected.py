"""Whether DecayCorrection, DecayFactor and the frames' times can all be true (PS3.3 C.8.9.4).

DecayFactor is what a frame's pixels were multiplied by: 2 to the power of its distance from the
moment corrected to, in half-lives, which lies within the frame (its start, its middle and its mean
activity are all written). FrameReferenceTime is that distance from the series' start.
"""

from __future__ import annotations

from collections.abc import Iterator

from tmtv_engine.notices import Notice, notice, refuse
from tmtv_engine.suv.header import PetHeader
from tmtv_engine.suv.overrides import Overrides
from tmtv_engine.suv.times import Scan
from tmtv_engine.suv.tracer import F18_HALF_LIFE_S

TOLD_APART = 1.15  # injection and scan, by decay: some 22 min of F-18
CLOSE = 1.02  # some 3 min of F-18
CLOCKS = 1.05  # the injection's clock is another one
LATE_S = 120.0


def to_start(
    header: PetHeader, scan: Scan, uptake: float, half_life: float, overrides: Overrides
) -> tuple[Notice, ...]:
    """START: refuse DecayFactors of a correction to the injection; warn of other contradictions.

    The least of them is the first bed's. What the pixels are corrected to is then not what the
    factor takes it to be.
    """
    known = _factors(header)
    own = 2.0 ** ((scan.first_s - scan.start_s) / half_life)
    injected = 2.0 ** (uptake / half_life)
    least = min(known, default=0.0)
    if (
        header.decayed_to is None
        and injected >= TOLD_APART * own
        and least >= (own * injected) ** 0.5
    ):
        what = (
            f"START, but DecayFactor is {least:g} at least: to the injection it would be "
            f"{injected:.3f}"
        )
        return (refuse("decay-factor", what, overrides.accepted, tag="DecayCorrection"),)
    said = "" if header.decayed_to is not None else _first_frame(header, scan)
    said = said or _each_frame(header, scan, half_life)
    return (notice("decay-unclear", f"START, {said}"),) if said else ()


def to_injection(header: PetHeader, uptake: float | None) -> tuple[Notice, ...]:
    """ADMIN: the first bed's DecayFactor is that of the whole uptake."""
    known = _factors(header)
    if not known or uptake is None:
        return ()
    half_life = header.known("half_life_s") or F18_HALF_LIFE_S
    longest = max((t for t in header.known("frame_duration_s") or () if t), default=0.0)
    low, high = 2.0 ** (uptake / half_life), 2.0 ** ((uptake + longest) / half_life)
    if low / CLOCKS <= min(known) <= high * CLOCKS:
        return ()
    said = f"ADMIN, DecayFactor {min(known):g} at least, for an uptake of {uptake / 60:.0f} min "
    return (notice("decay-unclear", f"{said}{low:.3f}"),)


def to_nothing(header: PetHeader) -> tuple[Notice, ...]:
    """NONE: no DecayFactor but 1, and no DECY in CorrectedImage."""
    highest = max(_factors(header), default=1.0)
    if highest > CLOSE:
        return (notice("decay-unclear", f"NONE, DecayFactor {highest:g}"),)
    decayed = "DECY" in header.corrected_image
    return (notice("decay-unclear", "NONE, CorrectedImage DECY"),) if decayed else ()


def _factors(header: PetHeader) -> list[float]:
    return [f for f in header.known("decay_factors") or () if f]


def _first_frame(header: PetHeader, scan: Scan) -> str:
    """How the first bed's FrameReferenceTime contradicts the scan's start, or ""."""
    frames = header.known("frame_reference_s") or ()
    lengths = header.known("frame_duration_s") or ()
    first = [
        (reference, length or 0.0)
        for at, reference, length in zip(scan.beds_s, frames, lengths, strict=False)
        if at == scan.first_s and reference
    ]
    if not first or len(first) < sum(at == scan.first_s for at in scan.beds_s):
        return ""
    reference, length = min(first)
    begun = scan.first_s - scan.start_s
    if begun - LATE_S <= reference <= begun + length + LATE_S:
        return ""
    return f"FrameReferenceTime {reference:g} s, the first bed {begun:g} s after the start"


def _each_frame(header: PetHeader, scan: Scan, half_life: float) -> str:
    """The first slice whose DecayFactor is not that of its own time, in words, or ""."""
    least = min(_factors(header), default=0.0)
    for k, (factor, low, high) in enumerate(_expected(header, scan, half_life)):
        late = factor == least and factor > high * CLOSE  # of others no time may be said
        if factor < low / CLOSE or late:
            return f"DecayFactor {factor:g} of slice {k + 1}, by its time {low:.3f} to {high:.3f}"
    return ""


def _expected(
    header: PetHeader, scan: Scan, half_life: float
) -> Iterator[tuple[float, float, float]]:
    """Of each slice with a DecayFactor that, and the least and highest that its times allow."""
    count = len(scan.beds_s)
    frames = header.known("frame_reference_s") or (None,) * count
    lengths = header.known("frame_duration_s") or (None,) * count
    factors = header.known("decay_factors") or ()
    for at, reference, length, factor in zip(scan.beds_s, frames, lengths, factors, strict=False):
        if factor:
            begun = max(0.0 if at is None else at - scan.start_s, 0.0)
            after, long = reference or 0.0, length or 0.0
            low = max(begun, after - long)
            yield factor, 2.0 ** (low / half_life), 2.0 ** ((max(begun, after) + long) / half_life)
