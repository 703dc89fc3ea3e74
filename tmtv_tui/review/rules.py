"""Reject by rule: what a rule says, which lesions it takes, and a region of the picture as one."""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from tmtv_engine.errors import UsageError
from tmtv_engine.image.projections import Mip
from tmtv_engine.review.reading import Reading
from tmtv_tui.review.state import Table

TERM = re.compile(r"(ml|suvmax|suvpeak|tlg|x|y|z|u\d{1,3})\s*([<>])\s*(-?\d{1,6}(?:\.\d+)?)")
AXES = "xyz"
EXPLAINED = (
    "ml, tlg (by the method shown), suvmax, suvpeak; x y z mm LPS of a lesion's maximum: "
    "x > 0 is the patient's left, y > 0 the back; all of several must hold: z>-100 ml<5"
)


@dataclass(frozen=True)
class Term:
    """``quantity`` below (or above) ``limit``; ``u30`` is x cos 30° + y sin 30°."""

    quantity: str
    above: bool
    limit: float


def parse_rule(text: str) -> tuple[Term, ...]:
    """The terms of a rule such as ``ml<2`` or ``z>-100 z<20 suvmax<4``, of which all must hold.

    Raises `UsageError` for anything else.
    """
    words = re.sub(r"[,;&]|\band\b", " ", text.lower())
    rest = TERM.sub(" ", words).strip()
    found = TERM.findall(words)
    if rest or not found:
        raise UsageError("a rule is ml<NUMBER, suvmax<NUMBER, z>NUMBER …", f"Known: {EXPLAINED}.")
    return tuple(Term(name, sign == ">", float(limit)) for name, sign, limit in found)


def rule_hits(table: Table, reading: Reading, key: str, rule: str) -> tuple[list[int], float]:
    """The accepted lesions that a rule would reject, and the mL (method ``key``) they hold."""
    hit = np.ones(len(table.lesions), bool)
    for term in parse_rule(rule):
        values = _values(table, key, term.quantity)
        hit &= values > term.limit if term.above else values < term.limit
    rows = [k for k in reading.accepted if hit[k]]
    ids = [int(table.lesions.ids[k]) for k in rows]
    return ids, float(table.volume_ml[key][rows].sum())


def _values(table: Table, key: str, quantity: str) -> npt.NDArray[np.float64]:
    known = {
        "ml": table.volume_ml[key],
        "tlg": table.tlg_g[key],
        "suvmax": table.suv_max,
        "suvpeak": table.suv_peak,
    }
    if quantity in known:
        return np.asarray(known[quantity], np.float64)
    if quantity in AXES:
        return np.asarray(table.top_mm[:, AXES.index(quantity)])
    angle = np.deg2rad(float(quantity[1:]))
    return np.asarray(table.top_mm[:, 0] * np.cos(angle) + table.top_mm[:, 1] * np.sin(angle))


def region_rule(mip: Mip, angle: int, first: tuple[float, float], last: tuple[float, float]) -> str:
    """A box of a projection's (row, col), corners included, as a rule."""
    degrees = float(mip.angles_deg[angle])
    x, y = np.cos(np.deg2rad(degrees)), np.sin(np.deg2rad(degrees))
    middle = float(mip.centre_mm[0] * x + mip.centre_mm[1] * y)
    low, high = (mip.u0_mm + (col - 0.5) * mip.pixel_mm + middle for col in (first[1], last[1]))
    top, bottom = (mip.v0_mm - (row - 0.5) * mip.pixel_mm for row in (first[0], last[0]))
    name = {0: "x", 90: "y"}.get(round(degrees), f"u{degrees:.0f}")
    return f"{name}>{low:.0f} {name}<{high:.0f} z>{bottom:.0f} z<{top:.0f}"
