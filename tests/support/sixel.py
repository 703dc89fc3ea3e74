"""A sixel sequence drawn, as the VT340's manual says."""

from __future__ import annotations

import re

import numpy as np
import numpy.typing as npt

Rgb = npt.NDArray[np.uint8]
SIX = re.compile(r"#(\d+)((?:;\d+){4})?|(?:!(\d+))?([?-~])|([$-])")


def unsixel(body: bytes, wide: int, high: int) -> Rgb:
    """Pixels (y, x, rgb) of a sixel body."""
    out = np.zeros((high + 6, wide, 3), np.uint8)
    colours: dict[str, list[int]] = {}
    x = y = 0
    ink = [0, 0, 0]
    for colour, define, repeat, letter, feed in SIX.findall(body.decode()):
        if define:
            colours[colour] = [round(int(n) * 2.55) for n in define.split(";")[2:]]
        if colour:
            ink = colours[colour]
        elif feed:
            x, y = 0, y + (6 if feed == "-" else 0)
        else:
            count, bits = int(repeat or 1), ord(letter) - 63
            for k in range(6):
                if bits >> k & 1:
                    out[y + k, x : x + count] = ink
            x += count
    return out[:high]
