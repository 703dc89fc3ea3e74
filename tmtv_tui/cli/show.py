"""A case's totals as a table, and its outcome as lines."""

from __future__ import annotations

from typing import Any

from tmtv_tui.cli import console

HEADER = ("case", "method", "TMTV mL", "TLG g", "lesions", "SUVmax", "SUVpeak", "Dmax mm")


def totals(records: list[dict[str, Any]]) -> None:
    """One row a case and method on stdout."""
    rows = []
    for record in records:
        for key, sums in record["totals"].items():
            values = [sums[k] for k in ("tmtv_ml", "tlg_g")]
            more = [sums[k] for k in ("suv_max", "suv_peak", "dmax_mm")]
            row = [record["case"], key, *(console.number(v) for v in values)]
            rows.append([*row, str(sums["lesions"]), *(console.number(v, 2) for v in more)])
    console.table(HEADER, rows)


def warnings(record: dict[str, Any]) -> None:
    """The case's warnings on stderr, and what its network was trained on."""
    trained = record["model"].get("trained_on")
    if trained:
        console.say(f"{record['case']}: model {record['model']['name']}, trained on {trained}")
    for warning in record["warnings"]:
        console.say(f"{record['case']}: {warning['code']}: {warning['message']}")
