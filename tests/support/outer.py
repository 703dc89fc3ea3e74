"""The terminal around a tmux: a pty that records what tmux passes on to it, and what that shows."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import select
import struct
import subprocess
import termios
from collections.abc import Sequence
from pathlib import Path

from tests.support.emulator import Emulator
from tests.support.terminal import OURS
from tests.support.tmux import Tmux, review_line

PROGRAM = os.environ.get("TMTV_TMUX", "tmux")
"""Another tmux than the one on the path, such as one that draws sixel."""
KITTY = re.compile(rb"\x1b_G([^;\x1b]*);?([^\x1b]*)\x1b\\")


class Outer(Tmux):
    """A tmux and its client on a pty of ``size`` cells of ``cell`` pixels (down, across);
    ``settings``: of tmux, made before the app starts."""

    program = PROGRAM

    def __init__(
        self,
        out: Path,
        socket: Path,
        *options: str,
        settings: Sequence[str] = (),
        size: tuple[int, int] = (100, 50),
        cell: tuple[int, int] = (20, 9),
    ) -> None:
        self.socket, self.keys, self.out = str(socket), 0, b""
        wide, high = size
        told = socket.with_suffix(".conf")
        told.write_text("".join(f"{line}\n" for line in settings))
        self.handle, theirs = pty.openpty()
        lines = high + 1  # tmux's own
        pixels = struct.pack("HHHH", lines, wide, wide * cell[1], lines * cell[0])
        fcntl.ioctl(self.handle, termios.TIOCSWINSZ, pixels)
        env = {k: v for k, v in os.environ.items() if k not in OURS}
        self.process = subprocess.Popen(
            [PROGRAM, "-S", self.socket, "-f", str(told), "new-session", "sleep 600"],
            stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True,
            env=env | {"TERM": "xterm-256color", "LANG": "C.UTF-8"},
        )  # fmt: skip
        os.close(theirs)
        while not self.read(0.5):
            assert self.process.poll() is None
        env = {"TMTV_READER": "AB", "TMTV_ADVANCE": "false"}
        self("respawn-pane", "-k", f"env {review_line(out, *options, **env)}; sleep 600")

    def read(self, quiet_s: float = 0.6) -> bytes:
        """What comes until nothing came for ``quiet_s``."""
        found = b""
        while select.select([self.handle], [], [], quiet_s)[0]:
            raw = os.read(self.handle, 1 << 16)
            if not raw:
                break
            found += raw
        self.out += found
        return found

    def seen(self) -> Emulator:
        """The whole screen, as tmux draws it anew."""
        self.read()
        self("refresh-client")
        screen = Emulator()
        screen.feed(self.read())
        return screen

    def end(self) -> None:
        """Kill both."""
        super().end()
        self.process.kill()
        self.process.wait()
        os.close(self.handle)


class Kitty:
    """The images that a kitty would hold after what was sent."""

    def __init__(self) -> None:
        self.images: dict[int, tuple[dict[str, str], bytes]] = {}
        self._open = 0

    def take(self, raw: bytes) -> int:
        """How many images came."""
        came = 0
        for keys, data in KITTY.findall(raw):
            told = dict(pair.split("=") for pair in keys.decode().split(","))
            assert told["q"] == "2", "a terminal would answer"
            assert len(data) <= 4096
            if told.get("a") == "d":
                self.images.pop(int(told["i"]), None)
                continue
            if "a" in told:
                self._open = int(told["i"])
                self.images[self._open] = (told, b"")
                came += 1
            before, had = self.images[self._open]
            self.images[self._open] = before, had + data
        return came
