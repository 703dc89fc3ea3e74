"""One study of a batch to its case, whatever goes wrong in it."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from tmtv_engine.batch.outcome import Outcome
from tmtv_engine.batch.resume import NO_CASE, gives_way, refuse_another
from tmtv_engine.case.tables import update_summary
from tmtv_engine.errors import TmtvError
from tmtv_engine.model.finders import Finder
from tmtv_engine.pipeline import CaseConfig, run_case

if TYPE_CHECKING:
    from tmtv_engine.study.found import Study


def make(study: Study, finder: Finder, config: CaseConfig) -> Outcome:
    """Make the case of a study and bring `summary.csv` up; what fails is told, not raised."""
    before = ""
    try:
        refuse_another(study, config)
        before = gives_way(config.out / study.case, finder)
        case = run_case(study, finder, config)
        update_summary(config.out, case.record)
    except TmtvError as error:
        return Outcome(study.case, "failed", None, error, study)
    except Exception as error:
        return Outcome(study.case, "failed", None, _unforeseen(study.case, error), study)
    return Outcome(study.case, "done", case, None, study, *_gone(before, config.out / study.case))


def exported(outcome: Outcome, kinds: Sequence[str]) -> Outcome:
    """The outcome with its case exported as ``kinds``; what fails is told, and the case stands."""
    if outcome.case is None or not kinds:
        return outcome
    from tmtv_engine.export.objects import write_objects

    try:
        return replace(outcome, written=tuple(write_objects(outcome.case, kinds)))
    except TmtvError as error:
        return replace(outcome, unexported=error)
    except Exception as error:
        return replace(outcome, unexported=_unforeseen(outcome.name, error))


def _unforeseen(name: str, error: Exception) -> TmtvError:
    """What nobody foresaw in one case, in a line: it must not end a night's batch."""
    if os.environ.get("TMTV_TRACEBACK") == "1":
        raise error
    return TmtvError(f"{name}: {type(error).__name__}: {error}")


def _gone(before: str, folder: Path) -> tuple[str, bool]:
    """What gave way to the case at ``folder``, where it lies now, and whether it was a case that
    was kept."""
    kept = sorted((folder.parent / "aside").glob(f"{folder.name}.*")) if before else []
    if before.startswith("an unreviewed"):
        return f"{before} was replaced", False
    if not kept:
        return "", False
    return f"{before} was moved to {kept[-1]}", before != NO_CASE
