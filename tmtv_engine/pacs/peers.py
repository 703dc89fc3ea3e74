"""Who objects are exchanged with: nodes and services, how they are secured, what they answer."""

from __future__ import annotations

import ssl
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from tmtv_engine.errors import TmtvError, UsageError

CALLER = "TMTV"
TIMEOUT_S = 60
CONNECT_S = 10


class NetworkError(TmtvError):
    """A receiver that does not answer, or does not want to talk to us."""


@dataclass(frozen=True)
class Node:
    """A DICOM node: its AE title, host and port."""

    aet: str
    host: str
    port: int

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.aet}@{host}:{self.port}"


@dataclass(frozen=True)
class Web:
    """A DICOMweb service by the URL that ``/studies`` is below."""

    url: str

    def __str__(self) -> str:
        return self.url


Destination = Node | Web


@dataclass(frozen=True)
class Security:
    """TLS: ``tls`` for C-STORE (a URL says it itself); client certificate, key and CA as PEM.

    ``proxy``: the URL of a proxy for DICOMweb; none is used that is not named.
    """

    tls: bool = False
    cert: Path | None = None
    key: Path | None = None
    ca: Path | None = None
    proxy: str | None = None


@dataclass(frozen=True)
class Item:
    """One file to send, of the instance ``uid`` in a series of a study."""

    path: Path
    sop_class: str
    study: str
    series: str
    uid: str
    syntax: str
    sha256: str


@dataclass(frozen=True)
class Answer:
    """What a receiver says to one object; ``later`` asks to try again."""

    outcome: Literal["taken", "refused", "later"]
    detail: str = ""


def trusting(security: Security) -> ssl.SSLContext:
    """TLS that checks the peer's certificate and host name."""
    try:
        context = ssl.create_default_context(cafile=security.ca)
        if security.cert is not None:
            context.load_cert_chain(security.cert, security.key)
    except (OSError, ssl.SSLError) as error:
        raise UsageError(f"--cert, --key or --ca cannot be read: {error}", "PEM files.") from error
    return context


def meaning(status: int) -> str:
    from pynetdicom.status import STORAGE_SERVICE_CLASS_STATUS

    return str(STORAGE_SERVICE_CLASS_STATUS.get(status, ("", ""))[1])
