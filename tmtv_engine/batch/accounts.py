"""The books of a batch: `failures.csv`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from tmtv_engine.batch.outcome import Outcome
from tmtv_engine.errors import CaseError, TmtvError
from tmtv_engine.files import PRIVATE, make_folder, write_text
from tmtv_engine.text import clean, csv_text

if TYPE_CHECKING:
    from tmtv_engine.study.found import Failure, Leftover

FAILURES = "failures.csv"
FAILURE_KEYS = ("path", "patient_id", "study_date", "what", "tag", "way_out", "kind")
_CELL = 2000


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
