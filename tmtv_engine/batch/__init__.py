"""Many cases: what is there is skipped, what fails is told and the others go on."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from threading import Event
from typing import TYPE_CHECKING

from tmtv_engine.batch.accounts import (
    CASES,
    FAILURE_KEYS,
    bring_up,
    failures_of,
    to_retry,
    write_failures,
)
from tmtv_engine.batch.log import RunLog
from tmtv_engine.batch.outcome import Outcome, State
from tmtv_engine.batch.resume import gives_way, refuse_another, resumed
from tmtv_engine.batch.workers import Until, in_threads, still_at_work
from tmtv_engine.case.folder import is_complete
from tmtv_engine.case.tables import update_summary
from tmtv_engine.errors import TmtvError
from tmtv_engine.model.finders import Finder
from tmtv_engine.pipeline import CaseConfig, run_case

if TYPE_CHECKING:
    from tmtv_engine.study.found import Study

__all__ = [
    "CASES",
    "FAILURE_KEYS",
    "Outcome",
    "RunLog",
    "State",
    "failures_of",
    "run_batch",
    "still_at_work",
    "to_retry",
    "write_failures",
]


def run_batch(
    studies: Sequence[Study],
    finder: Finder,
    config: CaseConfig,
    *,
    fresh: bool = False,
    jobs: int = 1,
) -> Iterator[Outcome]:
    """Run every study and yield its outcome as it comes; `summary.csv` is kept up.

    A folder with a `case.json` is taken as it is if it answers what is asked (`resume.resumed`),
    unless ``fresh``: then it is made anew and a reviewed one moved aside, which its note says. A
    case of that name that is another study's stays and is this one's failure. With ``jobs`` above
    1 that many cases are in work at once, in threads: the heavy parts (reading, filters, the
    network) run outside Python's lock. Whoever closes the iterator, or is interrupted while it
    waits, has it back within a second: what is in work ends at its next stage.
    """
    todo = []
    for study in studies:
        if not fresh and is_complete(config.out / study.case):
            yield _there(study, finder, config)
        else:
            todo.append(study)
    stop = Event()
    config = replace(config, say=Until(stop, config.say))
    try:
        yield from in_threads(lambda study: _one(study, finder, config), todo, jobs, stop)
    finally:
        bring_up(config.out)


def _there(study: Study, finder: Finder, config: CaseConfig) -> Outcome:
    found = resumed(study, finder, config)
    if found.state == "done" and found.case is not None:
        update_summary(config.out, found.case.record)
    return found


def _one(study: Study, finder: Finder, config: CaseConfig) -> Outcome:
    before = ""
    try:
        refuse_another(study, config)
        before = gives_way(config.out / study.case, finder)
        case = run_case(study, finder, config)
        update_summary(config.out, case.record)
    except TmtvError as error:
        return Outcome(study.case, "failed", None, error, study)
    except Exception as error:  # what nobody foresaw in one case must not end a night's batch
        if os.environ.get("TMTV_TRACEBACK") == "1":
            raise
        told = TmtvError(f"{study.case}: {type(error).__name__}: {error}")
        return Outcome(study.case, "failed", None, told, study)
    return Outcome(study.case, "done", case, None, study, *_gone(before, config.out / study.case))


def _gone(before: str, folder: Path) -> tuple[str, bool]:
    """What gave way to the case at ``folder``, where it lies now, and whether it was kept."""
    kept = sorted((folder.parent / "aside").glob(f"{folder.name}.*")) if before else []
    if before.startswith("an unreviewed"):
        return f"{before} was replaced", False
    return (f"{before} was moved to {kept[-1]}", True) if kept else ("", False)
