"""``tmtv predict``: studies to case folders."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from tmtv_engine.errors import TmtvError
from tmtv_engine.export.writers import WRITERS, kinds_of
from tmtv_tui.cli import console, options, show
from tmtv_tui.cli.export import tell_empty

if TYPE_CHECKING:
    from tmtv_engine.batch import Outcome
    from tmtv_engine.case.folder import Case
    from tmtv_engine.model.finders import Finder
    from tmtv_engine.pipeline import CaseConfig
    from tmtv_engine.study.found import Stock
    from tmtv_engine.suv.overrides import Overrides

MANY = 20
CASE_NAMES = ("hash", "folder", "patient-id")


def predict(
    studies: list[Path] = typer.Argument(
        ..., metavar="STUDY...", help="Folder or zip of DICOM or NIfTI (SUV), or a CSV manifest."
    ),
    out: Path = options.OUT,
    method: list[str] | None = options.METHOD,
    model: str | None = typer.Option(
        None, "--model", help="vnet, hotspot, a run folder, a name of tmtv models or nnunet:DIR."
    ),
    channels: str | None = options.CHANNELS,
    tumour_label: str | None = options.TUMOUR_LABEL,
    combine: str | None = options.COMBINE,
    rule: str = typer.Option("paper", "--rule", help="paper (p > 0.5) or vote (whole hot spots)."),
    min_ml: float = typer.Option(0.0, "--min-ml", help="Leave out components smaller than this."),
    no_split: bool = typer.Option(False, "--no-split", help="Leave each component whole."),
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
    no_image: bool = options.NO_IMAGE,
    jobs: int = typer.Option(1, "--jobs", "-j", min=1, help="Cases in work at once."),
    write: str = typer.Option(
        "", "--write", help=f"Export each case as it comes: of {','.join(WRITERS)}."
    ),
    fresh: bool = typer.Option(
        False, "--fresh/--resume", help="Make finished cases anew; reviewed ones move aside."
    ),
    as_json: bool = options.JSON,
    quiet: bool = options.QUIET,
) -> int:
    """Measure studies: DICOM or NIfTI in, a case folder each out."""
    from tmtv_engine.model import finders
    from tmtv_engine.model import registry as models

    console.VOICE.quiet = quiet
    kinds = kinds_of(write)
    options.choice(rule, ("paper", "vote"), "--rule")
    told = options.overrides_of(
        weight_kg, height_m, dose_bq, injection_time, allow_tracer, allow_gaps, accept
    )
    config = config_of(out, method, liver_sphere, told, not no_image)
    options.choice(case_name, CASE_NAMES, "--case-name")
    chosen = models.load(model, device, models.told(channels, tumour_label, combine))
    finder = finders.finder_of(chosen, rule=rule, min_ml=min_ml, split=not no_split)  # type: ignore[arg-type]
    stock = stock_of(studies, pet_series, pet_match, case_name, out)
    return run(stock, finder, config, kinds, fresh=fresh, jobs=jobs, as_json=as_json)


def config_of(
    out: Path, method: list[str] | None, liver: str | None, told: Overrides, image: bool
) -> CaseConfig:
    """How cases are made, as the options say it."""
    from tmtv_engine.pipeline import CaseConfig

    centre = console.numbers(liver, 3, "--liver-sphere") if liver else None
    methods = options.methods_of(method, liver)
    return CaseConfig(out, methods, told, centre, image=image)  # type: ignore[arg-type]


def stock_of(
    studies: Sequence[Path],
    pet_series: str | None,
    pet_match: str | None,
    case_name: str,
    out: Path,
) -> Stock:
    """Everything below ``studies`` but the results' own folder."""
    from tmtv_engine.study.stock import take_stock

    return take_stock(
        studies,
        pet_series=pet_series,
        pet_match=pet_match,
        case_name=case_name,  # type: ignore[arg-type]
        without=[out],
    )


def run(
    stock: Stock,
    finder: Finder,
    config: CaseConfig,
    kinds: Sequence[str],
    *,
    fresh: bool,
    jobs: int,
    as_json: bool,
) -> int:
    """Run the studies of ``stock`` and tell what became of everything; the exit status."""
    from tmtv_engine.batch import run_batch

    tell_stock(stock)
    progress = console.Progress(len(stock.studies))
    config = replace(config, say=progress.stage)
    outcomes: list[Outcome] = []
    batch = run_batch(stock.studies, finder, config, fresh=fresh, jobs=jobs)
    failed = tell(kept_in(batch, outcomes), progress, as_json, kinds)
    close(config.out, stock, outcomes)
    return 1 if failed or stock.failures or stock.nothing else 0


def kept_in(batch: Iterable[Outcome], outcomes: list[Outcome]) -> Iterator[Outcome]:
    """The outcomes as they come, each kept in ``outcomes`` without its arrays."""
    for outcome in batch:
        outcomes.append(outcome)
        yield outcome


def tell_stock(stock: Stock) -> None:
    """What cannot be taken, and what is left over: all of the first, the beginning of the last."""
    for failure in stock.failures:
        complain(failure.error, str(failure.path))
    for left in stock.leftovers[:MANY]:
        console.say(f"left over: {left.path}: {left.why}")
    more = len(stock.leftovers) - MANY
    if more > 0:
        console.say(f"left over: {more} more")
    if not stock.studies and not stock.failures:
        what = "no PET was found: give DICOM with a PET series, or pet.nii.gz in SUV"
        console.complain(f"error: {what}" if stock.nothing else what)


def close(out: Path, stock: Stock, outcomes: Sequence[Outcome]) -> None:
    """The closing line: how many of each, and where they are named."""
    from tmtv_engine.batch import failures_of, write_failures

    failures = [*stock.failures, *failures_of(outcomes)]
    written = write_failures(out, failures, stock.leftovers)
    states = [o.state for o in outcomes]
    files = [p for p in (out / "summary.csv", written) if p is not None and p.is_file()]
    counts = (
        f"{states.count('done')} done, {len(failures)} failed, "
        f"{states.count('skipped')} already there, {len(stock.leftovers)} left over"
    )
    told = f"{counts} ({', '.join(str(p) for p in files)})" if files else counts
    aside = sum(o.aside for o in outcomes)
    if aside:
        console.complain(f"{aside} reviewed cases moved to {out / 'aside'}")
    if "done" in states:
        console.say("each case's source.json names its patient: only you may read it (mode 600)")
    (console.complain if written else console.say)(told)


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
            complain(outcome.error or TmtvError("no reason is known"), outcome.place)
            continue
        record = outcome.case.record
        if outcome.note:
            (console.complain if outcome.aside else console.say)(f"{outcome.name}: {outcome.note}")
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
    """Say which study failed, why, and what to do; its place once."""
    there = error.what.startswith(f"{name}:") or ("/" in name and name in error.what)
    named = name and not there
    console.complain(f"failed: {name}: {error.what}" if named else f"failed: {error.what}")
    if error.remedy:
        console.complain(error.remedy)
