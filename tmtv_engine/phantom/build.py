"""One person's constants: sex, arms, girth, and the uptake that many organs share."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

SIDES = (-1.0, 1.0)
SIDE_NAMES = {-1.0: "right", 1.0: "left"}


@dataclass(frozen=True)
class Build:
    """One person's constants: sex, arms, girth, and the uptake that many organs share."""

    sex: str
    arms_down: bool
    arm_x: float
    girth: float
    fat_mm: float
    blood: float
    muscle: float
    fat: float
    contrast: float

    @classmethod
    def draw(cls, r: np.random.Generator, sex: str | None = None) -> Build:
        """Draw a build; ``sex`` where it is known."""
        female = bool(r.random() < 0.48)
        return cls(
            sex=sex or ("F" if female else "M"),
            arms_down=bool(r.random() < 0.35),
            arm_x=r.uniform(205, 235),
            girth=float(np.exp(r.normal(0.02, 0.1))),
            fat_mm=log_uniform(r, 5, 50),
            blood=log_uniform(r, 0.8, 2.8),
            muscle=log_uniform(r, 0.35, 1.1),
            fat=log_uniform(r, 0.08, 0.5),
            contrast=r.choice([0.0, r.uniform(40, 160)]),
        )


def log_uniform(r: np.random.Generator, low: float, high: float) -> float:
    """A number between ``low`` and ``high``, uniform in its logarithm."""
    return float(np.exp(r.uniform(np.log(low), np.log(high))))
