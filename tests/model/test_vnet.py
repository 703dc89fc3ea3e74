"""The network: its size, its shapes, its losses."""

from __future__ import annotations

import pytest
import torch

from tmtv_engine.model.plans import COARSE, PAPER, Architecture
from tmtv_engine.model.vnet import VNet, parameter_count
from tmtv_engine.train.loss import dice_and_entropy, soft_dice_loss

SMALL = Architecture(2, 4, 3, (1, 2, 2), norm=False, dropout=0.2)


def test_the_papers_network_has_eleven_million_parameters() -> None:
    assert parameter_count(VNet(PAPER)) == pytest.approx(11e6, rel=0.05)


def test_the_coarse_network_fits_the_package() -> None:
    assert parameter_count(VNet(COARSE)) < 2e6


def test_logits_keep_the_images_shape() -> None:
    assert VNet(SMALL)(torch.zeros(2, 2, 8, 12, 4)).shape == (2, 1, 8, 12, 4)


def test_extents_that_cannot_be_halved_are_refused() -> None:
    with pytest.raises(ValueError, match="multiples of 4"):
        VNet(SMALL)(torch.zeros(1, 2, 6, 8, 8))


def test_every_parameter_learns() -> None:
    torch.manual_seed(0)
    net = VNet(SMALL)
    net(torch.rand(1, 2, 8, 8, 8)).square().mean().backward()
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in net.parameters())


def test_soft_dice_of_known_numbers() -> None:
    one = torch.tensor([0.5, 1.0, 0.0, 0.0]).reshape(1, 1, 1, 2, 2)
    two = torch.tensor([1.0, 0.5, 0.25, 0.0]).reshape(1, 1, 1, 2, 2)
    # 2·(0.5 + 0.5) = 2 over (1.25 + 1.3125); with the smoothing of 1: 3 / 3.5625
    assert soft_dice_loss(one, two).item() == pytest.approx(1 - 3 / 3.5625)
    assert soft_dice_loss(one, two, 0.0).item() == pytest.approx(1 - 2 / 2.5625)


def test_nothing_found_where_nothing_is_costs_nothing() -> None:
    empty = torch.zeros(1, 1, 2, 2, 2)
    assert soft_dice_loss(empty, empty).item() == 0


def test_a_healthy_patient_counts_by_the_cross_entropy_only() -> None:
    logits, empty = torch.zeros(1, 1, 2, 2, 2), torch.zeros(1, 1, 2, 2, 2)
    assert dice_and_entropy(logits, empty, 20.0).item() == pytest.approx(20 * 0.693147, abs=1e-4)
