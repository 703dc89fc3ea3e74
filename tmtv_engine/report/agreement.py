"""Two segmentations of one patient, voxel by voxel and lesion by lesion.

What cannot be known is None: a ratio with nothing below the line, so that a patient without
disease, found without disease, spoils no mean. `summarise` counts those apart.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from tmtv_engine.errors import GeometryError
from tmtv_engine.image.volume import Array


@dataclass(frozen=True)
class Overlap:
    """The voxels of a found and a reference mask, counted four ways."""

    true_positive: int
    false_positive: int
    false_negative: int
    true_negative: int

    @property
    def dice(self) -> float | None:
        """2 TP / (2 TP + FP + FN); None where both masks are empty."""
        twice = 2 * self.true_positive
        return _ratio(twice, twice + self.false_positive + self.false_negative)

    @property
    def jaccard(self) -> float | None:
        """TP / (TP + FP + FN); None where both masks are empty."""
        union = self.true_positive + self.false_positive + self.false_negative
        return _ratio(self.true_positive, union)

    @property
    def sensitivity(self) -> float | None:
        """TP / (TP + FN); None where the reference is empty."""
        return _ratio(self.true_positive, self.true_positive + self.false_negative)

    @property
    def specificity(self) -> float | None:
        """TN / (TN + FP); None where the reference fills the image."""
        return _ratio(self.true_negative, self.true_negative + self.false_positive)

    @property
    def ppv(self) -> float | None:
        """TP / (TP + FP); None where nothing was found."""
        return _ratio(self.true_positive, self.true_positive + self.false_positive)

    @property
    def npv(self) -> float | None:
        """TN / (TN + FN); None where everything was found."""
        return _ratio(self.true_negative, self.true_negative + self.false_negative)


@dataclass(frozen=True)
class Detection:
    """Lesions found and lesions there: one that shares a voxel with the other side is a hit.

    ``detected`` and ``missed`` are labels of the reference, ``false`` of what was found; volumes
    of whole lesions in mL, as autoPET counts them.
    """

    detected: tuple[int, ...]
    missed: tuple[int, ...]
    true: tuple[int, ...]
    false: tuple[int, ...]
    missed_ml: float
    false_ml: float

    @property
    def sensitivity(self) -> float | None:
        """The share of reference lesions that were found; None where there are none."""
        return _ratio(len(self.detected), len(self.detected) + len(self.missed))

    @property
    def ppv(self) -> float | None:
        """The share of found lesions that are there; None where none was found."""
        return _ratio(len(self.true), len(self.true) + len(self.false))


@dataclass(frozen=True)
class Summary:
    """The mean of the ``known`` values, None where there are none, and how many are not known."""

    mean: float | None
    known: int
    unknown: int


def overlap(found: Array, reference: Array) -> Overlap:
    """Compare two masks of one shape (any dtype, non-zero is inside).

    Raises `GeometryError` where the shapes differ.
    """
    one, two = _same_shape(found, reference)
    both = int(np.count_nonzero(one.astype(bool) & two.astype(bool)))
    first, second = int(np.count_nonzero(one)), int(np.count_nonzero(two))
    return Overlap(both, first - both, second - both, one.size - first - second + both)


def dice(found: Array, reference: Array) -> float | None:
    """`Overlap.dice` of two masks."""
    return overlap(found, reference).dice


def jaccard(found: Array, reference: Array) -> float | None:
    """`Overlap.jaccard` of two masks."""
    return overlap(found, reference).jaccard


def detection(found: Array, reference: Array, voxel_ml: float) -> Detection:
    """Compare two label maps of one shape lesion by lesion; 0 is background.

    Raises `GeometryError` where the shapes differ.
    """
    one, two = _same_shape(found, reference)
    both = (one != 0) & (two != 0)
    true, false, false_voxels = _parted(one, one[both])
    detected, missed, missed_voxels = _parted(two, two[both])
    return Detection(
        detected, missed, true, false, missed_voxels * voxel_ml, false_voxels * voxel_ml
    )


def summarise(values: Iterable[float | None]) -> Summary:
    """Mean and count of the values that are known."""
    told = list(values)
    known = [value for value in told if value is not None]
    mean = float(np.mean(known)) if known else None
    return Summary(mean, len(known), len(told) - len(known))


def _parted(labels: Array, hit: Array) -> tuple[tuple[int, ...], tuple[int, ...], int]:
    """Labels among ``hit``, the others, and the others' voxels."""
    ids, counts = np.unique(labels[labels != 0], return_counts=True)
    shared: npt.NDArray[np.bool_] = np.isin(ids, hit)
    return tuple(ids[shared].tolist()), tuple(ids[~shared].tolist()), int(counts[~shared].sum())


def _same_shape(found: Array, reference: Array) -> tuple[Array, Array]:
    if found.shape != reference.shape:
        raise GeometryError(
            f"masks of {found.shape} and {reference.shape} voxels cannot be compared",
            "Bring both onto the PET's grid first",
        )
    return found, reference


def _ratio(above: int, below: int) -> float | None:
    return above / below if below else None
