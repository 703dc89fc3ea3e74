"""What lesions lie in, as a label map of organs says."""

from __future__ import annotations

import numpy as np

from tmtv_engine.lesion.lists import Lesions
from tmtv_engine.lesion.origin import PHYSIOLOGIC, Structure
from tmtv_engine.lesion.structures import LABELS, STRUCTURES
from tmtv_engine.study.organmaps import OrganMap

OTHER = STRUCTURES[0].name


def named_by(organs: OrganMap, lesions: Lesions) -> tuple[Structure | None, ...]:
    """The structure of each lesion by the share of its voxels that lie in it, (n,).

    A voxel is in the label that its centre lies in. Where physiologic structures hold one half
    or more together, it is the largest of them, and ``p`` is what they hold together; else one
    that holds half alone (a lung). None where the map does not tell.
    """
    if not len(lesions):
        return ()
    labels = _labels(organs, lesions)
    bounds = zip(lesions.starts[:-1], lesions.starts[1:], strict=True)
    return tuple(_named(labels[a:b]) for a, b in bounds)


def _labels(organs: OrganMap, lesions: Lesions) -> np.ndarray[tuple[int], np.dtype[np.intp]]:
    """The row of `STRUCTURES` of each lesion's voxels, one lesion after the other."""
    grid = organs.labels.grid
    index = np.rint(grid.to_index(lesions.grid.to_mm(lesions.index()))).astype(int)
    within = ((index >= 0) & (index < np.array(grid.shape))).all(axis=1)
    found = np.zeros(len(index), np.intp)
    values, where = np.unique(organs.labels.array[tuple(index[within].T)], return_inverse=True)
    rows = np.array([LABELS[organs.structures.get(int(v), OTHER)] for v in values], np.intp)
    found[within] = rows[where]
    return found


def _named(rows: np.ndarray[tuple[int], np.dtype[np.intp]]) -> Structure | None:
    share = np.bincount(rows, minlength=len(STRUCTURES)) / len(rows)
    known = np.array([s.name in PHYSIOLOGIC for s in STRUCTURES])
    p = float(share[known].sum())
    if p >= 0.5:
        return Structure(STRUCTURES[int(np.where(known, share, -1.0).argmax())].name, p, "organs")
    most = int(share[1:].argmax()) + 1
    whole = float(share[most])
    return Structure(STRUCTURES[most].name, whole, "organs") if whole >= 0.5 else None
