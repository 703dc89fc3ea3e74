"""Options of the commands that talk to a PACS, and who is meant by them."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from tmtv_engine.errors import UsageError
from tmtv_tui.cli import console

if TYPE_CHECKING:
    from tmtv_engine.pacs.peers import Destination, Security

AET: Any = typer.Option(
    "TMTV", "--aet", metavar="NAME", help="The AE title that we call ourselves."
)
TLS: Any = typer.Option(False, "--tls", help="DICOM over TLS.")
CERT: Any = typer.Option(None, "--cert", metavar="FILE", help="Our certificate, PEM.")
KEY: Any = typer.Option(None, "--key", metavar="FILE", help="Its key, PEM.")
CA: Any = typer.Option(
    None, "--ca", metavar="FILE", help="Whom to trust, PEM (default: the system)."
)
PROXY: Any = typer.Option(None, "--proxy", metavar="URL", help="URL of a proxy for DICOMweb.")


def peer(
    text: str,
    option: str,
    tls: bool,
    cert: Path | None,
    key: Path | None,
    ca: Path | None,
    proxy: str | None,
) -> tuple[Destination, Security]:
    """Who ``text`` of ``option`` is, and how the line to it is secured; raises `UsageError`.

    Warns where a secret would go out unencrypted.
    """
    from tmtv_engine.pacs import peers

    found = peers.parse_destination(text, option)
    if (cert or key or ca) and isinstance(found, peers.Node) and not tls:
        raise UsageError("--cert, --key and --ca mean nothing without --tls")
    if in_clear(text):
        console.complain("warning: the password goes over http, which anybody on the way can read")
    return found, peers.Security(tls, cert, key, ca, proxy)


def in_clear(url: str) -> bool:
    """Whether a secret would leave this machine unencrypted."""
    from urllib.parse import urlsplit

    secret = os.environ.get("TMTV_TOKEN") or os.environ.get("TMTV_USER")
    near = urlsplit(url).hostname in ("localhost", "127.0.0.1", "::1")
    return bool(secret) and url.lower().startswith("http://") and not near
