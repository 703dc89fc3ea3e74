"""``tmtv threshold``: the cuts and measures of ROIs that someone drew."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from tmtv_engine.errors import AmbiguousInput
from tmtv_tui.cli import console, options
from tmtv_tui.cli.predict import CASE_NAMES, config_of, stock_of
from tmtv_tui.cli.telling import tell

if TYPE_CHECKING:
    from tmtv_engine.study.found import Stock, Study


def threshold(
    pet: Path = typer.Argument(..., metavar="PET", help="DICOM, or an image in SUV."),
    roi: Path = typer.Argument(
        ..., metavar="ROI", help="Mask or labels (NIfTI, NRRD, MHA), SEG or RTSTRUCT."
    ),
    out: Path = typer.Option(
        Path("tmtv-rois"), "-o", "--out", metavar="FOLDER", help="Folder for the case folders."
    ),
    method: list[str] | None = options.METHOD,
    rois: str = options.ROIS,
    name: list[str] | None = options.ROI,
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
    fresh: bool = options.FRESH,
    as_json: bool = options.JSON,
    quiet: bool = options.QUIET,
) -> int:
    """Cut and measure the ROIs of one PET by every method."""
    from tmtv_engine.batch import run_batch
    from tmtv_engine.model.finders import file_finder

    console.VOICE.quiet = quiet
    options.choice(rois, ("auto", "labels", "components"), "--rois")
    told = options.overrides_of(
        weight_kg, height_m, dose_bq, injection_time, allow_tracer, allow_gaps, accept
    )
    config = config_of(out, method, liver_sphere, told, not no_image)
    options.choice(case_name, CASE_NAMES, "--case-name")
    study = the_study(stock_of([pet], pet_series, pet_match, case_name, out), pet)
    progress = console.Progress()
    config = replace(config, say=progress.stage)
    finder = file_finder(roi, mode=rois, names=name, accepted=told.accepted)  # type: ignore[arg-type]
    outcomes = run_batch([study], finder, config, fresh=fresh)
    return 1 if tell(outcomes, progress, as_json) else 0


def the_study(stock: Stock, pet: Path) -> Study:
    """The one study of ``stock``; raises what is wrong with it, or `AmbiguousInput`."""
    from tmtv_engine.study.find import no_pet

    if not stock.studies and not stock.failures:
        raise no_pet(pet, stock)
    if not stock.studies and len(stock.failures) == 1:
        raise stock.failures[0].error
    for failure in stock.failures:
        console.failed(failure.error, str(failure.path))
    if stock.failures or len(stock.studies) != 1:
        count = len(stock.studies) + len(stock.failures)
        raise AmbiguousInput(f"{pet} holds {count} PET studies", "Choose with --pet-series.")
    return stock.studies[0]
