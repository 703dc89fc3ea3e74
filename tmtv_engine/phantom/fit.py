"""The drawn body fitted to a real person's organs, so that what their map lacks lies in register.

A map gives the heights of its organs, the lungs' width and depth, and where the middle of trunk
and head lie; between them the drawing is stretched.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from tmtv_engine.phantom.organmap import OrganMap
from tmtv_engine.phantom.pose import HEIGHTS_MM, LANDMARKS_MM

Points = npt.NDArray[np.float64]

LANDMARKS = (
    "knee",
    "perineum",
    "bladder",
    "kidney",
    "liver",
    "heart",
    "lung",
    "shoulders",
    "thyroid",
    "tonsil",
    "brain",
    "vertex",
)
DRAWN_Y_MM = {"kidney": 50.0, "heart": -32.0, "liver": -5.0, "lung": 0.0, "spleen": 32.0}
LUNGS_MM = (275.0, 165.0)  # width and depth of the drawn body's lungs
BRAIN_HALF_MM, SKULL_MM = 62.0, 20.0
LEAST_GAP_MM = 12.0


@dataclass(frozen=True, eq=False)
class Fit:
    """How the drawn body lies in a map.

    ``origin_mm`` (z, y, x) is where in the map the person's coordinates are 0; ``heights_mm``
    the landmarks' there; ``axis`` as `Pose` has it; the field of view ends at ``top_mm`` and
    ``bottom_mm``.
    """

    origin_mm: tuple[float, float, float]
    heights_mm: npt.NDArray[np.float32]
    axis: npt.NDArray[np.float32]
    top_mm: float
    bottom_mm: float


def fit(organs: OrganMap, r: np.random.Generator) -> Fit | None:
    """Fit the drawn body to ``organs``; None where lungs or liver are missing."""
    points = {name: found for name in organs.names if (found := organs.points_mm(name)) is not None}
    if "lung" not in points or "liver" not in points:
        return None
    z_top = organs.labels.shape[0] * organs.spacing_mm[0]
    known = _known_heights(points, z_top)
    standard = dict(zip(LANDMARKS, HEIGHTS_MM, strict=True))
    base = float(np.mean([h - standard[name] for name, h in known.items()]))
    heights = all_heights({name: h - base for name, h in known.items()}, r)
    lung = points["lung"]
    low, high = np.percentile(lung, (0.5, 99.5), axis=0)
    width = float(np.clip((high[2] - low[2]) / LUNGS_MM[0], 0.75, 1.35))
    depth = float(np.clip((high[1] - low[1]) / LUNGS_MM[1], 0.75, 1.4))
    x = float(high[2] + low[2]) / 2
    y = float(
        np.median(
            [points[n][:, 1].mean() - at * depth for n, at in DRAWN_Y_MM.items() if n in points]
        )
    )
    return Fit(
        (base, y, x),
        heights,
        _axis(points, heights, (y, x), (width, depth)),
        z_top - base,
        -base,
    )


def _known_heights(points: dict[str, Points], z_top: float) -> dict[str, float]:
    known = {n: float(points[n][:, 0].mean()) for n in points if n in LANDMARKS}
    known["shoulders"] = float(points["lung"][:, 0].max()) - 4.0
    if "salivary gland" in points:
        known["tonsil"] = float(points["salivary gland"][:, 0].mean())
    if "brain" in points:
        low, high = points["brain"][:, 0].min(), points["brain"][:, 0].max()
        if high > z_top - 8.0:  # the field of view ends in it
            known["brain"] = float(low) + BRAIN_HALF_MM
        else:
            known["vertex"] = float(high) + SKULL_MM
    return known


def all_heights(known: dict[str, float], r: np.random.Generator) -> npt.NDArray[np.float32]:
    """Every landmark's height: the map's own, else between or beyond as in the MIRD adult."""
    standard = dict(zip(LANDMARKS, HEIGHTS_MM, strict=True))
    names = [n for n in LANDMARKS if n in known]
    first, last = names[0], names[-1]
    xs, ys = [standard[n] for n in names], [known[n] for n in names]
    out: list[float] = []
    for name in LANDMARKS:
        at, vary = standard[name], r.uniform(0.9, 1.1)
        if name in known:
            out.append(known[name])
        elif at < xs[0]:
            out.append(known[first] - (xs[0] - at) * vary)
        elif at > xs[-1]:
            out.append(known[last] + (at - xs[-1]) * vary)
        else:
            out.append(float(np.interp(at, xs, ys)))
    for k in range(1, len(out)):
        out[k] = max(out[k], out[k - 1] + LEAST_GAP_MM)
    return np.array(out, np.float32)


def _axis(
    points: dict[str, Points],
    heights: npt.NDArray[np.float32],
    middle: tuple[float, float],
    size: tuple[float, float],
) -> npt.NDArray[np.float32]:
    """Middle, width and depth of the body at perineum, kidneys, shoulders and head."""
    y, x = middle
    at = dict(zip(LANDMARKS, heights, strict=True))
    loin = 0.0
    if "kidney" in points:
        right, left = (points["kidney"][points["kidney"][:, 2] < x], points["kidney"][:, 2] >= x)
        if len(right) and left.any():
            loin = (right[:, 2].mean() + points["kidney"][left, 2].mean()) / 2 - x
    loin = float(np.clip(loin, -20, 20)) * 0.7
    hips = loin
    if "bladder" in points:
        hips = float(np.clip(points["bladder"][:, 2].mean() - x, -30, 30)) * 0.5
    head = (0.0, 0.0, 1.0, 1.0)
    if "brain" in points:
        low, high = points["brain"].min(axis=0), points["brain"].max(axis=0)
        (ly, lx), (hy, hx) = low[1:], high[1:]
        wide, deep = (float(np.clip(v, 0.8, 1.2)) for v in ((hx - lx) / 128, (hy - ly) / 160))
        head = (float(lx + hx) / 2 - x, float(ly + hy) / 2 - y, wide, deep)
    rows = (
        (float(at["perineum"]), hips, 0.0, *size),
        (float(at["kidney"]), loin, 0.0, *size),
        (float(at["shoulders"]), 0.0, 0.0, *size),
        (float(at["tonsil"]), *head),
    )
    return np.array(rows, np.float32).T


def to_drawn(fitted: Fit, points_mm: Points) -> Points:
    """Points of the map (…, 3) as z, y, x in mm as x, y, z of the drawing."""
    z, y, x = np.moveaxis(points_mm - np.array(fitted.origin_mm), -1, 0)
    mx, my, wide, deep = (np.interp(z, fitted.axis[0], row) for row in fitted.axis[1:])
    height = np.interp(z, fitted.heights_mm, LANDMARKS_MM)
    return np.stack([(x - mx) / wide, (y - my) / deep, height], -1)
