"""The scan and the injection on one clock: seconds from the midnight before the scan.

DICOM's dates and times are local, of the offset in TimezoneOffsetFromUTC; a DT may bring an
offset of its own. The scan's day is that of its acquisitions, else that of the series. Dates that
were blanked or set to 1900 leave times of day, which are then compared, with a warning. Where
two readings could be meant there is an error that names the option which settles it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date

from tmtv_engine.errors import BadTag, MissingTag
from tmtv_engine.notices import Notice, notice, refuse
from tmtv_engine.suv.clock import DAY_S, Stamp
from tmtv_engine.suv.decay import mean_activity_s
from tmtv_engine.suv.header import PetHeader
from tmtv_engine.suv.overrides import Overrides
from tmtv_engine.suv.vendors import is_siemens

HOUR_S, MINUTE_S = 3600.0, 60.0
YESTERDAY_S = 8 * HOUR_S  # the longest uptake that makes a time-only injection the day before's
LONGEST_SCAN_S = 4 * HOUR_S
_ANY_DAY = date(2000, 1, 1)
_INJECTED, _INJECTED_AT = "RadiopharmaceuticalStartDateTime", "RadiopharmaceuticalStartTime"
_GIVE = "Give --injection-time, on the scanner's clock."


@dataclass(frozen=True)
class Scan:
    """When the scan was, in seconds from the midnight of ``day``.

    ``start_s`` is the moment that decay correction START means, ``how`` it was found;
    ``first_s`` when the first bed was acquired, ``beds_s`` when each slice was. ``dated``:
    the day was stated by the acquisitions, ``guessed``: taken from the series; else unknown.
    """

    day: date
    start_s: float
    how: str
    first_s: float
    beds_s: tuple[float | None, ...]
    dated: bool
    guessed: bool
    notices: tuple[Notice, ...] = ()


def scan_of(header: PetHeader, half_life_s: float) -> Scan:
    """When the scan was; raises `BadTag` or `MissingTag` where that cannot be told."""
    header.ask("series")
    beds = _beds(header)
    first = min((at for at in beds.beds_s if at is not None), default=None)
    series = _series(header, beds, first)
    decayed_to = header.ask("decayed_to")
    if decayed_to is not None:
        to = _on(decayed_to, beds, header, "DecayCorrectionDateTime")
        found = replace(beds, first_s=to if first is None else first)
        return _started(header, found, to, "its own time")
    if first is None:
        if series is None:
            remedy = "No scan time is known; export with SeriesTime and AcquisitionTime."
            raise MissingTag("SeriesTime", remedy=remedy)
        told = (*beds.notices, notice("scan-time"))
        how = "the series' time"
        return replace(beds, start_s=series, first_s=series, how=how, notices=told)
    found = replace(beds, first_s=first)
    if series is not None and series <= first:
        return _started(header, found, series, "the series' time")
    scanned = _ge_scan(header, found)
    if scanned is not None:
        return _started(header, found, scanned, "GE's scan time (0009,100d)")
    frame = _frame_start(header, found, half_life_s)
    if frame is not None:
        how = "the acquisition less FrameReferenceTime (reprocessed series)"
        return _started(header, found, frame, how)
    return _started(header, found, first, "the earliest acquisition")


def _started(header: PetHeader, scan: Scan, start_s: float, how: str) -> Scan:
    """The scan with its start; one that lies long before the first acquisition is told.

    It says nothing where activity is decayed to the injection: no factor depends on it.
    """
    early = 0.0 if header.decay_correction == "ADMIN" else scan.first_s - start_s
    told: tuple[Notice, ...] = ()
    if early > HOUR_S / 2 or (early > HOUR_S / 4 and not _confirmed(header, scan, early)):
        told = (notice("scan-time", f"{early / 60:.0f} min before it"),)
    return replace(scan, start_s=start_s, how=how, notices=(*scan.notices, *told))


def _confirmed(header: PetHeader, scan: Scan, early_s: float) -> bool:
    """Whether the first bed's FrameReferenceTime says the same: the beds before are not here."""
    known = header.known("frame_reference_s") or ()
    lengths = header.known("frame_duration_s") or (None,) * len(known)
    first = [
        (reference, length or 0.0)
        for at, reference, length in zip(scan.beds_s, known, lengths, strict=False)
        if at == scan.first_s and reference
    ]
    reference, length = min(first, default=(0.0, 0.0))
    return early_s - MINUTE_S <= reference <= early_s + length + MINUTE_S


