"""What changed in a folder of cases, told by times of modification; no Textual, no file is read."""

from __future__ import annotations

import os
from collections.abc import Iterator
from operator import itemgetter
from pathlib import Path
from stat import S_ISDIR

Stamp = tuple[object, ...]
SHARE = 0.005  # of a core's time that looking may take
LEAST_S = 3.0


class Watched:
    """The cases of ``out`` (itself, or right below it) and a stamp of each, which changes whenever
    a line of the worklist might: of `case.json`, of the review folder and of its journals."""

    def __init__(self, out: Path) -> None:
        self.out = out
        self.seen: dict[str, Stamp] = {}
        self._journals: dict[str, tuple[int, list[str]]] = {}

    def look(self) -> tuple[list[tuple[str, Stamp]], list[str]]:
        """The cases (their folders) that are new or changed, by name, and those that are gone; a
        folder that may not be looked into is a case too, which cannot be read."""
        there = dict(self._cases())
        changed = [(path, stamp) for path, stamp in there.items() if self.seen.get(path) != stamp]
        return sorted(changed, key=itemgetter(0)), sorted(self.seen.keys() - there.keys())

    def _cases(self) -> Iterator[tuple[str, Stamp]]:
        out = str(self.out)
        if stamp := self._stamp(out):
            yield out, stamp
            return
        try:
            names = os.listdir(out)
        except OSError:
            return
        for name in names:
            if not name.startswith(".") and (stamp := self._stamp(f"{out}/{name}")):
                yield f"{out}/{name}", stamp

    def _stamp(self, folder: str) -> Stamp | None:
        """None where there is no `case.json`."""
        try:
            own = os.stat(f"{folder}/case.json")
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as error:  # a folder that one may not enter, links in a circle
            return ("unreadable", error.errno)
        if S_ISDIR(own.st_mode):
            return None
        return (own.st_mtime_ns, own.st_size, own.st_ino, *self._review(f"{folder}/review"))

    def _review(self, folder: str) -> Iterator[int]:
        try:
            changed = os.stat(folder).st_mtime_ns
        except OSError:
            return
        known = self._journals.get(folder)
        if known is None or known[0] != changed:
            try:
                names = [name for name in os.listdir(folder) if name.endswith(".jsonl")]
            except OSError:
                names = []
            known = self._journals[folder] = changed, [f"{folder}/{name}" for name in sorted(names)]
        yield changed
        for journal in known[1]:
            try:
                found = os.stat(journal)
                yield found.st_mtime_ns
                yield found.st_size
            except OSError:
                yield 0


def interval(spent_s: float) -> float:
    """Seconds until the next look, when the last took ``spent_s`` of a core."""
    return max(LEAST_S, spent_s / SHARE)
