"""Models that others trained: what is taken, what is refused, and nnunetv2's own answer."""

from __future__ import annotations

import json
import os
import pickle
import subprocess
import sys
from importlib import util
from pathlib import Path
from threading import Event, Thread
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import torch

from tmtv_engine.errors import InputError, UsageError
from tmtv_engine.image.nifti import write_nifti
from tmtv_engine.image.volume import Array, Grid, Unit, Volume
from tmtv_engine.model import registry as models
from tmtv_engine.model.nnunet import (
    CHECKPOINT,
    NnUnetSegmenter,
    _along_axes,
    _weights_only,
    load_model,
)
from tmtv_engine.model.nnunet_folder import channels_of, check_plans, head_of

HERE = Path("model")
THERE = util.find_spec("nnunetv2") is not None
TUMOUR = {"background": 0, "tumor": 1}


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        ({"0": "PET", "1": "CT"}, ("pet", "ct")),
        ({"1": "SUV", "0": "CT"}, ("ct", "pet")),
        ({"0": "pet"}, ("pet",)),
        ({"0": "CT", "1": "CT"}, ("ct", "pet")),  # autoPET's own conversion in nnunetv2
    ],
)
def test_channels_are_told_by_their_names(names: dict[str, str], expected: tuple[str]) -> None:
    assert channels_of({"channel_names": names}, HERE) == expected


@pytest.mark.parametrize("names", [{}, {"0": "CT"}, {"0": "PET", "1": "MR"}, {"0": "T1"}])
def test_other_channels_are_refused(names: dict[str, str]) -> None:
    with pytest.raises(InputError, match="its channels are"):
        channels_of({"channel_names": names}, HERE)


@pytest.mark.parametrize(
    ("labels", "head"),
    [
        (TUMOUR, 1),
        ({"background": 0, "whatever": 1, "ignore": 2}, 1),
        ({"background": 0, "bladder": 1, "Lymphoma": 2}, 2),
        ({"background": 0, "organ": [1, 2], "tumour": 2}, 1),  # regions: the background has none
    ],
)
def test_the_tumours_label_is_found(labels: dict[str, Any], head: int) -> None:
    assert head_of({"labels": labels}, HERE) == head


@pytest.mark.parametrize("labels", [{}, {"background": 0, "a": 1, "b": 2}])
def test_no_tumour_among_the_labels_is_told(labels: dict[str, Any]) -> None:
    with pytest.raises(UsageError, match="no single label is tumour"):
        head_of({"labels": labels}, HERE)


def _plans(network: str, norm: str = "torch.nn.modules.instancenorm.InstanceNorm3d") -> Any:
    kwargs = {"norm_op": norm, "dropout_op": None}
    named = ["norm_op", "dropout_op"]
    plan = {"network_class_name": network, "arch_kwargs": kwargs, "_kw_requires_import": named}
    return {"configurations": {"3d_fullres": {"architecture": plan}, "cascade": {}}}


def test_plans_name_nothing_but_networks() -> None:
    trusted = "dynamic_network_architectures.architectures.unet.PlainConvUNet"
    check_plans(_plans(trusted), HERE)
    for plans in (_plans("subprocess.Popen"), _plans(trusted, "os.system"), _plans("torch.nn; x")):
        with pytest.raises(InputError, match=r"plans\.json names"):
            check_plans(plans, HERE)


class Trap:
    """A pickle that makes a folder when it is loaded."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> Any:
        return os.mkdir, (str(self.path),)


def test_a_checkpoint_is_read_without_running_it(tmp_path: Path) -> None:
    plain = {"weights": torch.ones(2), "log": [np.float64(0.5), np.float32(2)], "name": "x"}
    torch.save(plain, tmp_path / "good.pth")
    torch.save({"trap": Trap(tmp_path / "sprung")}, tmp_path / "bad.pth")
    with _weights_only():
        read = torch.load(tmp_path / "good.pth", weights_only=False)
        assert read["log"] == [0.5, 2.0]
        with pytest.raises(pickle.UnpicklingError):
            torch.load(tmp_path / "bad.pth", weights_only=False)
    assert not (tmp_path / "sprung").exists()
    assert "TORCH_FORCE_WEIGHTS_ONLY_LOAD" not in os.environ


def _folder(path: Path) -> Path:
    (path / "fold_0").mkdir(parents=True)
    torch.save({}, path / "fold_0" / CHECKPOINT)
    dataset = {"channel_names": {"0": "PET"}, "labels": TUMOUR}
    (path / "dataset.json").write_text(json.dumps(dataset))
    (path / "plans.json").write_text("{}")
    return path


@pytest.mark.parametrize("missing", ["dataset.json", "plans.json", f"fold_0/{CHECKPOINT}"])
def test_a_folder_that_is_none_is_named(tmp_path: Path, missing: str) -> None:
    folder = _folder(tmp_path / "model")
    (folder / missing).unlink()
    with pytest.raises(InputError, match="model") as caught:
        models.load(f"nnunet:{folder}", "cpu")
    assert CHECKPOINT in caught.value.remedy


@pytest.mark.skipif(THERE, reason="nnunetv2 is installed")
def test_without_the_extra_its_name_is_told(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="not installed") as caught:
        models.load(f"nnunet:{_folder(tmp_path)}", "cpu")
    assert "tmtv[nnunet]" in caught.value.remedy


class Predictor:
    """Answers with the first channel as the tumour's probability."""

    def predict_single_npy_array(
        self, image: Array, properties: dict[str, Any], *more: Any
    ) -> tuple[Array, Array]:
        self.image, self.properties = image, properties
        return image[0] > 0.5, np.stack([1 - image[0], image[0]])


