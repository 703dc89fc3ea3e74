"""Many cases: what is there is skipped, what fails is told and the others go on."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from tmtv_engine.case.folder import Case, is_complete, read_case
from tmtv_engine.case.tables import update_summary, write_summary
from tmtv_engine.errors import TmtvError
from tmtv_engine.model.finders import Finder
from tmtv_engine.pipeline import CaseConfig, run_case

if TYPE_CHECKING:
    from tmtv_engine.study.find import Study

State = Literal["done", "skipped", "failed"]


@dataclass(frozen=True)
class Outcome:
    """What became of one case: ``case`` unless it failed, then ``error``."""

    name: str
    state: State
    case: Case | None = None
    error: TmtvError | None = None


def run_batch(
    studies: Sequence[Study],
    finder: Callable[[], Finder],
    config: CaseConfig,
    *,
    fresh: bool = False,
    jobs: int = 1,
) -> Iterator[Outcome]:
    """Run every study and yield its outcome as it comes; `summary.csv` is kept up.

    A folder with a `case.json` is complete and skipped, unless ``fresh``: then it is made anew
    and a reviewed one moved aside. ``finder`` is called once, and only if a case is to be made.
    With ``jobs`` above 1 that many cases are in work at once, in threads: the heavy parts
    (reading, filters, the network) run outside Python's lock.
    """
    todo = []
    for study in studies:
        if not fresh and is_complete(config.out / study.case):
            yield _there(study, config)
        else:
            todo.append(study)
    if todo:
        yield from _run(todo, finder(), config, jobs)
    if config.out.is_dir():
        write_summary(config.out)


def _run(todo: Sequence[Study], finder: Finder, config: CaseConfig, jobs: int) -> Iterator[Outcome]:
    if jobs == 1:
        yield from (_one(study, finder, config) for study in todo)
        return
    pool = ThreadPoolExecutor(jobs)
    try:
        for future in as_completed([pool.submit(_one, s, finder, config) for s in todo]):
            yield future.result()
    finally:
        pool.shutdown(cancel_futures=True)


def _there(study: Study, config: CaseConfig) -> Outcome:
    try:
        return Outcome(study.case, "skipped", read_case(config.out / study.case))
    except TmtvError as error:
        return Outcome(study.case, "failed", error=error)


def _one(study: Study, finder: Finder, config: CaseConfig) -> Outcome:
    try:
        case = run_case(study, finder, config)
        update_summary(config.out, case.record)
    except TmtvError as error:
        return Outcome(study.case, "failed", error=error)
    except Exception as error:  # what nobody foresaw in one case must not end a night's batch
        if os.environ.get("TMTV_TRACEBACK") == "1":
            raise
        told = TmtvError(f"{study.case}: {type(error).__name__}: {error}")
        return Outcome(study.case, "failed", error=told)
    return Outcome(study.case, "done", case)
