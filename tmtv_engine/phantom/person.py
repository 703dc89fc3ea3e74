"""One person from a seed: pose, field of view, build, disease, scan, in a real anatomy or drawn.

Seeds from 1,000,000 on are for training, those below for checking: the two never meet, and nor
do the anatomies that they are drawn in.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tmtv_engine.phantom.anatomies import Anatomies
from tmtv_engine.phantom.build import Build
from tmtv_engine.phantom.canvas import CONTROL, HEIGHTS_MM, Pose, Triple
from tmtv_engine.phantom.disease import Disease, draw_disease
from tmtv_engine.phantom.fit import Fit, fit
from tmtv_engine.phantom.organmap import OrganMap
from tmtv_engine.phantom.places import Places
from tmtv_engine.phantom.scanner import Scan

TRAINING_SEEDS = 1_000_000
REAL_SHARE = 0.88  # of training's patients, where there are anatomies; of the others, all
LONGEST_MM = 1500.0
TRIES = 20


@dataclass(frozen=True)
class Person:
    """What a seed decides before there is a grid; ``anatomy`` is the map's key or empty."""

    seed: int
    anatomy: str
    pose: Pose
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
    scale = (r.uniform(0.84, 1.22), r.uniform(0.84, 1.27), r.uniform(0.85, 1.13))
    mirrored = r.random() < 0.02  # organs on the other side
    shift, turn = (r.uniform(-18, 18), r.uniform(-22, 22)), float(np.deg2rad(r.uniform(-7, 7)))
    bend, control = r.uniform(4, 22), r.normal(0, 1, (3, *CONTROL)).astype(np.float32)
    heights, stretch = _heights(r), tuple(np.exp(r.normal(0, 0.05, 3)).tolist())
    cut = r.choice(4, p=(0.45, 0.2, 0.25, 0.1))
    less = (0.0, r.uniform(0, 60), r.uniform(80, 140), r.uniform(150, 260))[cut]
    bottom = r.uniform(-450, -60) if r.random() < 0.85 else -900.0
    if found is None:
        own = (-scale[0] if mirrored else scale[0], *scale[1:])
        pose = Pose(own, shift, turn, bend, control, heights)
        top = float(heights[-1]) * scale[2] + 8 - less
        organs, places, sex = None, Places(), None
    else:
        fitted, organs = found
        pose, scale = _real_pose(fitted, stretch, shift, turn, bend, control)
        top = (fitted.top_mm - 4.0) * stretch[2]
        bottom = (fitted.bottom_mm + 4.0) * stretch[2]
        places = Places(organs, fitted)
        sex = "M" if organs.organ("prostate") is not None else None
    build = Build.draw(r, sex)
    person = Person(
        seed,
        organs.key if organs is not None else "",
        pose,
        top,
        min(max(bottom, top - LONGEST_MM), top - 100.0),
        build,
        draw_disease(r, places),
        Scan.draw(r),
        round(1.70 * scale[2] * (0.97 if build.sex == "F" else 1.02), 2),
        round(float(70.0 * scale[0] * scale[1] * scale[2] * r.uniform(0.9, 1.15)), 1),
    )
    return person, organs


def _real_pose(
    fitted: Fit,
    stretch: Triple,
    shift: tuple[float, float],
    turn: float,
    bend: float,
    control: np.ndarray,
) -> tuple[Pose, Triple]:
    """How a real person lies, and their size relative to the standard body."""
    pose = Pose(
        (1.0, 1.0, 1.0),
        shift,
        turn,
        bend * 0.6,
        control,
        fitted.heights_mm,
        stretch,
        fitted.axis,
        fitted.origin_mm,
    )
    tall = float(fitted.heights_mm[-1] - fitted.heights_mm[1]) / (HEIGHTS_MM[-1] - HEIGHTS_MM[1])
    width, depth = float(fitted.axis[3, 0]), float(fitted.axis[4, 0])
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


def _heights(r: np.random.Generator) -> np.ndarray:
    """Landmarks of one person: the MIRD adult's, each stretch between two some 12 % off."""
    gaps = np.diff(HEIGHTS_MM) * np.exp(r.normal(0, 0.12, len(HEIGHTS_MM) - 1))
    heights = np.concatenate([[0.0], np.cumsum(gaps)])
    return np.asarray(heights - heights[1] + HEIGHTS_MM[1], dtype=np.float32)