@pytest.mark.parametrize("flip", [False, True])
@pytest.mark.parametrize("turned", [False, True])
def test_the_answer_lies_where_the_image_does(flip: bool, turned: bool) -> None:
    grid = Grid.axial((7, 11, 13), (2.0, 3.0, 4.0), (-20.0, 5.0, 100.0))
    array = np.random.default_rng(0).random(grid.shape).astype(np.float32)
    if turned:  # columns run to the right, axes (x, z, y)
        swap = np.eye(4)[:, [2, 0, 1, 3]] @ np.diag([-1.0, 1.0, 1.0, 1.0])
        affine = grid.affine @ swap
        affine[:3, 3] = grid.to_mm([0, 0, 12])
        grid = Grid((13, 7, 11), affine)
        array = np.ascontiguousarray(np.moveaxis(array, 2, 0)[::-1])
    predictor = Predictor()
    segment = NnUnetSegmenter(
        predictor, ("pet", "ct"), 1, flip=flip, record={"name": "x"}, device=torch.device("cpu")
    )
    chance = segment(Volume(array, grid, Unit.SUV))
    assert chance.array == pytest.approx(array, abs=1e-6)
    assert chance.grid.matches(grid)
    assert predictor.image.shape == (2, 7, 11, 13)
    assert predictor.properties["spacing"] == pytest.approx([2.0, 3.0, 4.0])
    assert (predictor.image[1] == -1000).all()
    expected = np.random.default_rng(0).random((7, 11, 13)).astype(np.float32)
    expected = expected[:, ::-1, ::-1] if flip else expected
    assert predictor.image[0] == pytest.approx(expected, abs=1e-6)


