"""A real terminal for the app: `tmtv review` on a pty, its output counted, its input typed."""

from __future__ import annotations

import fcntl
import os
import pty
import select
import signal
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.support.emulator import Emulator

ROOT = Path(__file__).resolve().parents[2]
OURS = ("NO_COLOR", "COLORTERM", "TERM", "COLUMNS", "LINES", "TMUX", "STY")
COMMAND = [sys.executable, "-c", "from tmtv_tui.cli.app import main; import sys; sys.exit(main())"]


class Terminal:
    """One end of a pty; the app has the other."""

    def __init__(self, handle: int, process: subprocess.Popen[bytes]) -> None:
        self.handle, self.process = handle, process
        self.out = b""
        self.cell = (0, 0)
        self.screen = Emulator()

    def type(self, text: str | bytes) -> None:
        """As from the keyboard, or from the terminal itself."""
        os.write(self.handle, text.encode() if isinstance(text, str) else text)

    def read(self, quiet_s: float = 0.3, limit_s: float = 10.0) -> bytes:
        """What comes until nothing came for ``quiet_s``."""
        found, end = b"", time.monotonic() + limit_s
        while time.monotonic() < end and select.select([self.handle], [], [], quiet_s)[0]:
            try:
                raw = os.read(self.handle, 1 << 16)
            except OSError:  # the app is gone
                break
            if not raw:
                break
            found += raw
        self.out += found
        self.screen.feed(found)
        return found

    def until(self, text: str, limit_s: float = 60.0) -> None:
        """Read until the output since the start holds ``text``."""
        end = time.monotonic() + limit_s
        while text.encode() not in self.out:
            assert time.monotonic() < end, f"{text!r} never came: {self.out[-2000:]!r}"
            self.read(0.05, 1.0)

    def wait(self, holds: Callable[[], object], limit_s: float = 60.0) -> bytes:
        """Read on until ``holds``: what another process does takes its time on a busy machine."""
        found, end = b"", time.monotonic() + limit_s
        while not holds():
            assert time.monotonic() < end, f"waited in vain: {self.out[-2000:]!r}"
            found += self.read(0.02, 0.1)
        return found

    def gone(self) -> bool:
        """Whether the app has ended."""
        return self.process.poll() is not None

    def size(self, cols: int, rows: int) -> None:
        """Resize, and tell the app, whose controlling terminal this is not."""
        pixels = cols * self.cell[1], rows * self.cell[0]
        fcntl.ioctl(self.handle, termios.TIOCSWINSZ, struct.pack("HHHH", rows, cols, *pixels))
        if self.process is not None:
            self.process.send_signal(signal.SIGWINCH)


@contextmanager
def review(
    out: Path,
    *options: str,
    size: tuple[int, int] = (100, 50),
    cell: tuple[int, int] = (0, 0),
    **env: str,
) -> Iterator[Terminal]:
    """`tmtv review out`; ended by ``q`` if it can be, and killed otherwise.

    ``cell``: pixels of a cell, down and across, where the terminal tells them.
    """
    ours, theirs = pty.openpty()
    plain = {k: v for k, v in os.environ.items() if k not in OURS}
    plain |= {"TERM": "xterm-256color", "TEXTUAL_ANIMATIONS": "none", "LANG": "C.UTF-8"}
    plain |= {"XDG_CONFIG_HOME": str(out / ".config"), "TMTV_READER": "AB", **env}
    terminal = Terminal(ours, None)  # type: ignore[arg-type]
    terminal.cell = cell
    terminal.size(*size)
    terminal.process = subprocess.Popen(
        [*COMMAND, "review", str(out), *options],
        stdin=theirs, stdout=theirs, stderr=theirs, env=plain, cwd=ROOT, start_new_session=True,
    )  # fmt: skip
    os.close(theirs)
    try:
        yield terminal
    finally:
        terminal.process.kill()
        terminal.process.wait()
        os.close(ours)
