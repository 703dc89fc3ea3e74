"""The columns of the lesion list: one table of header, cell, side and width; no Textual."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tmtv_engine.text import clean
from tmtv_tui.review.words import position

if TYPE_CHECKING:
    from tmtv_tui.review.opened import Opened

Cell = Callable[["Opened", str, int], str]


def _always(opened: Opened) -> bool:
    return True


@dataclass(frozen=True)
class Column:
    """A column: its ``header`` and what its ``cell`` says of (case, method shown, lesion's number).

    ``right``: numbers stand at the right; ``width``: fixed, else that of the longest cell, which
    shrinks to ``least`` where volume and SUVmax would not be seen; ``short``: what then is left of
    a cell in ``least``; ``last``: goes altogether where that is not enough; ``there``: where the
    case has such a column at all.
    """

    header: str
    cell: Cell
    right: bool = False
    width: int | None = None
    least: int | None = None
    short: Callable[[str], str] | None = None
    last: bool = False
    there: Callable[[Opened], bool] = _always


def columns_of(opened: Opened, method: str) -> list[Column]:
    """The columns of a case: `COLUMNS` that it has, and in place of OTHERS one a further method."""
    found: list[Column] = []
    for column in COLUMNS:
        if column is OTHERS:
            others = (key for key in opened.table.volume_ml if key != method)
            found += [Column(f"mL {key}", _volume(key), right=True) for key in others]
        elif column.there(opened):
            found.append(column)
    return found


def lesion_cells(opened: Opened, method: str, number: int) -> list[str]:
    """What the lesion list says of a lesion; the first cell is the mark's."""
    return [column.cell(opened, method, number) for column in columns_of(opened, method)]


def header_of(column: Column, method: str) -> str:
    """The header under the method shown."""
    return column.header.format(method=method)


def _volume(key: str) -> Cell:
    return lambda o, method, number: f"{o.table.volume_ml[key][_row(o, number)]:.1f}"


def _row(opened: Opened, number: int) -> int:
    return opened.reading.lesions.row(number)


def _status(o: Opened, method: str, number: int) -> str:
    status = o.reading.status[number]
    return f"{status.glyph} {status}{'' if o.reading.decided_by[number] is None else '!'}"


def _glyph(status: str) -> str:
    """What is left of a status; nothing of the header."""
    return "" if status.isalpha() else status[:1] + "!" * status.endswith("!")


def _chance(o: Opened, method: str, number: int) -> str:
    known = o.rows.get(number)
    return "" if known is None or known.probability is None else f"{known.probability:.2f}"


def _source(o: Opened, method: str, number: int) -> str:
    return o.reading.sources[number] + (" part" if number in o.reading.parents else "")


def _structure(o: Opened, method: str, number: int) -> str:
    """The organ that it most likely is, of a part that of its lesion."""
    known = o.origin(number)
    if known is None or known.structure is None:
        return ""
    return f"{clean(known.structure.name, 20)} {known.structure.p:.2f}"


def _region(o: Opened, method: str, number: int) -> str:
    known = o.origin(number)
    return clean(known.region or "", 24) if known else ""


def widths_of(columns: list[Column], rows: list[list[str]], room: int) -> list[int]:
    """The columns' widths over ``rows`` (header and cells), until the numbers up to SUVmax stand
    within ``room``: words shrink, then go; 0 is a column that is not drawn."""
    widths = [c.width or max(len(row[k]) for row in rows) for k, c in enumerate(columns)]
    last = next((k for k, c in enumerate(columns) if c.header == "SUVmax"), len(columns) - 1)
    over = sum(widths[: last + 1]) + last - room
    for k, column in enumerate(columns):
        if column.least is not None and column.short is None and over > 0:
            less = min(over, max(0, widths[k] - column.least))
            widths[k] -= less
            over -= less
    for k, column in enumerate(columns):
        if over > 0 and (column.short is not None or column.last):
            least = 0 if column.last else column.least or 0
            over -= widths[k] - least
            widths[k] = least
    return widths


def fitted(column: Column, cell: str, width: int) -> str:
    """A cell in its column's width; a word that is cut says so."""
    if column.right:
        return cell.rjust(width)
    if len(cell) > width and column.short is not None:
        return column.short(cell)[:width].ljust(width)
    return (cell if len(cell) <= width else cell[: max(0, width - 1)] + "…").ljust(width)


OTHERS = Column("", lambda o, method, number: "")
"""Stands for the volumes by the methods that are not shown first."""
COLUMNS: tuple[Column, ...] = (
    Column("", lambda o, method, number: ""),  # the mark
    Column("status", _status, width=12, least=2, short=_glyph),
    Column("#", lambda o, method, number: str(number), right=True),
    Column(
        "structure",
        _structure,
        least=11,
        there=lambda o: any(row.structure is not None for row in o.rows.values()),
    ),
    Column(
        "region",
        _region,
        least=8,
        last=True,
        there=lambda o: any(r.region for r in o.rows.values()),
    ),
    Column(
        "mL {method}",
        lambda o, method, number: f"{o.table.volume_ml[method][_row(o, number)]:.1f}",
        right=True,
    ),
    Column("SUVmax", lambda o, m, number: f"{o.table.suv_max[_row(o, number)]:.1f}", right=True),
    Column("SUVpeak", lambda o, m, number: f"{o.table.suv_peak[_row(o, number)]:.1f}", right=True),
    Column(
        "TLG g",
        lambda o, method, number: f"{o.table.tlg_g[method][_row(o, number)]:.0f}",
        right=True,
    ),
    Column("p", _chance, right=True),
    Column("source", _source),
    Column("where LPS mm", lambda o, m, number: position(o.table.centroid_mm[_row(o, number)])),
    OTHERS,
    Column("why", lambda o, method, number: o.reading.reasons.get(number, ""), width=30),
)
"""The list's columns from left to right; a row added here is shown."""
