"""DICOM datasets to what the SUV rules need to know."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from types import MappingProxyType
from typing import Any, Protocol, TypeVar

from pydicom.dataset import Dataset

from tmtv_engine.errors import BadTag
from tmtv_engine.suv.clock import Stamp, day_of, offset_of, seconds_of, stamp_of
from tmtv_engine.suv.header import PetHeader
from tmtv_engine.suv.vendors import PRIVATE, Private
from tmtv_engine.text import clean

T = TypeVar("T")
INSTEAD = MappingProxyType(
    {
        "weight_kg": "Give it: --weight-kg KG.",
        "height_m": "Give it: --height-m M.",
        "dose_bq": "Give it: --dose-bq BQ.",
        "injection": "Give it: --injection-time 2020-03-01T09:30:00.",
        "injection_time": "Give it: --injection-time 2020-03-01T09:30:00.",
    }
)
"""The option that stands in for a field that cannot be read."""


class Header(Protocol):
    """What holds attributes by keyword: a `Dataset`, or a `Brief` of one."""

    def get(self, key: str, default: Any = None, /) -> Any:
        """The value of the attribute ``key``."""
        ...


def pet_header(datasets: Sequence[Header], whole: Dataset | None = None) -> PetHeader:
    """The header of a PET series; ``datasets`` one a slice (or frame), in the array's order.

    ``whole`` is the full header of one of them (the first, which then is a `Dataset`, unless it
    is given); of the others only times are asked. What cannot be read is kept as the error
    that a rule will raise if it asks for it.
    """
    first = whole if whole is not None else datasets[0]
    items = list(first.get("RadiopharmaceuticalInformationSequence") or [])
    drug = items[0] if items else Dataset()
    unread: dict[str, BadTag] = {}

    def read(field: str, value: Callable[[], T]) -> T | None:
        try:
            return value()
        except BadTag as error:
            what = error.what.removeprefix(f"{error.keyword}: ")
            unread[field] = BadTag(error.keyword, what, INSTEAD.get(field, error.remedy))
            return None

    started, at = "RadiopharmaceuticalStartDateTime", "RadiopharmaceuticalStartTime"
    zone = "TimezoneOffsetFromUTC"
    return PetHeader(
        units=text(first, "Units"),
        corrected_image=tuple(clean(v) for v in several(first.get("CorrectedImage"))),
        decay_correction=text(first, "DecayCorrection"),
        weight_kg=read("weight_kg", lambda: number(first, "PatientWeight")),
        height_m=read("height_m", lambda: number(first, "PatientSize") or None),
        sex=text(first, "PatientSex").upper(),
        dose_bq=read("dose_bq", lambda: number(drug, "RadionuclideTotalDose")),
        half_life_s=read("half_life_s", lambda: number(drug, "RadionuclideHalfLife")),
        injection=read("injection", lambda: stamp_of(started, text(drug, started))),
        injection_time=read("injection_time", lambda: _clock(at, text(drug, at))),
        series=read("series", lambda: _series(datasets)),
        acquisitions=read("acquisitions", lambda: _each(datasets, acquired)) or (),
        frame_reference_s=read("frame_reference_s", lambda: _ms(datasets, "FrameReferenceTime"))
        or (),
        frame_duration_s=read("frame_duration_s", lambda: _ms(datasets, "ActualFrameDuration"))
        or (),
        decayed_to=read("decayed_to", lambda: _moment(first, "DecayCorrectionDateTime")),
        timezone_min=read("timezone_min", lambda: offset_of(zone, text(first, zone))),
        suv_type=text(first, "SUVType").upper(),
        description=text(first, "SeriesDescription"),
        decay_factors=read(
            "decay_factors", lambda: _each(datasets, lambda ds: number(ds, "DecayFactor"))
        )
        or (),
        manufacturer=text(first, "Manufacturer"),
        nuclides=_said(text(drug, "Radionuclide"), _code(drug, "RadionuclideCodeSequence")),
        tracers=_said(
            text(drug, "Radiopharmaceutical"), _code(drug, "RadiopharmaceuticalCodeSequence")
        ),
        radiopharmaceuticals=max(1, len(items)),
        **{row.field: read(row.field, lambda row=row: private(first, row)) for row in PRIVATE},  # type: ignore[misc]
        unread=MappingProxyType(unread),
    )


def text(dataset: Header, keyword: str) -> str:
    """A tag's value as clean text, empty where it is absent."""
    value = dataset.get(keyword)
    return "" if value is None else clean(value)


