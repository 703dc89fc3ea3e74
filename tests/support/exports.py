"""A small exported case, and the judges of what is exported."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.support.dicom import Bend, write_series
from tmtv_engine.case.folder import Case
from tmtv_engine.image.volume import Unit, Volume
from tmtv_engine.lesion.lists import from_labels
from tmtv_engine.lesion.methods import parse_method
from tmtv_engine.lesion.origin import Origin, Source
from tmtv_engine.model.finders import Finder, Found
from tmtv_engine.pipeline import CaseConfig, run_case
from tmtv_engine.study.find import Study, find_studies

TURN = np.deg2rad(12.0)
OBLIQUE = (np.cos(TURN), 0.0, np.sin(TURN), 0.0, 1.0, 0.0)


def drawn_labels(kind: str) -> np.ndarray[Any, Any]:
    """A ring with a hole, two voxels that touch at a corner, a single one: lesions 1, 2, 3."""
    labels = np.zeros((7, 11, 13), np.uint16)
    labels[1:4, 2:7, 2:8] = 1
    labels[2, 4, 4:6] = 0
    labels[5, 8, 9] = labels[5, 9, 10] = labels[6, 9, 10] = 2
    labels[0, 0, 12] = 3
    return labels if kind == "some" else np.zeros_like(labels)


def small_case(
    tmp_path: Path,
    *,
    kind: str = "some",
    bend: Bend | None = None,
    cosines: tuple[float, ...] = OBLIQUE,
    methods: tuple[str, ...] = ("41", "raw"),
) -> Case:
    """A case of `drawn_labels` on a small PET, by ``methods``; ``bend`` as in `write_series`."""
    write_series(tmp_path / "dicom", cosines=cosines, bend=bend)
    return case_of(tmp_path / "dicom", tmp_path / "out", drawn_labels(kind), methods)


def finder_of(labels: np.ndarray[Any, Any]) -> Finder:
    """A network that always finds these lesions."""

    def find(suv: Volume, ct: Volume | None) -> Found:
        lesions = from_labels(suv.with_array(labels, Unit.LABEL), suv)
        return Found(lesions, (Origin(Source.MODEL, 0.8),) * len(lesions))

    return Finder(find, {"name": "vnet", "sha256": "ab" * 32, "trained_on": "digital patients"})


def case_of(
    dicom: Path,
    out: Path,
    labels: np.ndarray[Any, Any] | None = None,
    methods: tuple[str, ...] = ("41", "raw"),
) -> Case:
    """The case of a PET with these lesions (`drawn_labels`), cut by ``methods``."""
    labels = drawn_labels("some") if labels is None else labels
    (study,) = find_studies(dicom)
    assert isinstance(study, Study)

    return run_case(study, finder_of(labels), CaseConfig(out, tuple(map(parse_method, methods))))


def errors_of(path: Path) -> list[str]:
    """What dciodvfy finds wrong with a DICOM file."""
    if shutil.which("dciodvfy") is None:
        pytest.skip("dciodvfy (Debian's dicom3tools) is not installed")
    done = subprocess.run(["dciodvfy", path], capture_output=True, text=True, check=False)
    return [line for line in (done.stderr + done.stdout).splitlines() if line.startswith("Error")]


def dcmqi_program(name: str) -> str:
    """A program of dcmqi; skips without it."""
    path = Path(shutil.which(name) or Path(sys.executable).with_name(name))
    if not path.exists():
        pytest.skip(f"{name} (dcmqi) is not installed")
    return str(path)
