"""Label maps of the reviewed, cut lesions."""

from __future__ import annotations

import numpy as np

from tmtv_engine.export.job import Job
from tmtv_engine.image.volume import Unit, Volume
from tmtv_engine.lesion.methods import Method


def cut_labels(job: Job, method: Method) -> Volume:
    """The accepted lesions under a method, (z, y, x) uint16, the value is the lesion's number."""
    shape = job.lesions.grid.shape
    flat = np.zeros(int(np.prod(shape)), np.uint16)
    for row, voxels in job.cut(method):
        flat[voxels] = job.lesions.ids[row]
    return Volume(flat.reshape(shape), job.lesions.grid, Unit.LABEL)
