"""Bent NIfTI, as PET and as mask: right, refused, or warned about."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from tests.fuzz import niftis
from tests.fuzz.judge import Tally, bend, judged
from tests.fuzz.test_studies import USUAL, same
from tmtv_engine.errors import TmtvError
from tmtv_engine.image.volume import Grid
from tmtv_engine.study.load import load_study
from tmtv_engine.study.rois import read_rois
from tmtv_engine.study.stock import take_stock


@pytest.mark.long
@pytest.mark.timeout(7200)
@pytest.mark.parametrize("kind", ["pet", "mask"])
def test_bent_niftis_are_right_or_refused_or_warned_about(
    kind: str, tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    bend(
        lambda count: run(kind, count, 1, tmp_path), 1_000, 50, f"NIfTI as {kind}", record_property
    )


def run(kind: str, count: int, seed: int, folder: Path) -> Tally:
    """Bend ``count`` files."""
    tally = Tally()
    wholes = [niftis.mask()] if kind == "mask" else [niftis.pet(False), niftis.pet(True)]
    for number in range(count):
        whole = wholes[number % len(wholes)]
        data, suffix, told = niftis.bent(whole, random.Random(f"{seed}:{number}"))
        path = folder / f"{kind}{suffix}"
        path.write_bytes(data)
        judge = _pet if kind == "pet" else _mask
        judged(tally, f"{told} [{kind}{suffix}, seed {seed}:{number}]", lambda: judge(path, data))  # noqa: B023
        path.unlink()
    return tally


def _pet(path: Path, data: bytes) -> str:
    stock = take_stock([path])
    if not stock.studies:
        return "refused" if stock.failures or stock.leftovers else "SILENT: passed over"
    try:
        loaded = load_study(stock.studies[0])
    except TmtvError:
        return "refused"
    if same(loaded.suv, niftis.truth()):
        return "right"
    if {n.code for n in loaded.notices} - USUAL:
        return "warned"
    read = niftis.reading(data)
    if read is not None and same(loaded.suv, read):
        return "unseen"
    return f"SILENT: SUVmax {loaded.suv.array.max():.4g}, {loaded.suv.array.shape}"


def _mask(path: Path, data: bytes) -> str:
    right = niftis.truth()
    grid = Grid((12, 26, 30), right.affine)
    try:
        rois = read_rois(path, grid)
    except TmtvError:
        return "refused"
    found = rois.labels.array > 0
    if np.array_equal(found, right.suv > 4):
        return "right"
    if rois.notices:
        return "warned"
    read = niftis.reading(data)
    if read is not None and found.sum() == np.count_nonzero(read.suv):
        return "unseen"
    return f"SILENT: {int(found.sum())} voxels for {int((right.suv > 4).sum())}"
