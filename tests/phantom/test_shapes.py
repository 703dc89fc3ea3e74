"""The statistic of real bodies: small, sourced, and the measure of what is drawn without maps."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch

from tests.phantom.test_anatomies import made_map
from tmtv_engine.lesion.structures import LABELS
from tmtv_engine.phantom.draw import draw_tensors
from tmtv_engine.phantom.fit import fit
from tmtv_engine.phantom.organmap import OrganMap
from tmtv_engine.phantom.pose import LANDMARKS_MM, Proportions
from tmtv_engine.phantom.shapes import FILE, draw_proportions, measured, typical

PUBLISHED_ML = {  # 5th, 50th, 95th percentile of 97 maps
    "kidney": (231, 317, 439),
    "heart": (435, 633, 866),
    "liver": (1151, 1639, 2451),
    "spleen": (99, 235, 572),
    "stomach": (133, 403, 654),
}


def test_it_is_a_few_kilobytes_and_says_where_it_is_from() -> None:
    assert FILE.stat().st_size < 10_000
    told = json.loads(FILE.read_text("utf-8"))
    assert "Apache-2.0" in told["source"]
    assert len(told["fingerprint"]) == 64
    assert len(told["mean"]) == len(told["rest"]) == len(told["lengths"])
    assert {len(way) for way in told["ways"]} == {len(told["lengths"])}


def test_bodies_vary_about_the_typical_one() -> None:
    drawn = [draw_proportions(np.random.default_rng(s)) for s in range(200)]
    for name, (centre, radii) in typical().organs.items():
        own = np.array([d.organs[name][0] for d in drawn])
        assert np.allclose(own.mean(axis=0), centre, atol=4), name
        sizes = np.array([d.organs[name][1] for d in drawn])
        assert np.allclose(np.log(sizes).mean(axis=0), np.log(radii), atol=0.08), name
    assert all((np.diff(d.heights_mm) > 0).all() for d in drawn)
    bladder = np.array([d.organs["bladder"][1] for d in drawn]).prod(axis=1)
    assert np.percentile(bladder, 95) / np.percentile(bladder, 5) > 3


def _ml(body: Proportions, name: str) -> float:
    """What the organ's ellipsoids hold on the person, whose heights stretch the drawing's."""
    whole = 0.0
    for key, ((_, _, z), radii) in body.organs.items():
        if key.split()[0] == name:
            ends = np.interp((z - 15, z + 15), LANDMARKS_MM, body.heights_mm)
            scale = body.axis[3, 0] * body.axis[4, 0] * (ends[1] - ends[0]) / 30
            whole += float(4 / 3 * np.pi * np.prod(radii) * scale / 1000)
    return whole


@pytest.mark.parametrize("name", sorted(PUBLISHED_ML))
def test_organs_are_as_large_as_in_the_people_measured(name: str) -> None:
    """The published percentiles, of other maps of the same kind: the middle, and the ends."""
    rows = [_ml(draw_proportions(np.random.default_rng(s)), name) for s in range(400)]
    got, told = np.percentile(rows, (5, 50, 95)), PUBLISHED_ML[name]
    assert got[1] == pytest.approx(told[1], rel=0.3)
    assert 0.5 * told[0] < got[0] < told[1]
    assert told[1] < got[2] < 1.5 * told[2]


def test_a_map_measures_as_it_was_made() -> None:
    organs = OrganMap.of("a", _with_glands(), (4.0, 4.0, 4.0))
    fitted = fit(organs, np.random.default_rng(0))
    assert fitted is not None
    lengths = measured(organs, fitted)
    assert lengths is not None
    assert np.exp(lengths["heart a"]) * fitted.axis[3, 0] == pytest.approx(52, rel=0.06)
    assert np.exp(lengths["heart b"]) * fitted.axis[4, 0] == pytest.approx(44, rel=0.06)
    across = (lengths["kidney left x"] - lengths["kidney right x"]) * float(fitted.axis[3, 0])
    assert across == pytest.approx(120, abs=4)
    step = lengths["height lung"] - lengths["height liver"]
    assert step == pytest.approx((120 - 76) * 4, abs=3)


def _with_glands() -> np.ndarray:
    labels = made_map()
    labels[172:180, 20:28, 20:54] = 10
    return labels


def test_drawn_organs_are_where_the_statistic_has_them() -> None:
    torch.set_num_threads(1)
    for seed in (4, 9):
        drawn = draw_tensors(seed)
        own = drawn.person.proportions
        assert own is not None
        names = drawn.structures.numpy()
        z, _, x = (np.argwhere(names == LABELS["liver"]).mean(axis=0) * 8).tolist()
        hz, _, hx = (np.argwhere(names == LABELS["heart"]).mean(axis=0) * 8).tolist()
        side = np.sign(drawn.person.pose.scale[0])
        apart = own.organs["heart"][0][0] - own.organs["liver"][0][0]
        assert hx - x == pytest.approx(side * apart * own.axis[3, 1], abs=35)
        at = dict(zip(("liver", "heart"), own.heights_mm[4:6].tolist(), strict=True))
        assert hz - z == pytest.approx(at["heart"] - at["liver"], abs=35)
