"""A training's own study: its split on disk, each set predicted and reported."""

from __future__ import annotations

import csv
import json
import stat
from pathlib import Path

import numpy as np
import pytest
import torch

from tests.train.test_train import PLAN, TINY, _manifest
from tmtv_engine.case.folder import find_cases, read_case
from tmtv_engine.errors import InputError
from tmtv_engine.model.checkpoint import network_of, write_model
from tmtv_engine.study.split import read_split, write_split
from tmtv_engine.train import __main__ as training
from tmtv_engine.train.dataset import read_dataset, split_of
from tmtv_tui.cli.app import main


def rows_of(path: Path) -> list[dict[str, str]]:
    return list(csv.DictReader(path.read_text("utf-8").splitlines()))


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of ten patients whose network was never trained: every voxel is near one half."""
    folder = tmp_path_factory.mktemp("run")
    studies = read_dataset(_manifest(folder / "cohort", 10))
    write_split(folder / "run", split_of(studies, 3), "seed 3")
    torch.manual_seed(0)
    net = network_of(PLAN)
    write_model(folder / "run", net.state_dict(), TINY, name="tiny", trained_on="nobody")
    return folder / "run"


def test_the_split_says_who_is_where_and_why_and_trains_so_again(run: Path, tmp_path: Path) -> None:
    rows = rows_of(run / "split.csv")
    assert stat.S_IMODE((run / "split.csv").stat().st_mode) == 0o600
    assert {r["why"] for r in rows} == {"seed 3"}
    assert [sum(r["split"] == s for r in rows) for s in ("train", "val", "test")] == [6, 2, 2]
    assert all(Path(r["roi"]).is_absolute() for r in rows)
    again = split_of(read_dataset(run / "split.csv"), 99)
    assert {n: [s.case for s in own] for n, own in again.items()} == {
        n: [s.case for s in own.studies] for n, own in read_split(run).items()
    }
    with pytest.raises(InputError, match=r"holds no split\.csv"):
        read_split(tmp_path)


def test_training_writes_its_split(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(training, "train", lambda *given, **more: None)
    monkeypatch.setattr(training, "prepare_all", lambda *given: {})
    manifest = _manifest(tmp_path / "cohort", 5)
    training.train_dataset(manifest, tmp_path / "a", seed=4, device="cpu")
    assert {r["why"] for r in rows_of(tmp_path / "a" / "split.csv")} == {"seed 4"}
    text = manifest.read_text().splitlines()
    told = [f"{line},{'split' if k == 0 else 'test'}" for k, line in enumerate(text)]
    manifest.write_text("\n".join(told))
    training.train_dataset(manifest, tmp_path / "b", device="cpu")
    rows = rows_of(tmp_path / "b" / "split.csv")
    assert {(r["split"], r["why"], r["subtype"]) for r in rows} == {("test", "column split", "HL")}


def test_each_set_is_predicted_and_reported(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = ["evaluate", str(run), "-o", str(tmp_path), "--device", "cpu", "--set", "val"]
    assert main([*asked, "--set", "test", "-m", "41,2.5"]) == 0
    printed = [line.split("\t") for line in capsys.readouterr().out.splitlines()]
    assert [row[:3] for row in printed[1:]] == [
        ["val", "41", "2"],
        ["val", "2.5", "2"],
        ["test", "41", "2"],
        ["test", "2.5", "2"],
    ]
    table = rows_of(tmp_path / "evaluation.csv")
    record = json.loads((tmp_path / "evaluation.json").read_text("utf-8"))
    for row in table:
        cases = find_cases(tmp_path / row["set"] / "cases")
        volumes = [read_case(c).record.totals[row["method"]].tmtv_ml for c in cases]
        assert float(row["tmtv_ml"]) == pytest.approx(np.median(volumes))
        own = record["sets"][row["set"]]["methods"][row["method"]]
        assert float(row["dice_mean"]) == pytest.approx(own["dice"]["mean"])
        # a ball of 15 mm radius: 14.1 mL, in voxels of 0.12 mL
        assert float(row["tmtv_ref_ml"]) == pytest.approx(14.1, rel=0.1)
    for name in ("val", "test"):
        page = (tmp_path / name / "report" / "report.html").read_text("utf-8")
        assert "Dice" in page
        assert (tmp_path / name / "report" / "table2.csv").is_file()
    assert record["model"]["name"] == "tiny"
    assert not (tmp_path / "train").exists()


def test_a_study_that_is_gone_is_named_and_the_others_are_reported(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    import shutil

    copy = tmp_path / "run"
    shutil.copytree(run, copy)
    text = (copy / "split.csv").read_text()
    gone = next(r["pet"] for r in rows_of(copy / "split.csv") if r["split"] == "test")
    (copy / "split.csv").write_text(text.replace(gone, f"{gone}.gone"))
    asked = ["evaluate", str(copy), "--device", "cpu", "-m", "41", "--json"]
    assert main([*asked, "--set", "test", "--set", "train"]) == 1
    captured = capsys.readouterr()
    assert f"{gone}.gone" in captured.err
    assert json.loads(captured.out)["sets"]["test"]["n"] == 1
    assert main(["evaluate", str(copy), "--set", "weird"]) == 2
    assert main([*asked, "--set", "val"]) == 1  # a broken row may be of any set
    assert f"{gone}.gone" in capsys.readouterr().err