def waited(header: PetHeader, scan: Scan, overrides: Overrides) -> tuple[float, list[Notice]]:
    """Seconds from the injection to ``scan.start_s``, and what to warn about.

    Raises where the injection lies after the scan, more than a day before it, or at a time
    that cannot be told.
    """
    stamp, tag = _injection(header)
    told: list[Notice] = []
    at = None
    if stamp.day is not None and (scan.dated or scan.guessed):
        at = (stamp.day - scan.day).days * DAY_S + stamp.seconds
        if scan.guessed and not 0 <= scan.start_s - at <= DAY_S:
            at = None
    if at is None:
        dateless = stamp.day is None and header.known("injection") is None
        at, before = _by_time_of_day(stamp, scan, tag)
        if before or not dateless:
            told.append(notice("time-of-day", f"injection {stamp}"))
    wait, uptake = scan.start_s - at, scan.first_s - at
    if stamp.zero and uptake > 3 * HOUR_S:
        raise BadTag(tag, "000000 is an emptied time", _GIVE)
    if min(wait, uptake) < 0:
        late = -min(wait, uptake)
        raise BadTag(tag, f"the injection lies {late:g} s after the scan", _GIVE)
    if uptake > DAY_S:
        raise BadTag(tag, f"the injection lies {uptake / HOUR_S:.1f} h before the scan", _GIVE)
    return wait, told + _uptake(uptake, tag, overrides)


def _uptake(uptake: float, tag: str, overrides: Overrides) -> list[Notice]:
    text = f"{uptake / 60:.0f} min from injection to scan"
    if not 5 * 60 <= uptake <= YESTERDAY_S:
        return [refuse("uptake", text, overrides.accepted, tag=tag)]
    return [] if 45 * 60 <= uptake <= 120 * 60 else [notice("uptake-time", text.split(" from")[0])]


def _by_time_of_day(stamp: Stamp, scan: Scan, tag: str) -> tuple[float, bool]:
    """The injection on the scan's day, or the day before where the uptake is then at most 8 h."""
    midnight = scan.start_s // DAY_S * DAY_S
    at = midnight + stamp.seconds
    if at <= scan.start_s:
        return at, False
    if scan.start_s - (at - DAY_S) <= YESTERDAY_S:
        return at - DAY_S, True
    late = at - scan.start_s
    what = f"the injection lies {late:g} s after the scan, and a day earlier is too long before it"
    raise BadTag(tag, what, f"A clock is off. {_GIVE}")


def _injection(header: PetHeader) -> tuple[Stamp, str]:
    """The injection as one local stamp, and the tag that said it."""
    whole, bare = header.ask("injection"), header.ask("injection_time")
    if whole is not None and bare is not None:
        whole, bare = _agreed(header, whole, bare)
    if whole is not None:
        return _local(header, whole, _INJECTED), _INJECTED
    if bare is not None:
        return bare, _INJECTED_AT
    raise MissingTag(_INJECTED_AT, remedy="Give it: --injection-time 2020-03-01T09:30:00.")


def _agreed(header: PetHeader, whole: Stamp, bare: Stamp) -> tuple[Stamp | None, Stamp | None]:
    """DT and TM of one injection: an emptied one gives way, two that differ are refused."""
    if whole.zero and not bare.zero:
        return Stamp(whole.day, bare.seconds), None
    if bare.zero:
        return whole, None
    unplaced = whole.offset_min is not None and _zone(header) is None
    local = Stamp(whole.day, whole.seconds) if unplaced else _local(header, whole, _INJECTED)
    apart = abs(local.seconds - bare.seconds)
    if min(apart, DAY_S - apart) > 60.0:
        what = f"{local} disagrees with {_INJECTED_AT} {bare}"
        raise BadTag(_INJECTED, what, _GIVE)
    return local, None


def _beds(header: PetHeader) -> Scan:
    """The acquisitions on one axis: emptied times dropped, midnight passed."""
    found = [
        None if s is None else _local(header, s, "AcquisitionDateTime")
        for s in header.ask("acquisitions")
    ]
    found = _without_emptied(found)
    days = Counter(s.day for s in found if s is not None and s.day is not None)
    series = header.known("series")
    day = min(days) if days else None if series is None else series.day
    usual = days.most_common(1)[0][0] if days else day
    zero = day or _ANY_DAY
    beds = [
        None if s is None else ((s.day or usual or zero) - zero).days * DAY_S + s.seconds
        for s in found
    ]
    beds, told = _past_midnight(beds)
    if not days and any(s is not None for s in found):
        told = (*told, notice("time-of-day", "AcquisitionDate is missing"))
    dated = bool(days)
    return Scan(zero, 0.0, "", 0.0, tuple(beds), dated, day is not None and not dated, told)


