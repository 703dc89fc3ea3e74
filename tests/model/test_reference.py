"""SUV of liver and blood pool in a study's quality: by hand, and null where nothing names them."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from tmtv_engine.image.nifti import write_nifti
from tmtv_engine.image.volume import Grid, Mask, Unit, Volume
from tmtv_engine.model.naming import Naming
from tmtv_engine.model.reference import reference_suv
from tmtv_engine.study.organmaps import OrganMap
from tmtv_engine.study.tissue import deep_suv
from tmtv_tui.cli.app import main
from tmtv_tui.review.quality import quality_lines

GRID = Grid.axial((30, 44, 40), (4.0, 3.0, 5.0), (-90.0, 40.0, -300.0))
NONE = np.zeros(0, np.int64)
LIVER = (slice(4, 20), slice(6, 36), slice(5, 25))  # 64 by 90 by 100 mm
AORTA = (slice(2, 28), slice(38, 44), slice(20, 24))  # at the image's border along y


def _mask(box: tuple[slice, slice, slice]) -> Mask:
    inside = np.zeros(GRID.shape, bool)
    inside[box] = True
    return inside


def _suv() -> Volume:
    """Liver 2.0 with a gradient along z, aorta 1.5; spill of 9 in their outer voxels."""
    array = np.full(GRID.shape, 0.5, np.float32)
    for box, value in ((LIVER, 2.0), (AORTA, 1.5)):
        z, y, x = box
        array[box] = 9.0
        deep = tuple(slice(s.start + 1, s.stop - 1) for s in (z, y, x))
        array[deep] = value
    array[LIVER[0].start + 5, 20, 15] = 30.0  # a lesion of one voxel
    return Volume(array, GRID, Unit.SUV)


def _organs(grid: Grid = GRID) -> OrganMap:
    labels = np.where(_mask(LIVER), 5, np.where(_mask(AORTA), 52, 0)).astype(np.int32)
    structures, names = {5: "liver", 52: "vessel"}, {5: "liver", 52: "aorta"}
    return OrganMap(Volume(labels, grid, Unit.LABEL), structures, (), names)


def test_what_lies_deeper_than_the_margin_counts() -> None:
    """By hand: more than 10 mm inside is 3 voxels of 4 mm, 4 of 3 mm, 3 of 5 mm off each side.

    A voxel k from the border lies k + 1 steps from the nearest one outside: 3 steps of 4 mm are
    12, of 3 mm four are 12, of 5 mm two are 10, which is not more.
    """
    deep = (16 - 2 * 2) * (30 - 2 * 3) * (20 - 2 * 2)
    mask = Volume(_mask(LIVER).astype(np.uint8), GRID, Unit.LABEL)
    values = deep_suv(_suv(), mask, NONE, 10.0)
    assert values.size == deep
    assert values.max() == 30.0
    lesion = np.array([np.ravel_multi_index((9, 20, 15), GRID.shape), 0])
    assert deep_suv(_suv(), mask, lesion, 10.0).tolist() == [2.0] * (deep - 1)


def test_beyond_the_image_is_not_inside() -> None:
    """The aorta at the border of the image: 5 mm off that side too, 6 − 2 × 1 rows of 3 mm left."""
    mask = Volume(_mask(AORTA).astype(np.uint8), GRID, Unit.LABEL)
    values = deep_suv(_suv(), mask, NONE, 5.0)
    assert values.tolist() == [1.5] * ((26 - 2) * (6 - 2) * (4 - 2))


def test_a_map_on_another_grid_lies_where_it_says() -> None:
    """Turned upside down and shifted, in voxels of half the size."""
    fine = np.repeat(np.repeat(np.repeat(_mask(LIVER), 2, 0), 2, 1), 2, 2)[::-1].astype(np.uint8)
    affine = GRID.affine.copy()
    affine[:3, :3] /= 2
    affine[:3, 3] = GRID.to_mm((-0.25, -0.25, -0.25)) + affine[:3, 0] * (fine.shape[0] - 1)
    affine[:3, 0] *= -1
    turned = Volume(fine, Grid(fine.shape, affine), Unit.LABEL)
    here = Volume(_mask(LIVER).astype(np.uint8), GRID, Unit.LABEL)
    assert np.array_equal(deep_suv(_suv(), turned, NONE, 10.0), deep_suv(_suv(), here, NONE, 10.0))


def test_a_map_elsewhere_has_no_suv() -> None:
    grid = Grid.axial((3, 4, 5), (4.0,) * 3, (900.0, 0, 0))
    far = Volume(np.ones((3, 4, 5), np.uint8), grid, Unit.LABEL)
    for organ in (far, far.with_array(np.zeros((3, 4, 5), np.uint8))):
        assert deep_suv(_suv(), organ, NONE, 1.0).size == 0


def test_both_by_a_map_of_organs() -> None:
    lesion = np.array([np.ravel_multi_index((9, 20, 15), GRID.shape)])
    found = reference_suv(_suv(), lesion, _organs())
    assert found["liver"] == {
        "suv_mean": 2.0,
        "suv_median": 2.0,
        "suv_sd": 0.0,
        "suv_max": 2.0,
        "volume_ml": pytest.approx((12 * 24 * 16 - 1) * 0.06),
        "by": "organs",
    }
    assert found["blood_pool"] is not None
    assert found["blood_pool"]["suv_mean"] == 1.5


def test_nothing_named_is_null_and_never_zero() -> None:
    assert reference_suv(_suv(), NONE) == {"liver": None, "blood_pool": None}
    bare = OrganMap(_organs().labels, {7: "spleen"}, (), {7: "spleen"})
    assert reference_suv(_suv(), NONE, bare) == {"liver": None, "blood_pool": None}


def test_a_rest_of_an_organ_is_no_reference() -> None:
    """Where lesions hold all but a little of the liver, it tells nothing of a normal one."""
    every = np.flatnonzero(_mask(LIVER))
    assert reference_suv(_suv(), every[:-1], _organs())["liver"] is None


@pytest.mark.parametrize(("p", "known"), [(0.5, False), (0.51, True)])
def test_the_network_names_the_liver_where_it_is_surer_than_not(p: float, known: bool) -> None:
    """Its voxels are of 16 mm: no aorta fits in them."""
    coarse = Grid.axial((8, 9, 13), (16.0,) * 3, (-90.0, 40.0, -300.0))
    table = np.zeros((3, *coarse.shape), np.float32)
    table[0] = 1.0
    table[1, 2:5, 2:6, 3:8] = p
    table[2, 1:7, 7:9, 6:8] = 1.0
    found = reference_suv(_suv(), NONE, None, Naming(table, ("other", "liver", "vessel"), coarse))
    assert (found["liver"] is not None) is known
    assert found["blood_pool"] is None
    if found["liver"]:
        assert found["liver"]["by"] == "network"
        assert found["liver"]["suv_median"] == 2.0


def test_they_stand_in_the_case_and_in_the_worklist(tmp_path: Path) -> None:
    """By the command line, with TotalSegmentator's numbers: liver 5, aorta 52."""
    (tmp_path / "p").mkdir()
    write_nifti(_suv(), tmp_path / "p" / "pet.nii.gz")
    write_nifti(_organs().labels, tmp_path / "organs.nii.gz")
    words = ["predict", str(tmp_path / "p"), "--model", "hotspot"]
    assert main([*words, "-o", str(tmp_path / "bare")]) == 0
    told = json.loads((tmp_path / "bare" / "p" / "case.json").read_text())["quality"]
    assert (told["liver"], told["blood_pool"]) == (None, None)
    assert "liver: not known" in "\n".join(quality_lines(told))
    organs = ["--organs", str(tmp_path / "organs.nii.gz")]
    assert main([*words, *organs, "-o", str(tmp_path / "named")]) == 0
    told = json.loads((tmp_path / "named" / "p" / "case.json").read_text())["quality"]
    assert told["liver"]["suv_mean"] == pytest.approx((4607 * 2 + 30) / 4608)
    assert (told["liver"]["suv_median"], told["liver"]["by"]) == (2.0, "organs")
    assert told["blood_pool"]["suv_mean"] == 1.5
    assert "liver: SUV 2.01 ± 0.41 (276 mL, by organs)" in quality_lines(told)


def test_the_lines_of_an_old_or_a_hostile_record() -> None:
    assert quality_lines({}) == []
    odd = {"liver": {"suv_mean": "x"}, "slices": 5, "uptake_min": "\x1b[31m", "coverage": []}
    assert "\x1b" not in "".join(quality_lines(odd))
