"""DICOM SEG to masks on the PET's grid, by position."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from pydicom.dataset import Dataset

from tmtv_engine.errors import GeometryError, InputError
from tmtv_engine.image.resample import resample
from tmtv_engine.image.volume import Array, FloatArray, Grid, Mask, Unit, Volume
from tmtv_engine.text import clean

SEGMENT = "SegmentIdentificationSequence"


@dataclass(frozen=True, eq=False)
class Segment:
    """One segment: its number, its label and its mask on the PET's grid."""

    number: int
    name: str
    mask: Mask


def read_segments(dataset: Dataset, grid: Grid, path: Path) -> list[Segment]:
    """The segments of a SEG (binary, fractional at one half, or label map) on ``grid``.

    Frames that hold nothing may be missing; another grid is sampled at the nearest voxel.
    Raises `InputError` for pixels that cannot be decoded, `GeometryError` for frames that lie
    on no common grid.
    """
    try:
        with warnings.catch_warnings():  # of padding that could hold a small frame more
            warnings.filterwarnings("ignore", message="The number of bytes of pixel data")
            frames = dataset.pixel_array
    except (AttributeError, ValueError, RuntimeError, NotImplementedError) as error:
        raise InputError(f"{path}: its pixels cannot be decoded", "Export it anew.") from error
    places, numbers = _places(dataset, path)
    frames = (frames[None] if frames.ndim == 2 else frames)[: len(places)]
    kind = str(dataset.get("SegmentationType", "BINARY"))
    half = 0.5 * float(dataset.get("MaximumFractionalValue", 255))
    found = []
    for item in dataset.SegmentSequence:
        number = int(item.SegmentNumber)
        if kind == "LABELMAP":
            own = [(places[k], frames[k] == number) for k in range(len(frames))]
        else:
            above = half if kind == "FRACTIONAL" else 0.0
            own = [
                (places[k], frames[k] > above) for k in range(len(frames)) if numbers[k] == number
            ]
        mask = _placed(own, grid, path) if own else np.zeros(grid.shape, bool)
        found.append(Segment(number, clean(item.get("SegmentLabel", "")) or f"{number}", mask))
    return found


def _places(dataset: Dataset, path: Path) -> tuple[list[FloatArray], list[int]]:
    """The affine (plane index, row, column) → LPS mm of each frame, and its segment's number."""
    shared = (dataset.get("SharedFunctionalGroupsSequence") or [Dataset()])[0]
    places, numbers = [], []
    for own in dataset.get("PerFrameFunctionalGroupsSequence") or []:
        try:
            turned = _group(own, shared, "PlaneOrientationSequence").ImageOrientationPatient
            size = _group(own, shared, "PixelMeasuresSequence")
            position = _group(own, shared, "PlanePositionSequence").ImagePositionPatient
        except (AttributeError, IndexError) as error:
            raise GeometryError(f"{path}: a frame has no position", "Export it anew.") from error
        row, column = np.array(turned[:3], float), np.array(turned[3:], float)
        step = float(size.get("SpacingBetweenSlices") or size.get("SliceThickness") or 1.0)
        affine = np.eye(4)
        affine[:3, 0] = np.cross(row, column) * step
        affine[:3, 1] = column * float(size.PixelSpacing[0])
        affine[:3, 2] = row * float(size.PixelSpacing[1])
        affine[:3, 3] = np.array(position, float)
        places.append(affine)
        named = own.get(SEGMENT) or shared.get(SEGMENT)  # shared where there is but one
        numbers.append(int(named[0].ReferencedSegmentNumber) if named else 0)
    return places, numbers


def _group(own: Dataset, shared: Dataset, keyword: str) -> Dataset:
    items = own.get(keyword) or shared.get(keyword)
    if not items:
        raise AttributeError(keyword)
    group: Dataset = items[0]
    return group


def _placed(frames: list[tuple[FloatArray, Array]], grid: Grid, path: Path) -> Mask:
    """Frames of one segment on ``grid``: directly where they lie on its voxels, else sampled."""
    mask = np.zeros(grid.shape, bool)
    if all(_on_grid(affine, image.shape, grid) for affine, image in frames):
        for affine, image in frames:
            z, y, x = np.round(grid.to_index(affine[:3, 3])).astype(int)
            rows, columns = image.shape
            if 0 <= z < grid.shape[0]:
                mask[z, y : y + rows, x : x + columns] |= image
        return mask
    own = _own_grid(frames, path)
    stack = np.zeros(own.shape, np.uint8)
    for affine, image in frames:
        z = int(np.round(own.to_index(affine[:3, 3])[0]))
        stack[z] |= image.astype(np.uint8)
    return np.asarray(resample(Volume(stack, own, Unit.LABEL), grid, order=0).array > 0)


def _on_grid(affine: FloatArray, shape: tuple[int, ...], grid: Grid) -> bool:
    corners = np.array([(0, r, c, 1) for r in (0, shape[0] - 1) for c in (0, shape[1] - 1)])
    index = grid.to_index((corners @ affine.T)[:, :3])
    inside = (index[:, 1:] > -0.1) & (index[:, 1:] < np.array(grid.shape[1:]) - 0.9)
    straight = np.allclose(index[:, 1:] - index[0, 1:], corners[:, 1:3], atol=0.05)
    return bool(inside.all() and straight and np.abs(index - np.round(index)).max() < 0.1)


def _own_grid(frames: list[tuple[FloatArray, Array]], path: Path) -> Grid:
    first = frames[0][0].copy()
    normal = first[:3, 0] / np.linalg.norm(first[:3, 0])
    along = np.array(sorted(affine[:3, 3] @ normal for affine, _ in frames))
    gaps = np.diff(along)
    gaps = gaps[gaps > 0.01]
    step = float(gaps.min()) if len(gaps) else float(np.linalg.norm(first[:3, 0]))
    first[:3, 0] = normal * step
    first[:3, 3] += normal * (along[0] - first[:3, 3] @ normal)
    count = round((along[-1] - along[0]) / step) + 1
    if count > 20000:
        raise GeometryError(f"{path}: its frames lie on no common grid", "Export it anew.")
    return Grid((count, *frames[0][1].shape), first)
