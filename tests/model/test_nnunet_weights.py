"""Checkpoints are read for weights only, and fit a network or are refused by name."""

from __future__ import annotations

import os
import pickle
import sys
import zipfile
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from tmtv_engine.errors import InputError
from tmtv_engine.model.nnunet_weights import Checkpoint, fitting, read_checkpoint


class Trap:
    """A pickle that makes a folder when it is loaded."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> Any:
        return os.mkdir, (str(self.path),)


def saved(path: Path, **more: Any) -> Path:
    log = {"mean_fg_dice": [np.float64(0.5), np.float32(2)], "time": np.int64(3)}
    plain = {
        "network_weights": {"module._orig_mod.conv.weight": torch.arange(3.0)},
        "init_args": {"configuration": "3d_fullres", "device": torch.device("cpu")},
        "trainer_name": "autoPET3_Trainer",
        "inference_allowed_mirroring_axes": (2, 0),
        "logging": log,
        "optimizer_state": {"state": {0: {"momentum_buffer": torch.ones(3)}}},
    }
    torch.save({**plain, **more}, path)
    return path


def test_a_checkpoint_tells_weights_configuration_and_mirrors(tmp_path: Path) -> None:
    found = read_checkpoint(saved(tmp_path / "c.pth"))
    assert {k: v.tolist() for k, v in found.weights.items()} == {"conv.weight": [0.0, 1.0, 2.0]}
    assert (found.configuration, found.trainer) == ("3d_fullres", "autoPET3_Trainer")
    assert found.mirrored == (0, 2)
    bare = saved(tmp_path / "d.pth", inference_allowed_mirroring_axes=(), init_args={})
    assert read_checkpoint(bare).mirrored is None
    assert read_checkpoint(bare).configuration is None


def test_nothing_in_a_checkpoint_is_run(tmp_path: Path) -> None:
    trap = Trap(tmp_path / "sprung")
    inside = saved(tmp_path / "a.pth", logging={"x": [trap]})
    with pytest.raises(InputError, match=r"a\.pth: a checkpoint wants to run code \(\w+\.mkdir\)"):
        read_checkpoint(inside)
    bare = tmp_path / "b.pth"
    bare.write_bytes(pickle.dumps(trap))
    with pytest.raises(InputError, match="no checkpoint of torch"):
        read_checkpoint(bare)
    assert not (tmp_path / "sprung").exists()


def test_a_checkpoint_that_swells_is_refused(tmp_path: Path) -> None:
    good, bomb = saved(tmp_path / "a.pth"), tmp_path / "b.pth"
    with zipfile.ZipFile(good) as held, zipfile.ZipFile(bomb, "w", zipfile.ZIP_DEFLATED) as made:
        for name in held.namelist():
            made.writestr(name, held.read(name))
        made.writestr("archive/data/9", bytes(10 << 20))
    with pytest.raises(InputError, match="packed otherwise"):
        read_checkpoint(bomb)


def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "c.pth")
    with pytest.raises(InputError, match="is no file"):
        read_checkpoint(tmp_path / "c.pth")


@pytest.mark.parametrize(
    "more",
    [
        {"network_weights": 3},
        {"network_weights": {"a": "b"}},
        {"network_weights": {3: torch.ones(1)}},
        {"inference_allowed_mirroring_axes": (0, 7)},
        {"inference_allowed_mirroring_axes": "xyz"},
        {"init_args": 5},
        {"network_weights": {"a": torch.ones(1).expand(1 << 20, 1 << 14)}},  # 64 GB of one number
    ],
)
def test_what_is_no_checkpoint_of_nnunet_is_named(tmp_path: Path, more: dict[str, Any]) -> None:
    with pytest.raises(InputError, match=r"c\.pth: is no checkpoint of nnU-Net"):
        read_checkpoint(saved(tmp_path / "c.pth", **more))


class Tiny(nn.Module):
    """Built as the networks of dynamic_network_architectures are."""

    def __init__(
        self,
        input_channels: int,
        num_classes: int,
        deep_supervision: bool,
        features: int,
        norm_op: type[nn.Module],
    ) -> None:
        super().__init__()
        assert not deep_supervision
        self.encoder = nn.ModuleDict(
            {"stages": nn.ModuleList([nn.Linear(input_channels, features)])}
        )
        self.norm = norm_op(features, affine=True)  # type: ignore[call-arg]
        self.decoder = nn.ModuleDict({"out": nn.Linear(features, num_classes)})


@pytest.fixture
def _tiny(monkeypatch: pytest.MonkeyPatch) -> None:
    name = "dynamic_network_architectures.tiny"
    module = ModuleType(name)
    Tiny.__module__ = name
    vars(module).update(Tiny=Tiny, join=os.path.join, Path=Path)
    monkeypatch.setitem(sys.modules, name, module)


def _plan(**more: Any) -> dict[str, Any]:
    kwargs = {"features": 4, "norm_op": "torch.nn.modules.instancenorm.InstanceNorm3d", **more}
    return {
        "network_class_name": "dynamic_network_architectures.tiny.Tiny",
        "arch_kwargs": kwargs,
        "_kw_requires_import": ["norm_op"],
    }


def _weights(norm: type[nn.Module] = nn.InstanceNorm3d) -> dict[str, Tensor]:
    torch.manual_seed(1)
    return dict(Tiny(2, 3, False, 4, norm).state_dict())


def _fit(weights: dict[str, Tensor], plan: Any = None) -> Any:
    checkpoint = Checkpoint(weights, "3d_fullres", None, "x")
    return fitting(plan or _plan(), checkpoint, inputs=2, outputs=3, where="F")


@pytest.mark.usefixtures("_tiny")
def test_heads_that_take_no_part_are_left_out_and_named() -> None:
    weights = _weights()
    organs = {f"decoder.organ_seg_layers.{k}.{n}": torch.ones(1) for k in (0, 1) for n in "wb"}
    depth = {"decoder.seg_layers.0.w": torch.ones(1), "aux.w": torch.ones(1)}
    _, kept, dropped = _fit({**organs, **weights, **depth})
    assert {k: v.tolist() for k, v in kept.items()} == {k: v.tolist() for k, v in weights.items()}
    assert dropped == (
        "decoder.organ_seg_layers (4 tensors)",
        "decoder.seg_layers (1 tensors)",
        "aux.w (1 tensors)",
    )
    assert _fit(weights)[2] == ()


@pytest.mark.usefixtures("_tiny")
@pytest.mark.parametrize(
    "extra", ["encoder.stages.1.weight", "decoder.out.scale", "norm.slope", "loose"]
)
def test_what_takes_part_is_not_left_out(extra: str) -> None:
    with pytest.raises(InputError, match=f"has {extra}, for which"):
        _fit({**_weights(), extra: torch.ones(1)})


@pytest.mark.usefixtures("_tiny")
def test_a_missing_or_other_weight_is_named() -> None:
    weights = _weights()
    del weights["decoder.out.bias"]
    with pytest.raises(InputError, match=r"F: its checkpoint has no decoder\.out\.bias"):
        _fit(weights)
    wide = {k: v for k, v in _weights().items() if not k.startswith(("encoder", "norm"))}
    with pytest.raises(InputError, match=r"has \(3, 4\) instead of \(3, 9\) in decoder"):
        _fit({**Tiny(2, 3, False, 9, nn.InstanceNorm3d).state_dict(), **wide}, _plan(features=9))


@pytest.mark.usefixtures("_tiny")
def test_a_network_trained_with_batch_norm_is_built_with_it() -> None:
    network, kept, dropped = _fit(_weights(nn.BatchNorm3d))
    assert isinstance(network.norm, nn.BatchNorm3d)
    assert "norm.running_mean" in kept
    assert dropped == ()


@pytest.mark.usefixtures("_tiny")
def test_a_plan_that_asks_for_more_than_its_checkpoint_takes_no_memory() -> None:
    with pytest.raises(InputError, match="instead of"):
        _fit(_weights(), _plan(features=10**12))  # 16 TB of weights


@pytest.mark.usefixtures("_tiny")
@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("dynamic_network_architectures.tiny.join", "is no network"),
        ("dynamic_network_architectures.tiny.Path", "is no network"),
        ("torch.nn.functional.relu", "is no network"),
        ("torch.nn.Nothing", "is not here"),
        ("torch.nn.modules.module.torch.os.system", "is not here"),
        ("torch.nn.Linear", "cannot be built"),
        ("nnunetv2.nowhere.Net", "needs the module nnunetv2|is not here"),
    ],
)
def test_a_name_that_is_no_network_is_told(name: str, text: str) -> None:
    with pytest.raises(InputError, match=text):
        _fit(_weights(), {**_plan(), "network_class_name": name})


@pytest.mark.usefixtures("_tiny")
def test_a_module_that_a_network_needs_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    real = __import__("importlib").import_module

    def without_timm(name: str) -> Any:
        if name == "dynamic_network_architectures.primus":
            raise ModuleNotFoundError("No module named 'timm'", name="timm")
        return real(name)

    monkeypatch.setattr("importlib.import_module", without_timm)
    name = "dynamic_network_architectures.primus.Primus"
    with pytest.raises(InputError, match="needs the module timm") as caught:
        _fit(_weights(), {**_plan(), "network_class_name": name})
    assert caught.value.remedy == "pip install timm"
