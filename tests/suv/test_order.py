"""Slices that lie swapped, turned or twice are seen in the image itself."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from tests.support.dicom import codes
from tmtv_engine.image.nifti import write_nifti
from tmtv_engine.image.volume import Array, Grid, Unit, Volume
from tmtv_engine.study.find import find_studies
from tmtv_engine.study.load import load_study
from tmtv_engine.suv.order import check_order

SHAPE = (24, 36, 44)
Bend = Callable[[Array], Array]


def _body(noise: float = 0.1) -> Array:
    """An ellipse that narrows upwards, two balls in it, and noise."""
    z, y, x = np.indices(SHAPE)
    narrow = 1.0 - z / 48
    body = ((y - 17) / 15) ** 2 + ((x - 22) / 19) ** 2 < narrow**2
    suv = np.where(body, 1.0 + (x + z) / 60, 0.01)
    suv[(z - 8) ** 2 + (y - 12) ** 2 + (x - 20) ** 2 < 30] = 9.0
    suv[(z - 15) ** 2 + (y - 20) ** 2 + (x - 14) ** 2 < 12] = 4.0
    return np.asarray(suv * np.random.default_rng(5).normal(1.0, noise, SHAPE).clip(0))


def _told(array: Array, spacing_mm: tuple[float, float, float] = (4.0, 3.0, 2.0)) -> str:
    volume = Volume(np.asarray(array, np.float32), Grid.axial(array.shape, spacing_mm), Unit.SUV)
    found = check_order(volume)
    assert len(found) < 2
    return found[0].message if found else ""


def _put(*order: tuple[int, int]) -> Bend:
    """Slice ``b`` taken to the place of slice ``a``, of pairs (a, b)."""

    def bend(array: Array) -> Array:
        bent = array.copy()
        for a, b in order:
            bent[a] = array[b]
        return bent

    return bend


@pytest.mark.parametrize(
    ("bend", "told"),
    [
        (_put((9, 10), (10, 9)), "(slices 10 to 11 would fit the other way round)"),
        (_put((9, 13), (13, 9)), "(slices 10 to 14 would fit the other way round)"),
        (lambda a: np.concatenate([a[:6], a[6:17][::-1], a[17:]]), "slices 7 to 17 would fit"),
        (_put((10, 9)), "slice 11 is slice 10 again"),
        (_put((10, 9), (4, 3)), "slice 5 is slice 4 again; slice 11 is slice 10 again"),
    ],
)
def test_what_lies_out_of_order_is_told(bend: Bend, told: str) -> None:
    assert told in _told(bend(_body()))


def test_what_lies_as_it_should_is_not() -> None:
    assert _told(_body()) == ""
    assert _told(_body()[::-1]) == ""
    assert _told(_body(noise=0.6)) == ""
    assert _told(_body(noise=0.0)[:, ::-1]) == ""
    noise = np.random.default_rng(1).gamma(1.0, 1.0, (200, 64, 64))
    assert _told(noise) == ""


def test_what_cannot_be_told_is_not() -> None:
    """Of thick slices, few places, few slices, slices that were drawn alike, and nothing."""
    bent = _put((9, 10), (10, 9))(_body())
    assert _told(bent, (6.5, 3.0, 2.0))
    assert _told(bent, (6.6, 3.0, 2.0)) == ""
    assert _told(bent[:, 8:27, 12:33]) == ""  # 399 places
    assert _told(bent[8:11]) == ""
    assert _told(np.repeat(_body()[::3], 3, axis=0)) == ""
    assert _told(np.zeros(SHAPE)) == ""


def test_air_at_the_ends_is_not_compared() -> None:
    """Blank slices that are alike; numbers are those of the whole image."""
    body = np.pad(_put((9, 10), (10, 9))(_body()), ((5, 4), (0, 0), (0, 0)))
    assert "slices 15 to 16 would" in _told(body)
    assert _told(np.pad(_body(), ((5, 4), (0, 0), (0, 0)))) == ""


def test_it_is_told_of_a_study(tmp_path: Path) -> None:
    grid = Grid.axial(SHAPE, (4.0, 5.0, 6.0))
    for name, bend in (("right", _put()), ("wrong", _put((9, 10), (10, 9)))):
        (tmp_path / name).mkdir()
        write_nifti(Volume(bend(_body()), grid, Unit.SUV), tmp_path / name / "pet.nii.gz")
        (study,) = find_studies(tmp_path / name)
        told = "slice-order" in codes(load_study(study).notices)  # type: ignore[arg-type]
        assert told is (name == "wrong")


@pytest.mark.parametrize(
    "at",
    ["ge_wholebody_STS_001_raw/image", "ge_petct_ACRIN042/pet_ac", "ibsi_gml/STS_032"],
)
def test_real_scans(at: str, shared_data: Path) -> None:
    """As they are: nothing; any two neighbours of the trunk swapped: both are named."""
    (study,) = find_studies(shared_data / at)
    suv = load_study(study).suv  # type: ignore[arg-type]
    assert check_order(suv) == []
    middle = len(suv.array) // 2
    for k in range(middle, middle + 10):
        bent = suv.array.copy()
        bent[[k, k + 1]] = bent[[k + 1, k]]
        (told,) = check_order(suv.with_array(bent))
        assert f"slices {k + 1} to {k + 2} would fit" in told.message
