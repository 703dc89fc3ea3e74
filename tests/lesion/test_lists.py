"""Lesions as voxel lists, and the 1 mL sphere against published and closed-form values."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tmtv_engine.errors import CaseError, GeometryError
from tmtv_engine.image.volume import Array, Grid, Unit, Volume
from tmtv_engine.lesion.lists import SPHERE_RADIUS_MM, Lesions, from_labels, sphere_means

SHAPE, SPACING = (7, 11, 13), (4.0, 3.0, 2.0)


def _volumes(labels: Array, suv: Array | None = None) -> tuple[Volume, Volume]:
    grid = Grid.axial(labels.shape, SPACING, (-5.0, 7.0, 100.0))
    image = np.arange(labels.size, dtype=np.float32).reshape(labels.shape) if suv is None else suv
    return Volume(labels, grid, Unit.LABEL), Volume(image, grid, Unit.SUV)


@pytest.fixture
def three() -> Lesions:
    """Lesions 2, 300 and 70000, the last in two pieces."""
    labels = np.zeros(SHAPE, np.int32)
    labels[6, 10, 10:] = 2
    labels[0, :2, 0] = 300
    labels[3, 4, 5] = labels[1, 1, 1] = 70000
    return from_labels(*_volumes(labels))


def test_voxels_lie_lesion_by_lesion_in_raster_order(three: Lesions) -> None:
    assert three.ids.tolist() == [2, 300, 70000]
    assert three.components.tolist() == [2, 300, 70000]
    assert three.starts.tolist() == [0, 3, 5, 7]
    flat = [np.ravel_multi_index(p, SHAPE) for p in [(6, 10, 10), (0, 0, 0), (1, 1, 1)]]
    assert [three.voxels[s] for s in three.starts[:-1]] == flat
    assert np.array_equal(three.suv, three.voxels.astype(np.float32))
    assert three.index(1).tolist() == [[0, 0, 0], [0, 1, 0]]
    assert three.owner.tolist() == [0, 0, 0, 1, 1, 2, 2]


def test_the_label_map_comes_back(three: Lesions) -> None:
    labels = three.labels()
    assert labels.array.dtype == np.uint32
    assert labels.array[1, 1, 1] == 70000
    again = from_labels(labels, _volumes(np.zeros(SHAPE, np.int32))[1])
    assert np.array_equal(again.voxels, three.voxels)
    assert np.array_equal(again.peak, three.peak)
    assert three.take([1, 0]).labels().array.dtype == np.uint16


def test_taking_rows_keeps_numbers(three: Lesions) -> None:
    taken = three.take([2, 0])
    assert taken.ids.tolist() == [70000, 2]
    assert taken.counts.tolist() == [2, 3]
    assert np.array_equal(taken.voxels[:2], three.voxels[5:])
    assert taken.row(2) == 1
    with pytest.raises(KeyError):
        taken.row(300)


def test_components_may_be_given() -> None:
    labels = np.zeros(SHAPE, np.uint8)
    labels[0, 0, 0], labels[0, 0, 1] = 1, 2
    assert from_labels(*_volumes(labels), components=[1, 1]).components.tolist() == [1, 1]


def test_no_label_no_lesion() -> None:
    nothing = from_labels(*_volumes(np.zeros(SHAPE, np.uint8)))
    assert len(nothing) == 0
    assert nothing.starts.tolist() == [0]
    assert not nothing.labels().array.any()
    assert len(nothing.take([])) == 0


def test_a_volume_in_other_units_is_refused() -> None:
    labels, suv = _volumes(np.zeros(SHAPE, np.uint8))
    with pytest.raises(GeometryError):
        from_labels(labels, suv.with_array(suv.array, Unit.BQML))
    with pytest.raises(GeometryError):
        from_labels(suv, suv)


def test_the_sphere_is_one_millilitre() -> None:
    assert pytest.approx(1000.0) == 4 / 3 * np.pi * SPHERE_RADIUS_MM**3


def test_sphere_means_by_brute_force() -> None:
    """Inside and at every face: the voxels within 6.2 mm that exist."""
    suv = np.random.default_rng(0).random(SHAPE).astype(np.float32)
    _, volume = _volumes(np.zeros(SHAPE, np.uint8), suv)
    index = np.indices(SHAPE).reshape(3, -1).T * np.array(SPACING)
    far = np.linalg.norm(index[:, None] - index[None], axis=-1)
    near = far <= SPHERE_RADIUS_MM
    expected = (near @ suv.reshape(-1)) / near.sum(axis=1)
    means = sphere_means(volume, np.arange(suv.size))
    np.testing.assert_allclose(means, expected, rtol=1e-6)


def test_the_peak_of_a_gaussian_in_closed_form() -> None:
    """The mean of exp(−r²/2σ²) over a ball of radius R, integrated along r."""
    sigma, spacing = 6.0, (1.0, 0.8, 1.25)
    shape = (21, 25, 17)
    grid = Grid.axial(shape, spacing)
    index = np.indices(shape) - np.array([10, 12, 8])[:, None, None, None]
    far = ((index * np.array(spacing)[:, None, None, None]) ** 2).sum(axis=0)
    suv = Volume((7 * np.exp(-far / (2 * sigma**2))).astype(np.float32), grid, Unit.SUV)
    r = np.linspace(0, SPHERE_RADIUS_MM, 20001)
    values = 3 * r**2 * np.exp(-(r**2) / (2 * sigma**2)) / SPHERE_RADIUS_MM**3
    expected = 7 * np.trapezoid(values, r)
    middle = np.array([np.ravel_multi_index((10, 12, 8), shape)])
    assert sphere_means(suv, middle)[0] == pytest.approx(expected, rel=0.005)


def test_the_ibsi_digital_phantom(shared_data: Path) -> None:
    """Consensus values: local intensity peak 2.60, global 3.10, mean 2.15, maximum 6."""
    from tmtv_engine.image.nifti import read_nifti

    folder = shared_data / "ibsi_1_digital_phantom"
    suv = read_nifti(folder / "image.nii.gz", Unit.SUV)
    lesions = from_labels(read_nifti(folder / "mask.nii.gz", Unit.LABEL), suv)
    assert lesions.counts.tolist() == [74]
    assert lesions.suv.max() == 6
    assert lesions.suv.mean() == pytest.approx(2.15, abs=0.005)
    assert lesions.peak.max() == pytest.approx(3.10, abs=0.005)
    assert lesions.peak[lesions.suv == 6].max() == pytest.approx(2.60, abs=0.005)


def test_joined_lesions_keep_order_and_numbers(three: Lesions) -> None:
    both = three.take([2]).joined(three.take([0, 1]))
    assert both.ids.tolist() == [70000, 2, 300]
    assert both.starts.tolist() == [0, 2, 5, 7]
    assert np.array_equal(both.labels().array, three.labels().array)
    assert np.array_equal(both.peak[:2], three.peak[5:])
    with pytest.raises(ValueError, match="two lesions"):
        three.joined(three.take([1]))


def test_without_some_voxels(three: Lesions) -> None:
    gone = np.concatenate([three.voxels[0:1], three.voxels[3:5]])  # one of 2, all of 300
    left = three.without(gone)
    assert left.ids.tolist() == [2, 70000]
    assert left.starts.tolist() == [0, 2, 4]
    assert np.array_equal(left.voxels, np.delete(three.voxels, [0, 3, 4]))
    assert np.array_equal(left.suv, np.delete(three.suv, [0, 3, 4]))
    assert three.without(np.array([5])) is three
    assert len(three.without(three.voxels)) == 0


def test_renumbered_and_parted(three: Lesions) -> None:
    new = three.renumbered([4, 5, 6])
    assert (new.ids.tolist(), new.components.tolist()) == ([4, 5, 6], [2, 300, 70000])
    assert three.renumbered([4, 5, 6], [1, 1, 2]).components.tolist() == [1, 1, 2]
    parts = [three.voxels[2:3], three.voxels[0:2]]
    split = three.parted(0, parts, 70001)
    assert split.ids.tolist() == [300, 70000, 70001, 70002]
    assert split.components.tolist() == [300, 70000, 2, 2]
    assert np.array_equal(split.voxels[split.span(2)], parts[0])
    assert np.array_equal(split.suv[split.span(3)], three.suv[0:2])


def test_lesions_are_saved_and_loaded_to_the_bit(three: Lesions, tmp_path: Path) -> None:
    three.save(tmp_path / "a.npz")
    three.save(tmp_path / "b.npz")
    assert (tmp_path / "a.npz").read_bytes() == (tmp_path / "b.npz").read_bytes()
    again = Lesions.load(tmp_path / "a.npz")
    for key in ("ids", "components", "starts", "voxels", "suv", "peak"):
        np.testing.assert_array_equal(getattr(again, key), getattr(three, key))
    assert again.grid.matches(three.grid)


@pytest.mark.parametrize(
    "change",
    [
        {"ids": [2, 2, 300]},
        {"ids": [2, 300]},
        {"components": [1]},
        {"starts": [0, 3, 5, 8]},
        {"starts": [0, 3, 3, 7]},
        {"starts": [1, 3, 5, 7]},
        {"voxels": [0, 1, 2, 3, 4, 5, 5]},
        {"voxels": [0, 1, 2, 3, 4, 5, 7 * 11 * 13]},
        {"voxels": [-1, 1, 2, 3, 4, 5, 6]},
        {"voxels": [0.5, 1, 2, 3, 4, 5, 6]},
        {"suv": [1.0]},
        {"peak": [[1.0] * 7]},
        {"shape": [7, 11]},
        {"affine": np.zeros((4, 4))},
        {"peak": None},
    ],
)
def test_lists_that_do_not_fit_together_are_refused(
    three: Lesions, tmp_path: Path, change: dict[str, object]
) -> None:
    path = tmp_path / "voxels.npz"
    three.save(path)
    with np.load(path) as stored:
        arrays = {**stored, **{k: np.array(v) for k, v in change.items() if v is not None}}
    arrays = {k: v for k, v in arrays.items() if change.get(k, 0) is not None}
    np.savez(path, **arrays)
    with pytest.raises(CaseError, match=r"voxels\.npz"):
        Lesions.load(path)
