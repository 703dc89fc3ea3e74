"""Files: written whole or not at all and on the disk before that is said, hashed, JSON one way.

Whatever the engine writes is made in a folder of its own beside its place (``.name.….part``),
brought to the disk, and renamed. A writer that fails leaves nothing; what one that was killed
left is taken away by the next that writes into the same folder. Links are replaced or refused,
never followed out of the folder.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import math
import os
import secrets
import shutil
import socket
import stat
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from tmtv_engine.errors import CaseError, DiskError, refusal

try:
    import fcntl
except ImportError:  # Windows: folders have no lock there, and what writers left stays
    fcntl = None  # type: ignore[assignment]

Record = dict[str, Any]
AGAIN = "Predict the study again."
PART = ".part"
PRIVATE = 0o600  # what names patients: for its owner only
_CAREFUL = ("O_NOFOLLOW", "O_CLOEXEC", "O_BINARY")  # a system knows some of them
CAREFUL = sum(getattr(os, name, 0) for name in _CAREFUL)
SYNCED_FOLDERS = os.name == "posix"  # elsewhere a folder is no file, and nobody can wait for it
STALE_S = 24 * 3600.0  # what another machine began and has not touched for so long is dead
JSON_LIMIT = 256 * 2**20


def jsonable(value: Any) -> Any:
    """``value`` with plain Python numbers; NaN and infinities become null."""
    if isinstance(value, Mapping):
        return {str(k): jsonable(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [jsonable(v) for v in value]
    if isinstance(value, np.ndarray):
        return jsonable(value.tolist())
    if isinstance(value, np.generic):
        return jsonable(value.item())
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return str(value) if isinstance(value, Path) else value


def canonical(value: Any) -> bytes:
    """Canonical JSON: UTF-8, sorted keys, no spaces, no NaN."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return text.encode()


