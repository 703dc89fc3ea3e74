"""Finders are values: they go to another process and find the same there."""

from __future__ import annotations

import pickle
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.support.cases import make_volume
from tmtv_engine.errors import UsageError
from tmtv_engine.image.nifti import write_nifti
from tmtv_engine.image.volume import Unit, Volume
from tmtv_engine.lesion.methods import parse_method
from tmtv_engine.model.finders import Finder, Found, file_finder, finder_of
from tmtv_engine.model.registry import Model
from tmtv_engine.model.segmenter import Prediction
from tmtv_engine.notices import notice
from tmtv_engine.pipeline import CaseConfig

ROOT = Path(__file__).resolve().parents[2]
THERE = """
import pickle, sys
from pathlib import Path
finder, suv = pickle.loads(Path(sys.argv[1]).read_bytes())
Path(sys.argv[2]).write_bytes(pickle.dumps(finder.find(suv, None)))
"""


class Bright:
    """A Segmenter without a network: what is hot is tumour."""

    def __call__(self, suv: Volume, ct: Volume | None, /) -> Prediction:
        return Prediction(Volume((suv.array > 5).astype("float32"), suv.grid, Unit.PROBABILITY))


def bright() -> Finder:
    return finder_of(Model(Bright(), {"name": "bright"}, warnings=(notice("third-party-model"),)))


def drawn(tmp_path: Path) -> Finder:
    write_nifti(make_volume()[1], tmp_path / "rois.nii.gz")
    return file_finder(tmp_path / "rois.nii.gz", names=["1", "3"])


def same(one: Found, two: Found) -> None:
    for key in ("ids", "starts", "voxels", "suv", "peak"):
        assert getattr(one.lesions, key).tobytes() == getattr(two.lesions, key).tobytes()
    assert (one.origins, one.notices) == (two.origins, two.notices)


@pytest.mark.parametrize("kind", ["hotspot", "network", "file"])
def test_a_finder_finds_the_same_in_another_process(tmp_path: Path, kind: str) -> None:
    made: dict[str, Callable[[], Finder]] = {
        "hotspot": lambda: finder_of(Model(None, {"name": "hotspot"})),
        "network": bright,
        "file": lambda: drawn(tmp_path),
    }
    finder = made[kind]()
    suv, _ = make_volume()
    expected = finder.find(suv, None)
    assert len(expected.lesions) > 1
    (tmp_path / "in").write_bytes(pickle.dumps((finder, suv)))
    command = [sys.executable, "-c", THERE, str(tmp_path / "in"), str(tmp_path / "out")]
    subprocess.run(command, check=True, cwd=ROOT)
    same(pickle.loads((tmp_path / "out").read_bytes()), expected)


def test_the_bundled_network_s_finder_pickles() -> None:
    from tmtv_engine.model import registry

    finder = finder_of(registry.load("vnet", "cpu"), rule="vote", min_ml=1.0)
    again = pickle.loads(pickle.dumps(finder))
    assert (again.record, again.device, again.stage) == (
        finder.record,
        finder.device,
        finder.stage,
    )
    finds: list[Any] = [finder.find, again.find]
    one, two = (find.segment.net.state_dict() for find in finds)
    assert all(torch.equal(one[key], two[key]) for key in one)


def test_a_config_pickles(tmp_path: Path) -> None:
    config = CaseConfig(tmp_path, (parse_method("41"), parse_method("a50p")), liver_mm=(1, 2, 3))
    again = pickle.loads(pickle.dumps(config))
    assert again == config
    again.say(0, 5, "nothing is said")


@pytest.mark.parametrize(
    ("option", "given"),
    [("--rule", {"rule": "vote"}), ("--min-ml", {"min_ml": 3.0}), ("--no-split", {"split": False})],
)
def test_what_hot_spots_have_no_use_for_is_refused(option: str, given: dict[str, Any]) -> None:
    with pytest.raises(UsageError, match=option):
        finder_of(Model(None, {"name": "hotspot"}), **given)
