"""``tmtv demo``: one digital patient through the whole line."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import typer

from tmtv_engine.errors import TmtvError
from tmtv_tui.cli import console, options
from tmtv_tui.cli.telling import tell


def demo(
    out: Path = typer.Option(Path("tmtv-demo"), "-o", "--out", help="Folder for everything."),
    seed: int = typer.Option(1, "--seed", min=0, help="Which digital patient."),
    model: str | None = typer.Option(None, "--model", help="vnet, hotspot or a run folder."),
    device: str = typer.Option("auto", "--device", help="auto, cpu, cuda, cuda:N or mps."),
    quiet: bool = options.QUIET,
) -> int:
    """Draw a patient as DICOM, read it back, predict, and show TMTV per method beside the truth."""
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
    failed = tell(outcomes, progress, False)
    if failed:
        return 1
    picture = out / "truth.png"
    _beside_truth(out / "cases" / studies[0].case, out / "patients" / name, picture)
    console.out(f"picture: {picture}")
    console.say(f"next: tmtv review {out / 'cases'}")
    return 0


def _beside_truth(case: Path, patient: Path, picture: Path) -> None:
    """Print the prediction's totals beside those of the true ROIs cut alike; what was missed and
    invented, also drawn."""
    from tmtv_engine.report.folders import Job, compare_case
    from tmtv_engine.report.truth import beside_truth, draw_truth

    drawn = patient / "RTSTRUCT" / "rois.dcm"
    rois = drawn if drawn.exists() else None
    told = compare_case(Job(case, rois, mode="labels"))
    if not told.pairs:
        raise TmtvError(f"the truth of {patient.name} could not be compared with its case")
    dice = [console.number(p.overlaps.get("dice"), 2) for p in told.pairs]
    rows = [
        (p.method, console.number(p.reference_ml), console.number(p.predicted_ml), d)
        for p, d in zip(told.pairs, dice, strict=True)
    ]
    console.table(("method", "true mL", "predicted mL", "Dice"), rows)
    beside = beside_truth(case, rois)
    draw_truth(picture, case, beside)
    console.out(beside.words)
