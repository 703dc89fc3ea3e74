"""Masses that are counted in parts: said wherever totals are, because it moves them.

A component above 30 mL is cut where uptake falls between its maxima. A relative cut (41 %, Otsu,
A50P) then takes each part's own maximum instead of the mass's, and lesion number and Dmax are
those of the parts. Volumes above a fixed SUV stay as they are.
"""

from __future__ import annotations

from collections.abc import Sequence

from tmtv_engine.case.record import CaseRecord, LesionRow
from tmtv_engine.lesion.origin import Status
from tmtv_engine.text import counted

WHOLE = "tmtv merge CASE N M... makes one lesion of them; tmtv predict --no-split cuts no mass"
EFFECT = (
    "a relative cut (41 %, Otsu, A50P) takes each part's own maximum, and number and Dmax count "
    "the parts"
)
SHOWN = 8  # numbers that are named


def masses_in_parts(rows: Sequence[LesionRow]) -> list[tuple[int, ...]]:
    """The numbers of accepted lesions that are parts of one component, a tuple a mass."""
    found: dict[int, list[int]] = {}
    for row in rows:
        if row.status is Status.ACCEPTED:
            found.setdefault(row.component, []).append(row.id)
    return [tuple(ids) for ids in found.values() if len(ids) > 1]


def parts_words(record: CaseRecord) -> str:
    """What is counted in parts and what that does, in one line; empty where nothing is."""
    masses = masses_in_parts(record.lesions)
    if not masses:
        return ""
    ids = sorted(i for mass in masses for i in mass)
    named = ", ".join(map(str, ids[:SHOWN])) + (", …" if len(ids) > SHOWN else "")
    what = "are one mass" if len(masses) == 1 else f"are {len(masses)} masses"
    return f"{counted(len(ids), 'lesion')} ({named}) {what} cut into parts: {EFFECT}"
