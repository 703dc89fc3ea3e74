"""Reject by rule: what a rule says, which lesions it takes, and a region of the picture as one."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import numpy.typing as npt

from tmtv_engine.errors import UsageError
from tmtv_engine.image.projections import Mip
from tmtv_engine.lesion.origin import LESION, Status
from tmtv_engine.lesion.structures import LABELS
from tmtv_tui.review.table import Table

if TYPE_CHECKING:
    from tmtv_tui.review.opened import Opened

TERM = re.compile(r"(ml|suvmax|suvpeak|tlg|x|y|z|u\d{1,3})\s*([<>])\s*(-?\d{1,6}(?:\.\d+)?)")
NAMES = sorted(
    (*LABELS, LESION), key=len, reverse=True
)  # "brown fat" before what begins as it does
ORGAN = re.compile(rf"organ\s*=\s*({'|'.join(NAMES)})\b")
AXES = "xyz"
EXPLAINED = (
    "ml, tlg (by the method shown), suvmax, suvpeak; organ=bladder, the structure as it is named; "
    "x y z mm LPS of a lesion's maximum: x > 0 is the patient's left, y > 0 the back; all of "
    "several must hold: z>-100 ml<5"
)


@dataclass(frozen=True)
class Term:
    """``quantity`` below (or above) ``limit``; ``u30`` is x cos 30° + y sin 30°."""

    quantity: str
    above: bool
    limit: float


@dataclass(frozen=True)
class Organ:
    """``name``: what a lesion is named, whatever the probability."""

    name: str


class Hits(NamedTuple):
    """What a rule takes: ``ids`` of accepted lesions, which hold ``ml``, and of ``candidates``,
    which count for nothing yet."""

    ids: tuple[int, ...]
    ml: float
    candidates: tuple[int, ...]


def parse_rule(text: str) -> tuple[Term | Organ, ...]:
    """The terms of a rule such as ``ml<2``, ``z>-100 z<20`` or ``organ=bladder``; all must hold.

    Raises `UsageError` for anything else.
    """
    words = re.sub(r"[,;&]|\band\b", " ", text.lower())
    organs = ORGAN.findall(words)
    words = ORGAN.sub(" ", words)
    rest = TERM.sub(" ", words).strip()
    found = TERM.findall(words)
    if rest or not (found or organs):
        told = "a rule is ml<NUMBER, suvmax<NUMBER, z>NUMBER, organ=NAME …"
        named = f"Known: {EXPLAINED}."
        if rest.startswith("organ"):
            told, named = "no structure has that name", f"Known: {', '.join(sorted(NAMES))}."
        raise UsageError(told, named)
    terms = (Term(name, sign == ">", float(limit)) for name, sign, limit in found)
    return *terms, *map(Organ, organs)


def is_rule(text: str) -> bool:
    """Whether a text is a rule."""
    try:
        return bool(parse_rule(text))
    except UsageError:
        return False


def rule_mask(opened: Opened, key: str, rule: str) -> npt.NDArray[np.bool_]:
    """Of each lesion whether a rule takes it, (n,)."""
    table = opened.table
    hit = np.ones(len(table.lesions), bool)
    for term in parse_rule(rule):
        if isinstance(term, Organ):
            hit &= np.array([_named(opened, int(n)) == term.name for n in table.lesions.ids], bool)
        else:
            values = _values(table, key, term.quantity)
            hit &= values > term.limit if term.above else values < term.limit
    return hit


def rule_hits(opened: Opened, key: str, rule: str) -> Hits:
    """The lesions that a rule would reject: accepted ones, with the mL that they hold by method
    ``key``, and candidates. What is rejected stays as it is."""
    hit = rule_mask(opened, key, rule)
    reading, table = opened.reading, opened.table
    rows = [k for k in reading.accepted if hit[k]]
    ids = [int(i) for i in table.lesions.ids]
    beside = [n for n, h in zip(ids, hit, strict=True) if h]
    candidates = tuple(n for n in beside if reading.status[n] is Status.CANDIDATE)
    return Hits(tuple(ids[k] for k in rows), float(table.volume_ml[key][rows].sum()), candidates)


def _named(opened: Opened, number: int) -> str:
    known = opened.origin(number)
    return "" if known is None or known.structure is None else known.structure.name


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
