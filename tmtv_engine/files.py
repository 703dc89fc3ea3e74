"""Files: written whole or not at all, hashed, and JSON one way."""

from __future__ import annotations

import hashlib
import json
import math
import os
import tempfile
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from tmtv_engine.errors import CaseError

Record = dict[str, Any]


def jsonable(value: Any) -> Any:
    """``value`` with plain Python numbers; NaN and infinities become null."""
    if isinstance(value, Mapping):
        return {str(k): jsonable(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [jsonable(v) for v in value]
    if isinstance(value, np.ndarray):
        return jsonable(value.tolist())
    if isinstance(value, np.generic):
        return jsonable(value.item())
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return str(value) if isinstance(value, Path) else value


def canonical(value: Any) -> bytes:
    """Canonical JSON: UTF-8, sorted keys, no spaces, no NaN."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return text.encode()


def sha256_of(path: Path) -> str:
    """SHA-256 of a file's bytes, hexadecimal."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def load_json(path: Path) -> Record:
    """The object of a JSON file; raises `CaseError` naming it."""
    try:
        found = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise CaseError(f"{path} cannot be read: {error}", "Predict the study again.") from error
    if not isinstance(found, dict):
        raise CaseError(f"{path} holds no JSON object", "Predict the study again.")
    return found


def dump_json(path: Path, record: Record) -> None:
    """Write JSON without NaN, atomically: to a temporary sibling, flushed, then renamed."""
    text = json.dumps(jsonable(record), indent=1, ensure_ascii=False, allow_nan=False)
    write_text(path, text + "\n")


def write_text(path: Path, text: str) -> None:
    """Write a text file whole or not at all."""
    handle, temporary = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        with os.fdopen(handle, "w", encoding="utf-8", newline="") as stream:
            stream.write(text)
            stream.flush()
            os.fsync(stream.fileno())
        os.chmod(temporary, 0o666 & ~umask())
        os.replace(temporary, path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def utc_now() -> str:
    """Now, ISO 8601 in UTC, to the second."""
    return datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def umask() -> int:
    """The process's file mode creation mask."""
    mask = os.umask(0)
    os.umask(mask)
    return mask


def inputs_sha256(files: Sequence[Path]) -> str:
    """SHA-256 over the SHA-256 (hexadecimal, one a line) of each input file, sorted.

    Empty where there are none.
    """
    if not files:
        return ""
    lines = sorted(sha256_of(Path(path)) for path in files)
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()
