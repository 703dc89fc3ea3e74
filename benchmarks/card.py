"""An nnU-Net folder on a GPU and on the CPU, and nnunetv2's own answer beside ours on each.

    python -m benchmarks.card [FOLDER] [--features 32] [--shape 112 160 128] [--mm 2]

Without FOLDER one of the published width is made, of random weights: every border lies near one
half then, and devices agree less than on a trained one. Needs nnunetv2; without a GPU the CPU
alone is looked at.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmarks.nnunet import FORBIDDEN, make_folder
from tmtv_engine.errors import TmtvError
from tmtv_engine.image.volume import Array, Grid, Unit, Volume
from tmtv_engine.model.nnunet import load_model


def scan(shape: tuple[int, int, int], mm: float) -> tuple[Volume, Volume]:
    """Warm noise with hot balls, and a CT."""
    r = np.random.default_rng(9)
    at = np.moveaxis(np.indices(shape), 0, -1)
    pet = 1.0 + r.normal(0, 0.2, shape)
    for _ in range(6):
        centre = r.uniform(0.2, 0.8, 3) * shape
        pet[np.linalg.norm(at - centre, axis=-1) * mm < 13] = 9.0
    ct = 40.0 + r.normal(0, 10, shape)
    grid = Grid.axial(shape, (mm, mm, mm))
    suv, hu = (a.astype(np.float32) for a in (pet, ct))
    return Volume(suv, grid, Unit.SUV), Volume(hu, grid, Unit.HU)


def wide(folder: Path, features: int, mm: float) -> Path:
    """A folder of random weights that calls some half of the voxels tumour."""
    make_folder(folder, features, 2, mm)
    path = folder / "fold_0" / "checkpoint_final.pth"
    held = torch.load(path, weights_only=True)
    named = held["network_weights"]
    last = max(k for k in named if k.startswith("decoder.seg_layers.") and "bias" in k)
    named[last][-1] += FORBIDDEN
    torch.save(held, path)
    return folder


def answered(folder: Path, device: str, images: tuple[Volume, Volume]) -> Array:
    """Our probability map, with a line of what it took and how much nnunetv2's own differs."""
    model: Any = load_model(folder, device)
    card = device.startswith("cuda")
    if card:
        model(*images)  # the card's start is not what is measured
        torch.cuda.reset_peak_memory_stats()
    start = time.perf_counter()
    chance: Array = model(*images).probability.array
    seconds = time.perf_counter() - start
    own = model.loaded.predictor.own
    stack = model._stack(*images, images[0].grid)
    start = time.perf_counter()
    labels = own.predict_single_npy_array(stack, {"spacing": list(images[0].grid.spacing_mm)})
    theirs = time.perf_counter() - start
    held = f", {torch.cuda.max_memory_allocated() / 2**30:.2f} GB of the card" if card else ""
    same = ((labels == 1) == (chance > 0.5)).mean()
    told = f"{device}: {seconds:.2f} s{held}; nnunetv2 {theirs:.2f} s, ratio {seconds / theirs:.2f}"
    print(f"{told}, equal voxels {same:.6f}", flush=True)
    return chance


def main() -> None:
    """Predict by every device and compare."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path, nargs="?")
    parser.add_argument("--features", type=int, default=32)
    parser.add_argument("--shape", type=int, nargs=3, default=(112, 160, 128))
    parser.add_argument("--mm", type=float, default=2.0)
    parser.add_argument("--device", action="append", help="default: cuda, where it is, and cpu")
    given = parser.parse_args()
    devices = given.device or [*(["cuda"] if torch.cuda.is_available() else []), "cpu"]
    images = scan(tuple(given.shape), given.mm)
    with tempfile.TemporaryDirectory() as name:
        folder = given.folder or wide(Path(name) / "model", given.features, given.mm)
        answers = [answered(folder, device, images) > 0.5 for device in devices]
    for device, answer in zip(devices[1:], answers[1:], strict=True):
        differ = int((answer != answers[0]).sum())
        print(f"{devices[0]} against {device}: {differ} of {answer.size} voxels differ")


if __name__ == "__main__":
    try:
        main()
    except TmtvError as error:
        raise SystemExit(f"error: {error}") from error
