"""Palette numbers as a sixel sequence: bands of six rows, colour over colour, repeats counted."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from tmtv_tui.terminal.pixels import Colour, Index

Ints = npt.NDArray[np.int64]
SIX = 63  # a column with all of its six rows


class _Words(dict[int, str]):
    """A run as text, by 64 · its length + its column of dots."""

    def __missing__(self, key: int) -> str:
        count, dots = divmod(key, 64)
        letter = chr(63 + dots)
        self[key] = word = f"!{count}{letter}" if count > 3 else letter * count
        return word


WORDS = _Words()


def sixel(index: Index, palette: Sequence[Colour]) -> str:
    """The sixel sequence of palette numbers (y, x); it tells the colours that it uses.

    In each band the colour with most turns is laid beneath the others, over its whole width: that
    saves four tenths of the bytes.
    """
    high, wide = index.shape
    bands, numbers, dots = _planes(index, len(palette))
    used = np.unique(index).tolist()
    out = [f'\x1bP0;1;0q"1;1;{wide};{high}']
    out += [f"#{k};2;" + ";".join(str(round(n / 2.55)) for n in palette[k]) for k in used]
    before = 0
    for band, number, text in zip(bands.tolist(), numbers.tolist(), _texts(dots), strict=True):
        feed = "$" if band == before else "-"
        out.append(f"{feed}#{number}{text}")
        before = band
    return "".join(out) + "\x1b\\"


def _planes(index: Index, colours: int) -> tuple[Ints, Ints, Index]:
    """Band, palette number and columns of dots (n, x) of each colour of each band, in order."""
    high, wide = index.shape
    count = -(-high // 6)
    bits = np.zeros((count, colours, wide), np.uint8)
    rows, columns = np.arange(count)[:, None], np.arange(wide)
    for k in range(6):
        part = index[k::6]
        bits[rows[: len(part)], part, columns] |= np.uint8(1 << k)
    beneath = np.count_nonzero(bits[:, :, 1:] != bits[:, :, :-1], axis=2).argmax(axis=1)
    band, number = np.nonzero(bits.any(axis=2))
    beneath = np.where(bits[rows[:, 0], beneath].any(axis=1), beneath, index[::6].min(axis=1))
    filled = np.full(count, SIX, np.uint8)
    filled[-1] = (1 << (high - 6 * (count - 1))) - 1
    bits[rows[:, 0], beneath] = filled[:, None]
    order = np.lexsort((number, number != beneath[band], band))
    return band[order], number[order], bits[band[order], number[order]]


def _texts(dots: Index) -> list[str]:
    """Each row's columns of dots as text; what is empty at its end is left out."""
    turns = np.ones(dots.shape, bool)
    turns[:, 1:] = dots[:, 1:] != dots[:, :-1]
    at = np.flatnonzero(turns)
    values, row = dots.reshape(-1)[at].astype(np.int64), at // dots.shape[1]
    counts = np.diff(at, append=dots.size)
    seen = (values > 0) | (np.append(row[1:], -1) == row)
    words = [WORDS[key] for key in (counts * 64 + values)[seen].tolist()]
    ends = np.cumsum(np.bincount(row[seen], minlength=len(dots))).tolist()
    return ["".join(words[a:b]) for a, b in zip([0, *ends], ends, strict=False)]
