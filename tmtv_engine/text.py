"""Text from strangers: what a DICOM header says is cleaned once, where it enters."""

from __future__ import annotations

import re
import unicodedata

_UNSAFE = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})


def clean(value: object, limit: int = 64) -> str:
    """The text of ``value`` without control, format or unassigned characters, cut at ``limit``."""
    kept = "".join(c for c in str(value) if unicodedata.category(c) not in _UNSAFE)
    return kept.strip()[:limit]


def safe_name(value: object, limit: int = 64) -> str:
    """A file name made of letters, digits, ``.``, ``_`` and ``-`` ; never empty or hidden."""
    kept = re.sub(r"[^A-Za-z0-9._-]+", "_", str(value)).strip("._")[:limit]
    return kept or "case"
