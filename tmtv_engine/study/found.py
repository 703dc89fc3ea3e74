"""What a search finds: studies, studies that cannot be taken, and what is left over."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Literal, Protocol

from tmtv_engine.errors import TmtvError
from tmtv_engine.notices import Notice
from tmtv_engine.suv.overrides import Overrides

CaseName = Literal["hash", "folder", "patient-id"]
Kind = Literal["dicom", "nifti"]


EMPTY = "an empty folder"


class Renamed(Protocol):
    """What files lie under another name for a while (`archive.Unpacked`)."""

    def named(self, path: Path, /) -> Path:
        """Their own name."""
        ...

    def said(self, text: str, /) -> str:
        """A text by their own names."""
        ...


@dataclass(frozen=True)
class Study:
    """A PET that can be loaded, with its CT if there is one; ``case`` names its folder.

    ``kind`` "nifti" stands for every image that is no DICOM. The files of a study in a zip have
    the zip before their name in it, are there while it is `archive.unpacked`, and
    `called` what they were then; ``archives`` are the zips that it comes in.
    ``row`` is its row in a manifest (`table.csv:3`), ``overrides`` are the row's, ``extra`` its
    further columns; a row ``named`` its case, its patient and its ``timepoint``. Of DICOM, as its
    headers say: whose it is and when, the SOP instances of the PET, its ``shape`` without axes of
    one, and the first file's first pixel (LPS mm).
    ``home`` is the highest folder that holds nothing of other studies.
    """

    case: str
    kind: Kind
    pet: tuple[Path, ...]
    ct: tuple[Path, ...] = ()
    folder: Path = Path()
    notices: tuple[Notice, ...] = ()
    roi: Path | None = None
    extra: Mapping[str, str] = field(default_factory=dict)
    archives: tuple[Path, ...] = ()
    overrides: Overrides | None = None
    named: bool = False
    patient_id: str = ""
    study_date: str = ""
    timepoint: str = ""
    instances: frozenset[str] = frozenset()
    shape: tuple[int, ...] = ()
    corner_mm: tuple[float, float, float] | None = None
    there: Renamed | None = None
    home: Path | None = None
    uid: str = ""
    row: Path | None = None

    @property
    def named_folder(self) -> Path:
        """The folder that stands in what is written: for unpacked files their zip's."""
        return self.folder.resolve()

    def called(self, path: Path) -> Path:
        """What stands in what is written for one of its files: one unpacked by its zip."""
        return self.there.named(path) if self.there else path

    @property
    def path(self) -> Path:
        """What a person calls it: its PET's file, or the folder that holds the PET's files."""
        return place_of(self.pet)

    @property
    def organs(self) -> Path | None:
        """Its label map of organs, where one was given."""
        path = self.extra.get("organs")
        return Path(path) if path else None

    def absolute(self) -> Study:
        """The same by paths that another process finds wherever it was started."""
        return replace(
            self,
            pet=tuple(p.absolute() for p in self.pet),
            ct=tuple(p.absolute() for p in self.ct),
            folder=self.folder.absolute(),
            archives=tuple(p.absolute() for p in self.archives),
            home=self.home and self.home.absolute(),
            row=self.row and self.row.absolute(),
            roi=self.roi and self.roi.absolute(),
        )

    def told(self, given: Overrides) -> Overrides:
        """What is said instead of the header: ``given`` for all, its row's own before that."""
        own = self.overrides
        if own is None:
            return given
        blank = Overrides()
        names = (f.name for f in fields(Overrides))
        return replace(
            given, **{n: getattr(own, n) for n in names if getattr(own, n) != getattr(blank, n)}
        )


@dataclass(frozen=True)
class Failure:
    """A study that cannot be taken: where it lies, why, and whose it is where that is known.

    ``kind`` is "export" where its case stands, which ``case`` names, and only the export failed.
    """

    path: Path
    error: TmtvError
    patient_id: str = ""
    study_date: str = ""
    study_uid: str = ""
    kind: Literal["failure", "export"] = "failure"
    case: str = ""


@dataclass(frozen=True)
class Leftover:
    """A file, or a folder of files, that belongs to no case, and why; of a study by its UID."""

    path: Path
    why: str
    study_uid: str = ""


@dataclass(frozen=True)
class Stock:
    """Everything below some paths: each file belongs to a study, a failure or a leftover."""

    studies: tuple[Study, ...] = ()
    failures: tuple[Failure, ...] = ()
    leftovers: tuple[Leftover, ...] = ()

    @property
    def nothing(self) -> bool:
        """Whether not a single file was found."""
        return (
            not self.studies and not self.failures and all(o.why == EMPTY for o in self.leftovers)
        )

    def __add__(self, other: Stock) -> Stock:
        return Stock(
            (*self.studies, *other.studies),
            (*self.failures, *other.failures),
            (*self.leftovers, *other.leftovers),
        )


def place_of(files: Sequence[Path]) -> Path:
    """The one file, or the deepest folder that holds all ``files``."""
    if len(files) == 1:
        return files[0]
    parents = [p.parent for p in files]
    common = parents[0]
    while not all(p.is_relative_to(common) for p in parents):
        common = common.parent
    return common


MANY = 20


def gathered(files: Sequence[tuple[Path, str]]) -> list[Leftover]:
    """Leftovers of single files; of more than `MANY` alike in a folder one row for the folder."""
    alike: dict[tuple[Path, str], list[Path]] = {}
    for path, why in files:
        alike.setdefault((path.parent, why), []).append(path)
    found = []
    for (folder, why), own in alike.items():
        if len(own) <= MANY:
            found += [Leftover(path, why) for path in own]
        else:
            named = ", ".join(p.name for p in own[:3])
            found.append(Leftover(folder, f"{len(own)} files ({named} …): {why}"))
    return found
