"""Parts of a dataset encoded ahead of writing, so that what repeats is encoded once.

A SEG names the same source slice in many frames, an RTSTRUCT holds 100,000 decimals: pydicom
validates, converts and looks through each again at every depth. What stands encoded in a dataset
(explicit little endian) it writes as it is, and parses when somebody asks.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from pydicom.datadict import tag_for_keyword
from pydicom.dataelem import DataElement, RawDataElement
from pydicom.dataset import Dataset
from pydicom.filebase import DicomBytesIO
from pydicom.filewriter import correct_ambiguous_vr, write_sequence
from pydicom.tag import Tag

PLAIN = ["iso8859"]


def encoded_sequence(element: DataElement) -> RawDataElement:
    """A sequence with nothing but ASCII in it, encoded."""
    buffer = DicomBytesIO()
    buffer.is_little_endian, buffer.is_implicit_VR = True, False
    write_sequence(buffer, element, PLAIN)
    return _raw(int(element.tag), "SQ", buffer.getvalue())


def encoded_decimals(keyword: str, values: Iterable[str]) -> RawDataElement:
    """A DS of many values, encoded; each of at most 16 characters (`ValueError`)."""
    words = list(values)
    longest = max((len(word) for word in words), default=0)
    if longest > 16:
        raise ValueError(f"{keyword}: a decimal of {longest} characters, a DS has at most 16")
    text = "\\".join(words).encode("ascii")
    return _raw(int(tag_for_keyword(keyword) or 0), "DS", text + b" " * (len(text) % 2))


def ready(dataset: Dataset) -> None:
    """Mark a dataset and its items as encoded the way they will be written."""
    correct_ambiguous_vr(dataset, True)
    for item in items_of(dataset):
        item.set_original_encoding(False, True, item._character_set)


def items_of(dataset: Dataset) -> Sequence[Dataset]:
    """A dataset and every item below it that is not encoded yet."""
    found = [dataset]
    for item in found:  # which grows on the way
        for element in item.values():
            if element.VR == "SQ" and not element.is_raw:
                found.extend(element.value)
    return found


def _raw(tag: int, vr: str, value: bytes) -> RawDataElement:
    return RawDataElement(Tag(tag), vr, len(value), value, 0, False, True)
