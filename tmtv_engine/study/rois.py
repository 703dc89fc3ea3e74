"""ROIs that someone drew, from any file, as a label map on the PET's grid."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal, Protocol, TypeVar

import numpy as np

from tmtv_engine.errors import GeometryError, InputError, TmtvError, UsageError
from tmtv_engine.image.formats import check_described, read_image, suffix_of
from tmtv_engine.image.resample import beyond_ml, resample
from tmtv_engine.image.volume import Grid, Mask, Unit, Volume
from tmtv_engine.notices import Notice, notice, refuse
from tmtv_engine.study.owner import NO_OWNER, Owner, check_owner, drawn_on
from tmtv_engine.text import clean

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

Kind = Literal["mask", "labels", "rtstruct", "seg"]
MOST_SHARE, MOST_ML = 0.2, 0.5  # by which a ROI may change on the PET's voxels
ALIKE = 0.02  # of a voxel: by chance one grid in 10,000 begins so near to another's voxel


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
    outside_ml: float = 0.0
    drawn_ml: float | None = None  # on a grid of its own
    own: Grid | None = None  # where it may be the PET's, with another spacing


@dataclass(frozen=True, eq=False)
class _Read:
    """The chosen ROIs of a file on the PET's grid, their kind, and what to warn about."""

    rois: list[_Roi]
    kind: Kind
    notices: tuple[Notice, ...] = ()


class _Named(Protocol):
    @property
    def number(self) -> int: ...
    @property
    def name(self) -> str: ...


def read_rois(
    path: Path,
    grid: Grid,
    *,
    names: Sequence[str] | None = None,
    accepted: Collection[str] = (),
    owner: Owner = NO_OWNER,
) -> Rois:
    """The ROIs of a mask or label map (any image), a DICOM SEG or an RTSTRUCT, on ``grid``.

    ``names`` picks some by name or number. Where ROIs overlap a voxel belongs to the smallest.
    A mask of the PET's shape that lies elsewhere is taken voxel by voxel where "mask-geometry" is
    ``accepted``. DICOM that names another patient than ``owner``, whose PET it is, is refused.
    Raises `InputError` where there is none, `UsageError` for a name that none has.
    """
    path = _file(path)
    if suffix_of(path):
        read = _image(path, grid, names, accepted)
    else:
        read = _dicom(path, grid, names, accepted, owner)
    filled = [roi for roi in read.rois if roi.mask.any()]
    if not filled:
        raise InputError(f"{path}: no ROI holds a voxel of the PET", "Are they of this study?")
    labels = np.zeros(grid.shape, np.int32)
    size = {id(roi): int(roi.mask.sum()) for roi in filled}
    order = sorted(range(len(filled)), key=lambda k: (-size[id(filled[k])], filled[k].number))
    for k in order:
        labels[filled[k].mask] = k + 1
    notices = [*read.notices, *_outside(read.rois), *_resampled(read.rois, grid)]
    notices += _respaced(read.rois, grid)
    if np.count_nonzero(labels) < sum(size.values()):
        notices.append(notice("overlapping-rois"))
    named = tuple(roi.name for roi in filled)
    return Rois(Volume(labels, grid, Unit.LABEL), named, read.kind, tuple(notices))


def _outside(rois: Sequence[_Roi]) -> list[Notice]:
    total = sum(roi.outside_ml for roi in rois)
    named = ", ".join(roi.name for roi in rois[:8] if roi.outside_ml > 0)
    return [notice("roi-outside", f"{total:.2f} mL of {named}")] if total > 0 else []


def _resampled(rois: Sequence[_Roi], grid: Grid) -> list[Notice]:
    """Which ROIs of another grid are another volume on the PET's: thin ones, small ones."""
    told = []
    for roi in rois:
        here = float(np.count_nonzero(roi.mask)) * grid.voxel_ml + roi.outside_ml
        drawn = here if roi.drawn_ml is None else roi.drawn_ml
        lost = drawn > 0 and here == 0
        if lost or abs(here - drawn) > max(MOST_SHARE * drawn, MOST_ML):
            told.append(f"{roi.name}: {drawn:.2f} mL drawn, {here:.2f} mL here")
    return [notice("roi-resampled", "; ".join(told[:8]))] if told else []


