"""What a reader does to lesions: flood from a point, take voxels out, make one of several.

Positions are LPS mm (x, y, z), voxels flat raster indices of the PET's whole grid.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from tmtv_engine.errors import UsageError
from tmtv_engine.image.volume import Grid, Unit, Volume
from tmtv_engine.lesion.lists import SPHERE_RADIUS_MM, Lesions, from_voxels

IntArray = npt.NDArray[np.int64]
BoolRow = npt.NDArray[np.bool_]
Point = tuple[float, float, float]
Sphere = tuple[float, float, float, float]
WITHIN_MM = 60.0
PEAK_MM = 10.0
NOISE_MM = 1e-6  # exactly 10 mm is 10 mm, whatever the header rounds


@dataclass(frozen=True, eq=False)
class Window:
    """A box cut out of a PET: its ``volume`` in SUV, and the index ``low`` (z, y, x) that its
    first voxel has on the whole ``grid``."""

    volume: Volume
    grid: Grid
    low: IntArray

    def inside(self, index: npt.ArrayLike) -> tuple[int, ...]:
        """The place in the box of an index (3,) of the whole grid."""
        return tuple(int(n) for n in np.asarray(index, np.int64) - self.low)


def nearest(grid: Grid, point_mm: Point) -> IntArray:
    """The index (z, y, x) of the voxel whose centre is nearest to a point, between two the first.

    Raises `UsageError` where the point lies outside the image.
    """
    index = np.ceil(grid.to_index(point_mm) - 0.5 - NOISE_MM)
    if not ((index >= 0) & (index < np.array(grid.shape))).all():
        low, high = grid.to_mm([[0, 0, 0], [n - 1 for n in grid.shape]])
        spans = (f"{min(a, b):g} … {max(a, b):g}" for a, b in zip(low, high, strict=True))
        told = ",".join(f"{v:g}" for v in point_mm)
        raise UsageError(
            f"the point {told} lies outside the PET", f"x, y, z in LPS mm: {', '.join(spans)}."
        )
    return index.astype(np.int64)


def box_around(grid: Grid, index: IntArray, reach_mm: float) -> tuple[IntArray, IntArray]:
    """First index and the one behind the last (z, y, x) of all that lies within ``reach_mm`` of a
    voxel, with room for the 1 mL spheres of SUVpeak."""
    pad = np.ceil((reach_mm + SPHERE_RADIUS_MM) / np.array(grid.spacing_mm)).astype(np.int64) + 1
    return np.maximum(index - pad, 0), np.minimum(index + pad + 1, np.array(grid.shape))


def highest_near(window: Window, point_mm: Point) -> float:
    """The highest SUV of the voxels whose centres lie within 10 mm of a point, or of its own."""
    image = window.volume.require(Unit.SUV)
    near = _distance_mm(window.volume.grid, point_mm) <= PEAK_MM + NOISE_MM
    near[window.inside(nearest(window.grid, point_mm))] = True
    return float(image[near].max())


def flood(window: Window, point_mm: Point, threshold: float, reach_mm: float) -> Lesions:
    """What hangs together around a point, as one lesion of number 1 on the whole grid.

    Taken are voxels with SUV strictly above ``threshold`` whose centres lie at most ``reach_mm``
    from that of the voxel nearest to the point and that 26-connect to it by such voxels. Raises
    `UsageError`, telling the SUV, where that voxel is not above the threshold itself.
    """
    image = window.volume.require(Unit.SUV)
    at = window.inside(nearest(window.grid, point_mm))
    if not image[at] > np.float64(threshold):
        raise UsageError(
            f"SUV {image[at]:.2f} at that point is not above {threshold:g}",
            "Take another point, a lower threshold, or a share such as 41%.",
        )
    return piece(window, image > np.float64(threshold), point_mm, reach_mm)


def piece(window: Window, mask: npt.NDArray[np.bool_], point_mm: Point, reach_mm: float) -> Lesions:
    """What of a ``mask`` (z, y, x) of the window hangs together around a point that is in it.

    One lesion of number 1 on the whole grid: voxels whose centres lie at most ``reach_mm`` from
    that of the voxel nearest to the point and that 26-connect to it by such voxels.
    """
    index = nearest(window.grid, point_mm)
    centre = tuple(float(v) for v in window.grid.to_mm(index))
    near = _distance_mm(window.volume.grid, centre) <= reach_mm + NOISE_MM  # type: ignore[arg-type]
    voxels = np.flatnonzero(_piece(near & mask, window.inside(index)))
    found = from_voxels(window.volume, voxels, np.ones(len(voxels), np.uint8))
    places = np.stack(np.unravel_index(voxels, mask.shape), axis=-1) + window.low
    flat = np.ravel_multi_index(tuple(places.T), window.grid.shape).astype(np.int64)
    one = np.ones(1, np.int64)
    return Lesions(window.grid, one, one, found.starts, flat, found.suv, found.peak)


def around(region: Lesions, seed: IntArray, held: IntArray) -> Lesions:
    """Of a flooded ``region`` what its ``seed`` (z, y, x), which is free, still reaches without
    ``held`` voxels."""
    free = ~np.isin(region.voxels, held)
    if free.all():
        return region
    index = region.index()
    low = index.min(axis=0)
    mask = np.zeros(index.max(axis=0) - low + 1, bool)
    mask[tuple((index - low)[free].T)] = True
    piece = _piece(mask, tuple(int(n) for n in seed - low))
    reached = np.flatnonzero(piece[tuple((index - low).T)] & free)
    return region.regrouped([reached], region.ids, region.components)


def united(lesions: Lesions, numbers: Sequence[int]) -> Lesions:
    """The lesions ``numbers`` as one, which keeps the lowest of them and its place."""
    rows = sorted((lesions.row(n) for n in set(numbers)), key=lambda row: lesions.ids[row])
    rest = np.setdiff1d(np.arange(len(lesions)), rows[1:])
    places = [np.arange(lesions.starts[r], lesions.starts[r + 1]) for r in rest]
    own = np.concatenate([np.arange(lesions.starts[r], lesions.starts[r + 1]) for r in rows])
    places[int(np.searchsorted(rest, rows[0]))] = own[np.argsort(lesions.voxels[own])]
    return lesions.regrouped(places, lesions.ids[rest], lesions.components[rest])


def in_spheres(lesions: Lesions, row: int, spheres: Sequence[Sphere]) -> BoolRow:
    """Which voxels of a lesion have their centre in one of the spheres, surface included."""
    places = lesions.grid.to_mm(lesions.index(row))
    inside = np.zeros(len(places), bool)
    for *centre, radius in spheres:
        inside |= np.linalg.norm(places - np.array(centre), axis=1) <= radius + NOISE_MM
    return inside


def _distance_mm(grid: Grid, point_mm: Point) -> npt.NDArray[np.float64]:
    """The distance of each voxel's centre from a point, (z, y, x)."""
    squares = np.zeros(grid.shape)
    for axis in range(3):  # position by position: no array of all coordinates
        steps = [
            grid.affine[axis, k] * np.arange(n).reshape([-1 if k == j else 1 for j in range(3)])
            for k, n in enumerate(grid.shape)
        ]
        squares += (steps[0] + steps[1] + steps[2] + grid.affine[axis, 3] - point_mm[axis]) ** 2
    return np.asarray(np.sqrt(squares))


def _piece(mask: npt.NDArray[np.bool_], at: tuple[int, ...]) -> npt.NDArray[np.bool_]:
    """The 26-connected piece of a mask that holds a place in it."""
    import cc3d

    found = np.asarray(cc3d.connected_components(np.ascontiguousarray(mask)))
    return np.asarray(found.reshape(mask.shape) == found.reshape(mask.shape)[at])
