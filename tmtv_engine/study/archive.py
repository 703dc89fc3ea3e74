"""A zip read as the folder it holds, measured first, in a folder that is there for a while."""

from __future__ import annotations

import re
import shutil
import stat
import tempfile
import zipfile
import zlib
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath

from tmtv_engine.errors import InputError, TmtvError
from tmtv_engine.files import part_folder
from tmtv_engine.study.found import Failure, Leftover, Study

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


@dataclass(frozen=True)
class Unpacked:
    """The temporary ``folders`` that zips lie unpacked in, each by its zip."""

    folders: Mapping[Path, Path]

    def real(self, path: Path) -> Path:
        """Where a file lies that is called by its zip; any other path as it is."""
        return _moved(path, self.folders.items())

    def named(self, path: Path) -> Path:
        """What a file is called that lies unpacked; any other path as it is."""
        return _moved(path, ((folder, archive) for archive, folder in self.folders.items()))

    def said(self, text: str) -> str:
        """A text that names the zips where it named their folders."""
        for archive, folder in self.folders.items():
            text = text.replace(str(folder), str(archive))
        return text

    def rename(self, error: TmtvError) -> None:
        """Let an error name the zips where it names their folders."""
        error.what = self.said(error.what)
        error.args = tuple(self.said(str(a)) for a in error.args)

    def failed(self, failure: Failure) -> Failure:
        """A failure inside, as one of the zip's."""
        self.rename(failure.error)
        return replace(failure, path=self.named(failure.path))


def _moved(path: Path, places: Iterable[tuple[Path, Path]]) -> Path:
    for here, there in places:
        if path.is_relative_to(here):
            return there / path.relative_to(here)
    return path


@contextmanager
def all_opened(archives: Iterable[Path]) -> Iterator[Unpacked]:
    """Several zips at once; an error on the way names them as themselves."""
    with ExitStack() as stack:
        there = Unpacked({a: stack.enter_context(opened(a))[0] for a in archives})
        try:
            yield there
        except TmtvError as error:
            there.rename(error)
            raise


@contextmanager
def unpacked(study: Study) -> Iterator[Study]:
    """The study with files that can be read; those of one in zips are there in the block only."""
    if not study.archives:
        yield study
        return
    with all_opened(study.archives) as there:
        yield replace(
            study,
            pet=tuple(map(there.real, study.pet)),
            ct=tuple(map(there.real, study.ct)),
            archives=(),
            there=there,
        )


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
