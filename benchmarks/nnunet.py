"""An nnU-Net on a whole body: our time and peak memory beside nnUNetv2_predict's, on one case.

    python benchmarks/nnunet.py [--labels 2] [--features 4] [--shape 250 160 160] [--mm 4]
    python benchmarks/nnunet.py --features 32 --windows 1 --shape 500 320 320 --mm 2

The folder has the plan of a published PET/CT model (six stages, windows of 112×160×128 voxels of
2 mm), random weights, and fewer channels, so that it runs in minutes: the network's own share of
the memory is small then, and what is compared is all the rest. Random weights call half a body
tumour, in tens of thousands of pieces; the last bias forbids it, so that nothing is found. Peak
memory is the proportional set size of the process and all its children, looked at five times a
second. Needs the extra ``nnunet``. ``--features 32`` is the published width: hours on a CPU;
``--own-mm 4`` makes the model's voxels so large, and its windows few. With ``--windows N`` the
network sees only the last so many windows and noughts stand for all others, in both programs: the
peak memory is that of the real size, when all logits are there; the time is not; ``--window``
times one window.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).parents[1]
TMTV = "from tmtv_tui.cli.app import main; raise SystemExit(main())"
THEIRS = "nnunetv2.inference.predict_from_raw_data"
FEW = f"""
import torch
import {THEIRS} as theirs
own = theirs.nnUNetPredictor._internal_maybe_mirror_and_predict
laid = theirs.nnUNetPredictor._internal_get_sliding_window_slicers
left = []
def counted(self, size):
    found = laid(self, size)
    left[:] = [len(found)]
    return found
def few(self, window):
    left[0] -= 1
    if left[0] < %d:
        return own(self, window)
    return torch.zeros((1, self.label_manager.num_segmentation_heads, *window.shape[2:]))
theirs.nnUNetPredictor._internal_get_sliding_window_slicers = counted
theirs.nnUNetPredictor._internal_maybe_mirror_and_predict = few
"""
"""Put before a program: the network sees that many windows, the last ones."""
FORBIDDEN = 100.0  # taken from tumour's logit, so that there is none
PATCH = (112, 160, 128)
STRIDES = [[1, 1, 1], [2, 2, 2], [2, 2, 2], [2, 2, 2], [2, 2, 2], [1, 2, 2]]
RESAMPLING = "resample_data_or_seg_to_shape"
GB = 2**30


def architecture(features: int) -> dict[str, Any]:
    """A stock network of six stages, ``features`` channels wide at the first."""
    kwargs = {
        "n_stages": 6,
        "features_per_stage": [min(features * 2**k, features * 10) for k in range(6)],
        "conv_op": "torch.nn.modules.conv.Conv3d",
        "kernel_sizes": [[3, 3, 3]] * 6,
        "strides": STRIDES,
        "n_conv_per_stage": [2] * 6,
        "n_conv_per_stage_decoder": [2] * 5,
        "conv_bias": True,
        "norm_op": "torch.nn.modules.instancenorm.InstanceNorm3d",
        "norm_op_kwargs": {"eps": 1e-05, "affine": True},
        "dropout_op": None,
        "dropout_op_kwargs": None,
        "nonlin": "torch.nn.LeakyReLU",
        "nonlin_kwargs": {"inplace": True},
    }
    return {
        "network_class_name": "dynamic_network_architectures.architectures.unet.PlainConvUNet",
        "arch_kwargs": kwargs,
        "_kw_requires_import": ["conv_op", "norm_op", "dropout_op", "nonlin"],
    }


def network(features: int, labels: int) -> Any:
    """The network of `architecture`, with random weights."""
    import torch

    try:
        from nnunetv2.utilities.get_network_from_plans import get_network_from_plans
    except ImportError as error:
        raise SystemExit(f"needs nnunetv2, as make oracles installs it: {error}") from error
    torch.manual_seed(0)
    plan = architecture(features)
    called = plan["_kw_requires_import"]
    made = get_network_from_plans(
        plan["network_class_name"], plan["arch_kwargs"], called, 2, labels, True, False
    )
    with torch.no_grad():
        made.decoder.seg_layers[-1].bias[-1] -= FORBIDDEN
    return made


def make_folder(folder: Path, features: int, labels: int, mm: float) -> None:
    """A results folder in nnU-Net's form."""
    import torch

    statistics = {"mean": 1.0, "std": 2.0, "percentile_00_5": -100.0, "percentile_99_5": 200.0}
    kinds = {"data": (False, 3), "seg": (True, 1), "probabilities": (False, 1)}
    configuration: dict[str, Any] = {
        "data_identifier": "x",
        "preprocessor_name": "DefaultPreprocessor",
        "batch_size": 2,
        "patch_size": list(PATCH),
        "median_image_size_in_voxels": list(PATCH),
        "spacing": [mm] * 3,
        "normalization_schemes": ["CTNormalization"] * 2,
        "use_mask_for_norm": [False] * 2,
        "batch_dice": False,
        "architecture": architecture(features),
    }
    for kind, (is_seg, order) in kinds.items():
        more = {"is_seg": is_seg, "order": order, "order_z": 0, "force_separate_z": None}
        configuration |= {f"resampling_fn_{kind}": RESAMPLING}
        configuration |= {f"resampling_fn_{kind}_kwargs": more}
    plans = {
        "dataset_name": "Dataset001_Bench",
        "plans_name": "nnUNetPlans",
        "image_reader_writer": "SimpleITKIO",
        "transpose_forward": [0, 1, 2],
        "transpose_backward": [0, 1, 2],
        "label_manager": "LabelManager",
        "configurations": {"3d_fullres": configuration},
        "foreground_intensity_properties_per_channel": {"0": statistics, "1": statistics},
    }
    organs = {f"organ {k}": k for k in range(1, labels - 1)}
    dataset = {
        "channel_names": {"0": "CT", "1": "PET"},
        "labels": {"background": 0, **organs, "tumor": labels - 1},
        "file_ending": ".nii.gz",
    }
    checkpoint = {
        "network_weights": network(features, labels).state_dict(),
        "trainer_name": "nnUNetTrainer",
        "init_args": {"configuration": "3d_fullres"},
        "inference_allowed_mirroring_axes": None,
    }
    (folder / "fold_0").mkdir(parents=True)
    torch.save(checkpoint, folder / "fold_0" / "checkpoint_final.pth")
    (folder / "plans.json").write_text(json.dumps(plans))
    (folder / "dataset.json").write_text(json.dumps(dataset))


