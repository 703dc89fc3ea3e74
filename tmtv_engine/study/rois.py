"""ROIs that someone drew, from any file, as a label map on the PET's grid."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np

from tmtv_engine.errors import GeometryError, InputError, UsageError
from tmtv_engine.image.nifti import read_nifti
from tmtv_engine.image.resample import resample
from tmtv_engine.image.volume import Grid, Mask, Unit, Volume
from tmtv_engine.notices import Notice, notice
from tmtv_engine.text import clean

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

Kind = Literal["mask", "labels", "rtstruct", "seg"]


@dataclass(frozen=True, eq=False)
class Rois:
    """ROIs on the PET's grid: labels 1 … n, their names, and what kind of file they came from."""

    labels: Volume
    names: tuple[str, ...]
    kind: Kind
    notices: tuple[Notice, ...] = ()


@dataclass(frozen=True, eq=False)
class _Roi:
    number: int
    name: str
    mask: Mask


def read_rois(path: Path, grid: Grid, *, names: Sequence[str] | None = None) -> Rois:
    """The ROIs of a NIfTI mask or label map, a DICOM SEG or an RTSTRUCT, on ``grid``.

    ``names`` picks some by name or number. Where ROIs overlap a voxel belongs to the smallest.
    Raises `InputError` where there is none, `UsageError` for a name that none has.
    """
    found, kind, notices = _read(path, grid)
    chosen = _chosen(found, names, path)
    filled = [roi for roi in chosen if roi.mask.any()]
    if not filled:
        raise InputError(f"{path}: no ROI holds a voxel of the PET", "Are they of this study?")
    labels = np.zeros(grid.shape, np.int32)
    size = {roi.number: int(roi.mask.sum()) for roi in filled}
    for roi in sorted(filled, key=lambda roi: (-size[roi.number], roi.number)):
        labels[roi.mask] = filled.index(roi) + 1
    if np.count_nonzero(labels) < sum(size.values()):
        notices = (*notices, notice("overlapping-rois"))
    return Rois(Volume(labels, grid, Unit.LABEL), tuple(roi.name for roi in filled), kind, notices)


def _read(path: Path, grid: Grid) -> tuple[list[_Roi], Kind, tuple[Notice, ...]]:
    if path.is_dir():
        path = _only_file(path)
    if path.name.endswith((".nii", ".nii.gz")):
        return _nifti(path, grid)
    return _dicom(path, grid)


def _only_file(folder: Path) -> Path:
    files = [p for p in sorted(folder.rglob("*")) if p.is_file()]
    if len(files) != 1:
        raise InputError(f"{folder}: holds {len(files)} files", "Name the ROI file itself.")
    return files[0]


def _nifti(path: Path, grid: Grid) -> tuple[list[_Roi], Kind, tuple[Notice, ...]]:
    labels = read_nifti(path, Unit.LABEL)
    if not labels.grid.matches(grid, 0.1):
        _overlap(labels.grid, grid, path)
        labels = resample(labels, grid, order=0)
    slices = (np.unique(piece).tolist() for piece in labels.array)  # no sorted copy of the whole
    values = sorted(set[int]().union(*slices) - {0})
    kind: Kind = "mask" if len(values) <= 1 else "labels"
    return [_Roi(v, str(v), labels.array == v) for v in values], kind, ()


def _overlap(own: Grid, grid: Grid, path: Path) -> None:
    corners = np.array(np.meshgrid(*[(0, n - 1) for n in own.shape])).reshape(3, -1).T
    index = grid.to_index(own.to_mm(corners))
    if (index.max(axis=0) < 0).any() or (index.min(axis=0) > np.array(grid.shape) - 1).any():
        raise GeometryError(f"{path}: lies beside the PET", "Are they of one study?")


def _dicom(path: Path, grid: Grid) -> tuple[list[_Roi], Kind, tuple[Notice, ...]]:
    """A SEG or an RTSTRUCT; whatever a broken one makes its parser raise is an `InputError`."""
    from pydicom.errors import BytesLengthException, InvalidDicomError

    from tmtv_engine.dicom.parse import lenient, read_whole

    remedy = "Give a NIfTI, a DICOM SEG or an RTSTRUCT."
    try:
        with lenient():
            dataset = read_whole(path)
            if dataset.get("Modality", "") in ("RTSTRUCT", "SEG"):
                return _objects(dataset, grid, path)
    except (OSError, InvalidDicomError, EOFError) as error:
        raise InputError(f"{path}: is no file of ROIs", remedy) from error
    except (BytesLengthException, LookupError, RuntimeError) as error:
        raise InputError(f"{path}: its ROIs are broken", "Export it anew.") from error
    except (ValueError, TypeError, AttributeError) as error:
        what = f"{path}: its ROIs are broken ({clean(error)})"
        raise InputError(what, "Export it anew.") from error
    raise InputError(f"{path}: Modality is not SEG or RTSTRUCT", remedy)


def _objects(
    dataset: Dataset, grid: Grid, path: Path
) -> tuple[list[_Roi], Kind, tuple[Notice, ...]]:
    from tmtv_engine.dicom.rtstruct import fill, read_contours
    from tmtv_engine.dicom.seg import read_segments

    if dataset.Modality == "RTSTRUCT":
        drawn, frame = read_contours(dataset, path)
        rois = [_Roi(roi.number, roi.name, fill(roi.contours, grid, path)) for roi in drawn]
        return rois, "rtstruct", _frames(frame, grid)
    segments = read_segments(dataset, grid, path)
    frame = str(dataset.get("FrameOfReferenceUID", ""))
    return [_Roi(s.number, s.name, s.mask) for s in segments], "seg", _frames(frame, grid)


def _frames(frame: str, grid: Grid) -> tuple[Notice, ...]:
    differ = frame and grid.frame_uid and frame != grid.frame_uid
    return (notice("frames-differ", "matched by position"),) if differ else ()


def _chosen(found: list[_Roi], names: Sequence[str] | None, path: Path) -> list[_Roi]:
    if not names:
        return found
    chosen = []
    for name in names:
        matching = [roi for roi in found if name in (roi.name, str(roi.number))]
        if not matching:
            there = ", ".join(f"{roi.number} {roi.name}" for roi in found[:12])
            raise UsageError(f"{path}: has no ROI {name!r}", f"It has: {there}.")
        chosen += [roi for roi in matching if roi not in chosen]
    return chosen
