"""Lesions as lists of voxels: the form in which every cut, measure and review works."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import IO, Any

import numpy as np
import numpy.typing as npt

from tmtv_engine.errors import CaseError, GeometryError
from tmtv_engine.files import AGAIN
from tmtv_engine.image.arrays import load_arrays
from tmtv_engine.image.volume import Array, Grid, Unit, Volume


@dataclass(frozen=True, eq=False)
class Lesions:
    """n lesions on a grid, their N voxels one after the other.

    ``ids`` and ``components`` (n,); ``starts`` (n + 1,) so that lesion k owns
    ``starts[k]:starts[k + 1]``; ``voxels`` (N,) flat raster indices, rising within a lesion;
    ``suv`` (N,) SUVbw; ``peak`` (N,) mean SUV of the 1 mL sphere centred on that voxel.
    No voxel belongs to two lesions and no lesion is empty.
    """

    grid: Grid
    ids: npt.NDArray[np.int64]
    components: npt.NDArray[np.int64]
    starts: npt.NDArray[np.int64]
    voxels: npt.NDArray[np.int64]
    suv: npt.NDArray[np.float32]
    peak: npt.NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def counts(self) -> npt.NDArray[np.int64]:
        """Voxels of each lesion, (n,)."""
        return np.diff(self.starts)

    @property
    def owner(self) -> npt.NDArray[np.int64]:
        """Row (0 … n - 1) of the lesion that each voxel belongs to, (N,)."""
        return np.repeat(np.arange(len(self)), self.counts)

    def row(self, lesion_id: int) -> int:
        """The row of a lesion; raises `KeyError` where there is none."""
        return self._rows[lesion_id]

    @cached_property
    def _rows(self) -> dict[int, int]:
        return {number: row for row, number in enumerate(self.ids.tolist())}

    def span(self, row: int) -> slice:
        """The slice of ``voxels``, ``suv`` and ``peak`` that a row owns."""
        return slice(int(self.starts[row]), int(self.starts[row + 1]))

    def index(self, row: int | None = None) -> npt.NDArray[np.int64]:
        """Voxel indices (z, y, x) of one row, or of all: (·, 3)."""
        flat = self.voxels if row is None else self.voxels[self.span(row)]
        return np.stack(np.unravel_index(flat, self.grid.shape), axis=-1).astype(np.int64)

    def total(self, values: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """Of each lesion the sum of its voxels' ``values`` (…, voxels)."""
        if not len(self):
            return np.zeros((*values.shape[:-1], 0))
        return np.asarray(np.add.reduceat(values, self.starts[:-1], axis=-1))

    def highest(self, values: npt.NDArray[np.float32]) -> npt.NDArray[np.float64]:
        """Of each lesion the highest of its voxels' ``values``."""
        if not len(self):
            return np.zeros(0)
        return np.maximum.reduceat(values, self.starts[:-1]).astype(np.float64)

    def regrouped(
        self, places: Sequence[npt.NDArray[np.int64]], ids: npt.ArrayLike, components: npt.ArrayLike
    ) -> Lesions:
        """Lesions made of the positions ``places`` (n arrays) in these lists."""
        order = np.concatenate([np.zeros(0, np.int64), *places])
        return Lesions(
            self.grid,
            np.array(ids, np.int64),
            np.array(components, np.int64),
            np.cumsum([0, *map(len, places)], dtype=np.int64),
            self.voxels[order],
            self.suv[order],
            self.peak[order],
        )

    def take(self, rows: npt.ArrayLike) -> Lesions:
        """The lesions of ``rows`` only, ids unchanged."""
        chosen = np.asarray(rows, dtype=np.int64)
        places = [np.arange(self.starts[r], self.starts[r + 1]) for r in chosen]
        return self.regrouped(places, self.ids[chosen], self.components[chosen])

    def parted(self, row: int, parts: Sequence[npt.NDArray[np.int64]], first: int) -> Lesions:
        """``row`` gives way to its ``parts`` (flat indices), at the end.

        They are numbered from ``first`` and keep their lesion's component.
        """
        span = self.span(row)
        order = np.argsort(self.voxels[span])
        own = self.voxels[span][order]
        places = [order[np.searchsorted(own, part)] + span.start for part in parts]
        numbers = np.arange(first, first + len(parts))
        pieces = self.regrouped(places, numbers, np.full(len(parts), self.components[row]))
        return self.take(np.delete(np.arange(len(self)), row)).joined(pieces)

    def joined(self, other: Lesions) -> Lesions:
        """These lesions and then the ``other``'s, on one grid; raises `ValueError` where a number
        stands for two."""
        if np.intersect1d(self.ids, other.ids).size:
            raise ValueError("a number stands for two lesions")
        ends = other.starts[1:] + self.starts[-1]
        rows = {"starts": np.concatenate([self.starts, ends])}
        for name in ("ids", "components", "voxels", "suv", "peak"):
            rows[name] = np.concatenate([getattr(self, name), getattr(other, name)])
        return Lesions(self.grid, **rows)

    def without(self, voxels: npt.NDArray[np.int64]) -> Lesions:
        """These lesions less some flat indices; those of which nothing is left are gone."""
        keep = ~np.isin(self.voxels, voxels)
        if keep.all():
            return self
        counts = np.bincount(self.owner[keep], minlength=len(self))
        there = counts > 0
        return Lesions(
            self.grid,
            self.ids[there],
            self.components[there],
            np.concatenate([[0], np.cumsum(counts[there])]).astype(np.int64),
            self.voxels[keep],
            self.suv[keep],
            self.peak[keep],
        )

    def renumbered(self, ids: npt.ArrayLike, components: npt.ArrayLike | None = None) -> Lesions:
        """The same lesions under other numbers (n,), and, where given, other components."""
        new = np.asarray(ids, np.int64)
        of = self.components if components is None else np.asarray(components, np.int64)
        return replace(self, ids=new, components=of)

    def save(self, to: Path | IO[bytes]) -> None:
        """Write a compressed `npz` that `load` reads; the same lesions give the same bytes."""
        rows = {name: getattr(self, name) for name in _ROWS}
        shape = np.array(self.grid.shape, np.int64)
        name = np.array(self.grid.frame_uid)
        np.savez_compressed(to, **rows, affine=self.grid.affine, shape=shape, frame_uid=name)

    @classmethod
    def load(cls, path: Path, grid: Grid | None = None) -> Lesions:
        """What `save` wrote, on its own grid or, where the file names none, on ``grid``.

        Raises `CaseError` for a file that is none, or whose lists do not fit together.
        """
        arrays = load_arrays(path)
        try:
            if "shape" in arrays:
                z, y, x = (int(n) for n in arrays["shape"])
                grid = Grid((z, y, x), arrays["affine"], str(arrays["frame_uid"]))
            found = cls(grid, *(arrays[name] for name in _ROWS))  # type: ignore[arg-type]
            _check(found)
        except (KeyError, TypeError, ValueError, GeometryError) as error:
            raise CaseError(f"{path}: holds no lesions: {error}", AGAIN) from error
        return found

    def labels(self) -> Volume:
        """The label map (z, y, x): uint16, the value is the lesion's id, 0 is background."""
        kind = np.uint16 if not len(self) or int(self.ids.max()) < 65536 else np.uint32
        flat = np.zeros(int(np.prod(self.grid.shape)), kind)
        flat[self.voxels] = np.repeat(self.ids, self.counts)
        return Volume(flat.reshape(self.grid.shape), self.grid, Unit.LABEL)


