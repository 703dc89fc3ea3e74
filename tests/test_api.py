"""The Python API: its examples run, its numbers are those of `case.json`, it starts light."""

from __future__ import annotations

import contextlib
import doctest
import io
import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import tmtv_engine
from tests.support.cases import make_case, make_lesions, make_volume
from tmtv_engine import agree, api, cut, measure, predict, read_case, read_rois, read_study
from tmtv_engine.errors import AmbiguousInput, CaseError, InputError, UsageError
from tmtv_engine.image.nifti import write_nifti

ROOT = Path(__file__).resolve().parents[1]
METHODS = ("41", "2.5", "4.0", "otsu", "prob", "raw", "mv2", "mv3", "a50p")


def blocks() -> list[str]:
    return re.findall(
        r"```python\n(.*?)```", (ROOT / "docs" / "python.md").read_text("utf-8"), re.DOTALL
    )


@pytest.fixture
def there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with the PET of the examples, as the page for Python makes it."""
    monkeypatch.chdir(tmp_path)
    exec(blocks()[-1], {})
    return tmp_path


def test_the_examples_of_the_docstrings(there: Path) -> None:
    for module in (tmtv_engine, api):
        failed, tried = doctest.testmod(module)
        assert (failed, tried > 1) == (0, True)


def test_the_page_s_six_lines_print_what_it_says(there: Path) -> None:
    lines = [line for line in blocks()[0].splitlines() if line]
    assert len(lines) <= 6
    said, names = io.StringIO(), dict[str, Any]()
    with contextlib.redirect_stdout(said):
        exec(blocks()[0], names)
    page = (ROOT / "docs" / "python.md").read_text("utf-8")
    assert f"```\n{said.getvalue()}```" in page
    exec(blocks()[1], names)


@pytest.mark.parametrize("method", METHODS)
def test_it_measures_as_case_json_does(tmp_path: Path, method: str) -> None:
    case = make_case(tmp_path, methods=METHODS)
    suv, _ = make_volume()
    lesions = case.voxels()
    accepted = lesions.take([0, 1])
    found = measure(suv, accepted, method)
    record = json.loads((case.path / "case.json").read_text("utf-8"))
    sums = record["totals"][method]
    for key in ("tmtv_ml", "tlg_g", "lesions", "suv_max", "suv_peak", "dmax_mm"):
        assert getattr(found, key) == sums[key]
    for row in record["lesions"][:2]:
        assert found.volume_ml[row["id"]] == row["methods"][method]["volume_ml"]
        assert found.threshold_suv[row["id"]] == row["methods"][method]["threshold_suv"]
    left = cut(suv, accepted, method)
    assert len(left.voxels) * suv.grid.voxel_ml == pytest.approx(found.tmtv_ml, rel=1e-12)
    assert set(left.ids) <= set(accepted.ids)
    again = cut(suv, left, method) if method in ("2.5", "4.0", "raw") else left
    assert again.voxels.tobytes() == left.voxels.tobytes()
    assert accepted.voxels.tobytes() == lesions.take([0, 1]).voxels.tobytes()  # inputs untouched


def test_a_study_is_read_with_what_replaces_its_header(there: Path) -> None:
    study = read_study(there / "pet.nii.gz", weight_kg=70.0)
    assert study.info["patient"]["weight_kg"] == 70.0
    with pytest.raises(InputError):
        read_study(there / "nothing.nii.gz")
    for name in ("a", "b"):
        write_nifti(study.suv, (there / name).with_suffix(".nii.gz"))
        (there / "many" / name).mkdir(parents=True)
        write_nifti(study.suv, there / "many" / name / "pet.nii.gz")
    with pytest.raises(AmbiguousInput, match="holds 2 PET studies"):
        read_study(there / "many")


def test_a_prediction_is_what_starts_accepted(there: Path) -> None:
    study = read_study("pet.nii.gz")
    lesions = predict(study, "hotspot")
    drawn = read_rois("rois.nii.gz", study.suv)
    assert set(drawn.voxels) <= set(lesions.voxels)
    with pytest.raises(UsageError, match="no such model"):
        predict(study, "nobody's")


def test_what_does_not_fit_is_refused(there: Path) -> None:
    study, (suv, _) = read_study("pet.nii.gz"), make_volume()
    with pytest.raises(UsageError, match="not on this PET's grid"):
        measure(study.suv, make_lesions(), "41")
    with pytest.raises(UsageError, match="liver"):
        cut(suv, make_lesions(), "liver")
    with pytest.raises(CaseError):
        read_case(there)
    for first, second in (([1.0], [1.0, 2.0]), ([], []), ([1.0], [-1.0]), ([1.0], [float("nan")])):
        with pytest.raises(UsageError):
            agree(first, second)


def test_agreement_of_numpy_columns() -> None:
    first = np.array([100.0, 200, 400])
    found = agree(first, 2 * first, cutoffs_ml=(150.0, 220.0))
    assert found["log_limits"]["ratio"] == pytest.approx(2.0)
    assert set(found["kappa"]) == {"150", "220"}


def test_importing_it_is_light_and_at_most_a_dozen_names() -> None:
    code = (
        "import sys, tmtv_engine; dir(tmtv_engine); "
        "print(*sorted({m.split('.')[0] for m in sys.modules}))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT
    )
    assert not {"numpy", "scipy", "torch", "pydicom", "nibabel", "jsonschema"} & set(
        done.stdout.split()
    )
    assert len(tmtv_engine.__all__) <= 12
    assert set(tmtv_engine.__all__) <= set(dir(tmtv_engine))
    with pytest.raises(AttributeError, match="nothing"):
        _ = tmtv_engine.nothing
    assert (ROOT / "tmtv_engine" / "py.typed").exists()
