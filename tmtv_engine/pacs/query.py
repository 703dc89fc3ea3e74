"""What a PACS says it holds: studies that were asked for, their series, the instances of these.

Nothing that it says is believed as it stands: UIDs must be UIDs, a study must be one that was
asked for, and lists end somewhere.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from fnmatch import translate
from itertools import product
from typing import Literal, Protocol

from tmtv_engine.errors import InputError, UsageError
from tmtv_engine.text import clean

Level = Literal["STUDY", "SERIES", "IMAGE"]
Keys = Mapping[str, str]  # keyword → what must match, "" for what is to be told
MOST: Mapping[Level, int] = {"STUDY": 100_000, "SERIES": 10_000, "IMAGE": 100_000}
KINDS = frozenset({"PT", "CT", "RTSTRUCT", "SEG"})  # modalities of PET, CT and ROIs
_UID_OF: Mapping[Level, str] = {
    "STUDY": "StudyInstanceUID",
    "SERIES": "SeriesInstanceUID",
    "IMAGE": "SOPInstanceUID",
}


@dataclass(frozen=True)
class Series:
    """A series of a study; ``modality`` as the PACS tells it."""

    study: str
    uid: str
    modality: str = ""


class Source(Protocol):
    """One way to ask and to get. All raise `NetworkError` where the PACS cannot be talked to."""

    def open(self) -> None:
        """Connect and verify."""

    def find(self, level: Level, keys: Keys) -> Iterator[Mapping[str, str]]:
        """Answers by keyword, as they come, as the PACS gives them."""

    def get(
        self, series: Series, wanted: frozenset[str], whole: bool, take: Callable[[bytes], bool]
    ) -> str:
        """Hand the files of ``wanted`` instances, the ``whole`` of a series or some, to ``take``.

        ``take`` says whether it was one of them. Returns what the PACS has to say; raises
        `ConnectionError` where the connection is lost.
        """

    def close(self) -> None:
        """Leave in order; never raises."""


@dataclass(frozen=True)
class Asked:
    """Which studies: of any of these patients, with any of these accession numbers, of a date.

    ``patients`` and ``accessions`` may hold ``*`` and ``?``; ``date`` is YYYYMMDD or a range
    YYYYMMDD-YYYYMMDD, open at one end where that is empty. Raises `UsageError`.
    """

    patients: tuple[str, ...] = ()
    date: str = ""
    accessions: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not (self.patients or self.date or self.accessions):
            raise UsageError(
                "nothing says which studies to fetch",
                "Give --patient-id, --study-date or --accession.",
            )
        for option, texts in (("--patient-id", self.patients), ("--accession", self.accessions)):
            for text in texts:
                if not text.strip(" *?") or "\\" in text or not text.isprintable():
                    raise UsageError(f"{option} {clean(text)!r} names nothing", "See the PACS.")
        object.__setattr__(self, "date", _date_range(self.date))

    def queries(self) -> Iterator[Keys]:
        """The questions that ask for all of them."""
        for patient, accession in product(self.patients or ("",), self.accessions or ("",)):
            yield {"PatientID": patient, "StudyDate": self.date, "AccessionNumber": accession}


def studies(source: Source, asked: Asked, strays: Callable[[str], None]) -> list[str]:
    """UIDs of the studies that were asked for, each once.

    What the PACS answers beside them is told to ``strays`` and left alone. Raises `InputError`.
    """
    found: dict[str, None] = {}
    for keys in asked.queries():
        for answer in _bounded(source, "STUDY", {"StudyInstanceUID": "", **keys}):
            if all(_matches(key, keys[key], answer.get(key, "")) for key in keys):
                found[_uid("STUDY", answer)] = None
            else:
                strays("the PACS answers with a study that was not asked for: left alone")
    return list(found)


def series_of(source: Source, study: str) -> list[Series]:
    """The series of a study, each once."""
    keys = {"StudyInstanceUID": study, "SeriesInstanceUID": "", "Modality": ""}
    found: dict[str, Series] = {}
    for answer in _bounded(source, "SERIES", keys):
        uid = _uid("SERIES", answer)
        found[uid] = Series(study, uid, answer.get("Modality", "").strip().upper())
    return list(found.values())


def instances_of(source: Source, series: Series) -> list[str]:
    """The SOP instance UIDs of a series, each once."""
    keys = {"StudyInstanceUID": series.study, "SeriesInstanceUID": series.uid}
    answers = _bounded(source, "IMAGE", {**keys, "SOPInstanceUID": ""})
    return list(dict.fromkeys(_uid("IMAGE", answer) for answer in answers))


def is_uid(text: str) -> bool:
    """Whether it is one: digits and points, 64 at most."""
    return len(text) <= 64 and re.fullmatch(r"[0-9]+(\.[0-9]+)*", text) is not None


def _bounded(source: Source, level: Level, keys: Keys) -> Iterator[Mapping[str, str]]:
    for count, answer in enumerate(source.find(level, keys)):
        if count == MOST[level]:
            what = f"the PACS answers with more than {count} at the {level} level"
            raise InputError(what, "Ask for less: a date, a patient.")
        yield answer


def _uid(level: Level, answer: Mapping[str, str]) -> str:
    text = answer.get(_UID_OF[level], "").strip("\0 ")
    if not is_uid(text):
        what = f"the PACS answers with a {_UID_OF[level]} that is none: {clean(text)!r}"
        raise InputError(what, "Nothing is fetched by it.")
    return text


def _matches(key: str, wanted: str, told: str) -> bool:
    """Whether an answer is one to the question, by DICOM's rules of matching."""
    told = told.strip("\0 ")
    if not wanted:
        return True
    if key == "StudyDate":
        first, dash, last = wanted.partition("-")
        return first <= told <= (last or "9") if dash else told == wanted
    pattern = translate(wanted.strip().replace("[", "[[]"))
    return re.fullmatch(pattern, told, re.IGNORECASE) is not None


def _date_range(text: str) -> str:
    """The range as DICOM writes it; raises `UsageError`."""
    plain = re.sub(r"(\d{4})-(\d{2})-(\d{2})", r"\1\2\3", text.strip())
    first, dash, last = plain.partition("-")
    try:
        for part in (first, last):
            if part and datetime.strptime(part, "%Y%m%d").strftime("%Y%m%d") != part:
                raise ValueError
        if (text and not (first or last)) or (first and last and first > last):
            raise ValueError
    except ValueError:
        remedy = "Write 20240131, or a range: 20240101-20240331, 20240101-."
        raise UsageError(f"--study-date {clean(text)!r} is no date", remedy) from None
    return f"{first}{dash}{last}"
