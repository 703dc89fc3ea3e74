"""NIfTI files; the one place where RAS becomes LPS and back."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from tmtv_engine.errors import InputError
from tmtv_engine.image.volume import Grid, Unit, Volume

_FLIP = np.diag([-1.0, -1.0, 1.0, 1.0])
_REVERSE = np.eye(4)[[2, 1, 0, 3]]  # (z, y, x) index order to NIfTI's (i, j, k)


def read_nifti(path: Path, unit: Unit) -> Volume:
    """The three-dimensional image of a NIfTI file: float32, or int32 for labels.

    Raises `InputError` for a file that is no NIfTI, not three-dimensional or not finite.
    """
    import nibabel
    from nibabel.filebasedimages import ImageFileError

    try:
        image = nibabel.load(path, mmap=False)  # one copy in memory, not the map's pages besides
        data = np.asarray(image.dataobj)
    except (ImageFileError, OSError, EOFError, ValueError) as error:
        raise InputError(f"{path}: cannot be read as NIfTI", "Give a .nii or .nii.gz.") from error
    while data.ndim > 3 and data.shape[-1] == 1:
        data = data[..., 0]
    if data.ndim != 3:
        raise InputError(f"{path}: has {data.ndim} dimensions", "Give one three-dimensional image.")
    array = np.ascontiguousarray(data.T)
    if unit is Unit.LABEL:
        if array.dtype.kind not in "iub" and not np.array_equal(array, np.round(array)):
            raise InputError(f"{path}: is no label map", "Labels are whole numbers.")
        array = array.astype(np.int32, copy=False)
    else:
        array = array.astype(np.float32, copy=False)
        with np.errstate(invalid="ignore"):
            total = array.sum(dtype=np.float64)  # NaN and infinity show in it
        if not np.isfinite(total):
            raise InputError(f"{path}: holds NaN or infinity", "Write finite numbers.")
    return Volume(array, Grid(array.shape, _FLIP @ image.affine @ _REVERSE), unit)


def write_nifti(volume: Volume, path: Path) -> None:
    """Write a volume; labels keep their type, booleans become uint8, the rest float32."""
    import nibabel

    array = volume.array
    if array.dtype == np.bool_:
        array = array.astype(np.uint8)
    elif volume.unit is not Unit.LABEL:
        array = array.astype(np.float32)
    image = nibabel.Nifti1Image(array.T, _FLIP @ volume.grid.affine @ _REVERSE, dtype=array.dtype)
    image.header.set_xyzt_units("mm")
    nibabel.save(image, path)
