"""The journal of one reader: a decision a line, chained by hashes, on disk before it counts.

``review/<reader>.jsonl`` is only ever appended to. A line's ``hash`` is the SHA-256 of its
canonical JSON without `hash`; ``prev`` is the hash of the line before ("" for the first).
``case`` and ``prediction`` bind the line to what the reader saw. A last line without its newline
is no decision and is cut off by whoever appends next. Lines of before that rule have
``labels_sha256`` in their place: they are read, and called unbound.
"""

from __future__ import annotations

import contextlib
import getpass
import os
import socket
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tmtv_engine.case.folder import LOCK
from tmtv_engine.errors import CaseError, UsageError
from tmtv_engine.files import append_at, canonical, locked, open_own, own_folder
from tmtv_engine.review.line import ACTIONS, UNDOABLE, Action, Line, line_hash, parse_line
from tmtv_engine.text import clean, safe_name

TEXT_LIMIT = 2000
REASON_LIMIT = 200
JOURNAL_LIMIT = 16 * 2**20
ANEW = "this case was predicted anew: reopen it"


@dataclass(frozen=True)
class Decision:
    """What a reader does. ``target`` is the line that an undo or redo means, or the reject that
    this one gives a reason for: it takes that one's place, so that one undo undoes both.
    ``parameters``: what of an action is numbers (a signature's totals, a repair's place)."""

    action: str
    lesions: tuple[int, ...] = ()
    target: int | None = None
    reason: str | None = None
    text: str | None = None
    parameters: Mapping[str, Any] | None = None

    def __post_init__(self) -> None:
        if self.action not in ACTIONS:
            raise UsageError(f"no decision is called {clean(self.action)!r}")
        object.__setattr__(self, "action", Action(self.action))
        object.__setattr__(self, "lesions", tuple(int(n) for n in self.lesions))
        for name, limit in (("reason", REASON_LIMIT), ("text", TEXT_LIMIT)):
            value = getattr(self, name)
            object.__setattr__(self, name, None if value is None else clean(value, limit))


@dataclass(frozen=True)
class Bound:
    """What a reader has in front of them: the case's name and its prediction's hash."""

    case: str
    prediction: str


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
    """The journals of a case, by reader; raises `CaseError` where they lie behind a link."""
    folder = case / "review"
    if folder.is_symlink():
        raise CaseError(f"{folder} is a link", "Journals are read from the case folder only.")
    return sorted(folder.glob("*.jsonl"))


_HELD = threading.local()


@contextlib.contextmanager
def alone(case: Path) -> Iterator[None]:
    """Alone with a case: decisions, ``--fresh``, export and import exclude each other by this.

    Within one thread it may be entered again. Raises `CaseError` where another keeps the case.
    """
    held: set[Path] = _HELD.__dict__.setdefault("cases", set())
    own = Path(os.path.abspath(case))
    if own in held:
        yield
        return
    _there(case)  # or a folder of a lock alone would stand where the case was
    own_folder(case, "review")
    with locked(case, LOCK):
        held.add(own)
        try:
            yield
        finally:
            held.discard(own)


