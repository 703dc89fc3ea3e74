"""Many cases: what is there is skipped, what fails is told and the others go on."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from threading import Event
from typing import TYPE_CHECKING

from tmtv_engine.batch.accounts import (
    CASES,
    FAILURE_KEYS,
    bring_up,
    exported_now,
    failed_before,
    failures_of,
    names_given,
    to_retry,
    untried,
    write_failures,
)
from tmtv_engine.batch.cluster import loaded
from tmtv_engine.batch.log import RunLog
from tmtv_engine.batch.one import exported, make
from tmtv_engine.batch.outcome import Answer, Outcome, State
from tmtv_engine.batch.resume import resumed
from tmtv_engine.batch.workers import Until, in_threads, still_at_work
from tmtv_engine.case.folder import is_complete
from tmtv_engine.case.tables import update_summary
from tmtv_engine.cluster import Cluster, on_cluster
from tmtv_engine.model.finders import Finder
from tmtv_engine.pipeline import CaseConfig

if TYPE_CHECKING:
    from tmtv_engine.study.found import Study

__all__ = [
    "CASES",
    "FAILURE_KEYS",
    "Cluster",
    "Outcome",
    "RunLog",
    "State",
    "exported",
    "exported_now",
    "failed_before",
    "failures_of",
    "names_given",
    "run_batch",
    "still_at_work",
    "to_retry",
    "untried",
    "write_failures",
]


def run_batch(
    studies: Sequence[Study],
    finder: Finder,
    config: CaseConfig,
    *,
    fresh: bool = False,
    jobs: int = 1,
    cluster: Cluster | None = None,
    load: Callable[[], Finder] | None = None,
) -> Iterator[Outcome]:
    """Run every study and yield its outcome as it comes; `summary.csv` is kept up.

    A folder with a `case.json` is taken as it is if it answers what is asked (`resume.resumed`),
    unless ``fresh``: then it is made anew and a reviewed one moved aside, which its note says. A
    case of that name that is another study's stays and is this one's failure. With ``jobs`` above
    1 that many cases are in work at once, in threads: the heavy parts (reading, filters, the
    network) run outside Python's lock. Whoever closes the iterator, or is interrupted while it
    waits, has it back within a second: what is in work ends at its next stage. With ``cluster``
    Dask's workers do the cases; they must see studies and ``config.out`` where this process does.
    ``load`` is pickled to them and called once in each, so that the model is loaded there, on the
    worker's own device; without it ``finder`` itself is pickled.
    """
    todo = []
    for study in studies:
        if not fresh and is_complete(config.out / study.case):
            yield _there(study, finder, config)
        else:
            todo.append(study)
    try:
        if cluster is None:
            yield from _here(todo, finder, config, jobs)
        else:
            yield from _there_done(todo, finder, config, cluster, load)
    finally:
        bring_up(config.out)


def _here(
    todo: Sequence[Study], finder: Finder, config: CaseConfig, jobs: int
) -> Iterator[Outcome]:
    stop = Event()
    told = replace(config, say=Until(stop, config.say))
    yield from in_threads(lambda study: make(study, finder, told), todo, jobs, stop)


def _there_done(
    todo: Sequence[Study],
    finder: Finder,
    config: CaseConfig,
    cluster: Cluster,
    load: Callable[[], Finder] | None,
) -> Iterator[Outcome]:
    """The cases as Dask's workers make them; what comes back is small, and read here."""
    where = config.out.absolute()
    plain = CaseConfig(where, config.methods, config.overrides, config.liver_mm, image=config.image)
    work = partial(
        _on_worker, load=load or partial(_same, finder), record=dict(finder.record), config=plain
    )

    def lost(study: Study, error: Exception) -> Answer:
        what = f"{study.case}: the cluster gave it up: {type(error).__name__}: {error}"
        return Answer(study, "failed", error=(what, "See the worker's log; --retry.", ""))

    named = {study.case: study for study in todo}
    for answer in on_cluster(work, [study.absolute() for study in todo], cluster, lost):
        yield replace(answer.outcome(config.out), study=named[answer.study.case])


def _same(finder: Finder) -> Finder:
    return finder


def _on_worker(
    study: Study, load: Callable[[], Finder], record: dict[str, object], config: CaseConfig
) -> Answer:
    """One case in a worker's process, with the worker's own model, which must be the same."""
    finder = loaded(load)
    if dict(finder.record) != record:
        what = f"{study.case}: the worker has another model than was asked for"
        return Answer(study, "failed", error=(what, "Install the same tmtv and models there.", ""))
    return Answer.of(make(study, finder, config))


def _there(study: Study, finder: Finder, config: CaseConfig) -> Outcome:
    found = resumed(study, finder, config)
    if found.state == "done" and found.case is not None:
        update_summary(config.out, found.case.record)
    return found
