"""nnunetv2 itself: its preprocessing and its sliding window, a channel and a body at a time.

Its own parts do the work; here only what makes them take less memory, say nothing on stdout and
find nothing by a scan of folders that the plans could steer.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from importlib import import_module, util
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from tmtv_engine.errors import DeviceError, InputError, UsageError
from tmtv_engine.image.volume import Array, Grid
from tmtv_engine.model.nnunet_folder import Folder
from tmtv_engine.model.nnunet_logits import Shape, Whole, Zoom
from tmtv_engine.model.nnunet_paged import give_back, paged
from tmtv_engine.model.nnunet_plans import OWN
from tmtv_engine.model.nnunet_stop import Stop, stoppable
from tmtv_engine.model.nnunet_windows import IntArray, part_of
from tmtv_engine.text import clean

CHATTY = ("nnunetv2", "dynamic_network_architectures", "acvl_utils", "batchgeneratorsv2")
UNASKED = "('perform_everything_on_device=True"  # said whatever was asked, of any device but cuda
INSTALL = "pip install 'tmtv[nnunet]'"
DEFAULT = "resample_data_or_seg_to_shape"
EDGE = 2  # voxels of the network's around a box, for the way back to the image's
Box = tuple[IntArray, IntArray]


@dataclass(frozen=True)
class Prepared:
    """An image as the network sees it (channels, z, y, x), and the way back from its logits.

    The network's axes are the image's, permuted; ``spacing_mm`` is the image's along them.
    """

    data: Array
    zoom: Zoom | Whole
    cropped: Shape
    box: tuple[slice, slice, slice]
    shape: Shape
    back: tuple[int, int, int]
    spacing_mm: tuple[float, float, float]

    def emptied(self) -> Prepared:
        """The way back alone: whoever holds it does not hold the image."""
        return replace(self, data=np.empty(0, np.float32))

    def placed(self, part: Array) -> Array:
        """What was found in the part that was looked at, on the whole image; 0 elsewhere."""
        if part.shape == self.shape:
            return part.transpose(self.back)
        whole = np.zeros(self.shape, part.dtype)
        whole[self.box] = part
        return whole.transpose(self.back)

    def seen(self, low: IntArray, high: IntArray) -> Box:
        """Where the image's voxels ``low`` to before ``high`` lie among the network's, and `EDGE`.

        At least one voxel, also where nothing of them was looked at.
        """
        size = np.array(self.data.shape[1:])
        scale = size / np.array(self.cropped)
        ends = np.empty((2, 3))
        ends[:, list(self.back)] = low, high
        ends = (ends - [s.start for s in self.box]) * scale
        first = np.clip(np.floor(ends[0]) - EDGE, 0, size - 1).astype(np.int64)
        last = np.clip(np.ceil(ends[1]) + EDGE, first + 1, size).astype(np.int64)
        return first, last


@dataclass(frozen=True)
class Plan:
    """nnunetv2's managers of a plan, and the configuration that they were made from."""

    configuration: Mapping[str, Any]
    manager: Any
    plans: Any
    dataset: Mapping[str, Any]

    def prepare(self, stack: Array, spacing_mm: tuple[float, float, float]) -> Prepared:
        """Crop, normalise and resample an image (channels, z, y, x) as nnunetv2 does.

        Raises `InputError` where its preprocessing cannot.
        """
        properties: dict[str, Any] = {"spacing": list(spacing_mm)}
        preprocessor = self.manager.preprocessor_class(verbose=False)
        try:
            data, _, properties = preprocessor.run_case_npy(
                stack, None, properties, self.plans, self.manager, self.dataset
            )
        except Exception as error:  # whatever nnunetv2's parts raise
            text = clean(f"{type(error).__name__}: {error}", 160)
            raise InputError(f"nnunetv2 cannot prepare the image ({text})", OWN) from error
        forward = self.plans.transpose_forward
        cropped = properties["shape_after_cropping_and_before_resampling"]
        mm = [spacing_mm[k] for k in forward]
        z, y, x = (slice(int(a), int(b)) for a, b in properties["bbox_used_for_cropping"])
        return Prepared(
            data,
            self._zoom(_shape(cropped), mm),
            _shape(cropped),
            (z, y, x),
            _shape(properties["shape_before_cropping"]),
            _shape(self.plans.transpose_backward),
            (mm[0], mm[1], mm[2]),
        )

    def _zoom(self, shape: Shape, mm: list[float]) -> Zoom | Whole:
        """How nnunetv2 would bring logits to ``shape`` voxels of ``mm``."""
        from nnunetv2.preprocessing.resampling import default_resampling as default

        own = list(self.configuration["spacing"])
        own = own if len(own) == 3 else [mm[0], *own]
        more = dict(self.configuration["resampling_fn_probabilities_kwargs"])
        stock = self.configuration["resampling_fn_probabilities"] == DEFAULT
        plain = more.get("order") == 1 and more.get("order_z", 0) == 0 and not more.get("is_seg")
        if stock and plain:
            apart, axis = default.determine_do_sep_z_and_axis(
                more.get("force_separate_z", False), own, mm
            )
            return Zoom(shape, int(axis) if apart else None)
        resampled: Callable[[Array], Array] = partial(
            self.manager.resampling_fn_probabilities,
            new_shape=shape,
            current_spacing=own,
            new_spacing=mm,
        )
        return Whole(resampled)


