"""Sending what was exported: C-STORE to a DICOM node or DICOMweb, each object once.

    tmtv send CASE --to AET@HOST:PORT     verification (C-ECHO), then C-STORE
    tmtv send CASE --to https://…         STOW-RS

What goes out is noted in ``export/sent.jsonl`` before it goes, and again once the receiver took
it, so that a run after a kill goes on where that one stopped. An object that was going out at
that moment is asked for (C-FIND, QIDO-RS) and sent again only if the receiver does not hold it,
or cannot say: it carries the same UID and the same bytes.
"""

from __future__ import annotations

import hashlib
import io
import re
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol

from tmtv_engine.errors import CaseError, InputError
from tmtv_engine.files import open_own
from tmtv_engine.pacs.ledger import Ledger, locked
from tmtv_engine.pacs.peers import (
    CALLER,
    Answer,
    Destination,
    Item,
    NetworkError,
    Node,
    Security,
    ae_title,
)
from tmtv_engine.text import clean

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

WAITS_S = (1.0, 3.0)
_NAMED = ["SOPClassUID", "SOPInstanceUID"]


@dataclass(frozen=True)
class Sent:
    """What became of one file: ``already`` was taken by an earlier run."""

    path: Path
    uid: str
    outcome: Literal["taken", "already", "refused"]
    detail: str = ""


class Transport(Protocol):
    """One way to send. Both raise `NetworkError` where the receiver cannot be talked to."""

    def open(self, items: Sequence[Item]) -> None:
        """Connect and verify, for objects of these kinds."""

    def store(self, item: Item, dataset: Dataset) -> Answer:
        """Send one object; raises `ConnectionError` where the connection is lost."""

    def has(self, item: Item) -> bool | None:
        """Whether the receiver holds the object already; None where it cannot be asked."""

    def close(self) -> None:
        """Leave in order; never raises."""


def transport_to(
    to: Destination,
    *,
    caller: str = CALLER,
    security: Security | None = None,
    environment: Mapping[str, str] | None = None,
) -> Transport:
    """The way to ``to``; credentials for DICOMweb come from ``environment`` (TMTV_TOKEN, or
    TMTV_USER and TMTV_PASSWORD)."""
    from tmtv_engine.pacs.cstore import CStore
    from tmtv_engine.pacs.stow import Stow

    security = security or Security()
    if isinstance(to, Node):
        return CStore(to, ae_title(caller, "--aet"), security)
    return Stow(to, security, environment or {})


def dicom_files(case: Path) -> list[Path]:
    """The DICOM files below a case's ``export``, by name; `CaseError` where there is none."""
    folder = case / "export"
    if folder.is_symlink():
        raise CaseError(f"{folder} is a link", "Objects are sent from the case folder only.")
    files = sorted(p for p in folder.rglob("*.dcm") if p.is_file() and not p.name.startswith("."))
    if not files:
        raise CaseError(f"{folder} holds no DICOM", "Write it first: tmtv export CASE --write seg.")
    return files


def send(
    case: Path,
    to: Destination,
    transport: Transport,
    *,
    progress: Callable[[Sent, int, int], None] | None = None,
    waits_s: Sequence[float] = WAITS_S,
) -> list[Sent]:
    """Send a case's exported objects, those left that the ledger does not know.

    ``progress(sent, done, of)`` is told of each. What the receiver refuses is in the result, the
    others go on. ``waits_s``: the pauses before trying again where it is busy or the connection
    breaks. Raises `NetworkError` where it cannot be reached or will not talk to us: what was
    taken until then is in the ledger.
    """
    files = dicom_files(case)
    results: list[Sent] = []

    def tell(sent: Sent) -> None:
        results.append(sent)
        if progress is not None:
            progress(sent, len(results), len(files))

    with locked(case / "export") as ledger:
        items = []
        for sent, item in _sorted_out(files, ledger, str(to)):
            if sent is not None:
                tell(sent)
            elif item is not None:
                items.append(item)
        for sent in _sent(items, transport, waits_s, _Noted(ledger, str(to))):
            tell(sent)
    return results


def outdated(folder: Path) -> list[Path]:
    """Of a case's exported SEG, SR, RTSTRUCT and MIP those that an earlier reading made."""
    from tmtv_engine.case.folder import read_case
    from tmtv_engine.export.job import job_of

    job = job_of(read_case(folder))
    keys = [method.key for method in job.methods]
    now = {str(job.uid(kind, key, "object")) for kind in ("SEG", "RTSTRUCT") for key in keys}
    now |= {str(job.uid(kind, "object")) for kind in ("SR", "MIP")}
    names = re.compile(r"(seg_.+|rtstruct_.+|sr|mip)\.dcm")
    found = [path for path in dicom_files(folder) if names.fullmatch(path.name)]
    return [path for path in found if read_item(path).uid not in now]


