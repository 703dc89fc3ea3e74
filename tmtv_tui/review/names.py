"""What the lesions of a case are named: what is folded away, what may be rejected by name."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from tmtv_engine.lesion.origin import Status, first_status
from tmtv_engine.text import clean

if TYPE_CHECKING:
    from tmtv_tui.review.opened import Opened


def organ(opened: Opened, number: int) -> str:
    """The physiologic structure that a lesion most likely is, "" where it is named none."""
    known = opened.origin(number)
    structure = None if known is None else known.structure
    return clean(structure.name, 20) if structure is not None and structure.physiologic else ""


def folded(opened: Opened) -> list[int]:
    """The lesions that began as named candidates and are not accepted, by number."""
    model, status = opened.case.record.model.name, opened.reading.status
    found = []
    for number in map(int, opened.reading.lesions.ids):
        known = opened.origin(number)
        if known is None or status[number] is Status.ACCEPTED or not organ(opened, number):
            continue
        if first_status(known.source, model, known.structure) is Status.CANDIDATE:
            found.append(number)
    return found


def to_reject(opened: Opened) -> Mapping[str, tuple[int, ...]]:
    """What is named physiologic and nobody decided: name → lesions, the largest name first."""
    reading = opened.reading
    found: dict[str, list[int]] = {}
    for number in map(int, reading.lesions.ids):
        name = organ(opened, number)
        if name and reading.decided_by[number] is None:
            found.setdefault(name, []).append(number)
    return {k: tuple(found[k]) for k in sorted(found, key=lambda k: (-len(found[k]), k))}


def counted(opened: Opened, numbers: Iterable[int]) -> str:
    """``bladder 2, brain 1``: how many of each name, the most first."""
    names = Counter(organ(opened, number) for number in numbers)
    ordered = sorted(names.items(), key=lambda pair: (-pair[1], pair[0]))
    return ", ".join(f"{name} {count}" for name, count in ordered)


def fold_line(opened: Opened, numbers: list[int], unfolded: bool) -> str:
    """The one line that stands for what is folded away."""
    left = sum(opened.reading.decided_by[number] is None for number in numbers)
    todo = f"{left} undecided" if left else "all decided"
    arrow = "▾" if unfolded else "▸"
    return f"{arrow} {len(numbers)} physiologic, {todo}: {counted(opened, numbers)}"
