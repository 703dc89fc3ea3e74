"""The organs among an nnU-Net's labels, as the structures that lesions are named by."""

from __future__ import annotations

import numpy as np

from tmtv_engine.image.volume import Grid
from tmtv_engine.lesion.structures import LABELS, STRUCTURES
from tmtv_engine.model.naming import Naming
from tmtv_engine.model.nnunet_folder import Heads
from tmtv_engine.model.nnunet_logits import Answer, Shape
from tmtv_engine.model.nnunet_predictor import Prepared
from tmtv_engine.study.organs import structure_of

COARSE_MM = 8.0
OTHER = STRUCTURES[0].name


def step_of(heads: Heads, spacing_mm: tuple[float, float, float]) -> Shape | None:
    """Every how many voxels (z, y, x) organs are told: some 8 mm; None for a model without."""
    if not names_of(heads):
        return None
    z, y, x = (max(1, round(COARSE_MM / mm)) for mm in spacing_mm)
    return z, y, x


def names_of(heads: Heads) -> dict[int, str]:
    """The structure of each output that is an organ known here."""
    named = {head: structure_of(label) for head, label in heads.organs.items()}
    return {head: name for head, name in named.items() if name in LABELS}


def naming_of(found: Answer, prepared: Prepared, heads: Heads, grid: Grid) -> Naming | None:
    """What each place of the image on ``grid`` is, by a model that names organs.

    What is no organ known here, the tumour among it, is "other".
    """
    if found.heads is None:
        return None
    named = names_of(heads)
    names = (OTHER, *dict.fromkeys(named.values()))
    rows = np.zeros((len(names), *found.heads.shape[1:]), np.float32)
    for head, shares in enumerate(found.heads):
        rows[names.index(named.get(head, OTHER))] += shares
    back = prepared.back
    coarse = np.zeros((4, 4))
    for axis in range(3):
        coarse[axis, axis] = found.step[back[axis]]
        coarse[axis, 3] = prepared.box[back[axis]].start
    coarse[3, 3] = 1.0
    turned = rows.transpose([0, *(axis + 1 for axis in back)])
    z, y, x = turned.shape[1:]
    return Naming(turned, names, Grid((z, y, x), grid.affine @ coarse, grid.frame_uid))


def flipped(grid: Grid) -> Grid:
    """The grid of an image whose rows and columns are read backwards: RAS for LPS."""
    _, rows, columns = grid.shape
    flip = np.diag([1.0, -1.0, -1.0, 1.0])
    flip[1, 3], flip[2, 3] = rows - 1, columns - 1
    return Grid(grid.shape, grid.affine @ flip, grid.frame_uid)
