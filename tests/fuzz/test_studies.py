"""Bent DICOM studies: what comes out is right, refused, or warned about."""

from __future__ import annotations

import itertools
import random
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest

from tests.fuzz.bends import Files
from tests.fuzz.choices import bent
from tests.fuzz.judge import Tally, bend, judged
from tests.fuzz.oracle import reading
from tests.fuzz.sayings import FALSE, TRUE
from tests.fuzz.world import Float, Truth, World, factors, worlds
from tmtv_engine.errors import TmtvError
from tmtv_engine.image.volume import Volume
from tmtv_engine.study.load import load_study
from tmtv_engine.study.stock import take_stock

USUAL = {"no-ct", "coverage"}  # what a small phantom always says
CLOSE = 2e-4  # of a slice's maximum


@pytest.mark.long
@pytest.mark.timeout(36_000)
def test_a_bent_study_is_right_or_refused_or_warned_about(
    tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    bend(
        lambda count: run(count, seed=1, folder=tmp_path),
        10_000,
        200,
        "studies",
        record_property,
        "STUDIES",
    )


def run(count: int, seed: int, folder: Path) -> Tally:
    """Bend ``count`` studies; the same seed bends the same."""
    tally = Tally()
    for number, world in zip(range(count), worlds(seed), strict=False):
        one(world, f"{seed}:{number}", folder / "study", tally)
    return tally


def one(world: World, seed: str, folder: Path, tally: Tally) -> None:
    """One bent study."""
    files: Files = dict(world.files)
    what = bent(files, random.Random(seed))
    told = f"{' + '.join(what)} [{world.scanner}, {world.lies}, seed {seed}]"
    shutil.rmtree(folder, ignore_errors=True)
    for name, data in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)
    if not files:
        folder.mkdir()
    truly = what[0].split()[0] if len(what) == 1 else ""
    judged(tally, told, lambda: judge(folder, world, truly))


def judge(folder: Path, world: World, truly: str = "") -> str:
    """Read what lies in ``folder`` as a batch does, and compare.

    ``truly``: nothing was done but to say something again, which is true, or false.
    """
    stock = take_stock([folder])
    named = [p for s in stock.studies for p in (*s.pet, *s.ct)]
    named += [f.path for f in stock.failures] + [left.path for left in stock.leftovers]
    silent = _passed_over(folder, named)
    if silent and not stock.studies and not stock.failures:
        return f"SILENT: passed over {silent[0].name}"
    ends = []
    for study in stock.studies:
        try:
            loaded = load_study(study)
        except TmtvError:
            ends.append("refused")
            continue
        codes = {n.code for n in loaded.notices} - USUAL
        if truly == TRUE and codes:
            ends.append(f"NEEDLESS: {sorted(codes)}")
        elif truly == FALSE and not codes:
            ends.append("SILENT: a contradiction")
        elif same(loaded.suv, world.truth):
            ends.append("right")
        elif codes or stock.failures:
            ends.append("warned")
        elif _unseen(loaded.suv, world.truth, study.pet, world.counted, factors(world.scanner)):
            ends.append("unseen")
        else:
            ends.append("SILENT: " + _apart(loaded.suv, world.truth))
    ends = ends or ["refused"]
    if truly == TRUE and "refused" in ends:
        return "NEEDLESS: refused"
    return min(ends, key=lambda e: ("SNUTrwu".find(e[0]) + 1) or 9)


def _passed_over(folder: Path, named: Sequence[Path]) -> list[Path]:
    """Files that neither stand in ``named`` nor below a folder that does."""
    known = set(named)
    found = [p for p in folder.rglob("*") if p.is_file()]
    return [p for p in found if p not in known and not known & set(p.parents)]


def same(suv: Volume, truth: Truth) -> bool:
    """Whether voxels and places are those of ``truth``."""
    if suv.array.shape != truth.suv.shape:
        return False
    corners = np.array(list(itertools.product(*((0, n - 1) for n in suv.array.shape))))
    whole = np.c_[corners, np.ones(len(corners))]
    apart = np.abs(whole @ suv.grid.affine.T - whole @ truth.affine.T).max()
    tops = np.maximum(np.abs(truth.suv).max(axis=(1, 2)), 1e-3)
    off = np.abs(suv.array - truth.suv).max(axis=(1, 2)) / tops
    return bool(apart < 0.1 and off.max() < CLOSE)


def _unseen(suv: Volume, truth: Truth, files: Sequence[Path], counted: bool, known: Float) -> bool:
    """Whether no reader could see it: no header counts the slices, or the headers say just this."""
    if not counted and _short(suv, truth):
        return True
    for given in (None, known):  # the oracle makes nothing, or too much, of some odd dates
        read = reading(files, given)
        if read is not None and same(suv, read):
            return True
    return False


def _short(suv: Volume, truth: Truth) -> bool:
    """Whether slices are missing at an end, and all else is true."""
    count = len(suv.array)
    for start in range(1 + len(truth.suv) - count):
        affine = truth.affine.copy()
        affine[:3, 3] += start * affine[:3, 0]
        if same(suv, Truth(truth.suv[start : start + count], affine)):
            return True
    return False


def _apart(suv: Volume, truth: Truth) -> str:
    hot = float((suv.array > 4.0).sum()) * suv.grid.voxel_ml
    highest = float(suv.array.max())
    return f"{hot:.2f} mL for {truth.hot_ml:.2f}, SUVmax {highest:.4g}, {suv.array.shape}"
