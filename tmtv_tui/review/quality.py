"""A study's quality in words, a line each; what cannot be known says so."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

UNKNOWN = "not known"


def quality_lines(quality: Mapping[str, Any]) -> list[str]:
    """The lines of `case.json`'s ``quality``, none for a case that has none."""
    return [f"{name}: {_said(tell, quality[key])}" for key, name, tell in LINES if key in quality]


def _said(tell: Callable[[Any], str], value: Any) -> str:
    if value is None:
        return UNKNOWN
    try:
        return tell(value)
    except (KeyError, TypeError, ValueError, AttributeError):  # a record that is not ours
        return UNKNOWN


def _slices(value: Any) -> str:
    promised = value["promised"]
    return f"{value['present']:d} of {UNKNOWN if promised is None else format(promised, 'd')}"


def _coverage(value: Any) -> str:
    seen = [name for name in ("head", "thighs") if value[name]]
    return (
        f"{value['extent_mm']:.0f} mm along the body, {' and '.join(seen) or 'no head or thighs'}"
    )


def _fit(value: Any) -> str:
    x, y, z = value["shift_mm"]
    return f"Dice {value['dice']:.2f}, the CT seems moved by ({x:.0f}, {y:.0f}, {z:.0f}) mm"


def _suv(value: Any) -> str:
    return (
        f"SUV {value['suv_mean']:.2f} ± {value['suv_sd']:.2f} "
        f"({value['volume_ml']:.0f} mL, by {'organs' if value['by'] == 'organs' else 'network'})"
    )


LINES: tuple[tuple[str, str, Callable[[Any], str]], ...] = (
    ("slices", "slices", _slices),
    ("coverage", "coverage", _coverage),
    ("misregistration", "PET and CT", _fit),
    ("uptake_min", "uptake", lambda value: f"{value:.0f} min"),
    ("body_suv_mean", "body", lambda value: f"mean SUV {value:.2f}"),
    ("liver", "liver", _suv),
    ("blood_pool", "blood pool", _suv),
)
