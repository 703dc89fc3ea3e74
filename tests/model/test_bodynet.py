"""The body's network: shapes, folding, air, and that nothing is a statistic of the image."""

from __future__ import annotations

import pytest
import torch

from tmtv_engine.lesion.structures import STRUCTURES
from tmtv_engine.model.bodynet import NONE, BodyNet, folded, unfolded
from tmtv_engine.model.plans import BodyPlan
from tmtv_engine.model.vnet import parameter_count

SMALL = BodyPlan(3, (4, 6, 8), (1, 1, 1), (1, 1), 5)
FINE = BodyPlan(3, (4, 6, 8), (1, 1, 1), (1, 1), 5, fine=3)
DENSE = BodyPlan(3, (4, 6, 8), (1, 1, 1), (1, 1), 5, fine=3, ct=4)
both = pytest.mark.parametrize("plan", [SMALL, FINE, DENSE], ids=["folded", "fine", "dense"])


def _net(plan: BodyPlan) -> BodyNet:
    """A network whose every part has something to say."""
    net = BodyNet(plan)
    if net.fine is not None:
        torch.nn.init.normal_(net.fine.last.weight, 0.0, 0.5)
    if net.density is not None:
        for drawn in net.density.heads.parameters():
            torch.nn.init.normal_(drawn, 0.0, 0.5)
    return net


def _image() -> torch.Tensor:
    torch.manual_seed(1)
    image = torch.rand(2, 3, 16, 24, 8)
    image[:, -1] = 0
    image[:, -1, 2:12, 4:20, 1:7] = 1
    return image * image[:, -1:]


@both
def test_it_tells_tumour_on_every_voxel_and_structures_on_voxels_twice_as_wide(
    plan: BodyPlan,
) -> None:
    tumour, names = _net(plan)(_image())
    assert tumour.shape == (2, 1, 16, 24, 8)
    assert names.shape == (2, 5, 8, 12, 4)
    with pytest.raises(ValueError, match="not multiples of 8"):
        _net(plan)(torch.zeros(1, 3, 16, 20, 8))


def test_the_bundled_plan_fits_the_table_and_the_package() -> None:
    assert BodyPlan().structures == len(STRUCTURES)
    assert 2 * parameter_count(BodyNet(BodyPlan())) < 25e6  # bytes, in half precision


def test_folding_is_undone_and_keeps_neighbours_together() -> None:
    x = torch.rand(2, 3, 4, 6, 8)
    assert torch.equal(unfolded(folded(x)), x)
    one = folded(x)[1, :, 1, 2, 3].reshape(3, 2, 2, 2)
    assert torch.equal(one, x[1, :, 2:4, 4:6, 6:8])


@both
def test_air_is_no_tumour_and_says_nothing_to_the_body(plan: BodyPlan) -> None:
    image, net = _image(), _net(plan)
    tumour, _ = net(image)
    outside = image[:, -1:] == 0
    assert (tumour[outside] == NONE).all()
    assert (tumour[~outside] > NONE).all()
    wider = torch.nn.functional.pad(image, (8, 16, 0, 8, 8, 0))
    found = net(wider)[0][:, :, 8:, :24, 8:16]
    assert torch.allclose(found, tumour, atol=1e-5)


@both
def test_one_image_is_answered_alone_as_beside_another(plan: BodyPlan) -> None:
    image, net = _image(), _net(plan)
    assert torch.allclose(net(image)[0][:1], net(image[:1])[0], atol=1e-5)


def _ct(image: torch.Tensor) -> torch.Tensor:
    return torch.rand(len(image), 2, *image.shape[2:]) * image[:, -1:]


def test_a_ct_changes_both_answers_and_one_of_air_alone_is_none() -> None:
    net, image = _net(DENSE), _image()
    ct = _ct(image)
    ct[1] = 0
    plain, seen = net(image), net(torch.cat([ct, image], 1))
    for without, beside in zip(plain, seen, strict=True):
        assert (without[0] - beside[0]).abs().max() > 0.1
        assert torch.equal(without[1], beside[1])


def test_air_round_a_body_with_its_ct_changes_nothing_either() -> None:
    net, image = _net(DENSE), _image()
    scan = torch.cat([_ct(image), image], 1)
    wider = torch.nn.functional.pad(scan, (8, 16, 0, 8, 8, 0))
    tumour, names = net(scan)
    far, told = net(wider)
    assert torch.allclose(far[:, :, 8:, :24, 8:16], tumour, atol=1e-5)
    assert torch.allclose(told[:, :, 4:, :12, 4:8], names, atol=1e-5)


def test_the_finer_look_tells_a_voxel_from_its_neighbours_in_the_same_folded_voxel() -> None:
    """Uptake in one of eight voxels moves tumour's logit by what the finer look adds, there most.

    Its weights are set by hand: it hands through the first channel of a voxel itself.
    """
    net = _net(FINE)
    assert net.fine is not None
    with torch.no_grad():
        for value in net.parameters():
            value.zero_()
        net.fine.seen.conv.weight[0, 0, 1, 1, 1] = 2.0
        net.fine.last.weight[0, 0] = 3.0
    image = torch.zeros(1, 3, 8, 8, 8)
    image[:, -1], image[0, 0, 3, 4, 5] = 1, 0.5
    tumour, _ = net(image)
    assert tumour[0, 0, 3, 4, 5] == 3.0
    assert tumour.abs().sum() == 3.0