def _without_emptied(found: Sequence[Stamp | None]) -> list[Stamp | None]:
    """000000 is no time where other slices' are not around midnight, nor where all have it."""
    others = [s.seconds for s in found if s is not None and not s.zero]
    if others and (min(others) < 2 * HOUR_S or max(others) > DAY_S - 2 * HOUR_S):
        return list(found)
    return [None if s is None or s.zero else s for s in found]


def _past_midnight(
    beds: list[float | None],
) -> tuple[list[float | None], tuple[Notice, ...]]:
    """A bed after midnight whose date was not moved on belongs to the next day."""
    known = [at for at in beds if at is not None]
    told: tuple[Notice, ...] = ()
    if known and DAY_S / 2 < max(known) - min(known) < DAY_S:
        middle = max(known) - DAY_S / 2
        beds = [at + DAY_S if at is not None and at < middle else at for at in beds]
        known = [at for at in beds if at is not None]
        told = (notice("time-of-day", "a bed after midnight has the date before it"),)
    if known and max(known) - min(known) > LONGEST_SCAN_S:
        hours = (max(known) - min(known)) / HOUR_S
        what = f"the slices were acquired {hours:.1f} h apart: that is not one scan"
        raise BadTag("AcquisitionTime", what, "Split the series.")
    return beds, told


def _series(header: PetHeader, scan: Scan, first: float | None) -> float | None:
    """The series' time on the scan's axis; None where it cannot be the scan's start.

    That is an emptied one, and one hours before the first acquisition. Without a date of its
    own it must lie at most half an hour before.
    """
    stamp = header.ask("series")
    if stamp is None or (stamp.zero and (first is None or first % DAY_S > 2 * HOUR_S)):
        return None
    if first is None or (stamp.day is not None and scan.dated):
        at = ((stamp.day or scan.day) - scan.day).days * DAY_S + float(stamp.seconds)
        return at if first is None or first - at <= LONGEST_SCAN_S else None
    at = first // DAY_S * DAY_S + float(stamp.seconds)
    return at if first - at <= HOUR_S / 2 else None


def _ge_scan(header: PetHeader, scan: Scan) -> float | None:
    """GE's own scan time; on the scan's day where its date was not shifted with the others."""
    stamp = header.ask("ge_scan")
    if stamp is None or stamp.zero:
        return None
    stamp = _local(header, stamp, "(0009,100d)")
    at = scan.first_s // DAY_S * DAY_S + stamp.seconds
    if stamp.day is not None and scan.dated:
        stated = (stamp.day - scan.day).days * DAY_S + stamp.seconds
        at = stated if abs(stated - scan.first_s) <= LONGEST_SCAN_S else at
    return float(at) if 0 <= scan.first_s - at <= LONGEST_SCAN_S else None


def _frame_start(header: PetHeader, scan: Scan, half_life_s: float) -> float | None:
    """Siemens, reconstructed later: the scan's start from the earliest bed's frame."""
    at = scan.beds_s.index(scan.first_s)
    if not is_siemens(header.manufacturer):
        return None
    references, lengths = header.ask("frame_reference_s"), header.ask("frame_duration_s")
    if len(references) <= at or len(lengths) <= at:
        return None
    reference, length = references[at], lengths[at]
    if not reference or reference < 0 or length is None:
        return None
    return scan.first_s - float(reference) + mean_activity_s(length, half_life_s)


def _on(stamp: Stamp, scan: Scan, header: PetHeader, tag: str) -> float:
    local = _local(header, stamp, tag)
    if local.day is None:
        return local.seconds
    if not scan.dated and not scan.guessed:
        return local.seconds
    return (local.day - scan.day).days * DAY_S + local.seconds


def _local(header: PetHeader, stamp: Stamp, tag: str) -> Stamp:
    """A stamp on the scanner's clock, without an offset."""
    if stamp.offset_min is None:
        return stamp
    zone = _zone(header)
    if zone is None:
        what = "it has an offset from UTC, and TimezoneOffsetFromUTC is missing"
        raise BadTag(tag, what, _GIVE)
    return stamp.shifted(zone - stamp.offset_min)


def _zone(header: PetHeader) -> int | None:
    """The scanner's offset from UTC: as stated, else that of its own acquisitions."""
    stated: int | None = header.ask("timezone_min")
    if stated is not None:
        return stated
    own = {s.offset_min for s in header.known("acquisitions") or () if s is not None}
    return own.pop() if len(own) == 1 else None
