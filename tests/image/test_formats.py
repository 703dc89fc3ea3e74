"""Images of every format: numbers and places, damage, and headers that lead elsewhere."""

from __future__ import annotations

import gzip
import os
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk

from tests.support.cases import make_volume
from tmtv_engine.errors import InputError
from tmtv_engine.image.formats import OTHERS, SUFFIXES, parts_of, read_image, shape_of
from tmtv_engine.image.nifti import read_nifti, write_nifti
from tmtv_engine.image.volume import Array, Unit
from tmtv_engine.study.find import take_stock
from tmtv_engine.study.load import load_study

SHAPE = (7, 11, 13)


def _array() -> Array:
    return np.random.default_rng(3).random(SHAPE).astype(np.float32)


def _write(path: Path, array: Array | None = None, packed: bool = False) -> sitk.Image:
    image = sitk.GetImageFromArray(_array() if array is None else array)
    image.SetSpacing((2.0, 3.0, 4.0))
    image.SetOrigin((-10.0, 20.0, -300.0))
    image.SetDirection((0.0, 1.0, 0.0, -1.0, 0.0, 0.0, 0.0, 0.0, 1.0))
    sitk.WriteImage(image, str(path), packed)
    return image


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("suffix", SUFFIXES)
def test_numbers_and_places_are_those_of_simpleitk(
    suffix: str, packed: bool, tmp_path: Path
) -> None:
    image = _write(tmp_path / f"a{suffix}", packed=packed)
    volume = read_image(tmp_path / f"a{suffix}", Unit.SUV)
    np.testing.assert_array_equal(volume.array, _array())
    np.testing.assert_allclose(volume.grid.spacing_mm, (4.0, 3.0, 2.0), rtol=1e-6)
    point = image.TransformIndexToPhysicalPoint((9, 7, 5))
    np.testing.assert_allclose(volume.grid.to_mm((5, 7, 9)), point, atol=1e-4)
    assert sorted(shape_of(tmp_path / f"a{suffix}")) == sorted(SHAPE)


@pytest.mark.parametrize("suffix", [".nii.gz", ".nrrd", ".mha", ".nhdr", ".mhd"])
def test_one_byte_of_rot_in_packed_voxels_is_seen(suffix: str, tmp_path: Path) -> None:
    path = tmp_path / f"a{suffix}"
    _write(path, packed=True)
    voxels = parts_of(path)[-1]
    raw = voxels.read_bytes()
    for at in np.random.default_rng(0).integers(len(raw) - 2500, len(raw), 25):
        spoilt = bytearray(raw)
        spoilt[at] ^= 0x10
        voxels.write_bytes(bytes(spoilt))
        with pytest.raises(InputError, match=path.name):
            read_image(path, Unit.SUV)
    voxels.write_bytes(raw[:-9])
    with pytest.raises(InputError, match=path.name):
        read_image(path, Unit.SUV)


@pytest.mark.parametrize("suffix", [".nii", ".nrrd", ".mha"])
def test_an_image_that_ends_early_is_refused(suffix: str, tmp_path: Path) -> None:
    path = tmp_path / f"a{suffix}"
    _write(path)
    path.write_bytes(path.read_bytes()[:-4])
    with pytest.raises(InputError, match=path.name):
        read_image(path, Unit.SUV)


@pytest.mark.parametrize("suffix", OTHERS)
def test_empty_files_and_text_are_refused(suffix: str, tmp_path: Path) -> None:
    path = tmp_path / f"a{suffix}"
    for raw in (b"", b"NRRD0004\n", b"text\n" * 50, b"ObjectType = Image\nNDims = 3\n"):
        path.write_bytes(raw)
        with pytest.raises(InputError, match=path.name):
            read_image(path, Unit.SUV)


@pytest.mark.parametrize(
    "told", ["../secret.raw", "/dev/zero", "LIST", "a%03d.raw 1 7 1", "absent.raw", "pipe", "link"]
)
@pytest.mark.parametrize("suffix", [".nhdr", ".nrrd", ".mhd", ".mha"])
def test_a_header_leads_to_no_other_place(suffix: str, told: str, tmp_path: Path) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    (tmp_path / "secret.raw").write_bytes(_array().tobytes())
    os.mkfifo(folder / "pipe")
    (folder / "link").symlink_to(tmp_path / "secret.raw")
    kind = ".nhdr" if suffix in (".nhdr", ".nrrd") else ".mhd"
    _write(folder / f"b{kind}")
    text = (folder / f"b{kind}").read_text().replace("b.raw", told)
    (folder / f"a{suffix}").write_text(text)
    with pytest.raises(InputError, match="beside it"):
        read_image(folder / f"a{suffix}", Unit.SUV)


