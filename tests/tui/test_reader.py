"""A whole reading by keys in tmux: names, decisions, repairs, signature, and back to the start."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

from benchmarks import reader
from tests.support import tmux
from tests.support.cases import copied_case, make_volume
from tests.support.reader import Mask
from tmtv_engine.lesion.origin import Structure

pytestmark = pytest.mark.skipif(not tmux.THERE, reason="tmux is not installed")


def truth() -> Mask:
    """Half of lesion 1, the candidate, which a network takes for the bladder, and nothing else."""
    _, labels = make_volume()
    index = np.indices(labels.array.shape)
    half = (labels.array == 1) & (index[2] <= 11)
    return np.asarray(half | (labels.array == 3))


def test_a_reader_settles_a_case(tmp_path: Path) -> None:
    named = [(None, None), (None, None), (Structure("bladder", 0.9, "network"), "pelvis")]
    copied_case(tmp_path, "another")
    copied_case(tmp_path, "case-1", known=named)
    told = reader.read(tmp_path, "case-1", truth(), 3, (100, 50))
    assert told.dice[0] < told.dice[1] < told.dice[2]
    assert told.dice[2] > 0.9
    assert told.repairs > 0


@pytest.mark.only_long
@pytest.mark.slow
@pytest.mark.timeout(14000)
def test_a_reader_settles_the_whole_body_scan_and_ten_patients(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(sys, "argv", ["reader.py"])
    reader.main()
