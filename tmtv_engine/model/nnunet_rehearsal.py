"""A plan tried on a few voxels, so that what cannot work is refused before a case, not in one."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tmtv_engine.errors import InputError
from tmtv_engine.model.nnunet_folder import Folder
from tmtv_engine.model.nnunet_logits import answer
from tmtv_engine.model.nnunet_plans import OWN
from tmtv_engine.model.nnunet_predictor import Plan
from tmtv_engine.text import clean

SHAPE = (9, 10, 11)
FINER = 0.8  # the voxels tried, in the plan's own


def rehearse(folder: Folder, plan: Plan, mirrored: Sequence[int] | None) -> None:
    """Prepare an image of a few voxels as the plan says, and bring logits back to them.

    Raises `InputError` naming the folder where that fails, or the checkpoint mirrors along an
    axis that the plan's window does not have.
    """
    where, axes = str(folder.path), len(plan.configuration["patch_size"])
    if mirrored and max(mirrored) >= axes:
        raise InputError(f"{where}: its checkpoint mirrors axis {max(mirrored)} of {axes}", OWN)
    try:
        _try(folder, plan)
    except Exception as error:  # whatever nnunetv2's parts raise
        text = error.what if isinstance(error, InputError) else f"{type(error).__name__}: {error}"
        raise InputError(f"{where}: its plan does not work: {clean(text, 200)}", OWN) from error


def _try(folder: Folder, plan: Plan) -> None:
    own = [float(mm) for mm in plan.configuration["spacing"]]
    z, y, x = (FINER * mm for mm in (own if len(own) == 3 else [own[0], *own]))
    image = np.random.default_rng(0).uniform(1, 2, (len(folder.channels), *SHAPE))
    prepared = plan.prepare(image.astype(np.float32), (z, y, x))
    if not np.isfinite(prepared.data).all():
        raise ValueError("its normalisation gives no numbers")
    logits = np.zeros((folder.heads.count, *prepared.data.shape[1:]), np.float16)
    answer(logits, prepared.zoom, prepared.cropped, folder.heads)
