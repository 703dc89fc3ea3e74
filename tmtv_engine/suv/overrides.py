"""What a user says instead of the header, recorded in the case."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any


@dataclass(frozen=True)
class Overrides:
    """Values that replace the header's before it is read, and the codes that were accepted."""

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
