"""A case's totals as a table, and its outcome as lines."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from tmtv_tui.cli import console

if TYPE_CHECKING:
    from tmtv_engine.case.record import CaseRecord

HEADER = ("case", "method", "TMTV mL", "TLG g", "lesions", "SUVmax", "SUVpeak", "Dmax mm")


@dataclass
class Totals:
    """The table of a batch as its cases come: a thousand rows, not a thousand lists of lesions."""

    rows: list[tuple[str, ...]] = field(default_factory=list)
    told: list[str] = field(default_factory=list)

    def add(self, record: CaseRecord) -> None:
        """One row a method, and what moves them that no number shows."""
        from tmtv_engine.case.parts import WHOLE, parts_words, unknown_words

        for key, sums in record.totals.items():
            values = (sums.tmtv_ml, sums.tlg_g)
            more = (sums.suv_max, sums.suv_peak, sums.dmax_mm)
            row = (record.case, key, *(console.number(v) for v in values))
            self.rows.append((*row, str(sums.lesions), *(console.number(v, 2) for v in more)))
        if told := parts_words(record):
            self.told.append(f"{record.case}: {told}; {WHOLE}")
        if told := unknown_words(record):
            self.told.append(f"{record.case}: {told}")

    def show(self) -> None:
        """The rows on stdout, what moves them on stderr."""
        console.table(HEADER, self.rows)
        for told in self.told:
            console.say(told)


def totals(record: CaseRecord) -> None:
    """One row a method of a case on stdout; what moves them on stderr."""
    table = Totals()
    table.add(record)
    table.show()


def warnings(record: CaseRecord) -> None:
    """The case's warnings on stderr, and what its network was trained on."""
    model = record.model
    if model.trained_on:
        console.say(f"{record.case}: model {model.name}, trained on {model.trained_on}")
    for warning in record.warnings:
        console.say(f"{record.case}: {warning.code}: {warning.message}")
