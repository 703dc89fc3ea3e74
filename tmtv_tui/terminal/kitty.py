"""Kitty's graphics protocol: PNG, the commands that show one, and its way through tmux.

tmux knows no images, but passes on what is wrapped for the terminal behind it. There an image is
kept for a box of cells; the cells are text, placeholders that say by accents which row and column
of the box they are and by their colour whose: tmux moves and redraws them as any other text.
"""

from __future__ import annotations

import base64
import io
from collections.abc import Iterable
from functools import cache

from tmtv_tui.terminal.pixels import Colour, Index

CHUNK = 4096
PLACEHOLDER = "\U0010eeee"
FIRST_COLOUR = 16  # below, a terminal's own colours might be told in another way
_ACCENTS = (
    "305 30D-30E 310 312 33D-33F 346 34A-34C 350-352 357 35B 363-36F 483-487 592-595 597-599 "
    "59C-5A1 5A8-5A9 5AB-5AC 5AF 5C4 610-617 657-65B 65D-65E 6D6-6DC 6DF-6E2 6E4 6E7-6E8 6EB-6EC "
    "730 732-733 735-736 73A 73D 73F-741 743 745 747 749-74A 7EB-7F1 7F3 816-819 81B-823 825-827 "
    "829-82D 951 953-954 F82-F83 F86-F87 135D-135F 17DD 193A 1A17 1A75-1A7C 1B6B 1B6D-1B73 "
    "1CD0-1CD2 1CDA-1CDB 1CE0 1DC0-1DC1 1DC3-1DC9 1DCB-1DCC 1DD1-1DE6 1DFE 20D0-20D1 20D4-20D7 "
    "20DB-20DC 20E1 20E7 20E9 20F0 2CEF-2CF1 2DE0-2DFF A66F A67C-A67D A6F0-A6F1 A8E0-A8F1"
)
"""Kitty's accents for 0, 1, 2 …: what Unicode 6.0 has of class 230 that joins no letter."""


@cache
def accents() -> str:
    """The accent of each number."""
    spans = (span.split("-") for span in _ACCENTS.split())
    return "".join(chr(k) for s in spans for k in range(int(s[0], 16), int(s[-1], 16) + 1))


def png(index: Index, palette: Iterable[Colour], *, clear: bool = False) -> bytes:
    """A PNG of palette numbers (y, x); ``clear``: number 0 is transparent."""
    from PIL import Image

    high, wide = index.shape
    image = Image.frombytes("P", (wide, high), index.tobytes())
    image.putpalette([n for colour in palette for n in colour])
    out = io.BytesIO()
    image.save(out, "PNG", **({"transparency": 0} if clear else {}))
    return out.getvalue()


def shown(image: bytes, number: int, cells: tuple[int, int], height: int) -> str:
    """The commands to show a PNG at the cursor over ``cells`` (lines, columns).

    Silent (q=2), the cursor stays (C=1); what had the same number goes.
    """
    keys = f"a=T,f=100,i={number},p=1,c={cells[1]},r={cells[0]},C=1,z={height},"
    return "".join(_commands(image, keys))


def kept(image: bytes, number: int, cells: tuple[int, int]) -> str:
    """As `shown`, through tmux, seen where its placeholders are."""
    keys = f"a=T,U=1,f=100,i={number},c={cells[1]},r={cells[0]},"
    return "".join(passed(command) for command in _commands(image, keys))


def deleted(number: int) -> str:
    """The command to forget an image."""
    return f"\x1b_Ga=d,d=I,i={number},q=2\x1b\\"


def passed(command: str) -> str:
    """A command that tmux hands on to the terminal behind it."""
    return "\x1bPtmux;" + command.replace("\x1b", "\x1b\x1b") + "\x1b\\"


def number_of(colour: int, high: int) -> int:
    """The image that placeholders in one of 256 colours with a third accent ``high`` show."""
    return high << 24 | colour


def placeholders(line: int, first: int, last: int, number: int) -> str:
    """The cells of one line of an image's box, from column ``first`` up to ``last``, that one
    left out."""
    signs = accents()
    row, high = signs[line], signs[number >> 24]
    cells = "".join(PLACEHOLDER + row + signs[column] + high for column in range(first, last))
    return f"\x1b[38;5;{number & 255}m{cells}"


def _commands(image: bytes, keys: str) -> list[str]:
    data = base64.standard_b64encode(image).decode()
    pieces = [data[k : k + CHUNK] for k in range(0, len(data), CHUNK)]
    return [
        f"\x1b_G{keys if k == 0 else ''}q=2,m={int(k + 1 < len(pieces))};{piece}\x1b\\"
        for k, piece in enumerate(pieces)
    ]