def test_a_header_of_billions_of_voxels_is_refused_by_it(tmp_path: Path) -> None:
    suv, _ = make_volume()
    write_nifti(suv, tmp_path / "a.nii")
    raw = bytearray((tmp_path / "a.nii").read_bytes())
    raw[42:48] = np.array([30000, 30000, 30000], "<i2").tobytes()
    (tmp_path / "a.nii").write_bytes(bytes(raw))
    _write(tmp_path / "b.mha")
    raw = bytearray((tmp_path / "b.mha").read_bytes().replace(b"13 11 7", b"9999 9999 9999"))
    (tmp_path / "b.mha").write_bytes(bytes(raw))
    for name in ("a.nii", "b.mha"):
        with pytest.raises(InputError, match="Is the header broken"):
            read_image(tmp_path / name, Unit.SUV)


def test_a_small_file_that_unpacks_to_gigabytes_is_refused(tmp_path: Path) -> None:
    suv, _ = make_volume()
    write_nifti(suv, tmp_path / "a.nii")
    raw = bytearray((tmp_path / "a.nii").read_bytes()[:352])
    raw[42:48] = np.array([1000, 1000, 300], "<i2").tobytes()  # 1.2 GB, in 5 MB at most
    with gzip.open(tmp_path / "a.nii.gz", "wb", 1) as file:
        file.write(bytes(raw) + bytes(1 << 20))
    with pytest.raises(InputError, match="Is the header broken"):
        read_image(tmp_path / "a.nii.gz", Unit.SUV)


def test_more_behind_the_voxels_than_a_header_says(tmp_path: Path) -> None:
    suv, _ = make_volume()
    write_nifti(suv, tmp_path / "a.nii")
    with gzip.open(tmp_path / "a.nii.gz", "wb", 1) as file:
        file.write((tmp_path / "a.nii").read_bytes())
        for _ in range(70):
            file.write(bytes(1 << 20))
    with pytest.raises(InputError, match="more than its header says"):
        read_image(tmp_path / "a.nii.gz", Unit.SUV)


def test_the_ending_need_not_tell_whether_it_is_packed(tmp_path: Path) -> None:
    suv, _ = make_volume()
    write_nifti(suv, tmp_path / "a.nii.gz")
    write_nifti(suv, tmp_path / "b.nii")
    (tmp_path / "a.nii.gz").rename(tmp_path / "a.nii")
    (tmp_path / "b.nii").rename(tmp_path / "b.nii.gz")
    for name in ("a.nii", "b.nii.gz"):
        np.testing.assert_array_equal(read_image(tmp_path / name, Unit.SUV).array, suv.array)


def test_pictures_in_colour_and_several_volumes_are_refused(tmp_path: Path) -> None:
    colour = sitk.GetImageFromArray(np.zeros((*SHAPE, 3), np.uint8), isVector=True)
    sitk.WriteImage(colour, str(tmp_path / "c.mha"))
    sitk.WriteImage(colour, str(tmp_path / "c.nii"))
    four = sitk.GetImageFromArray(np.zeros((2, *SHAPE), np.float32))
    sitk.WriteImage(four, str(tmp_path / "f.nii"))
    sitk.WriteImage(four, str(tmp_path / "f.mha"))
    for name in ("c.mha", "c.nii", "f.nii", "f.mha"):
        with pytest.raises(InputError, match=name[:1]):
            read_image(tmp_path / name, Unit.SUV)


@pytest.mark.parametrize("suffix", [".nrrd", ".mha", ".mhd"])
def test_pet_and_ct_of_every_format_are_a_study(suffix: str, tmp_path: Path) -> None:
    folder = tmp_path / "p3"
    folder.mkdir()
    _write(folder / f"pet{suffix}")
    _write(folder / f"ct{suffix}", _array() * 100 - 1000)
    stock = take_stock([folder])
    (study,) = stock.studies
    assert (study.case, stock.leftovers) == ("p3", ())
    loaded = load_study(study)
    np.testing.assert_array_equal(loaded.suv.array, _array())
    assert loaded.ct is not None
    assert len(loaded.input_files) == (4 if suffix == ".mhd" else 2)


@pytest.mark.parametrize("name", ["a.nii", "a.nii.gz", "a"])
def test_what_is_no_nifti_is_one_error_and_nothing_beside_it(
    name: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """nibabel's own complaints about a header of noise went to stderr before ours."""
    (tmp_path / name).write_bytes(np.random.default_rng(1).bytes(5000))
    with pytest.raises(InputError, match="begins with no header of NIfTI"):
        read_nifti(tmp_path / name, Unit.LABEL)
    assert capfd.readouterr() == ("", "")


def test_a_fifo_is_no_image(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "a.nii")
    with pytest.raises(InputError, match=r"a\.nii: is no file"):
        read_nifti(tmp_path / "a.nii", Unit.SUV)
