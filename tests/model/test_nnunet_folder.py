"""nnU-Net's folders: channels, labels, checkpoints and plans as they are told, and hostile ones."""

from __future__ import annotations

import copy
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tmtv_engine.errors import InputError, UsageError
from tmtv_engine.model.nnunet_folder import channels_of, checkpoints_of, heads_of, read_folder
from tmtv_engine.model.nnunet_plans import configuration_of

HERE = Path("model")
TUMOUR = {"background": 0, "tumor": 1}
LION = {"background": 0, "liver": 5, "spleen": 6, "Tumor": 11} | {f"o{k}": k for k in (1, 2, 3)}


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        ({"0": "PET", "1": "CT"}, ("pet", "ct")),
        ({"1": "SUV", "0": "CT"}, ("ct", "pet")),
        ({"0": "pet"}, ("pet",)),
        ({"0": "CT", "1": "CT"}, ("ct", "pet")),  # autoPET's own conversion in nnunetv2
        ({"0": "CT", "1": "rescale_to_0_1"}, ("ct", "pet")),
        ({"0": "noNorm", "1": "CT"}, ("pet", "ct")),
        ({"0": "CT", "1": "PET", "2": "FG", "3": "BG"}, ("ct", "pet", "foreground", "background")),
        (
            {"0": "CT", "1": "CT", "2": "background clicks", "3": "foreground_click"},
            ("ct", "pet", "background", "foreground"),
        ),
    ],
)
def test_channels_are_told_by_their_names(names: dict[str, str], expected: tuple[str]) -> None:
    assert channels_of({"channel_names": names}, HERE) == expected
    assert channels_of({"modality": names}, HERE) == expected


@pytest.mark.parametrize(
    "names",
    [{}, {"0": "CT"}, {"0": "PET", "1": "MR"}, {"0": "T1"}, {"0": "noNorm", "1": "rescale_to_0_1"}],
)
def test_other_channels_are_asked_for(names: dict[str, str]) -> None:
    with pytest.raises(UsageError, match="its channels are") as caught:
        channels_of({"channel_names": names}, HERE)
    assert "--channels" in caught.value.remedy


def test_channels_that_are_given_count_if_they_fit() -> None:
    told = {"channel_names": {"0": "noNorm", "1": "zscore"}}
    assert channels_of(told, HERE, ["PET", " ct"]) == ("pet", "ct")
    for given in (["pet"], ["pet", "pet"], ["ct", "mr"], ["ct", "foreground"], ["pet", "ct", "ct"]):
        with pytest.raises(UsageError):
            channels_of(told, HERE, given)


@pytest.mark.parametrize(
    ("labels", "wanted", "head", "organs", "count"),
    [
        (TUMOUR, None, 1, {}, 2),
        ({"background": 0, "whatever": 1, "ignore": 2}, None, 1, {}, 2),
        ({"background": 0, "bladder": 1, "Lymphoma": 2}, None, 2, {1: "bladder"}, 3),
        ({"background": 0, "bladder": 1, "Lymphoma": 2}, "bladder", 1, {2: "Lymphoma"}, 3),
        ({"background": 0, "bladder": 1, "Lymphoma": "2"}, "2", 2, {1: "bladder"}, 3),
        # as nnU-Net counts its outputs: by the labels' order, not by their numbers
        (LION, "11", 6, {1: "o1", 2: "o2", 3: "o3", 4: "liver", 5: "spleen"}, 7),
        (LION, None, 6, {1: "o1", 2: "o2", 3: "o3", 4: "liver", 5: "spleen"}, 7),
    ],
)
def test_the_tumours_label_and_the_organs_are_found(
    labels: dict[str, Any], wanted: str | None, head: int, organs: dict[int, str], count: int
) -> None:
    heads = heads_of({"labels": labels}, HERE, wanted)
    assert (heads.tumour, dict(heads.organs), heads.count) == (head, organs, count)
    assert not heads.regions


def test_regions_have_no_background() -> None:
    heads = heads_of({"labels": {"background": 0, "organ": [1, 2], "tumour": 2}}, HERE)
    assert (heads.tumour, heads.regions, heads.count, dict(heads.organs)) == (1, True, 2, {})


