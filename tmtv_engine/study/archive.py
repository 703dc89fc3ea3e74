"""A zip read as the folder it holds, measured first, in a folder that is there for a while."""

from __future__ import annotations

import re
import shutil
import stat
import tempfile
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path, PurePosixPath

from tmtv_engine.errors import InputError, TmtvError
from tmtv_engine.files import part_folder
from tmtv_engine.study.found import Leftover, Study

MOST_FILES = 200_000
MOST_BYTES = 64 << 30
MOST_RATIO = 200  # of what is unpacked to the zip's own size, for what is more than a few MB
FREE = 64 << 20
CHUNK = 1 << 20
_BROKEN = (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, ValueError)


def is_zip(path: Path) -> bool:
    """Whether a file is to be read as a zip: by its name."""
    return path.name.lower().endswith(".zip")


@contextmanager
def opened(archive: Path) -> Iterator[tuple[Path, list[Leftover]]]:
    """A temporary folder with what the zip holds, and what of it was left out.

    What a killed run left of such folders goes first.

    Raises `InputError` for what is no zip, is encrypted, holds too much (count, size, ratio) or
    names a place outside itself.
    """
    with part_folder(Path(tempfile.gettempdir()), "tmtv-zip", shared=True) as folder:
        try:
            with zipfile.ZipFile(archive) as held:
                left = _unpack(held, archive, folder)
        except _BROKEN as error:
            what = f"{archive}: cannot be unpacked: {error or type(error).__name__}"
            raise InputError(what, "Copy it again, or unpack it yourself.") from error
        except OSError as error:
            what = f"{archive}: cannot be unpacked: {error.strerror or error}"
            raise InputError(what, "Is there room in the folder for temporary files?") from error
        yield folder, left


@contextmanager
def unpacked(study: Study) -> Iterator[Study]:
    """The study with files that can be read; those of one in a zip are there in the block only."""
    if study.archive is None:
        yield study
        return
    with opened(study.archive) as (folder, _):

        def real(path: Path) -> Path:
            return folder / path.relative_to(study.archive or path)

        try:
            yield replace(
                study,
                pet=tuple(map(real, study.pet)),
                ct=tuple(map(real, study.ct)),
                folder=folder,
                archive=None,
                unpacked_from=study.archive,
            )
        except TmtvError as error:
            rename(error, folder, study.archive)
            raise


def rename(error: TmtvError, folder: Path, archive: Path) -> None:
    """Let an error name the zip where it names the folder that the zip lay unpacked in."""
    error.what = error.what.replace(str(folder), str(archive))
    error.args = tuple(str(a).replace(str(folder), str(archive)) for a in error.args)


def _unpack(held: zipfile.ZipFile, archive: Path, folder: Path) -> list[Leftover]:
    members = [m for m in held.infolist() if not m.is_dir()]
    _measure(members, archive)
    left = []
    for member in members:
        why = _refused(member)
        if why:
            left.append(Leftover(archive / member.filename.lstrip("/"), why))
            continue
        target = folder / PurePosixPath(member.filename)
        target.parent.mkdir(parents=True, exist_ok=True)
        with held.open(member) as source, target.open("xb") as file:
            _copy(source, file, member.file_size, archive)
    return left


def _measure(members: list[zipfile.ZipInfo], archive: Path) -> None:
    """Refuse before a byte is unpacked what would fill the disk, or leads out of the folder."""
    total = sum(m.file_size for m in members)
    own = max(archive.stat().st_size, 1)
    why = ""
    if len(members) > MOST_FILES:
        why = f"holds {len(members)} files"
    elif total > MOST_BYTES or total > shutil.disk_usage(tempfile.gettempdir()).free // 2:
        why = f"holds {total / 2**30:.1f} GB"
    elif total > FREE and total / own > MOST_RATIO:
        why = f"unpacks to {total / own:.0f} times its size"
    if why:
        raise InputError(f"{archive}: {why}: too much to unpack", "Unpack it yourself.")
    for member in members:
        parts = PurePosixPath(member.filename.replace("\\", "/")).parts
        away = not parts or ".." in parts or member.filename.startswith(("/", "\\"))
        if away or re.match(r"[A-Za-z]:", member.filename):
            raise InputError(
                f"{archive}: names a place outside itself ({member.filename[:80]!r})",
                "Unpack it yourself, after a look at it.",
            )


def _refused(member: zipfile.ZipInfo) -> str:
    kind = stat.S_IFMT(member.external_attr >> 16)
    if kind not in (0, stat.S_IFREG):
        return "a link or special file in a zip: it is not followed"
    return "a zip in a zip: it is not opened" if is_zip(Path(member.filename)) else ""


def _copy(source: object, target: object, size: int, archive: Path) -> None:
    """No more than the directory promised; the last read checks the CRC."""
    done = 0
    while chunk := source.read(CHUNK):  # type: ignore[attr-defined]
        done += len(chunk)
        if done > size:
            raise InputError(f"{archive}: holds more than it says", "Unpack it yourself.")
        target.write(chunk)  # type: ignore[attr-defined]
