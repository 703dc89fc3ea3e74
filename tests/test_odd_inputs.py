"""The shared odd inputs that concern finding, files and ROIs, by the command line itself."""

from __future__ import annotations

import json
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tmtv_tui.cli.app import main


@pytest.fixture(scope="session")
def cases() -> Path:
    """The folder of scripts that each make one odd input and print a command."""
    for parent in Path(__file__).resolve().parents[1:3]:
        folder = parent / "shared" / "cases"
        if folder.is_dir():
            return folder
    pytest.skip("no odd inputs beside this checkout (../shared/cases)")


def _run(name: str, cases: Path, folder: Path, *more: str) -> int:
    script = [sys.executable, str(cases / f"{name}.py"), str(folder)]
    told = subprocess.run(script, capture_output=True, text=True, check=True).stdout
    (command,) = (line for line in told.splitlines() if line.startswith("tmtv "))
    return main([*shlex.split(command)[1:], "--json", *more])


def _records(text: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in text.splitlines()]


@pytest.mark.parametrize("name", ["contour_types_dropped", "rt_plane_split"])
def test_the_volume_of_contours(
    name: str, cases: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    wanted = json.loads((cases / "expected.json").read_text())[name]
    assert _run(name, cases, tmp_path) == 0
    (record,) = _records(capsys.readouterr().out)
    assert record["totals"]["raw"]["tmtv_ml"] == pytest.approx(wanted["tmtv"]["raw"], abs=1e-6)
    if "warns" in wanted:
        assert wanted["warns"] in [w["code"] for w in record["warnings"]]


def test_rois_that_lie_half_outside_are_told(
    cases: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert _run("roi_outside", cases, tmp_path) == 0
    (record,) = _records(capsys.readouterr().out)
    (told,) = [w["message"] for w in record["warnings"] if w["code"] == "roi-outside"]
    assert "9.60 mL of half" in told  # six of twelve slices of 25 voxels of 0.064 mL
    assert record["totals"]["raw"]["tmtv_ml"] == pytest.approx(9.6)


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("gz_bit_rot", "mask.nii.gz: cannot be read"),
        ("label_minus_one", "holds the label -1"),
        ("mask_without_affine", "mask-geometry"),
    ],
)
def test_masks_that_are_refused_by_name(
    name: str, said: str, cases: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert _run(name, cases, tmp_path) == 1
    captured = capsys.readouterr()
    assert captured.out == ""
    assert said in captured.err


def test_a_mask_without_affine_is_taken_by_index_on_request(
    cases: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert _run("mask_without_affine", cases, tmp_path, "--accept", "mask-geometry") == 0
    (record,) = _records(capsys.readouterr().out)
    assert record["totals"]["raw"]["tmtv_ml"] == pytest.approx(24.32)
    assert record["overrides"] == {"accepted": ["mask-geometry"]}
    assert "mask-geometry" in [w["code"] for w in record["warnings"]]


@pytest.mark.parametrize(("name", "number"), [("nifti_hides_dicom", 2), ("no_preamble", 1)])
def test_every_study_of_a_folder_is_measured(
    name: str, number: int, cases: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert _run(name, cases, tmp_path) == 0
    records = _records(capsys.readouterr().out)
    assert [r["totals"]["4.0"]["suv_max"] for r in records] == pytest.approx([10.0] * number)
    assert [r["totals"]["4.0"]["tmtv_ml"] for r in records] == pytest.approx([24.32] * number)
