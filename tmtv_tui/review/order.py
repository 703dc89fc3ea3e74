"""The lesion list's order and what of it is shown; no Textual."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING

from tmtv_engine.errors import UsageError
from tmtv_tui.review.cells import lesion_cells
from tmtv_tui.review.names import folded
from tmtv_tui.review.rules import is_rule, rule_mask

if TYPE_CHECKING:
    from tmtv_tui.review.opened import Opened

Key = Callable[["Opened", str, int], tuple[object, ...]]


def _ml(opened: Opened, method: str, number: int) -> float:
    return float(opened.table.volume_ml[method][opened.reading.lesions.row(number)])


def _by_structure(opened: Opened, method: str, number: int) -> tuple[object, ...]:
    known = opened.origin(number)
    structure = None if known is None else known.structure
    name = "" if structure is None else structure.name
    return structure is None, name, -_ml(opened, method, number), number


SORTS: Mapping[str, Key] = MappingProxyType(
    {
        "number": lambda o, method, n: (n,),
        "volume": lambda o, method, n: (-_ml(o, method, n), n),
        "SUVmax": lambda o, method, n: (-float(o.table.suv_max[o.reading.lesions.row(n)]), n),
        "undecided": lambda o, method, n: (
            o.reading.decided_by[n] is not None,
            -_ml(o, method, n),
            n,
        ),
        "structure": _by_structure,
    }
)
"""The orders of the list: their names, and what stands first; ties by number."""
BY_NUMBER = next(iter(SORTS))
FOLD = 0
"""Stands in the list for the named candidates; lesions are numbered from 1."""


@dataclass(frozen=True)
class Order:
    """``by``: one of `SORTS`; ``only``: a rule or words that a line must hold; ``unfolded``:
    whether named candidates stand one by one below their counted line."""

    by: str = BY_NUMBER
    only: str = ""
    unfolded: bool = False


def following(orders: Iterable[str], by: str) -> str:
    """The order after ``by``; after the last the first."""
    names = list(orders)
    return names[(names.index(by) + 1) % len(names)]


def arranged(opened: Opened, method: str, order: Order) -> tuple[list[int], list[int]]:
    """The lines of the list from the top, lesions' numbers and `FOLD`, and what is folded."""
    away = folded(opened)
    hidden = set(away)
    numbers = [int(i) for i in opened.reading.lesions.ids]
    found = _sorted(opened, method, order.by, [n for n in numbers if n not in hidden])
    if order.only:
        holds = matching(opened, method, order.only)
        found = [n for n in found if n in holds]
        away = [n for n in away if n in holds]
    if away:
        found.append(FOLD)
        found += _sorted(opened, method, order.by, away) if order.unfolded else []
    return found, away


def matching(opened: Opened, method: str, only: str) -> set[int]:
    """The lesions that a rule takes, or whose line holds every word; ``undecided`` is a word.

    Raises `UsageError` for a rule that is none (``ml<`` something).
    """
    numbers = [int(i) for i in opened.reading.lesions.ids]
    if is_rule(only):
        mask = rule_mask(opened, method, only)
        return {n for n, holds in zip(numbers, mask, strict=True) if holds}
    if "<" in only or ">" in only or "=" in only:
        raise UsageError("a filter is words, or a rule: ml>2, suvmax<4, organ=bladder, z>-100")
    words = only.lower().split()
    return {n for n in numbers if all(word in _line(opened, method, n) for word in words)}


def undecided(opened: Opened, method: str, shown: list[int]) -> list[int]:
    """Of the lesions shown those that nobody decided, the largest first, ties by number."""
    reading, volume = opened.reading, opened.table.volume_ml[method]
    left = [n for n in shown if n != FOLD and reading.decided_by[n] is None]
    return sorted(left, key=lambda n: (-volume[reading.lesions.row(n)], n))


def _line(opened: Opened, method: str, number: int) -> str:
    told = "" if opened.reading.decided_by[number] is not None else " undecided"
    return " ".join(lesion_cells(opened, method, number)).lower() + told


def _sorted(opened: Opened, method: str, by: str, numbers: list[int]) -> list[int]:
    return sorted(numbers, key=lambda n: SORTS[by](opened, method, n))
