"""Series of DICOM to studies: the one PET of each, its CT, and why the others were not taken."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from tmtv_engine.errors import AmbiguousInput, InputError, TmtvError, UsageError
from tmtv_engine.notices import Notice, notice
from tmtv_engine.study.found import Failure, Leftover, Stock, Study, gathered, place_of
from tmtv_engine.text import clean

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

    from tmtv_engine.dicom.discover import Series

WHOLE_SHARE = 0.6
BEYOND_MM = 10.0


@dataclass(frozen=True)
class Wanted:
    """Which PET is asked for: by its series UID, or by a pattern of its description."""

    pet_series: str | None = None
    pet_match: str | None = None

    def __post_init__(self) -> None:
        try:
            re.compile(self.pet_match or "")
        except re.error as error:
            what = f"--pet-match {self.pet_match!r} is no pattern"
            raise UsageError(what, str(error)) from error


def find_dicom(series: Sequence[Series], wanted: Wanted, roots: Sequence[Path]) -> Stock:
    """The studies that ``series`` make up; ``roots`` are what they were looked for in."""
    found = Stock()
    holds = _holds(series)
    for uid in sorted({s.study_uid for s in series}):
        own = [s for s in series if s.study_uid == uid]
        one = _study(own, wanted, roots)
        home = _home([path for s in own for path in s.files], holds, roots)
        found += Stock(
            tuple(replace(s, home=home) for s in one.studies),
            tuple(replace(f, study_uid=uid) for f in one.failures),
            tuple(replace(o, study_uid=uid) for o in one.leftovers),
        )
    return found


def _holds(series: Sequence[Series]) -> dict[Path, set[str]]:
    """Of each folder the studies that have files in it, at any depth."""
    found: dict[Path, set[str]] = {}
    for one in series:
        for folder in {path.parent for path in one.files}:
            for above in (folder, *folder.parents):
                found.setdefault(above, set()).add(one.study_uid)
    return found


def _home(files: Sequence[Path], holds: dict[Path, set[str]], roots: Sequence[Path]) -> Path:
    """The highest folder below a root that holds this study and no other."""
    at = place_of(files) if len({p.parent for p in files}) > 1 else files[0].parent
    while at not in roots and any(r in at.parents for r in roots) and len(holds[at.parent]) == 1:
        at = at.parent
    return at


def _study(own: Sequence[Series], wanted: Wanted, roots: Sequence[Path]) -> Stock:
    pets = [s for s in own if s.modality == "PT"]
    files = [path for s in own for path in s.files]
    if not pets:
        listed = "; ".join(f"{s.modality} {s}" for s in own[:4])
        why = f"a study without a PET: {listed}"
        return Stock(leftovers=(Leftover(place_of(files), why),))
    try:
        pet, passed = the_pet(pets, wanted)
        if pet is None:
            why = f"no PET series is the one asked for: {listed_of(pets)}"
            return Stock(leftovers=(Leftover(place_of(files), why),))
        ct = the_ct(own, pet)
        notices = _checked_copies([s for s in (pet, ct) if s])
        if not wanted.pet_series:
            notices += elsewhere(pet, pets)
        study = _of(pet, ct, _folder(pet, ct, roots), notices)
    except UsageError:
        raise
    except TmtvError as error:
        place = place_of([path for s in pets for path in s.files])
        return Stock(failures=(Failure(place, error, *identity(pets[0].files[0])),))
    rest = [s for s in own if s is not pet and s is not ct]
    left = [Leftover(place_of(s.files), _why(s, study, passed, others(s, pet))) for s in rest]
    for s in own:
        what = f"what {study.case} is made from" if s is pet or s is ct else f"series {s.uid}"
        copies = [copy for copy, first in s.copies if copy.parent != first.parent or s in rest]
        left += gathered([(copy, f"a copy of {what}") for copy in copies])
    return Stock((study,), (), tuple(left))


def _folder(pet: Series, ct: Series | None, roots: Sequence[Path]) -> Path:
    """The root that holds all files of a study, else the deepest folder that does."""
    every = [*pet.files, *(ct.files if ct is not None else ())]
    whole = [r for r in roots if all(p.is_relative_to(r) and p != r for p in every)]
    return whole[0] if whole else place_of([*every, every[0].parent / "."])


def the_pet(pets: Sequence[Series], wanted: Wanted) -> tuple[Series | None, dict[str, str]]:
    """The one PET of a study, and why each other is not it.

    As asked, else attenuation-corrected, static, of activity and whole-body. Raises
    `AmbiguousInput`.
    """
    passed: dict[str, str] = {}

    def keep(why: str, test: Callable[[Series], bool]) -> None:
        nonlocal pets
        kept = [s for s in pets if test(s)]
        passed.update({s.uid: why for s in pets if kept and s not in kept})
        pets = kept or pets

    if wanted.pet_series or wanted.pet_match:
        asked = [s for s in pets if _asked(s, wanted)]
        if not asked:
            return None, passed
        keep("is not the one asked for", lambda s: s in asked)
        if wanted.pet_series:
            return pets[0], passed
    keep("is not attenuation-corrected", lambda s: s.attenuation_corrected)
    keep("is dynamic or gated", lambda s: not s.dynamic)
    keep("is no image of activity", lambda s: not _other_kind(s))
    longest = max(s.extent_mm for s in pets)
    keep("is not the whole body", lambda s: s.extent_mm >= WHOLE_SHARE * longest)
    if len(pets) > 1:
        what = f"several PET series could be meant: {listed_of(pets)}"
        raise AmbiguousInput(what, "--pet-series UID")
    return pets[0], passed


def elsewhere(pet: Series, pets: Sequence[Series]) -> tuple[Notice, ...]:
    """Who is left out although it shows what the PET does not: legs, a head, by name.

    That is an attenuation-corrected static series that reaches beyond the PET by more than
    `BEYOND_MM`; it has a decay correction of its own, and so is a case of its own.
    """
    low, high = pet.reach_mm
    return tuple(
        notice("series-left-out", str(s))
        for s in pets
        if s is not pet and s.attenuation_corrected and not s.dynamic and not _other_kind(s)
        if s.reach_mm[0] < low - BEYOND_MM or s.reach_mm[1] > high + BEYOND_MM
    )


def _asked(series: Series, wanted: Wanted) -> bool:
    if wanted.pet_series:
        return series.uid == wanted.pet_series
    return re.search(wanted.pet_match or "", series.description, re.IGNORECASE) is not None


def the_ct(own: Sequence[Series], pet: Series) -> Series | None:
    """The longest plain CT of the PET's patient, of its frame of reference where there is one."""
    scans = [s for s in own if s.modality == "CT" and s.frames > 1 and not others(s, pet)]
    scans = [s for s in scans if not _other_kind(s)]
    framed = [s for s in scans if s.frame_uid == pet.frame_uid]
    return max(framed or scans, key=lambda s: (s.extent_mm, s.frames, s.uid), default=None)


