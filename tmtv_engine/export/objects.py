"""Results that leave the building: how a case is exported by `writers.WRITERS`."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from pathlib import Path

from tmtv_engine.case.folder import Case, read_case
from tmtv_engine.case.guard import guarded
from tmtv_engine.errors import UsageError
from tmtv_engine.export import writers
from tmtv_engine.export.job import Job, job_of
from tmtv_engine.files import own_folder, write_text
from tmtv_engine.review.journal import alone

FOLDER = "export"


def write_objects(case: Case, kinds: Sequence[str]) -> list[Path]:
    """Export the reviewed state of a case as ``kinds`` of `WRITERS`, into its `export` folder.

    Files are written aside and renamed; what an earlier reading left of a kind is taken away.
    The SR refers to the SEGs, which are written with it. Returns what was written.
    Raises `UsageError` for a kind that there is not, `CaseError` where the source has no DICOM.
    """
    asked = writers.kinds_of(",".join(kinds))
    if not asked:
        raise UsageError("nothing is to be written", f"Choose one of {', '.join(writers.WRITERS)}.")
    rows = [writers.WRITERS[kind] for kind in asked]
    wanted = dict.fromkeys(kind for row in rows for kind in (*row.needs, row.kind))
    written: list[Path] = []
    with alone(case.path), guarded(case.path), warnings.catch_warnings():
        job = job_of(read_case(case.path))
        folder = own_folder(case.path, FOLDER)
        # highdicom doubts names of one component, aloud
        warnings.filterwarnings("ignore", message="The string .* is unlikely to represent")
        for kind in wanted:
            written += writers.WRITERS[kind].write(job, folder)
        if "seg" in wanted:
            written += _signature(job, folder)
    return written


def _signature(job: Job, folder: Path) -> list[Path]:
    """What an SSH key signed, and its signature, for ``ssh-keygen -Y verify``; none: none stays."""
    paths = [folder / "signed.txt", folder / "signed.txt.sig"]
    if job.signature is None:
        for path in paths:
            path.unlink(missing_ok=True)
        return []
    for path, text in zip(paths, (f"{job.reading.signed}\n", job.signature), strict=True):
        write_text(path, text)
    return paths
