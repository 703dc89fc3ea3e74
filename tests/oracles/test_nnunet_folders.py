"""Real nnU-Net folders in the forms of the published ones, against nnunetv2's own command.

nnunetv2 (the extra ``nnunet``) plans, trains and writes them (`nnunet_folders`: minutes on a CPU)
and predicts the same NIfTI by ``nnUNetv2_predict_from_modelfolder``; tmtv predicts them by its
own command. ``TMTV_NNUNET_FOLDERS`` names a folder with those that were made before.
"""

from __future__ import annotations

import json
import os
import pickle
import shutil
import subprocess
import sys
from importlib import util
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.support.nnunet_folders import FORMS, patient, save

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        util.find_spec("nnunetv2") is None, reason="nnunetv2 is not installed (the extra nnunet)"
    ),
]
ROOT = Path(__file__).parents[2]
TMTV = "from tmtv_tui.cli.app import main; raise SystemExit(main())"
Record = dict[str, Any]
SIZES = {  # voxels from which everything is resampled, in three axes or slice by slice
    "other": ((25, 33, 37), (5.1, 2.45, 2.6)),
    "thick": ((14, 40, 41), (11.0, 2.0, 2.1)),
}
MORE = {"unnamed": ["--channels", "ct,pet"], "lion": ["--tumour-label", "11"]}
NUMBER = {"regions": 2, "lion": 11}


def _run(*command: object) -> str:
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "nnUNet_def_n_proc": "1"}
    words = [str(word) for word in command]
    done = subprocess.run(words, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-4000:]
    return done.stdout


@pytest.fixture(scope="session")
def folders(tmp_path_factory: pytest.TempPathFactory) -> Path:
    there = os.environ.get("TMTV_NNUNET_FOLDERS")
    if there:
        return Path(there)
    made = tmp_path_factory.mktemp("nnunet")
    _run(sys.executable, ROOT / "tests" / "support" / "nnunet_folders.py", made)
    return made


def _inputs(folder: Path, images: tuple[str, ...]) -> None:
    """A patient of each of `SIZES`, as nnU-Net's files and as a study of ours."""
    (folder / "raw").mkdir()
    for size, (shape, spacing_mm) in SIZES.items():
        made = patient(9, shape, spacing_mm)
        (folder / "studies" / size).mkdir(parents=True)
        for number, kind in enumerate(images):
            file = folder / "raw" / f"{size}_{number:04}.nii.gz"
            save(made[kind].astype(np.float32), file, spacing_mm)
        for kind in ("pet", "ct"):
            file = folder / "studies" / size / f"{kind}.nii.gz"
            save(made[kind].astype(np.float32), file, spacing_mm)


def _read(path: Path) -> np.ndarray[Any, Any]:
    import SimpleITK as sitk

    return np.asarray(sitk.GetArrayFromImage(sitk.ReadImage(str(path))))


def _ours(folder: Path, model: str, *more: str) -> dict[str, Record]:
    """The case of each size, and (``mask``) the voxels (z, y, x) of the model's own lesions."""
    command = [sys.executable, "-c", TMTV, "predict", folder / "studies", "-o", folder / "out"]
    text = _run(*command, "--model", model, "--device", "cpu", "--method", "raw", "--json", *more)
    found = {}
    for record in map(json.loads, text.splitlines()):
        labels = _read(folder / "out" / record["case"] / "lesions.nii.gz")
        own = [row["id"] for row in record["lesions"] if row["source"] == "model"]
        found[record["case"]] = {**record, "mask": np.isin(labels, own)}
    return found


def _theirs(folder: Path, model: Path, *more: str) -> dict[str, np.ndarray[Any, Any]]:
    """The label map of each size by nnunetv2's own command."""
    command = Path(sys.executable).with_name("nnUNetv2_predict_from_modelfolder")
    folds = sorted(p.name.removeprefix("fold_") for p in model.glob("fold_*"))
    given = ["-i", folder / "raw", "-o", folder / "theirs", "-m", model, "-f", *folds]
    (folder / "theirs").mkdir()
    _run(command, *given, "-device", "cpu", "-npp", "1", "-nps", "1", *more)
    return {size: _read(folder / "theirs" / f"{size}.nii.gz") for size in SIZES}


@pytest.mark.parametrize("name", FORMS)
def test_every_voxel_is_nnunetv2s(folders: Path, tmp_path: Path, name: str) -> None:
    form = FORMS[name]
    _inputs(tmp_path, form.images)
    ours = _ours(tmp_path, f"nnunet:{folders / name}", *MORE.get(name, []))
    stock = folders / f"{name}-stock"  # a foreign trainer's name stops nnunetv2's own command
    theirs = _theirs(tmp_path, stock if stock.is_dir() else folders / name)
    for size, labels in theirs.items():
        tumour = labels == NUMBER.get(name, 1)
        assert tumour.any()
        assert not tumour.all()
        assert np.array_equal(ours[size]["mask"], tumour)
        codes = [w["code"] for w in ours[size]["warnings"]]
        assert ("weights-left-out" in codes) == form.organ_heads
        assert len(ours[size]["model"]["sha256"]) == 64


def test_the_best_checkpoint_is_taken_where_there_is_no_final_one(
    folders: Path, tmp_path: Path
) -> None:
    model = tmp_path / "best"
    shutil.copytree(folders / "stock", model)
    for path in model.glob("fold_*/checkpoint_final.pth"):
        path.unlink()
    _inputs(tmp_path, FORMS["stock"].images)
    ours = _ours(tmp_path, f"nnunet:{model}")
    for size, labels in _theirs(tmp_path, model, "-chk", "checkpoint_best.pth").items():
        assert (labels == 1).any()
        assert np.array_equal(ours[size]["mask"], labels == 1)


def test_heads_that_take_no_part_change_no_bit(folders: Path) -> None:
    from tmtv_engine.image.volume import Grid, Unit, Volume
    from tmtv_engine.model.nnunet import load_model

    shape, spacing_mm = SIZES["other"]
    made, grid = patient(9, shape, spacing_mm), Grid.axial(shape, spacing_mm)
    suv = Volume(made["pet"].astype(np.float32), grid, Unit.SUV)
    ct = Volume(made["ct"].astype(np.float32), grid, Unit.HU)
    foreign = load_model(folders / "lesiontracer", "cpu")
    stock = load_model(folders / "lesiontracer-stock", "cpu")
    assert foreign.loaded.dropped == ("decoder.organ_seg_layers (6 tensors)",)
    chances = [m(suv, ct).probability.array.tobytes() for m in (foreign, stock)]
    assert chances[0] == chances[1]
    again = pickle.loads(pickle.dumps(stock))  # to another worker: the folder goes, not the network
    assert len(pickle.dumps(stock)) < 100_000
    assert again(suv, ct).probability.array.tobytes() == chances[1]
