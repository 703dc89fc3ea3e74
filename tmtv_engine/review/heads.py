"""The chains' heads kept elsewhere: what no file in a case folder can tell by itself.

`verify --heads FILE` writes them where the file is absent and compares them where it is there: a
journal that was deleted, cut at its end or rewritten whole since then shows.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from tmtv_engine.errors import TmtvError, UsageError
from tmtv_engine.files import dump_json, load_json, utc_now
from tmtv_engine.review.findings import Finding
from tmtv_engine.review.journal import Journal, journals
from tmtv_engine.text import clean

SCHEMA = "tmtv.heads/1"


def write_heads(file: Path, folders: Sequence[Path]) -> None:
    """Write the heads of every journal that can be read, by case folder and reader."""
    cases = {folder.name: found for folder in folders if (found := _heads(folder))}
    dump_json(file, {"schema": SCHEMA, "at": utc_now(), "cases": cases})


def read_heads(file: Path) -> dict[str, dict[str, tuple[int, str]]]:
    """Line number and hash of each head by case folder and reader; raises `UsageError`."""
    try:
        found = load_json(file)
        if found.get("schema") != SCHEMA:
            raise ValueError("no heads")
        return {
            str(case): {str(r): (int(h["seq"]), str(h["hash"])) for r, h in readers.items()}
            for case, readers in found["cases"].items()
        }
    except (TmtvError, KeyError, TypeError, ValueError, AttributeError) as error:
        raise UsageError(
            f"{file} holds no heads", "tmtv verify OUT --heads NEWFILE writes."
        ) from error


def compare_heads(
    known: dict[str, dict[str, tuple[int, str]]], folders: Sequence[Path], whole: bool
) -> Iterator[tuple[str, Finding]]:
    """What became of each known head, by case; ``whole``: cases that are gone are told too."""
    there = {folder.name: folder for folder in folders}
    for case, readers in sorted(known.items()):
        if case not in there:
            if whole:
                yield case, Finding("heads", "missing", "the case is gone")
            continue
        for reader, (seq, digest) in sorted(readers.items()):
            yield case, _compared(there[case], reader, seq, digest)


def _compared(folder: Path, reader: str, seq: int, digest: str) -> Finding:
    what = f"heads: {clean(reader)}"
    try:
        path = next((p for p in journals(folder) if p.name == f"{reader}.jsonl"), None)
        lines = Journal(path).read() if path is not None else []
    except TmtvError as error:
        return Finding(what, "changed", error.what)
    if path is None:
        return Finding(what, "missing", "the journal is gone, or the case was predicted anew")
    if len(lines) < seq:
        return Finding(what, "changed", f"the chain was cut: it had {seq} lines, {len(lines)} now")
    if lines[seq - 1].hash != digest:
        return Finding(what, "changed", f"the chain was rewritten up to line {seq}")
    return Finding(what, "ok", f"{len(lines) - seq} lines later" if len(lines) > seq else "")


def _heads(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = {}
    try:
        for path in journals(folder):
            journal = Journal(path)
            if journal.read():
                found[journal.reader] = {"seq": len(journal.lines), "hash": journal.head}
    except TmtvError:  # which verify tells of
        return found
    return found
