"""Studies that lie in several places, zips and folders: made of all of them, each image once."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from tmtv_engine.errors import AmbiguousInput, InputError
from tmtv_engine.study.archive import Unpacked, all_opened, is_zip
from tmtv_engine.study.found import Failure, Leftover, Stock, Study, place_of
from tmtv_engine.study.series import Wanted, find_dicom
from tmtv_engine.study.walk import walk

if TYPE_CHECKING:
    from tmtv_engine.dicom.discover import Series


@dataclass(frozen=True)
class Lot:
    """What one zip holds, or all files that lie in none: its stock, and its series of DICOM."""

    archive: Path | None
    stock: Stock
    series: tuple[Series, ...] = ()

    @cached_property
    def studies(self) -> dict[str, frozenset[str]]:
        """The instances of each study that has a UID."""
        found: dict[str, set[str]] = {}
        for series in self.series:
            found.setdefault(series.study_uid, set()).update(series.instances)
        return {uid: frozenset(own) for uid, own in found.items() if uid}

    def place(self, uid: str) -> Path:
        """Where a study lies: the zip, or the folder of its files."""
        files = [p for s in self.series if s.study_uid == uid for p in s.files]
        return self.archive or place_of(files)


def of_all(lots: Sequence[Lot], wanted: Wanted, roots: Sequence[Path]) -> Stock:
    """The stock of all ``lots``; a study that several hold is one.

    It is that of the lot that holds all of it, the first of such, and the others' are copies;
    where each holds only a part it is made from all of them. ``roots`` are what was searched.
    """
    held: dict[str, list[int]] = {}
    for k, lot in enumerate(lots):
        for uid in lot.studies:
            held.setdefault(uid, []).append(k)
    found = Stock()
    gone: dict[int, set[str]] = {}
    parted: dict[tuple[int, ...], set[str]] = {}
    for uid, own in held.items():
        first = _whole(lots, own, uid)
        unlike = None if first is None or len(own) < 2 else _unlike([lots[k] for k in own], uid)
        if unlike is not None:
            found += Stock(failures=(unlike,))
            gone.update({k: gone.get(k, set()) | {uid} for k in own})
            continue
        if first is None:
            parted.setdefault(tuple(own), set()).add(uid)
        for k in own:
            if k != first:
                gone.setdefault(k, set()).add(uid)
                if first is not None:
                    found += Stock(leftovers=(_copy(lots[k], lots[first], uid),))
    for k, lot in enumerate(lots):
        found += _without(lot.stock, gone.get(k, set()))
    for places, uids in parted.items():
        found += _of_parts([lots[k] for k in places], uids, wanted, roots)
    return found


def _whole(lots: Sequence[Lot], own: Sequence[int], uid: str) -> int | None:
    """The first of ``own`` that holds all instances that any of them does."""
    every = frozenset[str]().union(*(lots[k].studies[uid] for k in own))
    return next((k for k in own if lots[k].studies[uid] == every), None)


def _without(stock: Stock, uids: set[str]) -> Stock:
    return Stock(
        tuple(s for s in stock.studies if s.uid not in uids),
        tuple(f for f in stock.failures if f.study_uid not in uids),
        tuple(o for o in stock.leftovers if o.study_uid not in uids),
    )


def _copy(lot: Lot, whole: Lot, uid: str) -> Leftover:
    case = next((s.case for s in whole.stock.studies if s.uid == uid), "a study")
    place = whole.place(uid)
    named = place if place.name else place.absolute()  # "." tells nobody where
    return Leftover(lot.place(uid), f"a copy of {case}, which is made from {named}", uid)


def _unlike(lots: Sequence[Lot], uid: str) -> Failure | None:
    """The failure of a study of which two lots hold different images under one UID."""
    from tmtv_engine.dicom.discover import same_image

    studies = [s for lot in lots for s in lot.stock.studies if s.uid == uid]
    if not studies:
        return None
    try:
        with _together(lots, {uid}) as (series, there):
            pairs = [pair for s in series for pair in s.copies]
            odd = next((pair for pair in pairs if not same_image(*pair)), None)
            if odd is None:
                return None
            copy, first = map(there.named, odd)
    except InputError as error:
        return Failure(studies[0].path, error, study_uid=uid)
    what = f"{copy}: is another image than {first}, with the same SOP Instance UID"
    told = InputError(what, "Take one of the two away.")
    return Failure(copy.parent, told, studies[0].patient_id, studies[0].study_date, uid)


@contextmanager
def _together(lots: Sequence[Lot], uids: set[str]) -> Iterator[tuple[list[Series], Unpacked]]:
    """The series of the studies ``uids`` over all ``lots``, their zips unpacked in the block."""
    from tmtv_engine.dicom.discover import sort_files

    series = [s for lot in lots if lot.archive is None for s in lot.series if s.study_uid in uids]
    loose = [p for s in series for p in (*s.files, *(copy for copy, _ in s.copies))]
    with all_opened([lot.archive for lot in lots if lot.archive is not None]) as there:
        zipped = [p for p in walk(there.folders.values()).files if not is_zip(p)]
        found = sort_files([*loose, *zipped]).series
        yield [s for s in found if s.study_uid in uids], there


def _of_parts(lots: Sequence[Lot], uids: set[str], wanted: Wanted, roots: Sequence[Path]) -> Stock:
    """The studies ``uids``, of which each of ``lots`` holds a part."""
    archives = [lot.archive for lot in lots if lot.archive is not None]
    try:
        with _together(lots, uids) as (own, there):
            found = find_dicom(own, wanted, [*roots, *there.folders.values()])
            return Stock(
                tuple(_called(s, there, archives) for s in found.studies),
                tuple(map(there.failed, found.failures)),
                tuple(_left(o, there) for o in found.leftovers),
            )
    except InputError as error:
        names = ", ".join(map(str, archives))
        told = AmbiguousInput(f"{names}: hold one study between them: {error.what}", error.remedy)
        return Stock(failures=tuple(Failure(a, told) for a in archives))


def _called(study: Study, there: Unpacked, archives: Iterable[Path]) -> Study:
    """A study by the names of its zips, its folder the deepest that holds zips and files."""
    pet, ct = (tuple(map(there.named, files)) for files in (study.pet, study.ct))
    own = tuple(a for a in archives if any(p.is_relative_to(a) for p in (*pet, *ct)))
    if not own:
        return study
    alone = all(p.is_relative_to(own[0]) for p in (*pet, *ct))
    folder = own[0] if alone else place_of([p.parent / "." / p.name for p in (*pet, *ct)])
    return replace(study, pet=pet, ct=ct, archives=own, folder=folder, home=folder)


def _left(left: Leftover, there: Unpacked) -> Leftover:
    return replace(left, path=there.named(left.path), why=there.said(left.why))
