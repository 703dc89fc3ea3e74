"""A model is loaded once in a process, however many studies ask for it at the same moment."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

import pytest

from tmtv_engine.batch import cluster

CALLS: list[str] = []


def _load(name: str) -> Any:
    CALLS.append(name)
    time.sleep(0.05)  # so long that the others come meanwhile
    if name == "broken":
        raise ValueError(name)
    return object()


@pytest.fixture(autouse=True)
def fresh(monkeypatch: pytest.MonkeyPatch) -> None:
    CALLS.clear()
    monkeypatch.setattr(cluster, "_LOADED", {})


def test_eight_at_once_get_the_same_one() -> None:
    start = threading.Barrier(8)

    def ask(_: int) -> Any:
        start.wait()
        return cluster.loaded(partial(_load, "a"))

    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(ask, range(8)))
    assert len({id(one) for one in found}) == 1
    assert CALLS == ["a"]


def test_another_model_is_another() -> None:
    one, other = (cluster.loaded(partial(_load, name)) for name in "ab")
    assert one is not other
    assert cluster.loaded(partial(_load, "a")) is one
    assert CALLS == ["a", "b"]


def test_one_that_could_not_be_loaded_is_tried_again() -> None:
    for _ in range(2):
        with pytest.raises(ValueError, match="broken"):
            cluster.loaded(partial(_load, "broken"))
    assert CALLS == ["broken"] * 2
