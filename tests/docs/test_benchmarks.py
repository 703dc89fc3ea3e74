"""Every script of benchmarks/ tells how it is called and runs to its end at its smallest."""

from __future__ import annotations

import os
import runpy
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from tests.support.cases import make_volume
from tmtv_engine.image.nifti import write_nifti
from tmtv_engine.model.checkpoint import network_of, write_model
from tmtv_engine.model.plans import BodyPlan
from tmtv_engine.model.recipes import RECIPES

ROOT = Path(__file__).resolve().parents[2]
SCRIPTS = sorted((ROOT / "benchmarks").glob("*.py"))
ANATOMIES = ROOT.parent / "shared" / "data" / "organ_maps"
COARSE = ("--spacing-mm", "8")
SMALLEST = {
    "batch": ["--studies", "0", "--small", "2"],
    "choose_threshold": [
        *("vnet", "--patients", "1", "--anatomies", str(ANATOMIES), *COARSE),
        *("--thresholds", "0.3", "--rules", "some"),
    ],
    "ct": ["--patients", "1", "--anatomies", str(ANATOMIES), *COARSE, "--model", "seeing"],
    "digital_table": ["--patients", "1", *COARSE],
    "export": ["--small"],
    "lesions": ["--small"],
    "memory": ["--small"],
    "mutants": ["-n", "1", "--least", "0", "measures"],
    "network": ["--small", "--threads", "1"],
    "painters": [],
    "phantom": ["--patients", "2"],
    "read_series": ["--runs", "1"],
    "real_scans": ["--only", "STS_002", "--steady"],
    "repairs": ["-n", "1", "--repairs", "1", *COARSE],
    "report": ["--cases", "1"],
    "resources": ["study", "--by", "hot spots"],
    "startup": ["--runs", "1"],
    "whole_body": ["--runs", "1", "--model", "hotspot"],
}
ELSEWHERE = {
    "card": "needs nnunetv2, and a GPU to tell of one",
    "nnunet": "needs nnunetv2: by hand, as make oracles",
    "reader": "tests/tui/test_reader.py reads with it",
    "review": "a minute by its nature; its parts are those of tests/tui",
}
# one run on a busy machine may miss the goals of these
TIMED = ("read_series", "report", "startup", "whole_body")
MINUTES = ("batch", "phantom", "report", "whole_body")
NEEDS = {"choose_threshold": ANATOMIES, "ct": ANATOMIES, "real_scans": ANATOMIES.parent}


def run(script: Path, options: list[str], folder: Path) -> subprocess.CompletedProcess[str]:
    """What it does, called from a folder that is not the checkout."""
    return subprocess.run(
        [sys.executable, str(script), *options],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
    )


def test_each_is_tried_or_tells_why_not() -> None:
    assert {p.stem for p in SCRIPTS} == SMALLEST.keys() | ELSEWHERE.keys()


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda p: p.stem)
def test_it_tells_how_it_is_called(
    script: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(sys, "argv", [str(script), "--help"])
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as ended:  # in this process: torch is here already
        runpy.run_path(str(script), run_name="__main__")
    assert ended.value.code == 0
    assert capsys.readouterr().out.startswith("usage: ")
    assert not list(tmp_path.iterdir())  # asking does nothing


@pytest.mark.slow
@pytest.mark.parametrize(
    "name",
    [pytest.param(n, marks=pytest.mark.only_long if n in MINUTES else ()) for n in SMALLEST],
)
def test_it_runs_to_its_end(name: str, tmp_path: Path) -> None:
    if not NEEDS.get(name, ROOT).is_dir():
        pytest.skip(f"needs {NEEDS[name]}")
    (tmp_path / "study").mkdir()
    write_nifti(make_volume()[0], tmp_path / "study" / "pet.nii.gz")
    if name == "ct":
        recipe = replace(RECIPES["body-ct"], architecture=BodyPlan(3, (4, 4), (0, 0), (0,), ct=2))
        weights = network_of(recipe.architecture).state_dict()
        write_model(tmp_path / "seeing", weights, recipe, name="seeing", trained_on="nothing")
    done = run(ROOT / "benchmarks" / f"{name}.py", SMALLEST[name], tmp_path)
    missed = name in TIMED and done.returncode == 1 and "Traceback" not in done.stderr
    assert done.returncode == 0 or missed, done.stderr
    assert done.stdout.strip()
