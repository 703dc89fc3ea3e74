"""Training: layouts, splits, cache, augmentation, resume, several processes."""

from __future__ import annotations

import dataclasses
import json
import re
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from tests.support.orthanc import free_port
from tmtv_engine.errors import InputError
from tmtv_engine.image.nifti import write_nifti
from tmtv_engine.image.volume import Grid, Unit, Volume
from tmtv_engine.model.checkpoint import read_model
from tmtv_engine.model.infer import load_model
from tmtv_engine.model.plans import Architecture
from tmtv_engine.model.recipes import RECIPES, Recipe
from tmtv_engine.train.curve import read_metrics, write_curve
from tmtv_engine.train.dataset import prepare, prepare_all, read_dataset, split_of, truth_map
from tmtv_engine.train.lesson import Batch, Lesson, batch_of
from tmtv_engine.train.loop import Clock, rate_at, train
from tmtv_engine.train.run import Run
from tmtv_engine.train.source import CohortSource

PLAN = Architecture(2, 4, 3, (1, 1, 1), norm=False, dropout=0.2)
TINY = Recipe(
    "tiny", PLAN, 8.0, (16, 16, 16), "linear", "sgd", 0.05, epochs=4, extra_copy=True, bf16=False
)
GRID = Grid.axial((30, 20, 22), (4.0, 6.0, 5.0), (-60.0, -50.0, 0.0))


def _write(folder: Path, names: tuple[str, str, str], seed: int, *, healthy: bool = False) -> None:
    """A ball of SUV 8 in a body of 1, its CT and its mask."""
    r = np.random.default_rng(seed)
    mm = GRID.to_mm(np.moveaxis(np.indices(GRID.shape), 0, -1))
    ball = np.linalg.norm(mm - r.uniform((-20, -10, 40), (20, 20, 80)), axis=-1) < 15
    suv = np.where(ball, 8.0, 1.0).astype(np.float32)
    folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
    write_nifti(Volume(suv, GRID, Unit.SUV), folder / names[0])
    write_nifti(Volume(np.zeros_like(suv), GRID, Unit.HU), folder / names[1])
    mask = np.zeros_like(ball) if healthy else ball
    write_nifti(Volume(mask, GRID, Unit.LABEL), folder / names[2])


def _manifest(folder: Path, count: int) -> Path:
    lines = ["case,pet,ct,roi,subtype"]
    for k in range(count):
        _write(folder / f"p{k}", ("pet.nii.gz", "ct.nii.gz", "rois.nii.gz"), k)
        lines.append(f"p{k},p{k}/pet.nii.gz,p{k}/ct.nii.gz,p{k}/rois.nii.gz,HL")
    (folder / "manifest.csv").write_text("\n".join(lines))
    return folder / "manifest.csv"


def test_a_manifest_is_split_by_seed(tmp_path: Path) -> None:
    studies = read_dataset(_manifest(tmp_path, 10))
    parts = split_of(studies, 3)
    assert [len(parts[name]) for name in ("train", "val", "test")] == [6, 2, 2]
    assert sorted(s.case for some in parts.values() for s in some) == [s.case for s in studies]
    assert split_of(studies, 3) == parts != split_of(studies, 4)


def test_autopet_as_it_is(tmp_path: Path) -> None:
    _write(tmp_path / "PETCT_1" / "study", ("SUV.nii.gz", "CTres.nii.gz", "SEG.nii.gz"), 0)
    (study,) = read_dataset(tmp_path)
    assert study.case == "PETCT_1_study"
    assert study.ct[0].name == "CTres.nii.gz"


def test_nnunet_raw_as_it_is(tmp_path: Path) -> None:
    names = ("imagesTr/a_0001.nii.gz", "imagesTr/a_0000.nii.gz", "labelsTr/a.nii.gz")
    _write(tmp_path, names, 0)
    (tmp_path / "dataset.json").write_text(json.dumps({"channel_names": {"0": "CT", "1": "PET"}}))
    (study,) = read_dataset(tmp_path)
    assert (study.pet[0].name, study.ct[0].name) == ("a_0001.nii.gz", "a_0000.nii.gz")


def test_a_cohort_without_rois_is_refused(tmp_path: Path) -> None:
    _write(tmp_path, ("pet.nii.gz", "ct.nii.gz", "x.nii.gz"), 0)
    with pytest.raises(InputError, match="no cohort with ROIs"):
        read_dataset(tmp_path)


