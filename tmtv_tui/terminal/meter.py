"""Whether the terminal of a tmux around this pane takes what tmux has for it.

tmux reads all that a program writes at once and keeps it for its client: on a slow line that is
many seconds of pictures. It does not tell how much it keeps; but while it keeps anything, its
client's terminal takes no more. So in tmux all has left when that terminal takes bytes for a while.
"""

from __future__ import annotations

import os
import select
import subprocess
import time
from collections.abc import Callable
from threading import Event, Thread

from tmtv_tui.terminal.line import Line

MOST = 4096
"""Characters after which it is looked whether they have left."""
FREE_S = 0.03
STEPS = 3
LONGEST_S = 20.0
TIMEOUT_S = 3.0


def client() -> str:
    """The terminal of this tmux's client; "" where there is none or tmux does not tell."""
    words = ["tmux", "display-message", "-p", "#{client_tty}"]
    try:
        done = subprocess.run(words, capture_output=True, text=True, timeout=TIMEOUT_S, check=False)
    except (OSError, subprocess.SubprocessError, UnicodeDecodeError):
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""


class Meter(Thread):
    """Looks at tmux's terminal, only while much is on its way, and tells the line when it left."""

    def __init__(self, line: Line, ask: Callable[[], str] = client) -> None:
        super().__init__(daemon=True, name="tmux-meter")
        self._line, self._ask, self._much = line, ask, Event()
        line.most, line.metered = MOST, self._much.set

    def run(self) -> None:
        """As long as the app."""
        while True:
            self._much.wait()
            self._much.clear()
            sent = self._line.sent
            self._wait()
            self._line.leave(sent)

    def _wait(self) -> None:
        """Until the terminal takes bytes, or cannot be looked at."""
        try:
            terminal = os.open(self._ask(), os.O_WRONLY | os.O_NOCTTY | os.O_NONBLOCK)
        except OSError:
            return
        try:
            free, end = 0, time.monotonic() + LONGEST_S
            while free < STEPS and time.monotonic() < end:
                free = free + 1 if select.select([], [terminal], [], 0)[1] else 0
                time.sleep(FREE_S / STEPS)
        finally:
            os.close(terminal)
