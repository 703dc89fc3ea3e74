"""Textual's Linux driver with the terminal's replies taken out of its input."""

from __future__ import annotations

import os
import selectors
import signal
from codecs import getincrementaldecoder
from collections.abc import Iterable
from threading import Event
from time import monotonic
from typing import Any

from textual import events
from textual._ansi_sequences import ANSI_SEQUENCES_KEYS
from textual._parser import ParseError
from textual._xterm_parser import XTermParser
from textual.drivers.linux_driver import LinuxDriver

from tmtv_tui.terminal.line import Line, Metered
from tmtv_tui.terminal.replies import Escape, Replies, Token

TICK_S = 0.05  # while a sequence has begun; else the processor sleeps until there is a byte


class Ending(Event):
    """An event that also wakes who waits for bytes: ``heard`` is there to be read while it is
    set."""

    def __init__(self) -> None:
        super().__init__()
        self.heard, self._said = os.pipe()

    def set(self) -> None:
        """As an event's."""
        if not self.is_set():
            super().set()
            os.write(self._said, b"\0")

    def clear(self) -> None:
        """As an event's."""
        if self.is_set():
            super().clear()
            os.read(self.heard, 1)


class QuietDriver(LinuxDriver):
    """Keys are what a reader typed; never a late answer to some program's question."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.exit_event = self._ending = Ending()
        self._line: Line = self._app.line  # type: ignore[attr-defined]
        self._file: Any = Metered(self._file, self._line)

    def write(self, data: str) -> None:
        """As Textual's, counted."""
        self._line.send(len(data))
        super().write(data)

    def run_input_thread(self) -> None:
        """Read, filter, parse, dispatch; bytes that are no UTF-8 end nothing."""
        replies = Replies(lambda text: text in ANSI_SEQUENCES_KEYS)
        parser = XTermParser(self._debug)
        decode = getincrementaldecoder("utf-8")("surrogateescape").decode
        with selectors.SelectSelector() as selector:
            selector.register(self.fileno, selectors.EVENT_READ)
            selector.register(self._ending.heard, selectors.EVENT_READ)
            while not self.exit_event.is_set():
                ready = [key.fd for key, _ in selector.select(TICK_S if replies.waits else None)]
                raw = self._read() if self.fileno in ready else b""
                text = decode(raw, final=False)
                now = monotonic()
                self._dispatch(parser, replies.feed(text, now) if text else replies.tick(now))
        try:
            for _ in parser.feed(""):
                pass
        except (EOFError, ParseError):
            pass

    def _read(self) -> bytes:
        """What was typed. Where the terminal is gone there is nothing any more, at once and for
        ever: the app then ends, also where a hang-up is not sent or (nohup) not heard."""
        try:
            raw = os.read(self.fileno, 4096)
        except OSError:
            raw = b""
        if not raw:
            os.kill(os.getpid(), signal.SIGTERM)
            self.exit_event.set()
        return raw

    def stop_application_mode(self) -> None:
        """Pictures go before the terminal is another's: at the end, suspended or broken."""
        self.write(self._app.farewell())  # type: ignore[attr-defined]
        super().stop_application_mode()

    def _dispatch(self, parser: XTermParser, tokens: Iterable[Token]) -> None:
        for token in tokens:
            if isinstance(token, Escape):
                self.process_message(events.Key("escape", "\x1b"))
                continue
            for message in parser.feed(token):
                self.process_message(message)
