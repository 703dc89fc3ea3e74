"""How good a study is for measuring: what headers and pixels tell, and what to warn about."""

from __future__ import annotations

import re
from typing import Any

import numpy as np

from tmtv_engine.image.outline import Outline, pet_outline
from tmtv_engine.image.volume import FloatArray, Volume
from tmtv_engine.notices import Notice, notice
from tmtv_engine.study.fit import misregistration

SHARE_OF_HEIGHT = 0.45  # from the base of the skull to the thighs
SHORTEST_MM = 750.0  # where no height is known
NECK_CM2, LEG_CM2 = 350.0, 60.0
COARSEST_MM = 6.2  # the radius of SUVpeak's sphere: further apart, it holds one voxel along an axis
_SHARP = re.compile(r"PSF|TRUEX|ULTRAHD|SHARPIR|VPFXS|VPHDS|VPHD-S|QCFX|QCHD|Q\.?CLEAR")
_FLIGHT = re.compile(r"TOF|VPFX|QCFX|ULTRAHD|OS-TF")
_FILTER = re.compile(r"(?:GAUSS(?:IAN)?|FWHM)[ :=]*([0-9]+(?:\.[0-9]+)?)")


def quality_of(
    suv: Volume,
    ct: Volume | None = None,
    *,
    height_m: float | None = None,
    method: str = "",
    kernel: str = "",
    slices: tuple[int, int | None] | None = None,
    uptake_s: float | None = None,
    body: Outline | None = None,
) -> tuple[dict[str, Any], list[Notice]]:
    """The ``quality`` of `case.json` and its warnings; None in it is what cannot be known.

    ``method`` and ``kernel`` are ReconstructionMethod and ConvolutionKernel, ``slices`` how many
    are there and how many the headers promise.
    """
    body = body or pet_outline(suv)
    covered, told = coverage(body, height_m)
    fit, more = (None, []) if ct is None else misregistration(body, ct)
    present, promised = slices or (suv.grid.shape[0], None)
    found = {
        "slices": {"present": present, "promised": promised},
        "coverage": covered,
        "misregistration": fit,
        "uptake_min": None if uptake_s is None else uptake_s / 60.0,
        "body_suv_mean": body.mean,
        "liver": None,  # both where something names them: `model.reference`
        "blood_pool": None,
        "reconstruction": reconstruction(suv, method, kernel),
    }
    return found, [*told, *more, *_coarse(suv)]


def _coarse(suv: Volume) -> list[Notice]:
    spacing = suv.grid.spacing_mm
    if max(spacing) <= COARSEST_MM:
        return []
    return [notice("coarse-voxels", " × ".join(f"{s:.3g}" for s in spacing) + " mm")]


def reconstruction(suv: Volume, method: str, kernel: str) -> dict[str, Any]:
    """Voxels, method and filter, and which EARL standard they come near, as far as it is said.

    The hint is what resolution modelling and time of flight usually come to: EARL 2 with, EARL 1
    without. It says nothing of a scanner's accreditation.
    """
    words = f"{method} {kernel}".upper()
    fwhm = _FILTER.search(words)
    sharp = bool(_SHARP.search(words))
    return {
        "voxel_mm": list(suv.grid.spacing_mm),
        "method": method or None,
        "kernel": kernel or None,
        "fwhm_mm": float(fwhm[1]) if fwhm else None,
        "time_of_flight": bool(_FLIGHT.search(words)) if method else None,
        "earl_hint": ("EARL 2" if sharp else "EARL 1") if method else None,
    }


def coverage(body: Outline, height_m: float | None) -> tuple[dict[str, Any], list[Notice]]:
    """The scan's length along the body, and whether head and thighs are in it, by areas."""
    length = len(body.inside) * body.grid.spacing_mm[0]
    least = SHARE_OF_HEIGHT * 1000.0 * height_m if height_m else SHORTEST_MM
    told = [] if length >= least else [notice("coverage", f"{length:.0f} mm along the body")]
    inside = body.inside if body.grid.affine[2, 0] > 0 else body.inside[::-1]
    return {"extent_mm": length, "head": _head(inside, body), "thighs": _thighs(inside, body)}, told


def _head(inside: Any, body: Outline) -> bool:
    """Whether the top is narrow as a head or neck is (arms beside it left out), a trunk below."""
    filled = np.flatnonzero(inside.any(axis=(1, 2)))
    if not len(filled):
        return False
    deep = max(1, round(100.0 / body.grid.spacing_mm[0]))
    top = max(_pieces_cm2(plane, body)[0] for plane in inside[filled[-deep:]])
    return bool(top < NECK_CM2 and body.areas_cm2.max() > 1.3 * top)


def _thighs(inside: Any, body: Outline) -> bool:
    """Whether the lowest slice shows two like pieces, each as large as a leg."""
    areas = _pieces_cm2(inside[0], body)
    return bool(len(areas) > 1 and areas[1] >= max(LEG_CM2, 0.5 * areas[0]))


def _pieces_cm2(plane: Any, body: Outline) -> FloatArray:
    """The areas of a slice's separate pieces, the largest first; a 0 where there is none."""
    from scipy import ndimage

    labels, _ = ndimage.label(plane)
    _, y, x = body.grid.spacing_mm
    areas = np.append(np.bincount(labels.ravel())[1:], 0) * (y * x / 100.0)
    return np.asarray(np.sort(areas)[::-1])
