"""From a PET header to the factor that makes SUVbw: pure arithmetic, failing closed.

The rules are QIBA's vendor-neutral ones (QIBA FDG-PET/CT profile, SUV pseudo-code), with the
Philips private factors and the conversions from other SUV types beside them.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

import numpy as np

from tmtv_engine.errors import BadTag, InputError, MissingTag
from tmtv_engine.image.volume import FloatArray
from tmtv_engine.notices import Notice, notice, refuse
from tmtv_engine.suv.corrected import to_injection, to_nothing, to_start
from tmtv_engine.suv.decay import mean_activity_s
from tmtv_engine.suv.header import PetHeader
from tmtv_engine.suv.mass import mass_kg, surface_cm2
from tmtv_engine.suv.overrides import Overrides
from tmtv_engine.suv.times import Scan, scan_of, waited
from tmtv_engine.suv.tracer import F18_HALF_LIFE_S, check_half_life, check_tracer

__all__ = ["F18_HALF_LIFE_S", "Overrides", "PetHeader", "SuvFactor", "height_m", "suv_factor"]

BODY_MASS = (11.0, 45.0)  # kg/m²: from a small child to what few people have
_OTHER_SUV = re.compile(
    r"(?<![a-z])(?:SUL|(?:SUV[ _-]?)?(?:LBM|BSA|IBW)(?:[ _-]?JANMA|[ _-]?JAMES\w*)?|lean)(?![a-z])",
    re.IGNORECASE,
)


@dataclass(frozen=True, eq=False)
class SuvFactor:
    """SUVbw (g/mL) per rescaled pixel value, the rule in words, and what to warn about.

    ``per_slice`` (z,) where the factor differs from slice to slice (no decay correction);
    ``value`` is then that of the first slice. ``uptake_s``: from injection to the first bed,
    None where it cannot be told.
    """

    value: float
    rule: str
    notices: tuple[Notice, ...] = ()
    per_slice: FloatArray | None = None
    uptake_s: float | None = None


def suv_factor(header: PetHeader, overrides: Overrides | None = None) -> SuvFactor:
    """The factor of a PET series; raises `MissingTag` or `BadTag` naming the attribute,
    `Implausible` where `--accept` takes it."""
    overrides = overrides or Overrides()
    header = header.told(overrides)
    notices = check_tracer(header, overrides)
    _check_corrections(header)
    if header.units == "BQML":
        found = _from_activity(header, overrides)
    elif header.units == "CNTS":
        found = _from_counts(header, overrides)
    elif header.units in ("GML", "CM2ML"):
        found = _from_suv(header, overrides)
    else:
        what = f"{header.units or 'nothing'} is not BQML, CNTS, GML or CM2ML"
        raise BadTag("Units", what, "Export in BQML.")
    if found.uptake_s is None:
        uptake, told = _uptake(header)
        found = replace(found, uptake_s=uptake, notices=found.notices + told)
    _, converted = height_m(header)
    notices += [*converted, *_build(header)]
    return replace(found, notices=(*notices, *found.notices))


def height_m(header: PetHeader) -> tuple[float | None, tuple[Notice, ...]]:
    """The height in metres, None where it is not known; one in centimetres is converted."""
    height = header.known("height_m")
    if not height or height <= 3.0:
        return height or None, ()
    return height / 100.0, (notice("height-cm", f"{height:g}"),)


def _build(header: PetHeader) -> tuple[Notice, ...]:
    """A warning of a weight in pounds, or a height in inches."""
    weight, height = header.known("weight_kg"), height_m(header)[0]
    if not weight or not height or weight < 0 or height < 0:
        return ()
    index = weight / height**2
    if BODY_MASS[0] <= index <= BODY_MASS[1]:
        return ()
    return (notice("body-mass", f"{weight:g} kg and {height:g} m: {index:.0f}"),)


def _check_corrections(header: PetHeader) -> None:
    if "ATTN" not in header.corrected_image:
        raise BadTag("CorrectedImage", "no ATTN", "Take the attenuation-corrected series.")
    if "DECY" not in header.corrected_image and header.decay_correction != "NONE":
        raise BadTag("CorrectedImage", "no DECY and DecayCorrection is not NONE", "Export again.")


def _weight(header: PetHeader, overrides: Overrides) -> tuple[float, tuple[Notice, ...]]:
    weight = header.ask("weight_kg")
    if not weight or weight < 0:
        raise MissingTag("PatientWeight", remedy="Give it: --weight-kg KG.")
    if 10.0 <= weight <= 350.0:
        return weight, ()
    told = refuse("weight", f"{weight:g} kg", overrides.accepted, tag="PatientWeight")
    return weight, (told,)


def _dose(header: PetHeader, overrides: Overrides) -> tuple[float, tuple[Notice, ...]]:
    dose, tag = header.ask("dose_bq"), "RadionuclideTotalDose"
    if not dose or dose < 0:
        raise MissingTag(tag, remedy="Give it: --dose-bq BQ.")
    if 1e6 <= dose <= 2e9:
        return dose, ()
    code, unit = ("low-dose", "is it MBq?") if dose < 1e6 else ("high-dose", "is it kBq?")
    return dose, (refuse(code, f"{dose:g} Bq ({unit})", overrides.accepted, tag=tag),)


def _half_life(header: PetHeader, overrides: Overrides) -> tuple[float, tuple[Notice, ...]]:
    half_life = header.ask("half_life_s")
    if not half_life or half_life <= 0:
        raise MissingTag("RadionuclideHalfLife", remedy="Export the series with its half-life.")
    return half_life, tuple(check_half_life(header, overrides))


def _from_activity(header: PetHeader, overrides: Overrides) -> SuvFactor:
    """SUV = activity · weight / dose at the time that the activity is corrected to."""
    weight, told = _weight(header, overrides)
    dose, more = _dose(header, overrides)
    notices = told + more
    if header.decay_correction == "ADMIN":
        factor = weight * 1000.0 / dose
        uptake, more = _uptake(header)
        notices += more + to_injection(header, uptake)
        rule = f"{header.units}, ADMIN: weight / dose at injection"
        return SuvFactor(factor, rule, notices, None, uptake)
    if header.decay_correction not in ("START", "NONE"):
        what = f"{header.decay_correction or 'nothing'} is not START, ADMIN or NONE"
        raise BadTag("DecayCorrection", what, "Export the series with its DecayCorrection.")
    half_life, more = _half_life(header, overrides)
    scan = scan_of(header, half_life)
    wait, later = waited(header, scan, overrides)
    notices += more + scan.notices + tuple(later)
    uptake = wait + scan.first_s - scan.start_s
    if header.decay_correction == "NONE":
        waits = _to_each_frame(header, scan, wait, half_life)
        factors = weight * 1000.0 / (dose * 2.0 ** (-waits / half_life))
        notices += to_nothing(header)
        rule = f"{header.units}, NONE: weight / dose decayed to each frame's mean activity"
        return SuvFactor(float(factors[0]), rule, notices, factors, uptake)
    notices += to_start(header, scan, uptake, half_life, overrides)
    factor = weight * 1000.0 / (dose * 2.0 ** (-wait / half_life))
    rule = f"{header.units}, START: weight / dose decayed {wait:g} s from injection to {scan.how}"
    return SuvFactor(factor, rule, notices, None, uptake)


def _to_each_frame(header: PetHeader, scan: Scan, wait: float, half_life: float) -> FloatArray:
    """Seconds from the injection to when each frame's activity is its mean, (z,)."""
    lengths = header.ask("frame_duration_s")
    if not scan.beds_s or None in scan.beds_s:
        remedy = "Without decay correction each frame needs it."
        raise MissingTag("AcquisitionTime", remedy=remedy)
    if len(lengths) != len(scan.beds_s) or any(not t or t < 0 for t in lengths):
        raise MissingTag("ActualFrameDuration", remedy="Without decay correction it is needed.")
    waits = [
        wait + at - scan.start_s + mean_activity_s(length, half_life)
        for at, length in zip(scan.beds_s, lengths, strict=True)
        if at is not None
    ]
    return np.array(waits)


