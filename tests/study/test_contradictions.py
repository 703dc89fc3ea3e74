"""Studies whose parts contradict each other: what a sceptic finds that looks like a number."""

from __future__ import annotations

from pathlib import Path

import nibabel
import numpy as np
import pytest
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import UID, JPEGBaseline8Bit, JPEGLSLossless, JPEGLSNearLossless, RLELossless

from tests.support.dicom import codes, write_series
from tmtv_engine.dicom.images import Image
from tmtv_engine.errors import Implausible, InputError
from tmtv_engine.image.nifti import read_nifti, write_nifti
from tmtv_engine.image.outline import pet_outline
from tmtv_engine.image.volume import Grid, Mask, Unit, Volume
from tmtv_engine.study.find import Study, find_studies, take_stock
from tmtv_engine.study.fit import misregistration
from tmtv_engine.study.load import load_study
from tmtv_engine.study.rois import read_rois
from tmtv_engine.suv.overrides import Overrides

SHAPE, SPACING = (41, 30, 28), (5.0, 8.0, 9.0)
GRID = Grid.axial(SHAPE, SPACING, (-120.0, -110.0, -500.0))


def _body() -> Mask:
    _, y, x = np.indices(SHAPE)
    return np.asarray(((y - 14.5) / 12) ** 2 + ((x - 13.5) / 11) ** 2 < 1)


def _one(folder: Path) -> Study:
    (study,) = find_studies(folder)
    assert isinstance(study, Study)
    return study


# Signed or not


def _counted(folder: Path, hot: float) -> Path:
    """A body of SUV 1 with a ball of SUV ``hot``, stored as unsigned numbers up to 60,000."""
    suv = np.where(_body(), 1.0, 0.0)
    suv[18:22, 12:16, 12:16] = hot  # 64 voxels of 0.36 mL
    stored = np.rint(suv * 60000 / hot).astype("<u2").view("<i2")

    def scaled(k: int, ds: Dataset) -> None:
        ds.Units, ds.RescaleSlope = "GML", f"{hot / 60000:.12f}"
        ds.PixelRepresentation = 1  # which is wrong

    write_series(folder, stored, spacing=SPACING, bend=scaled)
    return folder


def test_unsigned_pixels_that_say_signed_are_refused(tmp_path: Path) -> None:
    """60,000 reads as −5,536: the hottest place would be the coldest, the TMTV nothing."""
    study = _one(_counted(tmp_path, 10.0))
    with pytest.raises(Implausible) as caught:
        load_study(study)
    assert caught.value.code == "negative-suv"
    assert "23.0 mL" in caught.value.what  # 64 × 0.36
    loaded = load_study(study, Overrides(accepted=frozenset({"negative-suv"})))
    assert "negative-suv" in codes(loaded.notices)


@pytest.mark.parametrize(
    ("voxels", "value", "refused"),
    [(1, -5.0, False), (2, -5.0, True), (64, -0.09, False), (64, -0.11, True)],
)
def test_noise_below_zero_is_taken(
    voxels: int, value: float, refused: bool, tmp_path: Path
) -> None:
    """Half a millilitre (a voxel is 0.36) below a tenth; outside the body it is padding."""
    suv = np.where(_body(), 1.0, 0.0).astype(np.float32)
    suv[5, 14, 5 : 5 + min(voxels, 16)] = value
    if voxels > 16:
        suv[6:8, 12:16, 10:18] = value
    suv[:, 0, :] = -300.0
    write_nifti(Volume(suv, GRID, Unit.SUV), tmp_path / "pet.nii.gz")
    study = _one(tmp_path)
    if refused:
        with pytest.raises(Implausible, match="below"):
            load_study(study)
    else:
        assert "negative-suv" not in codes(load_study(study).notices)


# Of two patients, of two places


@pytest.mark.parametrize(("patient", "taken"), [("T2", False), ("", True), ("T1", True)])
def test_a_ct_that_names_another_patient_is_not_taken(
    patient: str, taken: bool, tmp_path: Path
) -> None:
    def called(_: int, ds: Dataset) -> None:
        ds.PatientID = patient

    write_series(tmp_path / "pet")
    write_series(tmp_path / "ct", modality="CT", series="1.2.3.5", bend=called)
    stock = take_stock([tmp_path])
    (study,) = stock.studies
    assert bool(study.ct) is taken
    assert [left.why.split(": ")[-1] for left in stock.leftovers] == (
        [] if taken else ["it names another patient"]
    )


