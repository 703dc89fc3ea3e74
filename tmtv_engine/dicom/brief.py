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
MOST = 1 << 26  # bytes of a header; what is longer is left to pydicom, which seeks past values
DEEPEST = 50
Value = str | int | list[str]

_LONG = frozenset((b"OB", b"OD", b"OF", b"OL", b"OV", b"OW", b"SQ", b"SV", b"UC", b"UN"))
_LONGER = _LONG | frozenset((b"UR", b"UT", b"UV"))
_FIRST = frozenset((b"UL", b"UI", b"CS", b"DA", b"TM", b"OB", b"LO"))  # VRs of a first element
_ITEM, _ITEM_END, _SEQUENCE_END, _PIXELS = 0xFFFEE000, 0xFFFEE00D, 0xFFFEE0DD, 0x7FE00010
_UNDEFINED = 0xFFFFFFFF


@dataclass(frozen=True, eq=False)
class Brief:
    """Some attributes of a file by keyword, as text (several values: a list) or whole number.

    ``pixels`` is where native pixel data begins and how many bytes it has, None without any.
    ``raw`` holds the sequences asked for as they are encoded: to compare, not to read.
    """

    values: Mapping[str, Value]
    pixels: tuple[int, int] | None
    raw: Mapping[str, bytes]

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
        try:
            return _walk(data, wanted, whole=len(data) < PREFIX)
        except _NotPlain:
            return None
        except (struct.error, IndexError):
            if len(data) < PREFIX:
                return None
        data += file.read(MOST)  # the header goes on past the prefix
    try:
        return _walk(data, wanted, whole=len(data) < PREFIX + MOST)
    except (_NotPlain, struct.error, IndexError):
        return None


@cache
def _tags(keywords: tuple[str, ...]) -> Mapping[int, tuple[str, str]]:
    named = {tag_for_keyword(k): (k, dictionary_VR(k)) for k in keywords}
    return MappingProxyType({int(tag): found for tag, found in named.items() if tag is not None})


def _walk(data: bytes, wanted: Mapping[int, tuple[str, str]], whole: bool) -> Brief:
    """The wanted elements at the top level; items are walked through, never entered by call."""
    at, implicit = _start(data)
    values: dict[str, Value] = {}
    raw: dict[str, bytes] = {}
    depth, opened, begun = 0, "", 0
    while at != len(data) or not whole:
        tag, length, at = _element(data, at, implicit)
        if tag in (_ITEM_END, _SEQUENCE_END):
            depth -= 1
            if depth == 0 and opened:
                raw[opened], opened = data[begun:at], ""
        elif tag == _PIXELS and depth == 0:
            return Brief(values, (at, length), raw)
        elif length == _UNDEFINED:
            if depth == 0 and tag in wanted:
                opened, begun = wanted[tag][0], at
            depth += 1
            if depth > DEEPEST:
                raise _NotPlain
        else:
            if depth == 0 and tag in wanted:
                keyword, vr = wanted[tag]
                if vr == "SQ":
                    raw[keyword] = data[at : at + length]
                else:
                    values[keyword] = _value(data[at : at + length], vr)
            at += length
    return Brief(values, None, raw)


def is_bare(data: bytes) -> bool:
    """Whether bytes look like a little-endian data set without preamble and prefix.

    Such a file begins with its first element: of group 2 (the meta header) or of group 8.
    """
    if len(data) < 16 or data[128:132] == b"DICM":
        return False
    group, element, length = struct.unpack_from("<HHI", data, 0)
    if group not in (0x0002, 0x0008) or element > 0x0100:
        return False
    return data[4:6] in _FIRST or (group == 0x0008 and length < 1024)


def _start(data: bytes) -> tuple[int, bool]:
    """Where the data set begins, and whether its VRs are implicit."""
    if is_bare(data):
        at, syntax = 0, EXPLICIT if data[4:6] in _FIRST else IMPLICIT
    elif data[128:132] == b"DICM":
        at, syntax = 132, ""
    else:
        raise _NotPlain
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
