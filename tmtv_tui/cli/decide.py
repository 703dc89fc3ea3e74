"""``tmtv accept``, ``reject``, ``split``, ``note``, ``sign`` …: decisions from a script."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from tmtv_engine.errors import UsageError
from tmtv_engine.review.reasons import Reason
from tmtv_tui.cli import console, options, show

if TYPE_CHECKING:
    from tmtv_engine.review.journal import Decision
    from tmtv_engine.review.reading import Reading

CASE: Any = typer.Argument(..., metavar="CASE", help="A case folder.")
LESIONS: Any = typer.Argument(..., metavar="N...", help="Numbers of lesions; 3-7 for several.")
READER: Any = typer.Option(
    None,
    "--reader",
    metavar="READER",
    help="Who decides (default: TMTV_READER, the settings, the login name).",
)


def accept(
    case: Path = CASE,
    lesions: list[str] = LESIONS,
    reader: str | None = READER,
    as_json: bool = options.JSON,
) -> int:
    """Count these lesions (candidates too)."""
    return _decide(case, reader, as_json, "accept", lesions=numbers(lesions))


def reject(
    case: Path = CASE,
    lesions: list[str] = LESIONS,
    reason: str | None = typer.Option(
        None, "--reason", metavar="WORDS", help=f"{', '.join(Reason)} or any words."
    ),
    reader: str | None = READER,
    as_json: bool = options.JSON,
) -> int:
    """Do not count these lesions."""
    return _decide(case, reader, as_json, "reject", lesions=numbers(lesions), reason=reason)


def split(
    case: Path = CASE,
    lesion: int = typer.Argument(..., metavar="N", help="The lesion's number."),
    reader: str | None = READER,
    as_json: bool = options.JSON,
) -> int:
    """Split a lesion into finer parts.

    They take the next free numbers.
    """
    reading = _recorded(case, reader, "split", lesions=(lesion,))
    parts = ", ".join(str(n) for n in reading.splits[lesion])
    console.say(f"lesion {lesion} is now {parts}")
    return shown(case, as_json)


def note(
    case: Path = CASE,
    text: str = typer.Argument(..., metavar="TEXT", help="What is to be remembered."),
    reader: str | None = READER,
    as_json: bool = options.JSON,
) -> int:
    """Write a note into the journal."""
    return _noted(case, reader, as_json, "note", text=text)


def flag(
    case: Path = CASE,
    off: bool = typer.Option(False, "--off", help="Take the flag away, as tmtv unflag does."),
    reader: str | None = READER,
    as_json: bool = options.JSON,
) -> int:
    """Flag a case for somebody to look at."""
    return _noted(case, reader, as_json, "unflag" if off else "flag")


def unflag(case: Path = CASE, reader: str | None = READER, as_json: bool = options.JSON) -> int:
    """Take the flag away."""
    return _noted(case, reader, as_json, "unflag")


def undo(case: Path = CASE, reader: str | None = READER, as_json: bool = options.JSON) -> int:
    """Take the reader's last decision back."""
    return _decide(case, reader, as_json, "undo")


def redo(case: Path = CASE, reader: str | None = READER, as_json: bool = options.JSON) -> int:
    """Bring back the decision that was undone last."""
    return _decide(case, reader, as_json, "redo")


def sign(
    case: Path = CASE,
    reader: str | None = READER,
    key: Path | None = typer.Option(
        None,
        "--key",
        metavar="FILE",
        help="Sign by this SSH key too (of a public one the agent signs).",
    ),
    off: bool = typer.Option(False, "--off", help="Re-open, as tmtv unsign does."),
    as_json: bool = options.JSON,
) -> int:
    """Sign the reading.

    Prints the signature's hash, to be kept elsewhere.
    """
    if off:
        return unsign(case, reader, as_json)
    from tmtv_engine.case.folder import read_case
    from tmtv_engine.review.sign import sign as signed

    reading = signed(read_case(case), named(reader), key)
    undecided = sum(reading.decided_by[int(n)] is None for n in reading.lesions.ids)
    console.say(f"signed by {reading.reader}: {reading.signed}")
    console.say(f"{undecided} of {len(reading.lesions)} lesions were left as predicted")
    if as_json:
        return shown(case, as_json)
    console.out(str(reading.signed))
    return 0


def unsign(case: Path = CASE, reader: str | None = READER, as_json: bool = options.JSON) -> int:
    """Take the signature back: the reading is open again."""
    _recorded(case, reader, "unsign")
    return shown(case, as_json)


def named(reader: str | None) -> str | None:
    """Who reads: as said, else by TMTV_READER or the settings; None: the login name."""
    from tmtv_tui.config import read_config

    return reader or read_config().reader


def numbers(words: Iterable[str]) -> tuple[int, ...]:
    """Lesion numbers of ``3``, ``3,5`` and ``3-7``; raises `UsageError` for anything else."""
    found: list[int] = []
    for part in ",".join(words).split(","):
        first, dash, last = part.strip().partition("-")
        if not first.isdecimal() or (dash and not last.isdecimal()) or len(part) > 20:
            raise UsageError(f"{part!r} is no lesion's number", "Write 3 or 3-7.")
        end = int(last) if dash else int(first)
        if end - int(first) > 100_000:
            raise UsageError(f"{part!r} names too many lesions", "Write 3 or 3-7.")
        found += range(int(first), end + 1)
    return tuple(dict.fromkeys(found))


def _recorded(path: Path, reader: str | None, action: str, **what: Any) -> Reading:
    from tmtv_engine.case.folder import read_case
    from tmtv_engine.review.session import Decision, record

    decision: Decision = Decision(action, **what)
    return record(read_case(path), decision, named(reader))


def _decide(path: Path, reader: str | None, as_json: bool, action: str, **what: Any) -> int:
    _recorded(path, reader, action, **what)
    return shown(path, as_json)


def _noted(path: Path, reader: str | None, as_json: bool, action: str, **what: Any) -> int:
    """Record what moves no number; only ``--json`` shows the case."""
    _recorded(path, reader, action, **what)
    return shown(path, as_json) if as_json else 0


def shown(path: Path, as_json: bool) -> int:
    """The case as it is now: its totals, or its `case.json`."""
    from tmtv_engine.case.folder import read_case

    now = read_case(path)
    if as_json:
        console.out_json(now.raw)
    else:
        show.totals(now.record)
    return 0
