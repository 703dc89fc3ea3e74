"""What was sent where: a line an object, flushed to disk, so that nothing is sent twice."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tmtv_engine.errors import CaseError, DiskError
from tmtv_engine.files import append_at, canonical, open_own, utc_now

NAME = "sent.jsonl"


class Ledger:
    """``sent.jsonl`` of one export folder: destination, SOP instance UID and SHA-256 a line.

    A line with ``state`` ``sending`` was written before an object went out, one without once it
    was taken. A last line without its newline (a kill while writing) is no entry and is cut off.
    Raises `CaseError` where the file cannot be read as what it should be.
    """

    def __init__(self, folder: Path) -> None:
        self.path = folder / NAME
        self._begun: set[tuple[str, str, str]] = set()
        self._known: set[tuple[str, str, str]] = set()
        data = self._data() if os.path.lexists(self.path) else b""
        self._end = data.rfind(b"\n") + 1
        for number, raw in enumerate(data[: self._end].splitlines(), start=1):
            try:
                entry = json.loads(raw)
                key = (entry["destination"], entry["sop_instance_uid"], entry["sha256"])
                (self._begun if entry.get("state") == "sending" else self._known).add(key)
            except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
                raise CaseError(
                    f"{self.path}: line {number} is no entry",
                    "Remove the file to send everything anew.",
                ) from error

    def _data(self) -> bytes:
        try:
            with open_own(self.path) as stream:
                found: bytes = stream.read()
                return found
        except OSError as error:
            raise CaseError(f"{self.path} is no file of the case", "Remove it.") from error

    def has(self, destination: str, uid: str, sha256: str) -> bool:
        """Whether that very object was taken there before."""
        return (destination, uid, sha256) in self._known

    def begun(self, destination: str, uid: str, sha256: str) -> bool:
        """Whether that very object went out there before, whatever became of it."""
        return (destination, uid, sha256) in self._begun

    def add(self, destination: str, uid: str, sha256: str, *, taken: bool = True) -> None:
        """Record that an object was taken, or is about to go out; on disk when this returns."""
        entry = {
            "at": utc_now(),
            "destination": destination,
            "sop_instance_uid": uid,
            "sha256": sha256,
            **({} if taken else {"state": "sending"}),
        }
        raw = canonical(entry) + b"\n"
        try:
            append_at(self.path, self._end, raw)
        except OSError as error:
            raise DiskError(
                f"{self.path}: {error.strerror}", "What was sent stands in it."
            ) from error
        self._end += len(raw)
        (self._known if taken else self._begun).add((destination, uid, sha256))


@contextmanager
def locked(folder: Path) -> Iterator[Ledger]:
    """The ledger of ``folder``, this process's alone; `CaseError` where another is sending."""
    import filelock

    lock = filelock.FileLock(folder / ".sent.lock", timeout=0)
    try:
        lock.acquire()
    except filelock.Timeout as error:
        raise CaseError(f"{folder}: another process is sending it", "Wait for it.") from error
    try:
        yield Ledger(folder)
    finally:
        lock.release()
