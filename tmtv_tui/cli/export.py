"""``tmtv export``: the reviewed state of cases as DICOM objects and tables."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import typer

from tmtv_engine.errors import TmtvError
from tmtv_engine.export.writers import WRITERS, kinds_of
from tmtv_tui.cli import console, options


def export(
    cases: list[Path] = typer.Argument(
        ..., metavar="CASE...", help="Case folders, or one of many."
    ),
    write: str = typer.Option(
        "seg,sr", "--write", metavar="KIND,...", help=f"{','.join(WRITERS)}."
    ),
    as_json: bool = options.JSON,
    quiet: bool = options.QUIET,
) -> int:
    """Write what readers accepted: DICOM, tables, a page.

    Into each case's export folder; prints the files. The same reading gives the same bytes; a
    changed one a new series.
    """
    from tmtv_engine.batch import Outcome, exported, exported_now
    from tmtv_engine.case.folder import cases_of, read_case

    console.VOICE.quiet = quiet
    kinds = kinds_of(write)
    folders = cases_of(cases)
    failed = 0
    progress = console.Progress(len(folders))
    for folder in folders:
        progress.stage(0, 1, f"exporting {folder.name}")
        try:
            case = read_case(folder)
            tried = exported(Outcome(folder.name, "skipped", case), kinds)
            if tried.written is not None:
                exported_now(case)
        except TmtvError as error:
            tried = Outcome(folder.name, "failed", unexported=error)
        progress.case_done()
        if tried.unexported is not None:
            failed += 1
            console.failed(tried.unexported, folder.name)
            continue
        written = tried.written or ()
        tell_empty(folder.name, kinds, written)
        for path in written:
            if as_json:
                console.out_json({"case": folder.name, "file": str(path)})
            else:
                console.out(str(path))
        if any(path.suffix == ".dcm" for path in written):
            console.say(f"{folder.name}: DICOM names the patient: readable by you only (mode 600)")
    return 1 if failed else 0


def tell_empty(name: str, kinds: Sequence[str], written: Sequence[Path]) -> None:
    """Say why there is no SEG where one was asked for."""
    if "seg" in kinds and not any(path.name.startswith("seg_") for path in written):
        console.say(f"{name}: no lesion is left to write: no SEG; an SR says 0 mL")
