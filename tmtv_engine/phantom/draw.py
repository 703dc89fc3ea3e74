"""One digital patient from a seed: anatomy, disease, pitfalls, scanner and truth.

The parameters of a patient are drawn before anything depends on the grid, so that a seed is the
same person on every grid; noise and texture belong to the grid. Seeds from 1,000,000 on are for
training, those below for checking: the two never meet.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from tmtv_engine.image.volume import Grid, Unit, Volume
from tmtv_engine.phantom.anatomy import draw_body
from tmtv_engine.phantom.build import Build
from tmtv_engine.phantom.canvas import CONTROL, HEIGHTS_MM, Canvas, Pose, Triple
from tmtv_engine.phantom.disease import Disease, draw_disease, draw_lesions
from tmtv_engine.phantom.pitfalls import draw_pitfalls
from tmtv_engine.phantom.scanner import PRESETS, Scan, acquire, ct_of
from tmtv_engine.phantom.truth import draw_rois, tmtv_probability

TRAINING_SEEDS = 1_000_000
COARSE_MM = 8.0
COARSE_SHAPE = (128, 64, 64)


@dataclass(frozen=True)
class Person:
    """What a seed decides before there is a grid: pose, field of view, build, disease, scan."""

    seed: int
    pose: Pose
    top_mm: float
    bottom_mm: float
    build: Build
    disease: Disease
    scan: Scan
    height_m: float
    weight_kg: float


@dataclass(frozen=True, eq=False)
class Drawn:
    """Tensors (z, y, x) of one patient, z up to the head; ``prob`` is TMTVprob."""

    suv: Tensor
    ct: Tensor
    rois: Tensor
    prob: Tensor
    person: Person
    pitfalls: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class Patient:
    """One patient as volumes on one grid, with what is true of them."""

    suv: Volume
    ct: Volume
    rois: Volume
    seed: int
    subtype: str
    stage: str
    sex: str
    weight_kg: float
    height_m: float
    pitfalls: tuple[str, ...]


def person_of(seed: int) -> Person:
    """The person that ``seed`` stands for."""
    r = np.random.default_rng(seed)
    scale = (r.uniform(0.84, 1.22), r.uniform(0.84, 1.27), r.uniform(0.85, 1.13))
    if r.random() < 0.02:
        scale = (-scale[0], scale[1], scale[2])  # organs on the other side
    pose = Pose(
        scale,
        (r.uniform(-18, 18), r.uniform(-22, 22)),
        float(np.deg2rad(r.uniform(-7, 7))),
        r.uniform(4, 22),
        r.normal(0, 1, (3, *CONTROL)).astype(np.float32),
        _heights(r),
    )
    cut = r.choice(4, p=(0.45, 0.2, 0.25, 0.1))
    top = (
        float(pose.heights_mm[-1]) * scale[2]
        + 8
        - (0.0, r.uniform(0, 60), r.uniform(80, 140), r.uniform(150, 260))[cut]
    )
    bottom = r.uniform(-450, -60) if r.random() < 0.85 else -900.0
    build = Build.draw(r)
    height = 1.70 * scale[2] * (0.97 if build.sex == "F" else 1.02)
    weight = 70.0 * abs(scale[0]) * scale[1] * scale[2] * r.uniform(0.9, 1.15)
    return Person(
        seed,
        pose,
        top,
        max(bottom, top - 1020),
        build,
        draw_disease(r),
        Scan.draw(r),
        round(height, 2),
        round(float(weight), 1),
    )


def _heights(r: np.random.Generator) -> np.ndarray:
    """Landmarks of one person: the MIRD adult's, each stretch between two some 12 % off."""
    gaps = np.diff(HEIGHTS_MM) * np.exp(r.normal(0, 0.12, len(HEIGHTS_MM) - 1))
    heights = np.concatenate([[0.0], np.cumsum(gaps)])
    return np.asarray(heights - heights[1] + HEIGHTS_MM[1], dtype=np.float32)


def draw_tensors(
    seed: int,
    *,
    spacing_mm: float | Triple = COARSE_MM,
    shape: tuple[int, int, int] | None = None,
    device: str = "cpu",
) -> Drawn:
    """Draw the patient of ``seed`` on a grid whose last slice is the top of the field of view.

    Without ``shape`` the grid covers 512 × 512 mm and, along z, 1024 mm; below the field of
    view there is nothing. The same seed, grid and device give the same numbers.
    """
    spacing = (spacing_mm,) * 3 if isinstance(spacing_mm, int | float) else spacing_mm
    spacing = (float(spacing[0]), float(spacing[1]), float(spacing[2]))
    if shape is None:
        nz, ny, nx = (round(a / s) for a, s in zip((1024.0, 512.0, 512.0), spacing, strict=True))
        shape = (nz, ny, nx)
    person = person_of(seed)
    r = np.random.default_rng((seed, 1))
    noise = torch.Generator(device=device).manual_seed(seed)
    canvas = Canvas(shape, spacing, person.top_mm, person.pose, device)
    body = draw_body(canvas, r, person.build)
    pitfalls = draw_pitfalls(canvas, r, person.build)
    marks, _ = draw_lesions(canvas, person.disease, body, noise)
    canvas.suv *= body.clamp(max=1.0) > 0.02
    suv = acquire(canvas.suv, canvas.plain[0], spacing, person.scan, noise)
    seen = (canvas.plain[0] > person.bottom_mm)[:, None, None]
    suv, marks = suv * seen, torch.where(seen, marks, 0).to(torch.int16)
    rois = draw_rois(marks, canvas.hot, suv, spacing)
    prob = torch.from_numpy(tmtv_probability(suv.cpu().numpy(), rois.cpu().numpy())).to(suv.device)
    ct = torch.where(seen, ct_of(canvas.hu, spacing, noise), -1000.0)
    return Drawn(suv, ct, rois, prob, person, pitfalls)


def draw_patient(
    seed: int, *, spacing_mm: float = 4.0, preset: str | None = None, device: str = "cpu"
) -> Patient:
    """The patient of ``seed`` as volumes on their field of view, axial LPS, z towards the head.

    ``preset`` (``ge``, ``siemens``, ``philips``, ``model``) takes a vendor's grid instead of
    cubes of ``spacing_mm`` over 576 mm.
    """
    person = person_of(seed)
    spacing = PRESETS[preset].spacing_mm if preset else (spacing_mm,) * 3
    across = PRESETS[preset].pixels if preset else round(576.0 / spacing_mm)
    slices = int((person.top_mm - person.bottom_mm) / spacing[0])
    drawn = draw_tensors(seed, spacing_mm=spacing, shape=(slices, across, across), device=device)
    half = (across - 1) / 2 * spacing[1]
    low = (-half, -half, round(-slices * spacing[0], 3))
    grid = Grid.axial((slices, across, across), spacing, low)
    return Patient(
        Volume(drawn.suv.cpu().numpy(), grid, Unit.SUV),
        Volume(drawn.ct.cpu().numpy(), grid, Unit.HU),
        Volume(drawn.rois.cpu().numpy().astype(np.int32), grid, Unit.LABEL),
        seed,
        person.disease.subtype,
        person.disease.stage,
        person.build.sex,
        person.weight_kg,
        person.height_m,
        drawn.pitfalls,
    )
