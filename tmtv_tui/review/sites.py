"""Which sites the accepted lesions take up, counted for the stage; a suggestion, no finding.

Sites are told from each lesion's place in words, so two nodal stations of one place count once and
a place between two levels of the body counts on neither side of the diaphragm. Extranodal is what
lies in an organ by its name; the spleen counts as nodal, as the Lugano classification (Cheson et
al., J Clin Oncol 2014, 32, 3059) has it, and so do tonsils and throat (Waldeyer's ring).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from tmtv_engine.lesion.origin import PHYSIOLOGIC
from tmtv_engine.text import clean

if TYPE_CHECKING:
    from tmtv_tui.review.opened import Opened

ABOVE = frozenset({"head", "neck", "chest", "mediastinum", "arm"})
BELOW = frozenset({"abdomen", "pelvis", "groin", "leg"})
NODAL = frozenset({"spleen", "tonsil", "throat", "vessel", "muscle", "brown fat"})
EXTRANODAL = (PHYSIOLOGIC | {"lung"}) - NODAL


@dataclass(frozen=True)
class Sites:
    """Places ``above`` and ``below`` the diaphragm, ``extranodal`` organs, all once and in the
    order of the lesions; ``unknown``: accepted lesions whose place could not be told."""

    above: tuple[str, ...]
    below: tuple[str, ...]
    extranodal: tuple[str, ...]
    unknown: int

    @property
    def suggests(self) -> str:
        """Lugano's limited stages by sites, III for both sides, IV asked where organs are named."""
        if self.extranodal and len(self.above) + len(self.below):
            return "IV?"
        if self.extranodal:
            return "I E or IV?"
        if self.above and self.below:
            return "III"
        count = len(self.above) + len(self.below)
        return "" if not count else "II" if count > 1 else "I"

    def words(self) -> str:
        """One line for the screen, whose end may be cut off; nothing where nothing is known."""
        if not (self.above or self.below or self.extranodal):
            return ""
        parts = [f"{len(self.above)} above, {len(self.below)} below diaphragm"]
        if self.extranodal:
            parts.append(f"extranodal {', '.join(self.extranodal)}")
        if self.unknown:
            parts.append(f"{self.unknown} of no known place")
        return f"sites (suggests {self.suggests}): {'; '.join(parts)}"


def sites_of(opened: Opened) -> Sites:
    """The sites of the lesions that count."""
    found: dict[str, dict[str, None]] = {"above": {}, "below": {}, "extranodal": {}}
    unknown = 0
    for row in opened.reading.accepted:
        known = opened.origin(int(opened.reading.lesions.ids[row]))
        structure = None if known is None else known.structure
        region = clean((known.region if known else None) or "", 24)
        if structure is not None and structure.name in EXTRANODAL and structure.p >= 0.5:
            found["extranodal"][clean(structure.name, 20)] = None
        elif side := _side(region):
            found[side][region] = None
        else:
            unknown += 1
    above, below, extranodal = (tuple(places) for places in found.values())
    return Sites(above, below, extranodal, unknown)


def _side(region: str) -> str | None:
    """``above`` or ``below`` the diaphragm, None where a place may be on either side."""
    levels = set(region.replace(",", " ").split()) & (ABOVE | BELOW)
    if levels and levels <= ABOVE:
        return "above"
    return "below" if levels and levels <= BELOW else None
