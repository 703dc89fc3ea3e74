"""Voxels that a decision brings in: ``review/added-<sha256>.npz``, which its line names."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Iterator
from contextlib import contextmanager

from tmtv_engine.case.folder import Case
from tmtv_engine.errors import CaseError
from tmtv_engine.files import open_own, own_folder, write_bytes
from tmtv_engine.lesion.lists import Lesions

ADDED_LIMIT = 2**30


def packed(lesions: Lesions) -> tuple[str, bytes]:
    """The SHA-256 of the file that holds lesions, and its bytes."""
    stream = io.BytesIO()
    lesions.save(stream)
    return hashlib.sha256(stream.getvalue()).hexdigest(), stream.getvalue()


def is_kept(case: Case, name: str) -> bool:
    """Whether the file of that hash is there."""
    return (case.path / "review" / f"added-{name}.npz").exists()


@contextmanager
def kept_added(case: Case, lesions: Lesions) -> Iterator[str]:
    """Keep the voxels that the block's decision names by their hash; not where it raises."""
    name, raw = packed(lesions)
    path = own_folder(case.path, "review") / f"added-{name}.npz"
    new = not path.exists()
    write_bytes(path, raw)
    try:
        yield name
    except BaseException:
        if new:
            path.unlink()
        raise


def read_added(case: Case, name: str) -> Lesions:
    """The lesions of the file of that hash; raises `CaseError` where it is not as it was."""
    path = case.path / "review" / f"added-{name}.npz"
    try:
        with open_own(path) as stream:
            raw = stream.read(ADDED_LIMIT)
    except OSError as error:
        raise CaseError(f"{path} is missing", "An added lesion's voxels are lost.") from error
    if hashlib.sha256(raw).hexdigest() != name:
        raise CaseError(f"{path} was changed", "An added lesion's voxels are not as they were.")
    grid = case.voxels().grid
    found = Lesions.load(path, grid)
    if found.grid.shape != grid.shape or not found.grid.matches(grid):
        raise CaseError(f"{path} is on another grid", "It is another case's.")
    return found
