"""Images of any kind that is no DICOM: NIfTI by nibabel, NRRD and MetaImage by SimpleITK."""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from tmtv_engine.errors import InputError
from tmtv_engine.image.nifti import MOST_VOXELS, check_sizes, checked, read_nifti
from tmtv_engine.image.volume import Unit, Volume

NIFTI = (".nii.gz", ".nii")
OTHERS = (".nrrd", ".nhdr", ".mha", ".mhd")
SUFFIXES = (*NIFTI, *OTHERS)
_HEADER = 1 << 16
_CHUNK = 1 << 20
_SCALING = ("slope", "offset")


def suffix_of(path: Path) -> str:
    """The ending that says which kind of image it is, in lower case; empty for none."""
    name = path.name.lower()
    return next((s for s in SUFFIXES if name.endswith(s) and name != s), "")


def stem_of(path: Path) -> str:
    """The name without that ending."""
    return path.name[: len(path.name) - len(suffix_of(path))]


def read_image(path: Path, unit: Unit) -> Volume:
    """The image of a file: float32, or int32 for labels; raises `InputError` as `read_nifti`."""
    if not path.is_file():  # a FIFO would never end
        raise InputError(f"{path}: there is no such file", "Give an image.")
    return read_nifti(path, unit) if suffix_of(path) not in OTHERS else _read_itk(path, unit)


def check_described(path: Path) -> None:
    """Refuse an image that does not say, or says twice, how large its voxels are and where they
    lie; raises `InputError`. `read_image` does so but for labels, which may be taken by index."""
    if suffix_of(path) not in OTHERS:
        check_sizes(path)
        return
    fields = _header(path).fields
    nrrd = suffix_of(path) in (".nrrd", ".nhdr")
    sizes = ("space directions", "spacings") if nrrd else ("elementspacing", "elementsize")
    if not any(fields.get(name) for name in sizes):
        what = f"{path}: does not say how large its voxels are ({sizes[0]})"
        raise InputError(what, "Write it anew with their size.")
    if nrrd and not fields.get("space directions"):
        what = f"{path}: does not say how its voxels lie (space directions)"
        raise InputError(what, "Write it anew with their directions.")


def shape_of(path: Path) -> tuple[int, ...]:
    """The voxels along each axis by the header alone, without axes of one; empty if unknown."""
    try:
        if suffix_of(path) in OTHERS:
            import SimpleITK as sitk

            reader = sitk.ImageFileReader()
            reader.SetFileName(str(path))
            reader.ReadImageInformation()
            size = reader.GetSize()
        else:
            import nibabel

            size = nibabel.load(path).shape
    except Exception:  # what is wrong with it is said when it is read
        return ()
    return tuple(int(n) for n in size if n != 1)


def parts_of(path: Path) -> tuple[Path, ...]:
    """The files of an image: itself and, of a header that stands alone, the voxels' file.

    Raises `InputError` for one that names a file elsewhere, or none.
    """
    if suffix_of(path) not in OTHERS:
        return (path,)
    told = _header(path)
    return (path,) if told.data is None else (path, told.data)


@dataclass(frozen=True)
class _Header:
    """The fields of a header in lower case, where its voxels begin and in which file."""

    fields: Mapping[str, str]
    offset: int
    data: Path | None


def _header(path: Path) -> _Header:
    try:
        with path.open("rb") as file:
            raw = file.read(_HEADER)
    except OSError as error:
        raise InputError(f"{path}: {error.strerror}", "Copy it again.") from error
    nrrd = suffix_of(path) in (".nrrd", ".nhdr")
    if nrrd and not raw.startswith(b"NRRD"):
        raise InputError(f"{path}: is no NRRD", "Copy it again.")
    fields: dict[str, str] = {}
    offset = 0
    for line in raw.splitlines(keepends=True):
        offset += len(line)
        text = line.decode("latin-1").strip()
        if nrrd and not text:
            break
        name, _, value = text.partition(":" if nrrd else "=")
        fields[name.strip().lower()] = value.strip()
        if not nrrd and name.strip().lower() == "elementdatafile":
            break
    told = fields.get("data file") or fields.get("datafile") or fields.get("elementdatafile", "")
    return _Header(fields, offset, _data_file(path, told))


