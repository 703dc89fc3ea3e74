"""The body's outline in PET and CT, on a thinned grid: cheap, and the same in any unit."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tmtv_engine.image.volume import Array, FloatArray, Grid, Mask, Unit, Volume

FINE_MM = 8.0
AIR_SHARE = 0.25  # of the body's median: less is air
SKIN_HU = -300.0


@dataclass(frozen=True, eq=False)
class Outline:
    """What lies ``inside`` the body, (z, y, x), of the ``values`` on a thinned ``grid``."""

    inside: Mask
    values: Array
    grid: Grid

    @property
    def mean(self) -> float:
        """The mean value inside; 0 where there is no body."""
        return float(self.values[self.inside].mean()) if self.inside.any() else 0.0

    @property
    def areas_cm2(self) -> FloatArray:
        """The body's area in each axial plane, (z,)."""
        _, y, x = self.grid.spacing_mm
        return np.asarray(self.inside.sum(axis=(1, 2)) * (y * x / 100.0))


def pet_outline(suv: Volume, *, below_percent: float = 100.0) -> Outline:
    """The body in a PET: what exceeds a quarter of its own median, slices filled.

    The share is of the image's own values, so that a wrong unit moves nothing. The search
    begins at a quarter of the mean, of values cut off at the percentile ``below_percent``.
    """
    values, grid = _thinned(suv)
    positive = values[values > 0]
    if not positive.size:
        return Outline(np.zeros(values.shape, bool), values, grid)
    usual = np.minimum(positive, np.percentile(positive, below_percent))
    level = AIR_SHARE * float(usual.mean())
    for _ in range(8):
        level = AIR_SHARE * float(np.median(positive[positive > level]))
    return Outline(_filled(values > level), values, grid)


def ct_outline(ct: Volume) -> Outline:
    """The body in a CT: the largest piece above −300 HU without thin things such as the couch."""
    from scipy import ndimage

    ct.require(Unit.HU)
    values, grid = _thinned(ct)
    body = ndimage.binary_opening(values > SKIN_HU, ndimage.generate_binary_structure(3, 1))
    labels, count = ndimage.label(body)
    if count > 1:
        body = labels == 1 + int(np.bincount(labels.ravel())[1:].argmax())
    return Outline(_filled(body), values, grid)


def _thinned(volume: Volume) -> tuple[Array, Grid]:
    """Every n-th voxel along each axis, so that they lie at most about 8 mm apart."""
    steps = [max(1, round(FINE_MM / s)) for s in volume.grid.spacing_mm]
    steps = [min(step, n) for step, n in zip(steps, volume.grid.shape, strict=True)]
    values = volume.array[:: steps[0], :: steps[1], :: steps[2]]
    affine = volume.grid.affine.copy()
    affine[:3, :3] *= steps
    z, y, x = values.shape
    return np.ascontiguousarray(values), Grid((z, y, x), affine, volume.grid.frame_uid)


def _filled(body: Mask) -> Mask:
    """Holes of each axial slice filled."""
    from scipy import ndimage

    plane = np.zeros((3, 3, 3), bool)
    plane[1] = ndimage.generate_binary_structure(2, 1)
    return np.asarray(ndimage.binary_fill_holes(body, plane))