def sha256_of(path: Path) -> str:
    """SHA-256 of a file's bytes, hexadecimal."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def utc_now() -> str:
    """Now, ISO 8601 in UTC, to the second."""
    return datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def handle_of(path: Path, how: int = os.O_RDONLY, mode: int = 0o666) -> int:
    """A handle for the bytes of ``path``: of no link, and of this process alone."""
    return os.open(path, how | CAREFUL, mode)


def open_own(path: Path) -> Any:
    """A regular file of a case folder, open for reading; raises `OSError` for links and devices."""
    handle = handle_of(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0))
    if not stat.S_ISREG(os.fstat(handle).st_mode):
        os.close(handle)
        raise OSError(f"{path} is no regular file")
    return os.fdopen(handle, "rb")


def load_json(path: Path) -> Record:
    """The object of a JSON file, which is no link; raises `CaseError` naming it."""
    try:
        with open_own(path) as stream:
            if os.fstat(stream.fileno()).st_size > JSON_LIMIT:
                raise ValueError("it is larger than any such file")
            found = json.loads(stream.read().decode("utf-8"), parse_constant=_no_number)
    except (OSError, ValueError, RecursionError) as error:
        raise CaseError(f"{path} cannot be read: {error}", AGAIN) from error
    if not isinstance(found, dict):
        raise CaseError(f"{path} holds no JSON object", AGAIN)
    return found


def _no_number(word: str) -> None:
    raise ValueError(f"{word} is no number")


def dump_json(path: Path, record: Record, mode: int = 0o666) -> None:
    """Write JSON without NaN, whole or not at all."""
    text = json.dumps(jsonable(record), indent=1, ensure_ascii=False, allow_nan=False)
    write_text(path, text + "\n", mode)


def write_text(path: Path, text: str, mode: int = 0o666) -> None:
    """Write a text file whole or not at all."""
    write_bytes(path, text.encode(), mode)


def write_bytes(path: Path, data: bytes, mode: int = 0o666) -> None:
    """Write a file whole or not at all; ``mode`` less the umask, 0o600 for what names patients."""
    with aside(path) as part:
        handle = handle_of(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
        with os.fdopen(handle, "wb") as stream:
            stream.write(data)


def append_line(path: Path, line: str, mode: int = PRIVATE) -> None:
    """Put a line at the end of a log, whole, also beside other writers; never through a link.

    Raises `DiskError` where the disk refuses.
    """
    with _told(path):
        handle = handle_of(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, mode)
        try:
            os.write(handle, f"{line}\n".encode())
        finally:
            os.close(handle)


def append_at(path: Path, end: int, raw: bytes, mode: int = 0o644) -> None:
    """``raw`` at ``end`` of a journal, on the disk; what is torn beyond it is cut off.

    Raises `OSError`, and leaves the file as it was, less what was torn.
    """
    new = not os.path.lexists(path)
    handle = handle_of(path, os.O_RDWR | os.O_CREAT, mode)
    try:
        try:
            if os.fstat(handle).st_size != end:
                os.ftruncate(handle, end)
            os.lseek(handle, end, os.SEEK_SET)
            while raw:
                raw = raw[os.write(handle, raw) :]
            os.fsync(handle)
            if new:
                sync(path.parent)
        except OSError:
            os.ftruncate(handle, end)
            if new:
                path.unlink()
            raise
    finally:
        os.close(handle)


@contextmanager
def aside(path: Path) -> Iterator[Path]:
    """A path of the same name for a writer; what it wrote takes the place of ``path``.

    On the disk, name and all, when the block is left; where the block raises, or wrote nothing,
    ``path`` is as it was. Raises `DiskError` where the disk refuses.
    """
    with part_folder(path.parent, path.name) as folder:
        part = folder / path.name
        yield part
        if os.path.lexists(part):
            sync(part)
            part.replace(path)
            sync(path.parent)


@contextmanager
def new_folder(
    out: Path,
    name: str,
    room: Callable[[Path], AbstractContextManager[object]] | None = None,
) -> Iterator[Path]:
    """A folder to write into that becomes ``out/name`` when the block succeeds.

    ``room`` is entered for the moment of the renaming and makes room there; without one, what is
    there is moved to ``out/aside``. When the block does not succeed (an error, Ctrl-C, a full
    disk) nothing is left. Raises `DiskError`.
    """
    make_folder(out)
    with part_folder(out, name, 0o777) as folder:
        yield folder
        _sync_tree(folder)
        with (room or kept)(out / name):
            folder.rename(out / name)
            sync(out)


@contextmanager
def kept(there: Path) -> Iterator[None]:
    """Whatever is at ``there`` is kept: moved to the folder ``aside`` next to it."""
    if os.path.lexists(there):
        stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%S%fZ")
        there.rename(own_folder(there.parent, "aside") / f"{there.name}.{stamp}")
        sync(there.parent / "aside")
    yield


def make_folder(folder: Path) -> Path:
    """``folder``, made with its parents if need be, names on the disk; raises `DiskError`."""
    try:
        return _made(folder)
    except OSError as error:
        what = f"{error.filename or folder}: {refusal(error)}"
        raise DiskError(what, "Choose another folder with -o.") from error


def _made(folder: Path) -> Path:
    if not folder.is_dir():
        _made(folder.parent)
        folder.mkdir(exist_ok=True)
        sync(folder.parent)
    return folder


def own_folder(parent: Path, name: str) -> Path:
    """The real folder ``parent/name``, made where it is absent; raises `CaseError` for a link.

    What is written through one would land elsewhere.
    """
    if (folder := parent / name).is_symlink():
        raise CaseError(f"{folder} is a link", "Nothing is written through it: remove it.")
    with _told(folder):
        return _made(folder)


@contextmanager
def locked(folder: Path, name: str, timeout: float = 30.0) -> Iterator[None]:
    """Alone with ``folder`` among all that take the lock file ``name`` in it.

    The lock is of the folder that stands there when it is held, not of one that was moved away
    meanwhile. Raises `CaseError` where another keeps it for ``timeout`` seconds.
    """
    import filelock

    while True:
        before = _identity(folder)
        lock = filelock.FileLock(folder / name, timeout=timeout)
        try:
            lock.acquire()
        except filelock.Timeout as error:
            raise CaseError(f"{folder} is locked by another process", "Try again.") from error
        except OSError as error:
            raise CaseError(f"{folder / name}: {error.strerror}", "It cannot be locked.") from error
        try:
            if _identity(folder) == before:
                yield
                return
        finally:
            lock.release()


@contextmanager
def alone(folder: Path) -> Iterator[None]:
    """Alone with ``folder`` among all that ask so, without a file in it; `CaseError` at once."""
    try:
        handle = _hold(folder)
    except BlockingIOError as error:
        raise CaseError(f"{folder}: another process writes into it", "Wait for it.") from error
    try:
        yield
    finally:
        os.close(handle)


def sweep(folder: Path, name: str = "") -> None:
    """Take away what killed writers left in ``folder``; what a living one holds stays.

    Of another machine's, whose locks may not be seen here, only what is a day old. With a
    ``name`` only what was to become that: ``folder`` is not ours alone.
    """
    start = f".{name}." if name else "."
    with contextlib.suppress(OSError), os.scandir(folder) as entries:
        for entry in entries:
            if entry.name.startswith(start) and entry.name.endswith(PART):
                with contextlib.suppress(OSError):
                    _take_away(Path(entry), f".{_host()}-" in entry.name)


def _take_away(folder: Path, ours: bool) -> None:
    if not ours and time.time() - folder.lstat().st_mtime < STALE_S:
        return
    handle = _hold(folder)
    try:
        shutil.rmtree(folder, ignore_errors=True)
    finally:
        os.close(handle)


def sync(path: Path) -> None:
    """What was written to a file, or renamed in a folder, is on the disk when this returns."""
    if not SYNCED_FOLDERS and path.is_dir():
        return
    handle = handle_of(path, os.O_RDONLY if SYNCED_FOLDERS else os.O_RDWR)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


@contextmanager
def part_folder(
    parent: Path, name: str, mode: int = 0o700, *, shared: bool = False
) -> Iterator[Path]:
    """An own folder beside ``name``, held as long as its writer lives, gone when it is left.

    In a ``shared`` parent, as that of all temporary files, nothing of another name is swept.
    """
    sweep(parent, name if shared else "")
    with _told(parent / name):
        folder, handle = _begun(parent, name, mode)
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)
            os.close(handle)


def _begun(parent: Path, name: str, mode: int) -> tuple[Path, int]:
    """A new folder and its handle; made again where another's `sweep` came between."""
    while True:
        folder = parent / f".{name}.{_host()}-{secrets.token_hex(6)}{PART}"
        os.mkdir(folder, mode)
        try:
            handle = _hold(folder)
        except (FileNotFoundError, BlockingIOError):
            continue
        except OSError:  # no such locks here: then nobody's sweep takes anything either
            return folder, os.open(os.devnull, os.O_RDONLY)
        if folder.exists():
            return folder, handle
        os.close(handle)


