"""What a SEG is made from: the slices that it uses, or a multi-frame PET as one dataset."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence as Items

from tmtv_engine.errors import CaseError


def sources_of(
    slices: Sequence[Dataset], used: npt.NDArray[np.int64]
) -> tuple[list[Dataset], npt.NDArray[np.int64]]:
    """The source images and, for each of their planes in order, its index in the array.

    ``used`` are the indices of the slices that hold something. Raises `CaseError` where a
    multi-frame PET has frames that are no slice of the array.
    """
    numbers = [piece.get("ReferencedFrameNumber") for piece in slices]
    if None in numbers:
        return [slices[int(k)] for k in used], used
    order = np.argsort(np.array(numbers, int))
    if sorted(int(n) for n in numbers) != list(range(1, len(numbers) + 1)):
        raise CaseError("its PET has frames that are no slices", "Export nifti or csv.")
    return [_multi_frame([slices[int(k)] for k in order])], order


def _multi_frame(pieces: Sequence[Dataset]) -> Dataset:
    """The geometry of a multi-frame image as highdicom reads it, a piece a frame."""
    whole, shared, size, turned = Dataset(), Dataset(), Dataset(), Dataset()
    whole.update(pieces[0])
    turned.ImageOrientationPatient = whole.ImageOrientationPatient
    size.PixelSpacing, size.SliceThickness = whole.PixelSpacing, whole.SliceThickness
    shared.PlaneOrientationSequence, shared.PixelMeasuresSequence = Items([turned]), Items([size])
    frames = []
    for piece in pieces:
        frame, place = Dataset(), Dataset()
        place.ImagePositionPatient = piece.ImagePositionPatient
        frame.PlanePositionSequence = Items([place])
        frames.append(frame)
    for keyword in ("ImageOrientationPatient", "ImagePositionPatient", "PixelSpacing"):
        delattr(whole, keyword)
    del whole.SliceThickness, whole.ReferencedFrameNumber
    whole.NumberOfFrames = len(frames)
    whole.SharedFunctionalGroupsSequence = Items([shared])
    whole.PerFrameFunctionalGroupsSequence = Items(frames)
    return whole
