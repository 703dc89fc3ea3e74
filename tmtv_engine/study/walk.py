"""Every file below some paths, once: links followed once, what is no regular file never opened."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tmtv_engine.study.found import EMPTY, Leftover

_KINDS = (
    (stat.S_ISFIFO, "a FIFO"),
    (stat.S_ISSOCK, "a socket"),
    (stat.S_ISCHR, "a device"),
    (stat.S_ISBLK, "a device"),
)


@dataclass
class Walk:
    """What was found so far; ``seen`` holds each folder's and file's (device, inode)."""

    files: list[Path] = field(default_factory=list)
    left: list[Leftover] = field(default_factory=list)
    seen: dict[tuple[int, int], Path] = field(default_factory=dict)
    links: list[Path] = field(default_factory=list)
    without: frozenset[tuple[int, int]] = frozenset()


def walk(paths: Iterable[Path], without: Sequence[Path] = ()) -> Walk:
    """The regular files at and below ``paths``, sorted folder by folder, each once.

    A link is followed after everything else, and only to what was not met yet. Folders
    ``without`` are not entered, nor are case folders, which are named. A path that does not
    exist is none of ``files`` and none of ``left``.
    """
    found = Walk(without=frozenset(key for p in without if (key := _key(p)) is not None))
    for path in paths:
        _visit(path, found, os.stat)  # who names a link means what it leads to
    while found.links:
        link = found.links.pop(0)
        key = _key(link)
        if key is None:
            found.left.append(Leftover(link, "a link that leads nowhere"))
        elif key in found.seen:
            found.left.append(Leftover(link, f"a link to {found.seen[key]}, searched already"))
        else:
            _visit(link, found, os.stat)
    return found


def _key(path: Path) -> tuple[int, int] | None:
    try:
        info = os.stat(path)
    except (OSError, ValueError):
        return None
    return info.st_dev, info.st_ino


def _visit(path: Path, found: Walk, look: Callable[[Path], os.stat_result]) -> None:
    """An entry and what is below it; ``look`` is at the entry itself, links below are kept."""
    pending = [path]
    while pending:
        at = pending.pop()
        try:
            info = look(at)
        except FileNotFoundError:
            continue
        except (OSError, ValueError) as error:
            found.left.append(Leftover(at, f"cannot be looked at: {_said(error)}"))
            continue
        finally:
            look = os.lstat
        key = (info.st_dev, info.st_ino)
        if stat.S_ISLNK(info.st_mode):
            found.links.append(at)
        elif stat.S_ISDIR(info.st_mode):
            pending += reversed(_entries(at, key, found))
        elif stat.S_ISREG(info.st_mode):
            _file(at, key, info.st_nlink, found)
        else:
            kind = next((name for test, name in _KINDS if test(info.st_mode)), "a special file")
            found.left.append(Leftover(at, f"{kind}: it is not opened"))


def _entries(folder: Path, key: tuple[int, int], found: Walk) -> list[Path]:
    if key in found.without:
        return []
    if key in found.seen:
        found.left.append(Leftover(folder, f"searched already as {found.seen[key]}"))
        return []
    found.seen[key] = folder
    try:
        names = sorted(os.listdir(folder))
    except OSError as error:
        found.left.append(Leftover(folder, f"cannot be opened: {_said(error)}"))
        return []
    if "case.json" in names and "lesions.nii.gz" in names:
        found.left.append(Leftover(folder, "a case folder of tmtv: a result, no study"))
        return []
    if not names:
        found.left.append(Leftover(folder, EMPTY))
    return [folder / name for name in names]


def _file(path: Path, key: tuple[int, int], names: int, found: Walk) -> None:
    """A regular file; one of several hard ``names`` is a copy, which its content tells."""
    if key in found.seen and (names == 1 or found.seen[key] == path):
        found.left.append(Leftover(path, f"the same file as {found.seen[key]}"))
        return
    found.seen.setdefault(key, path)
    found.files.append(path)


def _said(error: Exception) -> str:
    return getattr(error, "strerror", None) or type(error).__name__
