"""How real people's organs lie and how large they are, as a statistic that fits in a few kB.

``python -m tmtv_engine.phantom.shapes FOLDER`` measures the maps for training in ``FOLDER`` and
writes `shapes.json` beside this file: the mean of some lengths, the main ways in which they vary
together, and what is left of each. From it a body is drawn where no map is at hand. Figures only:
nobody's map can be had back from them.
"""

from __future__ import annotations

import argparse
import functools
import json
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from tmtv_engine.files import write_text
from tmtv_engine.phantom.anatomies import Anatomies
from tmtv_engine.phantom.fit import LANDMARKS, Fit, Points, all_heights, fit, to_drawn
from tmtv_engine.phantom.organmap import OrganMap
from tmtv_engine.phantom.pose import Proportions, Triple

FILE = Path(__file__).with_name("shapes.json")
WAYS = 12
PAIRED = ("kidney", "lung")
SINGLE = ("liver", "spleen", "bladder", "heart", "stomach", "brain")
KNOWN = ("bladder", "kidney", "liver", "heart", "lung", "shoulders", "tonsil", "brain", "vertex")
HEAD = ("x", "y", "width", "depth")
FEWEST = 60
BALL = 4 / 3 * np.pi
WIDEST = 2.3  # times the spread, to either side
Lengths = dict[str, float]


def draw_proportions(r: np.random.Generator) -> Proportions:
    """A body as likely as those that were measured."""
    told = _statistic()
    ways, rest = np.array(told["ways"]), np.array(told["rest"])
    along = np.clip(r.normal(0, 1, len(ways)), -WIDEST, WIDEST)
    aside = np.clip(r.normal(0, 1, len(rest)), -WIDEST, WIDEST)
    return _body(np.array(told["mean"]) + along @ ways + aside * rest, r)


@functools.cache
def typical() -> Proportions:
    """The mean of those that were measured."""
    return _body(np.array(_statistic()["mean"]), np.random.default_rng(0))


def _body(values: npt.NDArray[np.float64], r: np.random.Generator) -> Proportions:
    lengths = dict(zip(_statistic()["lengths"], values.tolist(), strict=True))
    heights = all_heights({n: lengths[f"height {n}"] for n in KNOWN}, r)
    at = dict(zip(LANDMARKS, heights.tolist(), strict=True))
    size = (float(np.exp(lengths["width"])), float(np.exp(lengths["depth"])))
    sway = r.normal(0, 5, 2).tolist()
    head = [lengths[f"head {n}"] for n in HEAD]
    rows = (
        (at["perineum"], sway[0], 0.0, *size),
        (at["kidney"], sway[1], 0.0, *size),
        (at["shoulders"], 0.0, 0.0, *size),
        (at["tonsil"], *head),
    )
    return Proportions(heights, np.array(rows, np.float32).T, _organs(lengths))


def _organs(lengths: Lengths) -> dict[str, tuple[Triple, Triple]]:
    found = {}
    for name in _names():
        x, y, z, a, b, c = (lengths[f"{name} {k}"] for k in ("x", "y", "z", "a", "b", "c"))
        radii = (float(np.exp(a)), float(np.exp(b)), float(np.exp(c)))
        found[name] = ((x, y, z), radii)
    return found


def _names() -> list[str]:
    return [*SINGLE, *(f"{n} {side}" for n in PAIRED for side in ("left", "right"))]


@functools.cache
def _statistic() -> dict[str, Any]:
    told: dict[str, Any] = json.loads(FILE.read_text("utf-8"))
    return told


def measured(organs: OrganMap, fitted: Fit) -> Lengths | None:
    """The lengths of one map; None where it lacks an organ or the field cuts the head.

    An organ's ellipsoid has its middle, the proportions of its spread, and its volume.
    """
    out: Lengths = {
        "width": float(np.log(fitted.axis[3, 0])),
        "depth": float(np.log(fitted.axis[4, 0])),
    }
    heights = dict(zip(LANDMARKS, fitted.heights_mm.tolist(), strict=True))
    out |= {f"height {n}": heights[n] for n in KNOWN}
    out |= {f"head {n}": float(v) for n, v in zip(HEAD, fitted.axis[1:, 3], strict=True)}
    for name in (*SINGLE, *PAIRED):
        points = organs.points_mm(name)
        if points is None:
            return None
        left = to_drawn(fitted, points)[:, 0] > 0
        parts = {name: points}
        if name in PAIRED:
            parts = {f"{name} left": points[left], f"{name} right": points[~left]}
        for key, part in parts.items():
            if len(part) < FEWEST:
                return None
            drawn, radii = to_drawn(fitted, part), _radii(part)
            grown = np.cbrt(len(part) * np.prod(organs.spacing_mm) / (np.prod(radii) * BALL))
            out |= dict(
                zip((f"{key} {k}" for k in "xyz"), drawn.mean(axis=0).tolist(), strict=True)
            )
            lengths = np.log(_radii(drawn) * grown)
            out |= dict(zip((f"{key} {k}" for k in "abc"), lengths.tolist(), strict=True))
    whole = fitted.top_mm - heights["vertex"] > 0
    return out if whole else None


def _radii(points: Points) -> Points:
    """Semi-axes of the ellipsoid that spreads as the points (n, 3) do."""
    return np.asarray(np.sqrt(5 * points.var(axis=0)) + 1e-3)


def statistic(anatomies: Anatomies) -> dict[str, object]:
    """Mean, main ways (each one spread long) and the rest's spread of the maps for training."""
    rows = []
    for key in anatomies.keys(unseen=False):
        organs = anatomies.read(key)
        fitted = fit(organs, np.random.default_rng(0))
        lengths = None if fitted is None else measured(organs, fitted)
        if lengths is not None:
            rows.append(lengths)
    names = sorted(rows[0])
    table = np.array([[row[n] for n in names] for row in rows])
    low, high = np.percentile(table, (0.5, 99.5), axis=0)
    table = np.clip(table, low, high)  # an organ that the segmentation broke
    mean, spread = table.mean(axis=0), table.std(axis=0) + 1e-9
    _, sizes, ways = np.linalg.svd((table - mean) / spread, full_matrices=False)
    main = ways[:WAYS] * (sizes[:WAYS, None] / np.sqrt(len(table))) * spread
    rest = np.sqrt(np.clip(spread**2 - (main**2).sum(axis=0), 0, None))
    return {
        "source": "organ label maps of autoPET III CTs made by TotalSegmentator "
        "(MIC-DKFZ/autopet-3-submission, Apache-2.0); mm and logarithms of mm on the drawing",
        "maps": len(rows),
        "fingerprint": anatomies.fingerprint,
        "lengths": names,
        "mean": _short(mean),
        "ways": [_short(way) for way in main],
        "rest": _short(rest),
    }


def _short(values: npt.NDArray[np.float64]) -> list[float]:
    return [float(f"{v:.3g}") for v in values]


def main() -> None:
    """Measure the maps of a folder and write `shapes.json`."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--out", type=Path, default=FILE)
    given = parser.parse_args()
    rows = statistic(Anatomies.load(given.folder)).items()
    lines = [f"{json.dumps(key)}: {json.dumps(value)}" for key, value in rows]
    write_text(given.out, "{\n" + ",\n".join(lines) + "\n}\n")


if __name__ == "__main__":
    main()