@pytest.mark.parametrize(
    ("first", "count", "told"), [(0, 41, False), (0, 35, False), (0, 31, True), (20, 21, True)]
)
def test_a_ct_that_does_not_show_the_body_is_told(first: int, count: int, told: bool) -> None:
    """Slices of a CT on the PET's own grid: below four fifths of the body it is said."""
    body = _body()
    suv = Volume(body.astype(np.float32), GRID, Unit.SUV)
    hu = np.where(body, 40.0, -1000.0).astype(np.float32)[first : first + count]
    grid = Grid.axial(hu.shape, SPACING, (-120.0, -110.0, -500.0 + first * SPACING[0]))
    _, notices = misregistration(pet_outline(suv), Volume(hu, grid, Unit.HU))
    said = [n.message for n in notices if "the CT shows" in n.message]
    assert len(said) == told
    if told:
        share = float(said[0].split("shows ")[1].split("%")[0]) / 100
        assert share == pytest.approx(count / SHAPE[0], abs=0.05)


# Compressed with loss


@pytest.mark.parametrize(("flag", "told"), [("01", True), ("00", False), ("", False)])
def test_pixels_that_lost_something_are_told(flag: str, told: bool, tmp_path: Path) -> None:
    def flagged(k: int, ds: Dataset) -> None:
        if k == 2:
            ds.LossyImageCompression = flag

    write_series(tmp_path, bend=flagged)
    assert ("lossy" in codes(load_study(_one(tmp_path)).notices)) is told


@pytest.mark.parametrize(
    ("syntax", "lossy"), [(JPEGBaseline8Bit, True), (JPEGLSNearLossless, True),
                          (JPEGLSLossless, False), (RLELossless, False)]
)  # fmt: skip
def test_pixels_that_lost_something_are_told_by_their_syntax(syntax: str, lossy: bool) -> None:
    head = Dataset()
    head.file_meta = FileMetaDataset()
    head.file_meta.TransferSyntaxUID = UID(syntax)
    assert Image(Path("a"), 0, head).lossy is lossy


# NIfTI that says two things


def _nifti(path: Path) -> nibabel.Nifti1Image:
    write_nifti(Volume(_body().astype(np.float32), GRID, Unit.SUV), path)
    return nibabel.load(path)  # type: ignore[return-value]


@pytest.mark.parametrize("factor", [0.5, 0.98, 1.02, 2.0])
def test_voxels_of_two_sizes_are_refused(factor: float, tmp_path: Path) -> None:
    """pixdim and sform: half the programs would measure another volume."""
    image = _nifti(tmp_path / "pet.nii")
    raw = bytearray((tmp_path / "pet.nii").read_bytes())
    assert np.frombuffer(raw, "<f4", 3, 80).tolist() == [9.0, 8.0, 5.0]
    raw[88:92] = np.float32(5.0 * factor).tobytes()  # pixdim[3]
    raw[252:254] = b"\0\0"  # no qform: pixdim would be its own
    (tmp_path / "pet.nii").write_bytes(raw)
    with pytest.raises(InputError, match=r"by its sform, of 9 × 8 × .* mm by pixdim"):
        read_nifti(tmp_path / "pet.nii", Unit.SUV)
    assert image.shape == SHAPE[::-1]


@pytest.mark.parametrize("other", [False, True])
def test_a_mask_of_two_sizes_is_taken_by_index_alone(other: bool, tmp_path: Path) -> None:
    """On the PET's own grid it says where its voxels lie; on another nobody can tell."""
    mask = _body().astype(np.uint8)
    mask = mask[:, :-1] if other else mask
    image = nibabel.Nifti1Image(mask.T, np.eye(4))
    image.header["pixdim"][1:4] = GRID.spacing_mm[::-1]
    image.header["qform_code"] = 0
    nibabel.save(image, tmp_path / "m.nii")
    with pytest.raises(InputError) as caught:
        read_rois(tmp_path / "m.nii", GRID)
    assert ("pixdim" in caught.value.what) is other
    if not other:
        rois = read_rois(tmp_path / "m.nii", GRID, accepted=["mask-geometry"])
        assert np.array_equal(rois.labels.array, _body())