def _respaced(rois: Sequence[_Roi], grid: Grid) -> list[Notice]:
    """ROIs on a grid that begins on one of the PET's voxels and runs along them, of other spacing,
    and not over the whole PET: cut out of an image like it, one of the two spacings is wrong."""
    grids = [roi.own for roi in rois if roi.own is not None]
    own = next((o for o in grids if _begins_on(o, grid)), None)
    if own is None:
        return []
    sizes = (" × ".join(f"{s:.4g}" for s in g.spacing_mm) for g in (own, grid))
    return [notice("roi-spacing", "{} mm, the PET's {} mm".format(*sizes))]


def _begins_on(own: Grid, grid: Grid) -> bool:
    index = grid.to_index(own.to_mm((0, 0, 0)))
    steps = np.linalg.inv(grid.affine[:3, :3]) @ own.affine[:3, :3]
    along = np.diag(steps)
    straight = np.abs(steps - np.diag(along)).max() < ALIKE
    on_voxel = np.abs(index - np.round(index)).max() < ALIKE and (index > -0.5).all()
    across = np.abs(along[1:])
    other = (np.abs(across - 1) > ALIKE).any()
    short = np.abs(np.array(own.shape[1:]) * across - np.array(grid.shape[1:]))
    whole = (short < np.maximum(1, across)).all()
    return bool(straight and on_voxel and other and not whole)


def _file(path: Path) -> Path:
    """The file of the ROIs, or the only one of its folder."""
    if path.is_dir():
        files = [p for p in sorted(path.rglob("*")) if p.is_file()]
        if len(files) != 1:
            raise InputError(f"{path}: holds {len(files)} files", "Name the ROI file itself.")
        return files[0]
    if not path.is_file():  # a FIFO would never end
        raise InputError(f"{path}: there is no such file", "Give the file of the ROIs.")
    return path


def _image(path: Path, grid: Grid, names: Sequence[str] | None, accepted: Collection[str]) -> _Read:
    labels = read_image(path, Unit.LABEL)
    notices: tuple[Notice, ...] = ()
    own = labels
    if not labels.grid.matches(grid, 0.1):
        if labels.grid.shape == grid.shape:
            notices = by_index(labels.grid, grid, path, accepted)
            own = labels = Volume(labels.array, grid, Unit.LABEL)
        else:
            check_described(path)
            check_overlap(labels.grid, grid, path)
            labels = resample(labels, grid, order=0)
    slices = (np.unique(piece).tolist() for piece in own.array)  # no sorted copy of the whole
    values = sorted(set[int]().union(*slices) - {0})
    kind: Kind = "mask" if len(values) <= 1 else "labels"
    chosen = _chosen([_Label(v, str(v)) for v in values], names, path)
    return _Read([_labelled(v, labels, own, grid) for v in chosen], kind, notices)


@dataclass(frozen=True)
class _Label:
    number: int
    name: str


def _labelled(label: _Label, labels: Volume, own: Volume, grid: Grid) -> _Roi:
    """A label's ROI, ``labels`` on the PET's grid, ``own`` as they were drawn."""
    mask = labels.array == label.number
    if own.grid is grid:
        return _Roi(label.number, label.name, mask)
    drawn = own.with_array(own.array == label.number)
    drawn_ml = float(np.count_nonzero(drawn.array)) * own.grid.voxel_ml
    return _Roi(label.number, label.name, mask, beyond_ml(drawn, grid), drawn_ml, own.grid)


def by_index(own: Grid, grid: Grid, path: Path, accepted: Collection[str]) -> tuple[Notice, ...]:
    """A mask of the PET's shape: its own voxels are the PET's, or it is refused."""
    corners = np.array(np.meshgrid(*[(0, n - 1) for n in own.shape])).reshape(3, -1).T
    if np.abs(grid.to_index(own.to_mm(corners)) - corners).max() < 0.5:
        return ()  # each voxel's nearest is the one of the same number
    apart = float(np.linalg.norm(own.to_mm(corners) - grid.to_mm(corners), axis=1).max())
    return (
        refuse(
            "mask-geometry", f"{path}: its voxels lie up to {apart:.1f} mm from the PET's", accepted
        ),
    )


def check_overlap(own: Grid, grid: Grid, path: Path) -> None:
    """Raise `GeometryError` where two grids do not meet."""
    corners = np.array(np.meshgrid(*[(0, n - 1) for n in own.shape])).reshape(3, -1).T
    index = grid.to_index(own.to_mm(corners))
    if (index.max(axis=0) < 0).any() or (index.min(axis=0) > np.array(grid.shape) - 1).any():
        raise GeometryError(f"{path}: lies beside the PET", "Are they of one study?")


