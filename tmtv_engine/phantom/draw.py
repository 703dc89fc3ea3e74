"""One digital patient from a seed: anatomy, disease, pitfalls, scanner and truth.

The parameters of a patient are drawn before anything depends on the grid, so that a seed is the
same person on every grid; noise and texture belong to the grid.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from tmtv_engine.image.volume import Grid, Unit, Volume
from tmtv_engine.phantom.anatomies import Anatomies
from tmtv_engine.phantom.anatomy import draw_body
from tmtv_engine.phantom.canvas import Canvas
from tmtv_engine.phantom.lesions import Marks, draw_lesions
from tmtv_engine.phantom.person import Person, person_of
from tmtv_engine.phantom.pitfalls import draw_pitfalls
from tmtv_engine.phantom.pose import Triple
from tmtv_engine.phantom.scanner import acquire, ct_of, resolve
from tmtv_engine.phantom.truth import around, draw_rois, spilt, tmtv_probability

COARSE_MM = 8.0
ACROSS_MM, DEPTH_MM = 576.0, 352.0
OWN_MM = 8.0  # what a lesion's uptake is smeared by, at most


@dataclass(frozen=True, eq=False)
class Drawn:
    """Tensors (z, y, x) of one patient, z up to the head.

    SUV; CT in HU, None where none was asked for; true ROIs; TMTVprob; each voxel's structure
    (uint8, `lesion.structures`, 0 in true ROIs).
    """

    suv: Tensor
    ct: Tensor | None
    rois: Tensor
    prob: Tensor
    structures: Tensor
    person: Person
    pitfalls: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class Patient:
    """One patient as volumes on one grid, with what is true of them; ``anatomy`` is a map's key."""

    suv: Volume
    ct: Volume
    rois: Volume
    structures: Volume
    seed: int
    subtype: str
    stage: str
    sex: str
    weight_kg: float
    height_m: float
    pitfalls: tuple[str, ...]
    anatomy: str = ""


def draw_tensors(
    seed: int,
    *,
    spacing_mm: float | Triple = COARSE_MM,
    shape: tuple[int, int, int] | None = None,
    device: str = "cpu",
    anatomies: Anatomies | None = None,
    with_ct: bool = True,
) -> Drawn:
    """Draw the patient of ``seed`` on a grid whose last slice is the top of the field of view.

    Without ``shape`` the grid covers the field of view, 576 × 352 mm across. With ``anatomies``
    the person is one of theirs (`person_of`). The same seed, grid, device and anatomies give the
    same numbers.
    """
    spacing = (spacing_mm,) * 3 if isinstance(spacing_mm, int | float) else spacing_mm
    spacing = (float(spacing[0]), float(spacing[1]), float(spacing[2]))
    person, organs = person_of(seed, anatomies)
    if shape is None:
        reach = (person.top_mm - person.bottom_mm, DEPTH_MM, ACROSS_MM)
        nz, ny, nx = (max(1, round(a / s)) for a, s in zip(reach, spacing, strict=True))
        shape = (nz, ny, nx)
    noise = torch.Generator(device=device).manual_seed(seed)
    canvas = Canvas(
        shape,
        spacing,
        person.top_mm,
        person.pose,
        device,
        organs,
        person.proportions,
        with_ct=with_ct,
    )
    return _drawn(canvas, person, noise)


def _drawn(canvas: Canvas, person: Person, noise: torch.Generator) -> Drawn:
    """Body, pitfalls and lesions on ``canvas``, then the scanner and the truth."""
    r = np.random.default_rng((person.seed, 1))
    spacing, z_mm = canvas.spacing, canvas.plain[0]
    body = draw_body(canvas, r, person.build)
    pitfalls = draw_pitfalls(canvas, r, person.build)
    marks = draw_lesions(canvas, person.disease, body, noise)
    canvas.suv *= body.clamp(max=1.0) > 0.02
    seen = resolve(canvas.suv, z_mm, spacing, person.scan)
    own = _own(marks, canvas, person)
    field = (z_mm > person.bottom_mm)[:, None, None]
    suv = acquire(seen, spacing, person.scan, noise) * field
    labels = torch.where(field, marks.labels, 0).to(torch.int16)
    rois = draw_rois(labels, own, seen, suv, spacing) if marks.number else labels
    prob = torch.from_numpy(tmtv_probability(suv.cpu().numpy(), rois.cpu().numpy())).to(suv.device)
    structures = spilt(canvas.structures, canvas.suv, seen, spacing) * field
    structures = structures.masked_fill(rois > 0, 0)
    ct = None
    if canvas.hu is not None:
        ct = torch.where(field, ct_of(canvas.hu, spacing, noise), -1000.0)
    return Drawn(suv, ct, rois, prob, structures, person, pitfalls)


def _own(marks: Marks, canvas: Canvas, person: Person) -> Tensor:
    """What of the resolved uptake is lesions'."""
    margin = round(3 * OWN_MM / min(canvas.spacing))
    box = around(marks.labels > 0, margin)
    if box is not None:
        part = resolve(marks.own[box], canvas.plain[0][box[0]], canvas.spacing, person.scan)
        marks.own[box] = part
    return marks.own


def draw_patient(
    seed: int,
    *,
    spacing_mm: float = 4.0,
    device: str = "cpu",
    anatomies: Anatomies | None = None,
) -> Patient:
    """The patient of ``seed`` as volumes on their field of view, axial LPS, z towards the head:
    cubes of ``spacing_mm`` over 576 mm."""
    person, _ = person_of(seed, anatomies)
    spacing, across = (spacing_mm,) * 3, round(576.0 / spacing_mm)
    slices = int((person.top_mm - person.bottom_mm) / spacing[0])
    drawn = draw_tensors(
        seed, spacing_mm=spacing, shape=(slices, across, across), device=device, anatomies=anatomies
    )
    half = (across - 1) / 2 * spacing[1]
    low = (-half, -half, round(-slices * spacing[0], 3))
    grid = Grid.axial((slices, across, across), spacing, low)
    if drawn.ct is None:
        raise ValueError("a patient on its volumes has a CT")
    return Patient(
        Volume(drawn.suv.cpu().numpy(), grid, Unit.SUV),
        Volume(drawn.ct.cpu().numpy(), grid, Unit.HU),
        Volume(drawn.rois.cpu().numpy().astype(np.int32), grid, Unit.LABEL),
        Volume(drawn.structures.cpu().numpy(), grid, Unit.LABEL),
        seed,
        person.disease.subtype,
        person.disease.stage,
        person.build.sex,
        person.weight_kg,
        person.height_m,
        drawn.pitfalls,
        person.anatomy,
    )
