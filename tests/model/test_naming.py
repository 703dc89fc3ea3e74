"""Lesions get the name of what they lie in, and nothing physiologic is accepted."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from tmtv_engine.image.volume import Grid, Unit, Volume
from tmtv_engine.lesion.lists import from_labels
from tmtv_engine.lesion.origin import LESION, Source, Status, Structure, first_status
from tmtv_engine.model.finders import finder_of
from tmtv_engine.model.naming import Naming, agreed
from tmtv_engine.model.registry import Model
from tmtv_engine.model.segmenter import Prediction
from tmtv_engine.notices import Notice

NAMES = ("other", "lung", "kidney", "ureter", "bladder")
GRID = Grid.axial((6, 8, 10), (4.0, 5.0, 3.0), (-20.0, 30.0, 100.0))
COARSE = Grid.axial((4, 6, 5), (8.0, 8.0, 8.0), (-24.0, 26.0, 96.0))


def naming(column: list[float], beside: list[float], from_x: int) -> Naming:
    """``column`` for the low x of the coarse grid, ``beside`` from the index ``from_x`` on."""
    table = np.zeros((5, *COARSE.shape), np.float32)
    table[...] = np.array(column, np.float32)[:, None, None, None]
    table[..., from_x:] = np.array(beside, np.float32)[:, None, None, None]
    return Naming(table, NAMES, COARSE)


def suv_and_labels() -> tuple[Volume, Volume]:
    labels = np.zeros(GRID.shape, np.int32)
    labels[1:4, 2:5, 0:3] = 1  # x from −20 to −14 mm: the coarse voxels 0 and 1
    labels[1:4, 2:5, 7:10] = 2  # x from 1 to 7 mm: 3 and 4
    suv = np.where(labels > 0, 9.0, 0.5).astype(np.float32)
    return Volume(suv, GRID, Unit.SUV), Volume(labels, GRID, Unit.LABEL)


def test_a_lesion_is_named_by_the_mean_over_its_voxels() -> None:
    suv, labels = suv_and_labels()
    lesions = from_labels(labels, suv)
    found = naming([0.7, 0.1, 0.1, 0.1, 0.0], [0.2, 0.0, 0.05, 0.05, 0.7], 3).of(lesions)
    assert [s.name for s in found] == [LESION, "bladder"]
    assert [s.p for s in found] == pytest.approx([0.8, 0.8])
    assert {s.by for s in found} == {"network"}


def test_where_the_network_says_tumour_decides_about_a_lesion() -> None:
    """A third is claimed: its mean is the lesion's; the other lesion has no claim in it."""
    suv, labels = suv_and_labels()
    told = naming([0.7, 0.0, 0.3, 0.0, 0.0], [0.1, 0.0, 0.9, 0.0, 0.0], 1)
    claimed = np.zeros(COARSE.shape, bool)
    claimed[:, :, 0] = True
    found = replace(told, claimed=claimed).of(from_labels(labels, suv))
    assert found[0] == Structure(LESION, 0.7, "network")
    assert found[1] == Structure("kidney", 0.9, "network")
    whole = told.of(from_labels(labels, suv))[0]  # a third of it lies there: (0.3 + 2 x 0.9) / 3
    assert whole.name == "kidney"
    assert whole.p == pytest.approx(0.7)


@pytest.mark.parametrize(("kidney", "name"), [(0.26, "kidney"), (0.24, "ureter")])
def test_what_is_physiologic_between_two_organs_bears_the_likelier_name(
    kidney: float, name: str
) -> None:
    suv, labels = suv_and_labels()
    told = [0.5, 0.0, kidney, 0.5 - kidney, 0.0]
    first, _ = naming(told, [1.0, 0, 0, 0, 0], 3).of(from_labels(labels, suv))
    assert first.name == name
    assert first.p == pytest.approx(0.5)


def test_a_little_less_than_half_is_a_lesion() -> None:
    suv, labels = suv_and_labels()
    first, _ = naming([0.51, 0.0, 0.49, 0, 0], [1.0, 0, 0, 0, 0], 3).of(from_labels(labels, suv))
    assert first == Structure(LESION, 0.51, "network")
    assert first_status(Source.MODEL, "vnet", first) is Status.ACCEPTED


def test_two_answers_become_one() -> None:
    """Tumour takes its share of tissue, of a hot organ what it is given only."""
    names = ("other", "lung", "kidney", "muscle")
    told = np.array([0.2, 0.0, 0.3, 0.5], np.float32).reshape(4, 1, 1, 1)

    def joint(chance: float, given: float) -> list[float]:
        share, lost = (np.full((1, 1, 1), v, np.float32) for v in (chance, given))
        return [float(v) for v in agreed(share, told, names, lost)[:, 0, 0, 0]]

    assert joint(0.8, 0.0) == pytest.approx([0.2 * 0.2 + 0.7 * 0.8, 0.0, 0.3, 0.5 * 0.2])
    assert joint(1.0, 0.0) == pytest.approx([0.7, 0.0, 0.3, 0.0])
    assert joint(0.8, 0.5) == pytest.approx([0.75, 0.0, 0.15, 0.1])


def test_a_lung_is_no_reason_to_refuse() -> None:
    found = naming([0.1, 0.9, 0.0, 0, 0], [0.0, 0.0, 0.3, 0.3, 0.4], 3).physiologic()
    assert found[0, 0, 0] == 0.0
    assert found[0, 0, 4] == pytest.approx(1.0)


def test_the_finder_hands_on_names_and_the_call_s_own_notices() -> None:
    suv, labels = suv_and_labels()
    told = naming([0.9, 0.1, 0.0, 0.0, 0.0], [0.1, 0.0, 0.0, 0.0, 0.9], 3)

    def segment(suv: Volume, ct: Volume | None, /) -> Prediction:
        chance = np.where(labels.array > 0, 0.8, 0.0).astype(np.float32)
        said = (Notice("out-of-memory", "cuda:0"),)
        return Prediction(Volume(chance, GRID, Unit.PROBABILITY), told, said)

    model = Model(segment, {"name": "toy"}, warnings=(Notice("third-party-model", ""),))
    found = finder_of(model).find(suv, None)
    assert [n.code for n in found.notices] == ["third-party-model", "out-of-memory"]
    names = [o.structure.name for o in found.origins if o.structure]
    assert names == [LESION, "bladder"]
    states = [first_status(o.source, "toy", o.structure) for o in found.origins]
    assert states == [Status.ACCEPTED, Status.CANDIDATE]
