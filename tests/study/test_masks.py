"""Masks and label maps of every format onto the PET's grid."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.support.cases import make_volume
from tmtv_engine.errors import GeometryError, Implausible, InputError
from tmtv_engine.image.nifti import read_nifti, write_nifti
from tmtv_engine.image.volume import Grid, Unit, Volume
from tmtv_engine.study.rois import read_rois

GRID = Grid.axial((7, 11, 13), (3.0, 4.0, 2.0), (-10.0, 20.0, -300.0), "1.2.3.9")


def test_nifti_masks_and_label_maps(tmp_path: Path) -> None:
    _, labels = make_volume()
    write_nifti(labels, tmp_path / "l.nii.gz")
    rois = read_rois(tmp_path / "l.nii.gz", labels.grid)
    np.testing.assert_array_equal(rois.labels.array, labels.array)
    assert (rois.kind, rois.names) == ("labels", ("1", "2", "3"))
    write_nifti(labels.with_array(labels.array > 0), tmp_path / "m.nii.gz")
    assert read_rois(tmp_path / "m.nii.gz", labels.grid).kind == "mask"
    beside = Grid.axial((5, 6, 7), labels.grid.spacing_mm, (900.0, 900.0, 900.0))
    with pytest.raises(GeometryError, match="beside"):
        read_rois(tmp_path / "m.nii.gz", beside)


@pytest.mark.parametrize("kind", ["eye", "mirrored", "moved"])
def test_a_mask_of_the_pets_shape_that_lies_elsewhere(kind: str, tmp_path: Path) -> None:
    _, labels = make_volume()
    affine = labels.grid.affine.copy()
    if kind == "eye":
        affine = Grid.axial(labels.grid.shape, (1.0, 1.0, 1.0)).affine
    elif kind == "mirrored":
        affine[0, 2] *= -1
    else:
        affine[1, 3] += 0.5 * labels.grid.spacing_mm[1]
    wrong = Volume(labels.array, Grid(labels.grid.shape, affine), Unit.LABEL)
    write_nifti(wrong, tmp_path / "m.nii.gz")
    with pytest.raises(Implausible, match=r"m\.nii\.gz") as caught:
        read_rois(tmp_path / "m.nii.gz", labels.grid)
    assert caught.value.code == "mask-geometry"
    rois = read_rois(tmp_path / "m.nii.gz", labels.grid, accepted=["mask-geometry"])
    np.testing.assert_array_equal(rois.labels.array, labels.array)
    assert [n.code for n in rois.notices] == ["mask-geometry"]
    affine = labels.grid.affine.copy()
    affine[1, 3] += 0.49 * labels.grid.spacing_mm[1]  # nearer to its own voxel than to any other
    near = Volume(labels.array, Grid(labels.grid.shape, affine), Unit.LABEL)
    write_nifti(near, tmp_path / "m.nii.gz")
    rois = read_rois(tmp_path / "m.nii.gz", labels.grid)
    np.testing.assert_array_equal(rois.labels.array, labels.array)
    assert rois.notices == ()


def test_a_mask_on_another_grid_tells_what_lies_beyond(tmp_path: Path) -> None:
    grid = Grid.axial((9, 11, 13), (3.0, 4.0, 2.0), (-10.0, 20.0, -306.0))
    array = np.zeros(grid.shape, np.uint8)
    array[1:5, 2:4, 3:6] = 1
    write_nifti(Volume(array, grid, Unit.LABEL), tmp_path / "m.nii.gz")
    rois = read_rois(tmp_path / "m.nii.gz", GRID)
    assert np.count_nonzero(rois.labels.array) == 3 * 6
    assert f"({6 * grid.voxel_ml:.2f} mL of 1)" in rois.notices[0].message


@pytest.mark.parametrize("value", [1.00000006, 0.99999994])
def test_labels_that_a_slope_went_over_are_whole(value: float, tmp_path: Path) -> None:
    import nibabel

    _, labels = make_volume()
    image = nibabel.Nifti1Image(
        (labels.array.T * np.float64(value)).astype(np.float64), np.diag([-2.0, -3.0, 4.0, 1.0])
    )
    nibabel.save(image, tmp_path / "m.nii.gz")
    back = read_nifti(tmp_path / "m.nii.gz", Unit.LABEL)
    np.testing.assert_array_equal(back.array, labels.array)


@pytest.mark.parametrize("value", [-1, -1024])
def test_negative_labels_are_refused(value: int, tmp_path: Path) -> None:
    _, labels = make_volume()
    array = np.where(labels.array > 0, 1, value).astype(np.int16)
    write_nifti(labels.with_array(array), tmp_path / "m.nii.gz")
    with pytest.raises(InputError, match=f"label {value}"):
        read_rois(tmp_path / "m.nii.gz", labels.grid)


@pytest.mark.parametrize("suffix", [".nii.gz", ".nii", ".nrrd", ".nhdr", ".mha", ".mhd"])
def test_label_maps_of_every_format(suffix: str, tmp_path: Path) -> None:
    import SimpleITK as sitk

    _, labels = make_volume()
    image = sitk.GetImageFromArray(labels.array)
    image.SetSpacing(labels.grid.spacing_mm[::-1])
    image.SetOrigin(labels.grid.affine[:3, 3])
    sitk.WriteImage(image, str(tmp_path / f"m{suffix}"))
    rois = read_rois(tmp_path / f"m{suffix}", labels.grid)
    np.testing.assert_array_equal(rois.labels.array, labels.array)
    assert (rois.kind, rois.notices) == ("labels", ())


def test_nifti_keeps_place_and_numbers(tmp_path: Path) -> None:
    turn = np.deg2rad(15.0)
    affine = GRID.affine.copy()
    spin = np.array([[np.cos(turn), -np.sin(turn), 0], [np.sin(turn), np.cos(turn), 0], [0, 0, 1]])
    affine[:3, :3] = spin @ affine[:3, :3]
    array = np.random.default_rng(4).random(GRID.shape).astype(np.float32)
    volume = Volume(array, Grid(GRID.shape, affine), Unit.SUV)
    write_nifti(volume, tmp_path / "v.nii.gz")
    back = read_nifti(tmp_path / "v.nii.gz", Unit.SUV)
    np.testing.assert_array_equal(back.array, array)
    assert back.grid.matches(volume.grid, 1e-3)


def test_nifti_agrees_with_simpleitk(tmp_path: Path) -> None:
    """SimpleITK is LPS by itself: its physical point of a voxel is ours."""
    sitk = pytest.importorskip("SimpleITK")
    suv, _ = make_volume()
    write_nifti(suv, tmp_path / "v.nii.gz")
    image = sitk.ReadImage(str(tmp_path / "v.nii.gz"))
    np.testing.assert_array_equal(sitk.GetArrayFromImage(image), suv.array)
    point = image.TransformIndexToPhysicalPoint((9, 7, 5))
    np.testing.assert_allclose(point, suv.grid.to_mm((5, 7, 9)), atol=1e-3)
