"""``tmtv send``: exported objects to a PACS, by C-STORE or DICOMweb."""

from __future__ import annotations

import os
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from tmtv_engine.errors import TmtvError
from tmtv_tui.cli import console, options, pacs

if TYPE_CHECKING:
    from tmtv_engine.pacs.send import Sent


def send(
    cases: list[Path] = typer.Argument(
        ..., metavar="CASE...", help="Case folders, or one of many."
    ),
    to: str = typer.Option(
        ..., "--to", metavar="PACS", help="AET@HOST:PORT, or the URL of a DICOMweb service."
    ),
    aet: str = pacs.AET,
    tls: bool = pacs.TLS,
    cert: Path | None = pacs.CERT,
    key: Path | None = pacs.KEY,
    ca: Path | None = pacs.CA,
    proxy: str | None = pacs.PROXY,
    as_json: bool = options.JSON,
    quiet: bool = options.QUIET,
) -> int:
    """Send exported DICOM files to a PACS, each once.

    Those of each case's export folder; what was taken before is not sent again. DICOMweb
    credentials come from the environment: TMTV_TOKEN, or TMTV_USER and TMTV_PASSWORD. They go to
    that host only: no redirect elsewhere, ~/.netrc or proxy of the environment is used.
    """
    from tmtv_engine.case.folder import cases_of
    from tmtv_engine.pacs import peers
    from tmtv_engine.pacs import send as sending

    console.VOICE.quiet = quiet
    destination, security = pacs.peer(to, "--to", tls, cert, key, ca, proxy)
    transport = sending.transport_to(
        destination, caller=aet, security=security, environment=os.environ
    )
    folders = cases_of(cases)
    told = _Told(as_json, console.Progress(len(folders)))
    for folder in folders:
        try:
            for path in sending.outdated(folder):
                console.complain(
                    f"warning: {folder.name}/{path.name} is from an earlier reading: export anew"
                )
            sending.send(folder, destination, transport, progress=partial(told.tell, folder))
        except peers.NetworkError:
            told.finish()
            raise
        except TmtvError as error:
            told.failed(folder, error)
        finally:
            told.progress.case_done()
    return told.finish()


class _Told:
    """What became of each object, counted and said."""

    def __init__(self, as_json: bool, progress: console.Progress) -> None:
        self.as_json, self.progress = as_json, progress
        self.counts = {"taken": 0, "already": 0, "refused": 0}
        self.cases_failed = 0

    def tell(self, folder: Path, sent: Sent, done: int, of: int) -> None:
        """One object's fate: a line on stdout, a refusal on stderr too."""
        name = str(sent.path.relative_to(folder))
        self.counts[sent.outcome] += 1
        self.progress.clear()
        if self.as_json:
            line = {"case": folder.name, "file": name, "sop_instance_uid": sent.uid}
            console.out_json({**line, "outcome": sent.outcome, "detail": sent.detail})
        else:
            console.out("\t".join((folder.name, name, sent.outcome, sent.detail)).rstrip())
        if sent.outcome == "refused":
            console.complain(f"refused: {folder.name}/{name}: {sent.detail}")
        if done < of:
            self.progress.stage(done, of, f"sending {folder.name}")

    def failed(self, folder: Path, error: TmtvError) -> None:
        """A case that could not be sent while others can."""
        self.cases_failed += 1
        console.complain(f"failed: {folder.name}: {error.what}")
        console.complain(error.remedy)

    def finish(self) -> int:
        """The sum; the exit status."""
        self.progress.clear()
        n = self.counts
        console.say(f"{n['taken']} sent, {n['already']} sent before, {n['refused']} refused")
        return 1 if n["refused"] or self.cases_failed else 0
