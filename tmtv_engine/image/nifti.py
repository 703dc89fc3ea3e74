"""NIfTI files; the one place where RAS becomes LPS and back."""

from __future__ import annotations

import gzip
from collections.abc import Sequence
from pathlib import Path
from typing import IO, Any

import numpy as np

from tmtv_engine.errors import InputError
from tmtv_engine.image.volume import Array, Grid, Unit, Volume

_FLIP = np.diag([-1.0, -1.0, 1.0, 1.0])
_REVERSE = np.eye(4)[[2, 1, 0, 3]]  # (z, y, x) index order to NIfTI's (i, j, k)
MOST_VOXELS = 1 << 30
MUCH, MOST_RATIO = 1 << 29, 200  # bytes that no file may unpack to beyond so many times its own
AGREE = 0.01
TWO_SIZES = "Write its header anew, with the right sform and no other."
HALF = 0.5  # of a voxel: a qform's rounding is less
SQUARE = 0.01  # the cosine between two axes; of rounded numbers it is less
WHOLE = 1e-4  # how far a label that a slope went over may be from its whole number
_CHUNK = 1 << 20
_PADDING = 1 << 26  # bytes that may follow the voxels


def read_nifti(path: Path, unit: Unit) -> Volume:
    """The three-dimensional image of a NIfTI file: float32, or int32 for labels.

    A compressed file is read to its end, so that its CRC is checked. Raises `InputError` for a
    file that is no NIfTI or damaged, not three-dimensional, not finite, or whose labels are no
    whole numbers.
    """
    if path.exists() and not path.is_file():  # a FIFO would never end
        raise InputError(f"{path}: is no file", "Give a .nii or .nii.gz.")
    try:
        with path.open("rb") as plain:
            packed = plain.read(2) == b"\x1f\x8b"
            plain.seek(0)
            stream: Any = gzip.GzipFile(fileobj=plain) if packed else plain
            affine, data, doubt = _read(stream, path.stat().st_size if packed else None)
            if packed:
                _to_its_end(stream)
    except InputError as error:
        raise InputError(f"{path}: {error.what}", error.remedy) from error
    except Exception as error:  # gzip, zlib and nibabel each have many of their own
        what = f"{path}: cannot be read as NIfTI: {_first_line(error)}"
        raise InputError(what, "Give a .nii or .nii.gz; copy it again if it is one.") from error
    if doubt and unit is not Unit.LABEL:
        raise InputError(f"{path}: {doubt}", TWO_SIZES)
    with np.errstate(invalid="ignore"):  # what is not finite is refused below
        lps = _FLIP @ affine @ _REVERSE
    return checked(path, data.T, lps, unit)


def check_sizes(path: Path) -> None:
    """Refuse a NIfTI whose header gives its voxels two sizes or places, or none; raises
    `InputError`.

    `read_nifti` does so but for labels: a mask whose affine was lost may be taken by index.
    """
    import nibabel

    image = nibabel.load(path)
    doubt = _doubt(image)
    if doubt:
        raise InputError(f"{path}: {doubt}", TWO_SIZES)


def _read(stream: IO[bytes], packed: int | None) -> tuple[Array, Array, str]:
    """The affine and the voxels (x, y, z, …) of an open file, of either version.

    Beside them what is doubtful of its voxels' size and place.

    ``packed`` is how many bytes a compressed file has.
    """
    import nibabel

    head = stream.read(348)
    stream.seek(0)
    sizes = [int.from_bytes(head[:4], order) for order in ("little", "big")]  # type: ignore[arg-type]
    second = 540 in sizes
    if not second and 348 not in sizes and head[344:347] not in (b"n+1", b"ni1"):
        raise ValueError("it begins with no header of NIfTI")  # nibabel would talk of its fields
    image = (nibabel.Nifti2Image if second else nibabel.Nifti1Image).from_stream(stream)
    shape = image.shape
    if len([n for n in shape if n != 1]) > 3 or len(shape) < 3:
        raise InputError(f"has {len(shape)} dimensions", "Give one three-dimensional image.")
    voxels = float(np.prod(np.array(shape, np.float64)))
    size_bytes = voxels * image.get_data_dtype().itemsize
    bomb = packed is not None and size_bytes > max(MUCH, MOST_RATIO * packed)
    if voxels > MOST_VOXELS or bomb:
        raise InputError(f"says that it holds {shape} voxels", "Is the header broken?")
    return image.affine, np.asarray(image.dataobj), _doubt(image)


