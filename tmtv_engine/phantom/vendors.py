"""Whose headers a digital patient may have: manufacturer and model."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

VENDORS: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        "ge": ("GE MEDICAL SYSTEMS", "Discovery"),
        "siemens": ("SIEMENS", "Biograph"),
        "philips": ("Philips Medical Systems", "Ingenuity"),
    }
)
