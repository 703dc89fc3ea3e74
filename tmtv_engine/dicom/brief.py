"""A quick look at a DICOM file: a few top-level attributes and where its pixels lie.

Parsing whole headers is most of the time that reading a series takes, and slices differ in a
handful of attributes. This walks the elements of a little-endian file without decoding what
nobody asked for; a file that it does not understand is left to pydicom.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import MappingProxyType

from pydicom.datadict import dictionary_VR, tag_for_keyword

IMPLICIT, EXPLICIT = "1.2.840.10008.1.2", "1.2.840.10008.1.2.1"
PREFIX = 1 << 16
DEEPEST = 50
Value = str | int | list[str]

_LONG = frozenset((b"OB", b"OD", b"OF", b"OL", b"OV", b"OW", b"SQ", b"SV", b"UC", b"UN"))
_LONGER = _LONG | frozenset((b"UR", b"UT", b"UV"))
_ITEM, _ITEM_END, _SEQUENCE_END, _PIXELS = 0xFFFEE000, 0xFFFEE00D, 0xFFFEE0DD, 0x7FE00010
_UNDEFINED = 0xFFFFFFFF


@dataclass(frozen=True, eq=False)
class Brief:
    """Some attributes of a file by keyword, as text (several values: a list) or whole number.

    ``pixels`` is where native pixel data begins and how many bytes it has, None without any.
    """

    values: Mapping[str, Value]
    pixels: tuple[int, int] | None

    def get(self, keyword: str, default: object = None) -> object:
        """The value of ``keyword``, as a `Dataset` would give it."""
        return self.values.get(keyword, default)


class _NotPlain(Exception):
    """The file is not one that this module reads."""


def glance(path: Path, keywords: Iterable[str]) -> Brief | None:
    """The ``keywords`` of a file, None where pydicom has to look; raises `OSError`."""
    wanted = _tags(tuple(keywords))
    with path.open("rb") as file:
        data = file.read(PREFIX)
        whole = len(data) < PREFIX
        while True:
            try:
                return _walk(data, wanted)
            except (struct.error, IndexError):
                if whole:
                    return None
                data, whole = data + file.read(), True  # the header goes on past the prefix
            except _NotPlain:
                return None


@cache
def _tags(keywords: tuple[str, ...]) -> Mapping[int, tuple[str, str]]:
    named = {tag_for_keyword(k): (k, dictionary_VR(k)) for k in keywords}
    return MappingProxyType({int(tag): found for tag, found in named.items() if tag is not None})


def _walk(data: bytes, wanted: Mapping[int, tuple[str, str]]) -> Brief:
    """The wanted elements at the top level; items are walked through, never entered by call."""
    at, implicit = _start(data)
    values: dict[str, Value] = {}
    depth = 0
    while at != len(data) or len(data) == PREFIX:
        tag, length, at = _element(data, at, implicit)
        if tag in (_ITEM_END, _SEQUENCE_END):
            depth -= 1
        elif tag == _PIXELS and depth == 0:
            return Brief(values, (at, length))
        elif length == _UNDEFINED:
            depth += 1
            if depth > DEEPEST:
                raise _NotPlain
        else:
            if depth == 0 and tag in wanted:
                values[wanted[tag][0]] = _value(data[at : at + length], wanted[tag][1])
            at += length
    return Brief(values, None)


def _start(data: bytes) -> tuple[int, bool]:
    """Where the data set begins, and whether its VRs are implicit."""
    if data[128:132] != b"DICM":
        raise _NotPlain
    at, syntax = 132, ""
    while data[at : at + 2] == b"\x02\x00":
        tag, length, start = _element(data, at, False)
        if tag == 0x00020010:
            syntax = data[start : start + length].decode("ascii", "replace").strip("\0 ")
        at = start + length
    if syntax not in (IMPLICIT, EXPLICIT):
        raise _NotPlain
    return at, syntax == IMPLICIT


def _element(data: bytes, at: int, implicit: bool) -> tuple[int, int, int]:
    """The tag, the length and the value's place of the element at ``at``."""
    group, element, length = struct.unpack_from("<HHI", data, at)
    if implicit or group == 0xFFFE:
        return group << 16 | element, length, at + 8
    vr = data[at + 4 : at + 6]
    if vr in _LONGER:
        (length,) = struct.unpack_from("<I", data, at + 8)
        if vr == b"UN" and length == _UNDEFINED:  # implicit inside
            raise _NotPlain
        return group << 16 | element, length, at + 12
    if not vr.isalpha() or not vr.isupper():
        raise _NotPlain
    return group << 16 | element, length >> 16, at + 8


def _value(raw: bytes, vr: str) -> Value:
    if vr == "US":
        return int.from_bytes(raw[:2], "little")
    text = raw.decode("latin-1").strip("\0 ")
    return [part.strip() for part in text.split("\\")] if "\\" in text else text
