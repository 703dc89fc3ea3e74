"""``tmtv export``: the reviewed state of cases as DICOM objects and tables."""

from __future__ import annotations

from pathlib import Path

import typer

from tmtv_engine.errors import TmtvError, UsageError
from tmtv_tui.cli import console, options

KINDS = ("seg", "sr", "rtstruct", "mip", "nifti", "csv")


def export(
    cases: list[Path] = typer.Argument(
        ..., metavar="CASE...", help="Case folders, or one of many."
    ),
    write: str = typer.Option("seg,sr", "--write", help=f"Of {','.join(KINDS)}."),
    quiet: bool = options.QUIET,
) -> int:
    """Write what readers accepted into each case's export folder; prints the files.

    The same reading gives the same bytes; a changed one a new series.
    """
    from tmtv_engine.case import find_cases, read_case
    from tmtv_engine.export.objects import write_objects

    console.VOICE.quiet = quiet
    kinds = [options.choice(kind, KINDS, "--write") for kind in write.split(",") if kind]
    folders = [folder for path in cases for folder in find_cases(path)]
    if not folders:
        raise UsageError(f"there is no case in {cases[0]}", "Give folders that tmtv predict wrote.")
    failed = 0
    progress = console.Progress(len(folders))
    for folder in folders:
        progress.stage(0, 1, f"exporting {folder.name}")
        try:
            written = write_objects(read_case(folder), kinds)
        except TmtvError as error:
            failed += 1
            console.complain(f"failed: {folder.name}: {error.what}")
            console.complain(error.remedy)
            continue
        finally:
            progress.case_done()
        if "seg" in kinds and not any(path.name.startswith("seg_") for path in written):
            console.say(f"{folder.name}: no lesion is accepted: the report says 0 mL, no SEG")
        for path in written:
            console.out(str(path))
    return 1 if failed else 0
