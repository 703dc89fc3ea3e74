"""Whole headers by pydicom, from files that may be broken in any way."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pydicom
from pydicom import config
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence as Items

from tmtv_engine.dicom.brief import EXPLICIT, IMPLICIT, is_bare
from tmtv_engine.errors import InputError

_LENIENT_LOCK = threading.Lock()
_lenient: list[int | None] = []  # what the setting was before, once for each who is inside


@contextmanager
def lenient() -> Iterator[None]:
    """No validation of values by pydicom inside the block, and the setting as it was after it.

    Scanners write values that their VR forbids; what matters is checked where it is used, by
    name. pydicom has one setting a process: it comes back when the last of several threads
    leaves.
    """
    with _LENIENT_LOCK:
        _lenient.append(config.settings._reading_validation_mode)
        config.settings.reading_validation_mode = config.IGNORE
    try:
        yield
    finally:
        with _LENIENT_LOCK:
            before = _lenient[0]
            _lenient.pop()
            if not _lenient:
                config.settings._reading_validation_mode = before


def read_header(path: Path, keywords: Sequence[str] | None = None) -> Dataset:
    """The header of a DICOM file without its pixels, of ``keywords`` only if they are given.

    Every element is decoded; one that cannot be is left out, so that it counts as missing.
    Raises `InputError` for a file that is no DICOM at all.
    """
    try:
        wanted = None if keywords is None else list(keywords)
        force = begins_bare(path)
        with lenient():
            dataset = pydicom.dcmread(
                path, stop_before_pixels=True, specific_tags=wanted, force=force
            )
            _settle(dataset)
    except RecursionError as error:
        raise InputError(f"{path}: its sequences are nested too deep", "Export it anew.") from error
    except Exception as error:  # what a broken file makes pydicom raise is not to be foreseen
        raise InputError(f"{path}: cannot be read as DICOM", "Copy the series again.") from error
    return dataset


def begins_bare(path: Path) -> bool:
    """Whether a file looks like DICOM without its preamble; raises `OSError`."""
    with path.open("rb") as file:
        return is_bare(file.read(132))


def read_whole(path: Path) -> Dataset:
    """A DICOM file with its pixels, with or without its preamble; raises what pydicom does."""
    bare = begins_bare(path)
    dataset = pydicom.dcmread(path, force=bare)
    if bare and "TransferSyntaxUID" not in dataset.file_meta:
        implicit, _ = dataset.original_encoding
        dataset.file_meta.TransferSyntaxUID = IMPLICIT if implicit else EXPLICIT
    return dataset


def _settle(dataset: Dataset) -> None:
    for tag in list(dataset.keys()):
        try:
            value = dataset[tag].value
        except RecursionError:
            raise
        except Exception:  # an unknown VR, a number that is none, a length that does not divide
            del dataset[tag]
            continue
        if isinstance(value, Items):
            for item in value:
                _settle(item)
