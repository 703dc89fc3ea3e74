"""The PET behind a case: from its `image.b2nd`, else read anew from where its files lie."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from tmtv_engine.case.folder import Case
from tmtv_engine.errors import CaseError, InputError
from tmtv_engine.image.volume import Grid, Unit, Volume
from tmtv_engine.lesion.edit import IntArray, Point, Window, box_around, nearest

if TYPE_CHECKING:
    from tmtv_engine.image.store import StoredImage


class Pet:
    """The PET of a case in SUV, box by box; nothing is read before a box is asked for."""

    def __init__(self, case: Case, grid: Grid) -> None:
        self._case, self.grid = case, grid

    def window(self, point_mm: Point, reach_mm: float) -> Window:
        """What lies within ``reach_mm`` of the voxel nearest to a point, and a margin.

        Raises `UsageError` for a point outside, `CaseError` where there is no PET to read.
        """
        return self.box(*box_around(self.grid, nearest(self.grid, point_mm), reach_mm))

    def box(self, low: IntArray, high: IntArray) -> Window:
        """The voxels from index ``low`` to before ``high`` (z, y, x)."""
        z, y, x = (slice(int(a), int(b)) for a, b in zip(low, high, strict=True))
        stored = self._stored
        array = self._whole.array[z, y, x] if stored is None else stored.part(z, y, x)
        affine = self.grid.affine.copy()
        affine[:3, 3] = self.grid.to_mm(low)
        part = Grid(array.shape, affine, self.grid.frame_uid)
        return Window(Volume(array, part, Unit.SUV), self.grid, low)

    def volume(self) -> Volume:
        """All of it."""
        stored = self._stored
        return self._whole if stored is None else Volume(stored.volume().array, self.grid, Unit.SUV)

    @cached_property
    def _stored(self) -> StoredImage | None:
        found = self._case.image()
        if found is not None and not (found.grid.matches(self.grid) and found.unit is Unit.SUV):
            raise CaseError(f"{found.path} is not on the lesions' grid", "It is another case's.")
        return found

    @cached_property
    def _whole(self) -> Volume:
        try:
            return source_suv(self._case, say=lambda text: warnings.warn(text, stacklevel=2))
        except CaseError as error:
            raise CaseError(
                f"{self._case.name} has no image.b2nd, and {error.what}",
                "Bring the images back to where source.json says, or predict without --no-image.",
            ) from error


def source_suv(
    case: Case, pet: Path | None = None, say: Callable[[str], None] = lambda text: None
) -> Volume:
    """The PET that a case was made from, in SUV, read anew from where it lies.

    ``say`` is told of a folder that only `source.json` names before anything in it is read.

    Raises `CaseError` where it is not there or is another.
    """
    from tmtv_engine.study.load import load_study
    from tmtv_engine.suv.factor import Overrides

    told = Overrides.of_record(dict(case.record.overrides))
    known = case.voxels()
    try:
        loaded = load_study(_source_study(case, pet, say), told)
    except InputError as error:
        raise CaseError(
            f"{case.name}: its PET cannot be read: {error.what}", "--pet says where it is now."
        ) from error
    suv = loaded.suv
    same = suv.grid.shape == known.grid.shape and suv.grid.matches(known.grid)
    if not same or not np.array_equal(suv.array.reshape(-1)[known.voxels], known.suv):
        raise CaseError(
            f"{case.name}: the PET there is not the one that it was made from",
            "--pet says where that is.",
        )
    return Volume(suv.array, known.grid, Unit.SUV)


def _source_study(case: Case, pet: Path | None, say: Callable[[str], None]) -> Any:
    from tmtv_engine.study.find import Study, find_studies

    uid = case.record.pet.series_uid
    if pet is not None:
        found = [s for s in find_studies(pet, pet_series=uid) if isinstance(s, Study)]
        if len(found) != 1:
            raise CaseError(f"{pet}: the PET of {case.name} is not there", "Name its folder.")
        return replace(found[0], ct=())
    source = case.source()
    told = source["pet"]
    if not told.get("folder") or not told.get("files"):
        raise CaseError(f"{case.name}: does not say where its PET lies", "--pet says it.")
    folder = Path(told["folder"])
    say(f"the PET is read from {folder}, which {case.name}/source.json names")
    files = tuple(folder / name for name in told["files"])
    missing = next((p for p in files if not p.is_file()), None)
    if missing is not None:
        raise CaseError(f"{missing}: the PET is no longer there", "--pet says where it is now.")
    return Study(case.name, source["kind"], tuple(dict.fromkeys(files)), (), folder)
