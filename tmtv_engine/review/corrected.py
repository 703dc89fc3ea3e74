"""A case's lesions as somebody corrected them in another viewer: matched, and decided.

A ROI and a lesion are the same where their Dice is at least ``same``, the lesion taken uncut or
as one of the case's methods leaves it, since an exported object holds the cut ones. A ROI may
hold several lesions whole; a lesion may not hold several ROIs: it was divided, and the ROIs
take its place.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
import numpy.typing as npt

from tmtv_engine.case.cuts import Cuts
from tmtv_engine.case.folder import Case
from tmtv_engine.case.guard import guarded
from tmtv_engine.errors import CaseError, UsageError
from tmtv_engine.files import sha256_of
from tmtv_engine.image.volume import Unit, Volume
from tmtv_engine.lesion.lists import Lesions, from_labels
from tmtv_engine.lesion.origin import Status
from tmtv_engine.notices import Notice
from tmtv_engine.review.journal import Decision, alone
from tmtv_engine.review.line import Action
from tmtv_engine.review.reading import Reading
from tmtv_engine.review.session import Session, follow, summed
from tmtv_engine.review.source import Pet, source_suv
from tmtv_engine.study.owner import Owner
from tmtv_engine.study.rois import Rois, read_rois
from tmtv_engine.study.uptake import doubts

SAME = 0.5
REASON = "not in the imported ROIs"

Counts = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Match:
    """One ROI (1 … n) and the numbers of the lesions that it is; none: it is new.

    ``dice`` is that of the ROI and those lesions together, under the cut that fits best.
    """

    roi: int
    name: str
    lesions: tuple[int, ...]
    dice: float


@dataclass(frozen=True, eq=False)
class Correction:
    """What a file says of a reading: a match a ROI, and the lesions that it no longer has."""

    rois: Rois
    matches: tuple[Match, ...]
    accepted: tuple[int, ...]
    rejected: tuple[int, ...]

    @property
    def new(self) -> tuple[int, ...]:
        """The ROIs that no lesion is."""
        return tuple(m.roi for m in self.matches if not m.lesions)


@dataclass(frozen=True, eq=False)
class Imported:
    """What an import did: the reading after it, and how many decisions it took (0: none)."""

    reading: Reading
    correction: Correction
    decisions: int
    notices: tuple[Notice, ...] = ()


def import_rois(
    case: Case,
    path: Path,
    reader: str | None = None,
    *,
    same: float = SAME,
    names: Sequence[str] | None = None,
    pet: Path | None = None,
    accepted: Collection[str] = (),
    say: Callable[[str], None] = lambda text: None,
) -> Imported:
    """Take a SEG, RTSTRUCT or NIfTI as ``reader``'s decisions on ``case``.

    Lesions in it are accepted, accepted ones not in it are rejected, ROIs that are no lesion are
    added with source ``roi``; candidates not in it stay candidates. The same file again decides
    nothing. ``pet``: where the PET lies now, needed for new ROIs only; else the folder that
    `source.json` names, which ``say`` is told before it is read. Raises `InputError` for a
    file without ROIs on the PET, `CaseError` where the reading is signed or the PET is gone.
    """
    if not 0.5 <= same <= 1:
        raise UsageError(f"a Dice of {same:g} parts nothing", "Take one from 0.5 to 1.")
    with alone(case.path), guarded(case.path):
        session = Session(case, reader)
        with session.journal.together():  # all that it decides, or nothing
            done = _imported(
                session, path, same, names, accepted, partial(source_suv, case, pet, say)
            )
            now = follow(case)
    summed(case, now.record)
    return done


def _imported(
    session: Session,
    path: Path,
    same: float,
    names: Sequence[str] | None,
    accepted: Collection[str],
    image: Callable[[], Volume],
) -> Imported:
    case, reading = session.case, session.reading
    if reading.signed:
        raise CaseError(f"{case.name} is signed by {session.reader}", "Re-open it first (unsign).")
    owner = Owner.of_source(case.source())
    rois = read_rois(path, reading.lesions.grid, names=names, owner=owner, accepted=accepted)
    told = (*rois.notices, *_doubts(case, rois))
    cuts = Cuts.of_record(case.record, reading.lesions, reading.around)
    found = correct(reading, cuts, rois, same)
    added = _new_lesions(found, reading.lesions, image)  # before anything is decided
    said = f"{rois.kind} {sha256_of(path) if path.is_file() else ''}".strip()
    said += "".join(f", accepted {code}" for code in sorted(accepted))
    decisions = 0
    for action, lesions, reason in (
        (Action.ACCEPT, _undecided(found.accepted, reading, Status.ACCEPTED, session.reader), None),
        (Action.REJECT, found.rejected, REASON),
    ):
        if lesions:
            session.decide(Decision(action, lesions, reason=reason, text=said))
            decisions += 1
    if added is not None:
        session.add(added)
        decisions += 1
    return Imported(session.reading, found, decisions, told)


def _doubts(case: Case, rois: Rois) -> tuple[Notice, ...]:
    """What the PET says of where ROIs lie, if the case keeps it."""
    grid = rois.labels.grid
    return () if case.image() is None else doubts(rois, Pet(case, grid).volume())


def correct(reading: Reading, cuts: Cuts, rois: Rois, same: float = SAME) -> Correction:
    """Match ROIs on the PET's grid with the lesions of a reading; decides nothing.

    Of a binary mask each 26-connected component is a ROI, those in one lesion one together.
    """
    lesions = reading.lesions
    if rois.kind == "mask":
        rois = _parted(rois, lesions)
    whole = _overlaps(lesions, rois, np.ones(len(lesions.voxels), bool))
    cut = [_overlaps(lesions, rois, cuts.keep(method)) for method in cuts.methods]
    groups = _groups([whole, *cut], same)
    groups = _undivided(groups, whole)
    ids = [int(i) for i in lesions.ids]
    matches = tuple(
        Match(r + 1, rois.names[r], tuple(ids[k] for k in rows), dice)
        for r, (rows, dice) in enumerate(groups)
    )
    accepted = tuple(sorted(n for m in matches for n in m.lesions))
    held = {n for n in ids if reading.status[n] == Status.ACCEPTED}
    return Correction(rois, matches, accepted, tuple(sorted(held - set(accepted))))


@dataclass(frozen=True, eq=False)
class _Overlaps:
    """Voxels of ROIs (n,), of lesions under one cut (m,), and of both (n, m)."""

    rois: Counts
    lesions: Counts
    both: Counts


def _overlaps(lesions: Lesions, rois: Rois, keep: npt.NDArray[np.bool_]) -> _Overlaps:
    flat = rois.labels.require(Unit.LABEL).reshape(-1)
    n, m = len(rois.names), len(lesions)
    owner = lesions.owner[keep]
    key = flat[lesions.voxels[keep]].astype(np.int64) * m + owner
    both = np.bincount(key, minlength=(n + 1) * m).reshape(n + 1, m) if m else np.zeros((n + 1, 0))
    size = np.bincount(flat[flat > 0], minlength=n + 1)
    return _Overlaps(size[1:], np.bincount(owner, minlength=m), both[1:].astype(np.int64))


Group = tuple[tuple[int, ...], float]


def _groups(cuts: Sequence[_Overlaps], same: float) -> list[Group]:
    """For each ROI the rows of the lesions that it is, under the cut that fits best."""
    found: list[Group] = []
    for r in range(len(cuts[0].rois)):
        best: Group = ((), 0.0)
        for c in cuts:
            both, size, own = c.both[r], c.lesions, int(c.rois[r])
            alike = (both > 0) & ((2 * both >= size) | (2 * both >= same * (size + own)))
            rows = np.flatnonzero(alike)
            dice = 2 * int(both[rows].sum()) / (own + int(size[rows].sum()))
            if len(rows) and dice > best[1]:
                best = (tuple(int(k) for k in rows), dice)
        found.append(best if best[1] >= same else ((), best[1]))
    return found


def _undivided(groups: list[Group], whole: _Overlaps) -> list[Group]:
    """Without the groups of lesions that hold more than one ROI: those ROIs are new."""
    groups = list(groups)
    while True:
        holders = [r for r, (rows, _) in enumerate(groups) if rows]
        inside: dict[int, set[int]] = {}
        for r, (rows, _) in enumerate(groups):
            for k in rows:
                inside.setdefault(k, set()).add(r)
        for r, (rows, _) in enumerate(groups):
            if rows:
                continue
            held = [k for h in holders for k in groups[h][0]]
            if held and 2 * int(whole.both[r, held].sum()) >= int(whole.rois[r]):
                for k in held:
                    if whole.both[r, k]:
                        inside[k].add(r)
        divided = {k for k, ours in inside.items() if len(ours) > 1}
        if not divided:
            return groups
        groups = [((), d) if divided & set(rows) else (rows, d) for rows, d in groups]


def _parted(rois: Rois, lesions: Lesions) -> Rois:
    """A mask's components as ROIs; those at least half in one lesion are pieces of one."""
    from tmtv_engine.lesion.find import components

    parts = components(rois.labels.require(Unit.LABEL) > 0)
    n = int(parts.max())
    names = tuple(str(k + 1) for k in range(n))
    loose = Rois(rois.labels.with_array(parts.astype(np.int32), Unit.LABEL), names, "mask")
    o = _overlaps(lesions, loose, np.ones(len(lesions.voxels), bool))
    number = np.arange(n + 1)
    if len(lesions):
        best = o.both.argmax(axis=1)
        within = 2 * o.both[np.arange(n), best] >= o.rois
        number[1:][within] = n + 1 + best[within]
    _, ordered = np.unique(number, return_inverse=True)
    labels = ordered[parts].astype(np.int32)
    return replace(
        loose,
        labels=rois.labels.with_array(labels, Unit.LABEL),
        names=tuple(str(k + 1) for k in range(int(ordered.max()))),
        notices=rois.notices,
    )


def _undecided(
    numbers: Sequence[int], reading: Reading, status: Status, reader: str
) -> tuple[int, ...]:
    """Those of ``numbers`` on which the reader has yet to decide so."""
    return tuple(
        n for n in numbers if reading.status[n] != status or reading.decided_by[n] != reader
    )


def _new_lesions(
    found: Correction, lesions: Lesions, image: Callable[[], Volume]
) -> Lesions | None:
    """The new ROIs with the PET's SUV, less what accepted lesions hold; None: there are none."""
    if not found.new:
        return None
    labels = np.where(np.isin(found.rois.labels.array, found.new), found.rois.labels.array, 0)
    rows = [lesions.row(n) for n in found.accepted]
    labels.reshape(-1)[lesions.take(rows).voxels] = 0
    if not labels.any():
        return None
    return from_labels(found.rois.labels.with_array(labels, Unit.LABEL), image())