def number(dataset: Header, keyword: str) -> float | None:
    """A tag's value as a number, None where it is absent; raises `BadTag`."""
    try:
        value = dataset.get(keyword)
        if value is None or str(value).strip() == "":
            return None
        found = float(value)
    except (TypeError, ValueError) as error:
        raise BadTag(keyword, "it is no number", "Correct the header.") from error
    if not math.isfinite(found):
        raise BadTag(keyword, f"{found} is no number", "Correct the header.")
    return found


def several(value: Any) -> Sequence[Any]:
    """The values of an attribute that may have several."""
    if value is None or value == "":
        return ()
    many = hasattr(value, "__iter__") and not isinstance(value, (str, bytes))
    return list(value) if many else [value]


def acquired(dataset: Header) -> Stamp | None:
    """When a slice's acquisition began; AcquisitionDateTime before date and time apart."""
    whole = stamp_of("AcquisitionDateTime", text(dataset, "AcquisitionDateTime"))
    apart = _dated(dataset, "AcquisitionDate", "AcquisitionTime")
    if whole is None or (whole.zero and apart is not None):
        return apart
    if whole.day is None and apart is not None:
        return Stamp(apart.day, whole.seconds, whole.offset_min)
    return whole


def _series(datasets: Sequence[Header]) -> Stamp | None:
    """The series' time: that of most slices."""
    stamps = Counter(_each(datasets, lambda ds: _dated(ds, "SeriesDate", "SeriesTime")))
    known = [(n, s) for s, n in stamps.items() if s is not None and not s.zero]
    if known:
        return max(known, key=lambda pair: pair[0])[1]
    return next((s for s in stamps if s is not None), None)


def _dated(dataset: Header, day: str, at: str) -> Stamp | None:
    seconds = seconds_of(at, text(dataset, at))
    if seconds is None:
        return None
    return Stamp(day_of(day, text(dataset, day)), seconds)


def _each(datasets: Sequence[Header], ask: Callable[[Header], T]) -> tuple[T, ...]:
    return tuple(ask(ds) for ds in datasets)


def _clock(keyword: str, value: str) -> Stamp | None:
    seconds = seconds_of(keyword, value)
    return None if seconds is None else Stamp(None, seconds)


def _moment(dataset: Header, keyword: str) -> Stamp | None:
    return stamp_of(keyword, text(dataset, keyword))


def _ms(datasets: Sequence[Header], keyword: str) -> tuple[float | None, ...]:
    values = _each(datasets, lambda ds: number(ds, keyword))
    return tuple(None if v is None else v / 1000.0 for v in values)


def _code(dataset: Header, keyword: str) -> str:
    items = dataset.get(keyword) or []
    return f"{text(items[0], 'CodeMeaning')} {text(items[0], 'CodeValue')}".strip() if items else ""


def _said(*values: str) -> tuple[str, ...]:
    return tuple(value for value in values if value)


def private(dataset: Header, row: Private) -> Any:
    """A private attribute where its creator reserved its block; as is where nobody is named."""
    value = _private_text(dataset, row)
    if not value or row.kind == "moment":
        return stamp_of(row.name, value)
    try:
        found = float(value)
    except ValueError as error:
        raise BadTag(row.name, "it is no number", "Correct the header.") from error
    if not math.isfinite(found) or found < 0:
        raise BadTag(row.name, f"{found:g} cannot be", "Correct the header.")
    return found or None


def _private_text(dataset: Header, row: Private) -> str:
    if not isinstance(dataset, Dataset):
        return ""
    blocks: Iterable[int] = [b for b in range(0x10, 0x100) if (row.group, b) in dataset]
    named = {b: clean(dataset[row.group, b].value).upper() for b in blocks}
    block = next((b for b, name in named.items() if name == row.creator.upper()), None)
    if block is None and 0x10 in named:
        return ""
    tag = (row.group, ((block or 0x10) << 8) + row.element)
    if tag not in dataset:
        return ""
    value = dataset[tag].value
    return clean(value.decode("ascii", "replace") if isinstance(value, bytes) else value)
