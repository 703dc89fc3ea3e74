"""A case beside its truth: which lesions were found, missed and invented, in words and drawn."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tmtv_engine.case.folder import Case, read_case
from tmtv_engine.case.picture import Mark, marks_of, write_sheet
from tmtv_engine.lesion.lists import Lesions
from tmtv_engine.report.sides import read_as, roi_side, side_of, touching
from tmtv_engine.text import counted

FOUND = (0, 130, 60)
MISSED = (230, 120, 0)


@dataclass(frozen=True, eq=False)
class BesideTruth:
    """The true lesions and the numbers of accepted ones that touch none of them.

    ``missed`` are rows of ``truth`` that no accepted lesion shares a voxel with.
    """

    truth: Lesions
    missed: tuple[int, ...]
    accepted: tuple[int, ...]
    invented: tuple[int, ...]

    @property
    def words(self) -> str:
        """What was missed and invented, in one line."""
        found = len(self.truth) - len(self.missed)
        return (
            f"{found} of {counted(len(self.truth), 'true lesion')} found, "
            f"{len(self.missed)} missed; {len(self.invented)} of {len(self.accepted)} accepted "
            "invented"
        )


def beside_truth(folder: Path, rois: Path | None) -> BesideTruth:
    """A case's accepted lesions against the true ROIs of its PET; None: a patient without any.

    Raises what reading the case, its PET or the ROIs raises.
    """
    case = read_case(folder)
    mine = side_of(case, read_as(case, None)).lesions
    truth = roi_side(case, rois, "labels")[0].lesions
    hits = touching(mine, truth)
    hit = {row for own in hits for row in own}
    ids = tuple(int(i) for i in mine.ids)
    return BesideTruth(
        truth,
        tuple(row for row in range(len(truth)) if row not in hit),
        ids,
        tuple(i for i, own in zip(ids, hits, strict=True) if not own),
    )


def draw_truth(path: Path, folder: Path, beside: BesideTruth) -> None:
    """Write a PNG of the case with its truth over it, what was missed and invented broad."""
    case = read_case(folder)
    lesions, rows = case.voxels(), case.record.lesions
    invented = {str(i) for i in beside.invented}
    mine = [
        Mark(m.index, f"{m.name} invented", m.rgb, broad=True) if m.name in invented else m
        for m in marks_of(lesions, rows)
    ]
    marks = [*mine, *_true_marks(beside)]
    write_sheet(path, case.mip(), lesions.grid, marks, _caption(case, beside))


def _true_marks(beside: BesideTruth) -> Sequence[Mark]:
    index, truth = beside.truth.index(), beside.truth
    return [
        Mark(index[truth.span(k)], f"T{i} missed", MISSED, broad=True)
        if k in beside.missed
        else Mark(index[truth.span(k)], f"T{i}", FOUND)
        for k, i in enumerate(truth.ids)
    ]


def _caption(case: Case, beside: BesideTruth) -> str:
    found = len(beside.truth) - len(beside.missed)
    return "\n".join(
        [
            case.name,
            f"model: {case.record.model.name}",
            "",
            counted(len(beside.truth), "true lesion") + ":",
            f"  green, T: {found} found",
            f"  orange, T: {len(beside.missed)} missed",
            counted(len(beside.accepted), "accepted lesion") + ":",
            f"  red, thick: {len(beside.invented)} invented",
            f"  red, thin: {len(beside.accepted) - len(beside.invented)} touch a true one",
            "",
            "blue: candidate, not counted",
            "faint: named physiologic",
            "left: front (patient's right on the left)",
            "right: side (front on the left)",
            "",
            "Research use only.",
        ]
    )
