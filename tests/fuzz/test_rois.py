"""Bent RTSTRUCT and SEG: the voxels are right, refused, or warned about."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from tests.fuzz import drawings
from tests.fuzz.judge import Tally, bend, judged
from tmtv_engine.errors import TmtvError
from tmtv_engine.image.volume import Grid
from tmtv_engine.study.rois import Rois, read_rois

GRID = Grid.axial(drawings.SHAPE, drawings.SPACING, drawings.ORIGIN, "1.2.3.9")


@pytest.mark.long
@pytest.mark.timeout(7200)
@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize("kind", ["rtstruct", "seg"])
def test_bent_rois_are_right_or_refused_or_warned_about(
    kind: str, tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    bend(lambda count: run(kind, count, 1, tmp_path), 1_000, 50, kind, record_property)


def run(kind: str, count: int, seed: int, folder: Path) -> Tally:
    """Bend ``count`` files of a kind."""
    whole = drawings.rtstruct() if kind == "rtstruct" else drawings.seg()
    tally, path = Tally(), folder / f"{kind}.dcm"
    for number in range(count):
        data, told = drawings.bent(whole, random.Random(f"{seed}:{number}"))
        path.write_bytes(data)
        judged(tally, f"{told} [{kind}, seed {seed}:{number}]", lambda: _judge(path))
    return tally


def _judge(path: Path) -> str:
    try:
        rois = read_rois(path, GRID)
    except TmtvError:
        return "refused"
    if _same(rois, drawings.truth()):
        return "right"
    if rois.notices:
        return "warned"
    read = drawings.reading(path.read_bytes())
    if read is not None and _same(rois, read):
        return "unseen"
    volumes = [int((rois.labels.array == k + 1).sum()) for k in range(len(rois.names))]
    return f"SILENT: {dict(zip(rois.names, volumes, strict=True))}"


def _same(rois: Rois, masks: drawings.Masks) -> bool:
    """Whether the labels are these masks', whatever they are called."""
    found = [rois.labels.array == k + 1 for k in range(len(rois.names))]
    wanted = [mask for mask in masks.values() if mask.any()]
    if len(found) != len(wanted):
        return False
    return all(any(np.array_equal(one, other) for other in wanted) for one in found)