@pytest.mark.parametrize(
    ("labels", "wanted"),
    [
        ({}, None),
        ({"background": 0, "a": 1, "b": 2}, None),
        ({"background": 0, "lesion": 1, "tumour": 2}, None),
        (TUMOUR, "2"),
        (TUMOUR, "background"),
        (TUMOUR, "0"),
    ],
)
def test_no_tumour_among_the_labels_is_asked_for(
    labels: dict[str, Any], wanted: str | None
) -> None:
    told = "no single label is tumour" if wanted is None else f"no label is {wanted} among"
    with pytest.raises(UsageError, match=told) as caught:
        heads_of({"labels": labels}, HERE, wanted)
    assert "--tumour-label" in caught.value.remedy


def _touch(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"")


def test_folds_are_taken_by_number_and_final_before_best(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="holds no fold_"):
        checkpoints_of(tmp_path)
    _touch(tmp_path / "fold_all" / "checkpoint_best.pth")
    assert [p.parent.name for p in checkpoints_of(tmp_path)] == ["fold_all"]
    for fold in (10, 2, 0):
        _touch(tmp_path / f"fold_{fold}" / "checkpoint_best.pth")
    names = [p.relative_to(tmp_path).parts for p in checkpoints_of(tmp_path)]
    assert [n for n, _ in names] == ["fold_0", "fold_2", "fold_10"]
    assert {n for _, n in names} == {"checkpoint_best.pth"}
    _touch(tmp_path / "fold_2" / "checkpoint_final.pth")
    (only,) = checkpoints_of(tmp_path)
    assert only == tmp_path / "fold_2" / "checkpoint_final.pth"


def folder(path: Path, dataset: Any = None, plans: Any = None) -> Path:
    _touch(path / "fold_0" / "checkpoint_final.pth")
    told = {"channel_names": {"0": "PET"}, "labels": TUMOUR, "licence": "CC BY\x1b[31m 4.0"}
    (path / "dataset.json").write_text(json.dumps(told if dataset is None else dataset))
    (path / "plans.json").write_text(json.dumps({"dataset_name": "D1"} if plans is None else plans))
    return path


def test_a_folders_hash_is_over_all_that_decides(tmp_path: Path) -> None:
    made = folder(tmp_path / "a")
    found = read_folder(made)
    assert (found.name, found.licence, found.channels) == ("D1", "CC BY[31m 4.0", ("pet",))
    before = found.sha256()
    assert before == read_folder(made).sha256()
    (made / "README.md").write_text("hello")
    assert read_folder(made).sha256() == before
    for name, data in (("plans.json", "{}"), ("fold_0/checkpoint_final.pth", "x")):
        (made / name).write_text(data)
        assert read_folder(made).sha256() != before
        before = read_folder(made).sha256()


@pytest.mark.parametrize(
    "dataset",
    [
        [],
        {"channel_names": 3},
        {"channel_names": {"a": "PET"}},
        {"channel_names": {"0": "PET"}, "labels": {"t": "x"}},
        {"channel_names": {"0": "PET"}, "labels": {"t": {"a": 1}}},
        {"channel_names": {"0": "PET"}, "labels": 7},
    ],
)
def test_a_dataset_that_is_none_is_named(tmp_path: Path, dataset: Any) -> None:
    with pytest.raises((InputError, UsageError), match="a"):
        read_folder(folder(tmp_path / "a", dataset))


def test_json_that_never_ends_is_refused(tmp_path: Path) -> None:
    made = folder(tmp_path / "a")
    (made / "plans.json").write_text("[" * 100_000)
    with pytest.raises(InputError, match=r"plans\.json"):
        read_folder(made)
    with (made / "plans.json").open("wb") as file:
        file.truncate(10 << 30)  # 10 GB of holes
    with pytest.raises(InputError, match=r"plans\.json"):
        read_folder(made)


def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    made = folder(tmp_path / "a")
    (made / "plans.json").unlink()
    os.mkfifo(made / "plans.json")
    with pytest.raises(InputError, match=r"plans\.json"):
        read_folder(made)


