"""Reports, evaluations and a training's preparation on Dask: the bytes of one process."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from tests.support.cases import make_case
from tests.support.work import answer, new_pages
from tests.train.test_train import PLAN, TINY, _manifest
from tmtv_engine.cluster import Cluster, held, in_order
from tmtv_engine.errors import CaseError, TmtvError
from tmtv_engine.model.checkpoint import network_of, write_model
from tmtv_engine.study.split import write_split
from tmtv_engine.train.dataset import prepare_all, read_dataset, split_of
from tmtv_tui.cli.app import main

pytest.importorskip("distributed")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore::ResourceWarning"),  # Dask's own sockets
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]
HERE = Cluster("local", 2)
WHEN = re.compile(rb"\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d)?Z?|\d\d? [A-Z][a-z]+ 20\d\d")


HASH = re.compile(rb"\b[0-9a-f]{12,64}\b")  # of a `case.json`, which says when it was made


@pytest.fixture(scope="module")
def here() -> Iterator[Cluster]:
    """Two workers, started once."""
    with held(HERE) as cluster:
        assert cluster is not None
        yield cluster


def test_a_worker_keeps_the_memory_that_the_next_array_needs() -> None:
    """Under Dask's own setting each of the 200 would be 256 new pages: 51,200."""
    (pages,) = in_order(new_pages, (200,), Cluster("local", 1), str)
    assert pages < 5000


def test_answers_come_in_order_whoever_is_done_first(here: Cluster) -> None:
    assert list(in_order(answer, range(5), here, str)) == [0, 1, 4, 9, 16]
    assert list(in_order(answer, (), here, str)) == []


def test_what_is_refused_or_given_up_is_an_error_of_its_name(here: Cluster) -> None:
    with pytest.raises(TmtvError, match="five: is no number") as caught:
        list(in_order(answer, (1, 5), here, str))
    assert caught.value.remedy == "Take another."
    with pytest.raises(CaseError, match="7: the cluster gave it up: KilledWorker"):
        list(in_order(answer, (7,), here, str))


def bytes_in(folder: Path) -> dict[str, bytes]:
    """Every file by its bytes, but for the moment at which it was written."""
    return {
        str(p.relative_to(folder)): WHEN.sub(b"then", p.read_bytes())
        for p in sorted(folder.rglob("*"))
        if p.is_file()
    }


def test_a_report_over_label_maps(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)  # paths that only this process would find
    for k in range(4):
        make_case(tmp_path / "out", f"p{k}")
        make_case(tmp_path / "other", f"p{k}", methods=("41", "2.5"))
    asked = ["report", "out", "--against", "other", "-q", "-o"]
    assert main([*asked, "one", "--jobs", "1"]) == 0
    assert main([*asked, "two", "--jobs", "2", "--scheduler", "local"]) == 0
    one, two = bytes_in(tmp_path / "one"), bytes_in(tmp_path / "two")
    assert len(one) > 3
    assert one.keys() == two.keys()
    for name, data in one.items():
        assert data == two[name], name


def test_the_preparation_of_a_training(tmp_path: Path, here: Cluster) -> None:
    parts = split_of(read_dataset(_manifest(tmp_path / "cohort", 5)), 3)
    one = prepare_all(parts, TINY, tmp_path / "one")
    two = prepare_all(parts, TINY, tmp_path / "two", here)
    names = {key: [p.name for p in paths] for key, paths in one.items()}
    assert names == {key: [p.name for p in paths] for key, paths in two.items()}
    assert bytes_in(tmp_path / "one") == bytes_in(tmp_path / "two")
    assert sum(map(len, names.values())) == 5


def test_an_evaluation(tmp_path: Path) -> None:
    write_split(tmp_path / "run", split_of(read_dataset(_manifest(tmp_path / "in", 10)), 3), "x")
    torch.manual_seed(0)
    net = network_of(PLAN)
    write_model(tmp_path / "run", net.state_dict(), TINY, name="tiny", trained_on="nobody")
    asked = ["evaluate", str(tmp_path / "run"), "--set", "val", "--set", "test", "-q", "-o"]
    assert main([*asked, str(tmp_path / "one")]) == 0
    assert main([*asked, str(tmp_path / "two"), "--scheduler", "local", "--jobs", "2"]) == 0
    one, two = (
        {
            k: HASH.sub(b"hash", v)
            for k, v in bytes_in(tmp_path / n).items()
            if "/cases/" not in k and not k.endswith("reference.csv")
        }
        for n in ("one", "two")
    )
    assert one.keys() == two.keys()
    assert {name for name in one if one[name] != two[name]} == set()
