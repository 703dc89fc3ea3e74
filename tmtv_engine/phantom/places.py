"""Where disease lies: stations on the drawing, and places in or beside a real person's organs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from tmtv_engine.phantom.fit import Fit, to_drawn
from tmtv_engine.phantom.organmap import OrganMap
from tmtv_engine.phantom.pose import Triple

STATIONS: dict[str, tuple[Triple, ...]] = {
    "cervical": ((40, 20, 680), (48, 25, 720), (44, 0, 700), (38, 35, 690), (46, 5, 735)),
    "submandibular": ((32, -38, 712), (10, -52, 705)),
    "throat": ((17, -22, 735), (0, -14, 762)),
    "supraclavicular": ((60, 5, 640), (45, -10, 625)),
    "axillary": ((135, 0, 560), (125, 10, 535), (140, -15, 575)),
    "breast chain": ((22, -80, 500), (24, -82, 470)),
    "mediastinal": (
        (0, -45, 540),
        (0, -20, 500),
        (20, 0, 480),
        (0, 10, 430),
        (0, -60, 420),
        (22, -30, 520),
    ),
    "hilar": ((45, 5, 450), (38, 10, 435)),
    "diaphragm": ((25, -75, 345), (18, 40, 325)),
    "splenic hilum": ((60, 30, 290),),
    "liver's gate": ((-30, -10, 245), (-20, 0, 230)),
    "para-aortic": ((20, 12, 250), (18, 5, 200), (25, 0, 150), (40, 5, 90)),
    "mesenteric": ((0, -20, 170), (0, -30, 190), (30, -35, 150), (-30, -30, 130), (10, -40, 90)),
    "iliac": ((65, 10, 20), (60, 15, 50), (70, 0, -15), (55, 0, -45), (48, 12, -60)),
    "inguinal": ((80, -60, -60), (85, -55, -90), (82, -58, -125)),
}
ABOVE = (
    "cervical",
    "supraclavicular",
    "axillary",
    "mediastinal",
    "hilar",
    "submandibular",
    "throat",
    "breast chain",
)
BELOW = (
    "para-aortic",
    "mesenteric",
    "splenic hilum",
    "iliac",
    "inguinal",
    "liver's gate",
    "diaphragm",
)
BESIDE = ("bladder",) * 4 + ("kidney", "liver", "spleen", "stomach", "heart", "lung", "brain")


@dataclass(frozen=True, eq=False)
class Places:
    """Finds places on the drawing (x, y, z mm) by the organs of a map, or by the drawn ones."""

    drawn: Mapping[str, tuple[Triple, Triple]]
    organs: OrganMap | None = None
    fitted: Fit | None = None

    def inside(self, name: str, r: np.random.Generator) -> Triple:
        """Somewhere in the organ ``name``."""
        u, towards = r.random(), _direction(r)
        points = None if self.organs is None else self.organs.points_mm(name)
        if points is None or self.fitted is None:
            return self._drawn(name, r, towards, u ** (1 / 3))
        x, y, z = to_drawn(self.fitted, points[int(u * len(points))]).tolist()
        return x, y, z

    def beside(self, name: str, r: np.random.Generator, radius: float) -> Triple:
        """So that a lesion of ``radius`` mm there touches the organ ``name``, from outside."""
        towards, apart = _direction(r), r.uniform(0.6, 1.1) * radius
        if name == "bladder":  # nodes lie at the pelvis's walls
            towards *= (1.6, 1.0, 0.6)
            towards /= np.linalg.norm(towards)
        points = None if self.organs is None else self.organs.points_mm(name)
        if points is None or self.fitted is None:
            x, y, z = self._drawn(name, r, towards, 1.0)
        else:
            x, y, z = to_drawn(self.fitted, points[int(np.argmax(points @ towards[::-1]))]).tolist()
        out = apart * towards
        return x + float(out[0]), y + float(out[1]), z + float(out[2])

    def _drawn(self, name: str, r: np.random.Generator, towards: np.ndarray, part: float) -> Triple:
        side = str(r.choice(("left", "right")))
        centre, radii = self.drawn[name if name in self.drawn else f"{name} {side}"]
        x, y, z = (c + part * d * a for c, d, a in zip(centre, towards, radii, strict=True))
        return float(x), float(y), float(z)


def _direction(r: np.random.Generator) -> np.ndarray:
    towards = r.normal(0, 1, 3)
    return np.asarray(towards / (np.linalg.norm(towards) + 1e-9))
