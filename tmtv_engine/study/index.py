"""DICOMDIR: the index of a disc. Its images are found by themselves; what it misses is told."""

from __future__ import annotations

from pathlib import Path

from tmtv_engine.errors import TmtvError

_DICOMDIR = "1.2.840.10008.1.3.10"


def is_index(path: Path) -> bool:
    """Whether a file that is no image is a DICOMDIR, by its meta header or its name."""
    if path.name.upper() == "DICOMDIR":
        return True
    try:
        with path.open("rb") as file:
            start = file.read(1024)
    except OSError:
        return False
    return start[128:132] == b"DICM" and _DICOMDIR.encode() in start


def told_of(path: Path) -> str:
    """What a DICOMDIR is left over as: an index, and which files it names that are not there."""
    missing = _missing(path)
    if not missing:
        return "an index of the files beside it"
    named = ", ".join(missing[:3]) + (" …" if len(missing) > 3 else "")
    return f"an index that names {len(missing)} files that are not there: {named}"


def _missing(path: Path) -> list[str]:
    from tmtv_engine.dicom.parse import read_header

    try:
        records = read_header(path).get("DirectoryRecordSequence") or []
        told = [record.get("ReferencedFileID") for record in records]
    except (TmtvError, AttributeError, TypeError):
        return []
    names = [[name] if isinstance(name, str) else list(name) for name in told if name]
    return ["/".join(n) for n in names if not _there(path.parent, [str(part) for part in n])]


def _there(folder: Path, parts: list[str]) -> bool:
    """Whether the file is there, in the case in which a copy of the disc may have written it."""
    if any(part in ("", ".", "..") or "/" in part or "\0" in part for part in parts):
        return False
    return any(
        folder.joinpath(*(change(p) for p in parts)).is_file()
        for change in (str, str.lower, str.upper)
    )
