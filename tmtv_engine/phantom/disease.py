"""Lymphoma: subtype, stage, stations, and the lesions that follow from them.

No published distribution was found for DLBCL and FL SUVmax; the ranges here are assumptions,
wider than any cohort (Hodgkin 9-21 is the mean per patient that the literature gives).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from tmtv_engine.phantom.build import log_uniform
from tmtv_engine.phantom.canvas import Canvas, Shape, blur, intersect

SUBTYPES = ("HL", "DLBCL", "FL")
SHARES = (0.38, 0.42, 0.20)  # of the paper's 2,030 patients
HOT_SUV = {"HL": (4.0, 22.0), "DLBCL": (4.0, 36.0), "FL": (3.0, 16.0)}
HEALTHY = 0.09
VISIBLE = 1.4  # so many times the uptake of its place

STATIONS: dict[str, tuple[tuple[float, float, float], ...]] = {
    "cervical": ((40, 20, 680), (48, 25, 720), (44, 0, 700), (38, 35, 690)),
    "supraclavicular": ((60, 5, 640), (45, -10, 625)),
    "axillary": ((135, 0, 560), (125, 10, 535), (140, -15, 575)),
    "mediastinal": ((0, -45, 540), (0, -20, 500), (20, 0, 480), (0, 10, 430), (0, -60, 420)),
    "hilar": ((45, 5, 450), (38, 10, 435)),
    "para-aortic": ((20, 35, 250), (18, 35, 200), (25, 35, 150), (40, 35, 90)),
    "mesenteric": ((0, -5, 170), (0, -25, 190), (30, -30, 150), (-30, -20, 130)),
    "splenic hilum": ((60, 30, 290),),
    "iliac": ((65, 10, 20), (60, 15, 50), (70, 0, -15)),
    "inguinal": ((80, -60, -60), (85, -55, -90)),
}
ABOVE = ("cervical", "supraclavicular", "axillary", "mediastinal", "hilar")
BELOW = ("para-aortic", "mesenteric", "splenic hilum", "iliac", "inguinal")
EXTRANODAL = ("marrow", "spleen", "lung", "liver", "bone", "soft tissue", "skin", "bowel", "limb")


@dataclass(frozen=True)
class Lesion:
    """One lesion to draw: where, how large (semi-axes, mm), how hot, and of what kind."""

    site: str
    centre: tuple[float, float, float]
    radii: tuple[float, float, float]
    suv: float
    tilt: float
    lean: float
    necrotic: bool
    coarse: float


@dataclass(frozen=True)
class Disease:
    """A patient's lymphoma; no lesions: a healthy patient, without subtype."""

    subtype: str
    stage: str
    lesions: tuple[Lesion, ...]


def draw_disease(r: np.random.Generator) -> Disease:
    """Draw subtype, Ann Arbor stage and lesions, from one node to bulky, spread disease."""
    if r.random() < HEALTHY:
        return Disease("", "", ())
    subtype = str(r.choice(SUBTYPES, p=SHARES))
    stage = str(r.choice(("I", "II", "III", "IV"), p=(0.12, 0.26, 0.26, 0.36)))
    low, high = HOT_SUV[subtype]
    base = log_uniform(r, low, high)
    lesions: list[Lesion] = []
    for station in _stations(r, stage):
        lesions += _nodes(r, station, base)
    if stage == "IV":
        for site in r.choice(EXTRANODAL, size=r.integers(1, 4), replace=False):
            lesions += _extranodal(r, str(site), base)
    if r.random() < 0.3:
        lesions += _extranodal(r, "anywhere", base)
    if r.random() < 0.2:
        lesions += _mass(r, str(r.choice(("limb", "limb", "soft tissue"))), base)
    if stage in ("III", "IV") and r.random() < 0.3:
        lesions += _extranodal(r, "spleen", base)
    return Disease(subtype, stage, tuple(lesions[:60]))


def _stations(r: np.random.Generator, stage: str) -> list[str]:
    side = ABOVE if r.random() < 0.68 else BELOW
    if stage == "I":
        return [str(r.choice(side))]
    if stage == "II":
        return [str(s) for s in r.choice(side, size=r.integers(2, 5), replace=False)]
    both = [*r.choice(ABOVE, size=r.integers(1, 5), replace=False)]
    both += [*r.choice(BELOW, size=r.integers(1, 5), replace=False)]
    if stage == "IV" and r.random() < 0.25:
        both = both[: r.integers(0, len(both))]
    return [str(s) for s in both]


def _nodes(r: np.random.Generator, station: str, base: float) -> list[Lesion]:
    """Nodes of one station: some on one side, some on both; one in ten bulky or coalescent."""
    places = STATIONS[station]
    bulky = r.random() < 0.1
    sides = (float(r.choice((-1, 1))),) if r.random() < 0.6 else (-1.0, 1.0)
    found = []
    for _ in range(1 + r.poisson(1.6)):
        x, y, z = places[r.integers(len(places))]
        spread = 18.0 if bulky else 11.0
        centre = np.array((x * r.choice(sides), y, z)) + r.normal(0, spread, 3) * (1, 0.8, 1.3)
        radius = r.uniform(18, 55) if bulky else log_uniform(r, 4, 22)
        found.append(_lesion(r, station, centre, radius, base))
    return found


