"""Lesions that someone drew: the ROIs of a file, as drawn or parted anew."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from typing import Literal

import numpy as np

from tmtv_engine.image.formats import read_image, suffix_of
from tmtv_engine.image.volume import Unit, Volume
from tmtv_engine.lesion.find import find_lesions
from tmtv_engine.lesion.lists import Lesions, from_labels
from tmtv_engine.notices import Notice
from tmtv_engine.study.owner import NO_OWNER, Owner
from tmtv_engine.study.rois import Rois, read_rois
from tmtv_engine.study.uptake import doubts

RoiMode = Literal["auto", "labels", "components"]


def lesions_of(rois: Rois, suv: Volume, mode: RoiMode = "auto") -> Lesions:
    """Each ROI as one lesion (``labels``), or the ``components`` of them all.

    ``auto`` parts a binary mask and takes every other file's ROIs as they are.
    """
    if mode == "labels" or (mode == "auto" and rois.kind != "mask"):
        return from_labels(rois.labels, suv)
    return find_lesions(rois.labels.with_array(rois.labels.array > 0), suv)


def drawn_lesions(
    path: Path | None,
    suv: Volume,
    mode: RoiMode = "auto",
    owner: Owner = NO_OWNER,
    accepted: Collection[str] = (),
) -> tuple[Lesions, tuple[Notice, ...]]:
    """The lesions of a file of ROIs by `lesions_of`, drawn on the PET of ``owner``, and what to
    warn about.

    None of no file, and of a mask that is empty: a patient without disease, no mistake.
    """
    if path is None or _is_empty(path):
        empty = suv.with_array(np.zeros(suv.grid.shape, np.uint8), Unit.LABEL)
        return from_labels(empty, suv), ()
    rois = read_rois(path, suv.grid, owner=owner, accepted=accepted)
    return lesions_of(rois, suv, mode), (*rois.notices, *doubts(rois, suv))


def _is_empty(path: Path) -> bool:
    return bool(suffix_of(path)) and not read_image(path, Unit.LABEL).array.any()
