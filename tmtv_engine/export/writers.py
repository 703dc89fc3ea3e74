"""The writers: one table of what can be exported, into which files, and what each needs.

A row added to `WRITERS` is a choice of ``--write``, in the help and on the page docs/export.md.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

from tmtv_engine.errors import UsageError

if TYPE_CHECKING:
    from tmtv_engine.export.job import Job


@dataclass(frozen=True)
class Writer:
    """A kind of export: the ``files`` that it makes and ``what`` they are, in words.

    ``write`` puts them into a folder and returns their paths; ``series`` is the number of its first
    DICOM series (one a method from there on); ``needs`` names kinds that are written before it.
    """

    kind: str
    files: str
    what: str
    write: Callable[[Job, Path], list[Path]]
    series: int | None = None
    needs: tuple[str, ...] = ()

    @property
    def of_dicom(self) -> bool:
        """Whether it refers to a DICOM PET, and cannot be without."""
        return self.series is not None


def kinds_of(text: str) -> tuple[str, ...]:
    """The kinds of a comma-separated list; raises `UsageError` for one that there is not."""
    asked = tuple(dict.fromkeys(part.strip() for part in text.split(",") if part.strip()))
    unknown = [kind for kind in asked if kind not in WRITERS]
    if unknown:
        raise UsageError(
            f"--write {unknown[0][:20]!r} is unknown", f"Choose one of {', '.join(WRITERS)}."
        )
    return asked


def page() -> str:
    """The table of docs/export.md."""
    rows = [
        f"| `{w.kind}` | `{w.files}`{_beside(w)} | {w.what} | {w.series if w.of_dicom else '–'} |"
        for w in WRITERS.values()
    ]
    head = ["| kind | file | what | series |", "|---|---|---|---|"]
    return "\n".join([*head, *rows, ""])


def _beside(writer: Writer) -> str:
    return f" (and `{'`, `'.join(writer.needs)}`)" if writer.needs else ""


def _seg(job: Job, folder: Path) -> list[Path]:
    from tmtv_engine.export.seg import write_seg

    return _each(job, folder, WRITERS["seg"], write_seg)


def _rtstruct(job: Job, folder: Path) -> list[Path]:
    from tmtv_engine.export.rtstruct import write_rtstruct

    return _each(job, folder, WRITERS["rtstruct"], write_rtstruct)


def _sr(job: Job, folder: Path) -> list[Path]:
    from tmtv_engine.export.sr import write_sr

    path = folder / "sr.dcm"
    with _private(path) as part:
        write_sr(job, part, WRITERS["sr"].series or 0)
    return [path]


def _mip(job: Job, folder: Path) -> list[Path]:
    from tmtv_engine.export.secondary import write_mip

    path = folder / "mip.dcm"
    with _private(path) as part:
        write_mip(job, part, WRITERS["mip"].series or 0)
    return [path]


def _nifti(job: Job, folder: Path) -> list[Path]:
    from tmtv_engine.export.tables import cut_labels
    from tmtv_engine.files import aside
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
    from tmtv_engine.files import write_text
    from tmtv_engine.review.session import reviewed_record

    path = folder / "lesions.csv"
    write_text(path, lesions_csv(reviewed_record(job.case, job.reading)))
    return [path]


def _page(job: Job, folder: Path) -> list[Path]:
    from tmtv_engine.export.chart import write_chart
    from tmtv_engine.files import PRIVATE

    path = folder / "page.html"
    write_chart(job, path, PRIVATE)
    return [path]


@contextmanager
def _private(path: Path) -> Iterator[Path]:
    """As `files.aside`, for a file that names the patient: readable by its owner only."""
    from tmtv_engine.files import PRIVATE, aside

    with aside(path) as part:
        yield part
        if part.exists():
            part.chmod(PRIVATE)


def _each(job: Job, folder: Path, row: Writer, write: Callable[..., bool]) -> list[Path]:
    """A file a method, each a series; where nothing is to write, nothing old stays."""
    written = []
    for k, method in enumerate(job.methods):
        path = folder / row.files.replace("<method>", method.key)
        with _private(path) as part:
            there = write(job, method, part, (row.series or 0) + k)
        if there:
            written.append(path)
        else:
            path.unlink(missing_ok=True)
    return written


WRITERS: Mapping[str, Writer] = MappingProxyType(
    {
        row.kind: row
        for row in (
            Writer("seg", "seg_<method>.dcm", "DICOM Segmentation, one a method", _seg, 901),
            Writer(
                "sr",
                "sr.dcm",
                "Comprehensive 3D SR, TID 1500: every method; refers to the SEGs",
                _sr,
                951,
                ("seg",),
            ),
            Writer(
                "rtstruct",
                "rtstruct_<method>.dcm",
                "RT Structure Set, one a method",
                _rtstruct,
                931,
            ),
            Writer(
                "mip",
                "mip.dcm",
                "front and side projection with the lesions, Secondary Capture",
                _mip,
                961,
            ),
            Writer(
                "nifti",
                "labels_<method>.nii.gz",
                "label map on the PET's grid, the value is the lesion's number",
                _nifti,
            ),
            Writer("csv", "lesions.csv", "every lesion, its status and its measures", _csv),
            Writer(
                "page",
                "page.html",
                "one page of the reading for the chart: picture, totals, lesions, who signed",
                _page,
            ),
        )
    }
)
"""What ``--write`` takes, by name."""
