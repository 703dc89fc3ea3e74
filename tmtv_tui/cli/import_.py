"""``tmtv import``: what somebody corrected in another viewer, as decisions in the journal."""

from __future__ import annotations

from pathlib import Path

import typer

from tmtv_tui.cli import console, decide, options, show


def import_(
    case: Path = decide.CASE,
    file: Path = typer.Argument(..., metavar="FILE", help="A DICOM SEG, an RTSTRUCT or a NIfTI."),
    reader: str | None = decide.READER,
    roi: list[str] | None = options.ROI,
    same: float = typer.Option(
        0.5,
        "--same",
        metavar="DICE",
        help="Dice from which a ROI is a lesion; below it is taken as drawn (0.5 to 1).",
    ),
    pet: Path | None = typer.Option(
        None, "--pet", metavar="FOLDER", help="Where the PET lies now, if it moved."
    ),
    accept: list[str] | None = options.ACCEPT,
    as_json: bool = options.JSON,
) -> int:
    """Take ROIs corrected in another viewer as decisions.

    Accept, reject, add: lines of the journal, as if made here.
    """
    from tmtv_engine.case.folder import read_case
    from tmtv_engine.review.corrected import import_rois

    say = console.complain
    accepted = options.accepted_of(accept)
    found = import_rois(
        read_case(case),
        file,
        decide.named(reader),
        same=same,
        names=roi,
        pet=pet,
        accepted=accepted,
        say=say,
    )
    for notice in found.notices:
        console.say(f"{notice.code}: {notice.message}")
    for match in found.correction.matches:
        lesions = ", ".join(str(n) for n in match.lesions)
        what = f"lesion {lesions} (Dice {match.dice:.2f})" if lesions else "new"
        console.say(f"ROI {match.name}: {what}")
    if found.correction.rejected:
        gone = ", ".join(str(n) for n in found.correction.rejected)
        console.say(f"not in it, rejected: {gone}")
    if not found.decisions:
        console.say("nothing to decide: the reading says so already")
    now = read_case(case)
    if as_json:
        console.out_json(now.raw)
    else:
        show.totals(now.record)
    return 0
