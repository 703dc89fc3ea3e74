"""From a PET header to the factor that makes SUVbw: pure arithmetic, failing closed.

The rules are QIBA's vendor-neutral ones (QIBA FDG-PET/CT profile, SUV pseudo-code), with the
Philips private factors and the conversions from other SUV types beside them.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, time, timedelta
from typing import Any

import numpy as np

from tmtv_engine.errors import BadTag, MissingTag
from tmtv_engine.image.volume import FloatArray
from tmtv_engine.notices import Notice, notice

F18_HALF_LIFE_S = 6586.2
DAY_S = 86400.0


@dataclass(frozen=True)
class PetHeader:
    """What the SUV rules need to know; None, empty or () where the header does not say.

    ``acquisitions``, ``frame_reference_s`` and ``frame_duration_s`` hold one value a slice, in
    the order of the array. ``injection`` is a full date and time, ``injection_time`` a bare
    time of day.
    """

    units: str = ""
    corrected_image: tuple[str, ...] = ()
    decay_correction: str = ""
    weight_kg: float | None = None
    height_m: float | None = None
    sex: str = ""
    dose_bq: float | None = None
    half_life_s: float | None = None
    injection: datetime | None = None
    injection_time: time | None = None
    series: datetime | None = None
    acquisitions: tuple[datetime, ...] = ()
    frame_reference_s: tuple[float, ...] = ()
    frame_duration_s: tuple[float, ...] = ()
    suv_type: str = ""
    manufacturer: str = ""
    ge_scan: datetime | None = None
    philips_suv: float | None = None
    philips_bqml: float | None = None
    radionuclide: str = ""
    tracer: str = ""
    radiopharmaceuticals: int = 1


@dataclass(frozen=True)
class Overrides:
    """What a user says instead of the header; recorded in the case."""

    weight_kg: float | None = None
    height_m: float | None = None
    dose_bq: float | None = None
    injection_time: datetime | None = None
    allow_tracer: bool = False
    allow_gaps: bool = False
    accepted: frozenset[str] = frozenset()

    @classmethod
    def of_record(cls, record: Mapping[str, Any]) -> Overrides:
        """The overrides that `record` wrote."""
        told = dict(record)
        if told.get("injection_time"):
            told["injection_time"] = datetime.fromisoformat(told["injection_time"])
        return cls(**{**told, "accepted": frozenset(told.get("accepted", ()))})

    def apply(self, header: PetHeader) -> PetHeader:
        """The header with the user's values in it."""
        given = {
            "weight_kg": self.weight_kg,
            "height_m": self.height_m,
            "dose_bq": self.dose_bq,
            "injection": self.injection_time,
        }
        return replace(header, **{k: v for k, v in given.items() if v is not None})  # type: ignore[arg-type]

    def record(self) -> dict[str, object]:
        """What was overridden, for `case.json`."""
        given: dict[str, object] = {
            "weight_kg": self.weight_kg,
            "height_m": self.height_m,
            "dose_bq": self.dose_bq,
            "injection_time": self.injection_time.isoformat() if self.injection_time else None,
            "allow_tracer": self.allow_tracer or None,
            "allow_gaps": self.allow_gaps or None,
            "accepted": sorted(self.accepted) or None,
        }
        return {key: value for key, value in given.items() if value is not None}


@dataclass(frozen=True, eq=False)
class SuvFactor:
    """SUVbw (g/mL) per rescaled pixel value, the rule in words, and what to warn about.

    ``per_slice`` (z,) where the factor differs from slice to slice (no decay correction);
    ``value`` is then that of the first slice.
    """

    value: float
    rule: str
    notices: tuple[Notice, ...] = ()
    per_slice: FloatArray | None = None


def suv_factor(header: PetHeader, overrides: Overrides | None = None) -> SuvFactor:
    """The factor of a PET series; raises `MissingTag` or `BadTag` naming the attribute."""
    overrides = overrides or Overrides()
    header, notices = _checked(overrides.apply(header), overrides)
    if header.units == "BQML":
        found = _from_activity(header)
    elif header.units == "CNTS":
        found = _from_counts(header)
    elif header.units in ("GML", "CM2ML"):
        found = _from_suv(header)
    else:
        raise BadTag(
            "Units",
            f"{header.units or 'nothing'} is not BQML, CNTS, GML or CM2ML",
            "Export in BQML.",
        )
    return replace(found, notices=tuple(notices) + found.notices)


def _checked(header: PetHeader, overrides: Overrides) -> tuple[PetHeader, list[Notice]]:
    """The header with its corrections and tracer vouched for; the height in metres."""
    notices = _check_tracer(header, overrides)
    if "ATTN" not in header.corrected_image:
        raise BadTag("CorrectedImage", "no ATTN", "Take the attenuation-corrected series.")
    if "DECY" not in header.corrected_image and header.decay_correction != "NONE":
        raise BadTag("CorrectedImage", "no DECY and DecayCorrection is not NONE", "Export again.")
    if header.height_m is not None and header.height_m > 3.0:
        notices.append(notice("height-cm", f"{header.height_m:g}"))
        header = replace(header, height_m=header.height_m / 100.0)
    if header.units != "GML" or header.suv_type not in ("", "BW"):
        _weight(header)
    return header, notices


