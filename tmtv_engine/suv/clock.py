"""DICOM's dates and times, read strictly: what is no time is refused by its tag's name.

DA is YYYYMMDD, TM is HH[MM[SS[.F]]], DT is both with an offset from UTC behind (PS3.5 6.2). The
colons and dots of ACR-NEMA are read as well. A leading zero that got lost (`81500`) and hour 24
are errors: guessed at, they make an SUV wrong by thousands.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from tmtv_engine.errors import BadTag

DAY_S = 86400.0
_DATE = re.compile(r"([0-9]{4})([-.]?)([0-9]{2})\2([0-9]{2})")
_TIME = re.compile(r"([0-9]{2})(?:(:?)([0-9]{2})(?:\2([0-9]{2})(?:\.([0-9]*))?)?)?")
_OFFSET = re.compile(r"([+-])([0-9]{2})([0-9]{2})")
_LAST_DUMMY = 1901  # 1900 and 0001 are what anonymisers write; a shifted date may be 1960


@dataclass(frozen=True)
class Stamp:
    """A time as a header gives it: its ``day`` where one can be believed, seconds of that day.

    ``offset_min``: minutes east of UTC, where the value itself says so.
    """

    day: date | None
    seconds: float
    offset_min: int | None = None

    @classmethod
    def of(cls, at: datetime) -> Stamp:
        """The stamp of a `datetime`, with its offset if it has one."""
        offset = at.utcoffset()
        seconds = at.hour * 3600 + at.minute * 60 + at.second + at.microsecond / 1e6
        minutes = None if offset is None else round(offset.total_seconds() / 60)
        return cls(at.date(), seconds, minutes)

    @property
    def zero(self) -> bool:
        """Whether it is midnight to the second, as an emptied time is."""
        return self.seconds == 0.0

    def shifted(self, minutes: int) -> Stamp:
        """The same moment on a clock ``minutes`` ahead, without an offset."""
        days, seconds = divmod(self.seconds + 60.0 * minutes, DAY_S)
        day = None if self.day is None else self.day + timedelta(days=int(days))
        return Stamp(day, seconds)

    def __str__(self) -> str:
        minutes, seconds = divmod(int(self.seconds), 60)
        return f"{minutes // 60:02d}:{minutes % 60:02d}:{seconds:02d}"


def day_of(keyword: str, text: str) -> date | None:
    """A DA as a date; None where it is empty or a dummy of an anonymiser; raises `BadTag`."""
    if not text:
        return None
    found = _DATE.fullmatch(text)
    if found is None:
        raise BadTag(keyword, f"{text} is no date (YYYYMMDD)", "Correct the header.")
    year, month, day = int(found[1]), int(found[3]), int(found[4])
    if year <= _LAST_DUMMY:
        return None
    try:
        return date(year, month, day)
    except ValueError as error:
        raise BadTag(keyword, f"{text} is no date (YYYYMMDD)", "Correct the header.") from error


def seconds_of(keyword: str, text: str) -> float | None:
    """A TM as seconds of the day, None where it is empty; raises `BadTag`."""
    if not text:
        return None
    found = _TIME.fullmatch(text)
    hour, minute, second = (int(found[k] or 0) for k in (1, 3, 4)) if found else (99, 0, 0)
    if found is None or hour > 23 or minute > 59 or second > 60:
        raise BadTag(keyword, f"{text} is no time (HHMMSS)", "Correct the header.")
    return hour * 3600.0 + minute * 60.0 + second + float(f"0.{found[5] or 0}")


def offset_of(keyword: str, text: str) -> int | None:
    """An offset from UTC (±HHMM) in minutes, None where it is empty; raises `BadTag`."""
    if not text:
        return None
    found = _OFFSET.fullmatch(text)
    minutes = 60 * int(found[2]) + int(found[3]) if found else 99 * 60
    if found is None or int(found[3]) > 59 or minutes > 14 * 60:
        raise BadTag(keyword, f"{text} is no offset from UTC (+0100)", "Correct the header.")
    return -minutes if found[1] == "-" else minutes


def stamp_of(keyword: str, text: str) -> Stamp | None:
    """A DT as a stamp, None where it is empty or says no time of day; raises `BadTag`."""
    body, sign, zone = text.partition("+")
    if not sign and "-" in text[8:]:
        at = text.rindex("-")
        body, sign, zone = text[:at], "-", text[at + 1 :]
    if len(body) <= 8 and not sign:
        if body and not re.fullmatch(r"[0-9]{4}(?:[0-9]{2}){0,2}", body):
            raise BadTag(keyword, f"{text} is no date and time", "Correct the header.")
        return None
    seconds = seconds_of(keyword, body[8:].lstrip())
    if seconds is None:
        return None
    return Stamp(day_of(keyword, body[:8]), seconds, offset_of(keyword, sign + zone))