def _hold(folder: Path) -> int:
    """A handle of ``folder`` with the kernel's lock, which a killed process loses.

    Raises `BlockingIOError` where another has it, `OSError` where there are no such locks.
    """
    if fcntl is None:
        raise OSError("a folder has no lock on this system")
    handle = handle_of(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(handle)
        raise
    return handle


def _sync_tree(folder: Path) -> None:
    for root, _, names in os.walk(folder):
        for name in names:
            sync(Path(root, name))
        sync(Path(root))


@contextmanager
def _told(path: Path) -> Iterator[None]:
    """What the disk refuses, in one line that names what was to be written."""
    try:
        yield
    except OSError as error:
        named = error.filename and PART not in str(error.filename)
        why = f"{refusal(error)} ({error.filename})" if named else refusal(error)
        there = path.parent.parent / path.name if path.parent.name.endswith(PART) else path
        raise DiskError(f"{there}: {why}", "Nothing was left half-written.") from error


def _identity(folder: Path) -> tuple[int, int]:
    try:
        found = folder.stat()
    except OSError as error:
        raise CaseError(f"{folder}: {error.strerror}", "It was moved or removed.") from error
    return found.st_dev, found.st_ino


@cache
def _host() -> str:
    """This machine in eight letters, so that it takes away its own leftovers only."""
    return hashlib.sha256(socket.gethostname().encode()).hexdigest()[:8]
