"""What no PET of a person shows is refused, and a study's quality is said."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from pydicom.dataset import Dataset

from tests.support.dicom import pixels, write_series
from tmtv_engine.errors import Implausible, InputError
from tmtv_engine.image.nifti import write_nifti
from tmtv_engine.image.outline import ct_outline, pet_outline
from tmtv_engine.image.volume import Array, Grid, Unit, Volume
from tmtv_engine.study.find import Study, find_studies
from tmtv_engine.study.fit import misregistration
from tmtv_engine.study.load import Loaded, load_study
from tmtv_engine.study.quality import coverage, quality_of, reconstruction
from tmtv_engine.suv.overrides import Overrides
from tmtv_tui.cli.app import main

SHAPE, SPACING = (31, 24, 20), (8.0, 10.0, 12.0)  # 248 mm along the body, 240 by 240 across


def _person(scale: float = 1.0, shape: tuple[int, int, int] = SHAPE) -> Array:
    """An ellipse of SUV 1 with lungs of 0.4 and one hot voxel in each slice, in faint air."""
    _, y, x = np.indices(shape)
    body = ((y - 11.5) / 9) ** 2 + ((x - 9.5) / 7) ** 2 < 1
    suv = np.where(body, 1.0, 0.01)
    suv[shape[0] // 2 :, 9:14, 6:9] = 0.4
    suv[:, 12, 10] = 9.0
    return (suv * scale).astype(np.float32)


def _volume(array: Array, spacing: tuple[float, float, float] = SPACING, **at: object) -> Volume:
    z, y, x = array.shape
    return Volume(array, Grid.axial((z, y, x), spacing, **at), Unit.SUV)  # type: ignore[arg-type]


def _nifti(folder: Path, suv: Volume) -> Study:
    folder.mkdir(parents=True, exist_ok=True)
    write_nifti(suv, folder / "pet.nii.gz")
    (study,) = find_studies(folder)
    assert isinstance(study, Study)
    return study


def _dicom(folder: Path, bend: Callable[[int, Dataset], None] | None = None) -> Study:
    counts = np.rint(_person() * 1000).astype(np.int16)

    def scaled(k: int, ds: Dataset) -> None:
        ds.Units, ds.RescaleSlope = "GML", "0.001"
        if bend is not None:
            bend(k, ds)

    write_series(folder, counts, spacing=SPACING, bend=scaled)
    (study,) = find_studies(folder)
    assert isinstance(study, Study)
    return study


def test_the_outline_is_the_same_in_any_unit() -> None:
    one, kilo = pet_outline(_volume(_person())), pet_outline(_volume(_person(1000.0)))
    np.testing.assert_array_equal(one.inside, kilo.inside)
    body = _person() > 0.1
    np.testing.assert_array_equal(one.inside, body)
    assert one.mean == pytest.approx(float(_person()[body].mean()))
    np.testing.assert_allclose(one.areas_cm2, body.sum(axis=(1, 2)) * 1.2)


def test_fine_voxels_are_thinned_and_lungs_filled() -> None:
    thick = np.repeat(np.repeat(_person(), 4, axis=1), 4, axis=2)
    thick[:, 44:52, 28:36] = 0.0
    fine = _volume(thick, (8.0, 2.5, 3.0))
    found = pet_outline(fine)
    assert found.grid.spacing_mm == pytest.approx((8.0, 7.5, 9.0))
    assert found.inside[20, 15, 10]
    np.testing.assert_allclose(found.grid.to_mm((3, 4, 5)), fine.grid.to_mm((3, 12, 15)))


def test_an_empty_image_has_no_body() -> None:
    assert pet_outline(_volume(np.zeros(SHAPE, np.float32))).mean == 0.0


@pytest.mark.parametrize("scale", [0.19, 0.21, 4.5, 5.5, 1000.0, 0.001, 0.0])
def test_a_body_mean_outside_a_fifth_to_five_is_refused(scale: float, tmp_path: Path) -> None:
    study = _nifti(tmp_path, _volume(_person(scale)))
    mean = pet_outline(_volume(_person())).mean * scale
    if 0.2 <= mean <= 5.0:
        assert load_study(study).info["quality"]["body_suv_mean"] == pytest.approx(mean, rel=1e-5)
        return
    accepted = {"body-suv"} | ({"suv-max"} if scale > 200 else set())
    with pytest.raises(Implausible) as caught:
        load_study(study)
    assert caught.value.code in accepted
    assert f"--accept {caught.value.code}" in caught.value.remedy
    loaded = load_study(study, Overrides(accepted=frozenset(accepted)))
    assert accepted <= {n.code for n in loaded.notices}
    assert loaded.info["overrides"] == {"accepted": sorted(accepted)}


@pytest.mark.parametrize(("highest", "refused"), [(1999.0, False), (2000.0, False), (2001.0, True)])
def test_the_highest_suv(highest: float, refused: bool, tmp_path: Path) -> None:
    array = _person()
    array[3, 12, 10] = highest
    study = _nifti(tmp_path, _volume(array))
    if refused:
        with pytest.raises(Implausible, match="no SUV") as caught:
            load_study(study)
        assert caught.value.code == "suv-max"
    else:
        assert float(load_study(study).suv.array.max()) == highest


@pytest.mark.parametrize("kind", ["dicom", "nifti"])
@pytest.mark.parametrize(
    ("spacing", "refused"),
    [((20.0, 4.0, 4.0), False), ((20.1, 4.0, 4.0), True), ((4.0, 4.0, 0.49), True)],
)
def test_spacing(
    kind: str, spacing: tuple[float, float, float], refused: bool, tmp_path: Path
) -> None:
    if kind == "nifti":
        study = _nifti(tmp_path, _volume(_person(), spacing))
    else:
        write_series(tmp_path, pixels() + 500, spacing=spacing)
        (study,) = (s for s in find_studies(tmp_path) if isinstance(s, Study))
    if not refused:
        load_study(study)
        return
    with pytest.raises(Implausible, match="mm") as caught:
        load_study(study)
    assert caught.value.code == "spacing"
    load_study(study, Overrides(accepted=frozenset({"spacing"})))


def test_accept_on_the_command_line_is_recorded(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    _nifti(tmp_path / "in", _volume(_person(8.0)))
    asked = ["predict", str(tmp_path / "in"), "--model", "hotspot", "-o", str(tmp_path / "out")]
    assert main([*asked, "--json"]) == 1
    assert "--accept body-suv" in capsys.readouterr().err
    assert main([*asked, "--json", "--accept", "body-suv", "--accept", "suv-max"]) == 0
    record = json.loads(capsys.readouterr().out)
    assert record["overrides"] == {"accepted": ["body-suv", "suv-max"]}
    assert "body-suv" in {w["code"] for w in record["warnings"]}
    assert record["quality"]["body_suv_mean"] > 5
    assert main([*asked, "--accept", "coverage"]) == 2


# Quality


def test_what_a_header_tells_of_quality(tmp_path: Path) -> None:
    def told(_: int, ds: Dataset) -> None:
        ds.NumberOfSlices, ds.ReconstructionMethod = 31, "PSF+TOF 2i21s"
        ds.ConvolutionKernel = "XYZ Gauss5.00"

    loaded: Loaded = load_study(_dicom(tmp_path, told))
    found = loaded.info["quality"]
    assert found["slices"] == {"present": 31, "promised": 31}
    assert found["uptake_min"] == 60.0
    assert found["misregistration"] is None
    assert found["coverage"]["extent_mm"] == pytest.approx(248.0)
    assert found["reconstruction"] == {
        "voxel_mm": pytest.approx(list(SPACING)),
        "method": "PSF+TOF 2i21s",
        "kernel": "XYZ Gauss5.00",
        "fwhm_mm": 5.0,
        "time_of_flight": True,
        "earl_hint": "EARL 2",
    }
    assert {n.code for n in loaded.notices} == {"no-ct", "coverage", "coarse-voxels"}


@pytest.mark.parametrize(
    ("method", "kernel", "fwhm", "flight", "hint"),
    [
        ("OSEM3D 4i8s", "XYZGAUSSIAN2.00", 2.0, False, "EARL 1"),
        ("VPFXS", "", None, True, "EARL 2"),
        ("VPFX", "", None, True, "EARL 1"),
        ("BLOB-OS-TF", "", None, True, "EARL 1"),
        ("", "", None, None, None),
    ],
)
def test_reconstructions(
    method: str, kernel: str, fwhm: float | None, flight: bool | None, hint: str | None
) -> None:
    found = reconstruction(_volume(_person()), method, kernel)
    assert (found["fwhm_mm"], found["time_of_flight"], found["earl_hint"]) == (fwhm, flight, hint)


@pytest.mark.parametrize(("spacing", "coarse"), [((6.2, 6.2, 6.2), False), ((3.0, 3.0, 6.3), True)])
def test_voxels_too_coarse_for_a_peak(spacing: tuple[float, float, float], coarse: bool) -> None:
    _, told = quality_of(_volume(_person(), spacing))
    assert ("coarse-voxels" in {n.code for n in told}) is coarse


@pytest.mark.parametrize(
    ("slices", "height", "enough"),
    [(94, None, True), (93, None, False), (99, 1.75, True), (98, 1.75, False)],
)
def test_the_length_that_covers_a_body(slices: int, height: float | None, enough: bool) -> None:
    """750 mm, or 0.45 of the height: 787.5 mm of 1.75 m."""
    body = pet_outline(_volume(_person(shape=(slices, 24, 20))))
    assert (coverage(body, height)[1] == []) is enough


@pytest.mark.parametrize("upside_down", [False, True])
def test_head_and_thighs_are_seen_by_their_areas(upside_down: bool) -> None:
    array = np.full((60, 24, 20), 0.01, np.float32)
    z, y, x = np.indices(array.shape)
    array[((y - 11.5) / 9) ** 2 + ((x - 9.5) / 7) ** 2 < 1] = 1.0
    array[:8] = 0.01
    for middle in (5, 15):
        array[(z < 8) & ((y - 11.5) ** 2 + (x - middle) ** 2 < 18)] = 1.0
    array[42:] = 0.01
    array[(z >= 42) & ((y - 11.5) ** 2 + (x - 9.5) ** 2 < 20)] = 1.0
    parts = {(0, 60): (True, True), (8, 42): (False, False), (8, 60): (True, False),
             (0, 42): (False, True)}  # fmt: skip
    for (low, high), expected in parts.items():
        part = array[low:high]
        volume = _volume(part)
        if upside_down:  # the same body, its slices stored from the head down
            affine = volume.grid.affine.copy()
            affine[:3, 3] += affine[:3, 0] * (len(part) - 1)
            affine[2, 0] *= -1
            volume = Volume(part[::-1].copy(), Grid(part.shape, affine), Unit.SUV)
        found, _ = coverage(pet_outline(volume), None)
        assert (found["head"], found["thighs"]) == expected


def _taper() -> Array:
    """A body that narrows towards its upper end."""
    z, y, x = np.indices(SHAPE)
    wide = 1.0 - 0.5 * z / SHAPE[0]
    return np.where(((y - 11.5) / 9) ** 2 + ((x - 9.5) / 7) ** 2 < wide**2, 1.0, 0.01).astype("f4")


def _ct(shift_mm: tuple[float, float, float]) -> Volume:
    """The same body in HU on finer slices, with a couch under it, moved by LPS mm."""
    body = np.repeat(_taper() > 0.1, 2, axis=0)
    hu = np.where(body, 40.0, -1000.0).astype(np.float32)
    hu[:, 23, 3:17] = 200.0
    grid = Grid.axial((62, 24, 20), (4.0, 10.0, 12.0), shift_mm)
    return Volume(hu, grid, Unit.HU)


def test_a_ct_is_outlined_without_its_couch() -> None:
    found = ct_outline(_ct((0.0, 0.0, 0.0)))
    assert not found.inside[:, 23].any()
    assert found.inside[:, 11, 9].all()


@pytest.mark.parametrize(
    ("shift", "fits"),
    [
        ((0, 0, 0), True),
        ((12, 0, 0), False),
        ((24, 0, 0), False),
        ((0, 10, 0), True),
        ((0, -20, 0), False),
        ((0, 0, 8), True),
        ((0, 0, -16), False),
        ((0, 0, 64), False),
        ((12, -10, 32), False),
    ],
)
def test_a_moved_patient_is_warned_of(shift: tuple[float, float, float], fits: bool) -> None:
    """By whole voxels of the PET (12, 10 and 8 mm): told to the voxel."""
    found, told = misregistration(pet_outline(_volume(_taper())), _ct(shift))
    assert found is not None
    assert (told == []) is fits
    np.testing.assert_allclose(found["shift_mm"], shift, atol=3.0)
    if shift == (0, 0, 0):
        assert found["dice"] > 0.98


def test_a_cylinder_tells_nothing_of_a_shift_along_it() -> None:
    suv = _volume(_person())
    hu = np.where(_person() > 0.1, 40.0, -1000.0).astype(np.float32)
    ct = Volume(hu, Grid.axial(SHAPE, SPACING, (0.0, 0.0, 40.0)), Unit.HU)
    found, told = misregistration(pet_outline(suv), ct)
    assert found is not None
    assert (found["shift_mm"], told) == ([0.0, 0.0, 0.0], [])


def test_the_shift_is_lps_whichever_way_the_slices_run() -> None:
    array = _taper()
    affine = _volume(array).grid.affine.copy()
    affine[:3, 3] += affine[:3, 0] * (len(array) - 1)
    affine[2, 0] *= -1
    suv = Volume(array[::-1].copy(), Grid(array.shape, affine), Unit.SUV)
    found, _ = misregistration(pet_outline(suv), _ct((12.0, 0.0, 32.0)))
    assert found is not None
    np.testing.assert_allclose(found["shift_mm"], (12.0, 0.0, 32.0), atol=3.0)


def test_a_ct_of_another_place_tells_no_shift_but_that_it_shows_no_body() -> None:
    body = pet_outline(_volume(_person()))
    found, (told,) = misregistration(body, _ct((5000.0, 0.0, 0.0)))
    assert (found, told.code) == (None, "misregistration")
    assert "the CT shows 0% of the body" in told.message


# Other series of the study


@pytest.mark.parametrize(("start", "told"), [(-321.0, True), (-300.0, False), (-276.0, True)])
def test_legs_left_out_are_named(start: float, told: bool, tmp_path: Path) -> None:
    """12 mm of the 18 mm of the PET, 21 mm below, within, or above it."""
    write_series(tmp_path / "body")
    legs = write_series(
        tmp_path / "legs", pixels()[:4], series="1.2.3.5", origin=(-10.0, 20.0, start)
    )
    (study,) = (s for s in find_studies(tmp_path) if isinstance(s, Study))
    assert legs[0] not in study.pet
    left = [n.message for n in study.notices if n.code == "series-left-out"]
    assert len(left) == told
    assert all("1.2.3.5" in message for message in left)


def test_an_uncorrected_series_elsewhere_is_no_loss(tmp_path: Path) -> None:
    def raw(_: int, ds: Dataset) -> None:
        ds.CorrectedImage = ["DECY"]

    write_series(tmp_path / "body")
    write_series(
        tmp_path / "nac", pixels()[:4], series="1.2.3.5", origin=(-10.0, 20.0, -400.0), bend=raw
    )
    (study,) = (s for s in find_studies(tmp_path) if isinstance(s, Study))
    assert study.notices == ()


# Real


def test_a_real_pet_ct(shared_data: Path) -> None:
    """ACRIN 042: 135 slices neck to kidneys, 159 min, CT as JPEG-LS; the NAC series is refused."""
    folder = shared_data / "ge_petct_ACRIN042"
    (study,) = find_studies(folder)
    assert isinstance(study, Study)
    assert {p.parent.name for p in study.pet + study.ct} == {"pet_ac", "ct"}
    loaded = load_study(study)
    wait = 9 * 3600 + 59 * 60 + 47 - (7 * 3600 + 21 * 60)
    factor = 91 * 1000 / (588802304.0 * 2 ** (-wait / 6588.0))
    assert loaded.info["pet"]["suv_factor"] == pytest.approx(factor, rel=1e-9)
    assert loaded.ct is not None
    assert loaded.ct.grid.shape == (135, 512, 512)
    quality = loaded.info["quality"]
    assert quality["slices"] == {"present": 135, "promised": 135}
    assert quality["uptake_min"] == pytest.approx(wait / 60)
    assert quality["misregistration"]["dice"] > 0.95
    np.testing.assert_allclose(quality["misregistration"]["shift_mm"], 0, atol=6)
    assert 0.5 < quality["body_suv_mean"] < 1.2
    codes = {n.code for n in loaded.notices}
    assert codes == {"uptake-time", "coverage"}
    (uncorrected,) = find_studies(folder / "pet_nac")
    assert isinstance(uncorrected, Study)
    with pytest.raises(InputError, match=r"Units|slices"):
        load_study(uncorrected)
