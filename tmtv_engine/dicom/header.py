"""DICOM datasets to what the SUV rules and the case folder need to know."""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import date, datetime, time, timedelta
from typing import Any, Protocol

from pydicom.dataset import Dataset

from tmtv_engine.errors import BadTag
from tmtv_engine.suv.factor import PetHeader
from tmtv_engine.text import clean

_GE, _PHILIPS = "GEMS_PETD_01", "Philips PET Private Group"
GE_SCAN = (0x0009, 0x100D, _GE)
PHILIPS_SUV = (0x7053, 0x1000, _PHILIPS)
PHILIPS_BQML = (0x7053, 0x1009, _PHILIPS)


class Header(Protocol):
    """What holds attributes by keyword: a `Dataset`, or a `Brief` of one."""

    def get(self, key: str, default: Any = None, /) -> Any:
        """The value of the attribute ``key``."""
        ...


def pet_header(datasets: Sequence[Header]) -> PetHeader:
    """The header of a PET series; ``datasets`` one a slice (or frame), in the array's order.

    The first must be a whole `Dataset`; of the others only times are asked.
    """
    first = datasets[0]
    items = list(first.get("RadiopharmaceuticalInformationSequence") or [])
    drug = items[0] if items else Dataset()
    nuclide = [_code(drug, "RadionuclideCodeSequence"), text(drug, "Radionuclide")]
    tracer = [text(drug, "Radiopharmaceutical"), _code(drug, "RadiopharmaceuticalCodeSequence")]
    return PetHeader(
        units=text(first, "Units"),
        corrected_image=tuple(clean(v) for v in _several(first.get("CorrectedImage"))),
        decay_correction=text(first, "DecayCorrection"),
        weight_kg=number(first, "PatientWeight"),
        height_m=number(first, "PatientSize") or None,
        sex=text(first, "PatientSex"),
        dose_bq=number(drug, "RadionuclideTotalDose"),
        half_life_s=number(drug, "RadionuclideHalfLife"),
        injection=moment(drug, "RadiopharmaceuticalStartDateTime"),
        injection_time=clock(drug, "RadiopharmaceuticalStartTime"),
        series=moment(first, "SeriesDate", "SeriesTime"),
        acquisitions=tuple(at for ds in datasets if (at := acquired(ds)) is not None),
        frame_reference_s=_milliseconds(datasets, "FrameReferenceTime"),
        frame_duration_s=_milliseconds(datasets, "ActualFrameDuration"),
        suv_type=text(first, "SUVType"),
        manufacturer=text(first, "Manufacturer"),
        ge_scan=_private_moment(first, GE_SCAN),
        philips_suv=_private_number(first, PHILIPS_SUV),
        philips_bqml=_private_number(first, PHILIPS_BQML),
        radionuclide=" ".join(v for v in nuclide if v),
        tracer=" ".join(v for v in tracer if v),
        radiopharmaceuticals=max(1, len(items)),
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


def acquired(dataset: Header) -> datetime | None:
    """When a slice's acquisition began."""
    whole = moment(dataset, "AcquisitionDateTime")
    return whole or moment(dataset, "AcquisitionDate", "AcquisitionTime")


def moment(dataset: Header, keyword: str, clock_keyword: str = "") -> datetime | None:
    """A DT, or a DA and a TM, as a date and time without zone; None where absent."""
    value = text(dataset, keyword)
    if not clock_keyword:
        return _parse(keyword, value[:8], value[8:]) if len(value) >= 10 else None
    at = text(dataset, clock_keyword)
    return _parse(keyword, value, at) if value and at else None


def clock(dataset: Header, keyword: str) -> time | None:
    """A TM as a time of day, None where absent; raises `BadTag`."""
    value = text(dataset, keyword)
    found = _parse(keyword, "20000101", value) if value else None
    return found.time() if found else None


def _parse(keyword: str, day: str, at: str) -> datetime:
    at = at.replace(":", "").split("+")[0].split("-")[0]
    whole, _, fraction = at.partition(".")
    try:
        when = date(*(int(p) for p in (day[:4], day[4:6], day[6:8])))
        hour, minute, second = (int(whole[k : k + 2] or 0) for k in (0, 2, 4))
        seconds = hour * 3600 + minute * 60 + second + float(f"0.{fraction or 0}")
        return datetime.combine(when, time()) + timedelta(seconds=seconds)
    except ValueError as error:
        raise BadTag(keyword, f"{day} {at} is no date and time", "Correct the header.") from error


def _milliseconds(datasets: Sequence[Header], keyword: str) -> tuple[float, ...]:
    values = [number(ds, keyword) for ds in datasets]
    return tuple(v / 1000.0 for v in values if v is not None)


def _several(value: Any) -> Sequence[Any]:
    if value is None:
        return ()
    return [value] if isinstance(value, str) else list(value)


def _code(dataset: Header, keyword: str) -> str:
    items = dataset.get(keyword) or []
    return f"{text(items[0], 'CodeMeaning')} {text(items[0], 'CodeValue')}".strip() if items else ""


def _private(dataset: Header, place: tuple[int, int, str]) -> str:
    """A private element where its creator reserved its block; as is where nobody is named."""
    if not isinstance(dataset, Dataset):
        return ""
    group, element, creator = place
    named = {b: clean(dataset[group, b].value) for b in range(0x10, 0x100) if (group, b) in dataset}
    block = next((b for b, name in named.items() if name.upper() == creator.upper()), None)
    if block is None and 0x10 in named:
        return ""
    tag = (group, ((block or 0x10) << 8) + (element & 0xFF))
    if tag not in dataset:
        return ""
    value = dataset[tag].value
    return clean(value.decode("ascii", "replace") if isinstance(value, bytes) else value)


def _private_number(dataset: Header, place: tuple[int, int, str]) -> float | None:
    try:
        return float(_private(dataset, place)) or None
    except ValueError:
        return None


def _private_moment(dataset: Header, place: tuple[int, int, str]) -> datetime | None:
    value = _private(dataset, place)
    name = f"({place[0]:04x},{place[1]:04x})"
    return _parse(name, value[:8], value[8:]) if len(value) > 8 else None
