"""Whether ROIs lie on uptake: what was drawn for another scan, or moved, often does not.

A lesion's ROI holds its hottest voxel inside; one that lies beside its lesion has it at the edge,
with a hotter one next to it. Some ROIs rightly do, next to a bladder, but not most of a patient's:
no file of 28 digital patients and 12 real scans; of the same ROIs moved by 20 mm, or mirrored, 86
to 93 %.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from tmtv_engine.image.volume import Array, FloatArray, Mask, Unit, Volume
from tmtv_engine.notices import Notice, notice
from tmtv_engine.study.rois import Rois

COLD_SUV = 1.5  # muscle, fat, lung and their noise; blood and liver lie above
AIR_SUV = 0.15  # lung lies above
MOST = 0.5


def doubts(rois: Rois, suv: Volume) -> tuple[Notice, ...]:
    """Warnings of ROIs that hold no uptake or lie in air, and of most that end amid hotter uptake.

    Of a binary mask each piece is a ROI.
    """
    values = suv.require(Unit.SUV)
    told = [_cold(rois, suv), _moved(_pieces(rois), values)]
    return tuple(n for n in told if n is not None)


def _cold(rois: Rois, suv: Volume) -> Notice | None:
    told, whole, air = [], 0, 0
    for k, box, mask in _each(rois.labels.array):
        own = suv.array[box][mask]
        whole, air = whole + own.size, air + int(np.count_nonzero(own < AIR_SUV))
        if own.max() < COLD_SUV:
            volume_ml = own.size * suv.grid.voxel_ml
            told.append(f"{rois.names[k - 1]}: {volume_ml:.2f} mL, SUVmax {own.max():.2f}")
    if air > MOST * whole:
        told.insert(0, f"{air * suv.grid.voxel_ml:.2f} mL lie in air")
    return notice("roi-cold", "; ".join(told[:8])) if told else None


def _moved(pieces: Array, values: FloatArray) -> Notice | None:
    """Whether most ROIs have a hotter voxel beside them, which belongs to none, than inside."""
    from scipy import ndimage

    count, hotter = 0, 0
    for k, box, _ in _each(pieces):
        wide = tuple(slice(max(s.start - 1, 0), s.stop + 1) for s in box)
        mask, uptake = pieces[wide] == k, values[wide]
        beside = ndimage.binary_dilation(mask, np.ones((3, 3, 3))) & (pieces[wide] == 0)
        count += 1
        hotter += bool(uptake[beside].max(initial=-np.inf) > uptake[mask].max())
    if hotter <= MOST * count:
        return None
    return notice("roi-moved", f"{hotter} of {count}")


def _pieces(rois: Rois) -> Array:
    if rois.kind != "mask":
        return rois.labels.array
    from scipy import ndimage

    labelled, _ = ndimage.label(rois.labels.array, np.ones((3, 3, 3)))
    return np.asarray(labelled)


def _each(labels: Array) -> Iterator[tuple[int, tuple[slice, ...], Mask]]:
    """Each label with its box and its voxels in it."""
    from scipy import ndimage

    for k, box in enumerate(ndimage.find_objects(labels), 1):
        if box is not None:
            yield k, box, labels[box] == k