def _check_tracer(header: PetHeader, overrides: Overrides) -> list[Notice]:
    if header.radiopharmaceuticals > 1:
        raise BadTag(
            "RadiopharmaceuticalInformationSequence",
            f"{header.radiopharmaceuticals} items",
            "Which of them is the FDG cannot be known; export the series with one.",
        )
    nuclide, tracer = header.radionuclide, header.tracer
    known = "".join(c for c in nuclide.upper() if c.isalnum()).lstrip("^")
    fluorine = not known or any(k in known for k in ("F18", "18F", "FLUORINE18", "C111A1"))
    fdg = any(word in tracer.upper() for word in ("FDG", "FLUDEOXYGLUCOSE", "FLUORODEOXYGLUCOSE"))
    fdg = fdg or "C-B1031" in tracer.upper() or "DEOXYGLUCOSE" in tracer.upper().replace(" ", "")
    allow = "Add --allow-tracer to take it all the same."
    if not fluorine and not overrides.allow_tracer:
        raise BadTag("RadionuclideCodeSequence", f"{nuclide} is not F-18", allow)
    if tracer and not fdg and not overrides.allow_tracer:
        raise BadTag("Radiopharmaceutical", f"{tracer} is not FDG", allow)
    if not tracer:
        return [notice("tracer-unnamed")]
    return [] if fdg and fluorine else [notice("other-tracer", f"{tracer} {nuclide}".strip())]


def _weight(header: PetHeader) -> float:
    weight = header.weight_kg
    if weight is None or weight == 0:
        raise MissingTag("PatientWeight", remedy="Give it: --weight-kg KG.")
    if not 10.0 <= weight <= 350.0:
        raise BadTag("PatientWeight", f"{weight:g} kg cannot be", "Give it: --weight-kg KG.")
    return weight


def _from_activity(header: PetHeader) -> SuvFactor:
    """SUV = activity · weight / dose at the time that the activity is corrected to."""
    weight = _weight(header)
    dose, half_life, notices = _dose(header)
    if header.decay_correction == "ADMIN":
        factor = weight * 1000.0 / dose
        return SuvFactor(factor, f"{header.units}, ADMIN: weight / dose at injection", notices)
    if header.decay_correction == "NONE":
        return _frame_by_frame(header, weight, dose, half_life, notices)
    if header.decay_correction != "START":
        raise BadTag(
            "DecayCorrection",
            f"{header.decay_correction or 'nothing'} is not START, ADMIN or NONE",
            "Export the series with its DecayCorrection.",
        )
    scan, how = _scan_start(header, half_life)
    waited, more = _waited(header, scan)
    factor = weight * 1000.0 / (dose * 2.0 ** (-waited / half_life))
    rule = f"{header.units}, START: weight / dose decayed {waited:g} s from injection to {how}"
    return SuvFactor(factor, rule, notices + more)


def _frame_by_frame(
    header: PetHeader, weight: float, dose: float, half_life: float, notices: tuple[Notice, ...]
) -> SuvFactor:
    """No decay correction: each frame by the time at which its activity is the frame's mean."""
    if not header.acquisitions:
        raise MissingTag("AcquisitionTime", remedy="Without decay correction each frame needs it.")
    if len(header.frame_duration_s) != len(header.acquisitions):
        raise MissingTag("ActualFrameDuration", remedy="Without decay correction it is needed.")
    _, more = _waited(header, min(header.acquisitions))
    injection = _injection(header, min(header.acquisitions))
    waited = [
        (at - injection).total_seconds() + mean_activity_s(length, half_life)
        for at, length in zip(header.acquisitions, header.frame_duration_s, strict=True)
    ]
    factors = weight * 1000.0 / (dose * 2.0 ** (-np.array(waited) / half_life))
    rule = f"{header.units}, NONE: weight / dose decayed to each frame's mean activity"
    return SuvFactor(float(factors[0]), rule, notices + more, factors)


def mean_activity_s(duration_s: float, half_life_s: float) -> float:
    """Seconds from a frame's start to when its activity equals the frame's mean (QIBA)."""
    decay = math.log(2.0) / half_life_s
    if duration_s <= 0:
        return 0.0
    return math.log(decay * duration_s / (1.0 - math.exp(-decay * duration_s))) / decay


def _dose(header: PetHeader) -> tuple[float, float, tuple[Notice, ...]]:
    dose, half_life = header.dose_bq, header.half_life_s
    notices = []
    if not dose:
        raise MissingTag("RadionuclideTotalDose", remedy="Give it: --dose-bq BQ.")
    if dose < 1e6:
        raise BadTag(
            "RadionuclideTotalDose", f"{dose:g} Bq is too little (MBq?)", "Give it: --dose-bq BQ."
        )
    if dose > 2e9:
        notices.append(notice("high-dose", f"{dose / 1e6:g} MBq"))
    if not half_life or half_life <= 0:
        raise MissingTag("RadionuclideHalfLife", remedy="Export the series with its half-life.")
    if abs(half_life / F18_HALF_LIFE_S - 1.0) > 0.01:
        notices.append(notice("half-life", f"{half_life:g} s"))
    return dose, half_life, tuple(notices)


