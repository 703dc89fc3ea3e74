"""Many cases: what is there is skipped, what fails is told and the others go on."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from tmtv_engine.case.folder import Case, is_complete, read_case
from tmtv_engine.case.tables import update_summary, write_summary
from tmtv_engine.errors import CaseError, TmtvError
from tmtv_engine.files import PRIVATE, inputs_sha256, make_folder, write_text
from tmtv_engine.model.finders import Finder
from tmtv_engine.pipeline import CaseConfig, run_case
from tmtv_engine.study.archive import unpacked
from tmtv_engine.text import clean, csv_text

if TYPE_CHECKING:
    from tmtv_engine.study.found import Failure, Leftover, Study

State = Literal["done", "skipped", "failed"]

FAILURES = "failures.csv"
FAILURE_KEYS = ("path", "patient_id", "study_date", "what", "tag", "way_out", "kind")
_CELL = 2000


@dataclass(frozen=True)
class Outcome:
    """What became of one case: ``case`` unless it failed, then ``error``."""

    name: str
    state: State
    case: Case | None = None
    error: TmtvError | None = None
    study: Study | None = None

    @property
    def place(self) -> str:
        """What a person calls it: where its PET lies, else the case."""
        return str(self.study.path) if self.study is not None and self.study.pet else self.name


def run_batch(
    studies: Sequence[Study],
    finder: Callable[[], Finder],
    config: CaseConfig,
    *,
    fresh: bool = False,
    jobs: int = 1,
) -> Iterator[Outcome]:
    """Run every study and yield its outcome as it comes; `summary.csv` is kept up.

    A folder with a `case.json` made from the same files is complete and skipped, unless
    ``fresh``: then it is made anew and a reviewed one moved aside. A case of that name that is
    another study's stays and is this one's failure. ``finder`` is called once, and only if a
    case is to be made. With ``jobs`` above 1 that many cases are in work at once, in threads:
    the heavy parts (reading, filters, the network) run outside Python's lock.
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
    """The case that is there, if it was made from the files of this study."""
    try:
        case = read_case(config.out / study.case)
        if not _same_files(case, study):
            raise CaseError(
                f"{case.path} was made from other files than {study.path}",
                "Name the study otherwise (a manifest), choose another -o, or give --fresh.",
            )
    except TmtvError as error:
        return Outcome(study.case, "failed", None, error, study)
    return Outcome(study.case, "skipped", case, None, study)


def _same_files(case: Case, study: Study) -> bool:
    """Whether a case was made from these paths, or else from files of the same bytes.

    A case that does not say what it was made from is taken as it is.
    """
    known = case.record.provenance.inputs_sha256
    files = [*study.pet, *study.ct]
    if known is None or case.source().get("inputs") == [os.path.abspath(p) for p in files]:
        return True
    with unpacked(study) as real:
        return inputs_sha256([*real.pet, *real.ct]) == known


def _refuse_another(study: Study, config: CaseConfig) -> None:
    """Raise `CaseError` where the case of that name is another study's."""
    if not is_complete(config.out / study.case):
        return
    case = read_case(config.out / study.case)
    source = case.source()
    if study.kind == "dicom" and source.get("kind") == "dicom":
        uids = {one["uid"] for one in source["pet"].get("instances", ())}
        another = bool(uids and study.instances) and uids.isdisjoint(study.instances)
    else:
        another = not _same_files(case, study)
    if another:
        raise CaseError(
            f"{case.path} is the case of another study than {study.path}",
            "Choose another -o, or name the study otherwise in a manifest.",
        )


def _one(study: Study, finder: Finder, config: CaseConfig) -> Outcome:
    try:
        _refuse_another(study, config)
        case = run_case(study, finder, config)
        update_summary(config.out, case.record)
    except TmtvError as error:
        return Outcome(study.case, "failed", None, error, study)
    except Exception as error:  # what nobody foresaw in one case must not end a night's batch
        if os.environ.get("TMTV_TRACEBACK") == "1":
            raise
        told = TmtvError(f"{study.case}: {type(error).__name__}: {error}")
        return Outcome(study.case, "failed", None, told, study)
    return Outcome(study.case, "done", case, None, study)


def failures_of(outcomes: Sequence[Outcome]) -> list[Failure]:
    """The failed ones of a batch, each with its place and whose study it is."""
    from tmtv_engine.study.found import Failure

    return [
        Failure(
            Path(o.place),
            o.error or TmtvError("no reason is known"),
            o.study.patient_id if o.study else "",
            o.study.study_date if o.study else "",
        )
        for o in outcomes
        if o.state == "failed"
    ]


def write_failures(
    out: Path, failures: Sequence[Failure], leftovers: Sequence[Leftover]
) -> Path | None:
    """Write ``out/failures.csv``: a row a study that failed and a row a leftover.

    Readable by its owner only, as it may name patients. Of nothing there is no file, and one of
    an earlier run goes. Returns its path if it was written.
    """
    path = out / FAILURES
    if not failures and not leftovers:
        path.unlink(missing_ok=True)
        return None
    rows = [
        [str(f.path), f.patient_id, f.study_date, f.error.what, _tag(f.error), f.error.remedy]
        for f in failures
    ]
    rows = [[*row, "failure"] for row in rows]
    rows += [[str(o.path), "", "", o.why, "", "", "leftover"] for o in leftovers]
    cells = [[clean(told, _CELL) for told in row] for row in rows]
    try:
        make_folder(out)
    except OSError as error:
        raise CaseError(f"{out}: {error.strerror}", "Choose another folder with -o.") from error
    write_text(path, csv_text([FAILURE_KEYS, *cells]), PRIVATE)
    return path


def _tag(error: TmtvError) -> str:
    return str(getattr(error, "keyword", ""))
