"""What a reader signs, in words; no Textual."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tmtv_engine.lesion.origin import Status
from tmtv_engine.review.state import predicted_status
from tmtv_engine.text import counted
from tmtv_tui.review.cells import lesion_cells
from tmtv_tui.review.names import folded
from tmtv_tui.review.sites import sites_of
from tmtv_tui.review.words import TOTALS_HEADER, total_line

if TYPE_CHECKING:
    from tmtv_tui.review.opened import Opened

LARGEST = 3
MEANING = (
    "Signing records these totals with their hash and closes the reading until S re-opens it; "
    "the last signed reading is the one that tables and exports take."
)


def sign_lines(opened: Opened, method: str) -> list[str]:
    """What is undecided, the totals, the largest changes by ``method``, what signing means."""
    sites = sites_of(opened).words()
    lines = [_undecided(opened), "", TOTALS_HEADER]
    lines += [total_line(opened, key) for key in opened.table.volume_ml]
    lines += ["", *_largest(opened, method), *([sites] if sites else []), "", MEANING]
    return lines


def rehearse(opened: Opened) -> None:
    """Say all that the screen will have to say, so that what a damaged file makes fail does so
    before the case is shown."""
    key = next(iter(opened.table.volume_ml))
    for number in map(int, opened.reading.lesions.ids):
        lesion_cells(opened, key, number)
    sign_lines(opened, key)


def _undecided(opened: Opened) -> str:
    reading = opened.reading
    left = [n for n in reading.status if reading.decided_by[n] is None]
    if not left:
        return "Every lesion is decided."
    count = sum(reading.status[n] is Status.ACCEPTED for n in left)
    named = sum(n in set(left) for n in folded(opened))
    told = f"UNDECIDED: {count} that count, {counted(len(left) - count, 'candidate')} not counted"
    return f"{told} ({named} named physiologic)." if named else f"{told}."


def _largest(opened: Opened, method: str) -> list[str]:
    """The decisions that moved the total most; those on parts and on what a reader drew too."""
    reading, volume = opened.reading, opened.table.volume_ml[method]
    first = predicted_status(opened.case.record)
    found = []
    for number, status in reading.status.items():
        root = number
        while root in reading.parents:
            root = reading.parents[root]
        before = first.get(root) is Status.ACCEPTED
        if before != (status is Status.ACCEPTED):
            ml = float(volume[reading.lesions.row(number)])
            found.append((-ml, number, "−" if before else "+"))
    lines = [f"{sign}{-ml:.1f} mL by {method}: {_told(opened, n)}" for ml, n, sign in sorted(found)]
    more = [f"and {len(lines) - LARGEST} smaller changes"] if len(lines) > LARGEST else []
    return lines[:LARGEST] + more


def _told(opened: Opened, number: int) -> str:
    status, reason = opened.reading.status[number], opened.reading.reasons.get(number)
    return f"#{number} {status}" + (f" ({reason})" if reason else "")
