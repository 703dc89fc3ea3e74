"""Models that others trained: where the answer lies, what is refused, and nnunetv2's own answer."""

from __future__ import annotations

import sys
from importlib import util
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from tests.model.test_nnunet_folder import folder, plans
from tests.model.test_nnunet_weights import saved
from tmtv_engine.errors import DeviceError, InputError, UsageError
from tmtv_engine.image.volume import Array, Grid, Unit, Volume
from tmtv_engine.lesion.lists import SPHERE_RADIUS_MM
from tmtv_engine.model import nnunet_predictor
from tmtv_engine.model import registry as models
from tmtv_engine.model.clicks import Clicks
from tmtv_engine.model.nnunet import Loaded, NnUnetSegmenter, along_axes
from tmtv_engine.model.nnunet_folder import CHECKPOINTS, Folder, Heads
from tmtv_engine.model.nnunet_logits import Zoom
from tmtv_engine.model.nnunet_predictor import Prepared, _quiet

CPU = torch.device("cpu")


@pytest.mark.parametrize("missing", ["dataset.json", "plans.json", f"fold_0/{CHECKPOINTS[0]}"])
def test_a_folder_that_is_none_is_named(tmp_path: Path, missing: str) -> None:
    made = folder(tmp_path / "model")
    (made / missing).unlink()
    with pytest.raises(InputError, match="model") as caught:
        models.load(f"nnunet:{made}", "cpu")
    assert CHECKPOINTS[0] in caught.value.remedy


class Plan:
    """Takes an image as it is."""

    def __init__(self) -> None:
        self.configuration = {"spacing": [2.0, 3.0, 4.0]}

    def prepare(self, stack: Array, spacing_mm: tuple[float, float, float]) -> Prepared:
        self.image, self.spacing_mm = stack, spacing_mm
        z, y, x = stack.shape[1:]
        size, box = (z, y, x), (slice(0, z), slice(0, y), slice(0, x))
        return Prepared(stack, Zoom(size), size, box, size, (0, 1, 2), spacing_mm)


class Predictor:
    """Answers with the first channel as the logits of the tumour."""

    box: Any = None

    def logits(self, data: Any, box: Any = None, stop: Any = None) -> Array:
        self.box = box
        values = data.astype(np.float16)
        return np.stack([np.zeros_like(values[0]), values[0]])


def _segmenter(channels: tuple[str, ...] = ("pet", "ct"), reader: str = "SimpleITKIO") -> Any:
    heads = Heads(1, {}, False, 2)
    told = Folder(Path("m"), {}, {"image_reader_writer": reader}, (), channels, heads)
    loaded = Loaded(Plan(), Predictor(), ())  # type: ignore[arg-type]
    return NnUnetSegmenter(told, CPU, loaded, name="x", instead=("vnet", "lion"))


@pytest.mark.parametrize("flip", [False, True])
@pytest.mark.parametrize("turned", [False, True])
def test_the_answer_lies_where_the_image_does(flip: bool, turned: bool) -> None:
    grid = Grid.axial((7, 11, 13), (2.0, 3.0, 4.0), (-20.0, 5.0, 100.0))
    array = np.random.default_rng(0).normal(0, 2, grid.shape).astype(np.float16).astype(np.float32)
    ct = Volume(np.full(grid.shape, 40.0), grid, Unit.HU)
    plain = array
    if turned:  # columns run to the right, axes (x, z, y)
        swap = np.eye(4)[:, [2, 0, 1, 3]] @ np.diag([-1.0, 1.0, 1.0, 1.0])
        affine = grid.affine @ swap
        affine[:3, 3] = grid.to_mm([0, 0, 12])
        grid = Grid((13, 7, 11), affine)
        array = np.ascontiguousarray(np.moveaxis(array, 2, 0)[::-1])
    segment = _segmenter(reader="NibabelIOWithReorient" if flip else "SimpleITKIO")
    chance = segment(Volume(array, grid, Unit.SUV), ct).probability
    assert chance.array == pytest.approx(1 / (1 + np.exp(-array)), abs=1e-3)
    assert chance.grid.matches(grid)
    seen = segment.loaded.plan
    assert seen.image.shape == (2, 7, 11, 13)
    assert seen.spacing_mm == pytest.approx([2.0, 3.0, 4.0])
    assert seen.image[1] == pytest.approx(40.0)
    expected = plain[:, ::-1, ::-1] if flip else plain
    assert seen.image[0] == pytest.approx(expected, abs=1e-6)


def test_beyond_the_ct_there_is_air_and_no_clicks_were_made() -> None:
    grid = Grid.axial((4, 5, 6), (2.0, 3.0, 4.0))
    half = Grid.axial((2, 5, 6), (2.0, 3.0, 4.0))
    suv = Volume(np.ones(grid.shape, np.float32), grid, Unit.SUV)
    segment = _segmenter(("foreground", "ct", "background", "pet"))
    segment(suv, Volume(np.full(half.shape, 40.0), half, Unit.HU))
    image = segment.loaded.plan.image
    assert (image[1, :2] == 40).all()
    assert (image[1, 2:] == -1000).all()
    assert (image[[0, 2]] == 0).all()
    assert (image[3] == 1).all()


