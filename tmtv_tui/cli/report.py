"""``tmtv report``: the agreement of two measurements of a cohort."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from tmtv_engine.errors import UsageError
from tmtv_tui.cli import console, options

if TYPE_CHECKING:
    from tmtv_engine.report.cohort import Cohort

HEADER = ("group", "method", "n", "Dice", "mean ± SD", "ref. mL", "pred. mL")
MORE = ("bias mL", "limits mL", "CCC", "within 10")


def report(
    source: list[Path] = typer.Argument(..., metavar="SOURCE...", help="A table or case folders."),
    out: Path = typer.Option(Path("tmtv-report"), "-o", "--out", help="Folder for the report."),
    cutoff: list[float] | None = typer.Option(
        None, "--cutoff", help="TMTV in mL for Cohen's kappa (default 220). May be repeated."
    ),
    seed: int = typer.Option(20220207, "--seed", help="Seed of the bootstrap intervals."),
    as_json: bool = typer.Option(False, "--json", help="report.json on stdout, as one line."),
    quiet: bool = options.QUIET,
) -> int:
    """Agreement statistics, tables, figures and a page to read offline."""
    from tmtv_engine.report.cohort import CUTOFF_ML, numbers
    from tmtv_engine.report.write import write_report

    console.VOICE.quiet = quiet
    cutoffs = cutoff or [CUTOFF_ML]
    if any(not 0 <= c < 1e6 for c in cutoffs):
        raise UsageError("--cutoff is a volume in mL", "Give a number from 0 up, e.g. 220.")
    cohort = _cohort(source)
    found = numbers(cohort, cutoffs, seed)
    files = write_report(out, cohort, found)
    _tell(found, files, as_json)
    return 0


def _cohort(source: Sequence[Path]) -> Cohort:
    from tmtv_engine.report.tables import read_table

    for path in source:
        if not path.exists():
            raise UsageError(f"{path}: does not exist", "Give a table or a folder of cases.")
    if len(source) == 1 and source[0].is_file():
        return read_table(source[0])
    raise UsageError("several sources, and not all are case folders", "Give one table.")


def _tell(found: Mapping[str, Any], files: Sequence[Path], as_json: bool) -> None:
    if as_json:
        console.out_json(found)
    else:
        groups = [("all", found["methods"]), *found["subtypes"].items()]
        rows = [_row(name, key, m) for name, own in groups for key, m in own.items()]
        console.table((*HEADER, *MORE), rows)
    left_out = found["excluded"]
    for one in left_out[:5]:
        console.say(f"left out: {one['case']}: {one['why']}")
    if len(left_out) > 5:
        console.say(f"left out: {len(left_out) - 5} more, in report.json")
    console.say(f"{found['n']} patients; the report is in {files[0].parent}")


def _row(group: str, key: str, m: Mapping[str, Any]) -> list[str]:
    dice, limits = m["dice"], m["bland_altman"]
    low, high = (console.number(limits[k]) for k in ("loa_low_ml", "loa_high_ml"))
    share = m["within_10"]["share"]
    return [
        group,
        key,
        str(m["n"]),
        console.number(dice["median"], 2),
        f"{console.number(dice['mean'], 2)} ± {console.number(dice['sd'], 2)}",
        console.number(m["tmtv_ref_ml"]["median"]),
        console.number(m["tmtv_ml"]["median"]),
        console.number(limits["bias_ml"]),
        f"{low} to {high}",
        console.number(m["ccc"]["value"], 3),
        "–" if share is None else f"{100 * share:.0f} %",
    ]
