"""The cuts of a case: its lesions, its methods, and what those need beside the voxels."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from tmtv_engine.case.record import CaseRecord, Patient
from tmtv_engine.image.volume import FloatArray
from tmtv_engine.lesion.lists import Lesions
from tmtv_engine.lesion.measures import Measures, Total, bsa_dubois, measure, total
from tmtv_engine.lesion.methods import Method, parse_method
from tmtv_engine.lesion.thresholds import BoolRow, kept, thresholds


@dataclass(frozen=True, eq=False)
class Cuts:
    """Lesions and how they are cut, one row a lesion.

    ``background`` (n,) shell SUV, NaN where unknown; ``liver`` the threshold in SUV;
    ``bsa_m2`` the body surface, None where height or weight is unknown.
    """

    lesions: Lesions
    methods: tuple[Method, ...]
    background: FloatArray
    liver: float | None = None
    bsa_m2: float | None = None

    @classmethod
    def of_record(
        cls,
        record: CaseRecord,
        lesions: Lesions,
        around: Callable[[], Mapping[int, float]] = dict,
        methods: Iterable[str] | None = None,
    ) -> Cuts:
        """``lesions`` as the case was cut, or by ``methods``; split parts have no background.

        ``around`` gives the backgrounds of what repairs changed, by number; it is asked only if
        one of the methods needs them.
        """
        keys = record.provenance.methods if methods is None else methods
        chosen = tuple(parse_method(key) for key in keys)
        known = {row.id: row.predicted_row.background_suv for row in record.lesions}
        if any(method.needs_background for method in chosen):
            known |= around()
        background = [known.get(int(i)) for i in lesions.ids]
        return cls(
            lesions,
            chosen,
            np.array([np.nan if b is None else b for b in background], np.float64),
            record.provenance.liver_threshold_suv,
            body_surface(record.patient),
        )

    def take(self, rows: Sequence[int]) -> Cuts:
        """The cuts of some rows."""
        chosen = np.asarray(rows, np.int64)
        return replace(self, lesions=self.lesions.take(chosen), background=self.background[chosen])

    def keep(self, method: Method) -> BoolRow:
        """The voxels that a method leaves of every lesion, (N,)."""
        return kept(self.lesions, method, self.background, self.liver)

    def above(self, method: Method) -> FloatArray:
        """The SUV above which a method keeps voxels, (n,); NaN where there is no single one."""
        return thresholds(self.lesions, method, self.background, self.liver)

    def measure(self, method: Method) -> Measures:
        """What a method leaves of each lesion."""
        return measure(self.lesions, self.keep(method))

    def total(self, method: Method, rows: Sequence[int]) -> Total:
        """The patient's totals under a method over the ``rows`` that count."""
        return total(self.lesions, self.keep(method), rows, self.bsa_m2)

    def totals(self, rows: Sequence[int]) -> dict[str, Total]:
        """The totals under every method, by its key."""
        return {method.key: self.total(method, rows) for method in self.methods}


def body_surface(patient: Patient) -> float | None:
    """Body surface (DuBois) in m², None where it cannot be known."""
    weight, height = patient.weight_kg, patient.height_m
    return bsa_dubois(weight, height) if weight and height else None
