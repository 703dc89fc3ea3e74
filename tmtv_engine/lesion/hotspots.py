"""From uptake or probability to lesions: the seam for models, the hot spots, the two rules."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from tmtv_engine.image.volume import Array, Mask, Unit, Volume
from tmtv_engine.lesion.find import components
from tmtv_engine.lesion.lists import Lesions, from_labels

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
    taken = np.zeros(image.shape, bool) if lesions is None else lesions.labels().array > 0
    cores = components(image >= CORE_SUV)
    if lesions is not None and len(lesions):
        cores = _left_out(cores, image, taken)
    cores = _large(cores, core_ml / suv.grid.voxel_ml)
    grown = _grow(image, cores, taken, suv.grid.spacing_mm)
    spots = from_labels(suv.with_array(grown, Unit.LABEL), suv)
    first = 0 if lesions is None or not len(lesions) else int(lesions.ids.max())
    behind = 0 if lesions is None or not len(lesions) else int(lesions.components.max())
    number = np.arange(1, len(spots) + 1)
    return spots.renumbered(first + number, behind + number)


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
    reach = [int(GROW_MM // step) for step in spacing_mm]
    for number, core in enumerate(find_objects(cores.view(np.int32)), start=1):
        box = tuple(
            slice(max(side.start - n, 0), side.stop + n)
            for side, n in zip(core, reach, strict=True)
        )
        near[box] |= distance_transform_edt(cores[box] != number, sampling=spacing_mm) <= GROW_MM
    return near
