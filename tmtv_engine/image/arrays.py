"""Arrays of an `npz`: no pickle, no link, and none that unpacks to far more than it is."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from tmtv_engine.errors import CaseError
from tmtv_engine.files import AGAIN, open_own

MUCH, MOST_RATIO, MOST_BYTES = 1 << 28, 300, 1 << 34  # unpacked


def load_arrays(path: Path) -> dict[str, np.ndarray[Any, Any]]:
    """The arrays of an `npz` by name, never a pickle, no link; raises `CaseError` naming it."""
    try:
        with open_own(path) as stream, np.load(stream, allow_pickle=False) as stored:
            check_npz(stored, path)
            return {key: stored[key] for key in stored.files}
    except Exception as error:  # zipfile, zlib and numpy each have their own
        raise CaseError(f"{path} cannot be read: {error}", AGAIN) from error


def check_npz(stored: Any, path: Path) -> None:
    """Raise `ValueError` for an opened `npz` that would unpack to far more than it is."""
    total = sum(member.file_size for member in stored.zip.infolist())
    if total > max(MUCH, MOST_RATIO * path.stat().st_size) or total > MOST_BYTES:
        raise ValueError(f"it unpacks to {total / 2**20:.0f} MB")
