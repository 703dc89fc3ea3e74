"""The odd inputs of ../shared/cases that concern SUV and series, through the command line."""

from __future__ import annotations

import json
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tmtv_tui.cli.app import main

NAMES = [
    "bed_shifted_in_plane",
    "bits_stored_12",
    "clock_skew_day_before",
    "dates_blank",
    "dt_in_utc",
    "enhanced_pet",
    "half_life_in_minutes",
    "image_of_another_kind_in_series",
    "injection_date_1900",
    "legs_left_out",
    "no_acquisition_date",
    "no_preamble",
    "override_blocked",
    "slope_0_in_empty_slice",
    "suvtype_lbm",
    "time_lost_zero",
    "zeroed_acquisition_time",
]


@pytest.fixture(scope="module")
def cases(shared_data: Path) -> Path:
    """The folder of the scripts."""
    folder = shared_data.parent / "cases"
    if not folder.is_dir():
        pytest.skip("no odd inputs beside this checkout (../shared/cases)")
    return folder


def _run(command: str, capsys: pytest.CaptureFixture[str]) -> tuple[int, list[Any], str]:
    """A printed command: its exit status, its cases' records, and what it said."""
    words = shlex.split(command.splitlines()[-1])[1:]
    capsys.readouterr()
    status = main([*words, "--json"])
    told = capsys.readouterr()
    return status, [json.loads(line) for line in told.out.splitlines()], told.err


@pytest.mark.parametrize("name", NAMES)
def test_an_odd_input_gives_its_right_answer(
    name: str, cases: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    right = json.loads((cases / "expected.json").read_text())[name]
    script = [sys.executable, str(cases / f"{name}.py"), str(tmp_path)]
    made = subprocess.run(script, capture_output=True, text=True, check=True, cwd=cases)
    status, records, said = _run(made.stdout.strip(), capsys)
    assert "Traceback" not in said
    if right.get("refused"):
        assert (status, records) == (1, [])
        return
    if "not silent" in right:
        codes = {w["code"] for record in records for w in record["warnings"]}
        assert codes & set(right["not silent"]) or any(c in said for c in right["not silent"])
        return
    assert status == 0, said
    highest = max(lesion["suv_max"] for lesion in records[0]["lesions"])
    assert highest == pytest.approx(right["suv_max"], rel=1e-3)
