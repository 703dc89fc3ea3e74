"""``tmtv phantom``: digital patients with their truth."""

from __future__ import annotations

from pathlib import Path

import typer

from tmtv_engine.phantom.vendors import VENDORS
from tmtv_tui.cli import console, options
from tmtv_tui.cli.places import check_out

FORMATS = ("dicom", "nifti")


def phantom(
    out: Path = typer.Argument(..., metavar="OUT", help="Folder for the patients."),
    count: int = typer.Option(1, "-n", "--count", metavar="N", min=1, help="How many."),
    seed: int = typer.Option(
        0, "--seed", metavar="N", min=0, help="The first patient's; the rest follow."
    ),
    form: str = typer.Option("dicom", "--format", metavar="FORMAT", help="dicom or nifti."),
    spacing_mm: float = typer.Option(
        4.0, "--spacing-mm", metavar="MM", min=1.5, max=12.0, help="Voxel edge."
    ),
    anatomies: Path | None = typer.Option(
        None,
        "--anatomies",
        metavar="FOLDER",
        help="Real people's organ label maps to draw in: maps_*.npz, or TotalSegmentator's or "
        "MOOSE's NIfTI.",
    ),
    vendor: str = typer.Option(
        "ge", "--vendor", metavar="VENDOR", help=f"Header of the PET: {', '.join(VENDORS)}."
    ),
    as_json: bool = options.JSON,
    quiet: bool = options.QUIET,
) -> int:
    """Draw digital patients with their truth.

    PET, CT, the ROIs that are true, and a manifest that names them. The same seed draws the same
    patient. With --anatomies, seeds below 1,000,000 are drawn in the tenth of the maps that a
    training on them never sees, those from there on in the others.
    """
    console.VOICE.quiet = quiet
    check_out(out)
    options.choice(form, FORMATS, "--format")
    options.choice(vendor, tuple(VENDORS), "--vendor")
    from tmtv_engine.files import new_folder
    from tmtv_engine.phantom.anatomies import Anatomies
    from tmtv_engine.phantom.write import write_drawn, write_manifest

    maps = None if anatomies is None else Anatomies.load(anatomies)
    progress = console.Progress(count)
    for number in range(seed, seed + count):
        name = f"digital-{number:04d}"
        progress.stage(0, 1, f"drawing {name}")
        with new_folder(out, name) as folder:
            write_drawn(folder, number, form, vendor=vendor, spacing_mm=spacing_mm, anatomies=maps)
        progress.case_done()
        if as_json:
            console.out_json({"patient": str(out / name)})
        else:
            console.out(str(out / name))
    manifest = write_manifest(out)
    console.say(f"{manifest} names them for tmtv predict, train and report --reference")
    return 0
