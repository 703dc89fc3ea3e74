"""From uptake or probability to lesions: the seam for models, the hot spots, the two rules."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from tmtv_engine.image.volume import Array, Mask, Unit, Volume
from tmtv_engine.lesion.find import Box, box_of, components
from tmtv_engine.lesion.lists import Lesions, from_voxels

CORE_SUV = 4.0
CORE_ML = 3.0
CANDIDATE_ML = 0.5
FLOOR_SUV = 2.5
GROW_MM = 10.0


def hotspots(suv: Volume, *, core_ml: float = CORE_ML, lesions: Lesions | None = None) -> Lesions:
    """Hot spots: cores of SUV ≥ 4.0, each grown to SUV > 2.5 within 10 mm.

    The preselection of the international TMTV benchmark (Boellaard, J Nucl Med 2024). With
    ``lesions`` only what they leave out: cores that touch none, and the rest of cores whose
    maximum lies outside them; numbered after them.
    """
    image = suv.require(Unit.SUV)
    hot = image >= CORE_SUV
    voxels, numbers = np.zeros(0, np.int64), np.zeros(0, np.uint32)
    if hot.any():  # only what lies near a core is looked at: a body is mostly cool
        box = box_of(hot, _reach(suv.grid.spacing_mm))
        near, taken = np.ascontiguousarray(image[box]), _held(lesions, box, image.shape)
        cores = components(hot[box])
        del hot
        if lesions is not None and len(lesions):
            cores = _left_out(cores, near, taken)
        cores = _large(cores, core_ml / suv.grid.voxel_ml)
        grown = _grow(near, cores, taken, suv.grid.spacing_mm)
        index = np.nonzero(grown)
        at = tuple(along + side.start for along, side in zip(index, box, strict=True))
        voxels, numbers = np.ravel_multi_index(at, image.shape), grown[index]
    spots = from_voxels(suv, voxels, numbers)
    first = 0 if lesions is None or not len(lesions) else int(lesions.ids.max())
    behind = 0 if lesions is None or not len(lesions) else int(lesions.components.max())
    number = np.arange(1, len(spots) + 1)
    return spots.renumbered(first + number, behind + number)


def _held(lesions: Lesions | None, box: Box, shape: tuple[int, ...]) -> Mask:
    """Which voxels of a box of an image of ``shape`` lesions hold."""
    sides = [side.indices(n) for side, n in zip(box, shape, strict=True)]
    low, high = np.array([side[:2] for side in sides]).T
    held = np.zeros(high - low, bool)
    if lesions is not None:
        index = lesions.index()
        held[tuple(index[np.all((index >= low) & (index < high), axis=1)].T - low[:, None])] = True
    return held


def _reach(spacing_mm: Sequence[float]) -> list[int]:
    """How many voxels (z, y, x) lie within 10 mm."""
    return [int(GROW_MM // step) for step in spacing_mm]


def _large(cores: npt.NDArray[np.uint32], voxels: float) -> npt.NDArray[np.uint32]:
    """Cores of at least so many voxels, numbered anew."""
    flat = cores.reshape(-1)
    where = np.flatnonzero(flat)
    large = np.bincount(flat[where], minlength=1) >= voxels
    large[0] = False
    kept = np.zeros_like(cores)
    kept.reshape(-1)[where] = (np.cumsum(large) * large)[flat[where]]
    return kept


def _left_out(cores: npt.NDArray[np.uint32], image: Array, taken: Mask) -> npt.NDArray[np.uint32]:
    """Cores without those whose maximum a lesion holds, and without the voxels lesions hold."""
    flat = cores.reshape(-1)
    where = np.flatnonzero(flat)
    order = where[np.lexsort((where, -image.reshape(-1)[where], flat[where]))]
    _, first = np.unique(flat[order], return_index=True)
    held = np.zeros(int(flat.max(initial=0)) + 1, bool)
    maxima = order[first]
    held[flat[maxima]] = taken.reshape(-1)[maxima]
    return components((cores > 0) & ~held[cores] & ~taken)


def _grow(
    image: Array,
    cores: npt.NDArray[np.uint32],
    taken: Mask,
    spacing_mm: tuple[float, float, float],
) -> npt.NDArray[np.uint32]:
    """Each core flooded over SUV > 2.5 within 10 mm of a core; neighbours meet at a watershed."""
    from scipy.ndimage import find_objects
    from skimage.segmentation import watershed

    grown = np.zeros(image.shape, np.uint32)
    zone = _near(cores, spacing_mm) & (image > FLOOR_SUV) & ~taken
    rooms = components(zone)
    for number, box in enumerate(find_objects(rooms.view(np.int32)), start=1):
        here = rooms[box] == number
        seeds = np.where(here, cores[box], 0).astype(np.int32)
        if not seeds.any():  # warm and near, but apart
            continue
        flooded = watershed(-image[box], seeds, mask=here, connectivity=np.ones((3, 3, 3)))
        grown[box][here] = flooded[here]
    return grown


def _near(cores: npt.NDArray[np.uint32], spacing_mm: tuple[float, float, float]) -> Mask:
    """What lies within 10 mm of a core."""
    from scipy.ndimage import distance_transform_edt, find_objects

    near = np.zeros(cores.shape, bool)
    reach = _reach(spacing_mm)
    for number, core in enumerate(find_objects(cores.view(np.int32)), start=1):
        box = tuple(
            slice(max(side.start - n, 0), side.stop + n)
            for side, n in zip(core, reach, strict=True)
        )
        near[box] |= distance_transform_edt(cores[box] != number, sampling=spacing_mm) <= GROW_MM
    return near
