"""The body's network: shapes, folding, air, and that nothing is a statistic of the image."""

from __future__ import annotations

import pytest
import torch

from tmtv_engine.lesion.structures import STRUCTURES
from tmtv_engine.model.bodynet import NONE, BodyNet, folded, unfolded
from tmtv_engine.model.plans import BodyPlan
from tmtv_engine.model.vnet import parameter_count

SMALL = BodyPlan(3, (4, 6, 8), (1, 1, 1), (1, 1), 5)


def _image() -> torch.Tensor:
    torch.manual_seed(1)
    image = torch.rand(2, 3, 16, 24, 8)
    image[:, -1] = 0
    image[:, -1, 2:12, 4:20, 1:7] = 1
    return image * image[:, -1:]


def test_it_tells_tumour_on_every_voxel_and_structures_on_voxels_twice_as_wide() -> None:
    tumour, names = BodyNet(SMALL)(_image())
    assert tumour.shape == (2, 1, 16, 24, 8)
    assert names.shape == (2, 5, 8, 12, 4)
    with pytest.raises(ValueError, match="not multiples of 8"):
        BodyNet(SMALL)(torch.zeros(1, 3, 16, 20, 8))


def test_the_bundled_plan_fits_the_table_and_the_package() -> None:
    assert BodyPlan().structures == len(STRUCTURES)
    assert 2 * parameter_count(BodyNet(BodyPlan())) < 25e6  # bytes, in half precision


def test_folding_is_undone_and_keeps_neighbours_together() -> None:
    x = torch.rand(2, 3, 4, 6, 8)
    assert torch.equal(unfolded(folded(x)), x)
    one = folded(x)[1, :, 1, 2, 3].reshape(3, 2, 2, 2)
    assert torch.equal(one, x[1, :, 2:4, 4:6, 6:8])


def test_air_is_no_tumour_and_says_nothing_to_the_body() -> None:
    image, net = _image(), BodyNet(SMALL)
    tumour, _ = net(image)
    outside = image[:, -1:] == 0
    assert (tumour[outside] == NONE).all()
    assert (tumour[~outside] > NONE).all()
    wider = torch.nn.functional.pad(image, (8, 16, 0, 8, 8, 0))
    found = net(wider)[0][:, :, 8:, :24, 8:16]
    assert torch.allclose(found, tumour, atol=1e-5)


def test_one_image_is_answered_alone_as_beside_another() -> None:
    image, net = _image(), BodyNet(SMALL)
    assert torch.allclose(net(image)[0][:1], net(image[:1])[0], atol=1e-5)
