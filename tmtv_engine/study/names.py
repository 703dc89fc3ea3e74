"""Case names that differ: no two studies of a batch ever write one folder."""

from __future__ import annotations

import hashlib
import os
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from itertools import chain, count

from tmtv_engine.errors import AmbiguousInput
from tmtv_engine.image.formats import stem_of
from tmtv_engine.study.found import CaseName, Failure, Leftover, Stock, Study
from tmtv_engine.study.pairs import PET_STEMS
from tmtv_engine.text import safe_name

DEEPEST = 5


def named_apart(
    stock: Stock, case_name: CaseName = "hash", given: Mapping[str, str] | None = None
) -> Stock:
    """The stock with its cases called as asked, and told apart where two would be one.

    Names that differ only in the case of their letters are one on many disks. Folders of one
    name take those above them into it, one patient's studies a number, and digits of the path
    tell apart what is the same still. A name that a manifest gave stands: the second study of
    that name is a failure. ``given``: what cases that are there are called, by an image of each
    (`images_of`): a study keeps its name, whatever has come in beside it since.
    """
    kept: list[Study] = []
    failures: list[Failure] = []
    for study in stock.studies:
        if study.named and any(s.named and _same(s, study) for s in kept):
            error = AmbiguousInput(f"{study.case}: names two studies", "Give each its own name.")
            failures.append(Failure(study.path, error))
        else:
            kept.append(study)
    fixed = {k: s if s.named else _kept(s, given or {}) for k, s in enumerate(kept)}
    taken = {s.case.lower() for s in fixed.values() if s}
    taken |= {name.lower() for image, name in (given or {}).items() if not os.path.isabs(image)}
    free = [_name(s, case_name) for k, s in enumerate(kept) if not fixed[k]]
    found = iter(_told_apart(free, taken, case_name))
    last = [fixed[k] or next(found) for k in range(len(kept))]
    left = _renamed(stock.leftovers, {s.case: new for s, new in zip(kept, last, strict=True)})
    return Stock(tuple(last), (*stock.failures, *failures), left)


def images_of(study: Study) -> Iterable[str]:
    """What its case is known by on another day: its SOP instances, or the place of its file."""
    return [os.path.abspath(study.pet[0])] if study.kind == "nifti" else study.instances


def _kept(study: Study, given: Mapping[str, str]) -> Study | None:
    """The study by the name that its case has already, if it has one."""
    name = next((given[image] for image in images_of(study) if image in given), None)
    return replace(study, case=name) if name else None


def _told_apart(studies: list[Study], taken: set[str], case_name: CaseName) -> list[Study]:
    """Studies whose names differ from each other's and from those in lower case in ``taken``."""
    found = _deepened(studies, taken, case_name)
    if case_name == "patient-id":
        found = _counted(found, taken)
    twins = _twins(found, taken)
    return [_hashed(s) if s.case.lower() in twins else s for s in found]


def _renamed(leftovers: tuple[Leftover, ...], called: dict[str, Study]) -> tuple[Leftover, ...]:
    """The leftovers of DICOM studies by the names that their cases have now."""
    changed = [(old, s.case) for old, s in called.items() if s.kind == "dicom" and old != s.case]
    found = []
    for left in leftovers:
        why = left.why
        for old, new in changed:
            why = why.replace(old, new)
        found.append(replace(left, why=why))
    return tuple(found)


def _same(one: Study, other: Study) -> bool:
    return one.case.lower() == other.case.lower()


def _name(study: Study, case_name: CaseName) -> Study:
    if study.kind == "nifti" or case_name == "hash":
        return study
    wanted = _parts(study)[-1] if case_name == "folder" else study.patient_id or study.case
    return replace(study, case=safe_name(wanted))


def _parts(study: Study) -> list[str]:
    """The folders that a study lies in, and its file where that is what it is called by."""
    place = study.home or study.pet[0].parent
    parts = [p[:-4] if p.lower().endswith(".zip") else p for p in place.absolute().parts]
    alone = study.kind == "nifti" and stem_of(study.pet[0]) not in PET_STEMS
    return [*parts, stem_of(study.pet[0])] if alone else parts


def _twins(studies: Sequence[Study], taken: set[str]) -> set[str]:
    counts = Counter(s.case.lower() for s in studies)
    return {name for name, count in counts.items() if count > 1 or name in taken}


def _deepened(studies: list[Study], taken: set[str], case_name: CaseName) -> list[Study]:
    """Those called by their folder and of one name called by as many as tell them apart."""
    found = list(studies)
    for twin in _twins(studies, taken):
        alike = [
            k
            for k, s in enumerate(studies)
            if s.case.lower() == twin and (s.kind == "nifti" or case_name == "folder")
        ]
        for depth in range(2, DEEPEST):
            names = [safe_name("_".join(_parts(studies[k])[-depth:])) for k in alike]
            own = {name.lower() for name in names}
            if len(own) == len(names) and not own & taken:
                for k, name in zip(alike, names, strict=True):
                    found[k] = replace(studies[k], case=name)
                break
    return found


def _counted(studies: list[Study], taken: set[str]) -> list[Study]:
    """One patient's further studies with the next free number, in the order of their dates."""
    order = sorted(range(len(studies)), key=lambda k: (studies[k].study_date, str(studies[k].path)))
    known = set(taken)
    for k in order:
        study = studies[k]
        if study.kind == "dicom":
            numbered = (f"{study.case[:60]}_{n}" for n in count(2))
            names = (name for name in chain([study.case], numbered) if name.lower() not in known)
            studies[k] = replace(study, case=next(names))
            known.add(studies[k].case.lower())
    return studies


def _hashed(study: Study) -> Study:
    digits = hashlib.sha256(str(study.path.absolute()).encode()).hexdigest()[:8]
    return replace(study, case=f"{study.case[:55]}_{digits}")
