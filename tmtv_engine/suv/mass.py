"""What another SUV divides by than the body's weight (PS3.16 CID 85; QIBA)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

from tmtv_engine.errors import BadTag, MissingTag

Formula = Callable[[float, float, bool], float]


def _james(male: float) -> Formula:
    """Lean body mass after James: 1.10 w − k (w/h)² for men, 1.07 w − 148 (w/h)² for women."""

    def mass(weight: float, height: float, man: bool) -> float:
        lean, k = (1.10, male) if man else (1.07, 148.0)
        return lean * weight - k * (weight / (100.0 * height)) ** 2

    return mass


def _janmahasatian(weight: float, height: float, man: bool) -> float:
    low, slope = (6680.0, 216.0) if man else (8780.0, 244.0)
    return 9270.0 * weight / (low + slope * weight / height**2)


def _ideal(weight: float, height: float, man: bool) -> float:
    """Sugawara 1999."""
    low, slope = (48.0, 1.06) if man else (45.5, 0.91)
    return low + slope * (100.0 * height - 152.0)


MASSES: Mapping[str, Formula] = MappingProxyType(
    {
        "LBM": _james(120.0),
        "LBMJAMES128": _james(128.0),
        "LBMJANMA": _janmahasatian,
        "IBW": _ideal,
    }
)
"""SUVType → kilograms of (weight kg, height m, is a man)."""


def mass_kg(kind: str, weight: float, height: float, sex: str) -> float:
    """The mass that SUVType ``kind`` divides by; raises where it cannot be known."""
    if kind not in MASSES:
        what = f"{kind} cannot be converted to body weight"
        raise BadTag("SUVType", what, "Export as BQML or BW.")
    if sex not in ("M", "F"):
        raise MissingTag("PatientSex", f"SUVType {kind} needs PatientSex M or F", "Export again.")
    mass = MASSES[kind](weight, height, sex == "M")
    if mass < 0.2 * weight:
        what = f"{height:g} m and {weight:g} kg make a mass of {mass:.0f} kg"
        raise BadTag("PatientSize", what, "Give --height-m and --weight-kg.")
    return mass


def surface_cm2(weight: float, height: float) -> float:
    """Body surface after DuBois, cm² (weight kg, height m)."""
    return float(0.007184 * weight**0.425 * (100 * height) ** 0.725 * 1e4)
