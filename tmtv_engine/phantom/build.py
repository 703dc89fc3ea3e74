"""One person's constants: sex, arms, and the uptake of the tissues that many organs share."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

TRUNK_TOP = 631.0
SIDES = (-1.0, 1.0)


@dataclass(frozen=True)
class Build:
    """One person's constants: sex, arms, and the uptake of the tissues that many organs share."""

    sex: str
    arms_down: bool
    arm_x: float
    blood: float
    liver: float
    marrow: float
    muscle: float
    fat: float
    contrast: float

    @classmethod
    def draw(cls, r: np.random.Generator) -> Build:
        """Draw a build; marrow is up in one patient of six (after G-CSF, anaemia)."""
        blood = r.uniform(0.9, 2.6)
        usual = r.random() < 0.84
        return cls(
            sex="F" if r.random() < 0.48 else "M",
            arms_down=bool(r.random() < 0.35),
            arm_x=r.uniform(205, 228),
            blood=blood,
            liver=blood * r.uniform(0.95, 1.6),
            marrow=r.uniform(0.6, 2.2) if usual else r.uniform(2.2, 6.5),
            muscle=r.uniform(0.4, 1.0),
            fat=r.uniform(0.1, 0.45),
            contrast=r.choice([0.0, r.uniform(40, 160)]),
        )


def log_uniform(r: np.random.Generator, low: float, high: float) -> float:
    """A number between ``low`` and ``high``, uniform in its logarithm."""
    return float(np.exp(r.uniform(np.log(low), np.log(high))))
