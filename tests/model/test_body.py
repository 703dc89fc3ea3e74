"""Place comes from the body: margins, matrices and moves change nothing in the answer."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from tmtv_engine.image.volume import Grid, Unit, Volume
from tmtv_engine.model.body import body_grid, body_mask, laid
from tmtv_engine.model.bodynet import BodyNet
from tmtv_engine.model.infer import NetworkSegmenter
from tmtv_engine.model.plans import BodyPlan
from tmtv_engine.model.recipes import RECIPES
from tmtv_engine.model.segmenter import Prediction
from tmtv_engine.phantom.draw import draw_patient

SAME = 1e-5  # of a probability: what rounding leaves
SPACING = (4.0, 5.0, 3.0)
Float = npt.NDArray[np.float32]


@pytest.fixture(scope="module")
def untrained() -> NetworkSegmenter:
    """The network with weights by chance, loud enough that every voxel differs."""
    torch.manual_seed(5)
    recipe = RECIPES["body-ct"]
    assert isinstance(recipe.architecture, BodyPlan)
    net = BodyNet(recipe.architecture)
    assert net.density is not None
    for head in (net.tumour, net.structure, net.density.heads):
        torch.nn.init.normal_(head.weight, 0.0, 1.0)
    record = {"name": "untrained", "sha256": "0", "trained_on": "nothing"}
    return NetworkSegmenter(net, recipe, record, torch.device("cpu"))


def person(seed: int, shape: tuple[int, int, int] = (70, 44, 66)) -> Float:
    """A warm body amid air, lumpy and unlike its mirror image, away from the image's border."""
    r = np.random.default_rng(seed)
    z, y, x = np.indices(shape)
    inside = ((y - 22) / 14) ** 2 + ((x - 33) / 24) ** 2 < 1
    inside &= (z > 4) & (z < shape[0] - 5)
    suv = np.where(inside, r.gamma(2.0, 1.0, shape), 0.0).astype(np.float32)
    suv[20:30, 15:22, 40:50] *= 8
    return suv


def answer(
    segment: NetworkSegmenter,
    suv: Float,
    origin: tuple[float, ...] = (0, 0, 0),
    ct: Volume | None = None,
) -> Float:
    grid = Grid.axial(suv.shape, SPACING, origin)  # type: ignore[arg-type]
    found: Prediction = segment.plain(Volume(suv, grid, Unit.SUV), ct)
    assert found.naming is not None
    return np.asarray(found.probability.array)


@settings(max_examples=8, deadline=None)
@given(
    before=st.tuples(*[st.integers(0, 21)] * 3),
    after=st.tuples(*[st.integers(0, 21)] * 3),
    seed=st.integers(0, 3),
)
def test_air_on_any_side_and_a_wider_matrix_change_nothing(
    untrained: NetworkSegmenter,
    before: tuple[int, int, int],
    after: tuple[int, int, int],
    seed: int,
) -> None:
    """Up to 84 mm above the head, 105 mm before, 63 mm beside: whole and half strides."""
    suv = person(seed)
    expected = answer(untrained, suv)
    assert np.ptp(expected) > 0.2
    padded = np.pad(suv, list(zip(before, after, strict=True)))
    inner = tuple(slice(a, a + n) for a, n in zip(before, suv.shape, strict=True))
    assert np.abs(answer(untrained, padded)[inner] - expected).max() < SAME


@settings(max_examples=5, deadline=None)
@given(place=st.tuples(*[st.floats(-900, 900)] * 3))
def test_a_body_elsewhere_in_the_scanner_is_the_same_body(
    untrained: NetworkSegmenter, place: tuple[float, float, float]
) -> None:
    expected = answer(untrained, person(1))
    assert np.abs(answer(untrained, person(1), place) - expected).max() < SAME


def test_a_mirrored_scan_has_the_mirrored_answer(untrained: NetworkSegmenter) -> None:
    expected = answer(untrained, person(2))
    mirrored = answer(untrained, np.ascontiguousarray(person(2)[:, :, ::-1]))
    assert np.abs(mirrored[:, :, ::-1] - expected).max() < SAME


def scan(suv: Float, first: int = 0, origin: tuple[float, ...] = (0, 0, 0)) -> Volume:
    """A CT on a grid of its own, from the PET's row ``first`` on: denser where it takes up more."""
    hu = np.where(suv > 0, 20 * suv - 40, -1000).astype(np.float32)[:, first:]
    x, y, z = origin
    grid = Grid.axial(hu.shape, SPACING, (x, y + first * SPACING[1], z))  # type: ignore[arg-type]
    return Volume(hu, grid, Unit.HU)


def test_a_ct_s_own_matrix_and_place_change_nothing_but_its_density_does(
    untrained: NetworkSegmenter,
) -> None:
    """The body begins in row 8: a field that begins in row 4 shows all of it."""
    suv = person(3)
    plain, seen = answer(untrained, suv), answer(untrained, suv, ct=scan(suv))
    assert np.abs(seen - plain).max() > 0.2
    assert np.abs(answer(untrained, suv, ct=scan(suv, 4)) - seen).max() < SAME
    far = (-411.3, 77.7, 1205.1)
    assert np.abs(answer(untrained, suv, far, scan(suv, 4, far)) - seen).max() < 10 * SAME
    air = scan(suv).with_array(np.full(suv.shape, -1000, np.float32))
    assert np.array_equal(answer(untrained, suv, ct=air), plain)


