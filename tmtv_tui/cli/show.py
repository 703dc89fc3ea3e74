"""A case's totals as a table, and its outcome as lines."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from tmtv_tui.cli import console

if TYPE_CHECKING:
    from tmtv_engine.case.record import CaseRecord

HEADER = ("case", "method", "TMTV mL", "TLG g", "lesions", "SUVmax", "SUVpeak", "Dmax mm")


def totals(records: Sequence[CaseRecord]) -> None:
    """One row a case and method on stdout; what is counted in parts on stderr."""
    from tmtv_engine.case.parts import WHOLE, parts_words

    rows = []
    for record in records:
        for key, sums in record.totals.items():
            values = (sums.tmtv_ml, sums.tlg_g)
            more = (sums.suv_max, sums.suv_peak, sums.dmax_mm)
            row = [record.case, key, *(console.number(v) for v in values)]
            rows.append([*row, str(sums.lesions), *(console.number(v, 2) for v in more)])
    console.table(HEADER, rows)
    for record in records:
        if told := parts_words(record):
            console.say(f"{record.case}: {told}; {WHOLE}")


def warnings(record: CaseRecord) -> None:
    """The case's warnings on stderr, and what its network was trained on."""
    model = record.model
    if model.trained_on:
        console.say(f"{record.case}: model {model.name}, trained on {model.trained_on}")
    for warning in record.warnings:
        console.say(f"{record.case}: {warning.code}: {warning.message}")
