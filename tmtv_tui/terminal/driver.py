"""Textual's Linux driver with the terminal's replies taken out of its input."""

from __future__ import annotations

import os
import selectors
from codecs import getincrementaldecoder
from collections.abc import Iterable
from time import monotonic

from textual import events
from textual._ansi_sequences import ANSI_SEQUENCES_KEYS
from textual._parser import ParseError
from textual._xterm_parser import XTermParser
from textual.drivers.linux_driver import LinuxDriver

from tmtv_tui.terminal.replies import Escape, Replies, Token

POLL_S = 0.05


class QuietDriver(LinuxDriver):
    """Keys are what a reader typed; never a late answer to some program's question."""

    def run_input_thread(self) -> None:
        """Read, filter, parse, dispatch; bytes that are no UTF-8 end nothing."""
        replies = Replies(lambda text: text in ANSI_SEQUENCES_KEYS)
        parser = XTermParser(self._debug)
        decode = getincrementaldecoder("utf-8")("surrogateescape").decode
        with selectors.SelectSelector() as selector:
            selector.register(self.fileno, selectors.EVENT_READ)
            while not self.exit_event.is_set():
                ready = selector.select(POLL_S)
                raw = os.read(self.fileno, 4096) if ready else b""
                text = decode(raw, final=False)
                now = monotonic()
                self._dispatch(parser, replies.feed(text, now) if text else replies.tick(now))
        try:
            for _ in parser.feed(""):
                pass
        except (EOFError, ParseError):
            pass

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
