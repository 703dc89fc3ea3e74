"""Organ maps on disk: packed as `maps_*.npz`, or NIfTI as TotalSegmentator and MOOSE write it."""

from __future__ import annotations

import functools
import zipfile
import zlib
from pathlib import Path

import numpy as np
import numpy.typing as npt

from tmtv_engine.errors import InputError
from tmtv_engine.image.arrays import check_npz
from tmtv_engine.image.nifti import read_nifti
from tmtv_engine.image.volume import Grid, Unit
from tmtv_engine.phantom.organmap import MAP_MM, ORGANS, OrganMap
from tmtv_engine.study.organs import read_organs, structure_of


def keys_of(file: Path) -> list[str]:
    try:
        with np.load(file, allow_pickle=False) as maps:
            return list(maps.files)
    except (OSError, ValueError, zipfile.BadZipFile) as error:
        raise InputError(f"{file}: is no file of organ maps: {error}") from error


def person_of_file(root: Path, file: Path) -> tuple[str, str]:
    """Key and path of the person whom ``file`` shows, or one of whose masks it is."""
    name = file.name.removesuffix(".gz").removesuffix(".nii")
    whole = file.parent if file.parent != root and structure_of(name) else file
    key = whole.relative_to(root).as_posix()
    return key.removesuffix(".gz").removesuffix(".nii"), str(whole)


@functools.lru_cache(maxsize=4)
def read_map(file: str, key: str) -> OrganMap:
    if not file.endswith(".npz"):
        return _axial(key, *_nifti(Path(file)))
    try:
        with np.load(file, allow_pickle=False) as maps:
            check_npz(maps, Path(file))
            labels = maps[key]
    except (OSError, ValueError, KeyError, zipfile.BadZipFile, zlib.error) as error:
        raise InputError(f"{file}: {key} cannot be read: {error}") from error
    if labels.ndim != 3 or labels.dtype != np.uint8:
        raise InputError(f"{file}: {key} is no label map (uint8, three axes)")
    return OrganMap.of(key, labels, (MAP_MM, MAP_MM, MAP_MM))


def _nifti(path: Path) -> tuple[npt.NDArray[np.uint8], Grid]:
    """Labels of `ORGANS` on the file's own grid; of a folder, its masks together."""
    if path.is_file():
        volume, names = read_organs(path)
        table = np.zeros(int(volume.array.max()) + 1, np.uint8)
        for label, name in names.items():
            if label < len(table):
                table[label] = _label(name)
        return table[volume.array], volume.grid
    labels: npt.NDArray[np.uint8] | None = None
    for file in sorted(path.glob("*.nii*")):
        label = _label(file.name.removesuffix(".gz").removesuffix(".nii"))
        if not label:
            continue
        mask = read_nifti(file, Unit.LABEL)
        if labels is None:
            labels, grid = np.zeros(mask.grid.shape, np.uint8), mask.grid
        elif not mask.grid.matches(grid):
            raise InputError(f"{file}: lies on another grid than its neighbours")
        labels[mask.array > 0] = label
    if labels is None:
        raise InputError(f"{path}: holds no organ's mask")
    return labels, grid


def _label(organ: str) -> int:
    name = "prostate" if "prostate" in organ.lower() else structure_of(organ)
    return ORGANS.index(name) + 1 if name in ORGANS else 0


def _axial(key: str, labels: npt.NDArray[np.uint8], grid: Grid) -> OrganMap:
    """The nearest label on cubes of 4 mm along the patient's axes; whole field in z."""
    if not labels.any():
        raise InputError(f"{key}: holds no organ that we draw", "Do its labels have names?")
    corners = np.array(np.meshgrid(*((0, n - 1) for n in grid.shape))).reshape(3, -1).T
    ends = grid.to_mm(corners)
    inside = grid.to_mm(np.argwhere(labels))
    low, high = inside.min(axis=0) - MAP_MM, inside.max(axis=0) + MAP_MM
    low[2], high[2] = ends[:, 2].min(), ends[:, 2].max()
    x, y, z = (np.arange(a, b + MAP_MM / 2, MAP_MM) for a, b in zip(low, high, strict=True))
    at = np.stack(np.meshgrid(z, y, x, indexing="ij"), -1)[..., ::-1]
    back = np.linalg.inv(grid.affine)
    index = np.rint(at @ back[:3, :3].T + back[:3, 3]).astype(np.int64)
    valid = ((index >= 0) & (index < grid.shape)).all(axis=-1)
    index = np.clip(index, 0, np.array(grid.shape) - 1)
    out = labels[index[..., 0], index[..., 1], index[..., 2]] * valid
    return OrganMap.of(key, out.astype(np.uint8), (MAP_MM, MAP_MM, MAP_MM))