def test_legs_that_are_cut_off_change_only_what_lies_near(untrained: NetworkSegmenter) -> None:
    """Beyond the reach of the convolutions nothing differs; nothing is read from a border."""
    suv = person(3, (300, 44, 66))
    whole, cut = answer(untrained, suv), answer(untrained, suv[40:])
    # head, where the grid is laid from, is the last slice: 800 mm above the cut
    assert np.abs(cut[-40:] - whole[-40:]).max() < 0.02
    assert np.abs(cut - whole[40:]).max() > 1e-4


def test_scattered_counts_are_no_body(untrained: NetworkSegmenter) -> None:
    """A few hot voxels in the air, as between two beds, do not move the grid."""
    suv = person(0)
    noisy = np.pad(suv, ((0, 30), (0, 0), (0, 0)))
    noisy[90, 3, 5:9] = 3.0
    expected = answer(untrained, suv)
    assert np.abs(answer(untrained, noisy)[:66] - expected[:66]).max() < SAME


def test_a_digital_patient_moved_and_padded_keeps_its_answer(untrained: NetworkSegmenter) -> None:
    patient = draw_patient(7, spacing_mm=8.0)
    suv = np.asarray(patient.suv.array)
    spacing = patient.suv.grid.spacing_mm

    def ask(array: Float) -> Float:
        grid = Grid.axial(array.shape, spacing, (11.0, -7.0, 3.0))  # type: ignore[arg-type]
        return np.asarray(untrained.plain(Volume(array, grid, Unit.SUV)).probability.array)

    expected = ask(suv)
    for move in ((8, 0, 0), (1, 3, 2), (4, 8, 16)):  # air above 64 mm, half strides, whole ones
        padded = np.pad(suv, [(0, move[0]), (move[1], 0), (move[2], 5)])
        n = suv.shape
        inner = padded[: n[0], move[1] :, move[2] : move[2] + n[2]]
        assert (inner == suv).all()
        found = ask(padded)[: n[0], move[1] :, move[2] : move[2] + n[2]]
        assert np.abs(found - expected).max() < SAME


def test_the_grid_has_head_back_and_midline_in_one_phase() -> None:
    """Longer legs, a deeper belly and wider arms leave the other ends where they are."""
    suv = np.zeros((100, 60, 90), np.float32)
    suv[20:80, 20:40, 30:60] = 1.0
    grids = []
    for more in (0, 7):
        suv[20 - more : 80, 20 - more : 40, 30 - more : 60 + more] = 1.0
        volume = Volume(suv.copy(), Grid.axial(suv.shape, SPACING), Unit.SUV)
        grids.append(body_grid(volume, 8.0, 8))
    one, two = grids
    assert all(n % 8 == 0 for n in (*one.shape, *two.shape))
    high = [g.to_mm(np.array(g.shape) - 1) for g in grids]
    assert high[0][1:] == pytest.approx(high[1][1:])  # back and head
    middle = [(g.to_mm([0, 0, 0])[0] + h[0]) / 2 for g, h in zip(grids, high, strict=True)]
    assert middle[0] == pytest.approx(middle[1]) == pytest.approx(44.5 * 3.0)
    assert one.shape[2] % 16 == two.shape[2] % 16 == 0


def test_an_image_without_a_body_is_all_body() -> None:
    volume = Volume(np.zeros((20, 30, 40), np.float32), Grid.axial((20, 30, 40), SPACING), Unit.SUV)
    grid = body_grid(volume, 8.0, 8)
    assert all(
        n * 8 >= size * step
        for n, size, step in zip(grid.shape, (20, 30, 40), SPACING, strict=True)
    )


def test_an_oblique_image_is_covered() -> None:
    turn = np.eye(4)
    turn[:2, :2] = [[0.8, -0.6], [0.6, 0.8]]
    grid = Grid((20, 30, 40), turn @ Grid.axial((20, 30, 40), SPACING).affine)
    suv = np.ones(grid.shape, np.float32)
    found = laid(Volume(suv, grid, Unit.SUV), body_grid(Volume(suv, grid, Unit.SUV), 8.0, 8))
    assert found.sum() * 0.512 == pytest.approx(20 * 30 * 40 * grid.voxel_ml, rel=0.02)


def test_a_voxel_of_the_grid_is_the_mean_of_what_lies_in_it() -> None:
    fine = np.random.default_rng(0).random((16, 16, 16)).astype(np.float32)
    volume = Volume(fine, Grid.axial(fine.shape, (4.0, 4.0, 4.0), (2.0, 2.0, 2.0)), Unit.SUV)
    coarse = laid(volume, Grid.axial((8, 8, 8), (8.0, 8.0, 8.0), (4.0, 4.0, 4.0)))
    assert coarse == pytest.approx(fine.reshape(8, 2, 8, 2, 8, 2).mean(axis=(1, 3, 5)), abs=1e-6)


def test_the_mask_reaches_two_voxels_beyond_the_body() -> None:
    suv = torch.zeros(1, 1, 9, 9, 11)
    suv[0, 0, 4, 4, 5] = 3.0
    found = torch.nonzero(body_mask(suv)[0, 0])
    assert found.amin(0).tolist() == [2, 2, 3]
    assert found.amax(0).tolist() == [6, 6, 7]
