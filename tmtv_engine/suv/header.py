"""What the SUV rules need to know of a PET series, and what of it could not be read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any

from tmtv_engine.errors import BadTag
from tmtv_engine.suv.clock import Stamp
from tmtv_engine.suv.overrides import Overrides


@dataclass(frozen=True)
class PetHeader:
    """None, empty or () where the header does not say.

    ``acquisitions``, ``frame_reference_s`` and ``frame_duration_s`` hold one value a slice, in
    the order of the array. ``injection`` is RadiopharmaceuticalStartDateTime, ``injection_time``
    the bare time of day; ``decayed_to`` is an Enhanced PET's DecayCorrectionDateTime,
    ``decay_factors`` the slices' own.
    ``unread`` maps the name of a field whose value cannot be read to the error that names its
    tag: it is raised when a rule asks for the field, and by none that does not need it.
    """

    units: str = ""
    corrected_image: tuple[str, ...] = ()
    decay_correction: str = ""
    weight_kg: float | None = None
    height_m: float | None = None
    sex: str = ""
    dose_bq: float | None = None
    half_life_s: float | None = None
    injection: Stamp | None = None
    injection_time: Stamp | None = None
    series: Stamp | None = None
    acquisitions: tuple[Stamp | None, ...] = ()
    frame_reference_s: tuple[float | None, ...] = ()
    frame_duration_s: tuple[float | None, ...] = ()
    decayed_to: Stamp | None = None
    timezone_min: int | None = None
    suv_type: str = ""
    description: str = ""
    decay_factors: tuple[float | None, ...] = ()
    manufacturer: str = ""
    ge_scan: Stamp | None = None
    philips_suv: float | None = None
    philips_bqml: float | None = None
    nuclides: tuple[str, ...] = ()
    tracers: tuple[str, ...] = ()
    radiopharmaceuticals: int = 1
    unread: Mapping[str, BadTag] = field(default_factory=lambda: MappingProxyType({}))

    def ask(self, name: str) -> Any:
        """The value of the field ``name``; raises the `BadTag` of one that cannot be read."""
        if name in self.unread:
            raise self.unread[name]
        return getattr(self, name)

    def known(self, name: str) -> Any:
        """The value of a field that is only good to have: None where it cannot be read."""
        return None if name in self.unread else getattr(self, name)

    def told(self, overrides: Overrides) -> PetHeader:
        """The header with the user's values in the place of its own, readable or not."""
        given: dict[str, Any] = {
            "weight_kg": overrides.weight_kg,
            "height_m": overrides.height_m,
            "dose_bq": overrides.dose_bq,
        }
        given = {name: value for name, value in given.items() if value is not None}
        if overrides.injection_time is not None:
            given["injection"] = Stamp.of(overrides.injection_time)
            given["injection_time"] = None
        unread = {name: error for name, error in self.unread.items() if name not in given}
        return replace(self, **given, unread=MappingProxyType(unread))
