"""An image out of memory while a network runs: the same numbers, and the memory is given back."""

from __future__ import annotations

import errno
import mmap
import os
import tempfile
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from tmtv_engine.image.volume import Array
from tmtv_engine.model import nnunet_paged
from tmtv_engine.model.nnunet_paged import give_back, paged
from tmtv_engine.model.nnunet_predictor import Predictor

SHAPE = (2, 35, 250, 310)  # 21 MB
SMAPS = Path("/proc/self/smaps_rollup")
linux = pytest.mark.skipif(not SMAPS.is_file(), reason="Linux alone tells a process's memory so")


@pytest.fixture(autouse=True)
def _small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(nnunet_paged, "WORTH_BYTES", 1 << 20)


def _mb() -> float:
    rows = SMAPS.read_text().splitlines()
    return next(int(row.split()[1]) / 1024 for row in rows if row.startswith("Pss:"))


def _filled() -> tuple[Array, Array]:
    made = paged(SHAPE)
    ramp = np.arange(SHAPE[-1], dtype=np.float32)
    made[:] = ramp
    return made, ramp


@linux
def test_the_memory_is_given_back_and_the_numbers_stay() -> None:
    before = _mb()
    made, ramp = _filled()
    size = made.nbytes / 2**20
    assert _mb() - before > 0.75 * size
    give_back(made)
    assert _mb() - before < 0.1 * size
    assert all((plane == ramp).all() for channel in made for plane in channel)
    assert _mb() - before > 0.75 * size
    give_back(made[:, 3:, ::2])  # a part of it lies in the same file
    assert _mb() - before < 0.1 * size
    made[1, 2, 3, 4] = -7.0
    give_back(made)
    assert made[1, 2, 3, 4] == -7.0


@linux
def test_a_network_has_it_before_each_pass() -> None:
    made, _ = _filled()
    before, seen = _mb(), []

    class Looks(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            seen.append(before - _mb())
            return x

    predictor = object.__new__(Predictor)
    predictor._image, network = made, Looks()
    network.register_forward_pre_hook(predictor._make_room)
    for _ in range(2):
        network(torch.from_numpy(made[:1]).sum())
    assert min(seen) > 0.75 * made.nbytes / 2**20
    predictor._image = None
    network(torch.from_numpy(made).sum())
    assert seen[-1] < 0.1 * made.nbytes / 2**20


def test_what_is_small_stays_in_memory() -> None:
    made = paged((1, 2, 3, 4))
    assert made.base is None
    made[:] = 5
    give_back(made)
    give_back(np.frombuffer(bytes(8), np.float32))
    assert (made == 5).all()


@pytest.mark.parametrize("broken", ["full", "none", "system"])
def test_without_room_on_the_disk_it_is_in_memory(
    monkeypatch: pytest.MonkeyPatch, broken: str
) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    if broken == "full":
        monkeypatch.setattr(os, "posix_fallocate", full)
    elif broken == "none":
        monkeypatch.setattr(tempfile, "TemporaryFile", full)
    else:
        monkeypatch.delattr(mmap, "MADV_DONTNEED")
    made, ramp = _filled()
    assert made.base is None
    assert (made[1, 2, 3] == ramp).all()


def test_nothing_is_left_on_the_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    made, ramp = _filled()
    assert list(tmp_path.iterdir()) == []
    assert (made[0, 0, 0] == ramp).all()
