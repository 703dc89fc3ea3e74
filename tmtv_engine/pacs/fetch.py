"""Studies from a PACS into a folder: PET, CT and ROIs, each instance once, going on where it was.

    tmtv fetch --from AET@HOST:PORT …     C-FIND, then C-GET, or C-MOVE to a port of ours
    tmtv fetch --from https://…           QIDO-RS and WADO-RS

``FOLDER/s<12 hex>/<modality>-<12 hex>/<16 hex>.dcm``: names are hashes of UIDs, so that nothing
that a PACS says becomes a path, and the same study has the same place on every run. Each file is
written aside, brought to the disk and renamed: one that is there is whole, and is not asked for
again.
"""

from __future__ import annotations

import hashlib
import io
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, TypeVar

from tmtv_engine.errors import DiskError, InputError
from tmtv_engine.files import PRIVATE, alone, make_folder, own_folder, write_bytes
from tmtv_engine.pacs.peers import CALLER, Destination, NetworkError, Node, Security, ae_title
from tmtv_engine.pacs.query import KINDS, Asked, Series, Source, instances_of, series_of, studies
from tmtv_engine.text import clean

WAITS_S = (1.0, 3.0)
Outcome = Literal["fetched", "already", "passed", "failed"]
T = TypeVar("T")


@dataclass(frozen=True)
class Fetched:
    """What became of one study.

    ``fetched`` says something new came, ``already`` that all was there, ``passed`` that it has no
    PET; ``new`` and ``there`` count instances.
    """

    folder: Path
    study: str
    outcome: Outcome
    new: int = 0
    there: int = 0
    detail: str = ""


def source_of(
    place: Destination,
    *,
    caller: str = CALLER,
    security: Security | None = None,
    environment: Mapping[str, str] | None = None,
    move_port: int | None = None,
) -> Source:
    """The way to ask ``place``: DICOMweb, C-GET, or with ``move_port`` C-MOVE to that port of ours.

    Credentials for DICOMweb come from ``environment``, as for sending.
    """
    from tmtv_engine.pacs.retrieve import Retrieve
    from tmtv_engine.pacs.wado import Wado

    security = security or Security()
    if isinstance(place, Node):
        return Retrieve(place, ae_title(caller, "--aet"), security, move_port)
    return Wado(place, security, environment or {})


def fetch(
    folder: Path,
    asked: Asked,
    source: Source,
    *,
    say: Callable[[str], None] = lambda text: None,
    progress: Callable[[int, int, Path], None] = lambda at, of, folder: None,
    waits_s: Sequence[float] = WAITS_S,
) -> Iterator[Fetched]:
    """Fetch what is ``asked`` for below ``folder``; each study's fate as it comes.

    A study of which something is missing in the end is ``failed``, the others go on. Raises
    `NetworkError` where the PACS cannot be reached or talked to, `DiskError` where the disk
    refuses: what came until then is there, and the same call goes on from it.
    """
    make_folder(folder)
    with ExitStack() as stack:
        stack.enter_context(alone(folder))
        stack.callback(source.close)
        source.open()
        found = _again(lambda: studies(source, asked, say), source, waits_s)
        for number, study in enumerate(found):
            place = folder / f"s{_hash(study, 12)}"
            progress(number, len(found), place)
            one = _Study(study, place, source)
            try:
                yield _again(one.fetched, source, waits_s)
            except InputError as error:
                source.close()
                source.open()
                yield Fetched(place, study, "failed", len(one.came), detail=error.what)


def _again(ask: Callable[[], T], source: Source, waits_s: Sequence[float]) -> T:
    """What ``ask`` gives; a broken connection is made anew, and it is asked again."""
    for wait in waits_s:
        try:
            return ask()
        except ConnectionError:
            source.close()
            time.sleep(wait)
            source.open()
    try:
        return ask()
    except ConnectionError as error:
        what = f"no connection: {clean(error, 200)}"
        raise NetworkError(what, "Does it let us ask? If so, the same command goes on.") from error


@dataclass
class _Study:
    """One study on its way; ``came``: the instances that this run brought."""

    uid: str
    place: Path
    source: Source
    came: list[str] = field(default_factory=list)

    def fetched(self) -> Fetched:
        """Get what is missing of it; raises `InputError` where the answers are none."""
        series = series_of(self.source, self.uid)
        if not any(s.modality == "PT" for s in series):
            kinds = ", ".join(sorted({clean(s.modality, 16) or "?" for s in series}))
            told = f"no PET in it ({kinds or 'no series'})"
            return Fetched(self.place, self.uid, "passed", detail=told)
        wanted = [s for s in series if s.modality in KINDS]
        seen: set[str] = set()
        parts = [self._series(one, seen) for one in wanted]
        there = sum(n for n, _ in parts) - len(self.came)
        told = "; ".join(text for _, text in parts if text)
        outcome: Outcome = "failed" if told else "fetched" if self.came else "already"
        return Fetched(self.place, self.uid, outcome, len(self.came), there, told)

    def _series(self, one: Series, seen: set[str]) -> tuple[int, str]:
        """How many instances of a series are there in the end, and what is wrong with it."""
        listed = [uid for uid in instances_of(self.source, one) if uid not in seen]
        seen.update(listed)
        if not listed:
            return 0, f"{one.modality}: the PACS lists no instance"
        parent = own_folder(self.place.parent, self.place.name)
        arrived = _Arrived(one, own_folder(parent, f"{one.modality}-{_hash(one.uid, 12)}"), listed)
        said = ""
        try:
            if arrived.missing:
                whole = len(arrived.missing) == len(listed)
                missing = frozenset(arrived.missing)
                said = self.source.get(one, missing, whole, arrived.take)
        finally:
            self.came += arrived.came
            if arrived.error is not None:
                raise arrived.error
        if not arrived.missing:
            return len(listed), ""
        lack = f"{one.modality}: {len(arrived.missing)} of {len(listed)} did not come"
        return len(listed) - len(arrived.missing), f"{lack} ({clean(said, 200)})" if said else lack


@dataclass
class _Arrived:
    """The files of a series: what is there, what is missing; takes what comes and belongs here."""

    series: Series
    folder: Path
    listed: Sequence[str]
    came: list[str] = field(default_factory=list)
    missing: set[str] = field(default_factory=set)
    error: DiskError | None = None

    def __post_init__(self) -> None:
        self.missing = {uid for uid in self.listed if not self._path(uid).is_file()}

    def take(self, raw: bytes) -> bool:
        """Keep a file if it is one of those that are missing; what it is stands in it."""
        uid = _identity(raw, self.series)
        if uid not in self.missing or self.error is not None:
            return False
        try:
            write_bytes(self._path(uid), raw, PRIVATE)
        except DiskError as error:  # told where nothing catches everything
            self.error = error
            return False
        self.missing.discard(uid)
        self.came.append(uid)
        return True

    def _path(self, uid: str) -> Path:
        return self.folder / f"{_hash(uid, 16)}.dcm"


def _identity(raw: bytes, series: Series) -> str:
    """The SOP instance UID of a DICOM file of that series; "" where it is none of it."""
    import pydicom

    tags: list[Any] = ["StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID"]
    with suppress(Exception):  # pydicom has many for what is no DICOM
        head = pydicom.dcmread(io.BytesIO(raw), specific_tags=tags, stop_before_pixels=True)
        if (str(head.StudyInstanceUID), str(head.SeriesInstanceUID)) == (series.study, series.uid):
            return str(head.SOPInstanceUID)
    return ""


def _hash(uid: str, digits: int) -> str:
    return hashlib.sha256(uid.encode()).hexdigest()[:digits]
