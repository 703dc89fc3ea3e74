"""An image says once how large its voxels are and where they lie, or it is refused."""

from __future__ import annotations

from pathlib import Path

import nibabel
import numpy as np
import pytest

from tmtv_engine.errors import Implausible, InputError
from tmtv_engine.image.formats import read_image
from tmtv_engine.image.volume import Grid, Unit, Volume
from tmtv_engine.study.rois import read_rois
from tmtv_engine.suv.plausible import check_spacing

SHAPE, SPACING, ORIGIN = (5, 6, 7), (5.0, 4.0, 3.0), (-45.0, -50.0, 310.0)
GRID = Grid.axial(SHAPE, SPACING, ORIGIN)
RAS = np.array([[-3.0, 0, 0, 45], [0, -4, 0, 50], [0, 0, 5, 310], [0, 0, 0, 1]])
RAW = np.arange(210, dtype="<f4").reshape(SHAPE)
TURN = np.deg2rad(20)


def _other(kind: str) -> np.ndarray:
    other = RAS.copy()
    if kind == "mirrored":
        other[0] *= -1
    elif kind == "shifted":
        other[2, 3] += 2.6  # more than half a slice
    elif kind == "rounded":
        other[2, 3] += 2.4
    elif kind == "turned":
        turn = np.eye(4)
        turn[1:3, 1:3] = [[np.cos(TURN), -np.sin(TURN)], [np.sin(TURN), np.cos(TURN)]]
        other = turn @ RAS
    return other


@pytest.mark.parametrize("kind", ["mirrored", "shifted", "turned", "rounded", "same"])
@pytest.mark.parametrize("codes", [(1, 1), (2, 1), (4, 1), (1, 0), (0, 1)])
def test_sform_and_qform_say_one_place(kind: str, codes: tuple[int, int], tmp_path: Path) -> None:
    image = nibabel.Nifti1Image(RAW.T, RAS)
    image.set_sform(RAS if codes[0] else _other(kind), code=codes[0])
    image.set_qform(_other(kind) if codes[0] else RAS, code=codes[1])
    nibabel.save(image, tmp_path / "pet.nii")
    if min(codes) and kind in ("mirrored", "shifted", "turned"):
        with pytest.raises(InputError, match=r"at two places up to .* mm apart, by its sform"):
            read_image(tmp_path / "pet.nii", Unit.SUV)
    else:
        assert read_image(tmp_path / "pet.nii", Unit.SUV).grid.matches(GRID, 1e-3)


def test_neither_of_them_is_no_place(tmp_path: Path) -> None:
    image = nibabel.Nifti1Image((RAW > 3).astype(np.uint8).T, RAS)
    image.set_sform(RAS, code=0)
    image.set_qform(RAS, code=0)
    nibabel.save(image, tmp_path / "x.nii")
    with pytest.raises(InputError, match="neither sform nor qform"):
        read_image(tmp_path / "x.nii", Unit.HU)
    with pytest.raises(Implausible):
        read_rois(tmp_path / "x.nii", GRID)
    rois = read_rois(tmp_path / "x.nii", GRID, accepted=["mask-geometry"])
    assert np.array_equal(rois.labels.array, RAW > 3)
    wider = Grid.axial((5, 6, 9), SPACING, (0.0, 0.0, 0.0))
    with pytest.raises(InputError, match="neither sform nor qform"):
        read_rois(tmp_path / "x.nii", wider, accepted=["mask-geometry"])


NRRD = "NRRD0004\ntype: float\ndimension: 3\nsizes: 7 6 5\nendian: little\nencoding: raw\n"
LPS = "space: left-posterior-superior\n"
LAID = "space directions: (3,0,0) (0,4,0) (0,0,5)\nspace origin: (-45,-50,310)\n"
MHA = "ObjectType = Image\nNDims = 3\nBinaryData = True\nBinaryDataByteOrderMSB = False\n"
MHA += "DimSize = 7 6 5\nOffset = -45 -50 310\n"
DATA = "ElementType = MET_FLOAT\nElementDataFile = LOCAL\n"
HEADS: dict[str, tuple[str, str]] = {
    "whole.nrrd": (NRRD + LPS + LAID + "\n", ""),
    "sizes alone.nrrd": (NRRD + "spacings: 3 4 5\n\n", "how its voxels lie"),
    "nothing.nrrd": (NRRD + "\n", "how large its voxels are"),
    "whole.mha": (MHA + "ElementSpacing = 3 4 5\n" + DATA, ""),
    "by size.mha": (MHA + "ElementSize = 3 4 5\n" + DATA, ""),
    "nothing.mha": (MHA + DATA, "how large its voxels are"),
    "scaled.mha": (
        MHA + "ElementSpacing = 3 4 5\nElementToIntensityFunctionSlope = 0.5\n" + DATA,
        "a slope or an offset",
    ),
    "lifted.mha": (
        MHA + "ElementSpacing = 3 4 5\nElementToIntensityFunctionOffset = -1\n" + DATA,
        "a slope or an offset",
    ),
    "by one.mha": (
        MHA + "ElementSpacing = 3 4 5\nElementToIntensityFunctionSlope = 1.000\n"
        "ElementToIntensityFunctionOffset = 0\n" + DATA,
        "",
    ),
}


@pytest.mark.parametrize("name", HEADS)
def test_an_nrrd_or_a_metaimage_says_its_sizes(name: str, tmp_path: Path) -> None:
    """SimpleITK takes 1 mm where nothing stands, and no slope."""
    head, refused = HEADS[name]
    (tmp_path / name).write_bytes(head.encode() + RAW.tobytes())
    if refused:
        with pytest.raises(InputError, match=refused):
            read_image(tmp_path / name, Unit.SUV)
    else:
        found = read_image(tmp_path / name, Unit.SUV)
        assert found.grid.matches(GRID, 1e-6)
        assert np.array_equal(found.array, RAW)


UNSET = np.diag([-1.0, -1.0, 1.0, 1.0])[:, [2, 1, 0, 3]]  # np.eye(4) of a NIfTI, in LPS


@pytest.mark.parametrize("moved", [0.0, 0.5])
def test_an_affine_that_nobody_set_is_no_size(moved: float) -> None:
    affine = UNSET.copy()
    affine[0, 3] = moved
    suv = Volume(RAW, Grid(SHAPE, affine), Unit.SUV)
    if moved:
        assert check_spacing(suv, "pet", ()) == []
        return
    with pytest.raises(Implausible, match="which is no affine") as caught:
        check_spacing(suv, "pet", ())
    assert caught.value.code == "spacing"
    assert [n.code for n in check_spacing(suv, "pet", ["spacing"])] == ["spacing"]
