"""The app in a tmux of its own: keys go in as from a keyboard, what is read is what it shows."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

from tests.support.terminal import COMMAND, OURS, ROOT

UNSET = " ".join(f"-u {name}" for name in OURS)
THERE = shutil.which("tmux") is not None
STYLE = re.compile(r"\x1b\[([0-9;]*)m")
COLOURED = re.compile(r"[345]8;(?:5;\d+|2;\d+;\d+;\d+)")


class Tmux:
    """``review out`` in a pane of ``size``; ``keys`` counts what was pressed."""

    program = "tmux"

    def __init__(
        self, out: Path, socket: Path, *options: str, size: tuple[int, int] = (100, 50), **env: str
    ) -> None:
        self.socket, self.keys = str(socket), 0
        wide, high = map(str, size)
        line = f"env {UNSET} {review_line(out, *options, **env)}"
        self("new-session", "-d", "-x", wide, "-y", high, line)

    def __call__(self, *words: str) -> str:
        done = subprocess.run(
            [self.program, "-S", self.socket, "-f", "/dev/null", *words],
            capture_output=True, text=True, check=True, cwd=ROOT, timeout=60,
        )  # fmt: skip
        return done.stdout

    def press(self, key: str, times: int = 1) -> None:
        """A key, by tmux's name of it, so many times."""
        if times > 0:
            self("send-keys", "-N", str(times), key)
            self.keys += times

    def text(self) -> str:
        """The screen, line by line."""
        return self("capture-pane", "-p")

    def reversed_text(self) -> list[str]:
        """What stands in reverse video, line by line: the cursor's among it."""
        return [_reversed(line) for line in self("capture-pane", "-p", "-e").splitlines()]

    def until(self, holds: str | Callable[[str], object], limit_s: float = 120.0) -> str:
        """The screen once it shows a text, or what ``holds`` is true of."""
        end = time.monotonic() + limit_s
        while True:
            found = self.text()
            if holds in found if isinstance(holds, str) else holds(found):
                return found
            if time.monotonic() > end:
                raise AssertionError(f"waited {limit_s} s in vain for {holds!r}:\n{found}")
            time.sleep(0.03)

    def enter(self, holds: str) -> None:
        """Open ``case-1``, the first of the list, until its screen shows a text."""
        self.until("case-1")
        self.press("Enter")
        self.until(holds)

    def end(self) -> None:
        """Kill what is left of it."""
        subprocess.run(
            [self.program, "-S", self.socket, "kill-server"], capture_output=True, check=False
        )


def review_line(out: Path, *options: str, **env: str) -> str:
    """What a shell in a pane is told, after ``env``."""
    setting = ["TERM=tmux-256color", "TEXTUAL_ANIMATIONS=none", "LANG=C.UTF-8"]
    setting += [f"XDG_CONFIG_HOME={out / '.config'}", *(f"{k}={v}" for k, v in env.items())]
    setting += [f"PYTHONPATH={os.environ.get('PYTHONPATH', ROOT)}"]
    return shlex.join([*setting, *COMMAND, "review", str(out), *options])


def _reversed(line: str) -> str:
    """The part of a line, as tmux tells it with its styles, that is in reverse video."""
    _, *rest = STYLE.split(line)
    on, found = False, ""
    for codes, text in zip(rest[::2], rest[1::2], strict=True):
        given = COLOURED.sub("", codes).split(";")
        on = "7" in given or (on and not {"0", "", "27"} & set(codes.split(";")))
        found += text if on else ""
    return found