def _scan_start(header: PetHeader, half_life: float) -> tuple[datetime, str]:
    """The moment that START means, and its name."""
    first = min(header.acquisitions, default=None)
    if header.series is not None and (first is None or header.series <= first):
        return header.series, "the series' time"
    if header.ge_scan is not None:
        return header.ge_scan, "GE's scan time (0009,100d)"
    if first is None:
        raise MissingTag("SeriesTime", remedy="No scan time is known; export with SeriesTime.")
    at = header.acquisitions.index(first)
    siemens = "SIEMENS" in header.manufacturer.upper()
    timed = len(header.frame_reference_s) > at and len(header.frame_duration_s) > at
    if siemens and timed and header.frame_reference_s[at] > 0:
        mean = mean_activity_s(header.frame_duration_s[at], half_life)
        start = first - timedelta(seconds=header.frame_reference_s[at] - mean)
        return start, "the acquisition less FrameReferenceTime (reprocessed series)"
    return first, "the earliest acquisition"


def _injection(header: PetHeader, scan: datetime) -> datetime:
    if header.injection is not None:
        return header.injection
    if header.injection_time is None:
        raise MissingTag(
            "RadiopharmaceuticalStartTime", remedy="Give it: --injection-time 2020-03-01T09:30:00."
        )
    day = (header.series or scan).date()
    injection = datetime.combine(day, header.injection_time)
    return injection - timedelta(days=1) if injection > scan else injection


def _waited(header: PetHeader, scan: datetime) -> tuple[float, tuple[Notice, ...]]:
    """Seconds from injection to ``scan``, refused outside a day."""
    waited = (scan - _injection(header, scan)).total_seconds()
    name = (
        "RadiopharmaceuticalStartDateTime" if header.injection else "RadiopharmaceuticalStartTime"
    )
    remedy = "Inconsistent anonymisation? Give --injection-time."
    if waited < 0:
        raise BadTag(name, f"the injection lies {-waited:g} s after the scan", remedy)
    if waited > DAY_S:
        raise BadTag(name, f"the injection lies {waited / 3600:.1f} h before the scan", remedy)
    if 45 * 60 <= waited <= 120 * 60:
        return waited, ()
    return waited, (notice("uptake-time", f"{waited / 60:.0f} min"),)


def _from_counts(header: PetHeader) -> SuvFactor:
    """Philips counts: (7053,1009) Bq/mL per count, else (7053,1000) SUV per count."""
    if header.philips_bqml:
        found = _from_activity(header)
        scale = header.philips_bqml
        slices = None if found.per_slice is None else found.per_slice * scale
        rule = f"(7053,1009) × {found.rule}"
        return SuvFactor(found.value * scale, rule, found.notices, slices)
    if header.philips_suv:
        return SuvFactor(header.philips_suv, "CNTS: Philips (7053,1000), SUV per count")
    raise MissingTag(
        "(7053,1009)", "CNTS without (7053,1009) or (7053,1000)", "Export with Philips' factors."
    )


def _from_suv(header: PetHeader) -> SuvFactor:
    """Pixels that are an SUV already: body weight as they are, other types converted to it."""
    kind = header.suv_type or ("BW" if header.units == "GML" else "BSA")
    if kind == "BW" and header.units == "GML":
        return SuvFactor(1.0, "GML: the pixels are SUVbw already")
    weight, height = _weight(header), header.height_m
    if not height:
        raise MissingTag("PatientSize", remedy=f"SUVType {kind} needs it: --height-m M.")
    if kind == "BSA":
        factor = weight * 1000.0 / (0.007184 * weight**0.425 * (100 * height) ** 0.725 * 1e4)
    else:
        factor = weight / _mass_kg(kind, weight, height, header.sex)
    return SuvFactor(factor, f"{header.units}, SUVType {kind}: converted to body weight")


def _mass_kg(kind: str, weight: float, height: float, sex: str) -> float:
    """The mass that an SUV type divides by: James (128/148), Janmahasatian, ideal (QIBA)."""
    if sex not in ("M", "F"):
        raise MissingTag("PatientSex", f"SUVType {kind} needs PatientSex M or F", "Export again.")
    male, cm = sex == "M", 100.0 * height
    if kind == "LBM":
        return (
            1.10 * weight - 128.0 * (weight / cm) ** 2
            if male
            else 1.07 * weight - 148.0 * (weight / cm) ** 2
        )
    if kind == "LBMJANMA":
        low, slope = (6680.0, 216.0) if male else (8780.0, 244.0)
        return 9270.0 * weight / (low + slope * weight / height**2)
    if kind == "IBW":
        return 48.0 + 1.06 * (cm - 152.0) if male else 45.5 + 0.91 * (cm - 152.0)
    raise BadTag("SUVType", f"{kind} cannot be converted to body weight", "Export as BQML or BW.")