@dataclass(frozen=True)
class _Noted:
    """The ledger of one case, for one destination."""

    ledger: Ledger
    to: str

    def begun(self, item: Item) -> bool:
        """Whether an earlier run sent it and did not live to hear the answer."""
        return self.ledger.begun(self.to, item.uid, item.sha256)

    def begin(self, item: Item) -> None:
        """It is about to go out."""
        self.ledger.add(self.to, item.uid, item.sha256, taken=False)

    def taken(self, item: Item) -> None:
        """The receiver took it."""
        self.ledger.add(self.to, item.uid, item.sha256)


def _sorted_out(
    files: Sequence[Path], ledger: Ledger, to: str
) -> Iterator[tuple[Sent | None, Item | None]]:
    """Each file as what is settled already, or as an item to send."""
    for path in files:
        try:
            item = read_item(path)
        except InputError as error:
            yield Sent(path, "", "refused", error.what), None
            continue
        if ledger.has(to, item.uid, item.sha256):
            yield Sent(path, item.uid, "already"), None
        else:
            yield None, item


def read_item(path: Path) -> Item:
    """The identity of a DICOM file; raises `InputError` where it is none, or a link."""
    raw = _bytes(path)
    head = _parsed(path, raw, ["StudyInstanceUID", "SeriesInstanceUID", *_NAMED])
    try:
        kind, uid, syntax = head.SOPClassUID, head.SOPInstanceUID, head.file_meta.TransferSyntaxUID
    except AttributeError as error:
        raise InputError(f"{path.name} is no DICOM file", "Export it anew.") from error
    return Item(
        path,
        str(kind),
        str(head.get("StudyInstanceUID") or ""),
        str(head.get("SeriesInstanceUID") or ""),
        str(uid),
        str(syntax),
        hashlib.sha256(raw).hexdigest(),
    )


def _bytes(path: Path) -> bytes:
    try:
        with open_own(path) as stream:
            found: bytes = stream.read()
            return found
    except OSError as error:
        raise InputError(f"{path.name} is no file of the case", "A link is not sent.") from error


def _parsed(path: Path, raw: bytes, tags: list[str] | None = None) -> Any:
    import pydicom

    try:
        return pydicom.dcmread(io.BytesIO(raw), specific_tags=tags)
    except Exception as error:  # pydicom has many for what is no DICOM
        raise InputError(f"{path.name} is no DICOM file", "Export it anew.") from error


def _sent(
    items: Sequence[Item], transport: Transport, waits_s: Sequence[float], noted: _Noted
) -> Iterator[Sent]:
    """Each item's fate; a broken connection is made anew, and so is one to a busy receiver."""
    if not items:
        return
    try:
        transport.open(items)
        for item in items:
            if noted.begun(item) and transport.has(item):
                noted.taken(item)
                yield Sent(item.path, item.uid, "already", "the receiver holds it")
                continue
            answer = _stored(item, items, transport, waits_s, noted)
            outcome: Literal["taken", "refused"] = (
                "taken" if answer.outcome == "taken" else "refused"
            )
            if outcome == "taken":
                noted.taken(item)
            yield Sent(item.path, item.uid, outcome, clean(answer.detail, 200))
    finally:
        transport.close()


def _stored(
    item: Item,
    items: Sequence[Item],
    transport: Transport,
    waits_s: Sequence[float],
    noted: _Noted,
) -> Answer:
    """The receiver's answer to one object; the last one where it stays busy."""
    raw = _bytes(item.path)
    if hashlib.sha256(raw).hexdigest() != item.sha256:
        return Answer("refused", "it was exported anew meanwhile: send again")
    dataset = _parsed(item.path, raw)
    noted.begin(item)
    for wait in waits_s:
        try:
            answer = transport.store(item, dataset)
            if answer.outcome != "later":
                return answer
            time.sleep(wait)
        except ConnectionError:
            transport.close()
            time.sleep(wait)
            transport.open(items)
            if transport.has(item):
                return Answer("taken")
    try:
        return transport.store(item, dataset)
    except ConnectionError as error:
        raise NetworkError(
            f"the connection was lost at {item.path.name}: {clean(error)}",
            "The same command goes on from there.",
        ) from error
