"""Who else has a case open, watched while it is on the screen; no Textual."""

from __future__ import annotations

import os
import socket
from pathlib import Path

from tmtv_engine.errors import TmtvError
from tmtv_engine.review.journal import journals
from tmtv_engine.review.session import Presence, session_text, who_has_open

Stamp = tuple[tuple[str, int, int], ...]


class Present:
    """Other sessions at a case, but this one; ``blind``, those of the reader's own only."""

    def __init__(self, case: Path, reader: str, blind: bool) -> None:
        self.case, self.reader, self.blind = case, reader, blind
        self._there: list[Presence] = []
        self._stamp: Stamp | None = None
        self._error = ""

    @property
    def short(self) -> list[str]:
        """Each as ``reader@host``."""
        return [_short(one) for one in self._there]

    def look(self) -> list[str]:
        """What changed since the last look, in words; journals that stand are not read again."""
        try:
            stamp = _stamp(self.case)
            if stamp == self._stamp:
                return []
            first, self._stamp = self._stamp is None, stamp
            found = [one for one in who_has_open(self.case) if not self._hidden(one)]
        except TmtvError as error:  # another's journal is no reason not to read
            before, self._error = self._error, "" if self.blind else str(error)
            return [self._error] if self._error and self._error != before else []
        were, self._there = self._there, found
        told = [self._words(one, first) for one in found if one not in were]
        return told + [f"{_short(one)} has closed this case" for one in were if one not in found]

    def _hidden(self, one: Presence) -> bool:
        own = (self.reader, socket.gethostname(), session_text())
        other = one.reader != self.reader
        return (one.reader, one.host, one.session) == own or (self.blind and other)

    def _words(self, one: Presence, first: bool) -> str:
        since = one.since[:16].replace("T", " ")
        where = f"on {one.host} since {since}" if first else f"on {one.host}, just now"
        if one.reader == self.reader:
            has = "has this case open" if first else "opened this case"
            return f"{one.reader}: another session of yours {has} {where}"
        return f"{one.reader} {'has this case open' if first else 'opened this case'} {where}"


def _short(one: Presence) -> str:
    return f"{one.reader}@{one.host}"


def _stamp(case: Path) -> Stamp:
    found = []
    for path in journals(case):
        try:
            there = os.stat(path)
        except OSError:
            continue
        found.append((path.name, there.st_mtime_ns, there.st_size))
    return tuple(found)
