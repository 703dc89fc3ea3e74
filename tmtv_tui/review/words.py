"""What the review app says of totals, places and a journal's lines, in words; no Textual."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from tmtv_engine.image.volume import FloatArray
from tmtv_engine.review.line import REPAIRS, Action
from tmtv_engine.review.repairs import told
from tmtv_engine.text import clean

if TYPE_CHECKING:
    from tmtv_tui.review.opened import Opened

TOTALS_HEADER = " mL   predicted → reviewed    change   TLG g    n"
SHORT_HEADER = " mL predicted → reviewed   change"


def position(centre_mm: FloatArray) -> str:
    """A lesion's place in LPS mm, as short as can be."""
    x, y, z = (round(float(v)) for v in np.asarray(centre_mm))
    return f"{'L' if x >= 0 else 'R'}{abs(x)} {'P' if y >= 0 else 'A'}{abs(y)} z{z}"


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
    if line.target is not None and line.action != Action.REJECT:  # there it only gains its reason
        words.append(f"line {line.target}")
    if line.reason:
        words.append(f"({line.reason})")
    if line.text and line.action == Action.NOTE:
        words.append(line.text)
    if line.parameters and line.action in REPAIRS:
        words.append(told(line.parameters))
    return clean(" ".join(words), 300)