def _extranodal(r: np.random.Generator, site: str, base: float) -> list[Lesion]:
    count = {"spleen": r.integers(1, 12), "marrow": r.integers(2, 18), "bone": r.integers(1, 5)}
    many = {"lung": r.integers(1, 6), "liver": r.integers(1, 6), "skin": r.integers(1, 4)}
    found = []
    for _ in range(int({**count, **many}.get(site, r.integers(1, 3)))):
        centre = _place(r, site)
        large = 60.0 if site in ("soft tissue", "limb") and r.random() < 0.5 else 20.0
        found.append(_lesion(r, site, centre, log_uniform(r, 4, large), base))
    return found


def _mass(r: np.random.Generator, site: str, base: float) -> list[Lesion]:
    """A tumour of limb or trunk wall: one to four lobes, warm to hot, often hollow."""
    centre, radius = _place(r, site), log_uniform(r, 10, 60)
    level = base * r.uniform(0.4, 1.3)
    lobes = [_lesion(r, site, centre, radius, level)]
    for _ in range(r.integers(0, 4)):
        aside = r.normal(0, 0.6, 3) * radius * (0.7, 0.7, 1.6)
        lobes.append(_lesion(r, site, centre + aside, radius * r.uniform(0.4, 0.9), level))
    return lobes


def _place(r: np.random.Generator, site: str) -> np.ndarray:
    side, u = float(r.choice((-1, 1))), r.uniform
    spine = (u(-12, 12), u(50, 68), u(20, 620))
    pelvis = (side * u(50, 110), u(10, 60), u(-80, 40))
    places = {
        "marrow": spine if r.random() < 0.6 else pelvis,
        "bone": (side * u(120, 150), u(-50, 50), u(320, 580)) if r.random() < 0.5 else pelvis,
        "spleen": (u(72, 115), u(8, 52), u(232, 318)),
        "lung": (side * u(45, 120), u(-45, 55), u(350, 560)),
        "liver": (-u(20, 140), u(-60, 50), u(200, 310)),
        "soft tissue": (side * u(40, 160), u(50, 95), u(-40, 560)),
        "skin": (side * u(20, 160), float(r.choice((-98, 98))), u(-60, 560)),
        "bowel": (u(-100, 100), u(-60, -5), u(20, 190)),
        "limb": (side * u(45, 130), u(-60, 60), u(-560, -60)),
        "anywhere": (u(-130, 130), u(-75, 75), u(-250, 740)),
    }
    return np.array(places[site])


def _lesion(
    r: np.random.Generator, site: str, centre: np.ndarray, radius: float, base: float
) -> Lesion:
    radii = radius * r.uniform(0.7, 1.35, 3)
    x, y, z = (float(v) for v in centre)
    return Lesion(
        site,
        (x, y, z),
        (float(radii[0]), float(radii[1]), float(radii[2])),
        base * r.uniform(0.4, 1.5),
        r.uniform(-1.2, 1.2),
        r.uniform(-0.6, 0.6),
        bool(radius > 17 and r.random() < 0.4),
        float(r.uniform(0, 0.6)) if radius > 12 else 0.0,
    )


def draw_lesions(
    canvas: Canvas, disease: Disease, body: Tensor, noise: torch.Generator
) -> tuple[Tensor, int]:
    """Draw the lesions where there is body; returns their marks (z, y, x) int16 and how many.

    One that hardly exceeds what it lies in is left out: nobody could draw its outline.
    A voxel's mark is the last lesion that fills over 15 % of it and is no hot organ's.
    """
    marks = torch.zeros(canvas.shape, dtype=torch.int16, device=canvas.suv.device)
    number, healthy = 0, canvas.suv.clone()
    for lesion in disease.lesions:
        shape = intersect(
            canvas.ellipsoid(lesion.centre, lesion.radii, lesion.tilt, lesion.lean), body
        )
        if shape is None or float(shape.fill.max()) < 0.3 or _unseen(healthy, lesion, shape):
            continue
        number += 1
        uptake = _uptake(canvas, lesion, shape, noise)
        canvas.put(shape, torch.maximum(uptake, canvas.suv[shape.box]), 45.0)
        own = (shape.fill > 0.15) & ~canvas.hot[shape.box]
        marks[shape.box] = torch.where(
            own, torch.tensor(number, dtype=torch.int16), marks[shape.box]
        )
        canvas.hot[shape.box] &= shape.fill <= 0.5
    return marks, number


def _unseen(healthy: Tensor, lesion: Lesion, shape: Shape) -> bool:
    around = float((healthy[shape.box] * shape.fill).sum() / shape.fill.sum())
    return lesion.suv < VISIBLE * around


def _uptake(canvas: Canvas, lesion: Lesion, shape: Shape, noise: torch.Generator) -> Tensor:
    """Even uptake, or coarse texture about it; a necrotic middle at a fifth of the rim."""
    device = canvas.suv.device
    if not lesion.coarse and not lesion.necrotic:
        return torch.full(shape.fill.shape, lesion.suv, device=device)
    rough = torch.randn(shape.fill.shape, generator=noise, device=device)
    grain_mm = max(9.0, 0.3 * min(lesion.radii))
    rough = blur(rough, tuple(grain_mm / s for s in canvas.spacing))  # type: ignore[arg-type]
    rough = rough / (rough.std() + 1e-6)
    uptake = (lesion.suv * (1 + lesion.coarse * rough)).clamp(min=0.2 * lesion.suv)
    if lesion.necrotic:
        inner = tuple(0.6 * a for a in lesion.radii)
        core = canvas.ellipsoid(lesion.centre, inner, lesion.tilt, lesion.lean)  # type: ignore[arg-type]
        if core is not None:
            whole = torch.zeros(canvas.shape, device=device)
            whole[core.box] = core.fill
            uptake = uptake * (1 - 0.8 * whole[shape.box])
    return uptake
