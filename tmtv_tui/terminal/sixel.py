"""Palette numbers as a sixel sequence: bands of six rows, colour over colour, repeats counted."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from tmtv_tui.terminal.pixels import Colour, Index

Ints = npt.NDArray[np.int64]
NONE = 255  # no colour of a palette: the rows that the last band lacks
KEPT = 1024  # bands that are remembered at most


class _Words(dict[int, str]):
    """A run as text, by 64 · its length + its column of dots."""

    def __missing__(self, key: int) -> str:
        count, dots = divmod(key, 64)
        letter = chr(63 + dots)
        self[key] = word = f"!{count}{letter}" if count > 3 else letter * count
        return word


class _Band(NamedTuple):
    """Six rows as text, and the palette numbers in them."""

    text: str
    numbers: frozenset[int]


WORDS = _Words()
BANDS: dict[tuple[int, bytes], _Band] = {}
"""Bands by their rows and all of their dots: of a picture that is sent again, most stand."""


def sixel(index: Index, palette: Sequence[Colour]) -> str:
    """The sixel sequence of palette numbers (y, x); it tells the colours that it uses.

    In each band the colour with most turns is laid beneath the others, over its whole width: that
    saves four tenths of the bytes.
    """
    high, wide = index.shape
    keys = [(min(6, high - y), index[y : y + 6].tobytes()) for y in range(0, high, 6)]
    new = [k for k, key in enumerate(keys) if key not in BANDS]
    if len(BANDS) + len(new) > KEPT:
        BANDS.clear()
        new = list(range(len(keys)))
    for k, band in zip(new, _bands(index, new), strict=True):
        BANDS[keys[k]] = band
    bands = [BANDS[key] for key in keys]
    out = [f'\x1bP0;1;0q"1;1;{wide};{high}']
    for k in sorted(frozenset().union(*(band.numbers for band in bands))):
        out.append(f"#{k};2;" + ";".join(str(round(n / 2.55)) for n in palette[k]))
    return "".join(out) + "-".join(band.text for band in bands) + "\x1b\\"


def _bands(index: Index, wanted: Sequence[int]) -> list[_Band]:
    """Some bands of a picture, each for itself."""
    if not wanted:
        return []
    high, wide = index.shape
    rows = np.full((-(-high // 6) * 6, wide), NONE, np.uint8)
    rows[:high] = index
    six = np.ascontiguousarray(rows.reshape(-1, 6, wide)[list(wanted)].swapaxes(0, 1))
    band, number, dots = _planes(six)
    turns = dots[:, 1:] != dots[:, :-1]
    beneath = _most(band, np.count_nonzero(turns, axis=1))
    filled = ((six != NONE).any(axis=2) << np.arange(6)[:, None]).sum(axis=0).tolist()
    found: list[list[str]] = [[] for _ in wanted]
    for k, row in enumerate(beneath.tolist()):
        found[k].append(f"#{number[row]}{WORDS[wide * 64 + filled[k]]}")
    above = np.ones(len(band), bool)
    above[beneath] = False
    texts = _texts(dots[above], turns[above])
    for k, colour, text in zip(band[above].tolist(), number[above].tolist(), texts, strict=True):
        found[k].append(f"#{colour}{text}")
    colours = np.split(number, np.flatnonzero(np.diff(band)) + 1)
    return [
        _Band("$".join(texts), frozenset(used.tolist()))
        for texts, used in zip(found, colours, strict=True)
    ]


def _planes(six: Index) -> tuple[Ints, Ints, Index]:
    """Band, palette number and columns of dots (n, x) of each colour of each band, in order, of
    rows (6, band, x)."""
    flags = np.zeros(256, bool)
    flags[six] = True
    flags[NONE] = False
    used = np.flatnonzero(flags)
    bits = np.empty((six.shape[1], len(used), six.shape[2]), np.uint8)
    for k, colour in enumerate(used):
        same = (six == np.uint8(colour)).view(np.uint8)
        for row in range(1, 6):
            same[0] |= same[row] << np.uint8(row)
        bits[:, k] = same[0]
    band, at = np.nonzero(bits.any(axis=2))
    return band, used[at], bits[band, at]


def _most(band: Ints, turns: Ints) -> Ints:
    """The row of each band that has most turns, the first of equals."""
    order = np.lexsort((-turns, band))
    return order[np.flatnonzero(np.diff(band[order], prepend=-1))]


def _texts(dots: Index, turns: npt.NDArray[np.bool_]) -> list[str]:
    """Each row's columns of dots as text; what is empty at its end is left out. ``turns``: where
    a column differs from the one before it."""
    starts = np.ones(dots.shape, bool)
    starts[:, 1:] = turns
    at = np.flatnonzero(starts)
    values, row = dots.reshape(-1)[at].astype(np.int64), at // dots.shape[1]
    counts = np.diff(at, append=dots.size)
    seen = (values > 0) | (np.append(row[1:], -1) == row)
    words = list(map(WORDS.__getitem__, (counts * 64 + values)[seen].tolist()))
    ends = np.cumsum(np.bincount(row[seen], minlength=len(dots))).tolist()
    return ["".join(words[a:b]) for a, b in zip([0, *ends], ends, strict=False)]
