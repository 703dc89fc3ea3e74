"""One side of a comparison: lesions and their cuts; two sides, voxel by voxel and by lesion.

Everything is done on lists of voxels, so that a whole-body label map costs what its lesions do.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from tmtv_engine.case.cuts import Cuts
from tmtv_engine.case.folder import Case
from tmtv_engine.errors import GeometryError
from tmtv_engine.lesion.drawn import RoiMode, drawn_lesions
from tmtv_engine.lesion.lists import Lesions
from tmtv_engine.lesion.methods import Method
from tmtv_engine.lesion.thresholds import background_suv
from tmtv_engine.notices import Notice
from tmtv_engine.report.agreement import Overlap
from tmtv_engine.report.cohort import OVERLAPS, Found
from tmtv_engine.review.reading import Reading, Replayer, reading_of
from tmtv_engine.review.source import source_suv
from tmtv_engine.study.owner import Owner

Voxels = npt.NDArray[np.int64]
PREDICTION = "prediction"


@dataclass(frozen=True, eq=False)
class Side:
    """The lesions that count, and what their cuts need."""

    cuts: Cuts

    @property
    def lesions(self) -> Lesions:
        """The lesions."""
        return self.cuts.lesions

    def voxels(self, method: Method) -> Voxels:
        """The voxels that stay under ``method``, flat indices, rising."""
        return np.sort(self.lesions.voxels[self.cuts.keep(method)])


def read_as(case: Case, reader: str | None) -> Reading:
    """The case as ``reader`` left it: None the reading of record, "prediction" before anyone."""
    if reader == PREDICTION:
        return Replayer(case).replay([], None)
    return reading_of(case, reader)


def side_of(case: Case, reading: Reading) -> Side:
    """The accepted lesions of a reading, cut as the case was."""
    lesions = reading.lesions.take(reading.accepted)
    return Side(Cuts.of_record(case.record, lesions, reading.around))


def roi_side(
    case: Case, path: Path | None, mode: RoiMode, accepted: Collection[str] = ()
) -> tuple[Side, tuple[Notice, ...]]:
    """Manual ROIs on the case's own PET, read again, and what to warn about; no path: a patient
    without disease."""
    suv = source_suv(case)
    methods = Cuts.of_record(case.record, case.voxels().take([])).methods
    lesions, told = drawn_lesions(path, suv, mode, Owner.of_source(case.source()), accepted)
    around = np.full(len(lesions), np.nan)
    if any(m.needs_background for m in methods):
        around = background_suv(lesions, suv)
    return Side(Cuts(lesions, methods, around, case.record.provenance.liver_threshold_suv)), told


def check_same_grid(first: Side, second: Side, name: str) -> None:
    """Raises `GeometryError` where two sides do not lie on one grid."""
    if not first.lesions.grid.matches(second.lesions.grid, 0.1):
        raise GeometryError(f"{name}: the two do not lie on one grid", "Compare the same PET.")


def overlap_of(found: Voxels, reference: Voxels, whole: int) -> Overlap:
    """`agreement.overlap` of two masks given by their voxels, in an image of ``whole`` voxels."""
    both = len(np.intersect1d(found, reference, assume_unique=True))
    return Overlap(
        both,
        len(found) - both,
        len(reference) - both,
        whole - len(found) - len(reference) + both,
    )


def overlaps(found: Overlap) -> dict[str, float | None]:
    """The ratios of an overlap by name."""
    return {key: getattr(found, key) for key in OVERLAPS}


def touching(found: Lesions, reference: Lesions) -> list[tuple[int, ...]]:
    """For each found lesion the rows of the reference lesions that it shares a voxel with."""
    _, one, two = np.intersect1d(
        found.voxels, reference.voxels, assume_unique=True, return_indices=True
    )
    pairs = np.unique(np.stack([found.owner[one], reference.owner[two]]), axis=1)
    return [tuple(pairs[1, pairs[0] == row].tolist()) for row in range(len(found))]


def found_of(case: Case, side: Side, reference: Side) -> Found:
    """Lesion by lesion: what counts now, and for the free-response curve what was proposed."""
    hits = touching(side.lesions, reference.lesions)
    return Found(
        case.name,
        len(reference.lesions),
        len(side.lesions),
        len({row for own in hits for row in own}),
        sum(not own for own in hits),
        _scored(case, reference.lesions),
    )


def _scored(case: Case, reference: Lesions) -> tuple[tuple[float, tuple[int, ...]], ...]:
    proposed = case.voxels()
    chance = {row.id: row.probability for row in case.record.lesions}
    known: Sequence[int] = [k for k, i in enumerate(proposed.ids) if chance.get(int(i)) is not None]
    some = proposed.take(known)
    return tuple(
        (chance[int(i)] or 0.0, hits)
        for i, hits in zip(some.ids, touching(some, reference), strict=True)
    )
