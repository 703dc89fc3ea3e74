"""One person from a seed: pose, field of view, build, disease, scan, in a real anatomy or drawn.

Seeds from 1,000,000 on are for training, those below for checking: the two never meet, and nor
do the anatomies that they are drawn in.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tmtv_engine.phantom.anatomies import Anatomies
from tmtv_engine.phantom.build import Build
from tmtv_engine.phantom.disease import Disease, draw_disease
from tmtv_engine.phantom.fit import Fit, fit
from tmtv_engine.phantom.organmap import OrganMap
from tmtv_engine.phantom.places import Places
from tmtv_engine.phantom.pose import CONTROL, HEIGHTS_MM, Pose, Proportions, Triple
from tmtv_engine.phantom.scanner import Scan
from tmtv_engine.phantom.shapes import draw_proportions, typical

TRAINING_SEEDS = 1_000_000
REAL_SHARE = 0.88  # of training's patients, where there are anatomies; of the others, all
LONGEST_MM = 1500.0
TRIES = 20
MEAN_WIDTH = 0.88  # of the people measured, relative to the drawing


@dataclass(frozen=True)
class Person:
    """What a seed decides before there is a grid; ``anatomy`` is the map's key or empty."""

    seed: int
    anatomy: str
    pose: Pose
    proportions: Proportions | None
    top_mm: float
    bottom_mm: float
    build: Build
    disease: Disease
    scan: Scan
    height_m: float
    weight_kg: float


def person_of(seed: int, anatomies: Anatomies | None = None) -> tuple[Person, OrganMap | None]:
    """The person that ``seed`` stands for, and the organs they have, where those are real.

    Training's seeds are drawn in anatomies of training, 12 % of them in none; those for checking
    in anatomies that training never sees; of a few maps all may be on one side, and are both's.
    """
    r = np.random.default_rng(seed)
    found = None if anatomies is None else _anatomy(seed, anatomies)
    mirrored = r.random() < 0.02  # organs on the other side
    shift, turn = (r.uniform(-18, 18), r.uniform(-22, 22)), float(np.deg2rad(r.uniform(-7, 7)))
    bend, control = r.uniform(4, 22), r.normal(0, 1, (3, *CONTROL)).astype(np.float32)
    stretch = tuple(np.exp(r.normal(0, 0.05, 3)).tolist())
    cut = r.choice(4, p=(0.45, 0.2, 0.25, 0.1))
    less = (0.0, r.uniform(0, 60), r.uniform(80, 140), r.uniform(150, 260))[cut]
    bottom = r.uniform(-450, -60) if r.random() < 0.85 else -900.0
    if found is None:
        proportions, organs, sex = draw_proportions(np.random.default_rng((seed, 6))), None, None
        pose, scale = _pose(proportions, stretch, shift, turn, bend, control)
        if mirrored:
            pose = pose._replace(scale=(-1.0, 1.0, 1.0))
        top = float(proportions.heights_mm[-1]) * stretch[2] + 8 - less
        places = Places(proportions.organs)
    else:
        fitted, organs = found
        proportions = None
        pose, scale = _pose(fitted, stretch, shift, turn, 0.6 * bend, control)
        pose = pose._replace(origin_mm=fitted.origin_mm)
        top = (fitted.top_mm - 4.0) * stretch[2]
        bottom = (fitted.bottom_mm + 4.0) * stretch[2]
        places = Places(typical().organs, organs, fitted)
        sex = "M" if organs.organ("prostate") is not None else None
    build = Build.draw(r, sex)
    person = Person(
        seed,
        organs.key if organs is not None else "",
        pose,
        proportions,
        top,
        min(max(bottom, top - LONGEST_MM), top - 100.0),
        build,
        draw_disease(r, places),
        Scan.draw(r),
        round(1.70 * scale[2] * (0.97 if build.sex == "F" else 1.02), 2),
        round(float(70.0 * scale[0] * scale[1] * scale[2] * r.uniform(0.9, 1.15)), 1),
    )
    return person, organs


def _pose(
    body: Fit | Proportions,
    stretch: Triple,
    shift: tuple[float, float],
    turn: float,
    bend: float,
    control: np.ndarray,
) -> tuple[Pose, Triple]:
    """How a person lies, and their size relative to the standard body."""
    pose = Pose(
        (1.0, 1.0, 1.0),
        shift,
        turn,
        bend,
        control,
        body.heights_mm,
        stretch,
        body.axis,
    )
    tall = float(body.heights_mm[-1] - body.heights_mm[1]) / (HEIGHTS_MM[-1] - HEIGHTS_MM[1])
    width, depth = float(body.axis[3, 0]) / MEAN_WIDTH, float(body.axis[4, 0])
    return pose, (width * stretch[0], depth * stretch[1], float(np.clip(tall, 0.8, 1.2)))


def _anatomy(seed: int, anatomies: Anatomies) -> tuple[Fit, OrganMap] | None:
    """A fitted map for ``seed``; None where it is drawn without one or none of some fits."""
    r = np.random.default_rng((seed, 2))
    if seed >= TRAINING_SEEDS and r.random() >= REAL_SHARE:
        return None
    keys = anatomies.keys(unseen=seed < TRAINING_SEEDS) or tuple(k for k, _ in anatomies.entries)
    for _ in range(TRIES if keys else 0):
        organs = anatomies.read(keys[r.integers(len(keys))])
        fitted = fit(organs, np.random.default_rng((seed, 3)))
        if fitted is not None:
            return fitted, organs
    return None
