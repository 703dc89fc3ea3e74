"""``tmtv predict``: studies to case folders."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from tmtv_engine.errors import UsageError
from tmtv_engine.export.writers import WRITERS, kinds_of
from tmtv_tui.cli import console, options, running, settings

if TYPE_CHECKING:
    from tmtv_engine.pipeline import CaseConfig
    from tmtv_engine.study.found import Stock
    from tmtv_engine.suv.overrides import Overrides

CASE_NAMES = ("hash", "folder", "patient-id")


def predict(
    ctx: typer.Context,
    studies: list[Path] = typer.Argument(
        ..., metavar="STUDY...", help="Folder or zip of DICOM or NIfTI (SUV), or a CSV manifest."
    ),
    out: Path = options.OUT,
    method: list[str] | None = options.METHOD,
    model: str | None = typer.Option(
        None,
        "--model",
        metavar="MODEL",
        help="vnet (default), hotspot, a run folder, a name of tmtv models, nnunet:DIR.",
    ),
    channels: str | None = options.CHANNELS,
    tumour_label: str | None = options.TUMOUR_LABEL,
    combine: str | None = options.COMBINE,
    rule: str = typer.Option(
        "paper", "--rule", metavar="RULE", help="paper (p > 0.5) or vote (whole hot spots)."
    ),
    min_ml: float = typer.Option(
        0.0, "--min-ml", metavar="ML", help="Leave out components smaller than this."
    ),
    no_split: bool = typer.Option(
        False, "--no-split", help="Cut no mass into parts: each component is one lesion."
    ),
    device: str = options.DEVICE,
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
    organs: Path | None = options.ORGANS,
    no_image: bool = options.NO_IMAGE,
    jobs: int = options.JOBS,
    scheduler: str | None = options.SCHEDULER,
    write: str = typer.Option(
        "",
        "--write",
        metavar="KIND,...",
        help=f"Export each case as it comes: {','.join(WRITERS)}.",
    ),
    fresh: bool = options.FRESH,
    retry: bool = typer.Option(
        False, "--retry", help="Only the studies that OUT/failures.csv says failed."
    ),
    watch: bool = typer.Option(
        False, "--watch", help="Go on taking studies as they become complete, until Ctrl-C."
    ),
    settle: float = typer.Option(
        30.0,
        "--settle",
        metavar="SECONDS",
        min=0.1,
        help="With --watch: seconds without change that complete one.",
    ),
    config_file: Path | None = typer.Option(
        None,
        "--config",
        metavar="TOML",
        is_eager=True,
        callback=settings.from_file,
        help="TOML with any of these options; the command line goes before it.",
    ),
    as_json: bool = options.JSON,
    quiet: bool = options.QUIET,
) -> int:
    """Measure studies: DICOM or NIfTI in, a case folder each out."""
    from tmtv_engine.model import finders
    from tmtv_engine.model import registry as models
    from tmtv_engine.study.organmaps import assigned
    from tmtv_engine.study.stock import empty_ones

    console.VOICE.quiet = quiet
    kinds = kinds_of(write)
    options.choice(rule, ("paper", "vote"), "--rule")
    if retry and watch:
        raise UsageError("--retry takes what failed, --watch what comes", "Give one of them.")
    told = options.overrides_of(
        weight_kg, height_m, dose_bq, injection_time, allow_tracer, allow_gaps, accept
    )
    config = config_of(out, method, liver_sphere, told, not no_image)
    options.choice(case_name, CASE_NAMES, "--case-name")
    said: Any = {"rule": rule, "min_ml": min_ml, "split": not no_split}
    there = model and models.absolute(model)
    told_of = models.told(channels, tumour_label, combine)
    load = partial(finders.load, there, device, told_of, **said)
    finder = finders.load(model, device, told_of, **said)
    cluster = options.cluster_of(scheduler, jobs)
    how = (fresh, jobs, retry, as_json, cluster, load)
    asked = running.Asked(finder, config, kinds, ctx.params, *how)

    def look() -> Stock:
        return assigned(stock_of(studies, pet_series, pet_match, case_name, out), organs)

    if watch:
        return running.watch(asked, studies, look, settle)
    stock = look()
    return running.run(asked, empty_ones(studies) if stock.nothing and not retry else stock)


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
    from tmtv_engine.batch import names_given
    from tmtv_engine.study.stock import take_stock

    return take_stock(
        studies,
        pet_series=pet_series,
        pet_match=pet_match,
        case_name=case_name,  # type: ignore[arg-type]
        without=[out],
        given=names_given(out),
    )