def _there(case: Path) -> None:
    if not case.exists():
        raise CaseError(f"{case} is gone", "Somebody moved or removed it: bring it back.")


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
        if not os.path.lexists(self.path):
            if self.lines:
                _there(self.path.parent.parent)
                raise CaseError(f"{self.path} is gone: {ANEW}", "Or somebody removed it.")
            return self.lines
        try:
            with open_own(self.path) as stream:
                self._take(stream)
        except OSError as error:
            raise CaseError(f"{self.path} cannot be read: {error.strerror or error}") from error
        return self.lines

    def append(
        self,
        bound: Bound,
        decide: Callable[[Sequence[Line]], Decision],
        seal: Callable[[Line], object] | None = None,
    ) -> Line:
        """Append what ``decide`` answers to the lines so far, and return it once it is on disk.

        The case's lock is held from reading the tail to the end of the flush, so that several
        processes write one whole chain. ``seal`` sees the line before it is written. An error of
        either leaves the journal as it was.
        """
        with alone(self.path.parent.parent):
            self.read()
            line = self.draft(decide(self.lines), bound)
            if seal is not None:
                seal(line)
            try:
                self._write(line)
            except OSError as error:
                raise CaseError(
                    f"{self.path}: {error.strerror or error}", "The decision was not recorded."
                ) from error
        self.lines.append(line)
        return line

    @contextlib.contextmanager
    def together(self) -> Iterator[None]:
        """All lines that are appended in the block, or none where it raises."""
        with alone(self.path.parent.parent):
            self.read()
            there, count, end = self.path.exists(), len(self.lines), self._end
            try:
                yield
            except BaseException:
                del self.lines[count:]
                self._end = end
                if there:
                    os.truncate(self.path, end)
                else:
                    self.path.unlink(missing_ok=True)
                raise

    def _take(self, stream: Any) -> None:
        size = os.fstat(stream.fileno()).st_size
        if size < self._end:
            raise CaseError(f"{self.path} has become shorter", "Somebody cut it: tmtv verify.")
        if size > JOURNAL_LIMIT:
            raise CaseError(f"{self.path} is larger than any journal", "Was it changed?")
        stream.seek(self._end)
        data = stream.read()
        whole = data[: data.rfind(b"\n") + 1]
        for raw in whole.split(b"\n")[:-1]:
            self.lines.append(self._parse(raw))
        self._end += len(whole)

    def _parse(self, raw: bytes) -> Line:
        where = f"{self.path}: line {len(self.lines) + 1}"
        line = parse_line(raw, where)
        if line.prev != self.head or line.seq != len(self.lines) + 1:
            raise CaseError(f"{where} does not follow the one before", "The journal was changed.")
        if line.reader != self.reader:
            raise CaseError(
                f"{where} is by {clean(line.reader)}, not by {clean(self.reader)}",
                "The journal was copied or renamed.",
            )
        if not line.bound and self.lines and self.lines[-1].bound:
            raise CaseError(f"{where} is unbound after bound ones", "The journal was changed.")
        return line

    def draft(self, decision: Decision, bound: Bound) -> Line:
        """The line that `append` would write now; nothing is written."""
        now = datetime.now(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
        fields: dict[str, Any] = {
            **asdict(decision),
            **asdict(bound),
            "seq": len(self.lines) + 1,
            "at": now,
            "reader": self.reader,
            "host": clean(socket.gethostname()),
            "labels_sha256": None,
            "prev": self.head,
        }
        line = Line(**fields, hash="")
        return Line(**fields, hash=line_hash(line.fields()))

    def _write(self, line: Line) -> None:
        """Cut a torn line off, append, and flush file and (for a new file) folder."""
        raw = canonical(line.fields()) + b"\n"
        append_at(self.path, self._end, raw)
        self._end += len(raw)


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
        elif line.action in (Action.UNDO, Action.REDO):
            source, target = (done, undone) if line.action == Action.UNDO else (undone, done)
            if not source or source[-1].seq != line.target:
                raise CaseError(f"line {line.seq} of {line.reader}: nothing to {line.action} there")
            target.append(source.pop())
        elif line.action in (Action.SIGN, Action.UNSIGN):
            signed = line if line.action == Action.SIGN else None
    return Effective(tuple(done), tuple(undone), signed)


def _amends(line: Line, done: Sequence[Line]) -> bool:
    """Whether a reject says why the last decision, a reject of the same lesions, was made."""
    last = done[-1] if done else None
    return (
        line.action == Action.REJECT
        and last is not None
        and (line.target, Action.REJECT, line.lesions) == (last.seq, last.action, last.lesions)
    )


IDLE_S = 300.0


def reading_seconds(lines: Sequence[Line]) -> float:
    """Time with the case open, s: from ``open`` to ``close``, gaps over five minutes left out."""
    total, opened, last = 0.0, False, None
    for line in lines:
        if opened and last is not None:
            gap = (line.time - last).total_seconds()
            total += gap if 0 <= gap <= IDLE_S else 0.0
        opened = line.action == Action.OPEN or (opened and line.action != Action.CLOSE)
        last = line.time
    return total
