"""One body onto the other: a rigid motion between two PETs of a patient."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from tmtv_engine.errors import InputError
from tmtv_engine.image.outline import pet_outline
from tmtv_engine.image.resample import resample
from tmtv_engine.image.volume import FloatArray, Grid, Unit, Volume

if TYPE_CHECKING:
    import SimpleITK as sitk

STEP_MM = 8.0
TOP_SUV = 2.5
STARTS_MM = tuple(40.0 * k for k in range(-8, 9))
AGREE = 0.7


@dataclass(frozen=True, eq=False)
class Rigid:
    """Where a point of the baseline lies at follow-up: ``rotation`` (3, 3) · point + ``shift_mm``.

    ``overlap``: Dice of the two bodies once aligned, where both scans reach.
    """

    rotation: FloatArray
    shift_mm: FloatArray
    overlap: float

    def apply(self, points_mm: FloatArray) -> FloatArray:
        """Points (n, 3) of the baseline as points of the follow-up, (x, y, z) LPS mm."""
        return np.asarray(points_mm @ self.rotation.T + self.shift_mm)

    def undo(self, points_mm: FloatArray) -> FloatArray:
        """Points (n, 3) of the follow-up as points of the baseline."""
        return np.asarray((points_mm - self.shift_mm) @ self.rotation)

    @property
    def angle_deg(self) -> float:
        """How far it turns."""
        return float(np.degrees(np.arccos(np.clip((np.trace(self.rotation) - 1) / 2, -1, 1))))


def align(baseline: Volume, followup: Volume) -> Rigid:
    """The rigid motion that lays the body at ``baseline`` onto that at ``followup`` (SUV).

    SimpleITK's registration of the two PETs, on 8 mm, cut off at SUV 2.5 so that what changed
    (tumour, bladder) weighs no more than what did not: correlation, from the best of several
    heights. One thread, every voxel: the same motion each time. Raises `InputError` where there
    is no body, or the two do not come to lie on each other.
    """
    fixed, moving = _thin(baseline), _thin(followup)
    best = _registered(_image(fixed), _image(moving))
    matrix = np.array(best.GetMatrix()).reshape(3, 3)
    centre, shift = np.array(best.GetCenter()), np.array(best.GetTranslation())
    found = Rigid(matrix, centre + shift - matrix @ centre, 0.0)
    overlap = _overlap(fixed, moving, found)
    if overlap < AGREE:
        raise InputError(
            f"the two bodies do not come to lie on each other (Dice {overlap:.2f})",
            "Look whether both are of one patient and one part of the body.",
        )
    return Rigid(found.rotation, found.shift_mm, overlap)


def _thin(suv: Volume) -> Volume:
    """The PET on an axial grid of 8 mm that holds all of it, smoothed and cut off."""
    from scipy.ndimage import gaussian_filter

    array = suv.require(Unit.SUV)
    sigma = [STEP_MM / 2 / mm for mm in suv.grid.spacing_mm]
    smooth = suv.with_array(gaussian_filter(np.clip(array, 0, TOP_SUV), sigma))
    ends = np.array(np.meshgrid(*[(0, n - 1) for n in array.shape])).reshape(3, -1).T
    corners = suv.grid.to_mm(ends)
    low, high = corners.min(axis=0), corners.max(axis=0)
    x, y, z = (int(n) for n in np.ceil((high - low) / STEP_MM) + 1)
    grid = Grid.axial((z, y, x), (STEP_MM,) * 3, tuple(low), suv.grid.frame_uid)
    return resample(smooth, grid)


def _image(volume: Volume) -> sitk.Image:
    import SimpleITK as sitk

    image = sitk.GetImageFromArray(np.asarray(volume.array, np.float32))
    image.SetSpacing((STEP_MM,) * 3)
    image.SetOrigin([float(v) for v in volume.grid.to_mm(np.zeros(3))])
    return image


def _registered(fixed: sitk.Image, moving: sitk.Image) -> Any:
    import SimpleITK as sitk

    # ITK writes to stderr of each start at which the two do not meet, as those of short scans do
    sitk.ProcessObject.SetGlobalWarningDisplay(False)
    try:
        begin = sitk.CenteredTransformInitializer(
            fixed,
            moving,
            sitk.Euler3DTransform(),
            sitk.CenteredTransformInitializerFilter.MOMENTS,
        )
        first = sitk.Euler3DTransform(begin)
        method = sitk.ImageRegistrationMethod()
        method.SetNumberOfThreads(1)
        method.SetMetricAsCorrelation()
        method.SetInterpolator(sitk.sitkLinear)
        method.SetOptimizerAsRegularStepGradientDescent(4.0, 0.02, 300, 0.6)
        method.SetOptimizerScalesFromPhysicalShift()
        method.SetInitialTransform(_best(method, first, fixed, moving), inPlace=True)
        return sitk.Euler3DTransform(method.Execute(fixed, moving))
    except RuntimeError as error:
        why = str(error).strip().splitlines()[-1][:200]
        what = f"the two bodies cannot be aligned: {why}"
        raise InputError(what, "Look at both PETs.") from error


def _best(method: Any, first: Any, fixed: sitk.Image, moving: sitk.Image) -> Any:
    """Of several heights the one where the two fit best: one scan may reach further."""
    import SimpleITK as sitk

    x, y, z = first.GetTranslation()
    found = []
    for more in STARTS_MM:
        start = sitk.Euler3DTransform(first)
        start.SetTranslation((x, y, z + more))
        method.SetInitialTransform(start)
        try:
            found.append((method.MetricEvaluate(fixed, moving), abs(more), more))
        except RuntimeError:  # they do not meet there
            continue
    start = sitk.Euler3DTransform(first)
    start.SetTranslation((x, y, z + (min(found)[2] if found else 0.0)))
    return start


def _overlap(fixed: Volume, moving: Volume, motion: Rigid) -> float:
    """Dice of the bodies over the baseline's voxels that the follow-up's scan reaches."""
    one, other = pet_outline(fixed), pet_outline(moving)
    index = np.argwhere(np.ones(one.inside.shape, bool))
    at = np.round(other.grid.to_index(motion.apply(one.grid.to_mm(index)))).astype(int)
    within = ((at >= 0) & (at < other.inside.shape)).all(axis=1)
    mine = one.inside[tuple(index[within].T)]
    theirs = other.inside[tuple(at[within].T)]
    both = int(mine.sum() + theirs.sum())
    return 2.0 * int((mine & theirs).sum()) / both if both else 0.0
