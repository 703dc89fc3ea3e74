"""What the command line says and where: data on stdout, everything said to a person on stderr."""

from __future__ import annotations

import json
import logging
import os
import re
import sys
import time
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from tmtv_engine.errors import DiskError, TmtvError, refusal
from tmtv_engine.text import clean


@dataclass
class Voice:
    """Whether narration is wanted; set once by the options of the command."""

    quiet: bool = False


VOICE = Voice()
_LINE = 2000


def out(text: str) -> None:
    """Data to stdout, one or more lines."""
    with _stdout():
        sys.stdout.write(text if text.endswith("\n") else text + "\n")


def say_the_rest() -> None:
    """Flush stdout: what it does not take is told now, not by Python at its end."""
    with _stdout():
        sys.stdout.flush()


def let_stdout_go() -> None:
    """Nothing more goes to a stdout that takes nothing."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


@contextmanager
def _stdout() -> Iterator[None]:
    """A full disk behind stdout is a `DiskError`; a reader that has gone stays a broken pipe."""
    try:
        yield
    except BrokenPipeError:
        raise
    except OSError as error:
        let_stdout_go()
        raise DiskError(f"stdout: {refusal(error)}") from error


def out_json(record: Mapping[str, Any]) -> None:
    """One line of JSON to stdout."""
    out(json.dumps(record, ensure_ascii=False, allow_nan=False, separators=(",", ":")))


def say(text: str) -> None:
    """A line of narration to stderr, cleaned; silent when quiet."""
    if not VOICE.quiet:
        complain(text)


def complain(text: str) -> None:
    """A line to stderr that even ``--quiet`` does not silence."""
    for line in text.splitlines() or [""]:
        sys.stderr.write(clean(line, _LINE) + "\n")


def failed(error: TmtvError, name: str = "") -> None:
    """Say which study failed, why, and what to do; its place once."""
    there = error.what.startswith(f"{name}:") or ("/" in name and name in error.what)
    named = name and not there
    complain(f"failed: {name}: {error.what}" if named else f"failed: {error.what}")
    if error.remedy:
        complain(error.remedy)


@contextmanager
def tamed() -> Iterator[None]:
    """What libraries warn of or log reaches the terminal cleaned, as a line of ours."""
    with warnings.catch_warnings():
        warnings.showwarning = lambda message, *_, **__: complain(f"warning: {message}")
        last, logging.lastResort = logging.lastResort, _Lines(logging.WARNING)
        try:
            yield
        finally:
            logging.lastResort = last


class _Lines(logging.Handler):
    def emit(self, record: logging.LogRecord) -> None:
        """One record as a line on stderr."""
        complain(f"warning: {record.getMessage()}")


def table(header: Sequence[str], rows: Sequence[Sequence[str]], title: str = "") -> None:
    """A table on stdout: drawn on a terminal, tab-separated when piped; never markup."""
    if not sys.stdout.isatty():
        for row in [header, *rows]:
            out("\t".join(clean(cell, _LINE) for cell in row))
        return
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    drawn = Table(title=Text(clean(title)) if title else None)
    for k, name in enumerate(header):
        drawn.add_column(Text(name), justify="left" if k == 0 else "right")
    for row in rows:
        drawn.add_row(*[Text(clean(cell, _LINE)) for cell in row])
    Console().print(drawn)


def number(value: float | None, digits: int = 1) -> str:
    """A number for people; unknown is a dash."""
    return "–" if value is None else f"{value:.{digits}f}"


@dataclass
class Progress:
    """One line on stderr, rewritten stage by stage, with the time left in a batch.

    Silent when stderr is no terminal or narration is not wanted.
    """

    cases: int = 1
    done: int = 0
    made: int = 0
    spent_s: float = 0.0
    at: float = field(default_factory=time.monotonic)

    @property
    def shown(self) -> bool:
        """Whether anyone would see it."""
        return sys.stderr.isatty() and not VOICE.quiet

    def stage(self, at: int, stages: int, text: str) -> None:
        """Stage ``at`` of ``stages`` begins."""
        many = f"case {min(self.done + 1, self.cases)}/{self.cases}  " if self.cases > 1 else ""
        self.line(f"{many}{at + 1}/{stages} {clean(text)} …{self._left()}")

    def line(self, text: str) -> None:
        """The line says ``text`` from now on."""
        if self.shown:
            sys.stderr.write(f"\r\x1b[K{text}")
            sys.stderr.flush()

    def case_done(self, made: bool = True) -> None:
        """One case more is done; the line is cleared.

        The time until now tells what a case takes only if it was ``made``: one that was there or
        that failed was quick.
        """
        now = time.monotonic()
        self.done += 1
        if made:
            self.made += 1
            self.spent_s += now - self.at
        self.at = now
        self.clear()

    def clear(self) -> None:
        """Leave no half line behind."""
        if self.shown:
            sys.stderr.write("\r\x1b[K")
            sys.stderr.flush()

    def _left(self) -> str:
        if not self.made or self.cases == 1:
            return ""
        seconds = self.spent_s / self.made * (self.cases - self.done)
        return f"  about {int(seconds // 60)}:{int(seconds % 60):02d} left"


def numbers(text: str, count: int, option: str) -> tuple[float, ...]:
    """``count`` numbers parted by commas; raises `UsageError` naming the option."""
    from tmtv_engine.errors import UsageError

    parts = re.split(r"\s*,\s*", text.strip())
    try:
        found = tuple(float(part) for part in parts)
    except ValueError:
        found = ()
    if len(found) != count:
        raise UsageError(f"{option} {text!r}: {count} numbers are wanted", "Part them by commas.")
    return found