def altered(before: Lesions, after: Lesions) -> set[int]:
    """The numbers that only one of two lists on a grid has, or that hold other voxels in each."""
    if before is after:
        return set()
    found = set(before.ids.tolist()) ^ set(after.ids.tolist())
    for row, number in enumerate(after.ids.tolist()):
        if number not in found:
            old, new = before.span(before.row(number)), after.span(row)
            if before.voxels[old].tobytes() != after.voxels[new].tobytes():
                found.add(number)
    return found


_ROWS = ("ids", "components", "starts", "voxels", "suv", "peak")


def _check(found: Lesions) -> None:
    """Raise `ValueError` where lists from a file are no lesions on their grid."""
    n, size = len(found.ids), len(found.voxels)
    if not (found.components.shape == (n,) and found.starts.shape == (n + 1,)):
        raise ValueError("as many numbers, components and ranges are needed")
    if any(getattr(found, name).dtype.kind != "i" for name in _ROWS[:4]):
        raise ValueError("numbers and positions are whole")
    if found.suv.shape != (size,) or found.peak.shape != (size,):
        raise ValueError("as many values as voxels are needed")
    if found.starts[0] != 0 or found.starts[-1] != size or (found.counts < 1).any():
        raise ValueError("the ranges do not cover the voxels")
    if size and not 0 <= found.voxels.min() <= found.voxels.max() < np.prod(found.grid.shape):
        raise ValueError("a voxel lies outside the image")
    if len(np.unique(found.ids)) < n or len(np.unique(found.voxels)) < size:
        raise ValueError("a number or a voxel stands twice")