def test_the_cache_goes_by_content(tmp_path: Path) -> None:
    studies = read_dataset(_manifest(tmp_path, 2))
    first = prepare(studies[0], TINY, tmp_path / "cache")
    assert prepare(studies[0], TINY, tmp_path / "cache") == first
    assert prepare(studies[1], TINY, tmp_path / "cache") != first
    finer = dataclasses.replace(TINY, spacing_mm=6.0)
    assert prepare(studies[0], finer, tmp_path / "cache") != first
    assert len(list((tmp_path / "cache").iterdir())) == 3


def test_every_patient_who_cannot_be_taken_is_named_and_the_others_are_kept(tmp_path: Path) -> None:
    parts = split_of(read_dataset(_manifest(tmp_path, 5)), 0)
    for bad in ("p1", "p3"):
        (tmp_path / bad / "pet.nii.gz").write_bytes(b"no image")
    with pytest.raises(InputError) as caught:
        prepare_all(parts, TINY, tmp_path / "cache")
    assert caught.value.what.startswith("2 of 5 patients cannot be taken: ")
    assert sorted(re.findall(r"(p\d): ", caught.value.what)) == ["p1", "p3"]
    assert len(list((tmp_path / "cache").iterdir())) == 3


def test_truth_is_the_mean_of_four_cuts(tmp_path: Path) -> None:
    (study, *_) = read_dataset(_manifest(tmp_path, 1))
    suv = np.where(np.indices(GRID.shape)[0] == 5, 3.0, 8.0).astype(np.float32)
    chance = truth_map(study, Volume(suv, GRID, Unit.SUV)).array
    assert set(np.unique(chance)) <= {0.0, 0.25, 0.5, 0.75, 1.0}
    assert chance.max() == 1.0


def test_a_healthy_patient_teaches_nothing_but_zero(tmp_path: Path) -> None:
    _write(tmp_path / "a" / "b", ("SUV.nii.gz", "CTres.nii.gz", "SEG.nii.gz"), 0, healthy=True)
    (study,) = read_dataset(tmp_path)
    image, target, *_ = batch_of([Lesson(prepare(study, TINY, tmp_path / "c"), 0, 0, True)], TINY)
    assert image.shape == (1, 2, 16, 16, 16)
    assert target.abs().max() == 0


def test_the_paper_recipe_is_the_papers() -> None:
    paper = RECIPES["paper"]
    assert (paper.optimizer, paper.rate, paper.momentum, paper.epochs) == ("sgd", 0.001, 0.9, 100)
    assert (paper.spacing_mm, paper.shape, paper.extra_copy) == (4.0, (256, 128, 128), True)


def test_the_rate_warms_up_and_falls_at_the_end() -> None:
    recipe = dataclasses.replace(RECIPES["coarse"], anneal=400)
    assert rate_at(0, recipe, 1000) == pytest.approx(recipe.rate / 100)
    assert rate_at(500, recipe, 1000) == recipe.rate
    assert rate_at(800, recipe, 1000) == pytest.approx(recipe.rate / 2)
    assert rate_at(1000, recipe, 1000) == 0.0


def _cohort(folder: Path, recipe: Recipe = TINY, data_sha256: str = "") -> CohortSource:
    studies = read_dataset(_manifest(folder, 4))
    files = [prepare(s, recipe, folder / "cache") for s in studies]
    return CohortSource({"train": files[:3], "val": files[3:], "test": []}, recipe, data_sha256)


def test_a_run_resumed_is_the_run_uninterrupted(tmp_path: Path) -> None:
    cohort = _cohort(tmp_path)
    whole = train(cohort, tmp_path / "whole", TINY)
    train(cohort, tmp_path / "cut", dataclasses.replace(TINY, epochs=2))
    resumed = train(cohort, tmp_path / "cut", TINY, resume=True)
    for key, value in whole.net.state_dict().items():
        assert torch.equal(value, resumed.net.state_dict()[key]), key
    columns = [
        [line.rsplit(",", 2)[0] for line in (tmp_path / name / "metrics.csv").read_text().split()]
        for name in ("whole", "cut")
    ]
    assert columns[0] == columns[1]
    assert len(columns[0]) == 5


def test_it_learns_and_its_folder_is_a_model(tmp_path: Path) -> None:
    quick = dataclasses.replace(TINY, optimizer="adamw", rate=0.01, entropy=5.0, epochs=12)
    train(_cohort(tmp_path, quick, "ab" * 32), tmp_path / "run", quick)
    rows = (tmp_path / "run" / "metrics.csv").read_text().splitlines()[1:]
    losses = [float(row.split(",")[1]) for row in rows]
    assert losses[-1] < 0.6 * losses[0]
    record = read_model(tmp_path / "run")[2]
    assert record["data_sha256"] == "ab" * 32
    assert record["recipe"]["rate"] == 0.01
    assert load_model(tmp_path / "run", "cpu").record["name"] == "run"


