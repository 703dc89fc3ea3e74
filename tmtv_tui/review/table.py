"""Lesion × method: what every method makes of every lesion, cut anew only where one changed."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

import numpy as np

from tmtv_engine.case.cuts import Cuts
from tmtv_engine.case.folder import Case
from tmtv_engine.image.volume import FloatArray
from tmtv_engine.lesion.lists import Lesions, altered
from tmtv_engine.lesion.measures import centroid_mm, suv_max, suv_peak


@dataclass(frozen=True, eq=False)
class Table:
    """Lesion × method: volumes and TLG, from which any total is a sum.

    ``volume_ml`` and ``tlg_g`` map a method's key to (n,); ``top_mm`` (n, 3) is where a lesion's
    maximum lies.
    """

    lesions: Lesions
    volume_ml: Mapping[str, FloatArray]
    tlg_g: Mapping[str, FloatArray]
    suv_max: FloatArray
    suv_peak: FloatArray
    centroid_mm: FloatArray
    top_mm: FloatArray

    @classmethod
    def of(
        cls,
        case: Case,
        lesions: Lesions,
        methods: Iterable[str],
        around: Callable[[], Mapping[int, float]] = dict,
    ) -> Table:
        """Cut every lesion by every method; raises `UsageError` for a method that is none.

        ``around``: the SUV around what repairs changed, for the methods that need it.
        """
        cuts = Cuts.of_record(case.record, lesions, around, methods)
        volume, tlg = {}, {}
        for method in cuts.methods:
            m = cuts.measure(method)
            volume[method.key], tlg[method.key] = m.volume_ml, m.tlg_g
        peaks = suv_max(lesions), suv_peak(lesions), centroid_mm(lesions), top_mm(lesions)
        return cls(lesions, volume, tlg, *peaks)

    def after(
        self,
        case: Case,
        lesions: Lesions,
        around: Callable[[], Mapping[int, float]] = dict,
        also: Iterable[int] = (),
    ) -> Table:
        """`of` for other ``lesions`` by the same methods: only what differs is cut and measured.

        ``also``: numbers of lesions that are cut otherwise though their voxels are the same.
        """
        ids = lesions.ids.tolist()
        new = altered(self.lesions, lesions) | set(also)
        part = Table.of(
            case, lesions.take([k for k, n in enumerate(ids) if n in new]), self.volume_ml, around
        )
        places = [(n in new, (part if n in new else self).lesions.row(n)) for n in ids]
        fresh = np.array([is_new for is_new, _ in places], bool)
        rows = np.array([row for _, row in places], np.int64)

        def merged(known: FloatArray, measured: FloatArray) -> FloatArray:
            found = np.empty((len(ids), *known.shape[1:]), known.dtype)
            found[fresh], found[~fresh] = measured[rows[fresh]], known[rows[~fresh]]
            return found

        names = ("suv_max", "suv_peak", "centroid_mm", "top_mm")
        return Table(
            lesions,
            {key: merged(known, part.volume_ml[key]) for key, known in self.volume_ml.items()},
            {key: merged(known, part.tlg_g[key]) for key, known in self.tlg_g.items()},
            *(merged(getattr(self, name), getattr(part, name)) for name in names),
        )

    def total(self, key: str, rows: list[int]) -> tuple[float, float, int]:
        """TMTV mL, TLG g and lesions with a non-empty cut, over ``rows``."""
        volume = self.volume_ml[key][rows]
        return float(volume.sum()), float(self.tlg_g[key][rows].sum()), int((volume > 0).sum())


def top_mm(lesions: Lesions) -> FloatArray:
    """The place of each lesion's maximum, (n, 3) LPS mm."""
    tops = [
        span.start + int(np.argmax(lesions.suv[span]))
        for span in (lesions.span(k) for k in range(len(lesions)))
    ]
    return lesions.grid.to_mm(lesions.index()[tops]) if tops else np.zeros((0, 3))
