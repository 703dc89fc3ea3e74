"""``tmtv demo``: one digital patient through the whole line."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import typer

from tmtv_engine.errors import TmtvError
from tmtv_tui.cli import console, options
from tmtv_tui.cli.telling import tell


def demo(
    out: Path = typer.Option(
        Path("tmtv-demo"), "-o", "--out", metavar="FOLDER", help="Folder for everything."
    ),
    seed: int = typer.Option(1, "--seed", metavar="N", min=0, help="Which digital patient."),
    model: str | None = typer.Option(
        None, "--model", metavar="MODEL", help="vnet (default), hotspot or a run folder."
    ),
    device: str = options.DEVICE,
    as_json: bool = options.JSON,
    quiet: bool = options.QUIET,
) -> int:
    """Take one digital patient through the whole line.

    Draws it as DICOM, reads it back, predicts, and shows TMTV by method beside the truth, and in
    truth.png what was missed and invented.
    """
    from tmtv_engine.batch import run_batch
    from tmtv_engine.files import new_folder
    from tmtv_engine.model import finders
    from tmtv_engine.model import registry as models
    from tmtv_engine.phantom.write import write_drawn
    from tmtv_engine.pipeline import CaseConfig
    from tmtv_engine.study.find import Study, find_studies

    console.VOICE.quiet = quiet
    name = f"digital-{seed:04d}"
    console.say(f"drawing the digital patient {seed} and writing its PET, CT and RTSTRUCT as DICOM")
    with new_folder(out / "patients", name) as folder:
        write_drawn(folder, seed, "dicom")
    found = find_studies(out / "patients" / name, case_name="folder")
    studies = [s for s in found if isinstance(s, Study)]
    if len(found) != 1 or not studies:
        raise TmtvError(f"{out / 'patients' / name} could not be read back")
    methods = options.methods_of(["41", "2.5", "4.0", "otsu", "prob", "mv2", "a50p"], None)
    progress = console.Progress()
    config = replace(CaseConfig(out / "cases", methods), say=progress.stage)
    finder = finders.finder_of(models.load(model, device))
    outcomes = run_batch(studies, finder, config, fresh=True)
    failed = tell(outcomes, progress, False, silent=as_json)
    if failed:
        return 1
    told = _beside_truth(out / "cases" / studies[0].case, out / "patients" / name)
    if as_json:
        console.out_json(told)
    else:
        _tell(told)
    console.say(f"next: tmtv review {out / 'cases'}")
    return 0


def _beside_truth(case: Path, patient: Path) -> dict[str, Any]:
    """The prediction's totals beside those of the true ROIs cut alike; what was missed and
    invented, also drawn."""
    from tmtv_engine.report.folders import Job, compare_case
    from tmtv_engine.report.truth import beside_truth, draw_truth

    drawn = patient / "RTSTRUCT" / "rois.dcm"
    rois = drawn if drawn.exists() else None
    told = compare_case(Job(case, rois, mode="labels"))
    if not told.pairs:
        raise TmtvError(f"the truth of {patient.name} could not be compared with its case")
    beside = beside_truth(case, rois)
    picture = patient.parents[1] / "truth.png"
    draw_truth(picture, case, beside)
    totals = {
        p.method: {
            "true_ml": p.reference_ml,
            "predicted_ml": p.predicted_ml,
            "dice": p.overlaps.get("dice"),
        }
        for p in told.pairs
    }
    return {
        "case": case.name,
        "methods": totals,
        "true_lesions": len(beside.truth),
        "missed": len(beside.missed),
        "accepted_lesions": len(beside.accepted),
        "invented": len(beside.invented),
        "words": beside.words,
        "picture": str(picture),
    }


def dice_of(told: Mapping[str, Any]) -> str:
    """The Dice coefficient for people."""
    return console.number(told["dice"], 2)


def _tell(told: Mapping[str, Any]) -> None:
    rows = [
        (key, *(console.number(m[k]) for k in ("true_ml", "predicted_ml")), dice_of(m))
        for key, m in told["methods"].items()
    ]
    console.table(("method", "true mL", "predicted mL", "Dice"), rows)
    console.out(told["words"])
    console.out(f"picture: {told['picture']}")
