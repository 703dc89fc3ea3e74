"""What lines mean together: what stands, what is undone, who signed, how long it took."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from tmtv_engine.errors import CaseError
from tmtv_engine.review.journal import Decision, effective, reading_seconds
from tmtv_engine.review.line import Action, Line


def _lines(*told: tuple[Any, ...]) -> Sequence[Line]:
    """Lines of (action, lesions, target), each a second after the one before."""
    blank = Line(0, "", "AB", "h", "c", "0" * 64, "note", (), None, None, None, None, None, "", "")  # type: ignore[arg-type]
    return [
        replace(
            blank,
            seq=k + 1,
            at=f"2026-01-01T10:00:{k:02d}Z",
            action=action,
            lesions=own,
            target=target,
        )
        for k, (action, own, target) in enumerate(told)
    ]


def test_a_decision_s_numbers_are_plain_whole_numbers() -> None:
    """As they come from an array, they would be no JSON."""
    told = Decision("accept", list(np.array([3, 1])))  # type: ignore[arg-type]
    assert (told.lesions, {type(n) for n in told.lesions}) == ((3, 1), {int})
    assert told.action is Action.ACCEPT


def test_a_reason_amends_only_the_last_reject_of_the_same_lesions() -> None:
    first = ("reject", (1,), None)
    for second, done in (
        (("reject", (1,), 1), [2]),
        (("reject", (2,), 1), [1, 2]),
        (("reject", (1,), None), [1, 2]),
        (("accept", (1,), 1), [1, 2]),
        (("reject", (1,), 2), [1, 2]),
    ):
        assert [x.seq for x in effective(_lines(first, second)).done] == done
    accepted = _lines(("accept", (1,), None), ("reject", (1,), 1))
    assert [x.seq for x in effective(accepted).done] == [1, 2]
    assert [x.seq for x in effective(_lines(("reject", (1,), 7))).done] == [1]


def test_undo_means_the_last_that_stands_and_redo_the_last_undone() -> None:
    begun = [("accept", (1,), None), ("reject", (2,), None)]
    for wrong in ([("undo", (), 1)], [("redo", (), 2)], [("undo", (), None)]):
        with pytest.raises(CaseError, match="nothing to"):
            effective(_lines(*begun, *wrong))
    both = [("undo", (), 2), ("undo", (), 1)]
    left = effective(_lines(*begun, *both))
    assert ([x.seq for x in left.done], [x.seq for x in left.undone]) == ([], [2, 1])
    with pytest.raises(CaseError, match="nothing to redo"):
        effective(_lines(*begun, *both, ("redo", (), 2)))
    left = effective(_lines(*begun, *both, ("redo", (), 1), ("redo", (), 2)))
    assert ([x.seq for x in left.done], left.undone) == ([1, 2], ())
    with pytest.raises(CaseError, match="line 1 of AB: nothing to undo there"):
        effective(_lines(("undo", (), 1)))


def test_a_signature_stands_until_it_is_withdrawn() -> None:
    told = [("sign", (), None), ("open", (), None), ("unsign", (), None), ("sign", (), None)]
    signed = [effective(_lines(*told[:k])).signed for k in range(5)]
    assert [None if x is None else x.seq for x in signed] == [None, 1, 1, None, 4]
    steers = effective(_lines(("open", (), None), ("close", (), None)))
    assert (steers.done, steers.undone, steers.signed) == ((), (), None)


@pytest.mark.parametrize(
    ("told", "seconds"),
    [
        ([], 0.0),
        ([("open", 0)], 0.0),
        ([("open", 0), ("accept", 300), ("close", 600)], 600.0),
        ([("open", 0), ("accept", 301), ("close", 311)], 10.0),
        ([("open", 0), ("close", 10), ("accept", 20), ("accept", 30)], 10.0),
        ([("accept", 0), ("accept", 10)], 0.0),
        ([("accept", 0), ("open", 10), ("accept", 15)], 5.0),
        ([("open", 0), ("open", 7), ("close", 9)], 9.0),
        ([("open", 0), ("close", 5), ("open", 8), ("close", 9)], 6.0),
        ([("open", 100), ("accept", 90), ("close", 95)], 5.0),  # a clock that was set back
        ([("open", 0), ("accept", 0), ("close", 0)], 0.0),
    ],
)
def test_reading_time_is_what_lies_between_open_and_close(
    told: list[tuple[str, int]], seconds: float
) -> None:
    lines = _lines(*((action, (), None) for action, _ in told))
    timed = [
        replace(line, at=f"2026-01-01T10:{s // 60:02d}:{s % 60:02d}Z")
        for line, (_, s) in zip(lines, told, strict=True)
    ]
    assert reading_seconds(timed) == seconds