KWARGS: dict[str, Any] = {
    "n_stages": 3,
    "features_per_stage": [32, 64, 100],
    "conv_op": "torch.nn.modules.conv.Conv3d",
    "kernel_sizes": [[3, 3, 3]] * 3,
    "strides": [[1, 1, 1], [1, 2, 2], [2, 2, 2]],
    "n_conv_per_stage": [2, 2, 2],
    "n_conv_per_stage_decoder": [2, 2],
    "conv_bias": True,
    "norm_op": "torch.nn.modules.instancenorm.InstanceNorm3d",
    "norm_op_kwargs": {"eps": 1e-05, "affine": True},
    "dropout_op": None,
    "dropout_op_kwargs": None,
    "nonlin": "torch.nn.LeakyReLU",
    "nonlin_kwargs": {"inplace": True},
}
REST: dict[str, Any] = {
    "patch_size": [32, 48, 64],
    "spacing": [3.0, 2.0, 2.0],
    "preprocessor_name": "DefaultPreprocessor",
    "normalization_schemes": ["CTNormalization", "RescaleTo01Normalization"],
    "resampling_fn_data": "resample_data_or_seg_to_shape",
    "resampling_fn_seg": "resample_data_or_seg_to_shape",
    "resampling_fn_probabilities": "resample_data_or_seg_to_shape",
}
NETWORK = "dynamic_network_architectures.architectures.unet.PlainConvUNet"


def plans() -> dict[str, Any]:
    architecture = {
        "network_class_name": NETWORK,
        "arch_kwargs": KWARGS,
        "_kw_requires_import": ["conv_op", "norm_op", "dropout_op", "nonlin"],
    }
    configurations = {"3d_fullres": {**REST, "architecture": architecture}}
    transposed = {"transpose_forward": [1, 2, 0], "transpose_backward": [2, 0, 1]}
    return copy.deepcopy({**transposed, "configurations": configurations})


def test_old_plans_say_the_same_as_new_ones() -> None:
    made = plans()
    new = configuration_of(made, "3d_fullres", "x")
    made["configurations"]["old"] = {
        **REST,
        "UNet_class_name": "PlainConvUNet",
        "UNet_base_num_features": 32,
        "unet_max_num_features": 100,
        "n_conv_per_stage_encoder": [2, 2, 2],
        "n_conv_per_stage_decoder": [2, 2],
        "pool_op_kernel_sizes": KWARGS["strides"],
        "conv_kernel_sizes": KWARGS["kernel_sizes"],
    }
    made["configurations"]["heir"] = {"inherits_from": "old", "batch_size": 7}
    assert configuration_of(made, "heir", "x")["architecture"] == new["architecture"]
    assert configuration_of(made, "heir", "x")["batch_size"] == 7


def _set(*path: Any) -> Callable[[Any], None]:
    *way, last, value = path

    def change(made: Any) -> None:
        for key in way:
            made = made[key]
        made[last] = value

    return change


C = ("configurations", "3d_fullres")
A = (*C, "architecture")


@pytest.mark.parametrize(
    "change",
    [
        _set(*A, "network_class_name", "subprocess.Popen"),
        _set(*A, "network_class_name", "torch.nn; import os"),
        _set(*A, "network_class_name", "torch.nnx.Evil"),
        _set(*A, "arch_kwargs", "norm_op", "os.system"),
        _set(*A, "arch_kwargs", "nonlin", "builtins.eval"),
        _set(*A, "arch_kwargs", "n_stages", 10**9),
        _set(*A, "arch_kwargs", "features_per_stage", [10**9] * 3),
        _set(*A, "arch_kwargs", "features_per_stage", "many"),
        _set(*A, "arch_kwargs", "n_conv_per_stage", [10**6] * 3),
        _set(*A, "arch_kwargs", []),
        _set(*C, "architecture", "x"),
        _set(*C, "patch_size", [100_000] * 3),
        _set(*C, "patch_size", [1000, 1000, 1000]),
        _set(*C, "patch_size", [32]),
        _set(*C, "spacing", [1e-6, 1, 1]),
        _set(*C, "spacing", [float("nan"), 1, 1]),
        _set(*C, "previous_stage", "3d_lowres"),
        _set(*C, "preprocessor_name", "../evil"),
        _set(*C, "normalization_schemes", ["os.system"]),
        _set("label_manager", "a.b"),
        _set("transpose_forward", [0, 0, 0]),
        _set("transpose_backward", [0, 1, 2]),
        _set("configurations", {}),
        _set("configurations", []),
        _set(*C, "inherits_from", "3d_fullres"),
        _set(*C, "inherits_from", "nobody"),
    ],
)
def test_plans_that_ask_for_more_than_a_network_are_refused(change: Callable[[Any], None]) -> None:
    made = plans()
    assert configuration_of(made, "3d_fullres", "x")["spacing"] == [3.0, 2.0, 2.0]
    change(made)
    with pytest.raises(InputError, match=r"^x: "):
        configuration_of(made, "3d_fullres", "x")
