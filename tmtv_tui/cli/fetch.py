"""``tmtv fetch``: studies from a PACS, by C-GET, C-MOVE or DICOMweb."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from tmtv_tui.cli import console, options, pacs

if TYPE_CHECKING:
    from tmtv_engine.pacs.fetch import Fetched

FROM = typer.Option(
    ..., "--from", metavar="PACS", help="AET@HOST:PORT, or the URL of a DICOMweb service."
)
OUT = typer.Option(..., "-o", "--out", metavar="FOLDER", help="Where the studies go.")
PATIENT = typer.Option(
    None, "--patient-id", metavar="ID", help="Of this patient; * and ? may stand. May be repeated."
)
DATE = typer.Option(
    "", "--study-date", metavar="DATE", help="20240131, or a range: 20240101-20240331, 20240101-."
)
ACCESSION = typer.Option(
    None, "--accession", metavar="NUMBER", help="With this accession number. May be repeated."
)
MOVE = typer.Option(
    None, "--move", metavar="PORT", help="C-MOVE to this port of ours instead of C-GET."
)


def fetch(
    source: str = FROM,
    out: Path = OUT,
    patient_id: list[str] | None = PATIENT,
    study_date: str = DATE,
    accession: list[str] | None = ACCESSION,
    move: int | None = MOVE,
    aet: str = pacs.AET,
    tls: bool = pacs.TLS,
    cert: Path | None = pacs.CERT,
    key: Path | None = pacs.KEY,
    ca: Path | None = pacs.CA,
    proxy: str | None = pacs.PROXY,
    as_json: bool = options.JSON,
    quiet: bool = options.QUIET,
) -> int:
    """Fetch studies from a PACS: their PET, CT and ROIs.

    What is there is not fetched again. tmtv predict FOLDER takes what came. A study without a
    PET is passed over, by name.
    DICOMweb credentials come from the environment: TMTV_TOKEN, or TMTV_USER and TMTV_PASSWORD.
    """
    from tmtv_engine.errors import UsageError
    from tmtv_engine.pacs import fetch as fetching
    from tmtv_engine.pacs.peers import Web
    from tmtv_engine.pacs.query import Asked

    console.VOICE.quiet = quiet
    asked = Asked(tuple(patient_id or ()), study_date, tuple(accession or ()))
    place, security = pacs.peer(source, "--from", tls, cert, key, ca, proxy)
    if move is not None and isinstance(place, Web):
        raise UsageError("--move is for AET@HOST:PORT", "DICOMweb has no C-MOVE.")
    way = fetching.source_of(
        place, caller=aet, security=security, environment=os.environ, move_port=move
    )
    told = _Told(as_json)
    try:
        for one in fetching.fetch(out, asked, way, say=console.complain, progress=told.begins):
            told.tell(one)
    finally:
        told.progress.clear()
    return told.finish(out)


class _Told:
    """What became of each study, counted and said."""

    def __init__(self, as_json: bool) -> None:
        self.as_json, self.progress = as_json, console.Progress()
        self.counts = {"fetched": 0, "already": 0, "passed": 0, "failed": 0}

    def begins(self, at: int, of: int, folder: Path) -> None:
        """A study's turn."""
        self.progress.stage(at, of, f"fetching {folder.name}")

    def tell(self, one: Fetched) -> None:
        """One study's fate: a line on stdout, a failure on stderr too."""
        self.counts[one.outcome] += 1
        self.progress.clear()
        if self.as_json:
            line = {"folder": str(one.folder), "study_instance_uid": one.study}
            fate = {"outcome": one.outcome, "new": one.new, "there": one.there}
            console.out_json({**line, **fate, "detail": one.detail})
        else:
            cells = (one.folder.name, one.outcome, str(one.new), str(one.there), one.detail)
            console.out("\t".join(cells).rstrip())
        if one.outcome == "failed":
            console.complain(f"failed: {one.folder}: {one.detail}")

    def finish(self, out: Path) -> int:
        """The sum; the exit status."""
        n = self.counts
        if not sum(n.values()):
            console.complain("the PACS has no study that was asked for")
            return 1
        console.say(
            f"{n['fetched']} fetched, {n['already']} already there, {n['passed']} without a PET, "
            f"{n['failed']} failed ({out})"
        )
        return 1 if n["failed"] else 0
