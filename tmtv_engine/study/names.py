"""Case names that differ: no two studies of a batch ever write one folder."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

from tmtv_engine.errors import AmbiguousInput
from tmtv_engine.image.formats import stem_of
from tmtv_engine.study.found import CaseName, Failure, Leftover, Stock, Study
from tmtv_engine.study.pairs import PET_STEMS
from tmtv_engine.text import safe_name

DEEPEST = 5


def named_apart(stock: Stock, case_name: CaseName = "hash") -> Stock:
    """The stock with its cases called as asked, and told apart where two would be one.

    Names that differ only in the case of their letters are one on many disks. Folders of one
    name take those above them into it, one patient's studies a number, and digits of the path
    tell apart what is the same still. A name that a manifest gave stands: the second study of
    that name is a failure.
    """
    kept: list[Study] = []
    before: list[str] = []
    failures: list[Failure] = []
    for study in stock.studies:
        if study.named and any(s.named and _same(s, study) for s in kept):
            error = AmbiguousInput(f"{study.case}: names two studies", "Give each its own name.")
            failures.append(Failure(study.path, error))
        else:
            before.append(study.case)
            kept.append(study if study.named else replace(study, case=_name(study, case_name)))
    studies = _deepened(kept, case_name)
    if case_name == "patient-id":
        studies = _counted(studies)
    twins = _twins(studies)
    last = [_hashed(s) if s.case.lower() in twins and not s.named else s for s in studies]
    left = _renamed(stock.leftovers, dict(zip(before, last, strict=True)))
    return Stock(tuple(last), (*stock.failures, *failures), left)


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


def _name(study: Study, case_name: CaseName) -> str:
    if study.kind == "nifti" or case_name == "hash":
        return study.case
    if case_name == "folder":
        return safe_name(_parts(study)[-1])
    return safe_name(study.patient_id or study.case)


def _parts(study: Study) -> list[str]:
    """The folders that a study lies in, and its file where that is what it is called by."""
    place = study.home or study.pet[0].parent
    parts = [p[:-4] if p.lower().endswith(".zip") else p for p in place.absolute().parts]
    alone = study.kind == "nifti" and stem_of(study.pet[0]) not in PET_STEMS
    return [*parts, stem_of(study.pet[0])] if alone else parts


def _twins(studies: Sequence[Study]) -> set[str]:
    counts = Counter(s.case.lower() for s in studies)
    return {name for name, count in counts.items() if count > 1}


def _deepened(studies: list[Study], case_name: CaseName) -> list[Study]:
    """Those called by their folder and of one name called by as many as tell them apart."""
    found = list(studies)
    for twin in _twins(studies):
        alike = [
            k
            for k, s in enumerate(studies)
            if s.case.lower() == twin
            and not s.named
            and (s.kind == "nifti" or case_name == "folder")
        ]
        for depth in range(2, DEEPEST):
            names = [safe_name("_".join(_parts(studies[k])[-depth:])) for k in alike]
            if len({name.lower() for name in names}) == len(names):
                for k, name in zip(alike, names, strict=True):
                    found[k] = replace(studies[k], case=name)
                break
    return found


def _counted(studies: list[Study]) -> list[Study]:
    """One patient's second and further studies with their number, in the order of their dates."""
    order = sorted(range(len(studies)), key=lambda k: (studies[k].study_date, str(studies[k].path)))
    seen: Counter[str] = Counter()
    for k in order:
        study = studies[k]
        if study.kind == "dicom" and not study.named:
            seen[study.case.lower()] += 1
            if seen[study.case.lower()] > 1:
                case = f"{study.case[:60]}_{seen[study.case.lower()]}"
                studies[k] = replace(study, case=case)
    return studies


def _hashed(study: Study) -> Study:
    digits = hashlib.sha256(str(study.path.absolute()).encode()).hexdigest()[:8]
    return replace(study, case=f"{study.case[:55]}_{digits}")
