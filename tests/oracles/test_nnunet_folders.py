"""Real nnU-Net folders in the forms of the published ones, against nnunetv2's own command.

nnunetv2 (the extra ``nnunet``) plans, trains and writes them (`nnunet_folders`: minutes on a CPU)
and predicts the same NIfTI by ``nnUNetv2_predict_from_modelfolder``; tmtv predicts them by its
own command. ``TMTV_NNUNET_FOLDERS`` names a folder with those that were made before.
"""

from __future__ import annotations

import hashlib
import json
import os
import pickle
import shutil
import sys
from collections.abc import Sequence
from importlib import util
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter, label

from tests.support.group import run
from tests.support.nnunet_folders import FORMS, ORIGIN_MM, patient, save

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(7200),  # the trainings are in the first test's time
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
    return run(command, {**os.environ, "PYTHONPATH": str(ROOT), "nnUNet_def_n_proc": "1"})


@pytest.fixture(scope="session")
def folders(tmp_path_factory: pytest.TempPathFactory) -> Path:
    there = os.environ.get("TMTV_NNUNET_FOLDERS")
    if there:
        return Path(there)
    made = tmp_path_factory.mktemp("nnunet")
    _run(sys.executable, ROOT / "tests" / "support" / "nnunet_folders.py", made)
    return made


def _inputs(folder: Path, images: tuple[str, ...], sizes: Sequence[str] = tuple(SIZES)) -> None:
    """A patient of each of ``sizes``, as nnU-Net's files and as a study of ours."""
    (folder / "raw").mkdir(parents=True)
    for size in sizes:
        shape, spacing_mm = SIZES[size]
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
    made = (folder / "theirs").glob("*.nii.gz")
    return {path.name.removesuffix(".nii.gz"): _read(path) for path in made}


@pytest.mark.parametrize("name", FORMS)
def test_every_voxel_is_nnunetv2s(folders: Path, tmp_path: Path, name: str) -> None:
    form = FORMS[name]
    _inputs(tmp_path, form.images)
    ours = _ours(tmp_path, f"nnunet:{folders / name}", *MORE.get(name, []))
    stock = folders / f"{name}-stock"  # a foreign trainer's name stops nnunetv2's own command
    theirs = _theirs(tmp_path, stock if stock.is_dir() else folders / name)
    assert set(theirs) == set(SIZES)
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


TRIO = ("resenc", "pet-only", "pet-ct")


