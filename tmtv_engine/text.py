"""Text from strangers: what a DICOM header says is cleaned once, where it enters."""

from __future__ import annotations

import csv
import io
import re
import unicodedata
from collections.abc import Iterable

_UNSAFE = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})


def clean(value: object, limit: int = 64) -> str:
    """The text of ``value`` without control, format or unassigned characters, cut at ``limit``."""
    kept = "".join(c for c in str(value) if unicodedata.category(c) not in _UNSAFE)
    return kept.strip()[:limit]


def safe_name(value: object, limit: int = 64) -> str:
    """A file name made of letters, digits, ``.``, ``_`` and ``-`` ; never empty or hidden."""
    kept = re.sub(r"[^A-Za-z0-9._-]+", "_", str(value)).strip("._")[:limit]
    return kept or "case"


_RUN = frozenset("=+-@\t\r\n＝＋－＠")  # what a spreadsheet may take for the start of a formula
_NUMBER = re.compile(r"-?\d+(\.\d*)?([eE][+-]?\d+)?")


def cell(value: object) -> str:
    """A value as a cell of our tables; `cell_text` is its other way.

    None is empty, a number has ten digits (`case.json` has them all), and text that a spreadsheet
    would run stands behind an apostrophe.
    """
    if value is None:
        return ""
    if isinstance(value, float):
        return f"{value:.10g}"
    text = str(value)
    return f"'{text}" if _runs(text) else text


def cell_text(text: str) -> str:
    """What a cell says: without the apostrophe that `cell` put before what would run."""
    return text[1:] if text[:1] == "'" and _runs(text[1:]) else text


def counted(number: int, one: str) -> str:
    """A count and its noun: "1 lesion", "2 lesions"."""
    return f"{number} {one}" if number == 1 else f"{number} {one}s"


def csv_text(rows: Iterable[Iterable[object]]) -> str:
    """Rows as CSV: commas, a line a row, each value as `cell` writes it."""
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows([cell(v) for v in row] for row in rows)
    return text.getvalue()


def _runs(text: str) -> bool:
    bare = text.lstrip("'")
    if len(bare) < 2 or bare[0] not in _RUN:
        return False
    return bare[0] != "-" or _NUMBER.fullmatch(bare) is None
