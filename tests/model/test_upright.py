"""A mirrored body shows in the organs that the network names."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest

from tests.support.dicom import codes
from tmtv_engine.image.volume import Grid
from tmtv_engine.model.infer import BUNDLED, load_model
from tmtv_engine.model.naming import Naming
from tmtv_engine.model.upright import side_of_liver
from tmtv_engine.phantom.draw import draw_patient
from tmtv_engine.study.find import find_studies
from tmtv_engine.study.load import load_study

NAMES = ("other", "heart", "liver", "spleen", "lung")
ML = 10 * 10 * 20 / 1000  # of a voxel
GRID = Grid.axial((40, 12, 30), (20.0, 10.0, 10.0), (-150.0, -55.0, -400.0))
Parts = Mapping[str, tuple[float, float, float]]  # from which x (mm) on, mL, probability

needs_weights = pytest.mark.skipif(not BUNDLED.is_dir(), reason="no weights are bundled")


def _naming(parts: Parts, grid: Grid = GRID, names: tuple[str, ...] = NAMES) -> Naming:
    """Columns of voxels of one organ each, from slice 5 on, in 5 x 5 voxels across."""
    table = np.zeros((len(names), *grid.shape), np.float32)
    for name, (x_mm, ml, p) in parts.items():
        first = round((x_mm - grid.affine[0, 3]) / 10.0)
        there = np.zeros((grid.shape[0] - 5, 5, 5), bool)
        there.reshape(-1)[: round(ml / ML)] = True
        table[names.index(name), 5:, 3:8, first : first + 5][there] = p
    table[0] = 1 - table[1:].sum(axis=0)
    return Naming(table, names, grid)


LIVER, SPLEEN, HEART = (-100.0, 800.0, 1.0), (60.0, 200.0, 1.0), (0.0, 400.0, 1.0)
BODY: Parts = {"liver": LIVER, "spleen": SPLEEN, "heart": HEART}


def _right(liver: tuple[float, float], **other: tuple[float, float]) -> Parts:
    """From which x on and how many mL, all of them certain."""
    return {name: (x, ml, 1.0) for name, (x, ml) in {"liver": liver, **other}.items()}


@pytest.mark.parametrize(
    ("parts", "told"),
    [
        (BODY, ""),
        (_right((60, 800), spleen=(-100, 200)), "160 mm to the left of the spleen"),
        (_right((60, 800), spleen=(20, 60)), "40 mm to the left of the spleen"),
        (_right((50, 800), spleen=(20, 60)), ""),
        (_right((60, 800), heart=(0, 400)), "60 mm to the left of the heart"),
        (_right((60, 800), spleen=(0, 50)), ""),
        ({"liver": (60.0, 800.0, 1.0), "spleen": (0.0, 200.0, 0.5)}, ""),
        (_right((60, 200), spleen=(0, 200)), ""),
        (_right((60, 800)), ""),
        ({}, ""),
    ],
)
def test_the_side_of_the_liver(parts: Parts, told: str) -> None:
    found = side_of_liver(_naming(parts))
    assert codes(found) == (["body-mirrored"] if told else [])
    assert all(told in n.message for n in found)


def test_a_network_that_names_no_organ_is_not_asked() -> None:
    naming = _naming({}, names=("other", "kidney"))
    assert codes(side_of_liver(naming)) == []


@needs_weights
@pytest.mark.parametrize("mirrored", [False, True])
def test_a_digital_patient(mirrored: bool) -> None:
    suv = draw_patient(2, spacing_mm=8.0).suv
    bent = np.ascontiguousarray(suv.array[:, :, ::-1]) if mirrored else suv.array
    found = load_model("vnet", "cpu").plain(suv.with_array(bent))
    assert codes(found.notices) == (["body-mirrored"] if mirrored else [])


@needs_weights
@pytest.mark.slow
@pytest.mark.parametrize("at", ["ge_wholebody_STS_001_raw/image", "ge_petct_ACRIN042/pet_ac"])
def test_real_scans(at: str, shared_data: Path) -> None:
    (study,) = find_studies(shared_data / at)
    suv = load_study(study).suv  # type: ignore[arg-type]
    segment = load_model("vnet", "cpu")
    assert codes(segment.plain(suv).notices) == []
    mirrored = suv.with_array(np.ascontiguousarray(suv.array[:, :, ::-1]))
    assert codes(segment.plain(mirrored).notices) == ["body-mirrored"]
