"""Folders of others that are odd: no number of theirs is misread, and a path is a path."""

from __future__ import annotations

import json
from collections.abc import Callable
from importlib import util
from pathlib import Path
from typing import Any

import pytest
import torch

from benchmarks.nnunet import make_folder
from tests.model.test_nnunet_folder import folder, plans
from tests.model.test_nnunet_weights import saved
from tmtv_engine.errors import InputError, TmtvError, UsageError
from tmtv_engine.model import registry
from tmtv_engine.model.nnunet_folder import heads_of, read_json
from tmtv_engine.model.nnunet_plans import configuration_of
from tmtv_engine.model.nnunet_weights import read_checkpoint
from tmtv_engine.model.registry import folder_names

HERE = Path("here")
FINAL = "checkpoint_final.pth"
NAN = float("nan")


@pytest.mark.parametrize(
    "labels",
    [
        {"background": 0, "tumor": -1},  # the first of two outputs, were numbers merely sorted
        {"background": 0, "tumor": 1.5},
        {"background": 0, "tumor": float("nan")},
        {"background": 0, "tumor": 1, "liver": 1},
        {"background": 0, "whole": [1, 2], "tumor": [1, -2]},
        {"0": "background", "1": "tumor"},  # nnU-Net before version 2
    ],
)
def test_labels_that_are_no_numbers_of_outputs_are_refused(
    tmp_path: Path, labels: dict[str, Any]
) -> None:
    made = folder(tmp_path / "m", {"channel_names": {"0": "PET"}, "labels": labels}, plans())
    saved(made / "fold_0" / FINAL)
    with pytest.raises(InputError, match=r"dataset\.json: is not nnU-Net's"):
        registry.load(f"nnunet:{made}", "cpu")
    assert heads_of({"labels": {"background": 0.0, "tumor": 1.0}}, HERE).tumour == 1


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("patch_size", [32.0, 48.0, 64.0]),
        ("patch_size", [True, True, True]),
        ("patch_size", ["32", "48", "64"]),
        ("patch_size", []),
        ("spacing", ["3", "2", "2"]),
        ("spacing", [True, 2.0, 2.0]),
    ],
)
def test_numbers_of_a_plan_are_numbers(key: str, value: Any) -> None:
    made = plans()
    made["configurations"]["3d_fullres"][key] = value
    with pytest.raises(InputError, match=key):
        configuration_of(made, "3d_fullres", "x")


@pytest.mark.parametrize("name", ["a,b", " a", "with space é", "c, d,"])
def test_a_path_with_commas_or_spaces_is_one_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    (tmp_path / name).mkdir()
    monkeypatch.setenv("HOME", str(tmp_path))
    assert folder_names(f"{tmp_path / name}") == [f"{tmp_path / name}"]
    assert folder_names(f"~/{name}") == [f"~/{name}"]
    assert folder_names(f"{tmp_path}, {tmp_path / 'other'}") == [
        f"{tmp_path}", f"{tmp_path / 'other'}"
    ]  # fmt: skip
    with pytest.raises(InputError, match=r"dataset\.json") as caught:
        registry.load(f"nnunet:~/{name}", "cpu")
    assert str(tmp_path) in caught.value.what
    with pytest.raises(UsageError, match="names no folder"):
        registry.load("nnunet:a,,b", "cpu")


def test_why_a_file_cannot_be_read_is_said(tmp_path: Path) -> None:
    (tmp_path / "b.json").write_bytes(b"\xef\xbb\xbf{}")
    (tmp_path / "e.json").write_bytes(b"")
    for name, why in (("a", "no such file"), ("b", "BOM"), ("e", "Expecting value")):
        with pytest.raises(InputError, match=rf"{name}\.json: cannot be read \(.*{why}"):
            read_json(tmp_path / f"{name}.json")


def test_a_checkpoint_that_names_no_configuration_of_several(tmp_path: Path) -> None:
    told = plans()
    told["configurations"]["2d"] = told["configurations"]["3d_fullres"]
    made = folder(tmp_path / "m", plans=told)
    saved(made / "fold_0" / FINAL, init_args={})
    with pytest.raises(InputError, match="does not say which configuration") as caught:
        registry.load(f"nnunet:{made}", "cpu")
    assert "3d_fullres, 2d" in caught.value.remedy


def test_weights_that_are_not_laid_out_are_refused(tmp_path: Path) -> None:
    sparse = torch.eye(3).to_sparse()
    path = saved(tmp_path / "c.pth", network_weights={"conv.weight": sparse})
    with pytest.raises(InputError, match="sparse"):
        read_checkpoint(path)


Bend = Callable[[dict[str, Any], dict[str, Any]], object]
BENT: dict[str, tuple[Bend, str]] = {
    "a window that the strides do not divide": (
        lambda c, _: c.update(patch_size=[113, 160, 128]),
        r"takes no \(113, 160, 128\)",
    ),
    "a scheme that nnunetv2 does not have": (
        lambda c, _: c.update(normalization_schemes=["MyOwn"] * 2),
        "MyOwn",
    ),
    "fewer schemes than channels": (
        lambda c, _: c.update(normalization_schemes=["ZScoreNormalization"]),
        "does not work",
    ),
    "no intensities": (
        lambda _, p: p.pop("foreground_intensity_properties_per_channel"),
        "foreground_intensity_properties_per_channel",
    ),
    "intensities that are no numbers": (
        lambda _, p: p["foreground_intensity_properties_per_channel"]["1"].update(mean=NAN),
        "does not work",
    ),
    "logits that stay where they are": (
        lambda c, _: c.update(
            resampling_fn_probabilities="no_resampling_hack",
            resampling_fn_probabilities_kwargs={},
        ),
        "does not work",
    ),
}


@pytest.mark.skipif(util.find_spec("nnunetv2") is None, reason="nnunetv2 is not installed")
@pytest.mark.parametrize("name", BENT)
def test_what_cannot_work_is_refused_before_a_case(tmp_path: Path, name: str) -> None:
    made = tmp_path / "m"
    make_folder(made, 1, 2, 2.0)
    registry.load(f"nnunet:{made}", "cpu")
    bend, why = BENT[name]
    told = json.loads((made / "plans.json").read_text())
    bend(told["configurations"]["3d_fullres"], told)
    (made / "plans.json").write_text(json.dumps(told))
    with pytest.raises(TmtvError, match=why) as caught:
        registry.load(f"nnunet:{made}", "cpu")
    assert str(made) in str(caught.value)


@pytest.mark.skipif(util.find_spec("nnunetv2") is None, reason="nnunetv2 is not installed")
@pytest.mark.parametrize("kind", [torch.int32, torch.complex64])
def test_weights_of_another_kind_are_refused(tmp_path: Path, kind: torch.dtype) -> None:
    made = tmp_path / "m"
    make_folder(made, 1, 2, 2.0)
    path = made / "fold_0" / FINAL
    held = torch.load(path, weights_only=True)
    held["network_weights"] = {k: v.to(kind) for k, v in held["network_weights"].items()}
    torch.save(held, path)
    with pytest.raises(InputError, match=f"has {kind}".replace("torch.", "")):
        registry.load(f"nnunet:{made}", "cpu")
