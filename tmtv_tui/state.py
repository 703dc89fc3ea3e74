"""What the review app knows, as frozen values; no Textual."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from tmtv_engine.case import Case, Record, read_case
from tmtv_engine.errors import CaseError, TmtvError, UsageError
from tmtv_engine.lesions import Lesions
from tmtv_engine.measures import centroid_mm, measure, suv_max, suv_peak
from tmtv_engine.reading import Reading
from tmtv_engine.results import Cuts
from tmtv_engine.text import clean
from tmtv_engine.thresholds import kept, parse_method
from tmtv_engine.volume import FloatArray

if TYPE_CHECKING:
    from tmtv_tui.opened import Opened

GLYPHS = {"accepted": "+", "rejected": "x", "candidate": "?"}
REASONS = (
    "brain",
    "heart",
    "kidney",
    "bladder",
    "bowel",
    "marrow",
    "muscle",
    "brown fat",
    "injection site",
    "inflammation",
    "artefact",
    "other",
)
STATES = {"todo": "·", "partial": "~", "done": "✓", "flagged": "!", "broken": "#"}


@dataclass(frozen=True)
class CaseRow:
    """A line of the worklist."""

    path: Path
    name: str
    state: str
    lesions: int
    candidates: int
    predicted: Mapping[str, float]
    reviewed: Mapping[str, float]
    readers: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    patient: str = ""
    date: str = ""
    broken: str = ""

    def haystack(self) -> str:
        """What a filter looks in."""
        parts = [self.name, self.state, self.patient, self.date, *self.readers, *self.warnings]
        return " ".join(parts).lower()


def case_row(path: Path) -> CaseRow:
    """The line of a folder; a broken one is a line too."""
    try:
        return _row(path, read_case(path).record)
    except (TmtvError, KeyError, TypeError, AttributeError) as error:
        what = error.what if isinstance(error, TmtvError) else f"{type(error).__name__}: {error}"
        return CaseRow(path, path.name, "broken", 0, 0, {}, {}, broken=clean(what, 200))


def _row(path: Path, record: Record) -> CaseRow:
    states = [row["status"] for row in record["lesions"]]
    return CaseRow(
        path,
        clean(record["case"]),
        str(record["review"]["status"]),
        states.count("accepted"),
        states.count("candidate"),
        {k: float(v["tmtv_ml"]) for k, v in record["predicted_totals"].items()},
        {k: float(v["tmtv_ml"]) for k, v in record["totals"].items()},
        tuple(clean(r) for r in record["review"]["readers"]),
        tuple(clean(w["code"]) for w in record["warnings"]),
        clean(record["patient"]["id"] or ""),
        clean(record["study"]["date"] or ""),
    )


@dataclass(frozen=True, eq=False)
class Table:
    """Lesion × method: volumes and TLG, from which any total is a sum.

    ``volume_ml`` and ``tlg_g`` map a method's key to (n,).
    """

    lesions: Lesions
    volume_ml: Mapping[str, FloatArray]
    tlg_g: Mapping[str, FloatArray]
    suv_max: FloatArray
    suv_peak: FloatArray
    centroid_mm: FloatArray

    @classmethod
    def of(cls, case: Case, lesions: Lesions, methods: Iterable[str]) -> Table:
        """Cut every lesion by every method; raises `UsageError` for a method that is none."""
        cuts = Cuts.of_record(case.record, lesions)
        volume, tlg = {}, {}
        for key in methods:
            method = parse_method(key)
            m = measure(lesions, kept(lesions, method, cuts.background, cuts.liver))
            volume[method.key], tlg[method.key] = m.volume_ml, m.tlg_g
        return cls(lesions, volume, tlg, suv_max(lesions), suv_peak(lesions), centroid_mm(lesions))

    def total(self, key: str, rows: list[int]) -> tuple[float, float, int]:
        """TMTV mL, TLG g and lesions with a non-empty cut, over ``rows``."""
        volume = self.volume_ml[key][rows]
        return float(volume.sum()), float(self.tlg_g[key][rows].sum()), int((volume > 0).sum())


def lesion_cells(opened: Opened, method: str, number: int) -> list[str]:
    """What the lesion table says of a lesion; the first cell is the mark's."""
    reading, table = opened.reading, opened.table
    row = reading.lesions.row(number)
    status = reading.status[number]
    chance = opened.probability.get(number)
    return [
        "",
        f"{GLYPHS[status]} {status}{'' if reading.decided_by[number] is None else '!'}",
        str(number),
        f"{table.volume_ml[method][row]:.1f}",
        f"{table.suv_max[row]:.1f}",
        f"{table.suv_peak[row]:.1f}",
        f"{table.tlg_g[method][row]:.0f}",
        "" if chance is None else f"{chance:.2f}",
        reading.sources[number] + (" part" if number in reading.parents else ""),
        position(table.centroid_mm[row]),
        *(f"{v[row]:.1f}" for key, v in table.volume_ml.items() if key != method),
        reading.reasons.get(number, ""),
    ]


def parse_rule(text: str) -> tuple[str, float]:
    """A rule such as ``ml<2`` or ``suvmax<3``: (quantity, limit); raises `UsageError`."""
    found = re.fullmatch(r"\s*(ml|suvmax)\s*<\s*(\d{1,5}(?:\.\d+)?)\s*", text.lower())
    if not found:
        raise UsageError("a rule is ml<NUMBER or suvmax<NUMBER", "For example ml<2.")
    return found[1], float(found[2])


def rule_hits(table: Table, reading: Reading, key: str, rule: str) -> tuple[list[int], float]:
    """The accepted lesions that a rule would reject, and the mL (method ``key``) they hold."""
    quantity, limit = parse_rule(rule)
    values = table.volume_ml[key] if quantity == "ml" else table.suv_max
    rows = [k for k in reading.accepted if values[k] < limit]
    ids = [int(table.lesions.ids[k]) for k in rows]
    return ids, float(table.volume_ml[key][rows].sum())


def position(centre_mm: FloatArray) -> str:
    """A lesion's place in LPS mm, as short as can be."""
    x, y, z = (round(float(v)) for v in np.asarray(centre_mm))
    return f"{'L' if x >= 0 else 'R'}{abs(x)} {'P' if y >= 0 else 'A'}{abs(y)} z{z}"


def change(before: float, after: float) -> str:
    """``12.3 → 8.1 (−4.2)`` or the one number where nothing changed."""
    if abs(before - after) < 0.05:
        return f"{after:.1f}"
    sign = "+" if after > before else "−"
    return f"{before:.1f} → {after:.1f} ({sign}{abs(after - before):.1f})"


def describe(line: Any) -> str:
    """A journal line for people."""
    words = [line.at[11:19], line.action, *(f"#{n}" for n in line.lesions[:6])]
    if len(line.lesions) > 6:
        words.append(f"and {len(line.lesions) - 6} more")
    if line.target is not None:
        words.append(f"line {line.target}")
    if line.reason:
        words.append(f"({line.reason})")
    if line.text and line.action == "note":
        words.append(line.text)
    return clean(" ".join(words), 300)


__all__ = [
    "GLYPHS",
    "REASONS",
    "STATES",
    "CaseError",
    "CaseRow",
    "Table",
    "case_row",
    "change",
    "describe",
    "lesion_cells",
    "parse_rule",
    "position",
    "rule_hits",
]
