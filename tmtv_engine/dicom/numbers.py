"""What a series' headers count and measure of it: how many images, which, and how far apart.

Positions say where slices lie; NumberOfSlices, ImageIndex, InstanceNumber, SliceThickness,
SpacingBetweenSlices and SliceLocation say it a second time. Where the two differ, images are
missing, or are those of another series under the same UID.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from tmtv_engine.dicom.geometry import Slice
from tmtv_engine.dicom.header import Header, several
from tmtv_engine.dicom.images import Image
from tmtv_engine.image.volume import FloatArray
from tmtv_engine.notices import Notice, notice

CLOSE = 0.02  # of a distance
_MEASURES = ("SpacingBetweenSlices", "SliceThickness")


def promised(images: Sequence[Image]) -> int:
    """How many slices a static series' headers speak of: NumberOfSlices, ImageIndex; else 0.

    Of a concatenation (PS3.3 C.7.6.16.2.2.4) that lacks files, one slice more for each of them.
    """
    stated = max((_whole(i.head, "NumberOfSlices") for i in images), default=0)
    index = [_whole(i.head, "ImageIndex") for i in images]
    lost = _lost_parts(images)
    counted = len(images) + lost if lost else 0
    return max(stated, counted, max(index) if len(set(index)) == len(index) else 0)


def _lost_parts(images: Sequence[Image]) -> int:
    """How many files of a concatenation are not there."""
    parts = {
        (i.head.get("ConcatenationUID"), _whole(i.head, "InConcatenationNumber")) for i in images
    }
    total = max((_whole(i.head, "InConcatenationTotalNumber") for i in images), default=0)
    return max(total - len(parts), 0)


def numbered_late(slices: Sequence[Slice]) -> int:
    """The lowest InstanceNumber where they count the slices one by one from above 1; else 0."""
    numbers = _numbers(slices)
    lowest = min(numbers)
    return lowest if _one_by_one(numbers) and lowest > 1 else 0


def thinned(slices: Sequence[Slice], step_mm: float, asked: int) -> tuple[int, str]:
    """Over how many slices of a PET a step goes, and what says so: 1 where none is left out.

    ``slices`` lie along their normal ``step_mm`` apart, ``asked`` of them are promised (0: nobody
    says). Thinner slices than steps are no proof where all that are promised are there, or where
    nothing is promised and their numbers go one by one.
    """
    numbers = _numbers(slices)
    whole = asked <= len(slices) if asked else _one_by_one(numbers)
    if slices[0].head.get("Modality") != "PT" or whole:
        return 1, ""
    for keyword in _MEASURES:
        told = abs(_length(slices[0].head, keyword))
        if told:
            times = round(step_mm / told)
            even = times > 1 and abs(step_mm / told - times) <= CLOSE * times
            if even:
                return times, f"{keyword} is {told:g} mm"
            if not asked:
                return 1, ""
            break
    strides = {abs(b - a) for a, b in pairwise(numbers)}
    stride = strides.pop() if len(strides) == 1 else 1
    return (stride, f"every InstanceNumber is {stride} from the next") if stride > 1 else (1, "")


def contradicted(slices: Sequence[Slice], along: FloatArray, stated: int) -> list[Notice]:
    """What a PET's headers say otherwise of its ``slices`` in order, which lie ``along`` (mm):
    of their number (``stated``: what is promised, 0 for nothing), and of their distance."""
    if slices[0].head.get("Modality") != "PT" or len({s.path for s in slices}) < len(slices):
        return []
    told = [
        ("image-numbers", _miscounted(slices, stated)),
        ("slice-distance", _apart(slices, along)),
    ]
    return [notice(code, said) for code, said in told if said]


def _miscounted(slices: Sequence[Slice], stated: int) -> str:
    """How the images' numbers contradict their places, or ""."""
    if 0 < stated < len(slices):
        return f"{len(slices)} images of {stated} that the headers promise"
    numbers = _numbers(slices)
    kinds = len(set(numbers))
    if 1 < kinds < len(numbers):
        return f"{len(numbers)} images have {kinds} InstanceNumbers"
    signs = np.sign(np.diff(numbers))
    if kinds > 1 and (signs != signs[0]).any():
        k = int(np.flatnonzero(signs != signs[0])[0])
        return f"InstanceNumber {numbers[k]} lies beside {numbers[k + 1]}"
    return ""


def _apart(slices: Sequence[Slice], along: FloatArray) -> str:
    """How what is said of the slices' distance contradicts their positions, or ""."""
    step = float(np.median(np.diff(along)))
    between = abs(_length(slices[0].head, "SpacingBetweenSlices"))
    where = np.array([_length(s.head, "SliceLocation") for s in slices])
    located = float(np.median(np.abs(np.diff(where))))
    thick = _length(slices[0].head, "SliceThickness")
    if between and abs(between - step) > max(CLOSE * step, 0.1):
        return f"SpacingBetweenSlices {between:g} mm, positions {step:.4g} mm apart"
    if located and abs(located - step) > max(CLOSE * step, 0.1):
        return f"SliceLocation {located:.4g} mm apart, positions {step:.4g} mm"
    if thick and thick < 0.9 * step and not between:
        return f"SliceThickness {thick:g} mm, positions {step:.4g} mm apart"
    return ""


def _numbers(slices: Sequence[Slice]) -> list[int]:
    return [_whole(s.head, "InstanceNumber") for s in slices]


def _one_by_one(numbers: Sequence[int]) -> bool:
    lowest = min(numbers)
    return sorted(numbers) == list(range(lowest, lowest + len(numbers)))


def _whole(head: Header, keyword: str) -> int:
    return int(_length(head, keyword))


def _length(head: Header, keyword: str) -> float:
    """The first value of an attribute as a number; 0 where it is none."""
    try:
        found = float(str(next(iter(several(head.get(keyword))), 0)))
    except ValueError:
        return 0.0
    return found if np.isfinite(found) and abs(found) < 1e9 else 0.0