@pytest.mark.parametrize("length", [4.96, 5.0, 5.04])
def test_sizes_that_agree_are_taken(length: float, tmp_path: Path) -> None:
    _nifti(tmp_path / "pet.nii")
    raw = bytearray((tmp_path / "pet.nii").read_bytes())
    raw[88:92] = np.float32(length).tobytes()
    raw[252:254] = b"\0\0"
    (tmp_path / "pet.nii").write_bytes(raw)
    assert read_nifti(tmp_path / "pet.nii", Unit.SUV).grid.matches(GRID, 1e-4)


@pytest.mark.parametrize(("lean", "refused"), [(0.0, False), (0.02, False), (1.0, True)])
def test_axes_that_lean_are_refused(lean: float, refused: bool, tmp_path: Path) -> None:
    """A gantry's tilt in the sform: x moves by so many mm from slice to slice of 5 mm."""
    affine = np.array(_nifti(tmp_path / "a.nii").affine)
    affine[0, 2] = lean
    image = nibabel.Nifti1Image(_body().T.astype(np.float32), affine)
    nibabel.save(image, tmp_path / "pet.nii")
    if refused:
        with pytest.raises(InputError, match="right angles"):
            read_nifti(tmp_path / "pet.nii", Unit.SUV)
    else:
        read_nifti(tmp_path / "pet.nii", Unit.SUV)


# ROIs of another grid


@pytest.mark.parametrize(("planes", "told"), [(1, True), (5, False), (10, False)])
def test_a_sheet_thinner_than_the_pets_slices_is_told(
    planes: int, told: bool, tmp_path: Path
) -> None:
    """A mask of 1 mm voxels, ``planes`` of them thick in slices of 5 mm."""
    mask = np.zeros((30, 80, 90), np.uint8)
    mask[10 : 10 + planes, 8:56, 9:54] = 1  # 48 by 45 mm
    origin = GRID.to_mm((10, 8, 8)) - np.array([4.0, 3.5, 10.0])
    fine = Grid.axial(mask.shape, (1.0, 1.0, 1.0), tuple(origin))
    write_nifti(Volume(mask, fine, Unit.LABEL), tmp_path / "m.nii.gz")
    rois = read_rois(tmp_path / "m.nii.gz", GRID)
    said = [n.message for n in rois.notices if n.code == "roi-resampled"]
    assert len(said) == told
    if told:
        assert "2.16 mL drawn, 10.80 mL here" in said[0]


@pytest.mark.parametrize(
    ("other", "told"),
    [
        ({"PatientName": "Other^Case"}, ["patient-unclear"]),
        ({"PatientBirthDate": "19800102"}, ["patient-unclear"]),
        ({"PatientID": "", "PatientName": "Other^Case"}, ["patient-unclear"]),
        ({"PatientName": "TEST^CASE^^"}, []),
        ({"PatientID": "", "PatientName": ""}, []),
    ],
)
def test_a_ct_of_another_name_under_the_same_number_is_warned_of(
    other: dict[str, str], told: list[str], tmp_path: Path
) -> None:
    def named(_: int, ds: Dataset) -> None:
        for keyword, value in other.items():
            setattr(ds, keyword, value)

    write_series(tmp_path / "pet")
    write_series(tmp_path / "ct", modality="CT", series="1.2.3.5", bend=named)
    assert codes(_one(tmp_path).notices) == told


# A factor beyond all numbers


@pytest.mark.parametrize("value", ["1" * 40, "1" * 36, "-" + "1" * 40])
def test_a_factor_by_which_no_suv_is_a_number_is_refused(tmp_path: Path, value: str) -> None:
    """1.1e39 is none in single precision, and 1.1e35 times 3,000 counts is none either."""

    def philips(_: int, ds: Dataset) -> None:
        ds.Units, ds.Manufacturer = "CNTS", "Philips Medical Systems"
        block = ds.private_block(0x7053, "Philips PET Private Group", create=True)
        block.add_new(0x00, "DS", value)

    write_series(tmp_path, bend=philips)
    with pytest.raises(InputError) as caught:
        load_study(_one(tmp_path))
    assert "(7053,1000)" in str(caught.value)
