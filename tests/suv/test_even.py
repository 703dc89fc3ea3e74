"""Activity that jumps from one slice to the next, and padding that reads as uptake."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from pydicom.dataset import Dataset

from tests.support.dicom import SHAPE, codes, only, pixels, tags, write_series
from tmtv_engine.dicom.read import read_series
from tmtv_engine.errors import Implausible
from tmtv_engine.image.volume import Array, Grid, Unit, Volume
from tmtv_engine.study.find import find_studies
from tmtv_engine.study.load import load_study
from tmtv_engine.suv.even import check_even

WIDE = (9, 36, 44)


def _body(times: dict[int, float] | None = None, shape: tuple[int, int, int] = WIDE) -> Array:
    """Uneven activity round 1 in an ellipse, some slices ``times`` that, and a hot ball."""
    chance = np.random.default_rng(3)
    z, y, x = np.indices(shape)
    body = ((y - 17) / 15) ** 2 + ((x - 22) / 19) ** 2 < 1
    suv = np.where(body, chance.uniform(0.7, 1.3, shape), 0.01)
    suv[(z - 4) ** 2 + (y - 12) ** 2 + (x - 20) ** 2 < 12] = 30.0
    for k, factor in (times or {}).items():
        suv[k] *= factor
    return suv.astype(np.float32)


def _told(suv: Array) -> str:
    found = check_even(Volume(suv, Grid.axial(suv.shape, (5.0, 4.0, 3.0)), Unit.SUV))
    assert len(found) < 2
    return found[0].message if found else ""


def test_a_slice_that_lost_its_slope_is_told() -> None:
    assert _told(_body()) == ""
    assert _told(_body({3: 1.8})) == ""
    assert "slice 3 to 4; 0." in (told := _told(_body({3: 2.6})))
    assert "slice 4 to 5" in told
    assert "from slice 6 to 7" in _told(_body({k: 0.3 for k in range(6, 9)}))
    assert "slice 8 to 9" in _told(_body({8: 0.01}))


def test_a_blank_slice_between_others_is_told() -> None:
    assert "slice 6 is blank" in _told(_body({5: 0.0}))
    assert _told(_body({0: 0.0, 8: 0.0})) == ""
    assert _told(np.zeros(WIDE, np.float32)) == ""


def test_what_ends_is_no_jump() -> None:
    """Legs below a trunk, a ball alone, a picture of few voxels."""
    suv = _body()
    suv[5:, :, :30] = 0.0
    suv[5:] *= 5
    assert _told(suv) == ""
    assert _told(_body({3: 9.0})[:, 12:20, 10:20]) == ""


@pytest.mark.parametrize("whole", [True, False])
def test_real_scans_do_not_jump(whole: bool, shared_data: Path) -> None:
    at = "ge_wholebody_STS_001_raw/image" if whole else "ge_petct_ACRIN042/pet_ac"
    (study,) = find_studies(shared_data / at)
    assert "slice-jump" not in codes(load_study(study).notices)  # type: ignore[arg-type]


@pytest.mark.parametrize(("slices", "told"), [((2,), True), (range(SHAPE[0]), False), ((), False)])
def test_an_intercept_in_some_slices_alone_is_told(
    slices: tuple[int, ...], told: bool, tmp_path: Path
) -> None:
    def lift(k: int, ds: Dataset) -> None:
        ds.RescaleIntercept = "5" if k in slices else "0"

    stack = read_series(write_series(tmp_path, bend=lift))
    assert codes(stack.notices) == (["slice-jump"] if told else [])
    lifted = pixels() + 5.0 * np.isin(np.arange(SHAPE[0]), list(slices))[:, None, None]
    np.testing.assert_allclose(stack.array, lifted)


def _padded(value: int, **more: object) -> Array:
    array = pixels()
    array[array == 2999] = 0
    array[:, 0] = value
    return array


@pytest.mark.parametrize(
    ("value", "held", "intercept", "refused"),
    [
        (2999, True, "0", True),
        (2999, False, "0", False),
        (-2000, True, "0", False),  # below zero: no uptake
        (0, True, "0", False),
        (500, True, "-500", False),
        (500, True, "-499", True),
    ],
)
def test_padding_is_no_uptake(
    value: int, held: bool, intercept: str, refused: bool, tmp_path: Path
) -> None:
    array = _padded(value if held else 7)
    array[array == value] = value if held else 8

    def pad(_: int, ds: Dataset) -> None:
        ds.add_new("PixelPaddingValue", "SS", value)
        ds.RescaleIntercept = intercept

    files = write_series(tmp_path, array, bend=pad)
    if not refused:
        assert codes(read_series(files).notices) == []
        return
    with pytest.raises(Implausible, match="PixelPaddingValue") as caught:
        read_series(files)
    assert caught.value.code == "padding"
    assert codes(read_series(files, accepted=["padding"]).notices) == ["padding"]


def test_a_ct_may_be_padded(tmp_path: Path) -> None:
    files = write_series(
        tmp_path, _padded(2999), modality="CT", bend=only(0, tags(PixelPaddingValue=2999))
    )
    assert codes(read_series(files).notices) == []
