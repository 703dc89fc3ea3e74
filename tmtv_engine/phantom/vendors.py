"""Whose headers a digital patient may have: one table of who made the scanner, in which unit."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType


@dataclass(frozen=True)
class Vendor:
    """A row of `VENDORS`: manufacturer and model; ``count_bqml``: the PET is in counts, each worth
    so many Bq/mL by Philips's private factor (None: it is in Bq/mL)."""

    manufacturer: str
    model: str
    count_bqml: float | None = None


VENDORS: Mapping[str, Vendor] = MappingProxyType(
    {
        "ge": Vendor("GE MEDICAL SYSTEMS", "Discovery"),
        "siemens": Vendor("SIEMENS", "Biograph"),
        "philips": Vendor("Philips Medical Systems", "Ingenuity", count_bqml=1.6),
    }
)