def _from_counts(header: PetHeader, overrides: Overrides) -> SuvFactor:
    """Philips counts: (7053,1009) Bq/mL per count, else (7053,1000) SUV per count."""
    bqml, suv = header.ask("philips_bqml"), header.ask("philips_suv")
    if bqml:
        found = _from_activity(header, overrides)
        slices = None if found.per_slice is None else found.per_slice * bqml
        rule = f"(7053,1009) × {found.rule}"
        return replace(found, value=found.value * bqml, rule=rule, per_slice=slices)
    if suv:
        return SuvFactor(suv, "CNTS: Philips (7053,1000), SUV per count")
    what = "CNTS without (7053,1009) or (7053,1000)"
    raise MissingTag("(7053,1009)", what, "Export with Philips' factors.")


def _from_suv(header: PetHeader, overrides: Overrides) -> SuvFactor:
    """Pixels that are an SUV already: body weight as they are, other types converted to it."""
    kind = header.suv_type or ("BW" if header.units == "GML" else "BSA")
    if kind == "BW" and header.units == "GML":
        return SuvFactor(1.0, "GML: the pixels are SUVbw already", _kind_told(header, overrides))
    weight, told = _weight(header, overrides)
    height = header.ask("height_m") and height_m(header)[0]
    if not height:
        raise MissingTag("PatientSize", remedy=f"SUVType {kind} needs it: --height-m M.")
    if not 0.4 <= height <= 2.6:
        raise BadTag("PatientSize", f"{height:g} m cannot be", "Give it: --height-m M.")
    if kind == "BSA":
        factor = weight * 1000.0 / surface_cm2(weight, height)
    else:
        factor = weight / mass_kg(kind, weight, height, header.sex)
    rule = f"{header.units}, SUVType {kind}: converted to body weight"
    return SuvFactor(factor, rule, told)


def _kind_told(header: PetHeader, overrides: Overrides) -> tuple[Notice, ...]:
    """Refuse an SUV by body weight, stated or not, that its description calls another."""
    other = _OTHER_SUV.search(header.description)
    if other is None:
        return ()
    what = f"{header.suv_type or 'missing'}, and the series is called {other[0]!r}"
    return (refuse("suv-type", what, overrides.accepted, tag="SUVType"),)


def _uptake(header: PetHeader) -> tuple[float | None, tuple[Notice, ...]]:
    """The uptake time where no factor depends on it: as far as the header tells it."""
    anything = Overrides(accepted=frozenset({"uptake"}))
    try:
        scan = scan_of(header, header.known("half_life_s") or F18_HALF_LIFE_S)
        wait, told = waited(header, scan, anything)
    except InputError:
        return None, ()
    told = [n for n in told if n.code == "uptake-time"]
    return wait + scan.first_s - scan.start_s, tuple(told)
