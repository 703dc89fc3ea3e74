"""Decay within one frame."""

from __future__ import annotations

import math


def mean_activity_s(duration_s: float, half_life_s: float) -> float:
    """Seconds from a frame's start to when its activity equals the frame's mean (QIBA)."""
    decay = math.log(2.0) / half_life_s
    if duration_s <= 0:
        return 0.0
    return math.log(decay * duration_s / (1.0 - math.exp(-decay * duration_s))) / decay