@pytest.mark.parametrize("flip", [False, True])
def test_clicks_lie_where_they_were_made_and_only_their_place_is_looked_at(flip: bool) -> None:
    grid = Grid.axial((31, 40, 50), (4.0, 3.0, 2.0), (-20.0, 5.0, 100.0))
    suv = Volume(np.ones(grid.shape, np.float32), grid, Unit.SUV)
    reader = "NibabelIOWithReorient" if flip else "SimpleITKIO"
    segment = _segmenter(("pet", "foreground", "background"), reader)
    at, elsewhere = (12, 12, 30), (17, 30, 16)
    points = [tuple(float(v) for v in grid.to_mm(p)) for p in (at, elsewhere)]
    clicks = Clicks((points[0],), (points[1],), 6.0)  # type: ignore[arg-type]
    found = segment.asked(suv, None, clicks)
    assert found.grid.matches(grid)
    image, (low, high) = segment.loaded.plan.image, segment.loaded.predictor.box
    turned = image[:, :, ::-1, ::-1] if flip else image
    places = [np.unravel_index(turned[k].argmax(), grid.shape) for k in (1, 2)]
    assert [tuple(map(int, p)) for p in places] == [at, elsewhere]
    reach = (6.0 + SPHERE_RADIUS_MM) / np.array([4.0, 3.0, 2.0])
    seen = np.array([12, 27, 19]) if flip else np.array(at)
    assert (low <= seen - np.floor(reach)).all()
    assert (high > seen + np.floor(reach)).all()
    assert (high - low <= np.minimum(2 * reach + 12, grid.shape)).all()
    segment(suv)
    assert segment.loaded.predictor.box is None
    assert not segment.loaded.plan.image[1:].any()


def test_without_the_ct_that_it_needs_a_model_is_refused() -> None:
    suv = Volume(np.ones((4, 5, 6), np.float32), Grid.axial((4, 5, 6), (2, 3, 4)), Unit.SUV)
    with pytest.raises(InputError, match="model x needs a CT") as caught:
        _segmenter()(suv, None)
    assert "PET alone here: vnet, lion" in caught.value.remedy
    assert _segmenter(("pet",))(suv, None).probability.array.shape == (4, 5, 6)


@pytest.mark.parametrize("number", [np.nan, np.inf])
def test_an_answer_of_no_numbers_is_not_no_tumour(number: float) -> None:
    made = object.__new__(nnunet_predictor.Predictor)
    said = torch.zeros(2, 3, 4, 5, dtype=torch.half)
    made.own = SimpleNamespace(predict_logits_from_preprocessed_data=lambda data: said)
    image = np.zeros((2, 3, 4, 5), np.float32)
    assert made.logits(image).shape == (2, 3, 4, 5)
    said[1, 2, 3, 4] = number
    with pytest.raises(InputError, match="no numbers"):
        made.logits(image)


def test_more_memory_than_there_is_is_refused_before_it_is_taken() -> None:
    grid = Grid.axial((4, 5, 6), (2.0, 3.0, 4.0))
    segment = _segmenter(("pet",))
    segment.loaded.plan.configuration = {"spacing": [1e-4, 1e-4, 1e-4]}
    with pytest.raises(DeviceError, match="GB of memory"):
        segment(Volume(np.ones(grid.shape, np.float32), grid, Unit.SUV))


def test_an_oblique_grid_is_covered() -> None:
    turn = np.eye(4)
    turn[:2, :2] = [[0.8, -0.6], [0.6, 0.8]]
    oblique = Grid((4, 5, 6), turn @ Grid.axial((4, 5, 6), (2.0, 3.0, 3.0)).affine)
    around = along_axes(oblique)
    corners = around.to_index(oblique.to_mm([[0, 0, 0], [0, 4, 0], [0, 0, 5], [3, 4, 5]]))
    assert (corners > -0.51).all()
    assert (corners < np.array(around.shape) - 0.49).all()


def test_what_nnunetv2_prints_goes_to_stderr_and_stdout_stays_the_process_s(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    module = ModuleType("nnunetv2.chatter")
    unasked = "perform_everything_on_device=True is only supported for cuda devices!"
    exec(f"def talk(): print({unasked!r}); print('chatter')", vars(module))
    monkeypatch.setitem(sys.modules, module.__name__, module)
    before = sys.stdout
    _quiet()
    vars(module)["talk"]()
    print("data")
    assert sys.stdout is before
    assert capsys.readouterr() == ("data\n", "chatter\n")


@pytest.mark.skipif(util.find_spec("nnunetv2") is not None, reason="nnunetv2 is installed")
def test_without_the_extra_its_name_is_told(tmp_path: Path) -> None:
    made = folder(tmp_path / "m", plans=plans())
    saved(made / "fold_0" / CHECKPOINTS[0])
    with pytest.raises(UsageError, match="not installed") as caught:
        models.load(f"nnunet:{made}", "cpu")
    assert "tmtv[nnunet]" in caught.value.remedy


def test_a_module_that_nnunetv2_needs_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> None:
        raise ModuleNotFoundError("No module named 'acvl_utils'", name="acvl_utils.padding")

    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    monkeypatch.setattr(nnunet_predictor, "import_module", missing)
    with pytest.raises(UsageError, match=r"needs the module acvl_utils\.padding"):
        nnunet_predictor._import()


def test_folds_of_different_trainings_are_refused(tmp_path: Path) -> None:
    made = folder(tmp_path / "m", plans=plans())
    saved(made / "fold_0" / CHECKPOINTS[0])
    (made / "fold_1").mkdir()
    saved(made / "fold_1" / CHECKPOINTS[0], init_args={"configuration": "3d_lowres"})
    with pytest.raises(InputError, match="different configurations"):
        models.load(f"nnunet:{made}", "cpu")
