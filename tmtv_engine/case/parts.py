"""Masses that are counted in parts: said wherever totals are, because it moves them.

A component above 30 mL is cut where uptake falls between its maxima. A relative cut (41 %, Otsu,
A50P) then takes each part's own maximum instead of the mass's, and lesion number and Dmax are
those of the parts. Volumes above a fixed SUV stay as they are.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from tmtv_engine.case.record import CaseRecord, LesionRow
from tmtv_engine.lesion.methods import parse_method
from tmtv_engine.lesion.origin import Status
from tmtv_engine.text import counted

WHOLE = "tmtv merge CASE N M... makes one lesion of them; tmtv predict --no-split cuts no mass"
EFFECT = (
    "a relative cut (41 %, Otsu, A50P) takes each part's own maximum, and number and Dmax count "
    "the parts"
)
SHOWN = 8  # numbers that are named


def unknown_words(record: CaseRecord) -> str:
    """`without_background` of the accepted lesions of a case."""
    ids = [
        row.id
        for row in record.lesions
        if row.status is Status.ACCEPTED and row.background_suv is None
    ]
    return without_background(record.totals, ids)


def without_background(keys: Iterable[str], ids: Sequence[int]) -> str:
    """That the background of the lesions ``ids`` is unknown, where a method of ``keys`` needs it.

    That of parts that a reader split is, and of what nothing but other uptake surrounds; else
    empty.
    """
    asked = [key for key in keys if parse_method(key).needs_background]
    if not asked or not ids:
        return ""
    whose = f"{counted(len(ids), 'lesion')} ({_named(ids)})"
    lacks = f"{', '.join(asked)} {'lack' if len(asked) > 1 else 'lacks'} what A50P would keep"
    return f"the background of {whose} is unknown, A50P keeps nothing there: {lacks}"


def _named(ids: Sequence[int]) -> str:
    return ", ".join(map(str, ids[:SHOWN])) + (", …" if len(ids) > SHOWN else "")


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
    named = _named(ids)
    what = "are one mass" if len(masses) == 1 else f"are {len(masses)} masses"
    return f"{counted(len(ids), 'lesion')} ({named}) {what} cut into parts: {EFFECT}"
