"""Lymphoma: subtype, stage, stations, and the lesions that follow from them.

No published distribution was found for DLBCL and FL SUVmax; the ranges here are assumptions,
wider than any cohort (Hodgkin 9-21 is the mean per patient that the literature gives).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tmtv_engine.phantom.build import log_uniform
from tmtv_engine.phantom.places import ABOVE, BELOW, BESIDE, STATIONS, Places
from tmtv_engine.phantom.pose import Triple
from tmtv_engine.phantom.shapes import typical

SUBTYPES = ("HL", "DLBCL", "FL")
SHARES = (0.38, 0.42, 0.20)  # of the paper's 2,030 patients
HOT_SUV = {"HL": (3.5, 22.0), "DLBCL": (3.5, 40.0), "FL": (2.6, 16.0)}
HEALTHY = 0.13
MOST_LESIONS = 60
MASS_MM = 25.0  # radius from which living and dead tissue lie side by side
EXTRANODAL = ("marrow", "spleen", "lung", "liver", "bone", "soft tissue", "skin", "bowel", "limb")
ORGANS = ("spleen", "lung", "liver", "kidney", "stomach")


@dataclass(frozen=True)
class Lesion:
    """One lesion to draw: where, how large (semi-axes, mm), how hot, and of what kind."""

    site: str
    centre: Triple
    radii: Triple
    suv: float
    tilt: float
    lean: float
    necrotic: bool
    coarse: float


@dataclass(frozen=True)
class Disease:
    """A patient's lymphoma; no lesions: a healthy patient, without subtype.

    ``diffuse`` names organs that are tumour as a whole, each with its SUV.
    """

    subtype: str
    stage: str
    lesions: tuple[Lesion, ...]
    diffuse: tuple[tuple[str, float], ...] = ()


def draw_disease(r: np.random.Generator, places: Places | None = None) -> Disease:
    """Draw subtype, Ann Arbor stage and lesions, from one node to bulky, spread disease."""
    places = places or Places(typical().organs)
    if r.random() < HEALTHY:
        return Disease("", "", ())
    subtype = str(r.choice(SUBTYPES, p=SHARES))
    stage = str(r.choice(("I", "II", "III", "IV"), p=(0.20, 0.36, 0.20, 0.24)))
    base = log_uniform(r, *HOT_SUV[subtype])
    lesions: list[Lesion] = []
    for station in _stations(r, stage):
        lesions += _nodes(r, station, base)
    if stage == "IV":
        for site in r.choice(EXTRANODAL, size=1 + int(r.random() < 0.4), replace=False):
            lesions += _extranodal(r, places, str(site), base)
    if r.random() < 0.08:
        lesions += _extranodal(r, places, "anywhere", base)
    if r.random() < 0.2:
        lesions += _touching(r, places, base)
    if r.random() < 0.14:
        lesions += _mass(r, str(r.choice(("limb", "groin", "soft tissue"))), base)
    if stage in ("III", "IV") and r.random() < 0.12:
        lesions += _extranodal(r, places, "spleen", base)
    diffuse = []
    for organ, chance in (("spleen", 0.07), ("marrow", 0.07)):
        suv = base * r.uniform(0.5, 1.2)
        if r.random() < chance and stage in ("III", "IV"):
            diffuse.append((organ, suv))
    return Disease(subtype, stage, tuple(lesions[:MOST_LESIONS]), tuple(diffuse))


def _stations(r: np.random.Generator, stage: str) -> list[str]:
    side = ABOVE if r.random() < 0.76 else BELOW
    weights = {ABOVE: (5, 4, 2.5, 5, 2, 1, 1, 1), BELOW: (5, 3, 1.5, 3, 2, 1.5, 1)}

    def some(of: tuple[str, ...], count: int) -> list[str]:
        p = np.array(weights[of], float)
        return [str(s) for s in r.choice(of, size=count, replace=False, p=p / p.sum())]

    if stage == "I":
        return some(side, 1)
    if stage == "II":
        return some(side, int(r.integers(2, 4)))
    both = some(ABOVE, int(r.integers(1, 4))) + some(BELOW, 1 + int(r.random() < 0.35))
    if stage == "IV" and r.random() < 0.25:
        both = both[: r.integers(0, len(both))]
    return both


def _nodes(r: np.random.Generator, station: str, base: float) -> list[Lesion]:
    """Nodes of one station: apart, hanging together in a chain, or one in ten bulky."""
    places = STATIONS[station]
    bulky, chain = r.random() < 0.1, r.random() < 0.35
    sides = (float(r.choice((-1, 1))),) if r.random() < 0.6 else (-1.0, 1.0)
    found: list[Lesion] = []
    centre = np.zeros(3)
    for k in range(1 + r.poisson(2.4 if chain else 1.2)):
        x, y, z = places[r.integers(len(places))]
        spread = 18.0 if bulky else 11.0
        apart = np.array((x * r.choice(sides), y, z)) + r.normal(0, spread, 3) * (1, 0.8, 1.3)
        radius = r.uniform(18, 55) if bulky else log_uniform(r, 4, 22)
        way = r.normal(0, 1, 3) * (0.7, 0.6, 1.4)
        if chain and k:
            reach = 0.9 * (radius + float(np.mean(found[-1].radii)))
            centre = centre + way / (np.linalg.norm(way) + 1e-9) * reach
        else:
            centre = apart
        found.append(_lesion(r, station, centre, radius, base))
    return found


def _touching(r: np.random.Generator, places: Places, base: float) -> list[Lesion]:
    """Nodes against an organ, most often the bladder."""
    name = str(r.choice(BESIDE))
    found = []
    for _ in range(1 + r.poisson(0.5)):
        radius = log_uniform(r, 5, 28)
        centre = places.beside(name, r, radius)
        found.append(_lesion(r, f"beside {name}", np.array(centre), radius, base))
    return found


def _extranodal(r: np.random.Generator, places: Places, site: str, base: float) -> list[Lesion]:
    count = {"spleen": r.integers(1, 10), "marrow": r.integers(1, 14), "bone": r.integers(1, 5)}
    many = {"lung": r.integers(1, 6), "liver": r.integers(1, 6), "skin": r.integers(1, 4)}
    found = []
    for _ in range(int({**count, **many}.get(site, r.integers(1, 3)))):
        centre = np.array(places.inside(site, r) if site in ORGANS else _place(r, site))
        large = 60.0 if site in ("soft tissue", "limb") and r.random() < 0.5 else 20.0
        found.append(_lesion(r, site, centre, log_uniform(r, 4, large), base))
    return found


def _mass(r: np.random.Generator, site: str, base: float) -> list[Lesion]:
    """A tumour of limb, groin or trunk wall: one to four lobes, warm to hot, often hollow."""
    centre, radius = _place(r, site), log_uniform(r, 10, 60)
    level = base * r.uniform(0.4, 1.3)
    lobes = [_lesion(r, site, centre, radius, level)]
    for _ in range(r.integers(0, 4)):
        aside = r.normal(0, 0.6, 3) * radius * (0.7, 0.7, 1.6)
        lobes.append(_lesion(r, site, centre + aside, radius * r.uniform(0.4, 0.9), level))
    return lobes


def _place(r: np.random.Generator, site: str) -> np.ndarray:
    side, u = float(r.choice((-1, 1))), r.uniform
    spine = (u(-14, 14), u(38, 68), u(20, 620))
    pelvis = (side * u(50, 110), u(10, 60), u(-80, 40))
    places = {
        "marrow": spine if r.random() < 0.6 else pelvis,
        "bone": (side * u(120, 150), u(-50, 50), u(320, 580)) if r.random() < 0.5 else pelvis,
        "soft tissue": (side * u(40, 160), u(50, 95), u(-40, 560)),
        "skin": (side * u(20, 160), float(r.choice((-98, 98))), u(-60, 560)),
        "bowel": (u(-100, 100), u(-60, -5), u(20, 190)),
        "limb": (side * u(45, 130), u(-60, 60), u(-560, -60)),
        "groin": (side * u(35, 110), u(-85, -20), u(-220, -60)),
        "anywhere": (u(-130, 130), u(-75, 75), u(-250, 740)),
    }
    return np.array(places[site])


def _lesion(
    r: np.random.Generator, site: str, centre: np.ndarray, radius: float, base: float
) -> Lesion:
    radii, mottled = radius * r.uniform(0.7, 1.35, 3), 0.6 if radius < MASS_MM else 0.9
    x, y, z = (float(v) for v in centre)
    return Lesion(
        site,
        (x, y, z),
        (float(radii[0]), float(radii[1]), float(radii[2])),
        base * r.uniform(0.4, 1.5),
        r.uniform(-1.2, 1.2),
        r.uniform(-0.6, 0.6),
        bool(radius > 17 and r.random() < 0.4),
        float(r.uniform(0, mottled)) if radius > 12 else 0.0,
    )
