"""The one reader of tables: comma, semicolon or tab, byte order mark or none, any case of header.

What `predict`, `train` and `report` are given as a table is read here, row by row: a row that is
broken says so and the others stand.
"""

from __future__ import annotations

import codecs
import csv
import io
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from tmtv_engine.errors import InputError
from tmtv_engine.suv.overrides import Overrides
from tmtv_engine.text import cell_text, clean

DELIMITERS = "\t;,"
PATHS = ("pet", "ct", "roi", "organs")
OVERRIDES = ("weight_kg", "height_m", "dose_bq", "injection_time")
MEANT = {"weight": "weight_kg", "height": "height_m", "dose": "dose_bq", "activity": "dose_bq",
         "injection": "injection_time"}  # fmt: skip
_MEANT = re.compile(
    r"(?:patients?|body|injected|total|fdg|radionuclide)?(weight|height|dose|activity|injection)"
    r"(?:kg|g|lbs?|pounds?|cm|mm|m|[kmg]?bq|mci|date|time|datetime)?"
)
UTF16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
MOST = 1 << 28  # bytes of a table


@dataclass(frozen=True)
class Row:
    """A row by its columns' names in lower case; ``fault`` says why it cannot be used."""

    line: int
    cells: Mapping[str, str]
    fault: str = ""

    def get(self, column: str) -> str:
        """A cell's text, empty where the row or the table has none."""
        return self.cells.get(column, "")


@dataclass(frozen=True)
class Table:
    """The rows of a table and what parts their cells."""

    path: Path
    rows: tuple[Row, ...]
    delimiter: str


def read_table(path: Path, wanted: Sequence[str]) -> Table:
    """The table of a CSV or TSV file, in UTF-8 (or UTF-16 with its mark).

    Raises `InputError` where the file cannot be read, lacks a ``wanted`` column or names one
    twice; a row that has more cells than the header, ends before a wanted column or is no CSV has
    a fault.
    """
    text, delimiter = _parted(_text(path))
    lines = _lines(text, delimiter)
    _, first, fault = next(lines, (1, [], ""))
    header = [name.strip().lower() for name in first]
    missing = [name for name in wanted if name not in header]
    if missing or fault:
        what = f"{path}: has no column {', '.join(missing)}" if missing else f"{path}: {fault}"
        raise InputError(what, f"Its first line must name {','.join(wanted)}.")
    named = [name for name in header if name]
    if len(set(named)) < len(named):
        raise InputError(f"{path}: names a column twice", "Correct its first line.")
    rows = []
    for line, cells, fault in lines:
        if any(cell.strip() for cell in cells) or fault:
            short = len(cells) <= max(header.index(name) for name in wanted)
            if short or any(cell.strip() for cell in cells[len(header) :]):
                fault = fault or f"{len(cells)} cells under {len(header)} columns"
            fault = fault or _unprintable(header, cells)
            told = {n: clean(c, 4096) for n, c in zip(header, cells, strict=False)}
            rows.append(Row(line, told, fault))
    return Table(path, tuple(rows), delimiter)


def cells_of(path: Path) -> list[list[str]]:
    """The cells of each line of a table whose columns need no names; what is no CSV is left out.

    Raises `InputError` where the file cannot be read.
    """
    return [cells for _, cells, fault in _lines(*_parted(_text(path))) if not fault]


def check_columns(table: Table) -> None:
    """Raise `InputError` for a column that seems meant to stand in for a header and would not."""
    columns = {n for row in table.rows for n, cell in row.cells.items() if cell} - {*OVERRIDES}
    for name in sorted(columns):
        meant = _MEANT.fullmatch(re.sub(r"[^a-z]", "", name))
        if meant:
            what = f"{table.path}: the column {name!r} is none that is read"
            raise InputError(what, f"Is it {MEANT[meant[1]]}? Call it so, or otherwise if not.")


def _unprintable(header: Sequence[str], cells: Sequence[str]) -> str:
    """What is wrong with a row of which a path or number holds more than letters."""
    for name, cell in zip(header, cells, strict=False):
        if name in (*PATHS, *OVERRIDES) and not cell.strip().isprintable():
            return f"{name} holds what cannot be printed"
    return ""


def _text(path: Path) -> str:
    try:
        if not path.is_file() or path.stat().st_size > MOST:
            raise InputError(f"{path}: is no table", "Give a CSV file.")
        raw = path.read_bytes()
    except OSError as error:
        raise InputError(f"{path}: {error.strerror}", "Give a CSV or TSV table.") from error
    try:
        return raw.decode("utf-16" if raw.startswith(UTF16) else "utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: is not UTF-8 text", "Save it as CSV in UTF-8.") from error


def _parted(text: str) -> tuple[str, str]:
    """The text from its header on, and its delimiter: told by ``sep=``, else the most frequent."""
    head, _, rest = text.partition("\n")
    told = head.strip().lower()
    if told.startswith("sep=") and len(told) == 5 and told[4] in DELIMITERS:
        return rest, told[4]
    return text, max(DELIMITERS, key=head.count)


def _lines(text: str, delimiter: str) -> Iterator[tuple[int, list[str], str]]:
    """Line number, cells and fault of each row; a fault ends no more than its own row."""
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    while True:
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            yield reader.line_num, [], f"it is no CSV: {error}"
            continue
        yield reader.line_num, [cell_text(told) for told in cells], ""


def path_of(table: Table, row: Row, column: str) -> Path | None:
    """The file or folder that a cell names, from where the table lies; None of an empty one.

    Raises `InputError` where it does not exist.
    """
    told = row.get(column)
    if not told:
        return None
    path = table.path.parent / told
    try:
        there = path.exists()
    except (OSError, ValueError):
        there = False
    if not there:
        raise InputError(f"{path}: does not exist", f"Correct line {row.line} of {table.path}.")
    return path.absolute()


def overrides_of(table: Table, row: Row) -> Overrides | None:
    """What a row says instead of the header, None where it says nothing.

    Raises `InputError` naming the row for what is no number or no time.
    """
    if not any(row.get(column) for column in OVERRIDES):
        return None
    numbers = {column: _number(table, row, column) for column in OVERRIDES[:3]}
    told = row.get("injection_time")
    try:
        at = datetime.fromisoformat(told) if told else None
    except ValueError as error:
        what = f"{table.path}: line {row.line}: injection_time {told!r} is no date and time"
        raise InputError(what, "Write it as 2020-03-01T09:30:00.") from error
    return Overrides(**numbers, injection_time=at)  # type: ignore[arg-type]


def _number(table: Table, row: Row, column: str) -> float | None:
    told = row.get(column)
    if not told:
        return None
    try:
        value = float(told.replace(",", ".") if table.delimiter != "," else told)
    except ValueError:
        value = math.nan
    if not (math.isfinite(value) and value > 0):
        what = f"{table.path}: line {row.line}: {column} {told!r} is no number above 0"
        raise InputError(what, "Correct the row.")
    return value