def _shape(values: Sequence[int]) -> Shape:
    z, y, x = (int(v) for v in values)
    return z, y, x


def plan_of(folder: Folder, configuration: Mapping[str, Any]) -> Plan:
    """nnunetv2's managers for a configuration that was checked (`configuration_of`).

    Raises `UsageError` where nnunetv2 is absent, `InputError` for parts that it does not have.
    """
    _import()
    from nnunetv2.preprocessing.preprocessors.default_preprocessor import DefaultPreprocessor
    from nnunetv2.utilities.plans_handling.plans_handler import ConfigurationManager, PlansManager

    class Frugal(ConfigurationManager):  # type: ignore[misc]
        """Resamples a channel at a time, and not the mask that nobody looks at."""

        @property
        def resampling_fn_data(self) -> Any:
            return partial(_each, super().resampling_fn_data)

        @property
        def resampling_fn_seg(self) -> Any:
            return lambda *_: np.zeros((1, 1, 1, 1), np.int8)

    plans = PlansManager(dict(folder.plans))
    made = Frugal(dict(configuration))
    try:
        own = made.preprocessor_class
        missing = not (isinstance(own, type) and issubclass(own, DefaultPreprocessor))
        resampling = (made.resampling_fn_data, made.resampling_fn_probabilities)
        plans.get_label_manager(dict(folder.dataset))
    except Exception as error:  # whatever nnunetv2's parts raise
        text = clean(f"{type(error).__name__}: {error}", 160)
        raise InputError(f"{folder.path}: nnunetv2 has no such plan ({text})", OWN) from error
    if missing or None in resampling:
        name = clean(configuration["preprocessor_name"])
        raise InputError(f"{folder.path}: plans.json names {name}, which is not here", OWN)
    return Plan(configuration, made, plans, folder.dataset)


def _each(resampled: Callable[..., Any], data: Array, shape: Sequence[int], *spacing: Any) -> Array:
    out = paged((len(data), *shape))
    for k in range(len(data)):
        out[k] = np.asarray(resampled(data[k : k + 1], shape, *spacing))[0]
    return out


