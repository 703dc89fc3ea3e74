"""Which prediction a reading is of: the hash that binds each line of a journal to its case."""

from __future__ import annotations

import gzip
import hashlib
import math
import zlib
from functools import lru_cache
from pathlib import Path

import numpy as np

from tmtv_engine.errors import CaseError
from tmtv_engine.files import Record, canonical, open_own

LABELS = "lesions.nii.gz"
_VOXELS_LIMIT = 2**31
_BLOCK = 1 << 20


def binding_sha256(folder: Path, record: Record) -> str:
    """SHA-256 over case name, study and series UID, SUV factor and the label map's voxels.

    That is canonical JSON of those four under the keys ``case``, ``study``, ``series`` and
    ``suv_factor``, with the SHA-256 of the decompressed voxels (`labels_sha256`) under
    ``labels``. Methods are not in it, so that a recut keeps every reading. Raises `CaseError`
    where the label map cannot be read.
    """
    try:
        told = {
            "case": record["case"],
            "study": record["study"]["uid"],
            "series": record["pet"]["series_uid"],
            "suv_factor": record["pet"]["suv_factor"],
            "labels": labels_sha256(folder, record["pet"]["shape"]),
        }
        return hashlib.sha256(canonical(told)).hexdigest()
    except (KeyError, TypeError, ValueError, RecursionError) as error:
        raise CaseError(f"{folder / 'case.json'} names no prediction: {error}") from error


def labels_sha256(folder: Path, shape: list[int]) -> str:
    """SHA-256 over the decompressed voxels of a case's label map of ``shape`` (z, y, x).

    Raises `CaseError` where it cannot be read, is a link, or holds more than such a map does.
    """
    path = folder / LABELS
    try:
        size = math.prod(int(n) for n in shape)
        if not 0 < size <= _VOXELS_LIMIT:
            raise ValueError(f"{size} voxels are none that a PET has")
        stat = path.lstat()
        return _voxels_sha256(path, stat.st_mtime_ns, stat.st_size, stat.st_ino, size * 8)
    except (OSError, EOFError, ValueError, OverflowError, IndexError, zlib.error) as error:
        raise CaseError(f"{path} cannot be read: {error}", "Predict the study again.") from error


@lru_cache(maxsize=256)
def _voxels_sha256(path: Path, mtime_ns: int, size: int, inode: int, limit: int) -> str:
    """Of a file of that identity; ``limit``: the most bytes that its voxels can take."""
    found, left = hashlib.sha256(), limit
    with open_own(path) as raw, gzip.open(raw) as stream:
        header = stream.read(352)
        kind = "<f4" if header[:4] == b"\x5c\x01\x00\x00" else ">f4"
        offset = float(np.frombuffer(header[108:112], kind)[0])
        if not len(header) <= offset <= _BLOCK:
            raise ValueError("its header does not tell where the voxels begin")
        stream.read(int(offset) - len(header))
        while block := stream.read(_BLOCK):
            left -= len(block)
            if left < 0:
                raise ValueError("it holds more voxels than the PET has")
            found.update(block)
    return found.hexdigest()
