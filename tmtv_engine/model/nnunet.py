"""A model that others trained: an nnU-Net v2 results folder through nnunetv2's own predictor.

The folder is the one that holds `dataset.json`, `plans.json` and `fold_*`. Its checkpoints are
pickles: they are read for weights only, so that nothing in them is run, and `plans.json` may name
nothing but networks of `dynamic_network_architectures` (docs/decisions/0004). nnunetv2 is the
optional extra ``nnunet``.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import pickle
import sys
from collections.abc import Iterator, Mapping
from importlib import util
from pathlib import Path
from typing import Any

import numpy as np
import torch

from tmtv_engine.errors import InputError, UsageError
from tmtv_engine.image.resample import resample
from tmtv_engine.image.volume import Array, Grid, Unit, Volume
from tmtv_engine.model.infer import HU_TOP, device_of
from tmtv_engine.model.nnunet_folder import ASK, channels_of, check_plans, head_of, read_json
from tmtv_engine.notices import notice
from tmtv_engine.text import clean

CHECKPOINT = "checkpoint_final.pth"
CHATTY = ("nnunetv2", "dynamic_network_architectures", "acvl_utils", "batchgeneratorsv2")
FORCE = "TORCH_FORCE_WEIGHTS_ONLY_LOAD"


def load_model(folder: Path, device: str = "auto") -> NnUnetSegmenter:
    """The model of a results folder, ready to segment.

    Raises `InputError` for a folder that is none, or wants more than weights from its
    checkpoints; `UsageError` where nnunetv2 is absent or no label is the tumour's.
    """
    dataset, plans = read_json(folder / "dataset.json"), read_json(folder / "plans.json")
    folds = sorted(p.parent for p in folder.glob(f"fold_*/{CHECKPOINT}"))
    numbered = [p for p in folds if p.name.removeprefix("fold_").isdigit()] or folds
    if not numbered:
        raise InputError(f"{folder}: holds no fold_*/{CHECKPOINT}", ASK)
    channels, head = channels_of(dataset, folder), head_of(dataset, folder)
    check_plans(plans, folder)
    where = device_of(device)
    with _weights_only():
        predictor = _predictor_class()(
            perform_everything_on_device=where.type == "cuda", device=where, allow_tqdm=False
        )
        try:
            names = tuple(p.name.removeprefix("fold_") for p in numbered)
            predictor.initialize_from_trained_model_folder(str(folder), names, CHECKPOINT)
        except pickle.UnpicklingError as error:
            remedy = "Only a checkpoint that holds weights and plain values is taken."
            raise InputError(f"{folder}: a checkpoint wants to run code", remedy) from error
        except Exception as error:  # nnunetv2 raises whatever its parts raise
            text = clean(f"{type(error).__name__}: {error}", 200)
            raise InputError(f"{folder}: nnunetv2 cannot load it ({text})", ASK) from error
    name = clean(plans.get("dataset_name") or folder.name)
    digest = hashlib.sha256("".join(_sha256(p / CHECKPOINT) for p in numbered).encode())
    record = {
        "name": f"nnunet:{name}",
        "sha256": digest.hexdigest(),
        "trained_on": f"by others, as {name}",
    }
    flip = "WithReorient" in str(plans.get("image_reader_writer", ""))
    return NnUnetSegmenter(predictor, channels, head, flip=flip, record=record, device=where)


class NnUnetSegmenter:
    """nnunetv2's predictor as a Segmenter; ``flip`` where its reader turned images to RAS."""

    warnings = (notice("third-party-model"),)

    def __init__(
        self,
        predictor: Any,
        channels: tuple[str, ...],
        head: int,
        *,
        flip: bool,
        record: Mapping[str, str],
        device: torch.device,
    ) -> None:
        self.predictor, self.channels, self.head, self.flip = predictor, channels, head, flip
        self.record, self.device = dict(record), device

    def __call__(self, suv: Volume, ct: Volume | None = None, /) -> Volume:
        """The probability of tumour on the PET's grid, 0 … 1 float32.

        The model gets PET and CT on the PET's voxels along the patient's axes (z, y, x of LPS, or
        of RAS where it was trained so); nnunetv2 brings them to its own spacing and back.
        """
        grid = _along_axes(suv.grid)
        images = {"pet": resample(suv, grid).array, "ct": np.full(grid.shape, -HU_TOP, np.float32)}
        if ct is not None and "ct" in self.channels:
            images["ct"] = resample(ct, grid, outside=-HU_TOP).array
        stack = np.stack([self._turned(images[kind]) for kind in self.channels])
        properties = {"spacing": list(grid.spacing_mm)}
        _quiet()  # also what was imported since
        _, heads = self.predictor.predict_single_npy_array(
            stack.astype(np.float32), properties, None, None, True
        )
        chance = np.ascontiguousarray(self._turned(heads[self.head]), dtype=np.float32)
        return resample(Volume(np.clip(chance, 0, 1), grid, Unit.PROBABILITY), suv.grid)

    def _turned(self, array: Array) -> Array:
        return array[:, ::-1, ::-1] if self.flip else array