def test_a_run_is_not_written_over(tmp_path: Path) -> None:
    cohort = _cohort(tmp_path)
    train(cohort, tmp_path / "run", dataclasses.replace(TINY, epochs=1))
    with pytest.raises(InputError, match="holds a run already"):
        train(cohort, tmp_path / "run", TINY)


WORKER = """
import sys, torch
from pathlib import Path
from safetensors.torch import save_file
from tests.train.test_train import STILL, Lesson, Run, batch_of
from tmtv_engine.train.loop import processes
import torch.distributed as dist
torch.set_num_threads(1)
with processes():
    run = Run(STILL)
    files = [Path(p) for p in sys.argv[2:]]
    run.learn(batch_of([Lesson(files[dist.get_rank()], 0, 0)], STILL))
    if dist.get_rank() == 0:
        save_file({k: v.contiguous() for k, v in run.net.state_dict().items()}, sys.argv[1])
"""
STILL = dataclasses.replace(TINY, architecture=dataclasses.replace(PLAN, dropout=0.0))


@pytest.mark.slow
def test_two_processes_take_the_step_of_one(tmp_path: Path) -> None:
    files = _cohort(tmp_path).cohort["train"][:2]
    script, out = tmp_path / "worker.py", tmp_path / "out.safetensors"
    script.write_text(WORKER)
    root = Path(__file__).resolve().parents[2]
    command = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node=2"]
    command += [f"--master-port={free_port()}", str(script), str(out), *map(str, files)]
    done = subprocess.run(
        command, cwd=root, env={"PYTHONPATH": str(root), "PATH": ""}, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    alone = Run(STILL)
    batches = [batch_of([Lesson(path, 0, 0)], STILL) for path in files]
    before = {k: v.clone() for k, v in alone.net.state_dict().items()}
    steps = []
    for batch in batches:
        run = Run(STILL)
        run.learn(batch)
        steps.append({k: v - before[k] for k, v in run.net.state_dict().items()})
    from safetensors.torch import load_file

    for key, value in load_file(out).items():
        expected = before[key] + (steps[0][key] + steps[1][key]) / 2
        assert torch.allclose(value, expected, atol=1e-5), key


def test_a_checkpoint_is_no_pickle(tmp_path: Path) -> None:
    run = Run(TINY)
    run.learn(Batch(torch.rand(1, 2, 16, 16, 16), torch.rand(1, 1, 16, 16, 16)))
    run.save(tmp_path / "last.safetensors")
    again = Run(TINY)
    again.load(tmp_path / "last.safetensors")
    one, two = run.optimizer.state_dict()["state"], again.optimizer.state_dict()["state"]
    assert all(torch.equal(one[k]["momentum_buffer"], two[k]["momentum_buffer"]) for k in one)
    save_file({"x": torch.zeros(1)}, tmp_path / "other.safetensors")
    with pytest.raises(InputError, match="no whole checkpoint"):
        again.load(tmp_path / "other.safetensors")


def test_a_run_goes_on_only_with_its_own_recipe_and_patients(tmp_path: Path) -> None:
    run = Run(TINY)
    run.save(tmp_path / "last.safetensors", "ab")
    Run(dataclasses.replace(TINY, epochs=9)).load(tmp_path / "last.safetensors", "ab")
    faster = dataclasses.replace(TINY, rate=1.0)
    for recipe, data, what in ((faster, "ab", "recipe"), (TINY, "cd", "patients")):
        with pytest.raises(InputError, match=f"other {what}"):
            Run(recipe).load(tmp_path / "last.safetensors", data)
    data_file = bytearray((tmp_path / "last.safetensors").read_bytes())
    data_file[-1] ^= 1
    (tmp_path / "last.safetensors").write_bytes(bytes(data_file))
    with pytest.raises(InputError, match="no whole checkpoint"):
        Run(TINY).load(tmp_path / "last.safetensors", "ab")


def test_the_time_left_goes_by_the_pace_so_far(monkeypatch: pytest.MonkeyPatch) -> None:
    times = iter([100.0, 400.0, 4000.0])
    monkeypatch.setattr("tmtv_engine.train.loop.time.monotonic", lambda: next(times))
    clock = Clock(2, 10)
    assert clock.tell("step 1/2", 2.5) == "epoch 3/10  step 1/2  1:15:00 left"
    assert clock.tell("loss 0.5", 3.0) == "epoch 3/10  loss 0.5  7:35:00 left"


def test_the_waiting_is_a_share_of_the_time_after_the_first_epoch() -> None:
    clock = Clock(0, 3)
    clock.count(9.0, 10.0)
    assert clock.spent_s == 0.0
    clock.count(1.0, 10.0)
    clock.count(0.5, 20.0)
    assert clock.waiting() == "5.0% of the time after the first epoch waited for patients"


def test_what_a_slow_source_costs_is_told(tmp_path: Path) -> None:
    class Slow(CohortSource):
        def lessons(self, epoch: int) -> list[Lesson]:
            time.sleep(1.0 if epoch == 1 else 0.0)
            return super().lessons(epoch)

    cohort = _cohort(tmp_path)
    told: list[str] = []
    slow = Slow(cohort.cohort, TINY)
    train(slow, tmp_path / "run", dataclasses.replace(TINY, epochs=2), say=told.append)
    path = tmp_path / "run" / "metrics.csv"
    found = read_metrics(path)
    assert found["waited"][1] >= 1.0 / found["seconds"][1]
    assert found["waited"][0] < found["waited"][1] < 1.0
    assert told[-1] == f"{found['waited'][1]:.1%} of the time after the first epoch waited for " \
        "patients"  # fmt: skip
    before = [line.rsplit(",", 1)[0] for line in path.read_text().splitlines()]  # an older run's
    path.write_text("\n".join(before) + "\n")
    train(slow, tmp_path / "run", dataclasses.replace(TINY, epochs=3), resume=True)
    again = read_metrics(path)
    assert again["seconds"][:2] == found["seconds"]
    assert np.isnan(again["waited"]).tolist() == [True, True, False]


def test_the_curve_is_a_picture_of_the_metrics(tmp_path: Path) -> None:
    rows = ["epoch,loss,val_dice,rate,seconds", "1,0.9,0.2,0.1,3", "2,0.8,nan,0.1,3"]
    (tmp_path / "metrics.csv").write_text("\n".join(rows))
    assert read_metrics(tmp_path / "metrics.csv")["loss"] == [0.9, 0.8]
    assert write_curve(tmp_path / "metrics.csv", tmp_path / "curve.png")
    assert (tmp_path / "curve.png").read_bytes().startswith(b"\x89PNG")


BARE = """
import sys, torch
from pathlib import Path
WANTED = ("nibabel", "pydicom", "SimpleITK", "skimage", "cc3d", "matplotlib", "PIL", "highdicom")
class Bare:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in WANTED:
            raise ImportError(f"{name} is not on a bare image")
sys.meta_path.insert(0, Bare())
torch.set_num_threads(1)
import dataclasses
from tmtv_engine.train.loop import train
from tmtv_engine.train.source import DigitalSource
from tmtv_engine.model.recipes import RECIPES
for name in ("coarse", "body-ct"):
    recipe = dataclasses.replace(
        RECIPES[name], spacing_mm=16.0, shape=(64, 16, 32), epochs=1, windows=((32, 16, 32),)
    )
    source = DigitalSource(recipe, patients=2, workers=0)
    train(source, Path(sys.argv[1]) / name, recipe)
print(*sorted(m for m in WANTED if m in sys.modules))
"""


def test_generation_and_training_need_a_bare_image_only(tmp_path: Path) -> None:
    root = Path(__file__).resolve().parents[2]
    done = subprocess.run(
        [sys.executable, "-c", BARE, str(tmp_path)],
        cwd=root,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == ""
    assert (tmp_path / "coarse" / "last.safetensors").exists()
    assert (tmp_path / "body-ct" / "last.safetensors").exists()


def test_the_split_of_the_manifest_is_kept(tmp_path: Path) -> None:
    manifest = _manifest(tmp_path, 3)
    head, *lines = manifest.read_text().splitlines()
    told = [f"{line},{part}" for line, part in zip(lines, ("test", "train", "val"), strict=True)]
    manifest.write_text("\n".join([f"{head},split", *told]))
    parts = split_of(read_dataset(manifest), 0)
    assert {k: [s.case for s in v] for k, v in parts.items()} == {
        "train": ["p1"],
        "val": ["p2"],
        "test": ["p0"],
    }
    manifest.write_text("\n".join([f"{head},split", f"{lines[0]},holdout"]))
    with pytest.raises(InputError, match="'holdout' is none"):
        split_of(read_dataset(manifest), 0)
