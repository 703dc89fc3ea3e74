"""The network as a segmenter: grids, windows, devices, memory."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from tmtv_engine.errors import DeviceError, InputError, UsageError
from tmtv_engine.image.volume import Grid, Unit, Volume
from tmtv_engine.model.channels import channels_of, densities, scaled, scaled_hu
from tmtv_engine.model.checkpoint import network_of, write_model
from tmtv_engine.model.infer import NetworkSegmenter, device_of, load_model
from tmtv_engine.model.plans import Architecture, BodyPlan
from tmtv_engine.model.recipes import Recipe

RECIPE = Recipe(
    "tiny", Architecture(1, 2, 3, (1, 1, 1), True, 0.0), 8.0, (16, 16, 16), "linear", "sgd", 0.1
)
TWO = Recipe(
    "two", Architecture(2, 2, 3, (1, 1, 1), True, 0.0), 8.0, (16, 16, 16), "linear", "sgd", 0.1
)
RECORD = {"name": "tiny", "sha256": "0", "trained_on": "nothing", "more": 1}


class Hot(nn.Module):
    """A stand-in network: certain above SUV 5, certain of nothing below; knows each voxel only."""

    def __init__(self) -> None:
        super().__init__()
        self.calls: list[tuple[int, ...]] = []
        self.images: list[Tensor] = []

    def forward(self, x: Tensor) -> Tensor:
        self.calls.append(tuple(x.shape))
        self.images.append(x.clone())
        return (x[:, :1] - 0.2) * 1e4


def _suv(shape: tuple[int, int, int] = (30, 20, 22)) -> Volume:
    grid = Grid.axial(shape, (3.0, 6.0, 5.0), (-60.0, 12.0, -300.0))
    mm = grid.to_mm(np.moveaxis(np.indices(shape), 0, -1))
    ball = np.linalg.norm(mm - np.array([-20.0, 60.0, -260.0]), axis=-1) < 24
    return Volume(np.where(ball, 12.0, 1.0).astype(np.float32), grid, Unit.SUV)


def _segmenter(recipe: Recipe = RECIPE) -> tuple[NetworkSegmenter, Hot]:
    hot = Hot()
    return NetworkSegmenter(hot, recipe, RECORD, torch.device("cpu")), hot  # type: ignore[arg-type]


def test_a_coarse_network_is_redrawn_where_its_recipe_says_so() -> None:
    suv = _suv()
    plain = _segmenter()[0](suv).probability.array > 0.5
    finer, _ = _segmenter(dataclasses.replace(RECIPE, redraw=True))
    redrawn = finer(suv).probability.array > 0.5
    ball = suv.array == 12.0
    assert (plain & ~ball).any()  # 8 mm voxels overrun a ball on finer ones
    assert not (redrawn & ~ball).any()
    assert redrawn[ball].mean() > max(0.95, plain[ball].mean())


def test_suv_is_scaled_to_one() -> None:
    suv = torch.tensor([-1.0, 0.0, 12.5, 25.0, 66.0])
    assert scaled(suv, "linear").tolist() == [0.0, 0.0, 0.5, 1.0, 1.0]
    logged = scaled(torch.tensor([0.0, 1.0, 30.0, 99.0]), "log").tolist()
    assert logged == pytest.approx([0.0, np.log(2) / np.log(31), 1.0, 1.0])


def test_hu_is_scaled_and_clipped() -> None:
    hu = torch.tensor([-2000.0, -1000.0, 0.0, 500.0, 3000.0])
    assert scaled_hu(hu).tolist() == [0.0, 0.0, 0.5, 0.75, 1.0]


def test_a_ct_is_two_channels_which_air_leaves_empty() -> None:
    """Soft tissue, -150 to 250 HU, has a channel to itself: fat is a tenth of it, bone all."""
    hu = torch.tensor([-2000.0, -1000.0, -110.0, 50.0, 250.0, 1000.0])
    wide, soft = densities(hu)
    assert wide.tolist() == pytest.approx([0.0, 0.0, 0.445, 0.525, 0.625, 1.0])
    assert soft.tolist() == pytest.approx([0.0, 0.0, 0.1, 0.5, 1.0, 1.0])


def test_a_ct_comes_before_the_pet_and_is_seen_in_the_body_only() -> None:
    plan = BodyPlan(3, (2, 2), (0, 0), (0,), ct=2)
    recipe = dataclasses.replace(RECIPE, architecture=plan, scaling="both")
    suv = torch.zeros(12, 12, 12)
    suv[4:8, 4:8, 4:8] = 2.0
    hu = torch.full_like(suv, 50.0)  # a table, too
    plain, both = channels_of(suv, None, recipe), channels_of(suv, hu, recipe)
    assert len(plain) == 3
    assert torch.equal(both[2:], plain)
    body = plain[-1] > 0
    assert (both[1][body] == 0.5).all()
    assert not both[:2, ~body].any()
    deaf = dataclasses.replace(recipe, architecture=dataclasses.replace(plan, ct=0))
    assert torch.equal(channels_of(suv, hu, deaf), plain)


def test_the_answer_lies_where_the_uptake_does() -> None:
    segment, _ = _segmenter()
    suv = _suv()
    chance = segment(suv).probability
    assert chance.unit is Unit.PROBABILITY
    assert chance.grid.matches(suv.grid)
    found = suv.grid.to_mm(np.argwhere(chance.array > 0.5)).mean(axis=0)
    assert found == pytest.approx([-20.0, 60.0, -260.0], abs=3.0)


def test_windows_give_what_the_whole_gives() -> None:
    whole, hot = _segmenter()
    suv = _suv((130, 20, 22))
    expected = whole(suv).probability.array
    assert len(hot.calls) > 1  # 390 mm are more than twice 128
    pieces, _ = _segmenter()
    image = torch.stack([scaled(torch.rand(48, 16, 16) * 20, "linear")])
    one = pieces._blended(image, (48, 16, 16), torch.device("cpu"))
    many = pieces._blended(image, (16, 16, 16), torch.device("cpu"))
    assert many == pytest.approx(one, abs=1e-6)
    assert expected.max() == 1.0


def test_without_ct_its_channel_is_air() -> None:
    segment, hot = _segmenter(TWO)
    segment(_suv(), None)
    assert hot.images[0].shape[1] == 2
    assert hot.images[0][0, 1].abs().max() == 0


def test_ct_on_its_own_grid_is_brought_over() -> None:
    segment, hot = _segmenter(TWO)
    grid = Grid.axial((60, 60, 60), (4.0, 4.0, 4.0), (-120.0, -60.0, -400.0))
    ct = Volume(np.full(grid.shape, 500.0, np.float32), grid, Unit.HU)
    segment(_suv(), ct)
    assert hot.images[0][0, 1].max().item() == pytest.approx(0.75, abs=0.01)


def test_memory_that_runs_out_is_told_and_smaller_windows_go_on() -> None:
    segment, hot = _segmenter()
    told = hot.forward

    def small_only(x: Tensor) -> Tensor:
        if x.shape[2] > 8:
            raise torch.OutOfMemoryError("no")
        return told(x)

    hot.forward = small_only  # type: ignore[method-assign]
    found = segment(_suv())
    assert found.probability.array.max() == 1.0
    assert [n.code for n in found.notices] == ["out-of-memory"]


def test_no_memory_at_all_is_an_error() -> None:
    segment, hot = _segmenter()

    def never(x: Tensor) -> Tensor:
        raise torch.OutOfMemoryError("no")

    hot.forward = never  # type: ignore[method-assign]
    with pytest.raises(DeviceError, match="not enough memory"):
        segment(_suv())


def test_the_same_input_gives_the_same_bytes(tmp_path: Path) -> None:
    torch.manual_seed(3)
    weights = network_of(RECIPE.architecture).state_dict()
    write_model(tmp_path, weights, RECIPE, name="tiny", trained_on="nothing")
    one, two = (load_model(tmp_path, "cpu")(_suv()).probability.array.tobytes() for _ in range(2))
    assert one == two
    assert load_model(tmp_path, "cpu").record.keys() == {"name", "sha256", "trained_on"}


def test_devices() -> None:
    assert device_of("cpu").type == "cpu"
    assert device_of("auto").type in ("cpu", "cuda", "mps")
    with pytest.raises(UsageError, match="no device is called"):
        device_of("abacus")
    if not torch.cuda.is_available():
        with pytest.raises(DeviceError, match="no device cuda:3"):
            device_of("cuda:3")


def test_a_folder_that_is_no_model(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="is no trained model"):
        load_model(tmp_path)