def test_what_nnunetv2_prints_goes_to_stderr_and_stdout_stays_the_process_s(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two at once, one of which writes data meanwhile."""
    module = ModuleType("nnunetv2.chatter")
    exec("def talk(): print('chatter')", vars(module))
    monkeypatch.setitem(sys.modules, module.__name__, module)
    talking, wrote = Event(), Event()

    class Talker(Predictor):
        def predict_single_npy_array(self, *given: Any) -> tuple[Array, Array]:
            talking.set()
            assert wrote.wait(10)
            module.talk()
            return super().predict_single_npy_array(*given)

    given: dict[str, Any] = {"flip": False, "record": {}, "device": torch.device("cpu")}
    segment = NnUnetSegmenter(Talker(), ("pet", "ct"), 1, **given)
    grid = Grid.axial((7, 11, 13), (2.0, 3.0, 4.0))
    suv = Volume(np.zeros(grid.shape, np.float32), grid, Unit.SUV)
    thread = Thread(target=segment, args=(suv,))
    thread.start()
    assert talking.wait(10)
    print("data")
    wrote.set()
    thread.join()
    assert capsys.readouterr() == ("data\n", "chatter\n")


def test_an_oblique_grid_is_covered() -> None:
    turn = np.eye(4)
    turn[:2, :2] = [[0.8, -0.6], [0.6, 0.8]]
    oblique = Grid((4, 5, 6), turn @ Grid.axial((4, 5, 6), (2.0, 3.0, 3.0)).affine)
    around = _along_axes(oblique)
    corners = around.to_index(oblique.to_mm([[0, 0, 0], [0, 4, 0], [0, 0, 5], [3, 4, 5]]))
    assert (corners > -0.51).all()
    assert (corners < np.array(around.shape) - 0.49).all()


MAKE = """
import json, os, sys, torch
from pathlib import Path
from nnunetv2.experiment_planning import plan_and_preprocess_api as api
from nnunetv2.training.nnUNetTrainer.nnUNetTrainer import nnUNetTrainer
if __name__ == "__main__":
    root = Path(sys.argv[1])
    torch.set_num_threads(2)
    torch.manual_seed(0)
    api.extract_fingerprints([7], num_processes=1, show_progress_bar=False)
    api.plan_experiments([7])
    api.preprocess([7], configurations=("3d_fullres",), num_processes=(1,), show_progress_bar=False)
    os.environ["nnUNet_n_proc_DA"] = "0"  # augment in this process
    made = root / "preprocessed" / "Dataset007_Tiny"
    dataset, plans = (
        json.loads((made / n).read_text()) for n in ("dataset.json", "nnUNetPlans.json")
    )
    plans["continue_training"] = False
    trainer = nnUNetTrainer(plans, "3d_fullres", 0, dataset, device=torch.device("cpu"))
    trainer.num_epochs, trainer.num_iterations_per_epoch = 1, 6
    trainer.num_val_iterations_per_epoch = 1
    trainer.run_training()
"""
ORACLE = """
import sys, torch
from nnunetv2.inference.predict_from_raw_data import nnUNetPredictor
if __name__ == "__main__":
    predictor = nnUNetPredictor(device=torch.device("cpu"), allow_tqdm=False)
    predictor.initialize_from_trained_model_folder(sys.argv[1], (0,))
    predictor.predict_from_files_sequential([sys.argv[2:4]], [sys.argv[4]], True)
"""


def _patient(seed: int) -> tuple[Volume, Volume, Volume]:
    """A hot ball in a warm body, its CT and its mask, on an asymmetric grid."""
    grid = Grid.axial((34, 28, 30), (4.0, 3.0, 3.0), (-40.0, 10.0, -300.0))
    r = np.random.default_rng(seed)
    mm = grid.to_mm(np.moveaxis(np.indices(grid.shape), 0, -1))
    ball = np.linalg.norm(mm - r.uniform((-20, 30, -260), (20, 70, -200)), axis=-1) < 14
    suv = np.where(ball, 9.0, 1.0) + r.normal(0, 0.2, grid.shape)
    ct = np.full(grid.shape, 40.0) + r.normal(0, 10, grid.shape)
    images = Volume(suv.astype(np.float32), grid, Unit.SUV), Volume(ct, grid, Unit.HU)
    return *images, Volume(ball.astype(np.uint8), grid, Unit.LABEL)


def _run(code: str, root: Path, *arguments: object) -> None:
    script = root / "script.py"
    script.write_text(code)
    places = {f"nnUNet_{k}": str(root / k) for k in ("raw", "preprocessed", "results")}
    quick = {"nnUNet_n_proc_DA": "1", "nnUNet_def_n_proc": "1", "nnUNet_compile": "f"}
    done = subprocess.run(
        [sys.executable, str(script), *map(str, arguments)],
        env={**os.environ, **places, **quick},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-4000:]


@pytest.mark.slow
@pytest.mark.skipif(not THERE, reason="nnunetv2 is not installed (the extra nnunet)")
@pytest.mark.filterwarnings("ignore")
def test_a_real_folder_answers_as_nnunetv2_does(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A folder that nnunetv2 planned, trained and wrote; its own command is the oracle."""
    raw = tmp_path / "raw" / "Dataset007_Tiny"
    for name in ("imagesTr", "labelsTr"):
        (raw / name).mkdir(parents=True)
    for k in range(5):
        suv, ct, mask = _patient(k)
        write_nifti(ct, raw / "imagesTr" / f"p{k}_0000.nii.gz")
        write_nifti(suv, raw / "imagesTr" / f"p{k}_0001.nii.gz")
        write_nifti(mask, raw / "labelsTr" / f"p{k}.nii.gz")
    told = {"channel_names": {"0": "CT", "1": "PET"}, "labels": TUMOUR, "numTraining": 5}
    (raw / "dataset.json").write_text(json.dumps({**told, "file_ending": ".nii.gz"}))
    _run(MAKE, tmp_path, tmp_path)
    (folder,) = (tmp_path / "results" / "Dataset007_Tiny").iterdir()

    suv, ct, _ = _patient(9)
    files = tmp_path / "x_0000.nii.gz", tmp_path / "x_0001.nii.gz"
    write_nifti(ct, files[0])
    write_nifti(suv, files[1])
    _run(ORACLE, tmp_path, folder, *files, tmp_path / "x")
    with np.load(tmp_path / "x.npz") as answer:
        expected = answer["probabilities"][1]

    model = models.load(f"nnunet:{folder}", "cpu")
    assert model.record["name"] == "nnunet:Dataset007_Tiny"
    assert [n.code for n in model.warnings] == ["third-party-model"]
    assert model.segment is not None
    chance = model.segment(suv, ct)
    assert chance.array == pytest.approx(expected, abs=1e-3)
    assert np.ptp(chance.array) > 0.05
    assert load_model(folder, "cpu")(suv, ct).array.tobytes() == chance.array.tobytes()
    assert capsys.readouterr().out == ""
