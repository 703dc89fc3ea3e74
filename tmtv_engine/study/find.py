"""Any input to studies: DICOM folders, NIfTI pairs, manifests; each found first, loaded later."""

from __future__ import annotations

import csv
import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from tmtv_engine.errors import AmbiguousInput, InputError, TmtvError, UsageError
from tmtv_engine.notices import Notice, notice
from tmtv_engine.text import safe_name

if TYPE_CHECKING:
    from tmtv_engine.dicom.discover import Series

CaseName = Literal["hash", "folder", "patient-id"]

PET_NAMES = ("pet.nii.gz", "pet.nii", "SUV.nii.gz", "SUV.nii")
CT_NAMES = ("ct.nii.gz", "ct.nii", "CTres.nii.gz", "CTres.nii", "CT.nii.gz")
WHOLE_SHARE = 0.6


@dataclass(frozen=True)
class Study:
    """A PET that can be loaded, with its CT if there is one; ``case`` names its folder."""

    case: str
    kind: Literal["dicom", "nifti"]
    pet: tuple[Path, ...]
    ct: tuple[Path, ...] = ()
    folder: Path = Path()
    notices: tuple[Notice, ...] = ()
    roi: Path | None = None
    extra: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Failure:
    """A study that cannot be taken, among others that can."""

    name: str
    error: TmtvError


def find_studies(
    path: Path,
    *,
    pet_series: str | None = None,
    pet_match: str | None = None,
    case_name: CaseName = "hash",
) -> list[Study | Failure]:
    """The studies of a DICOM folder, a NIfTI file or folders with it, or a CSV manifest.

    What cannot be taken while others can is a `Failure`. Raises `InputError` where there is no
    PET, `AmbiguousInput` where several could be meant, `UsageError` for a bad pattern.
    """
    if path.is_file() and path.suffix.lower() == ".csv":
        return list(_manifest(path))
    if path.is_file() and path.name.lower().endswith((".nii", ".nii.gz")):
        return [_nifti_file(path)]
    if path.is_dir():
        folders = [path, *(p for p in sorted(path.rglob("*")) if p.is_dir())]
        pairs = [found for folder in folders if (found := _nifti_pair(folder)) is not None]
        if pairs:
            return list(pairs)
    return _dicom_studies(path, pet_series, pet_match, case_name)


def read_manifest(path: Path) -> list[dict[str, str]]:
    """The rows of a CSV manifest with at least ``case`` and ``pet``; paths made absolute."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: cannot be read", "Give a CSV manifest in UTF-8.") from error
    rows = list(csv.DictReader(text.splitlines()))
    if not rows or not {"case", "pet"} <= set(rows[0]):
        raise InputError(f"{path}: has no rows of case,pet", "Its first line: case,pet,ct.")
    for row in rows:
        for column in ("pet", "ct", "roi"):
            if row.get(column):
                row[column] = str((path.parent / row[column]).resolve())
    return rows


def _manifest(path: Path) -> list[Study | Failure]:
    found: list[Study | Failure] = []
    for row in read_manifest(path):
        case = safe_name(row["case"])
        try:
            found.append(_from_row(case, row))
        except TmtvError as error:
            found.append(Failure(case, error))
    return found


def _from_row(case: str, row: Mapping[str, str]) -> Study:
    pet, ct = Path(row["pet"]), Path(row["ct"]) if row.get("ct") else None
    roi = Path(row["roi"]) if row.get("roi") else None
    for path in (pet, ct, roi):
        if path is not None and not path.exists():
            raise InputError(f"{path}: does not exist", "Correct the manifest.")
    extra = {k: v for k, v in row.items() if k not in ("case", "pet", "ct", "roi") and v}
    if pet.is_file():
        return Study(case, "nifti", (pet,), (ct,) if ct else (), pet.parent, (), roi, extra)
    (found,) = _only_studies(pet)
    files = found.ct
    if ct is not None:
        from tmtv_engine.dicom.discover import find_series

        files = max((s.files for s in find_series(ct) if s.modality == "CT"), key=len, default=())
    return Study(case, found.kind, found.pet, files, found.folder, found.notices, roi, extra)


def _only_studies(path: Path) -> list[Study]:
    several = find_studies(path)
    failed = [s.error for s in several if isinstance(s, Failure)]
    if failed:
        raise failed[0]
    studies = [s for s in several if isinstance(s, Study)]
    if len(studies) != 1:
        raise AmbiguousInput(f"{path}: holds {len(studies)} studies", "Name one folder a row.")
    return studies


def _nifti_pair(folder: Path) -> Study | None:
    pet = next((folder / name for name in PET_NAMES if (folder / name).is_file()), None)
    if pet is None:
        return None
    return _nifti_file(pet)


def _nifti_file(path: Path) -> Study:
    """A PET named by itself: with its CT and its folder's name if it is called as in a pair."""
    if path.name in PET_NAMES:
        ct = next((path.parent / n for n in CT_NAMES if (path.parent / n).is_file()), None)
        case = safe_name(path.resolve().parent.name)
        return Study(case, "nifti", (path,), (ct,) if ct else (), path.parent)
    return Study(safe_name(path.name.split(".nii")[0]), "nifti", (path,), (), path.parent)


