"""The body without disease, from the skin inwards: what is drawn later lies on top."""

from __future__ import annotations

import numpy as np
from torch import Tensor

from tmtv_engine.phantom.belly import draw_belly, draw_bowel
from tmtv_engine.phantom.bones import draw_bones
from tmtv_engine.phantom.build import Build
from tmtv_engine.phantom.canvas import Canvas
from tmtv_engine.phantom.chest import draw_chest, draw_heart
from tmtv_engine.phantom.head import draw_head, draw_neck
from tmtv_engine.phantom.outline import draw_outline
from tmtv_engine.phantom.pelvis import draw_pelvis
from tmtv_engine.phantom.urine import draw_bladder, draw_kidneys, draw_spilt


def draw_body(canvas: Canvas, r: np.random.Generator, build: Build) -> Tensor:
    """Draw everything physiologic; returns how much of a voxel is body."""
    body = draw_outline(canvas, r, build)
    for part in (
        draw_chest,
        draw_bowel,
        draw_belly,
        draw_bones,
        draw_pelvis,
        draw_kidneys,
        draw_heart,
        draw_head,
        draw_neck,
    ):
        part(canvas, r, build)
    draw_bladder(canvas, r)
    draw_spilt(canvas, r, build, body)
    return body
