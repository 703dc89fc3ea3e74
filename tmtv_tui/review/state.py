"""What the review app knows, as frozen values; no Textual."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from tmtv_engine.case.cuts import Cuts
from tmtv_engine.case.folder import Case
from tmtv_engine.image.volume import FloatArray
from tmtv_engine.lesion.lists import Lesions, altered
from tmtv_engine.lesion.measures import centroid_mm, suv_max, suv_peak
from tmtv_engine.review.line import REPAIRS
from tmtv_engine.review.repairs import told
from tmtv_engine.text import clean

if TYPE_CHECKING:
    from tmtv_tui.review.opened import Opened

TOTALS_HEADER = " mL   predicted → reviewed    change   TLG g    n"
SHORT_HEADER = " mL predicted → reviewed   change"


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


def position(centre_mm: FloatArray) -> str:
    """A lesion's place in LPS mm, as short as can be."""
    x, y, z = (round(float(v)) for v in np.asarray(centre_mm))
    return f"{'L' if x >= 0 else 'R'}{abs(x)} {'P' if y >= 0 else 'A'}{abs(y)} z{z}"


def top_mm(lesions: Lesions) -> FloatArray:
    """The place of each lesion's maximum, (n, 3) LPS mm."""
    tops = [
        span.start + int(np.argmax(lesions.suv[span]))
        for span in (lesions.span(k) for k in range(len(lesions)))
    ]
    return lesions.grid.to_mm(lesions.index()[tops]) if tops else np.zeros((0, 3))


def change(before: float, after: float) -> str:
    """``12.3 → 8.1 (−4.2)`` or the one number where nothing changed."""
    if abs(before - after) < 0.05:
        return f"{after:.1f}"
    return f"{before:.1f} → {after:.1f} ({difference(before, after)})"


def difference(before: float, after: float) -> str:
    """``−4.2``, ``+4.2``, or nothing."""
    if abs(before - after) < 0.05:
        return ""
    return f"{'+' if after > before else '−'}{abs(after - before):.1f}"


def total_line(opened: Opened, method: str, short: bool = False) -> str:
    """One method's predicted → reviewed mL and their difference; unless ``short`` TLG g and
    lesions too."""
    volume, tlg, count = opened.table.total(method, opened.reading.accepted)
    before = opened.before[method][0]
    change = difference(before, volume)
    if short:
        return f"{method:>5} {before:>7.1f} → {volume:>8.1f} {change:>8}"
    return f"{method:>5} {before:>9.1f} → {volume:>8.1f} {change:>9} {tlg:>7.0f} {count:>4}"


def describe(line: Any) -> str:
    """A journal line for people."""
    words = [line.at[11:19], line.action, *(f"#{n}" for n in line.lesions[:6])]
    if len(line.lesions) > 6:
        words.append(f"and {len(line.lesions) - 6} more")
    if line.target is not None and line.action != "reject":  # there it only gains its reason
        words.append(f"line {line.target}")
    if line.reason:
        words.append(f"({line.reason})")
    if line.text and line.action == "note":
        words.append(line.text)
    if line.parameters and line.action in REPAIRS:
        words.append(told(line.parameters))
    return clean(" ".join(words), 300)
