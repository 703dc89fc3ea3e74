"""The files that something was read from: one hash of them all, and whether they were touched."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from pathlib import Path

from tmtv_engine.files import sha256_of


def inputs_sha256(files: Sequence[Path]) -> str:
    """SHA-256 over the SHA-256 (hexadecimal, one a line) of each input file, sorted.

    Empty where there are none.
    """
    if not files:
        return ""
    lines = sorted(sha256_of(Path(path)) for path in files)
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def stamps(files: Sequence[Path]) -> list[list[int]] | None:
    """Size and time of change (ns) of each file, of one in a zip the zip's; None if one is gone."""
    found = []
    for path in files:
        while not os.path.lexists(path) and path != path.parent:
            path = path.parent
        if not path.is_file():
            return None
        stat = path.stat()
        found.append([stat.st_size, stat.st_mtime_ns])
    return found