class Predictor:
    """nnunetv2's predictor with a network and the weights of each fold."""

    def __init__(
        self,
        plan: Plan,
        network: nn.Module,
        parameters: Sequence[Mapping[str, Tensor]],
        mirrored: tuple[int, ...] | None,
        device: torch.device,
    ) -> None:
        from nnunetv2.inference.predict_from_raw_data import nnUNetPredictor

        self.own = nnUNetPredictor(
            perform_everything_on_device=device.type == "cuda", device=device, allow_tqdm=False
        )
        self.own.manual_initialization(
            network, plan.plans, plan.manager, list(parameters), dict(plan.dataset), "", mirrored
        )
        self._image: Array | None = None
        network.register_forward_pre_hook(self._make_room)

    def _make_room(self, *_: object) -> None:
        """The memory of what is not looked at, for the network."""
        if self._image is not None:
            give_back(self._image)

    def logits(self, data: Array, box: Box | None = None, stop: Stop | None = None) -> Array:
        """Logits (heads, z, y, x), float16, the mean of the folds'; raises `DeviceError`.

        ``box``: first index and the one behind the last of what is asked for; what no window
        that touches it sees is 0 for all heads, which no label wins. Once ``stop()`` holds it is
        given up with a `UsageError`.
        """
        with stoppable(self.own, stop):
            return self._boxed(data, box)

    def _boxed(self, data: Array, box: Box | None) -> Array:
        if box is None:
            return self._logits(data)
        own = self.own
        patch = own.configuration_manager.patch_size
        laid = own._internal_get_sliding_window_slicers
        part = part_of(laid, patch, data.shape[1:], *box)
        own._internal_get_sliding_window_slicers = lambda size: list(part.slicers)
        try:
            found = self._logits(data[(slice(None), *part.box)])
        finally:
            del own._internal_get_sliding_window_slicers
        whole = np.zeros((len(found), *data.shape[1:]), found.dtype)
        whole[(slice(None), *part.box)] = found
        return whole

    def _logits(self, data: Array) -> Array:
        _quiet()  # also what was imported since
        self._image = data
        try:
            found: Tensor = self.own.predict_logits_from_preprocessed_data(torch.from_numpy(data))
        except (torch.OutOfMemoryError, MemoryError) as error:
            raise DeviceError(
                "there is not enough memory for the network", "--device cpu"
            ) from error
        finally:
            self._image = None
        made = found.cpu().numpy()
        if not all(np.isfinite(head).all() for head in made):  # it would look like no tumour
            raise InputError("the network answers with no numbers", "Get its checkpoint again.")
        return made


def room_for(plan: Plan, grid: Grid, inputs: int, outputs: int) -> None:
    """Raise `DeviceError` before memory is asked for that this machine does not have."""
    spacing = plan.configuration["spacing"][-3:]
    own = float(np.prod(spacing)) * (grid.spacing_mm[0] if len(spacing) == 2 else 1.0)
    voxels = max(np.prod(grid.shape) * grid.voxel_ml * 1000 / own, np.prod(grid.shape))
    needed = voxels * (8 * inputs + 4 * outputs + 16)
    there = memory_bytes()
    if there is not None and needed > there:
        what = f"the model's voxels need {needed / 2**30:.0f} GB of memory here"
        raise DeviceError(what, f"This machine has {there / 2**30:.0f} GB.")


def memory_bytes() -> int | None:
    """The memory that this machine has, where the system tells."""
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (ValueError, OSError, AttributeError):
        return None


def _quiet() -> None:
    """What nnunetv2's modules print goes to stderr: each gets a ``print`` of its own.

    stdout is data, and the process's: swapping it would catch what other threads write.
    """
    for name, module in list(sys.modules.items()):
        if name.partition(".")[0] in CHATTY:
            vars(module)["print"] = _aloud


def _aloud(*words: object, **more: Any) -> None:
    if not str(words[:1]).startswith(UNASKED):
        print(*words, **{"file": sys.stderr, **more})


def _import() -> None:
    """Import nnunetv2; its `paths`, which talk while they are imported, come first.

    Raises `UsageError` naming the module that is missing.
    """
    try:
        spec = util.find_spec("nnunetv2.paths")
        if spec and spec.loader and spec.name not in sys.modules:
            paths = util.module_from_spec(spec)
            vars(paths)["print"] = _aloud
            sys.modules[spec.name] = paths
            spec.loader.exec_module(paths)
        import_module("nnunetv2.inference.predict_from_raw_data")
    except ImportError as error:
        if (error.name or "nnunetv2").startswith("nnunetv2"):
            raise UsageError("nnU-Net is not installed", INSTALL) from error
        what = f"nnU-Net needs the module {clean(error.name)}, which is not here"
        raise UsageError(what, INSTALL) from error
    _quiet()
