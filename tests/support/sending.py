"""A case to send, and what became of its objects."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.support.dicom import write_series
from tmtv_engine.pacs.peers import parse_destination
from tmtv_engine.pacs.send import Sent, send, transport_to

FAST = (0.05, 0.05)


def exported(tmp_path: Path, study: str = "1.2.3") -> Path:
    """A case folder with seven small objects below `export`, of a study of their own."""
    case = tmp_path / "case-1"
    for path in write_series(case / "export" / "pet", study=study, series=f"{study}.4"):
        path.rename(path.with_suffix(".dcm"))
    return case


def go(case: Path, to: str, **how: Any) -> list[Sent]:
    destination = parse_destination(to)
    return send(case, destination, transport_to(destination, **how), waits_s=FAST)


def outcomes(found: list[Sent]) -> list[str]:
    return [sent.outcome for sent in found]


def certificate(folder: Path) -> tuple[Path, Path]:
    """A certificate of 127.0.0.1 that signs itself, and its key."""
    cert, key = folder / "cert.pem", folder / "key.pem"
    if shutil.which("openssl") is None:
        pytest.skip("no openssl to make a certificate with")
    words = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2"
    words += " -subj /CN=127.0.0.1 -addext subjectAltName=IP:127.0.0.1 -keyout"
    subprocess.run([*words.split(), key, "-out", cert], capture_output=True, check=True)
    return cert, key
