"""``tmtv threshold``: the cuts and measures of ROIs that someone drew."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import typer

from tmtv_engine.errors import AmbiguousInput
from tmtv_tui.cli import console, options
from tmtv_tui.cli.predict import complain, tell


def threshold(
    pet: Path = typer.Argument(..., metavar="PET", help="DICOM, or an image in SUV."),
    roi: Path = typer.Argument(
        ..., metavar="ROI", help="Mask or labels (NIfTI, NRRD, MHA), SEG or RTSTRUCT."
    ),
    out: Path = typer.Option(Path("tmtv-rois"), "-o", "--out", help="Folder for the case folders."),
    method: list[str] | None = options.METHOD,
    rois: str = typer.Option(
        "auto", "--rois", help="auto, labels (each as drawn) or components (clustered)."
    ),
    name: list[str] | None = typer.Option(
        None, "--roi", help="Only the ROI of this name or number. May be repeated."
    ),
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
    fresh: bool = typer.Option(
        True, "--fresh/--resume", help="Make a finished case anew; a reviewed one moves aside."
    ),
    as_json: bool = options.JSON,
    quiet: bool = options.QUIET,
) -> int:
    """Cut and measure the ROIs of one PET by every method."""
    from tmtv_engine.batch import run_batch
    from tmtv_engine.model.finders import file_finder
    from tmtv_engine.pipeline import CaseConfig
    from tmtv_engine.study.find import Study, find_studies

    console.VOICE.quiet = quiet
    options.choice(rois, ("auto", "labels", "components"), "--rois")
    options.choice(case_name, ("hash", "folder", "patient-id"), "--case-name")
    methods = options.methods_of(method, liver_sphere)
    told = options.overrides_of(
        weight_kg, height_m, dose_bq, injection_time, allow_tracer, allow_gaps, accept
    )
    liver = console.numbers(liver_sphere, 3, "--liver-sphere") if liver_sphere else None
    found = find_studies(
        pet,
        pet_series=pet_series,
        pet_match=pet_match,
        case_name=case_name,  # type: ignore[arg-type]
    )
    studies = [s for s in found if isinstance(s, Study)]
    for failure in found:
        if not isinstance(failure, Study):
            complain(failure.error, str(failure.path))
    if len(found) != 1:
        raise AmbiguousInput(f"{pet} holds {len(found)} PET studies", "Choose with --pet-series.")
    progress = console.Progress()
    config = replace(CaseConfig(out, methods, told, liver), say=progress.stage, image=not no_image)  # type: ignore[arg-type]
    finder = file_finder(roi, mode=rois, names=name, accepted=told.accepted)  # type: ignore[arg-type]
    outcomes = run_batch(studies, lambda: finder, config, fresh=fresh)
    return 1 if tell(outcomes, progress, as_json) else 0
