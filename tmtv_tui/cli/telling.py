"""What a batch says: each case as it comes, the table, what failed, the closing line."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from tmtv_engine.errors import TmtvError
from tmtv_engine.text import counted
from tmtv_tui.cli import console, show
from tmtv_tui.cli.export import tell_empty

if TYPE_CHECKING:
    from tmtv_engine.batch import Outcome
    from tmtv_engine.case.folder import Case
    from tmtv_engine.study.found import Failure, Stock

MANY = 20


def tell_stock(stock: Stock, may_be_empty: bool = False) -> None:
    """What cannot be taken, and what is left over: all of the first, the beginning of the last."""
    for failure in stock.failures:
        console.failed(failure.error, str(failure.path))
    for left in stock.leftovers[:MANY]:
        console.say(f"left over: {left.path}: {left.why}")
    more = len(stock.leftovers) - MANY
    if more > 0:
        console.say(f"left over: {more} more")
    if not stock.studies and not stock.failures and not may_be_empty:
        console.complain("no PET was found: give DICOM with a PET series, or pet.nii.gz in SUV")


def counts_of(
    stock: Stock, outcomes: Sequence[Outcome], untried: Sequence[Failure] = ()
) -> dict[str, int]:
    """How many of each there are, in the closing line's words; exports only where some failed."""
    states = [o.state for o in outcomes]
    exports = sum(f.kind == "export" for f in untried)
    unexported = exports + sum(o.unexported is not None for o in outcomes)
    return {
        "done": states.count("done"),
        "failed": len(stock.failures) + states.count("failed") + len(untried) - exports,
        "already there": states.count("skipped"),
        "left over": len(stock.leftovers),
        **({"not exported": unexported} if unexported else {}),
    }


def close(
    out: Path,
    stock: Stock,
    outcomes: Sequence[Outcome],
    log: Path | None = None,
    untried: Sequence[Failure] = (),
) -> None:
    """The closing line: how many of each, and where they are named.

    ``untried`` failed in an earlier run, and stays in the books.
    """
    from tmtv_engine.batch import CASES, failures_of, write_failures

    failures = [*stock.failures, *failures_of(outcomes), *untried]
    if untried:
        what = f"{counted(len(untried), 'failure')} of before not tried"
        console.complain(f"{what}, first {untried[0].path}: as before in failures.csv")
    written = write_failures(out, failures, stock.leftovers)
    states = [o.state for o in outcomes]
    named = (out / "summary.csv", out / CASES, written, log)
    files = [p for p in named if p is not None and p.is_file()]
    counts = ", ".join(f"{n} {word}" for word, n in counts_of(stock, outcomes, untried).items())
    told = f"{counts} ({', '.join(str(p) for p in files)})" if files else counts
    aside = sum(o.aside for o in outcomes)
    if aside:
        console.complain(f"{aside} reviewed cases moved to {out / 'aside'}")
    if "done" in states:
        console.say(
            "cases.csv, failures.csv, the log in runs/ and each case's source.json name patients: "
            "only you may read them (mode 600)"
        )
    (console.complain if written else console.say)(told)


def tell(
    outcomes: Iterable[Outcome],
    progress: console.Progress,
    as_json: bool,
    kinds: Sequence[str] = (),
    *,
    silent: bool = False,
) -> int:
    """Say what became of each case as it comes and show the totals (not if ``silent``); the
    number that failed.

    One that could not be exported as ``kinds`` stands, and counts as failed.
    """
    failed = 0
    table = show.Totals()
    try:
        for outcome in outcomes:
            progress.case_done(outcome.state == "done")
            if outcome.case is None:
                failed += 1
                console.failed(outcome.error or TmtvError("no reason is known"), outcome.place)
                continue
            _say(outcome, outcome.case)
            failed += not _exported(outcome, outcome.case, kinds)
            if as_json:
                console.out_json(outcome.case.raw)
            else:
                table.add(outcome.case.record)
    finally:  # also of a batch that is stopped
        progress.clear()
        if table.rows and not silent:
            table.show()
    return failed


def _say(outcome: Outcome, case: Case) -> None:
    record = case.record
    if outcome.note:
        (console.complain if outcome.aside else console.say)(f"{outcome.name}: {outcome.note}")
    if outcome.state == "skipped":
        made = f"by {record.model.name}, methods {' '.join(record.totals)}"
        console.say(f"{outcome.name}: already there, made {made}; --fresh makes it anew")
    show.warnings(record)


def _exported(outcome: Outcome, case: Case, kinds: Sequence[str]) -> bool:
    """Say what was exported; whether that went well (it does where nothing was asked for)."""
    if outcome.unexported is not None:
        console.failed(outcome.unexported, case.name)
        return False
    if outcome.written is not None:
        tell_empty(case.name, kinds, outcome.written)
        told = f"{counted(len(outcome.written), 'file')} in {case.path / 'export'}"
        console.say(f"{case.name}: {told}")
    return True
