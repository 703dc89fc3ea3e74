"""Which painter keeps the pictures: by how they are sent, and whether a tmux lies between."""

from __future__ import annotations

from collections.abc import Mapping

from tmtv_tui.terminal.cellwise import Placeholders, Sixels
from tmtv_tui.terminal.mux import between
from tmtv_tui.terminal.painter import Kitty, Painter


def painter_of(image: str, plain: bool, env: Mapping[str, str]) -> Painter:
    """The one for kitty or sixel; ``plain``: without colours; ``env``: of this process."""
    tmux = between(env)
    if image == "kitty":
        return Placeholders(plain) if tmux else Kitty(plain)
    return Sixels(plain, whole=tmux)