def make_case(root: Path, shape: tuple[int, int, int], mm: float) -> None:
    """A warm body with a hot ball, as nnU-Net's files and as a study of ours."""
    import SimpleITK as sitk

    r = np.random.default_rng(0)
    place = np.stack(np.meshgrid(*(np.linspace(-1, 1, n) for n in shape), indexing="ij"))
    body = np.linalg.norm(place[1:], axis=0) < 0.7
    ball = np.linalg.norm(place * np.array(shape)[:, None, None, None], axis=0) < 12
    pet = np.where(ball, 9.0, body) + r.random(shape) * 0.1
    ct = np.where(body, 40.0, -1000.0)
    for name in ("raw", "study"):
        (root / name).mkdir()
    for array, files in ((ct, ("raw/x_0000", "study/ct")), (pet, ("raw/x_0001", "study/pet"))):
        image = sitk.GetImageFromArray(array.astype(np.float32))
        image.SetSpacing((mm, mm, mm))
        for file in files:
            sitk.WriteImage(image, str(root / f"{file}.nii.gz"))


def measured(name: str, command: list[Any]) -> None:
    """Print seconds, seconds of a core, and peak GB of the command and all its children."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "nnUNet_def_n_proc": "1"}
    start, earlier = time.perf_counter(), os.times()
    before = earlier.children_user + earlier.children_system
    peak = [0]
    with subprocess.Popen(
        [str(word) for word in command],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as process:
        done = threading.Event()

        def watch() -> None:
            while not done.wait(0.2):
                peak[0] = max(peak[0], sum(_pss(pid) for pid in _family(process.pid)))

        watcher = threading.Thread(target=watch)
        watcher.start()
        said, _ = process.communicate()
        done.set()
        watcher.join()
    if process.returncode:
        raise SystemExit(said)
    seconds, after = time.perf_counter() - start, os.times()
    cores = after.children_user + after.children_system - before
    told = f"{seconds:6.0f} s, {cores:6.0f} s of a core, {peak[0] / GB:5.1f} GB"
    print(f"{name:34} {told}", flush=True)


def _family(root: int) -> list[int]:
    parents: dict[int, list[int]] = {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            parent = int(path.read_text().rpartition(")")[2].split()[1])
        except (OSError, ValueError):
            continue
        parents.setdefault(parent, []).append(int(path.parent.name))
    found, left = [], [root]
    while left:
        found.append(left.pop())
        left += parents.get(found[-1], [])
    return found


def _pss(pid: int) -> int:
    try:
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1]) * 1024
    except OSError:
        pass
    return 0


def one_window(features: int, labels: int) -> None:
    """The time of one window on this machine's cores."""
    import torch

    made = network(features, labels).eval()
    with torch.inference_mode():
        image = torch.rand(1, 2, *PATCH)
        start, spent = time.perf_counter(), time.process_time()
        made(image)
    seconds, spent = time.perf_counter() - start, time.process_time() - spent
    threads = torch.get_num_threads()
    told = f"a window of {PATCH}, {features} channels, {threads} threads"
    print(f"{told}: {seconds:.1f} s, {spent:.1f} s of a core")


def main() -> None:
    """Make folder and case, run both, print a line each."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--labels", type=int, default=2)
    parser.add_argument("--features", type=int, default=4)
    parser.add_argument("--shape", type=int, nargs=3, default=(250, 160, 160))
    parser.add_argument("--mm", type=float, default=4.0, help="of the PET's voxels")
    parser.add_argument("--own-mm", type=float, default=2.0, help="of the model's voxels")
    parser.add_argument("--windows", type=int, default=0, help="run only so many; 0: all")
    parser.add_argument("--window", action="store_true", help="time one window, nothing else")
    given = parser.parse_args()
    if given.window:
        one_window(given.features, given.labels)
        return
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        make_folder(root / "model", given.features, given.labels, given.own_mm)
        make_case(root, tuple(given.shape), given.mm)
        few = FEW % given.windows if given.windows else ""
        ours = [sys.executable, "-c", few + TMTV, "predict", root / "study", "-o", root / "out"]
        measured("tmtv predict", [*ours, "--model", f"nnunet:{root / 'model'}", "--device", "cpu"])
        command = f"{few}from {THEIRS} import predict_entry_point_modelfolder as go; go()"
        theirs = [sys.executable, "-c", command]
        places = ["-i", root / "raw", "-o", root / "theirs", "-m", root / "model", "-f", "0"]
        how = ["-device", "cpu", "-npp", "1", "-nps", "1", "--disable_tta"]
        measured("nnUNetv2_predict_from_modelfolder", [*theirs, *places, *how])


if __name__ == "__main__":
    main()
