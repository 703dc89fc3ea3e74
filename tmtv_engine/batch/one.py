"""One study of a batch to its case, whatever goes wrong in it."""

from __future__ import annotations

import os
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
    except Exception as error:  # what nobody foresaw in one case must not end a night's batch
        if os.environ.get("TMTV_TRACEBACK") == "1":
            raise
        told = TmtvError(f"{study.case}: {type(error).__name__}: {error}")
        return Outcome(study.case, "failed", None, told, study)
    return Outcome(study.case, "done", case, None, study, *_gone(before, config.out / study.case))


def _gone(before: str, folder: Path) -> tuple[str, bool]:
    """What gave way to the case at ``folder``, where it lies now, and whether it was a case that
    was kept."""
    kept = sorted((folder.parent / "aside").glob(f"{folder.name}.*")) if before else []
    if before.startswith("an unreviewed"):
        return f"{before} was replaced", False
    if not kept:
        return "", False
    return f"{before} was moved to {kept[-1]}", before != NO_CASE
