"""Real nnU-Net folders: planned, trained and written by nnunetv2 itself, small enough for a CPU.

    python tests/support/nnunet_folders.py OUT [NAME ...]

needs nnunetv2 (the extra ``nnunet``) and some seconds a folder. Each has the form of a published
one (`FORMS`); the networks are eight channels wide and learn for some steps, so that their
answers are neither empty nor constant.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

Triple = tuple[float, float, float]
SHAPE, SPACING_MM, ORIGIN_MM = (34, 28, 30), (4.0, 3.0, 3.0), (-40.0, 10.0, -300.0)
CASES = 5
TUMOUR = {"background": 0, "tumor": 1}
ORGANS = ("brain", "heart", "liver", "spleen", "kidneys", "bladder", "lung", "bowel", "bone", "fat")
LION = {"background": 0, **{n: k + 1 for k, n in enumerate(ORGANS)}, "tumor": 11}


@dataclass(frozen=True)
class Form:
    """How a folder is made: channels as nnU-Net names them, what each is, and the labels."""

    channels: tuple[str, ...] = ("CT", "PET")
    images: tuple[str, ...] = ("ct", "pet")
    labels: Mapping[str, Any] = field(default_factory=lambda: TUMOUR)
    order: tuple[int, ...] | None = None
    planner: str = "ExperimentPlanner"
    folds: tuple[int, ...] = (0,)
    trainer: str | None = None
    organ_heads: bool = False
    steps: int = 30  # hardly any where thirty teach it to find nothing
    lift: float = 0.0  # of the tumour's logit, where it is too unlikely beside so many


FORMS: Mapping[str, Form] = {
    "stock": Form(folds=(0, 1, 2)),
    "resenc": Form(planner="nnUNetPlannerResEncM"),
    "pet-only": Form(("PET",), ("pet",)),
    "pet-ct": Form(("PET", "CT"), ("pet", "ct")),
    "regions": Form(labels={"background": 0, "uptake": [1, 2], "tumor": 2}, order=(1, 2)),
    "unnamed": Form(("rescale_to_0_1", "noNorm"), ("ct", "pet")),
    "lesiontracer": Form(
        ("CT", "CT"),
        planner="nnUNetPlannerResEncM",
        trainer="autoPET3_Trainer",
        organ_heads=True,
        steps=3,
    ),
    "lion": Form(
        ("PET",), ("pet",), LION, trainer="nnUNetTrainerDA5_2000epochs", steps=3, lift=0.4
    ),
    "autopet4": Form(("CT", "PET", "FG", "BG"), ("ct", "pet", "none", "none")),
}


def patient(
    seed: int, shape: tuple[int, int, int] = SHAPE, spacing_mm: Triple = SPACING_MM
) -> dict[str, Any]:
    """A hot ball in a warm body and an organ beside it, images (z, y, x), not a cube."""
    r = np.random.default_rng(seed)
    mm = np.moveaxis(np.indices(shape), 0, -1) * spacing_mm
    ball = np.linalg.norm(mm - r.uniform((40, 20, 15), (100, 65, 40)), axis=-1) < 13
    organ = np.linalg.norm(mm - r.uniform((20, 20, 55), (110, 65, 75)), axis=-1) < 11
    pet = np.where(ball, 9.0, np.where(organ, 5.0, 1.0)) + r.normal(0, 0.2, shape)
    ct = np.where(organ, 200.0, 40.0) + r.normal(0, 10, shape)
    none = np.zeros(shape)
    return {"pet": pet, "ct": ct, "none": none, "ball": ball, "organ": organ & ~ball}


def save(array: np.ndarray[Any, Any], path: Path, spacing_mm: Triple = SPACING_MM) -> None:
    """An array (z, y, x) as NIfTI along the axes of LPS."""
    import SimpleITK as sitk

    image = sitk.GetImageFromArray(np.ascontiguousarray(array))
    image.SetSpacing(tuple(float(mm) for mm in spacing_mm[::-1]))
    image.SetOrigin(ORIGIN_MM)
    sitk.WriteImage(image, str(path))


def _raw(form: Form, folder: Path) -> None:
    for name in ("imagesTr", "labelsTr"):
        (folder / name).mkdir(parents=True)
    top = max(int(np.max(v)) for v in form.labels.values())
    for k in range(CASES):
        made = patient(k)
        for number, kind in enumerate(form.images):
            file = folder / "imagesTr" / f"p{k}_{number:04}.nii.gz"
            save(made[kind].astype(np.float32), file)
        label = made["ball"] * top
        if top > 1:
            label = np.where(made["organ"], 1, label)
        save(label.astype(np.uint8), folder / "labelsTr" / f"p{k}.nii.gz")
    told: dict[str, Any] = {
        "channel_names": {str(k): name for k, name in enumerate(form.channels)},
        "labels": dict(form.labels),
        "numTraining": CASES,
        "file_ending": ".nii.gz",
        "licence": "CC0: balls",
    }
    if form.order:
        told["regions_class_order"] = list(form.order)
    (folder / "dataset.json").write_text(json.dumps(told))


def _narrow(plans: dict[str, Any]) -> None:
    for configuration in plans["configurations"].values():
        if "architecture" in configuration:
            kwargs = configuration["architecture"]["arch_kwargs"]
            wide = [min(8 * 2**k, 32) for k in range(kwargs["n_stages"])]
            kwargs["features_per_stage"] = wide
            if "n_blocks_per_stage" in kwargs:
                kwargs["n_blocks_per_stage"] = [1] * kwargs["n_stages"]


def make(name: str, number: int, root: Path) -> Path:
    """Plan, preprocess and train one form; the folder that nnunetv2 wrote."""
    import torch
    from nnunetv2.experiment_planning import plan_and_preprocess_api as api
    from nnunetv2.training.nnUNetTrainer.nnUNetTrainer import nnUNetTrainer

    form, dataset = FORMS[name], f"Dataset{number:03}_{name}"
    _raw(form, root / "raw" / dataset)
    api.extract_fingerprints([number], num_processes=1, show_progress_bar=False)
    identifier = "nnUNetPlans" if form.planner == "ExperimentPlanner" else "nnUNetResEncUNetMPlans"
    api.plan_experiments([number], experiment_planner_class_name=form.planner)
    made = root / "preprocessed" / dataset
    plans = json.loads((made / f"{identifier}.json").read_text())
    _narrow(plans)
    (made / f"{identifier}.json").write_text(json.dumps(plans))
    api.preprocess(
        [number],
        identifier,
        configurations=("3d_fullres",),
        num_processes=(1,),
        show_progress_bar=False,
    )
    told = json.loads((made / "dataset.json").read_text())
    for fold in form.folds:
        torch.manual_seed(fold)
        trainer = nnUNetTrainer(
            {**plans, "continue_training": False}, "3d_fullres", fold, told, torch.device("cpu")
        )
        trainer.num_epochs, trainer.num_iterations_per_epoch = 1, form.steps
        trainer.num_val_iterations_per_epoch = 1
        trainer.run_training()
    (folder,) = (root / "results" / dataset).iterdir()
    return folder


def dress(folder: Path, form: Form) -> None:
    """The marks of a foreign trainer: its name, and heads that take no part in the output."""
    import torch

    for path in folder.glob("fold_*/checkpoint_*.pth"):
        checkpoint = torch.load(path, map_location="cpu", weights_only=False)
        if form.trainer:
            checkpoint["trainer_name"] = form.trainer
        if form.organ_heads:
            weights = checkpoint["network_weights"]
            for key in [k for k in weights if k.startswith("decoder.seg_layers.")]:
                organ = torch.randn(11, *weights[key].shape[1:])
                weights[key.replace("seg_layers", "organ_seg_layers")] = organ
        torch.save(checkpoint, path)


def lift(folder: Path, by: float) -> None:
    """Raise the last label's logit."""
    import torch

    for path in folder.glob("fold_*/checkpoint_*.pth"):
        checkpoint = torch.load(path, map_location="cpu", weights_only=False)
        weights = checkpoint["network_weights"]
        last = max(k for k in weights if k.startswith("decoder.seg_layers.") and "bias" in k)
        weights[last][-1] += by
        torch.save(checkpoint, path)


def main(out: Path, names: list[str]) -> None:
    """Make the folders ``out``/NAME; a foreign one has the stock one beside it, NAME-stock."""
    import torch

    torch.set_num_threads(1)
    work = out / "work"
    for key in ("raw", "preprocessed", "results"):
        os.environ[f"nnUNet_{key}"] = str(work / key)
    os.environ |= {"nnUNet_n_proc_DA": "1", "nnUNet_def_n_proc": "1", "nnUNet_compile": "f"}
    for number, (name, form) in enumerate(FORMS.items(), 1):
        if names and name not in names:
            continue
        made = make(name, number, work)
        lift(made, form.lift)
        shutil.copytree(made, out / name, dirs_exist_ok=True)
        if form.trainer:
            shutil.copytree(made, out / f"{name}-stock", dirs_exist_ok=True)
            dress(out / name, form)
    shutil.rmtree(work)


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2:])