def _doubt(image: Any) -> str:
    """What is doubtful of where an image's voxels lie, or ""."""
    return _two_sizes(image.affine, image.header.get_zooms()[:3]) or _places(image)


def _places(image: Any) -> str:
    """That neither sform nor qform is set, or that the two disagree: programs take either."""
    codes = [int(image.header[f"{name}_code"]) for name in ("sform", "qform")]
    if max(codes) <= 0:
        return "does not say how its voxels lie (neither sform nor qform is set)"
    if min(codes) <= 0:
        return ""
    try:
        one, other = image.header.get_sform(), image.header.get_qform()
    except ValueError:  # no rotation at all: nothing takes it
        return ""
    corners = np.array(list(np.ndindex(2, 2, 2))) * (np.array(image.shape[:3]) - 1)
    corners = np.c_[corners, np.ones(8)]
    apart = float(np.linalg.norm(corners @ (one - other).T, axis=1).max())
    if not apart > HALF * np.linalg.norm(one[:3, :3], axis=0).max():
        return ""
    return f"lies at two places up to {apart:.4g} mm apart, by its sform and its qform"


def _two_sizes(affine: Array, pixdim: Sequence[float]) -> str:
    """What a header says that gives its voxels two sizes, by sform and pixdim: programs differ."""
    sizes = np.linalg.norm(affine[:3, :3], axis=0)
    said = np.array(pixdim, np.float64)
    with np.errstate(invalid="ignore"):
        differ = (said > 0) & (np.abs(sizes - said) > AGREE * said)
    if not differ.any():
        return ""
    one, other = (" × ".join(f"{v:.4g}" for v in sides) for sides in (sizes, said))
    return f"has voxels of {one} mm by its sform, of {other} mm by pixdim"


def _to_its_end(stream: IO[bytes]) -> None:
    """Whatever follows the voxels, so that gzip compares length and CRC; it is not kept."""
    rest = 0
    while chunk := stream.read(_CHUNK):
        rest += len(chunk)
        if rest > _PADDING:
            raise InputError("holds more than its header says", "Is the header broken?")


def checked(path: Path, array: Array, affine: Array, unit: Unit) -> Volume:
    """A file's voxels (…, z, y, x) and affine (index → LPS mm) as a `Volume`, or `InputError`."""
    while array.ndim > 3 and array.shape[0] == 1:
        array = array[0]
    if array.ndim != 3:
        what = f"{path}: has {array.ndim} dimensions"
        raise InputError(what, "Give one three-dimensional image.")
    if array.dtype.kind not in "iufb" or not array.size:
        raise InputError(f"{path}: holds no numbers, but {array.dtype}", "Give one grey image.")
    if not np.isfinite(affine).all() or abs(np.linalg.det(affine[:3, :3])) < 1e-9:
        raise InputError(f"{path}: does not say where its voxels lie", "Correct its affine.")
    axes = affine[:3, :3] / np.linalg.norm(affine[:3, :3], axis=0)
    if np.abs(axes.T @ axes - np.eye(3)).max() > SQUARE:
        what = f"{path}: its axes are not at right angles"
        raise InputError(what, "Resample it onto straight ones (a tilted gantry).")
    array = np.ascontiguousarray(array)
    array = _labels(path, array) if unit is Unit.LABEL else _numbers(path, array)
    return Volume(array, Grid(array.shape, np.asarray(affine, np.float64)), unit)


def _labels(path: Path, array: Array) -> Array:
    """Whole numbers from 0 on, as int32."""
    if array.dtype.kind == "f":
        whole = np.round(array)
        with np.errstate(invalid="ignore"):
            apart = np.abs(array - whole).max()
        if not apart <= WHOLE:
            raise InputError(f"{path}: is no label map", "Labels are whole numbers.")
        array = whole
    low, high = array.min(), array.max()
    if low < 0:
        raise InputError(f"{path}: holds the label {low:g}", "Labels begin at 0, the background.")
    if high > np.iinfo(np.int32).max:
        raise InputError(f"{path}: holds the label {high:g}", "Labels end at 2147483647.")
    return array.astype(np.int32, copy=False)


def _numbers(path: Path, array: Array) -> Array:
    with np.errstate(over="ignore", invalid="ignore"):
        array = array.astype(np.float32, copy=False)
        total = array.sum(dtype=np.float64)  # NaN and infinity show in it
    if not np.isfinite(total):
        raise InputError(f"{path}: holds NaN or infinity", "Write finite numbers.")
    return array


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:200]


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