def _dicom_studies(
    path: Path, pet_series: str | None, pet_match: str | None, case_name: CaseName
) -> list[Study | Failure]:
    from tmtv_engine.dicom.discover import find_series

    series = find_series(path)
    pets = [s for s in series if s.modality == "PT"]
    if not pets:
        remedy = "Give a folder of DICOM with a PET series, or one with pet.nii.gz in SUV."
        raise InputError(f"{path}: no PET was found", remedy)
    found: list[Study | Failure] = []
    for uid in sorted({s.study_uid for s in pets}):
        own = [s for s in series if s.study_uid == uid]
        try:
            pet = _the_pet([s for s in own if s.modality == "PT"], pet_series, pet_match)
            if pet is not None:
                found.append(_study(path, pet, own, case_name))
        except TmtvError as error:
            found.append(Failure(f"study {uid}", error))
    if not found:
        raise InputError(f"{path}: no PET series is the one asked for", _listed(pets))
    failed = [s for s in found if isinstance(s, Failure)]
    if len(failed) == len(found) == 1:
        raise failed[0].error
    return found


def _the_pet(
    pets: Sequence[Series], pet_series: str | None, pet_match: str | None
) -> Series | None:
    """The one PET of a study: as asked, else attenuation-corrected, static and whole-body."""
    if pet_series:
        return next((s for s in pets if s.uid == pet_series), None)
    if pet_match:
        try:
            pets = [s for s in pets if re.search(pet_match, s.description, re.IGNORECASE)]
        except re.error as error:
            raise UsageError(f"--pet-match {pet_match!r} is no pattern", str(error)) from error
        if not pets:
            return None
    for wanted in (lambda s: s.attenuation_corrected, lambda s: not s.dynamic):
        pets = [s for s in pets if wanted(s)] or pets
    longest = max(s.extent_mm for s in pets)
    pets = [s for s in pets if s.extent_mm >= WHOLE_SHARE * longest]
    if len(pets) > 1:
        raise AmbiguousInput(
            f"several PET series could be meant: {_listed(pets)}", "--pet-series UID"
        )
    return pets[0]


def _listed(pets: Sequence[Series]) -> str:
    return "; ".join(str(s) for s in pets[:8])


def _study(path: Path, pet: Series, own: Sequence[Series], case_name: CaseName) -> Study:
    scans = [s for s in own if s.modality == "CT" and s.frames > 1]
    framed = [s for s in scans if s.frame_uid == pet.frame_uid]
    ct = max(framed or scans, key=lambda s: (s.extent_mm, s.frames, s.uid), default=None)
    notices = (notice("frames-differ", "CT"),) if ct is not None and not framed else ()
    case = hashlib.sha256(f"{pet.study_uid}\n{pet.uid}".encode()).hexdigest()[:12]
    if case_name == "folder":
        case = safe_name(path.resolve().name)
    elif case_name == "patient-id":
        from tmtv_engine.dicom.parse import read_header

        case = safe_name(read_header(pet.files[0]).get("PatientID", "") or case)
    files = ct.files if ct is not None else ()
    return Study(case, "dicom", pet.files, files, path, notices)
