"""``tmtv predict``: studies to case folders."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from tmtv_engine.errors import TmtvError, UsageError
from tmtv_tui.cli import console, options, show
from tmtv_tui.cli.export import KINDS, kinds_of, tell_empty

if TYPE_CHECKING:
    from tmtv_engine.batch import Outcome
    from tmtv_engine.case.folder import Case


def predict(
    studies: list[Path] = typer.Argument(
        ..., metavar="STUDY...", help="DICOM folder, NIfTI folder (SUV) or CSV manifest."
    ),
    out: Path = options.OUT,
    method: list[str] | None = options.METHOD,
    model: str | None = typer.Option(
        None, "--model", help="vnet, hotspot, a run folder or nnunet:DIR."
    ),
    rule: str = typer.Option("paper", "--rule", help="paper (p > 0.5) or vote (whole hot spots)."),
    min_ml: float = typer.Option(0.0, "--min-ml", help="Leave out components smaller than this."),
    device: str = typer.Option("auto", "--device", help="auto, cpu, cuda, cuda:N or mps."),
    pet_series: str | None = options.PET_SERIES,
    pet_match: str | None = options.PET_MATCH,
    case_name: str = options.CASE_NAME,
    weight_kg: float | None = options.WEIGHT,
    height_m: float | None = options.HEIGHT,
    dose_bq: float | None = options.DOSE,
    injection_time: str | None = options.INJECTION,
    allow_tracer: bool = options.TRACER,
    allow_gaps: bool = options.GAPS,
    accept: list[str] | None = options.ACCEPT,
    liver_sphere: str | None = options.LIVER,
    jobs: int = typer.Option(1, "--jobs", "-j", min=1, help="Cases in work at once."),
    write: str = typer.Option(
        "", "--write", help=f"Export each case as it comes: of {','.join(KINDS)}."
    ),
    fresh: bool = typer.Option(
        False, "--fresh/--resume", help="Make finished cases anew; reviewed ones move aside."
    ),
    as_json: bool = options.JSON,
    quiet: bool = options.QUIET,
) -> int:
    """Measure studies: DICOM or NIfTI in, a case folder each out."""
    from tmtv_engine.batch import run_batch
    from tmtv_engine.model import finders
    from tmtv_engine.model import registry as models
    from tmtv_engine.pipeline import CaseConfig

    console.VOICE.quiet = quiet
    kinds = kinds_of(write)
    options.choice(rule, ("paper", "vote"), "--rule")
    options.choice(case_name, ("hash", "folder", "patient-id"), "--case-name")
    config = CaseConfig(
        out,
        options.methods_of(method, liver_sphere),
        options.overrides_of(
            weight_kg, height_m, dose_bq, injection_time, allow_tracer, allow_gaps, accept
        ),
        console.numbers(liver_sphere, 3, "--liver-sphere") if liver_sphere else None,  # type: ignore[arg-type]
    )
    chosen = models.load(model, device)
    found, failures = find(studies, pet_series, pet_match, case_name)
    progress = console.Progress(len(found))
    config = replace(config, say=progress.stage)
    finder = finders.finder_of(chosen, rule=rule, min_ml=min_ml)  # type: ignore[arg-type]
    outcomes = run_batch(found, lambda: finder, config, fresh=fresh, jobs=jobs)
    failed = tell(outcomes, progress, as_json, kinds)
    return 1 if failed or failures else 0


def find(
    paths: Sequence[Path], pet_series: str | None, pet_match: str | None, case_name: str
) -> tuple[list[Any], int]:
    """The studies of ``paths`` and the number of failures, each of which is told."""
    from tmtv_engine.study.find import Study, find_studies

    found: list[Any] = []
    failures: list[TmtvError] = []
    for path in paths:
        try:
            several = find_studies(
                path,
                pet_series=pet_series,
                pet_match=pet_match,
                case_name=case_name,  # type: ignore[arg-type]
            )
        except UsageError:
            raise
        except TmtvError as error:
            failures.append(error)
            continue
        found += [s for s in several if isinstance(s, Study)]
        failures += [s.error for s in several if not isinstance(s, Study)]
    for failure in failures:
        complain(failure)
    _refuse_twins(found)
    return found, len(failures)


def tell(
    outcomes: Iterable[Outcome],
    progress: console.Progress,
    as_json: bool,
    kinds: Sequence[str] = (),
) -> int:
    """Say what became of each case as it comes and show the totals; the number that failed.

    Each is exported as ``kinds``; one that cannot be stands, and counts as failed.
    """
    failed = 0
    records = []
    for outcome in outcomes:
        progress.case_done()
        if outcome.case is None:
            failed += 1
            complain(outcome.error or TmtvError("no reason is known"), outcome.name)
            continue
        record = outcome.case.record
        if outcome.state == "skipped":
            made = f"by {record.model.name}, methods {' '.join(record.totals)}"
            console.say(f"{outcome.name}: already there, made {made}; --fresh makes it anew")
        show.warnings(record)
        failed += not _exported(outcome.case, kinds)
        if as_json:
            console.out_json(outcome.case.raw)
        else:
            records.append(record)
    if records:
        show.totals(records)
    return failed


def _exported(case: Case, kinds: Sequence[str]) -> bool:
    """Export a case; whether that went well (it does where nothing is asked for)."""
    if not kinds:
        return True
    from tmtv_engine.export.objects import write_objects

    try:
        written = write_objects(case, kinds)
    except TmtvError as error:
        complain(error, f"{case.name}: export")
        return False
    tell_empty(case.name, kinds, written)
    console.say(f"{case.name}: {len(written)} files in {case.path / 'export'}")
    return True


def complain(error: TmtvError, name: str = "") -> None:
    """Say which case failed, why, and what to do."""
    console.complain(f"failed: {name}: {error.what}" if name else f"failed: {error.what}")
    if error.remedy:
        console.complain(error.remedy)


def _refuse_twins(studies: Sequence[Any]) -> None:
    names = [s.case for s in studies]
    twins = sorted({n for n in names if names.count(n) > 1})
    if twins:
        raise UsageError(
            f"several studies would become the case {twins[0]!r}",
            "Name them apart in a CSV manifest (case,pet,ct).",
        )
