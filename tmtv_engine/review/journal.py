"""The journal of one reader: a decision a line, chained by hashes, on disk before it counts.

``review/<reader>.jsonl`` is only ever appended to. A line's ``hash`` is the SHA-256 of its
canonical JSON without ``hash``; ``prev`` is the hash of the line before ("" for the first). A
last line without its newline is no decision and is cut off by whoever appends next.
"""

from __future__ import annotations

import getpass
import hashlib
import json
import os
import socket
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tmtv_engine.errors import CaseError, UsageError
from tmtv_engine.files import canonical
from tmtv_engine.text import clean, safe_name

UNDOABLE = frozenset({"accept", "reject", "split", "add", "note", "flag", "unflag"})
ACTIONS = UNDOABLE | {"open", "close", "undo", "redo", "sign", "unsign"}
TEXT_LIMIT = 2000
REASON_LIMIT = 200


@dataclass(frozen=True)
class Decision:
    """What a reader does. ``target`` is the line that an undo or redo means, or the reject that
    this one gives a reason for: it takes that one's place, so that one undo undoes both."""

    action: str
    lesions: tuple[int, ...] = ()
    target: int | None = None
    reason: str | None = None
    text: str | None = None

    def __post_init__(self) -> None:
        if self.action not in ACTIONS:
            raise UsageError(f"no decision is called {clean(self.action)!r}")
        object.__setattr__(self, "lesions", tuple(int(n) for n in self.lesions))
        for name, limit in (("reason", REASON_LIMIT), ("text", TEXT_LIMIT)):
            value = getattr(self, name)
            object.__setattr__(self, name, None if value is None else clean(value, limit))


@dataclass(frozen=True)
class Line:
    """One line of a journal, exactly as it stands in the file."""

    seq: int
    at: str
    reader: str
    host: str
    action: str
    lesions: tuple[int, ...]
    target: int | None
    reason: str | None
    text: str | None
    labels_sha256: str
    prev: str
    hash: str

    @property
    def time(self) -> datetime:
        """When it was written."""
        return datetime.fromisoformat(self.at.replace("Z", "+00:00"))


KEYS = frozenset(Line.__dataclass_fields__)


def login() -> str:
    """The login name, as a reader's name."""
    try:
        return safe_name(getpass.getuser())
    except (KeyError, OSError):
        return "reader"


def journal_path(case: Path, reader: str) -> Path:
    """Where the journal of ``reader`` lies; raises `UsageError` for a name that is no file's."""
    if safe_name(reader) != reader:
        raise UsageError(
            f"{clean(reader)!r} cannot be a reader's name",
            "Take letters, digits, '.', '_' and '-', at most 64.",
        )
    return case / "review" / f"{reader}.jsonl"


def journals(case: Path) -> list[Path]:
    """The journals of a case, by reader."""
    return sorted((case / "review").glob("*.jsonl"))


def line_hash(fields: dict[str, Any]) -> str:
    """SHA-256 of a line's canonical JSON without its ``hash``."""
    return hashlib.sha256(canonical({k: v for k, v in fields.items() if k != "hash"})).hexdigest()


