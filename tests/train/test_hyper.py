"""Every hyper-parameter of a recipe is read by the one loop, and digital patients go through it."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor

from tmtv_engine.errors import InputError, UsageError
from tmtv_engine.lesion.structures import STRUCTURES
from tmtv_engine.model.checkpoint import network_of, read_model
from tmtv_engine.model.infer import load_model
from tmtv_engine.model.plans import Architecture, BodyPlan
from tmtv_engine.model.recipes import Recipe
from tmtv_engine.train.export import export
from tmtv_engine.train.lesson import Lesson, Patient, batch_of, lessons_of, part, steps_of
from tmtv_engine.train.loop import train
from tmtv_engine.train.loss import lesion_loss, lesion_shares, naming_loss
from tmtv_engine.train.run import Run
from tmtv_engine.train.source import DRAWN, DigitalSource

PLAN = BodyPlan(3, (4, 4, 4), (1, 0, 1), (0, 0))
BODY = Recipe(
    "small", PLAN, 8.0, (16, 16, 16), "both", "adamw", 0.01, weight_decay=0.1, warm_up=3,
    epochs=2, entropy=2.0, clip=0.5, average=0.3, gain=1.3, pieces=0.4, bf16=False,
    windows=((16, 16, 16), (24, 16, 16)), batch=2, shows=2, naming=0.5, anneal=2,
)  # fmt: skip
VNET = Recipe(
    "v", Architecture(2, 2, 3, (1, 1), False, 0.1), 8.0, (16, 16, 16), "linear", "sgd", 0.05,
    epochs=2, extra_copy=True, bf16=False,
)  # fmt: skip


def patient(seed: int) -> Patient:
    """A warm block with a hot ball in it, and a name for each."""
    r = np.random.default_rng(seed)
    z, y, x = np.indices((32, 32, 32))
    body = (abs(z - 15) < 13) & (abs(y - 16) < 10) & (abs(x - 16) < 12)
    ball = (z - r.integers(8, 20)) ** 2 + (y - 16) ** 2 + (x - 14) ** 2 < 12
    suv = torch.from_numpy(np.where(ball, 9.0, np.where(body, 1.0, 0.0)).astype(np.float32))
    names = torch.from_numpy(np.where(body & ~ball, r.integers(1, 9), 0).astype(np.uint8))
    return Patient(suv, torch.zeros_like(suv), torch.from_numpy(ball.astype(np.float32)), names)


@dataclasses.dataclass(frozen=True)
class Some:
    """Four patients, the fifth held out."""

    recipe: Recipe
    data_sha256: str = "some"

    def lessons(self, epoch: int) -> list[Lesson]:
        return lessons_of([patient(k) for k in range(4)], self.recipe, epoch)

    def held_out(self) -> Sequence[Lesson]:
        return [Lesson(patient(4), 0, 0)]

    def told(self, epoch: int) -> Mapping[str, Any]:
        return {"trained_on": "blocks"}


def weights_of(recipe: Recipe, folder: Path) -> Mapping[str, Tensor]:
    return {k: v.clone() for k, v in train(Some(recipe), folder, recipe).weights().items()}


def differ(one: Mapping[str, Tensor], two: Mapping[str, Tensor]) -> bool:
    return one.keys() != two.keys() or any(not torch.equal(one[k], two[k]) for k in one)


CHANGES: dict[str, Any] = {
    "optimizer": "sgd", "rate": 0.02, "weight_decay": 0.5, "warm_up": 5,
    "epochs": 3, "entropy": 3.0, "clip": 0.1, "average": 0.2, "gain": 1.1, "pieces": 0.9,
    "extra_copy": True, "bf16": True, "seed": 1, "anneal": 4, "windows": ((16, 16, 24),),
    "batch": 1, "shows": 3, "naming": 2.0, "lesions": 0.5,
    "learns": "down_blocks.",
    "architecture": dataclasses.replace(PLAN, up=(1, 0)),
}  # fmt: skip
SETTLED_LATER = {"name", "redraw", "threshold", "yielding", "mirrored"}  # of the model
OF_THE_GRID = {"spacing_mm", "shape"}  # where patients lie before they come here
OF_THE_PAPER = {"momentum", "scaling"}


@pytest.fixture(scope="module")
def expected(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Tensor]:
    return weights_of(BODY, tmp_path_factory.mktemp("run"))


def test_the_same_recipe_gives_the_same_weights(
    expected: Mapping[str, Tensor], tmp_path: Path
) -> None:
    assert not differ(weights_of(BODY, tmp_path), expected)


@pytest.mark.parametrize("key", sorted(CHANGES))
def test_each_hyper_parameter_changes_the_weights(
    key: str, expected: Mapping[str, Tensor], tmp_path: Path
) -> None:
    changed = dataclasses.replace(BODY, **{key: CHANGES[key]})
    assert differ(weights_of(changed, tmp_path), expected)


def test_momentum_and_scaling_change_the_paper_s_weights(tmp_path: Path) -> None:
    plain = weights_of(VNET, tmp_path / "plain")
    for name, change in (("momentum", 0.5), ("scaling", "log"), ("warm_up", 4), ("average", 0.9)):
        given: dict[str, Any] = {name: change}
        changed = dataclasses.replace(VNET, **given)
        assert differ(weights_of(changed, tmp_path / name), plain), name


def test_no_hyper_parameter_is_forgotten_here() -> None:
    known = set(CHANGES) | SETTLED_LATER | OF_THE_GRID | OF_THE_PAPER
    assert {f.name for f in dataclasses.fields(Recipe)} == known


def test_what_is_validated_and_kept_is_the_running_mean(tmp_path: Path) -> None:
    run = train(Some(BODY), tmp_path, BODY)
    kept = read_model(tmp_path)[0]
    assert not differ(kept, run.mean)
    assert differ(kept, run.net.state_dict())


def test_a_resumed_run_is_the_run_uninterrupted(
    expected: Mapping[str, Tensor], tmp_path: Path
) -> None:
    one = dataclasses.replace(BODY, anneal=0)
    whole = weights_of(one, tmp_path / "whole")
    train(Some(one), tmp_path / "cut", dataclasses.replace(one, epochs=1))
    resumed = train(Some(one), tmp_path / "cut", one, resume=True)
    assert not differ(resumed.weights(), whole)
    assert resumed.step == 8


def test_a_training_begins_with_weights_that_are_there(tmp_path: Path) -> None:
    first = Run(BODY).net.state_dict()
    still = dataclasses.replace(BODY, rate=0.0, epochs=1)
    begun = {k: v + 1 for k, v in first.items()}
    run = train(Some(still), tmp_path, still, begin=begun)
    assert not differ(run.net.state_dict(), begun)
    assert not differ(run.weights(), begun)


@pytest.mark.parametrize(("fine", "ct"), [(0, 0), (5, 0), (0, 4), (5, 4)])
def test_a_wider_network_begins_as_the_narrower_one(fine: int, ct: int) -> None:
    torch.manual_seed(1)
    small = BodyPlan(3, (4, 6, 5), (1, 1, 2), (1, 1))
    wide = BodyPlan(3, (7, 6, 9), (1, 1, 2), (1, 1), fine=fine, ct=ct)
    narrow = network_of(small)
    for value in narrow.parameters():
        torch.nn.init.normal_(value, 0.0, 0.2)
    run = Run(dataclasses.replace(BODY, architecture=wide))
    drawn = {k: v.clone() for k, v in run.net.state_dict().items()}
    run.begin(narrow.state_dict())
    image = torch.rand(2, 3, 16, 8, 24)
    image[:, -1] = (image[:, -1] > 0.3).float()
    scan = torch.cat([torch.rand(2, 2 * (ct > 0), 16, 8, 24), image], 1)  # its CT before it
    with torch.inference_mode():
        for one, two in zip(run.net(scan), narrow(image), strict=True):
            assert one.std() > 0.1
            torch.testing.assert_close(one, two, atol=1e-4, rtol=1e-4)
    # what is new is as it was drawn, so that it can learn
    new = run.net.state_dict()["enter.conv.weight"][4:]
    assert torch.equal(new, drawn["enter.conv.weight"][4:])
    assert new.std() > 0.01


def test_only_the_part_that_learns_is_changed(tmp_path: Path) -> None:
    """Images of which some have a CT: what it says is learnt, all else is left as it was."""
    recipe = dataclasses.replace(
        BODY, architecture=dataclasses.replace(PLAN, ct=4), learns="density.", epochs=1
    )
    first = {k: v.clone() for k, v in Run(recipe).net.state_dict().items()}
    run = train(Some(recipe), tmp_path, recipe)
    changed = {k for k, v in run.net.state_dict().items() if not torch.equal(v, first[k])}
    assert changed
    assert all(key.startswith("density.") for key in changed)
    assert {k for k, v in run.mean.items() if not torch.equal(v, first[k])} == changed
    with pytest.raises(UsageError, match="no part 'bottom'"):
        Run(dataclasses.replace(recipe, learns="bottom"))


@pytest.mark.parametrize("plan", [BodyPlan(3, (8, 4, 4), (1, 0, 1), (0, 0)), BodyPlan(3, (4, 4))])
def test_a_network_begins_as_no_wider_and_no_other_one(plan: BodyPlan) -> None:
    other = dataclasses.replace(plan, down=(1,) * plan.levels, up=(0,) * (plan.levels - 1))
    with pytest.raises(InputError, match="of another network"):
        Run(BODY).begin(network_of(other).state_dict())


@pytest.mark.parametrize("threads", [1, 3])
def test_batches_made_ahead_are_those_of_their_steps(
    threads: int, expected: Mapping[str, Tensor], tmp_path: Path
) -> None:
    run = train(Some(BODY), tmp_path, BODY, ahead=threads)
    assert not differ(run.weights(), expected)


@pytest.mark.parametrize("seed", range(6))
def test_a_window_s_aim_kept_is_the_aim_found_anew(seed: int) -> None:
    one = patient(seed)
    for alike in (False, True):
        cut = [
            part(some, (16, 8, 24), np.random.default_rng(seed), alike=alike)
            for some in (one, one.aimed())
        ]
        assert torch.equal(cut[0].suv, cut[1].suv)


def test_the_digital_checkpoint_of_the_first_version_is_loaded(tmp_path: Path) -> None:
    """`checkpoint.safetensors`: mean, net, optimizer, and a step as all that it tells."""
    run = Run(BODY)
    run.learn(batch_of([Lesson(patient(0), 0, 0), Lesson(patient(1), 1, 0)], BODY), 0.01)
    tensors = {f"mean.{k}": v.contiguous() for k, v in run.mean.items()}
    tensors |= {f"net.{k}": v.contiguous() for k, v in run.net.state_dict().items()}
    for k, state in run.optimizer.state_dict()["state"].items():
        tensors |= {f"optimizer.{k}.{n}": v.contiguous() for n, v in state.items()}
    save_file(tensors, tmp_path / "checkpoint.safetensors", {"step": "7"})
    again = Run(BODY)
    again.load(tmp_path / "checkpoint.safetensors")
    assert (again.step, again.epoch) == (7, 0)
    assert not differ(again.mean, run.mean)
    assert not differ(again.net.state_dict(), run.net.state_dict())


def test_the_cohort_checkpoint_of_the_first_version_is_loaded(tmp_path: Path) -> None:
    """`last.safetensors`: no running mean, no step, and a recipe that lacks what came later."""
    run = Run(VNET)
    run.learn(batch_of([Lesson(patient(0), 0, 0)], VNET))
    run.epoch = 3
    run.save(tmp_path / "now.safetensors", "ab")
    with safe_open(tmp_path / "now.safetensors", "pt") as file:
        told = file.metadata()
        tensors = {k: file.get_tensor(k) for k in file.keys() if not k.startswith("mean.")}  # noqa: SIM118
    import json

    from tmtv_engine.train.run import _content

    later = (
        "anneal",
        "windows",
        "batch",
        "shows",
        "naming",
        "lesions",
        "threshold",
        "mirrored",
        "learns",
    )
    recipe = {k: v for k, v in json.loads(told["recipe"]).items() if k not in (*later, "epochs")}
    told |= {"recipe": json.dumps(recipe, sort_keys=True), "sha256": _content(tensors)}
    told.pop("step")
    save_file(tensors, tmp_path / "then.safetensors", told)
    again = Run(VNET)
    again.load(tmp_path / "then.safetensors", "ab")
    assert again.epoch == 3
    assert not differ(again.net.state_dict(), run.net.state_dict())
    other = Run(dataclasses.replace(VNET, rate=1.0))
    with pytest.raises(InputError, match="other recipe"):
        other.load(tmp_path / "then.safetensors", "ab")


@pytest.mark.parametrize("seed", range(6))
def test_a_window_lies_in_the_body_and_all_arrays_lie_alike(seed: int) -> None:
    z, y = (torch.from_numpy(a.astype(np.float32)) for a in np.indices((40, 36, 34))[:2])
    suv = torch.zeros(40, 36, 34)
    suv[4:36, 6:30, 5:29] = 1.0
    prob = torch.zeros_like(suv)
    prob[30, 8, 27] = 1.0
    r = np.random.default_rng(seed)
    found = part(Patient(suv, z, prob, y), (16, 24, 32), r)
    assert found.suv.shape == (16, 24, 32)
    assert found.hu is not None
    assert found.structures is not None
    seen = found.suv > 0
    assert seen.any(dim=2).any(dim=1).sum() >= 14  # along z the body is longer: its mask's rim
    assert seen.any(dim=1).any(dim=0).sum() == 24  # along x it is narrower: all of it
    assert (found.hu[seen].diff().abs() <= 16).all()
    column = found.hu[:, seen.any(dim=0).any(dim=1).nonzero()[0, 0], 16]
    assert (column.diff() == 1).all()


def test_half_of_the_windows_hold_disease() -> None:
    suv = torch.ones(80, 40, 40)
    prob = torch.zeros_like(suv)
    prob[3, 20, 20] = 1.0
    hits = [
        bool(part(Patient(suv, None, prob), (16, 40, 40), np.random.default_rng(s)).prob.any())
        for s in range(200)
    ]
    assert 0.45 < np.mean(hits) < 0.75  # half, and by chance some of the others


def test_what_does_not_fill_a_step_is_left_out() -> None:
    lessons = [Lesson(patient(0), k, 0) for k in range(5)]
    assert [len(group) for group in steps_of(lessons, BODY)] == [2, 2]
    assert [len(group) for group in steps_of(lessons[:1], BODY)] == [1]


def test_rare_structures_count_more() -> None:
    """Wrong about the one voxel of a rare structure costs more than about one of a frequent one."""
    labels = torch.zeros(1, 1, 10, 20, dtype=torch.uint8)
    labels[..., 0, 0] = 1
    right = torch.nn.functional.one_hot(labels.long(), 3).movedim(-1, 1).float() * 8
    inside = torch.ones(1, 1, 10, 20)
    losses = []
    for y in (0, 5):
        wrong = right.clone()
        wrong[0, :, 0, y, 0] = torch.tensor([0.0, 0.0, 8.0])
        losses.append(float(naming_loss(wrong, labels, inside)))
    assert losses[0] > 1.8 * losses[1]
    assert float(naming_loss(right, labels, torch.zeros_like(inside))) == 0.0


def by_number(lessons: Sequence[Lesson]) -> list[Lesson]:
    """In the order of the seeds, each epoch shows them in its own."""
    return sorted(lessons, key=lambda lesson: (lesson.number, lesson.showing))


def test_digital_patients_are_the_same_for_the_same_epoch(tmp_path: Path) -> None:
    recipe = dataclasses.replace(
        BODY, architecture=BodyPlan(3, (4, 4, 4), (0, 0, 0), (0, 0)), epochs=1, spacing_mm=16.0
    )
    source = DigitalSource(recipe, patients=2, workers=0)
    ahead = [source.lessons(0), source.lessons(1)][1]
    alone = DigitalSource(recipe, patients=2, workers=0).lessons(1)
    for one, two in zip(ahead, alone, strict=True):
        assert isinstance(one.patient, Patient)
        assert isinstance(two.patient, Patient)
        assert torch.equal(one.patient.suv, two.patient.suv)
    kinds = {one.patient.hu is None for one in alone if isinstance(one.patient, Patient)}
    assert True in kinds  # half have no CT; those that a CT's part learns from have one each
    dense = dataclasses.replace(recipe, learns="density.")
    for one in DigitalSource(dense, patients=2, workers=0).lessons(1):
        assert isinstance(one.patient, Patient)
        assert one.patient.hu is not None
    later = DigitalSource(recipe, patients=2, workers=0, first_seed=1_000_002).lessons(0)
    for one, two in zip(by_number(later), by_number(alone), strict=True):
        assert isinstance(one.patient, Patient)
        assert isinstance(two.patient, Patient)
        assert torch.equal(one.patient.suv, two.patient.suv)
    with pytest.raises(UsageError, match="999999"):
        DigitalSource(recipe, first_seed=999_999)
    train(DigitalSource(recipe, patients=2, workers=0), tmp_path / "run", recipe)
    export(tmp_path / "run", tmp_path / "out", threshold=0.3)
    _, kept, record = read_model(tmp_path / "out")
    assert kept.threshold == 0.3
    assert record["trained_on"] == DRAWN
    assert record["seeds"] == [1_000_000, 1_000_001]
    assert record["structures"] == [row.name for row in STRUCTURES]
    assert load_model(tmp_path / "out", "cpu").record["name"] == "vnet"


def test_weights_that_are_not_the_architecture_s_are_refused(tmp_path: Path) -> None:
    from tmtv_engine.model.checkpoint import write_model

    other = network_of(dataclasses.replace(PLAN, channels=(8, 8, 8))).state_dict()
    write_model(tmp_path, other, BODY, name="x", trained_on="nothing")
    with pytest.raises(InputError, match="not its architecture's"):
        load_model(tmp_path, "cpu")


def test_each_lesion_weighs_the_same_whatever_its_size() -> None:
    target = np.zeros((2, 1, 3, 4, 5), np.float32)
    target[0, 0, 0, :2, :3] = 1.0  # six voxels
    target[0, 0, 2, 3, 4] = 0.5  # one, at the threshold
    target[1, 0, 1, 2:4, 0] = (0.75, 0.49)  # one: the other is below it
    share = lesion_shares(target)
    assert share[0, 0, 0, 1, 2] == pytest.approx(1 / 18)
    assert share[0, 0, 2, 3, 4] == share[1, 0, 1, 2, 0] == pytest.approx(1 / 3)
    assert share[target < 0.5].max() == 0
    assert share.sum() == pytest.approx(1.0)
    none = torch.zeros(1, 1, 2, 2, 2)
    assert float(lesion_loss(none - 3, none, torch.from_numpy(lesion_shares(none.numpy())))) == 0.0
    # logit 0: log 2 a voxel, by hand; only what is missed in lesions counts
    loss = lesion_loss(torch.zeros(target.shape), torch.from_numpy(target), torch.from_numpy(share))
    assert float(loss) == pytest.approx(math.log(2), rel=1e-6)