SPHERE_RADIUS_MM = 6.2035049  # a sphere of 1 mL
CHUNK = 1 << 14  # voxels whose surroundings stay in the processor's cache


def from_labels(labels: Volume, suv: Volume, components: npt.ArrayLike | None = None) -> Lesions:
    """The lesions of a label map on the PET's grid, ids in rising order.

    ``components`` (n,) gives each lesion's component, by default its id.
    """
    flat = labels.require(Unit.LABEL).reshape(-1)
    voxels = np.flatnonzero(flat)
    return from_voxels(suv, voxels, flat[voxels], components)


def from_voxels(
    suv: Volume,
    voxels: npt.NDArray[np.int64],
    values: Array,
    components: npt.ArrayLike | None = None,
) -> Lesions:
    """`from_labels` of a label map given by its ``voxels`` (N,) (flat, rising) and ``values``."""
    image = suv.require(Unit.SUV)
    ids, first, order = _grouped(values)
    voxels = voxels[order]
    return Lesions(
        suv.grid,
        ids,
        ids.copy() if components is None else np.asarray(components, dtype=np.int64),
        np.append(first, len(voxels)).astype(np.int64),
        voxels,
        image.reshape(-1)[voxels].astype(np.float32),
        sphere_means(suv, voxels),
    )


def _grouped(
    values: Array,
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """The values there are, rising; where each begins once sorted; the stable order of that."""
    small = values.min(initial=0) >= 0 and values.max(initial=0) < 65536
    narrow = values.astype(np.uint16) if small else values
    order = np.argsort(narrow, kind="stable")  # a radix sort in 16 bits
    ordered = values[order]
    first = np.flatnonzero(np.diff(ordered, prepend=0)) if len(values) else np.zeros(0, np.int64)
    return ordered[first].astype(np.int64), first, order


def sphere_means(suv: Volume, voxels: npt.NDArray[np.int64]) -> npt.NDArray[np.float32]:
    """Mean SUV of the 1 mL sphere centred on each of ``voxels`` (flat indices), (N,).

    The sphere holds the voxels whose centres lie within 6.2 mm; at the image's border the mean
    is over those that exist (IBSI, local and global intensity peak).
    """
    image = suv.require(Unit.SUV)
    flat, shape = image.reshape(-1), image.shape
    offsets = _sphere_offsets(suv.grid.spacing_mm)
    margin = np.abs(offsets).max(axis=0)
    index = np.stack(np.unravel_index(voxels, shape), axis=-1)
    inner = np.all((index >= margin) & (index < np.array(shape) - margin), axis=1)
    means = np.empty(len(voxels), dtype=np.float64)
    steps = offsets @ np.array([shape[1] * shape[2], shape[2], 1])
    centres = voxels[inner]
    total = np.zeros(len(centres))
    for start in range(0, len(centres), CHUNK):
        part = slice(start, start + CHUNK)
        for step in steps:
            total[part] += flat[centres[part] + step]
    means[inner] = total / len(steps)
    means[~inner] = _border_means(image, index[~inner], offsets)
    return means.astype(np.float32)


def _sphere_offsets(spacing_mm: tuple[float, float, float]) -> npt.NDArray[np.int64]:
    reach = [int(SPHERE_RADIUS_MM // step) for step in spacing_mm]
    axes = np.meshgrid(*[np.arange(-n, n + 1) for n in reach], indexing="ij")
    offsets = np.stack(axes, axis=-1).reshape(-1, 3)
    distance = np.linalg.norm(offsets * np.array(spacing_mm), axis=1)
    return np.asarray(offsets[distance <= SPHERE_RADIUS_MM + 1e-9], dtype=np.int64)


def _border_means(
    image: Array, index: npt.NDArray[np.int64], offsets: npt.NDArray[np.int64]
) -> npt.NDArray[np.float64]:
    total, count = np.zeros(len(index)), np.zeros(len(index))
    for offset in offsets:
        at = index + offset
        there = np.all((at >= 0) & (at < np.array(image.shape)), axis=1)
        total[there] += image[tuple(at[there].T)]
        count += there
    return total / np.maximum(count, 1)
