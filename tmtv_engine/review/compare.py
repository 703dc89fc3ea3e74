"""Two readings of one case: the lesions that they disagree on, and starting from another's."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from tmtv_engine.errors import UsageError
from tmtv_engine.lesion.origin import Status
from tmtv_engine.review.journal import Decision, effective
from tmtv_engine.review.line import REPAIRS, Action, Line
from tmtv_engine.review.reading import Reading, reading_of
from tmtv_engine.review.session import Session
from tmtv_engine.review.state import DECIDED

SETTLES = REPAIRS | {Action.ACCEPT, Action.REJECT, Action.SPLIT}


@dataclass(frozen=True)
class Side:
    """A lesion, whole or in parts, as one reader left it: words, reasons and accepted numbers."""

    state: str
    reason: str
    accepted: tuple[int, ...]
    numbers: tuple[int, ...]


@dataclass(frozen=True)
class Difference:
    """A lesion of the prediction (or an added one) of which two readers count different voxels."""

    lesion: int
    mine: Side
    theirs: Side


def differences(mine: Reading, theirs: Reading) -> list[Difference]:
    """What two readers disagree on, by the number that the lesion had before any split.

    Compared are the voxels that count, so that parts with other numbers are no disagreement.
    """
    ours, others = _by_root(mine), _by_root(theirs)
    found = []
    for root in sorted({*ours, *others}):
        a, b = ours.get(root, []), others.get(root, [])
        if _counted(mine, a) != _counted(theirs, b):
            found.append(Difference(root, _side(mine, a), _side(theirs, b)))
    return found


def _by_root(reading: Reading) -> Mapping[int, list[int]]:
    found: dict[int, list[int]] = {}
    for number in (int(i) for i in reading.lesions.ids):
        root = number
        while root in reading.parents:
            root = reading.parents[root]
        found.setdefault(root, []).append(number)
    return found


def _counted(reading: Reading, numbers: list[int]) -> set[int]:
    lesions = reading.lesions
    voxels: set[int] = set()
    for n in numbers:
        if reading.status[n] == Status.ACCEPTED:
            voxels.update(lesions.voxels[lesions.span(lesions.row(n))].tolist())
    return voxels


def _side(reading: Reading, numbers: list[int]) -> Side:
    accepted = tuple(n for n in numbers if reading.status[n] == Status.ACCEPTED)
    reasons = " ".join(dict.fromkeys(reading.reasons[n] for n in numbers if n in reading.reasons))
    if not numbers:
        state = "absent"
    elif len(numbers) == 1:
        state = reading.status[numbers[0]]
    else:
        state = f"{len(accepted)} of {len(numbers)} parts"
    return Side(state, reasons, accepted, tuple(numbers))


def settle_as(session: Session, theirs: Reading, lesion: int) -> Reading:
    """Decide ``lesion`` (a number before any split) in ``session`` as the other reader did.

    Splits that the other made are made here too; parts are matched by their voxels. Raises
    `UsageError` where the two were split so differently that parts have no match.
    """
    while True:
        own = _by_root(session.reading).get(lesion, [])
        wanted = {_digest(theirs, n): n for n in _by_root(theirs).get(lesion, [])}
        strange = [n for n in own if _digest(session.reading, n) not in wanted]
        if not strange and (own or not _repaired(theirs, lesion, wanted.values())):
            break
        if _repaired(session.reading, lesion, own) or _repaired(theirs, lesion, wanted.values()):
            raise UsageError(
                f"lesion {lesion} was repaired by one of you",
                "Repair it here, or begin with their reading (--from).",
            )
        if len(own) > len(wanted):
            raise UsageError(f"lesion {lesion} is split otherwise here", "Undo the split first.")
        session.decide(Decision(Action.SPLIT, (strange[0],)))
    for action, status in DECIDED.items():
        reasons: dict[str | None, list[int]] = {}
        for n in own:
            other = wanted[_digest(session.reading, n)]
            same = theirs.status[other] == session.reading.status[n]
            if theirs.status[other] == status and not same:
                reasons.setdefault(theirs.reasons.get(other), []).append(n)
        for reason, some in reasons.items():
            session.decide(Decision(action, tuple(some), reason=reason))
    return session.reading


def _repaired(reading: Reading, lesion: int, numbers: Iterable[int]) -> bool:
    return lesion in reading.merged or any(n in reading.repaired for n in numbers)


def _digest(reading: Reading, number: int) -> bytes:
    lesions = reading.lesions
    span = lesions.span(lesions.row(number))
    return hashlib.sha256(lesions.voxels[span].tobytes()).digest()


def start_from(session: Session, reader: str) -> int:
    """Begin a reading with another reader's decisions, as own lines; how many were taken over.

    Only where this reader has decided nothing yet (0 then). Raises `UsageError` where the other
    has no journal.
    """
    if reader == session.reader or session.reading.decisions:
        return 0
    other = reading_of(session.case, reader)
    lines = [line for line in effective(other.lines).done if line.action in SETTLES]
    for line in _gathered(lines):
        session.decide(line)
    return len(lines)


def _gathered(lines: list[Line]) -> list[Decision]:
    """Neighbouring lines that say the same of several lesions as one decision each."""
    found: list[Decision] = []
    for line in lines:
        last = found[-1] if found else None
        joins = last is not None and (last.action, last.reason) == (line.action, line.reason)
        if joins and last is not None and line.action in (Action.ACCEPT, Action.REJECT):
            lesions = tuple(dict.fromkeys([*last.lesions, *line.lesions]))
            found[-1] = Decision(line.action, lesions, reason=line.reason)
        else:
            told = {"reason": line.reason, "text": line.text, "parameters": line.parameters}
            found.append(Decision(line.action, line.lesions, **told))  # type: ignore[arg-type]
    return found


__all__ = ["Difference", "Side", "differences", "settle_as", "start_from"]
