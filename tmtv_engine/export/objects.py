"""Results that leave the building: which writers there are, and how a case is exported."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType

from tmtv_engine.case.folder import Case, read_case
from tmtv_engine.errors import UsageError
from tmtv_engine.export.job import Job, job_of
from tmtv_engine.files import aside, own_folder, write_text
from tmtv_engine.review.journal import alone

FOLDER = "export"
Writer = Callable[[Job, Path], list[Path]]


def write_objects(case: Case, kinds: Sequence[str]) -> list[Path]:
    """Export the reviewed state of a case as ``kinds`` of `WRITERS`, into its `export` folder.

    Files are written aside and renamed; what an earlier reading left of a kind is taken away.
    The SR refers to the SEGs, which are written with it. Returns what was written.
    Raises `UsageError` for a kind that there is not, `CaseError` where the source has no DICOM.
    """
    unknown = [kind for kind in kinds if kind not in WRITERS]
    if unknown or not kinds:
        raise UsageError(
            f"{', '.join(unknown) or 'nothing'} cannot be written",
            f"Choose of {', '.join(WRITERS)}.",
        )
    written: list[Path] = []
    with alone(case.path), warnings.catch_warnings():
        job = job_of(read_case(case.path))
        folder = own_folder(case.path, FOLDER)
        # highdicom doubts names of one component, aloud
        warnings.filterwarnings("ignore", message="The string .* is unlikely to represent")
        for kind in dict.fromkeys(k for asked in kinds for k in (*NEEDS.get(asked, ()), asked)):
            written += WRITERS[kind](job, folder)
    return written


def _seg(job: Job, folder: Path) -> list[Path]:
    from tmtv_engine.export.seg import write_seg

    return [p for m in job.methods if (p := _whole(folder / f"seg_{m.key}.dcm", job, m, write_seg))]


def _rtstruct(job: Job, folder: Path) -> list[Path]:
    from tmtv_engine.export.rtstruct import write_rtstruct

    names = {m: folder / f"rtstruct_{m.key}.dcm" for m in job.methods}
    return [p for m, path in names.items() if (p := _whole(path, job, m, write_rtstruct))]


def _sr(job: Job, folder: Path) -> list[Path]:
    from tmtv_engine.export.sr import write_sr

    path = folder / "sr.dcm"
    with aside(path) as part:
        write_sr(job, part)
    return [path]


def _mip(job: Job, folder: Path) -> list[Path]:
    from tmtv_engine.export.secondary import write_mip

    path = folder / "mip.dcm"
    with aside(path) as part:
        write_mip(job, part)
    return [path]


def _nifti(job: Job, folder: Path) -> list[Path]:
    from tmtv_engine.export.tables import cut_labels
    from tmtv_engine.image.nifti import write_nifti

    written = []
    for method in job.methods:
        path = folder / f"labels_{method.key}.nii.gz"
        with aside(path) as part:
            write_nifti(cut_labels(job, method), part)
        written.append(path)
    return written


def _csv(job: Job, folder: Path) -> list[Path]:
    from tmtv_engine.case.tables import lesions_csv
    from tmtv_engine.review.session import reviewed_record

    path = folder / "lesions.csv"
    write_text(path, lesions_csv(reviewed_record(job.case, job.reading)))
    return [path]


def _whole(path: Path, job: Job, method: object, write: Callable[..., bool]) -> Path | None:
    """Write aside and rename; where nothing is to write, nothing old stays."""
    with aside(path) as part:
        there = write(job, method, part)
    if there:
        return path
    path.unlink(missing_ok=True)
    return None


NEEDS = MappingProxyType({"sr": ("seg",)})
WRITERS: Mapping[str, Writer] = MappingProxyType(
    {"seg": _seg, "sr": _sr, "rtstruct": _rtstruct, "mip": _mip, "nifti": _nifti, "csv": _csv}
)
"""What ``tmtv export --write`` knows, by name."""
