"""An nnU-Net is read from the disk once a process: by threads, and by each worker of a cluster.

Python's own audit hook counts how often its checkpoints are opened, in every process of a run.
``TMTV_NNUNET_FOLDERS`` names a folder with those that were made before (`nnunet_folders`).
"""

from __future__ import annotations

import os
import shutil
import sys
from collections import Counter
from importlib import util
from pathlib import Path

import numpy as np
import pytest

from tests.support.group import run
from tests.support.nnunet_folders import patient, save

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(7200),
    pytest.mark.skipif(
        util.find_spec("nnunetv2") is None, reason="nnunetv2 is not installed (the extra nnunet)"
    ),
]
ROOT = Path(__file__).parents[2]
TMTV = "from tmtv_tui.cli.app import main; raise SystemExit(main())"
SHAPE, SPACING_MM = (14, 20, 24), (6.0, 5.0, 5.0)
COUNTS = """
import os, sys
def opened(event, given):
    if event == "open" and str(given[0]).endswith("checkpoint_final.pth"):
        with open(os.environ["OPENED"], "a") as file:
            file.write(f"{os.getpid()}\\n")
sys.addaudithook(opened)
"""


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model of PET alone."""
    there = os.environ.get("TMTV_NNUNET_FOLDERS")
    if there:
        return Path(there) / "pet-only"
    made = tmp_path_factory.mktemp("nnunet")
    script = ROOT / "tests" / "support" / "nnunet_folders.py"
    run([sys.executable, script, made, "pet-only"], {**os.environ, "PYTHONPATH": str(ROOT)})
    return made / "pet-only"


def _opened(tmp_path: Path, folder: Path, studies: int, *how: str) -> list[int]:
    """How often each process of a run over so many studies opened the checkpoint."""
    (tmp_path / "sitecustomize.py").write_text(COUNTS)
    shutil.rmtree(tmp_path / "studies", ignore_errors=True)
    for k in range(studies):
        where = tmp_path / "studies" / f"p{k}"
        where.mkdir(parents=True)
        pet = patient(k, SHAPE, SPACING_MM)["pet"].astype(np.float32)
        save(pet, where / "pet.nii.gz", SPACING_MM)
    log = tmp_path / "opened"
    log.write_text("")
    environment = {
        **os.environ,
        "PYTHONPATH": f"{tmp_path}{os.pathsep}{ROOT}",
        "OPENED": str(log),
        "OMP_NUM_THREADS": "1",
    }
    command = [sys.executable, "-c", TMTV, "predict", tmp_path / "studies", "-o", tmp_path / "out"]
    run([*command, "--model", f"nnunet:{folder}", "--device", "cpu", "--fresh", *how], environment)
    assert len(list((tmp_path / "out").glob("*/case.json"))) == studies
    return sorted(Counter(log.read_text().split()).values())


def test_a_model_is_read_once_a_process(folder: Path, tmp_path: Path) -> None:
    (once,) = _opened(tmp_path, folder, 1)
    assert once > 0
    assert _opened(tmp_path, folder, 5, "--jobs", "3") == [once]
    found = _opened(tmp_path, folder, 5, "--scheduler", "local", "--jobs", "2")
    assert found == [once] * len(found)
    assert 2 <= len(found) <= 3  # the command itself, and each worker that had a study
