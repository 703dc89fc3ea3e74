"""Who objects are exchanged with: nodes and services, how they are secured, what they answer."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from tmtv_engine.errors import TmtvError

CALLER = "TMTV"


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
    """TLS: ``tls`` for C-STORE (a URL says it itself); client certificate, key and CA as PEM."""

    tls: bool = False
    cert: Path | None = None
    key: Path | None = None
    ca: Path | None = None


@dataclass(frozen=True)
class Item:
    """One file to send."""

    path: Path
    sop_class: str
    uid: str
    syntax: str
    sha256: str


@dataclass(frozen=True)
class Answer:
    """What a receiver says to one object; ``later`` asks to try again."""

    outcome: Literal["taken", "refused", "later"]
    detail: str = ""