def _data_file(path: Path, told: str) -> Path | None:
    """The one file beside the header that ``told`` names; a header leads nowhere else."""
    if told in ("", "LOCAL"):
        return None
    data = path.parent / told
    plain = Path(told).name == told and "%" not in told and not told.upper().startswith("LIST")
    if not plain or data.is_symlink() or not data.is_file():
        what = f"{path}: its voxels are not in one file beside it ({told[:80]!r})"
        raise InputError(what, "Save it as one file: .nii.gz, .nrrd or .mha.")
    return data


def _read_itk(path: Path, unit: Unit) -> Volume:
    import SimpleITK as sitk

    header = _header(path)
    _check_stream(path, header, _described(path))
    if unit is not Unit.LABEL:
        check_described(path)
    slope, offset = (header.fields.get(f"elementtointensityfunction{k}") for k in _SCALING)
    if not (_is(slope, 1.0) and _is(offset, 0.0)):
        what = f"{path}: has a slope or an offset that is not read (ElementToIntensityFunction)"
        raise InputError(what, "Write the values themselves.")
    try:
        image: Any = sitk.ReadImage(str(path))
        array = sitk.GetArrayFromImage(image)
    except (RuntimeError, MemoryError) as error:
        raise InputError(f"{path}: cannot be read", "Copy it again.") from error
    affine = np.eye(4)
    turned = np.array(image.GetDirection()).reshape(image.GetDimension(), -1)[:3, :3]
    affine[:3, :3] = (turned * np.array(image.GetSpacing()[:3]))[:, ::-1]
    affine[:3, 3] = image.GetOrigin()[:3]
    return checked(path, array, affine, unit)


def _is(text: str | None, number: float) -> bool:
    """Whether a field is absent, or this number."""
    try:
        return not text or float(text) == number
    except ValueError:
        return False


def _described(path: Path) -> int:
    """The bytes of the voxels that a header promises; raises `InputError` for too many or none."""
    import SimpleITK as sitk

    reader = sitk.ImageFileReader()
    reader.SetFileName(str(path))
    try:
        reader.ReadImageInformation()
    except RuntimeError as error:
        raise InputError(f"{path}: cannot be read as an image", "Copy it again.") from error
    size = [int(n) for n in reader.GetSize()]
    if len(size) < 3 or any(n != 1 for n in size[3:]) or reader.GetNumberOfComponents() != 1:
        raise InputError(f"{path}: is no three-dimensional grey image", "Give one image.")
    voxels = int(np.prod([float(n) for n in size]))
    if voxels > MOST_VOXELS:
        raise InputError(f"{path}: says that it holds {size} voxels", "Is the header broken?")
    itemsize = sitk.GetArrayFromImage(sitk.Image([1, 1], reader.GetPixelID())).itemsize
    return voxels * int(itemsize)


def _check_stream(path: Path, header: _Header, promised: int) -> None:
    """Raw voxels must be as long as promised, compressed ones end there with the right sum."""
    packed = header.fields.get("encoding", "").lower() in ("gz", "gzip")
    packed = packed or header.fields.get("compresseddata", "").lower() == "true"
    plain = header.fields.get("encoding", "raw").lower() == "raw"
    source, at = (path, header.offset) if header.data is None else (header.data, 0)
    if not packed:
        if plain and source.stat().st_size - at < promised:
            raise InputError(f"{path}: ends before its last voxel", "Copy it again.")
        return
    engine = zlib.decompressobj(wbits=47)  # gzip and zlib alike; the end compares the sum
    count = 0
    try:
        with source.open("rb") as file:
            file.seek(at)
            while not engine.eof and count <= promised and (chunk := file.read(_CHUNK)):
                while chunk and count <= promised:
                    count += len(engine.decompress(chunk, _CHUNK))
                    chunk = engine.unconsumed_tail
    except (OSError, zlib.error) as error:
        raise InputError(f"{path}: is damaged: {error}", "Copy it again.") from error
    if not engine.eof or count != promised:
        raise InputError(f"{path}: its voxels do not end where they should", "Copy it again.")
