"""Who objects are exchanged with: nodes and services, how they are secured, what they answer."""

from __future__ import annotations

import re
import ssl
from dataclasses import dataclass
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit, urlunsplit

from tmtv_engine.errors import TmtvError, UsageError
from tmtv_engine.text import clean

CALLER = "TMTV"
TIMEOUT_S = 60
CONNECT_S = 10
MOST_BYTES = 1 << 30  # of what is said and not yet taken care of


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


def parse_destination(text: str, option: str = "--to") -> Destination:
    """``AET@HOST:PORT`` or an http(s) URL without credentials; raises `UsageError`."""
    if re.match(r"https?://", text, re.IGNORECASE):
        return _web(text, option)
    remedy = "Write AET@HOST:PORT or https://host/dicom-web."
    found = re.fullmatch(r"([^@\\]{1,16})@(\[[0-9A-Fa-f:.]+\]|[^@:/\s]+):(\d{1,5})", text)
    if found is None or not found[1].strip() or not 0 < int(found[3]) < 65536:
        raise UsageError(f"{option} {clean(text)!r} is no DICOM node", remedy)
    return Node(ae_title(found[1], option), found[2].strip("[]").lower(), int(found[3]))


def ae_title(text: str, option: str) -> str:
    """An AE title: 1 to 16 ASCII characters without backslash or control characters."""
    title = text.strip()
    if not 0 < len(title) <= 16 or not title.isascii() or not title.isprintable() or "\\" in title:
        raise UsageError(f"{option} {clean(text)!r} is no AE title", "At most 16 ASCII characters.")
    return title


def _web(text: str, option: str) -> Web:
    try:
        parts = urlsplit(text)
        host, _ = parts.hostname, parts.port
    except ValueError:
        host = None
    if not host or parts.query or parts.fragment:
        raise UsageError(f"{option} {clean(text)!r} is no URL of a DICOMweb service")
    if "@" in parts.netloc:
        raise UsageError(
            f"{option}: a URL with a password stands in everybody's process list",
            "Put it in TMTV_USER and TMTV_PASSWORD, or TMTV_TOKEN.",
        )
    path = parts.path.rstrip("/").removesuffix("/studies")
    return Web(urlunsplit((parts.scheme.lower(), parts.netloc.lower(), path, "", "")))