@dataclass
class Journal:
    """A journal file and what has been read of it; `read` takes in what others appended."""

    path: Path
    lines: list[Line] = field(default_factory=list)
    _end: int = 0

    @property
    def reader(self) -> str:
        """Whose it is."""
        return self.path.name.removesuffix(".jsonl")

    @property
    def head(self) -> str:
        """The hash of the last line; "" of an empty journal."""
        return self.lines[-1].hash if self.lines else ""

    def read(self) -> list[Line]:
        """All whole lines so far. Raises `CaseError` where the chain is broken."""
        if not self.path.exists():
            self.lines, self._end = [], 0
            return self.lines
        with self.path.open("rb") as stream:
            self._take(stream)
        return self.lines

    def append(self, labels_sha256: str, decide: Callable[[Sequence[Line]], Decision]) -> Line:
        """Append what ``decide`` answers to the lines so far, and return it once it is on disk.

        The lock is held from reading the tail to the end of the flush, so that several
        processes write one whole chain. An error of ``decide`` leaves the journal as it was.
        """
        import filelock

        self.path.parent.mkdir(exist_ok=True)
        try:
            with filelock.FileLock(self.path.parent / f".{self.reader}.lock", timeout=30):
                self.read()
                line = self._next(decide(self.lines), labels_sha256)
                self._write(line)
        except filelock.Timeout as error:
            raise CaseError(f"{self.path} is locked by another process", "Try again.") from error
        except OSError as error:
            raise CaseError(
                f"{self.path}: {error.strerror or error}", "The decision was not recorded."
            ) from error
        self.lines.append(line)
        return line

    def _take(self, stream: Any) -> None:
        if os.fstat(stream.fileno()).st_size < self._end:
            raise CaseError(f"{self.path} has become shorter", "Somebody cut it: tmtv verify.")
        stream.seek(self._end)
        data = stream.read()
        whole = data[: data.rfind(b"\n") + 1]
        for raw in whole.split(b"\n")[:-1]:
            self.lines.append(self._parse(raw))
        self._end += len(whole)

    def _parse(self, raw: bytes) -> Line:
        where = f"{self.path}: line {len(self.lines) + 1}"
        try:
            found = json.loads(raw)
            told = canonical(found) if isinstance(found, dict) else b""
        except ValueError as error:
            raise CaseError(f"{where} is no JSON", "The journal was changed.") from error
        if told != raw or set(found) != KEYS or found["hash"] != line_hash(found):
            raise CaseError(f"{where} is not as it was written", "The journal was changed.")
        if found["prev"] != self.head or found["seq"] != len(self.lines) + 1:
            raise CaseError(f"{where} does not follow the one before", "The journal was changed.")
        return Line(**{**found, "lesions": tuple(found["lesions"])})

    def _next(self, decision: Decision, labels_sha256: str) -> Line:
        now = datetime.now(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
        fields: dict[str, Any] = {
            **asdict(decision),
            "lesions": list(decision.lesions),
            "seq": len(self.lines) + 1,
            "at": now,
            "reader": self.reader,
            "host": clean(socket.gethostname()),
            "labels_sha256": labels_sha256,
            "prev": self.head,
        }
        return Line(**{**fields, "lesions": decision.lesions, "hash": line_hash(fields)})

    def _write(self, line: Line) -> None:
        """Cut a torn line off, append, and flush file and (for a new file) folder."""
        new = not self.path.exists()
        raw = canonical({**asdict(line), "lesions": list(line.lesions)}) + b"\n"
        handle = os.open(self.path, os.O_RDWR | os.O_CREAT, 0o644)
        try:
            if os.fstat(handle).st_size != self._end:
                os.ftruncate(handle, self._end)
            os.lseek(handle, self._end, os.SEEK_SET)
            try:
                _write_all(handle, raw)
                os.fsync(handle)
            except OSError:
                os.ftruncate(handle, self._end)
                raise
        finally:
            os.close(handle)
        if new:
            _sync_folder(self.path.parent)
        self._end += len(raw)


def _write_all(handle: int, raw: bytes) -> None:
    while raw:
        raw = raw[os.write(handle, raw) :]


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


@dataclass(frozen=True)
class Effective:
    """What of a journal stands: decisions in order, those undone (the last one last) and more."""

    done: tuple[Line, ...]
    undone: tuple[Line, ...]
    signed: Line | None


def effective(lines: Sequence[Line]) -> Effective:
    """Undo and redo resolved. Raises `CaseError` where one names a line that it cannot mean."""
    done: list[Line] = []
    undone: list[Line] = []
    signed: Line | None = None
    for line in lines:
        if line.action in UNDOABLE:
            if _amends(line, done):
                done.pop()
            done.append(line)
            undone = []
        elif line.action in ("undo", "redo"):
            source, target = (done, undone) if line.action == "undo" else (undone, done)
            if not source or source[-1].seq != line.target:
                raise CaseError(f"line {line.seq} of {line.reader}: nothing to {line.action} there")
            target.append(source.pop())
        elif line.action in ("sign", "unsign"):
            signed = line if line.action == "sign" else None
    return Effective(tuple(done), tuple(undone), signed)


def _amends(line: Line, done: Sequence[Line]) -> bool:
    """Whether a reject says why the last decision, a reject of the same lesions, was made."""
    last = done[-1] if done else None
    return (
        line.action == "reject"
        and last is not None
        and (line.target, "reject", line.lesions) == (last.seq, last.action, last.lesions)
    )


IDLE_S = 300.0


def reading_seconds(lines: Sequence[Line]) -> float:
    """Time with the case open, s: from ``open`` to ``close``, gaps over five minutes left out."""
    total, opened, last = 0.0, False, None
    for line in lines:
        if opened and last is not None:
            gap = (line.time - last).total_seconds()
            total += gap if 0 <= gap <= IDLE_S else 0.0
        opened = line.action == "open" or (opened and line.action != "close")
        last = line.time
    return total
