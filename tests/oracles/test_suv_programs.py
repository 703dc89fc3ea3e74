"""Our SUV against mirp's and z-rad's on variants of a header, written as real DICOM."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.oracles.programs import (
    SUV_PROGRAMS,
    VARIANTS,
    live,
    pinned,
    told_of,
    write_variant,
)
from tmtv_engine import read_study

SAID = pinned()["suv"]


def same(ours: Any, theirs: Any, rel: float) -> None:
    assert {k: pytest.approx(v, rel=rel) for k, v in theirs.items()} == ours


@pytest.mark.parametrize("name", sorted(VARIANTS))
def test_we_agree_with_what_mirp_and_zrad_said(name: str, tmp_path: Path) -> None:
    looked = frozenset({"suv-max", "body-suv"})  # counts up to 3,000 stand for an SUV in GML
    ours = told_of(read_study(write_variant(name, tmp_path), accepted=looked).suv.array)
    for theirs in SAID[name].values():
        same(ours, theirs, 1e-4)
    assert set(SAID[name]) == set(SUV_PROGRAMS)


@live
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("program", sorted(SUV_PROGRAMS))
@pytest.mark.parametrize("name", sorted(VARIANTS))
def test_they_still_say_so(name: str, program: str, tmp_path: Path) -> None:
    same(SUV_PROGRAMS[program](write_variant(name, tmp_path)), SAID[name][program], 1e-5)
