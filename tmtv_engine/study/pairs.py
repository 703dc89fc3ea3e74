"""Studies that are no DICOM: a PET in SUV, and a CT in HU, known by their files' names."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from tmtv_engine.errors import InputError, TmtvError
from tmtv_engine.image.formats import SUFFIXES, parts_of, stem_of, suffix_of
from tmtv_engine.study.found import Failure, Leftover, Stock, Study, gathered
from tmtv_engine.text import safe_name

PET_STEMS = ("pet", "SUV")
CT_STEMS = ("ct", "CTres", "CT")
_UNNAMED = "an image of another name than pet, SUV, ct or CTres: name it in a manifest"


def find_pairs(files: Iterable[Path], asked: Sequence[Path] = ()) -> Stock:
    """A study of each folder with an image called as a PET, and of each file ``asked`` for.

    Images beside it that are neither its PET nor its CT are left over.
    """
    folders: dict[Path, list[Path]] = {}
    for path in files:
        folders.setdefault(path.parent, []).append(path)
    studies: list[Study] = []
    failures: list[Failure] = []
    left: list[Leftover] = []
    for own in folders.values():
        pets = [p for p in asked if p in own] or _called(own, PET_STEMS)[:1]
        taken: set[Path] = set()
        for pet in pets:
            try:
                study = pair(pet, None if pet in asked else own)
            except TmtvError as error:
                failures.append(Failure(pet, error))
                taken.add(pet)
            else:
                studies.append(study)
                taken.update(study.pet, study.ct)
        left += gathered([(p, _why(p, pets)) for p in own if p not in taken])
    return Stock(tuple(studies), tuple(failures), tuple(left))


def pair(pet: Path, beside: Iterable[Path] | None = None) -> Study:
    """A PET with its CT and its folder's name if it is called as in a pair, else by itself.

    Raises `InputError` where a file of its voxels is missing.
    """
    own = [p for p in pet.parent.iterdir() if p.is_file()] if beside is None else list(beside)
    if stem_of(pet) not in PET_STEMS:
        return Study(safe_name(stem_of(pet)), "nifti", parts_of(pet), (), pet.parent)
    ct = next(iter(_called(own, CT_STEMS)), None)
    parts = () if ct is None else parts_of(ct)
    case = safe_name(pet.absolute().parent.name)
    return Study(case, "nifti", parts_of(pet), parts, pet.parent)


def image_at(path: Path) -> tuple[Path, ...]:
    """The files of an image that a manifest names; raises `InputError` for another kind."""
    if not suffix_of(path):
        what = f"{path}: is no image that is read"
        raise InputError(what, f"Give one of {', '.join(SUFFIXES)}, or a folder of DICOM.")
    return parts_of(path)


def _called(files: Sequence[Path], stems: Sequence[str]) -> list[Path]:
    """The files of these stems, the first stem and the first kind of file first."""
    ranks = {
        p: (stems.index(stem_of(p)), SUFFIXES.index(suffix_of(p)))
        for p in files
        if suffix_of(p) and stem_of(p) in stems
    }
    return sorted(ranks, key=lambda p: ranks[p])


def _why(path: Path, pets: Sequence[Path]) -> str:
    if not suffix_of(path):
        return "neither DICOM nor an image that is read"
    if pets and stem_of(path) in (*PET_STEMS, *CT_STEMS):
        return f"beside {pets[0].name}, which was taken"
    if stem_of(path) in CT_STEMS:
        return "a CT without a PET beside it"
    return _UNNAMED
