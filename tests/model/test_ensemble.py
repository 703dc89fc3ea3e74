"""Several models as one."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pytest

from tmtv_engine.errors import UsageError
from tmtv_engine.image.volume import Grid, Unit, Volume
from tmtv_engine.model.ensemble import Ensemble
from tmtv_engine.model.registry import told
from tmtv_engine.model.segmenter import Prediction
from tmtv_engine.notices import Notice, notice

GRID = Grid.axial((1, 2, 3), (2.0, 3.0, 4.0))
SUV = Volume(np.zeros(GRID.shape, np.float32), GRID, Unit.SUV)


@dataclass(frozen=True)
class Member:
    """Answers what it is told to."""

    says: tuple[float, ...]
    sha256: str = "a"
    warnings: tuple[Notice, ...] = (notice("third-party-model"),)
    device_name: str = "cpu"
    channels: tuple[str, ...] = ("pet",)
    said: tuple[Notice, ...] = ()

    @property
    def record(self) -> Mapping[str, str]:
        return {"name": "nnunet:x", "sha256": self.sha256, "trained_on": "by others, as x"}

    def __call__(self, suv: Volume, ct: Volume | None, /) -> Prediction:
        array = np.array(self.says, np.float32).reshape(GRID.shape)
        return Prediction(Volume(array, GRID, Unit.PROBABILITY), notices=self.said)


A = Member((0.0, 0.5, 0.6, 1.0, 0.9, 0.2), "a")
B = Member((0.0, 0.5, 0.5, 0.0, 0.7, 0.1), "b", (*A.warnings, notice("no-ct")))
C = Member((0.0, 0.5, 0.7, 0.2, 0.8, 0.9), "c")


@pytest.mark.parametrize(
    ("combine", "expected"),
    [
        ("mean", [0, 0.5, 0.6, 0.4, 0.8, 0.4]),
        ("union", [0, 0.5, 0.7, 1.0, 0.9, 0.9]),
        ("vote", [0, 0, 2 / 3, 1 / 3, 1, 1 / 3]),
    ],
)
def test_probabilities_are_joined(combine: str, expected: list[float]) -> None:
    joined = Ensemble([A, B, C], combine, "three")(SUV, None).probability
    assert joined.array.reshape(-1) == pytest.approx(expected, abs=1e-6)
    assert joined.array.dtype == np.float32


def test_two_of_two_make_a_majority_and_one_does_not() -> None:
    chance = Ensemble([A, B], "vote", "two")(SUV, None).probability.array.reshape(-1)
    assert (chance > 0.5).tolist() == [False, False, False, False, True, False]


def test_its_record_tells_all_members_and_the_way() -> None:
    made = Ensemble([A, B], "union", "two")
    assert made.record == {
        "name": "two",
        "sha256": hashlib.sha256(b"union\na\nb\n").hexdigest(),
        "trained_on": "by others, as x",
    }
    assert made.record["sha256"] != Ensemble([A, B], "mean", "two").record["sha256"]
    assert [w.code for w in made.warnings] == ["third-party-model", "no-ct"]


def test_what_members_say_of_a_scan_is_said_once() -> None:
    slow = notice("out-of-memory", "cpu")
    members = [Member(A.says, said=(slow,)), Member(B.says, said=(slow, notice("no-ct")))]
    found = Ensemble(members, "mean", "two")(SUV, None)
    assert [n.code for n in found.notices] == ["out-of-memory", "no-ct"]
    assert found.naming is None


def test_a_way_that_is_none_is_told() -> None:
    with pytest.raises(UsageError, match="--combine 'median' is unknown"):
        Ensemble([A, B], "median", "two")
    with pytest.raises(UsageError, match="--combine"):
        told(combine="median")
