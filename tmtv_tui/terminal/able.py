"""Whether the terminal can show the app at all; if not, what to set, before anything is drawn."""

from __future__ import annotations

from collections.abc import Mapping

from tmtv_engine.errors import UsageError
from tmtv_engine.text import clean

LEAST = (60, 16)
UNABLE = ("dumb", "unknown", "vt52", "vt100", "vt102", "ansi-mono", "emacs", "cons25", "network")
PLAIN = "`tmtv review OUT --plain` reads and decides line by line"


def refuse_unable(
    env: Mapping[str, str], terminals: tuple[bool, bool], encoding: str, size: tuple[int, int]
) -> None:
    """Raise `UsageError` where the app cannot be shown.

    ``terminals``: whether standard input and output are one; ``size``: columns and lines, 0 where
    nobody knows. In a browser (``TEXTUAL_DRIVER``) none of it matters.
    """
    if env.get("TEXTUAL_DRIVER"):
        return
    if not all(terminals):
        which = "output" if terminals[0] else "input"
        raise UsageError(
            f"standard {which} is no terminal, and the review app needs one",
            f"Over SSH: ssh -t. Without a terminal {PLAIN}, --serve shows it in a browser.",
        )
    term = env.get("TERM", "")
    if not term or term in UNABLE:
        raise UsageError(
            f"TERM={clean(term, 40) or '(nothing)'} says that this terminal places no cursor",
            f"If it can: TERM=xterm-256color tmtv review …; {PLAIN}.",
        )
    if encoding.lower().replace("-", "").replace("_", "") != "utf8":
        raise UsageError(
            f"the locale says that this terminal takes {clean(encoding, 40)}, not UTF-8",
            f"If it takes UTF-8: LC_ALL=C.UTF-8 tmtv review …; {PLAIN}.",
        )
    if 0 < size[0] < LEAST[0] or 0 < size[1] < LEAST[1]:
        raise UsageError(
            f"the terminal has {size[0]} × {size[1]} cells, {LEAST[0]} × {LEAST[1]} are the least",
            f"Make it larger or its font smaller; {PLAIN}.",
        )
