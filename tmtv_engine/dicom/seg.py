"""DICOM SEG to masks on the PET's grid, by position."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from pydicom.dataset import Dataset

from tmtv_engine.errors import GeometryError, InputError
from tmtv_engine.image.resample import beyond_ml, resample
from tmtv_engine.image.volume import Array, FloatArray, Grid, Mask, Unit, Volume
from tmtv_engine.text import clean

SEGMENT = "SegmentIdentificationSequence"
MOST_PLANES = 20000


@dataclass(frozen=True, eq=False)
class Segment:
    """One segment: its number, label and mask on the PET's grid, and its volume beyond that.

    ``drawn_ml``: its volume on a grid of its own, ``own``; None where that is the PET's.
    """

    number: int
    name: str
    mask: Mask
    outside_ml: float = 0.0
    drawn_ml: float | None = None
    own: Grid | None = None


@dataclass(frozen=True, eq=False)
class _Frame:
    """A frame: where its first pixel lies (LPS mm), and the number of its segment."""

    position: FloatArray
    segment: int | None
    image: Array


@dataclass(frozen=True, eq=False)
class _Layout:
    """How all frames lie: ``affine`` (plane, row, column) → LPS mm of a frame at the origin."""

    affine: FloatArray
    size: tuple[int, int]

    def at(self, position: FloatArray) -> FloatArray:
        """The affine of a frame."""
        affine = self.affine.copy()
        affine[:3, 3] = position
        return affine


def read_segments(dataset: Dataset, grid: Grid, path: Path) -> tuple[list[Segment], str]:
    """The segments of a SEG (binary, fractional at one half, or label map) on ``grid``, and how its
    PixelMeasures contradict its plane positions ("" where they do not).

    Frames that hold nothing may be missing; another grid (thicker, turned, finer) is sampled at
    the nearest voxel of its own. Raises `InputError` for pixels that cannot be decoded or a frame
    without its segment, `GeometryError` for frames that lie on no common grid.
    """
    kind = str(dataset.get("SegmentationType", "BINARY"))
    images = _images(dataset, path)
    frames, layout, odd = _frames(dataset, images, grid, path)
    half = 0.5 * float(dataset.get("MaximumFractionalValue", 255))
    numbers = {int(item.SegmentNumber) for item in dataset.SegmentSequence}
    if kind != "LABELMAP" and not {f.segment for f in frames} <= numbers:
        raise InputError(f"{path}: a frame belongs to no segment that there is", "Export it anew.")
    found = []
    for item in dataset.SegmentSequence:
        number = int(item.SegmentNumber)
        if kind == "LABELMAP":
            own = [(f.position, f.image == number) for f in frames]
            own = [(at, image) for at, image in own if image.any()]
        else:
            above = half if kind == "FRACTIONAL" else 0.0
            own = [(f.position, f.image > above) for f in frames if f.segment == number]
        placed = _placed(own, layout, grid, path)
        name = clean(item.get("SegmentLabel", "")) or f"{number}"
        found.append(Segment(number, name, *placed))
    return found, odd


def _images(dataset: Dataset, path: Path) -> Array:
    """The frames (n, rows, columns)."""
    try:
        with warnings.catch_warnings():  # of padding that could hold a small frame more
            warnings.filterwarnings("ignore", message="The number of bytes of pixel data")
            images: Array = dataset.pixel_array
    except (AttributeError, ValueError, RuntimeError, NotImplementedError) as error:
        raise InputError(f"{path}: its pixels cannot be decoded", "Export it anew.") from error
    return images[None] if images.ndim == 2 else images


def _frames(
    dataset: Dataset, images: Array, grid: Grid, path: Path
) -> tuple[list[_Frame], _Layout, str]:
    """The frames of a SEG, how they all lie, and what PixelMeasures says otherwise."""
    shared = (dataset.get("SharedFunctionalGroupsSequence") or [Dataset()])[0]
    groups = list(dataset.get("PerFrameFunctionalGroupsSequence") or [])
    if not groups or len(groups) != len(images):
        raise InputError(f"{path}: has {len(images)} frames for {len(groups)} groups", "Again.")
    labelmap = dataset.get("SegmentationType", "") == "LABELMAP"
    frames, lying = [], []
    for own, image in zip(groups, images, strict=True):
        try:
            turned = _group(own, shared, "PlaneOrientationSequence").ImageOrientationPatient
            size = _group(own, shared, "PixelMeasuresSequence")
            position = _group(own, shared, "PlanePositionSequence").ImagePositionPatient
        except (AttributeError, IndexError) as error:
            raise GeometryError(f"{path}: a frame has no position", "Export it anew.") from error
        named = own.get(SEGMENT) or shared.get(SEGMENT)  # shared where there is but one
        if not named and not labelmap:
            raise InputError(f"{path}: a frame does not say its segment", "Export it anew.")
        number = int(named[0].ReferencedSegmentNumber) if named else None
        frames.append(_Frame(np.array(position, float), number, image))
        lying.append([*turned, *size.PixelSpacing])
    first = np.array(lying[0], float)
    if np.abs(np.array(lying, float) - first).max() > 1e-3:
        raise GeometryError(f"{path}: its frames lie on no common grid", "Export it anew.")
    row, column = first[:3], first[3:6]
    _check_lying(row, column, first[6:], path)
    normal = np.cross(row, column)
    told = [float(size.get(k) or 0) for k in ("SpacingBetweenSlices", "SliceThickness")]
    along = np.array([frame.position @ normal for frame in frames])
    affine = np.eye(4)
    affine[:3, 0] = normal * _step(along, told[0], told[1], grid.spacing_mm[0], path)
    affine[:3, 1], affine[:3, 2] = column * first[6], row * first[7]
    layout = _Layout(affine, images.shape[1:])
    _check_corner(frames, layout, grid, path)
    return frames, layout, _otherwise(along, told[0])


def _check_lying(row: FloatArray, column: FloatArray, pixel_mm: FloatArray, path: Path) -> None:
    """Refuse cosines that are no right angle of unit vectors, and pixels of no size."""
    lengths = np.abs([row @ row - 1.0, column @ column - 1.0, row @ column])
    if not (lengths < 1e-2).all():
        raise GeometryError(f"{path}: ImageOrientationPatient is no right angle", "Export it anew.")
    if not (np.isfinite(pixel_mm) & (pixel_mm > 0)).all():
        raise GeometryError(f"{path}: PixelSpacing is not above 0", "Export it anew.")


def _check_corner(frames: Sequence[_Frame], layout: _Layout, grid: Grid, path: Path) -> None:
    """Refuse frames of the PET's rows and columns that begin where its slices do, and end
    elsewhere: of two images of one matrix and one corner, one spacing is wrong."""
    if layout.size != grid.shape[1:]:
        return
    rows, columns = (n - 1 for n in layout.size)
    for frame in frames:
        whole = layout.at(frame.position) @ np.array([(0, 0, 0, 1), (0, rows, columns, 1)]).T
        near, far = grid.to_index(whole[:3].T)[:, 1:]
        if np.abs(near).max() < 0.1 and np.abs(far - (rows, columns)).max() > 0.5:
            what = f"{path}: has the PET's rows, columns and corner, and another spacing or turn"
            raise GeometryError(what, "Export it anew: its PixelMeasures are not the PET's.")


def _otherwise(along: FloatArray, spacing: float) -> str:
    """How SpacingBetweenSlices contradicts where the frames lie, or ""."""
    gaps = np.diff(np.unique(np.round(along, 3)))
    gaps = gaps[gaps > 0.01]
    if not len(gaps) or not spacing:
        return ""
    even = len(gaps) > 1 and np.ptp(gaps) < 0.1 and gaps.min() > 1.5 * spacing
    if not even and _multiples(gaps, abs(spacing)):
        return ""
    return f"SpacingBetweenSlices {spacing:g} mm, frames {gaps.min():g} mm apart"


def _group(own: Dataset, shared: Dataset, keyword: str) -> Dataset:
    items = own.get(keyword) or shared.get(keyword)
    if not items:
        raise AttributeError(keyword)
    group: Dataset = items[0]
    return group


def _step(along: FloatArray, spacing: float, thickness: float, pet: float, path: Path) -> float:
    """The distance of slices, mm, of frames at ``along``: of those that hold nothing too.

    It is what the file says where every gap is a multiple of that, else the smallest gap. A
    thickness alone is believed only if some slices are as far apart, or two cannot tell.
    """
    gaps = np.diff(np.unique(np.round(along, 3)))
    gaps = gaps[gaps > 0.01]
    told = abs(spacing) or abs(thickness)
    if not len(gaps):
        return told or pet
    smallest = float(gaps.min())
    if told and _multiples(gaps, told):
        sparse = len(gaps) < 2 or smallest < 1.5 * told
        if spacing or sparse:
            return told
    uneven = spacing and smallest < 0.9 * float(np.median(gaps))  # and no multiple of it
    if uneven or not _multiples(gaps, smallest) or np.ptp(along) / smallest > MOST_PLANES:
        raise GeometryError(f"{path}: its frames lie on no common grid", "Export it anew.")
    return smallest


def _multiples(gaps: FloatArray, step: float) -> bool:
    count = np.round(gaps / step)
    off = np.abs(gaps / step - count) * step
    return bool((count >= 1).all() and (off <= max(0.1, 0.01 * step) * count).all())


def _placed(
    frames: Sequence[tuple[FloatArray, Array]], layout: _Layout, grid: Grid, path: Path
) -> tuple[Mask, float, float | None, Grid | None]:
    """Frames of one segment on ``grid``, the mL of them beyond it, and of all on their own grid.

    Directly where they lie on its voxels and are as thick, else sampled at the nearest of theirs.
    """
    if not frames:
        return np.zeros(grid.shape, bool), 0.0, None, None
    if all(_on_grid(layout.at(at), layout.size, grid) for at, _ in frames):
        return *_laid(frames, layout, grid), None, None
    own = _own_grid([at for at, _ in frames], layout, path)
    stack = np.zeros(own.shape, np.uint8)
    for at, image in frames:
        stack[int(np.round(own.to_index(at)[0]))] |= image.astype(np.uint8)
    volume = Volume(stack, own, Unit.LABEL)
    mask = np.asarray(resample(volume, grid, order=0).array > 0)
    drawn_ml = float(np.count_nonzero(stack)) * own.voxel_ml
    return mask, beyond_ml(volume, grid), drawn_ml, own


def _laid(
    frames: Sequence[tuple[FloatArray, Array]], layout: _Layout, grid: Grid
) -> tuple[Mask, float]:
    mask = np.zeros(grid.shape, bool)
    outside = 0
    rows, columns = layout.size
    for at, image in frames:
        z, y, x = np.round(grid.to_index(at)).astype(int)
        if 0 <= z < grid.shape[0]:
            mask[z, y : y + rows, x : x + columns] |= image
        else:
            outside += int(image.sum())
    return mask, outside * grid.voxel_ml


def _on_grid(affine: FloatArray, shape: tuple[int, int], grid: Grid) -> bool:
    """Whether a frame's pixels are voxels of the grid, of the same thickness."""
    corners = np.array([(0, r, c, 1) for r in (0, shape[0] - 1) for c in (0, shape[1] - 1)])
    index = grid.to_index((corners @ affine.T)[:, :3])
    inner = (index[:, 1:] > -0.1) & (index[:, 1:] < np.array(grid.shape[1:]) - 0.9)
    straight = np.allclose(index[:, 1:] - index[0, 1:], corners[:, 1:3], atol=0.05)
    thick = np.linalg.norm(affine[:3, 0]) / grid.spacing_mm[0]
    return bool(
        inner.all()
        and straight
        and abs(thick - 1.0) < 0.05
        and np.abs(index - np.round(index)).max() < 0.1
    )


def _own_grid(positions: Sequence[FloatArray], layout: _Layout, path: Path) -> Grid:
    """The grid of one segment's frames, from the lowest to the highest."""
    step = np.linalg.norm(layout.affine[:3, 0])
    normal = layout.affine[:3, 0] / step
    lowest = min(positions, key=lambda at: float(at @ normal))
    across = [at - lowest - normal * ((at - lowest) @ normal) for at in positions]
    if max(np.abs(apart).max() for apart in across) > 0.1:
        raise GeometryError(f"{path}: its frames lie shifted beside each other", "Export it anew.")
    count = round(max(float((at - lowest) @ normal) for at in positions) / step) + 1
    if count > MOST_PLANES:
        raise GeometryError(f"{path}: its frames lie on no common grid", "Export it anew.")
    return Grid((count, *layout.size), layout.at(lowest))
