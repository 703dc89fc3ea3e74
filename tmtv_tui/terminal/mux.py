"""Whether pictures in pixels get through tmux or screen to the terminal, and what to set if not."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable, Mapping

TMUX_SIXEL = (3, 4)  # the first tmux that can draw sixel itself
KITTY_CELLS = (0, 28)  # the first kitty that knows placeholders; before, it draws boxes for them
ASKED_S = 3.0
LEAVE = "Use --image half, or leave it"


def between(env: Mapping[str, str]) -> bool:
    """Whether tmux or screen lie between, here or before an ssh, which tells by TERM only."""
    named = env.get("TERM", "").startswith(("tmux", "screen"))
    return named or bool(env.get("TMUX") or env.get("STY"))


def stopped(
    image: str,
    env: Mapping[str, str],
    ask: Callable[[], str | None] | None = None,
    terminal: Callable[[], str | None] | None = None,
) -> tuple[str, str] | None:
    """Why pictures in pixels stop before the terminal, and the way out; None: they reach it.

    ``ask`` says what tmux has for allow-passthrough: `passing`; ``terminal`` what tmux's own
    terminal calls itself: `named`.
    """
    if not between(env):
        return None
    if env.get("STY"):
        return "screen passes no pictures on", f"{LEAVE}."
    if image == "sixel":
        told = re.match(r"(\d+)\.(\d+)", env.get("TERM_PROGRAM_VERSION", ""))
        new = told is not None and (int(told[1]), int(told[2])) >= TMUX_SIXEL
        if env.get("TERM_PROGRAM") == "tmux" and new:
            return None
        return "only tmux from 3.4 on draws sixel", f"{LEAVE}, or take a newer tmux."
    if not env.get("TMUX"):
        told_by = f"TERM={env['TERM']} tells of a tmux or screen before this machine"
        return f"{told_by}, which cannot be asked", f"{LEAVE}, or run tmux on this machine."
    found = (ask or passing)()
    if found is None:
        return "tmux does not answer what it passes on", f"{LEAVE}."
    if found in ("on", "all", ""):
        told = re.match(r"kitty\((\d+)\.(\d+)[\d.]*\)", (terminal or named)() or "")
        if told is not None and (int(told[1]), int(told[2])) < KITTY_CELLS:
            return f"{told[0]} knows no placeholders", f"{LEAVE}, or take kitty from 0.28 on."
        return None
    return "tmux passes nothing on", "First: tmux set -p allow-passthrough on"


def passing() -> str | None:
    """What the tmux around this pane has for allow-passthrough; "" where it knows no such option,
    as before 3.3, when it passed all on; None where it does not answer."""
    return _asked("show-options", "-Apqv", "allow-passthrough")


def named() -> str | None:
    """What the terminal of tmux's client calls itself, as ``kitty(0.26.5)``; "" where it has not
    told tmux; None where tmux does not answer."""
    return _asked("display-message", "-p", "#{client_termtype}")


def _asked(*words: str) -> str | None:
    try:
        done = subprocess.run(
            ["tmux", *words], capture_output=True, text=True, timeout=ASKED_S, check=False
        )
    except (OSError, subprocess.SubprocessError, UnicodeDecodeError):
        return None
    return done.stdout.strip() if done.returncode == 0 else None