@pytest.fixture(scope="session")
def trio(folders: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What nnunetv2 itself says of one scan by three models: label maps, tumour's probabilities."""
    labels, chances = [], []
    for name in TRIO:
        where = tmp_path_factory.mktemp(name)
        _inputs(where, FORMS[name].images, ["other"])
        labels.append(_theirs(where, folders / name, "--save_probabilities")["other"] == 1)
        with np.load(where / "theirs" / "other.npz") as held:
            chances.append(held["probabilities"][1])
    return {"labels": np.array(labels), "chances": np.array(chances, np.float64)}


@pytest.mark.parametrize("combine", ["mean", "union", "vote"])
def test_models_joined_are_what_nnunetv2s_answers_join_to(
    folders: Path, trio: dict[str, Any], tmp_path: Path, combine: str
) -> None:
    _inputs(tmp_path, ("ct", "pet"), ["other"])
    model = "nnunet:" + ",".join(str(folders / name) for name in TRIO)
    mask = _ours(tmp_path, model, "--combine", combine)["other"]["mask"]
    labels = trio["labels"]
    if combine == "mean":
        mean = trio["chances"].mean(axis=0)
        told = np.abs(mean - 0.5) > 1e-3  # logits are of half precision
        assert told.mean() > 0.99
        assert np.array_equal(mask[told], (mean > 0.5)[told])
    else:
        expected = labels.any(axis=0) if combine == "union" else labels.sum(axis=0) >= 2
        assert np.array_equal(mask, expected)
    assert len({one.tobytes() for one in (*labels, mask)}) >= 3  # they do differ


def test_a_set_has_a_name_and_its_own_way(
    folders: Path, trio: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TMTV_MODELS", str(tmp_path / "models"))
    tmtv = [sys.executable, "-c", TMTV, "models"]
    for name in TRIO:
        _run(*tmtv, "add", name, folders / name)
    _run(*tmtv, "add", "trio", *TRIO, "--combine", "union")
    _inputs(tmp_path, ("ct", "pet"), ["other"])
    record = _ours(tmp_path, "trio")["other"]
    assert np.array_equal(record["mask"], trio["labels"].any(axis=0))
    hashes = [json.loads(_run(*tmtv, "show", name, "--json"))["sha256"] for name in TRIO]
    told = "union\n" + "".join(f"{digest}\n" for digest in hashes)
    assert record["model"]["name"] == "trio (union)"
    assert record["model"]["sha256"] == hashlib.sha256(told.encode()).hexdigest()


def _heat(shape: tuple[int, ...], at: tuple[int, ...]) -> np.ndarray[Any, Any]:
    """autoPET IV's channel of one click: its voxel under a Gaussian of three voxels."""
    made = np.zeros(shape, np.float32)
    made[at] = 1
    return np.asarray(gaussian_filter(made, sigma=3))


def test_a_click_is_answered_as_nnunetv2_answers_its_channels(
    folders: Path, tmp_path: Path
) -> None:
    shape, spacing_mm = SIZES["other"]
    made, tmtv = patient(9, shape, spacing_mm), [sys.executable, "-c", TMTV]
    ball, organ = (
        tuple(np.argwhere(made[k]).mean(axis=0).round().astype(int).tolist())
        for k in ("ball", "organ")
    )
    _inputs(tmp_path, ("ct", "pet"), ["other"])
    case = tmp_path / "out" / "other"
    _run(*tmtv, "predict", tmp_path / "studies", "-o", case.parent, "--model", "hotspot")
    rows = json.loads((case / "case.json").read_text())["lesions"]
    _run(*tmtv, "reject", case, *(row["id"] for row in rows))
    kept = np.rint(made["ct"]).astype(np.float32)  # as a case keeps its CT
    channels = [kept, made["pet"], _heat(shape, ball), _heat(shape, organ)]
    for number, array in enumerate(channels):
        file = tmp_path / "raw" / f"other_{number:04}.nii.gz"
        save(array.astype(np.float32), file, spacing_mm)
    labels = _theirs(tmp_path, folders / "autopet4")["other"] == 1
    pieces, _ = label(labels, np.ones((3, 3, 3)))
    expected = pieces == pieces[ball]
    assert labels[ball]
    assert expected.sum() != made["ball"].sum()

    def clicked(within: float) -> np.ndarray[Any, Any]:
        point, no = (
            ",".join(str(ORIGIN_MM[k] + at[2 - k] * spacing_mm[2 - k]) for k in range(3))
            for at in (ball, organ)
        )
        asked = ["--model", f"nnunet:{folders / 'autopet4'}", "--background", no, "--device", "cpu"]
        told = _run(*tmtv, "add", case, point, *asked, "--within", within, "--json")
        new = json.loads(told)["lesions"][-1]
        assert new["source"] == "reader"
        found = _written(case, new["id"])
        _run(*tmtv, "undo", case)
        return found

    assert np.array_equal(clicked(500), expected)
    index = np.indices(shape)
    far = np.sqrt(sum(((index[k] - ball[k]) * spacing_mm[k]) ** 2 for k in range(3)))
    near, _ = label(labels & (far <= 12), np.ones((3, 3, 3)))
    assert np.array_equal(clicked(12), near == near[ball])


def _written(case: Path, number: int) -> np.ndarray[Any, Any]:
    """A lesion's voxels (z, y, x) as a replay gives them."""
    from tmtv_engine.case.folder import read_case
    from tmtv_engine.review.reading import reading_of

    _run(sys.executable, "-c", TMTV, "verify", case)
    return np.asarray(reading_of(read_case(case)).lesions.labels().array == number)
