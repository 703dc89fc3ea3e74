"""What a command line says of places, looked at before anything is done: empty words, -o."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterable
from pathlib import Path

from tmtv_engine.errors import DiskError, UsageError

ANOTHER = "Choose another folder with -o."


def check_words(words: Iterable[str]) -> None:
    """Raise `UsageError` for a word without a letter: an empty path would be the folder here."""
    for before, word in zip(("", *words), words, strict=False):
        name, equals, value = word.partition("=")
        given = name if name.startswith("--") else before
        if not word or (equals and not value and name.startswith("--")):
            where = f"{given}: " if given.startswith("-") else ""
            raise UsageError(f"{where}an empty word was given", "Is a variable of a script unset?")


def check_out(folder: Path) -> None:
    """Raise `DiskError` where nothing can be written in ``folder``; makes nothing.

    What is true now may be false when it is written: that is told then. This one spares the hours
    between.
    """
    there = folder
    try:
        while not os.path.lexists(there):
            there = there.parent
        os.stat(there)
    except OSError as error:  # a link to nowhere, or to itself; a parent that lets nobody look
        raise DiskError(f"{there}: {os.strerror(error.errno or errno.EIO)}", ANOTHER) from error
    if not there.is_dir():
        raise DiskError(f"{there}: is there and is no folder", ANOTHER)
    if not os.access(there, os.W_OK | os.X_OK):
        raise DiskError(f"{there}: nothing can be written there", ANOTHER)