def _along_axes(grid: Grid) -> Grid:
    """``grid`` itself where its axes are the patient's, else one of its spacing around it."""
    steps = grid.affine[:3, :3][::-1]
    if np.abs(steps - np.diag(np.diag(steps))).max() < 1e-3 and (np.diag(steps) > 0).all():
        return grid
    size = np.abs(steps)  # by how much an index step moves along z, y, x
    spacing = [float(size[k].max()) for k in range(3)]
    corners = np.array(np.meshgrid(*[(0, n - 1) for n in grid.shape])).reshape(3, -1).T
    points = grid.to_mm(corners)
    low, high = points.min(axis=0), points.max(axis=0)
    z, y, x = (int(np.ceil((high - low)[2 - k] / spacing[k] - 1e-6)) + 1 for k in range(3))
    return Grid.axial((z, y, x), (spacing[0], spacing[1], spacing[2]), tuple(low), grid.frame_uid)


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _quiet() -> None:
    """What nnunetv2's modules print goes to stderr: each gets a ``print`` of its own.

    stdout is data, and the process's: swapping it would catch what other threads write.
    """
    for name, module in list(sys.modules.items()):
        if name.partition(".")[0] in CHATTY:
            vars(module)["print"] = _aloud


def _aloud(*words: object, **more: Any) -> None:
    print(*words, **{"file": sys.stderr, **more})


def _predictor_class() -> Any:
    """nnunetv2's predictor; its `paths`, which talk while they are imported, come first."""
    try:
        spec = util.find_spec("nnunetv2.paths")
        if spec and spec.loader and spec.name not in sys.modules:
            paths = util.module_from_spec(spec)
            vars(paths)["print"] = _aloud
            sys.modules[spec.name] = paths
            spec.loader.exec_module(paths)
        from nnunetv2.inference.predict_from_raw_data import nnUNetPredictor
    except ImportError as error:
        raise UsageError("nnU-Net is not installed", "pip install 'tmtv[nnunet]'") from error
    _quiet()
    return nnUNetPredictor


@contextlib.contextmanager
def _weights_only() -> Iterator[None]:
    """torch.load builds tensors and plain values only, whatever its caller asks for."""
    before = os.environ.get(FORCE)
    os.environ[FORCE] = "1"
    try:
        with torch.serialization.safe_globals(_plain()):
            yield
    finally:
        os.environ.pop(FORCE)
        if before is not None:
            os.environ[FORCE] = before


def _plain() -> list[Any]:
    """What the log in a checkpoint is made of beside Python's own values: numpy's numbers."""
    scalar = type(np.float64(0)).__reduce__(np.float64(0))[0]
    names = ("numpy.core.multiarray.scalar", "numpy._core.multiarray.scalar")
    kinds = [type(np.dtype(t)) for t in (np.float64, np.float32, np.int64, np.bool_)]
    return [*((scalar, name) for name in names), np.dtype, *kinds]