def _dicom(
    path: Path,
    grid: Grid,
    names: Sequence[str] | None,
    accepted: Collection[str],
    owner: Owner,
) -> _Read:
    """A SEG or an RTSTRUCT; whatever a broken one makes its parser raise is an `InputError`."""
    from pydicom.errors import InvalidDicomError

    from tmtv_engine.dicom.parse import lenient, read_whole

    remedy = "Give a NIfTI, a DICOM SEG or an RTSTRUCT."
    try:
        with lenient():
            dataset = read_whole(path)
            if dataset.get("Modality", "") in ("RTSTRUCT", "SEG"):
                told = check_owner(dataset, owner, path, accepted)
                read = _objects(dataset, grid, path, names, owner)
                return replace(read, notices=(*told, *read.notices))
    except TmtvError:
        raise
    except (OSError, InvalidDicomError, EOFError) as error:
        raise InputError(f"{path}: is no file of ROIs", remedy) from error
    except Exception as error:  # what a broken file makes pydicom raise is not to be foreseen
        what = f"{path}: its ROIs are broken ({clean(error)})"
        raise InputError(what, "Export it anew.") from error
    raise InputError(f"{path}: Modality is not SEG or RTSTRUCT", remedy)


def _objects(
    dataset: Dataset, grid: Grid, path: Path, names: Sequence[str] | None, owner: Owner
) -> _Read:
    if dataset.Modality == "RTSTRUCT":
        return _drawn(dataset, grid, path, names)
    from tmtv_engine.dicom.seg import read_segments

    found, odd = read_segments(dataset, grid, path)
    segments = _chosen(found, names, path)
    frame = str(dataset.get("FrameOfReferenceUID", ""))
    named = drawn_on(dataset) - {""}
    rois = [
        _Roi(s.number, s.name, s.mask, s.outside_ml, s.drawn_ml, None if named else s.own)
        for s in segments
    ]
    if not odd and any(s.drawn_ml is not None for s in found):
        odd = "drawn on the PET, but not on its voxels" if drawn_on(dataset) == owner.series else ""
    told = (notice("seg-geometry", odd),) if odd else ()
    return _Read(rois, "seg", (*told, *_frames(frame, grid)))


def _drawn(dataset: Dataset, grid: Grid, path: Path, names: Sequence[str] | None) -> _Read:
    from tmtv_engine.dicom.rtstruct import fill, read_contours

    rois, skipped, uneven = [], [], []
    drawn = _chosen(read_contours(dataset, path), names, path)
    for roi in drawn:
        kinds = [f"{count} {kind}" for kind, count in roi.skipped.items()]
        if roi.contours:
            filled = fill(roi.contours, grid, path)
            outside_ml = filled.outside * grid.voxel_ml
            rois.append(_Roi(roi.number, roi.name, filled.mask, outside_ml))
            uneven += [roi.name] if filled.uneven else []
            if not filled.mask.any() and not filled.outside:
                kinds.append("its contours hold no voxel's centre")
        skipped += [f"{roi.name}: {', '.join(kinds)}"] if kinds else []
    told = [notice("contours-skipped", "; ".join(skipped[:12]))] if skipped else []
    told += [notice("uneven-planes", ", ".join(uneven[:12]))] if uneven else []
    frame = next((r.frame for r in drawn if _frames(r.frame, grid)), "")
    return _Read(rois, "rtstruct", (*told, *_frames(frame, grid)))


def _frames(frame: str, grid: Grid) -> tuple[Notice, ...]:
    differ = frame and grid.frame_uid and frame != grid.frame_uid
    return (notice("frames-differ", "matched by position"),) if differ else ()


N = TypeVar("N", bound=_Named)


def _chosen(found: list[N], names: Sequence[str] | None, path: Path) -> list[N]:
    """Those of these names or numbers, each once, or all; raises `UsageError`."""
    if not names:
        return found
    chosen: list[N] = []
    for name in names:
        matching = [roi for roi in found if name in (roi.name, str(roi.number))]
        if not matching:
            there = ", ".join(f"{roi.number} {roi.name}" for roi in found[:12])
            raise UsageError(f"{path}: has no ROI {name!r}", f"It has: {there}.")
        chosen += [roi for roi in matching if roi not in chosen]
    return chosen
