"""``tmtv report``: the agreement of two measurements of a cohort, or what one cohort holds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from tmtv_engine.errors import UsageError
from tmtv_engine.text import counted
from tmtv_tui.cli import console, options

if TYPE_CHECKING:
    from tmtv_engine.cluster import Cluster
    from tmtv_engine.report.cohort import Cohort

HEADER = ("group", "method", "n", "Dice", "mean ± SD", "ref. mL", "pred. mL")
MORE = ("bias mL", "limits mL", "CCC", "within 10")
SHORT = ("min", "q1", "median", "q3", "max", "mean", "sd")


@dataclass(frozen=True)
class _Asked:
    """What is compared with what."""

    source: Sequence[Path]
    reference: Path | None
    against: Sequence[Path]
    reader: str | None
    against_reader: str | None
    rois: str
    jobs: int
    cluster: Cluster | None
    accepted: frozenset[str]

    @property
    def two_sets(self) -> bool:
        """Whether the other side is a set of case folders."""
        return bool(self.against) or self.against_reader is not None


def report(
    source: list[Path] = typer.Argument(..., metavar="SOURCE...", help="A table or case folders."),
    out: Path = typer.Option(
        Path("tmtv-report"), "-o", "--out", metavar="FOLDER", help="Folder for the report."
    ),
    reference: Path | None = typer.Option(
        None,
        "--reference",
        metavar="MANIFEST",
        help="Manifest case,roi[,subtype] of manual ROIs (no roi: no disease).",
    ),
    rois: str = options.ROIS,
    against: list[Path] | None = typer.Option(
        None,
        "--against",
        metavar="FOLDER",
        help="Case folders of the same names, as reference. May be repeated.",
    ),
    reader: str | None = options.JOURNALS,
    against_reader: str | None = typer.Option(
        None,
        "--against-reader",
        metavar="READER",
        help="The reader (or 'prediction') that is the reference.",
    ),
    cutoff: list[float] | None = typer.Option(
        None,
        "--cutoff",
        metavar="ML",
        help="TMTV in mL for Cohen's kappa (default: 220). May be repeated.",
    ),
    seed: int = typer.Option(
        20220207, "--seed", metavar="N", help="Seed of the bootstrap intervals."
    ),
    scheduler: str | None = options.SCHEDULER,
    jobs: int = typer.Option(2, "-j", "--jobs", metavar="N", min=1, help="Cases in work at once."),
    accept: list[str] | None = options.ACCEPT,
    as_json: bool = typer.Option(False, "--json", help="report.json on stdout, as one line."),
    quiet: bool = options.QUIET,
) -> int:
    """Report agreement: statistics, figures, a page.

    Of a table of volumes, of cases against manual ROIs, of two sets of cases or two readers; of
    cases alone, a description of the cohort. The page is read offline.
    """
    console.VOICE.quiet = quiet
    options.choice(rois, ("auto", "labels", "components"), "--rois")
    cutoffs = cutoff or [220.0]
    if any(not 0 <= c < 1e6 for c in cutoffs):
        raise UsageError("--cutoff is a volume in mL", "Give a number from 0 up, e.g. 220.")
    for path in (*source, *(against or ()), *([reference] if reference else ())):
        if not path.exists():
            raise UsageError(f"{path}: does not exist", "Give a table or a folder of cases.")
    cluster = options.cluster_of(scheduler, jobs)
    accepted = options.accepted_of(accept)
    if accepted and reference is None:
        raise UsageError("--accept speaks of ROIs, and there are none", "Give --reference, too.")
    asked = _Asked(
        source, reference, against or (), reader, against_reader, rois, jobs, cluster, accepted
    )
    cohort = _cohort(asked)
    if cohort is None:
        return _described(asked, out, as_json)
    from tmtv_engine.report.cohort import numbers
    from tmtv_engine.report.write import write_report

    found = numbers(cohort, cutoffs, seed)
    files = write_report(out, cohort, found)
    _tell(found, files, as_json)
    return 0


def _cohort(asked: _Asked) -> Cohort | None:
    """The pairs to compare; None where there is nothing to compare with."""
    if asked.reference is not None and asked.two_sets:
        raise UsageError("--reference and --against are two references", "Give one of them.")
    files = [path for path in asked.source if path.is_file() and path.name != "case.json"]
    if files:
        if len(asked.source) > 1 or asked.reference is not None or asked.two_sets or asked.reader:
            raise UsageError(f"{files[0]}: a table stands alone", "Give it without the others.")
        from tmtv_engine.report.tables import read_table

        return read_table(files[0])
    if asked.reference is None and not asked.two_sets:
        return None
    return _compared(asked)


def _compared(asked: _Asked) -> Cohort:
    from tmtv_engine.case.folder import find_cases
    from tmtv_engine.report.folders import against, with_reference

    progress = console.Progress(max(1, sum(len(find_cases(path)) for path in asked.source)))

    def done(case: str) -> None:
        progress.case_done()
        progress.stage(0, 1, f"compared {case}")

    try:
        progress.stage(0, 1, "comparing")
        if asked.reference is not None:
            mode: Any = asked.rois
            return with_reference(
                asked.source,
                asked.reference,
                reader=asked.reader,
                mode=mode,
                accepted=asked.accepted,
                jobs=asked.jobs,
                cluster=asked.cluster,
                done=done,
            )
        return against(
            asked.source,
            asked.against or asked.source,
            reader=asked.reader,
            other_reader=asked.against_reader,
            jobs=asked.jobs,
            cluster=asked.cluster,
            done=done,
        )
    finally:
        progress.clear()


def _described(asked: _Asked, out: Path, as_json: bool) -> int:
    from tmtv_engine.report.description import described, patients_in, people, write_description

    patients, excluded = patients_in(asked.source, asked.reader)
    found = described(patients, excluded)
    files = write_description(out, patients, found)
    if as_json:
        console.out_json(found)
    else:
        rows = [
            [key, str(m["tmtv_ml"]["n"]), *(console.number(m["tmtv_ml"][k]) for k in SHORT)]
            for key, m in found["methods"].items()
        ]
        console.table(("method", "n", *(f"{k} mL" for k in SHORT)), rows)
    _tell_left_out(found)
    states = ", ".join(f"{n} {state}" for state, n in found["review"]["states"].items())
    console.say(f"{people(found)} ({states}); the report is in {files[0].parent}")
    return 0


def _tell(found: Mapping[str, Any], files: Sequence[Path], as_json: bool) -> None:
    if as_json:
        console.out_json(found)
    else:
        groups = [("all", found["methods"]), *found["subtypes"].items()]
        rows = [_row(name, key, m) for name, own in groups for key, m in own.items()]
        console.table((*HEADER, *MORE), rows)
    _tell_left_out(found)
    for one in found["warnings"][:5]:
        console.say(f"{one['case']}: {one['code']}: {one['message']}")
    if len(found["warnings"]) > 5:
        console.say(f"{len(found['warnings']) - 5} more warnings, in report.json")
    console.say(f"{counted(found['n'], 'patient')}; the report is in {files[0].parent}")


def _tell_left_out(found: Mapping[str, Any]) -> None:
    left_out = found["excluded"]
    for one in left_out[:5]:
        console.say(f"left out: {one['case']}: {one['why']}")
    if len(left_out) > 5:
        console.say(f"left out: {len(left_out) - 5} more, in report.json")


def _row(group: str, key: str, m: Mapping[str, Any]) -> list[str]:
    dice, limits = m["dice"], m["bland_altman"]
    low, high = (console.number(limits[k]) for k in ("loa_low_ml", "loa_high_ml"))
    share = m["within_10"]["share"]
    return [
        group,
        key,
        str(m["n"]),
        console.number(dice["median"], 2),
        f"{console.number(dice['mean'], 2)} ± {console.number(dice['sd'], 2)}",
        console.number(m["tmtv_ref_ml"]["median"]),
        console.number(m["tmtv_ml"]["median"]),
        console.number(limits["bias_ml"]),
        f"{low} to {high}",
        console.number(m["ccc"]["value"], 3),
        "–" if share is None else f"{100 * share:.0f} %",
    ]
