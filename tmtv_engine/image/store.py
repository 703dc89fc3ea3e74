"""Images in a file of chunks, so that a slice of any plane comes in milliseconds: SUV bit for bit.

``image.b2nd`` (Blosc2) holds the scanner's integers where the SUV follows from them, with slope,
intercept and factor of each slice beside them, else the float32 itself; ``ct.b2nd`` HU as integers
on the PET's grid. Arrays are (z, y, x).
"""

from __future__ import annotations

import errno
import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from tmtv_engine.errors import CaseError
from tmtv_engine.files import AGAIN
from tmtv_engine.image.volume import Array, Grid, Unit, Volume

if TYPE_CHECKING:
    import blosc2

SCHEMA = "tmtv.image/1"
CHUNK, BLOCK = 64, 16
LEVEL = 1
AIR_HU = -1024
Float32 = npt.NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Rescale:
    """How values came from stored integers, slice by slice: (stored · slope + intercept) · factor.

    Each (z,) float32, and in that order in float32, as reading does it.
    """

    slope: Float32
    intercept: Float32
    factor: Float32

    def apply(self, stored: Array, slices: slice | int = slice(None)) -> Float32:
        """The values of stored integers (z, y, x), or of one slice of them (y, x)."""
        slope, intercept, factor = (
            np.asarray(part[slices])[..., None, None]
            for part in (self.slope, self.intercept, self.factor)
        )
        out = np.multiply(stored, slope, dtype=np.float32, casting="unsafe")
        if intercept.any():
            out += intercept
        out *= factor
        return np.asarray(out)

    def invert(self, values: Array) -> Array | None:
        """The integers behind ``values`` (z, y, x) float32; None where they are not from such."""
        ends = np.stack([values.min(axis=(1, 2)), values.max(axis=(1, 2))], axis=1)[..., None]
        found = [self._behind(ends, k) for k in range(len(values))]  # a slice's lie between them
        low, high = min(0.0, float(np.min(found))), max(0.0, float(np.max(found)))
        for kind in (np.int16, np.uint16, np.int32):
            if np.iinfo(kind).min <= low and high <= np.iinfo(kind).max:
                stored = np.empty(values.shape, kind)
                for k, image in enumerate(values):
                    stored[k] = self._behind(values, k)
                    same = self.apply(stored[k], k).view(np.uint32) == image.view(np.uint32)
                    if not same.all():
                        return None
                return stored
        return None

    def _behind(self, values: Array, k: int) -> Array:
        """The whole numbers (y, x) nearest to what slice ``k`` was computed from; 0 of none."""
        slope, intercept, factor = (
            np.float64(part[k]) for part in (self.slope, self.intercept, self.factor)
        )
        with np.errstate(divide="ignore", invalid="ignore"):
            found = np.rint((values[k] / factor - intercept) / slope)
        return np.where(np.isfinite(found), found, 0.0)


def whole_hu(array: Array) -> Array:
    """A CT as it is kept: HU rounded to whole ones, int16."""
    whole = np.empty(array.shape, np.int16)
    for k, part in enumerate(array):  # slice by slice: all of it three times over would be much
        whole[k] = np.clip(np.rint(part), -32768, 32767)
    return whole


def save_image(path: Path, image: Volume, rescale: Rescale | None = None) -> None:
    """Write ``image`` in chunks; the same bytes from the same image, whatever the machine.

    A CT (`Unit.HU`) is rounded to whole HU. Raises `OSError` where the disk refuses.
    """
    import blosc2

    meta: dict[str, Any] = {
        "schema": SCHEMA,
        "unit": image.unit.value,
        "affine": image.grid.affine.tolist(),
        "frame_uid": image.grid.frame_uid,
    }
    stored: Array | None
    if image.unit is Unit.HU:
        stored = whole_hu(image.array)
    else:
        values = np.ascontiguousarray(image.require(Unit.SUV), np.float32)
        stored = rescale.invert(values) if rescale is not None else None
        if stored is None:
            stored = values
        else:
            assert rescale is not None
            parts = ("slope", "intercept", "factor")
            meta |= {name: getattr(rescale, name).astype(float).tolist() for name in parts}
    filters = [blosc2.Filter.SHUFFLE]
    how = blosc2.CParams(codec=blosc2.Codec.ZSTD, clevel=LEVEL, filters=filters, nthreads=1)
    chunks = tuple(min(CHUNK, n) for n in stored.shape)
    blocks = tuple(min(BLOCK, n) for n in chunks)
    try:
        blosc2.asarray(
            stored,
            chunks=chunks,
            blocks=blocks,
            cparams=how,
            urlpath=str(path),
            mode="w",
            meta={"tmtv": meta},
        )
    except RuntimeError as error:  # all that blosc2 says of a disk that refuses
        full = shutil.disk_usage(path.parent).free < stored.nbytes
        code = errno.ENOSPC if full else errno.EIO
        raise OSError(code, os.strerror(code), str(path)) from error


class StoredImage:
    """An image of `save_image`, read plane by plane."""

    def __init__(self, path: Path) -> None:
        """Raises `CaseError` where ``path`` holds no such image."""
        import blosc2

        try:
            if path.is_symlink() or not path.is_file():
                raise OSError("it is no regular file")
            self._array: blosc2.NDArray = blosc2.open(str(path), mode="r")
            meta = self._array.schunk.meta["tmtv"]
            if meta["schema"] != SCHEMA:
                raise ValueError(f"its schema is not {SCHEMA}")
            shape = tuple(int(n) for n in self._array.shape)
            self.grid = Grid(shape, np.array(meta["affine"], float), str(meta["frame_uid"]))  # type: ignore[arg-type]
            self.unit = Unit(meta["unit"])
            self._rescale = None
            if "slope" in meta:
                parts = ("slope", "intercept", "factor")
                self._rescale = Rescale(*(np.array(meta[p], np.float32) for p in parts))
        except Exception as error:  # blosc2, msgpack and numpy each have their own
            raise CaseError(f"{path} cannot be read: {error}", AGAIN) from error
        self.path = path

    def plane(self, axis: int, index: int) -> Float32:
        """The slice ``index`` across ``axis`` (0 z, 1 y, 2 x), as the volume's other two axes."""
        where = [slice(None)] * 3
        where[axis] = slice(index, index + 1)
        return np.asarray(np.squeeze(self.part(where[0], where[1], where[2]), axis=axis))

    def part(self, z: slice, y: slice, x: slice) -> Float32:
        """A box of the image (z, y, x); raises `CaseError` where the file is damaged."""
        try:
            stored = np.asarray(self._array[z, y, x])
        except Exception as error:
            raise CaseError(f"{self.path} cannot be read: {error}", AGAIN) from error
        if self._rescale is None:
            return np.asarray(stored, np.float32)
        return self._rescale.apply(stored, z)

    def volume(self) -> Volume:
        """The whole image."""
        whole = slice(None)
        return Volume(self.part(whole, whole, whole), self.grid, self.unit)
