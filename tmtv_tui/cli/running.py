"""A batch from the command line: run it or watch for it, keep its log, end well when stopped."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tmtv_tui.cli import console
from tmtv_tui.cli.telling import close, counts_of, tell, tell_stock

if TYPE_CHECKING:
    from tmtv_engine.batch import Outcome, RunLog
    from tmtv_engine.cluster import Cluster
    from tmtv_engine.model.finders import Finder
    from tmtv_engine.pipeline import CaseConfig
    from tmtv_engine.study.found import Failure, Stock

INTERRUPTED = 130


@dataclass(frozen=True)
class Asked:
    """What a run was asked for; ``options`` as the command line and the file say them."""

    finder: Finder
    config: CaseConfig
    kinds: Sequence[str]
    options: Mapping[str, Any]
    fresh: bool = False
    jobs: int = 1
    retry: bool = False
    as_json: bool = False
    cluster: Cluster | None = None
    load: Callable[[], Finder] | None = None


@dataclass
class Books:
    """What became of everything so far, of each study no more than the closing line needs."""

    log: RunLog
    stock: Stock
    outcomes: list[Outcome] = field(default_factory=list)
    failed: int = 0
    before: Sequence[Failure] = ()


def run(asked: Asked, stock: Stock) -> int:
    """Run the studies of ``stock`` and tell what became of everything; the exit status."""
    from tmtv_engine.batch import RunLog, failed_before, to_retry

    before = failed_before(asked.config.out)
    if asked.retry:
        more = len(stock.studies)
        stock = to_retry(asked.config.out, stock)
        console.say(f"{len(stock.studies)} of {more} studies failed before and are tried again")
    tell_stock(stock, asked.retry)
    books = Books(RunLog(asked.config.out, asked.options), stock, before=before)
    books.log.stock(stock)
    try:
        _take(asked, books, stock)
    except KeyboardInterrupt:
        return _ended(asked, books, stopped=True)
    return _ended(asked, books)


def watch(asked: Asked, paths: Sequence[Path], look: Callable[[], Stock], settle_s: float) -> int:
    """Run studies as they become complete below ``paths`` until Ctrl-C; the exit status.

    ``look`` takes stock of ``paths``; a study is complete when none of its files, and none beside
    them, changed for ``settle_s`` seconds.
    """
    from tmtv_engine.batch import RunLog, failed_before
    from tmtv_engine.batch.watch import arrivals
    from tmtv_engine.study.found import Stock

    log = RunLog(asked.config.out, asked.options)
    books = Books(log, Stock(), before=failed_before(asked.config.out))
    console.say(f"watching {', '.join(map(str, paths))}; Ctrl-C ends it")
    try:
        for new in arrivals(paths, look, settle_s, without=(asked.config.out,)):
            tell_stock(replace(new, leftovers=()), True)
            books.log.stock(replace(new, leftovers=()))
            books.stock += replace(new, leftovers=())
            books.stock = replace(books.stock, leftovers=new.leftovers)
            _take(asked, books, new)
    except KeyboardInterrupt:
        pass
    return _ended(asked, books, stopped=True)


def _take(asked: Asked, books: Books, stock: Stock) -> None:
    from tmtv_engine.batch import run_batch

    progress = console.Progress(len(stock.studies))
    config = replace(asked.config, say=progress.stage)
    batch = run_batch(
        stock.studies,
        asked.finder,
        config,
        fresh=asked.fresh,
        jobs=asked.jobs,
        cluster=asked.cluster,
        load=asked.load,
    )
    done = _kept(batch, books, asked.kinds)
    books.failed += tell(done, progress, asked.as_json, asked.kinds)


def _kept(batch: Iterable[Outcome], books: Books, kinds: Sequence[str]) -> Iterator[Outcome]:
    """The outcomes as they come, exported as ``kinds``, each in the books before all that."""
    from tmtv_engine.batch import exported

    for outcome in batch:
        books.outcomes.append(outcome.brief())
        books.log.outcome(outcome)
        tried = exported(outcome, kinds)
        books.outcomes[-1] = tried.brief()
        books.log.unexported(tried)
        yield tried


def _ended(asked: Asked, books: Books, stopped: bool = False) -> int:
    """The closing line, the log's last, and the exit status, 1 exactly where that line counts a
    failure or an export failed; never waits for what still runs."""
    from tmtv_engine.batch import still_at_work, untried

    waiting = len(books.stock.studies) - len(books.outcomes)
    if stopped:
        console.complain(f"stopped: {waiting} studies not done; the same command goes on there")
    left = untried(books.before, books.stock, books.outcomes)
    if not (asked.retry or stopped):  # all was looked at; exports only where they were asked for
        left = tuple(failure for failure in left if failure.kind == "export")
    close(asked.config.out, books.stock, books.outcomes, books.log.path, left)
    books.log.close(counts_of(books.stock, books.outcomes, left), "stopped" if stopped else "done")
    if stopped and (
        asked.cluster or still_at_work()
    ):  # what it had begun is no case, and goes with the next run
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(INTERRUPTED)
    if stopped:
        return INTERRUPTED
    return 1 if books.failed or books.stock.failures or left else 0