def _other_kind(series: Series) -> str:
    """What else than a plain image a series calls itself, or ""."""
    from tmtv_engine.dicom.kinds import named_kind, said_kind  # pydicom comes with it

    return said_kind(series.kind) or named_kind(series.description)


def others(series: Series, pet: Series) -> bool:
    """Whether a series says that it is another patient's than the PET."""
    return series.whose.differs(pet.whose)


def listed_of(pets: Sequence[Series]) -> str:
    """The series in words, eight at most."""
    return "; ".join(str(s) for s in pets[:8])


def _of(pet: Series, ct: Series | None, folder: Path, notices: tuple[Notice, ...]) -> Study:
    if ct is not None and ct.frame_uid != pet.frame_uid:
        notices = (notice("frames-differ", "CT"), *notices)
    if ct is not None and ct.whose.unclear(pet.whose):
        notices = (notice("patient-unclear", "CT"), *notices)
    case = "c" + hashlib.sha256(f"{pet.study_uid}\n{pet.uid}".encode()).hexdigest()[:12]
    files = ct.files if ct is not None else ()
    size, corner = _place(pet.files[0])
    who, when = identity(pet.files[0])
    return Study(
        case,
        "dicom",
        pet.files,
        files,
        folder,
        notices,
        patient_id=who,
        study_date=when,
        instances=frozenset(pet.instances),
        shape=tuple(n for n in (pet.frames, *size) if n != 1),
        corner_mm=corner,
        uid=pet.study_uid,
    )


def _checked_copies(taken: Sequence[Series]) -> tuple[Notice, ...]:
    """Copies of images that are taken must be the same; those in the same folder are told."""
    from tmtv_engine.dicom.discover import same_image  # pydicom comes with it

    beside = 0
    for series in taken:
        for copy, first in series.copies:
            if not same_image(copy, first):
                what = f"{copy}: is another image than {first}, with the same SOP Instance UID"
                raise InputError(what, "Take one of the two away.")
            beside += copy.parent == first.parent
    return (notice("copies", f"{beside} files"),) if beside else ()


def _why(series: Series, study: Study, passed: dict[str, str], others: bool) -> str:
    told = f"{series.modality or 'series'} {series} of the study of {study.case}"
    if others:
        return f"{told}: it names another patient"
    if series.modality == "PT":
        return f"{told}: {passed.get(series.uid, 'another PET was taken')}"
    if series.modality in ("RTSTRUCT", "SEG"):
        return f"{told}: ROIs are measured by tmtv threshold"
    if series.modality == "CT":
        kind = _other_kind(series)
        why = f"no plain CT but {kind}" if kind else "a single image"
        return f"{told}: another CT was taken" if study.ct else f"{told}: {why}"
    return f"{told}: neither PET nor CT"


def identity(path: Path) -> tuple[str, str]:
    """PatientID and StudyDate of a DICOM file, empty where they cannot be read."""
    head = _head(path, "PatientID", "StudyDate", "SpecificCharacterSet")
    return clean(head.get("PatientID", "")), clean(head.get("StudyDate", ""))


def _head(path: Path, *keywords: str) -> Dataset:
    from pydicom.dataset import Dataset

    from tmtv_engine.dicom.parse import read_header

    try:
        return read_header(path, keywords)
    except TmtvError:
        return Dataset()


def _place(path: Path) -> tuple[tuple[int, int], tuple[float, float, float] | None]:
    """Rows and columns of an image, and where its first pixel lies; None where it is not said."""
    head = _head(path, "Rows", "Columns", "ImagePositionPatient")
    told = (head.get("Rows"), head.get("Columns"))  # a rotten length makes a list of one
    rows, columns = (n if isinstance(n, int) else 0 for n in told)
    size = (rows, columns)
    try:
        x, y, z = (float(v) for v in head.get("ImagePositionPatient") or ())
    except (TypeError, ValueError):
        return size, None
    return size, (x, y, z)
