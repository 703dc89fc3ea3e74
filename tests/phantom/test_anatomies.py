"""Real organ maps: read, told apart, fingerprinted, and drawn in register."""

from __future__ import annotations

import json
import pickle
from pathlib import Path

import numpy as np
import pytest
import torch

from tmtv_engine.errors import InputError
from tmtv_engine.image.nifti import read_nifti, write_nifti
from tmtv_engine.image.volume import Grid, Unit, Volume
from tmtv_engine.lesion.structures import LABELS, STRUCTURES
from tmtv_engine.phantom.anatomies import Anatomies
from tmtv_engine.phantom.draw import draw_tensors
from tmtv_engine.phantom.organmap import MAP_ORGANS, OrganMap
from tmtv_engine.phantom.person import TRAINING_SEEDS, person_of
from tmtv_engine.study.organs import TOTALSEGMENTATOR, read_organs
from tmtv_tui.cli.app import main


@pytest.fixture(scope="module", autouse=True)
def _one_thread() -> None:
    torch.set_num_threads(1)


def _ball(
    shape: tuple[int, int, int], at: tuple[float, ...], radii: tuple[float, ...]
) -> np.ndarray:
    grid = np.indices(shape).astype(float)
    far = sum(((g - a) / r) ** 2 for g, a, r in zip(grid, at, radii, strict=True))
    return np.asarray(far <= 1)


def made_map() -> np.ndarray:
    """A person of ellipsoids on 4 mm: z up, y to the back, x to the left; bladder off centre."""
    labels = np.zeros((220, 50, 74), np.uint8)
    for name, at, radii in (
        ("lung", (120, 24, 18), (34, 18, 14)),
        ("lung", (120, 24, 56), (34, 18, 14)),
        ("liver", (76, 22, 22), (18, 18, 20)),
        ("spleen", (78, 32, 60), (12, 6, 7)),
        ("kidney", (62, 38, 22), (12, 6, 7)),
        ("kidney", (64, 38, 52), (12, 6, 7)),
        ("heart", (106, 16, 42), (12, 11, 13)),
        ("stomach", (78, 14, 50), (10, 8, 9)),
        ("bladder", (14, 20, 45), (7, 8, 10)),
        ("brain", (196, 24, 37), (14, 20, 16)),
    ):
        labels[_ball(labels.shape, at, radii)] = MAP_ORGANS.index(name) + 1
    return labels


def write_maps(path: Path, maps: dict[str, np.ndarray]) -> None:
    np.savez_compressed(path, **maps)  # type: ignore[arg-type]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_maps(tmp_path / "maps_0.npz", {f"{k:04d}": made_map() for k in range(12)})
    return tmp_path


def test_a_folder_is_its_maps_and_their_fingerprint(folder: Path) -> None:
    one, two = Anatomies.load(folder), Anatomies.load(str(folder))
    assert len(one.entries) == 12
    assert one == two == pickle.loads(pickle.dumps(one))
    assert len(one.fingerprint) == 64
    other = made_map()
    other[0, 0, 0] = 3
    write_maps(folder / "maps_1.npz", {"0100": other})
    assert Anatomies.load(folder).fingerprint != one.fingerprint


def test_training_and_the_unseen_never_meet(folder: Path) -> None:
    anatomies = Anatomies.load(folder)
    seen, unseen = anatomies.keys(unseen=False), anatomies.keys(unseen=True)
    assert not set(seen) & set(unseen)
    assert len(seen) + len(unseen) == 12
    for seed in range(6):
        person, organs = person_of(seed, anatomies)
        assert organs is not None
        assert person.anatomy in unseen
        person, _ = person_of(TRAINING_SEEDS + seed, anatomies)
        assert person.anatomy in ("", *seen)


def test_structures_lie_where_the_map_has_them(folder: Path) -> None:
    """Organs of the map in millimetres from the top of the field, as drawn with pose and bend."""
    anatomies = Anatomies.load(folder)
    for seed in range(3):
        drawn = draw_tensors(seed, anatomies=anatomies)
        labels = made_map()
        kx, _, kz = drawn.person.pose.stretch
        names = drawn.structures.numpy()
        lung = np.argwhere(names == LABELS["lung"]).mean(axis=0) * 8
        for name in ("brain", "liver", "heart"):
            where = np.argwhere(names == LABELS[name]).mean(axis=0) * 8
            real = np.argwhere(labels == MAP_ORGANS.index(name) + 1).mean(axis=0) * 4
            base = np.argwhere(labels == MAP_ORGANS.index("lung") + 1).mean(axis=0) * 4
            assert where[0] - lung[0] == pytest.approx((real - base)[0] * kz, abs=22)
            assert where[2] - lung[2] == pytest.approx((real - base)[2] * kx, abs=22)


def test_an_organ_keeps_its_volume(folder: Path) -> None:
    anatomies = Anatomies.load(folder)
    organs = OrganMap.of("a", made_map(), (4.0, 4.0, 4.0))
    drawn = draw_tensors(1, anatomies=anatomies)
    stretched = float(np.prod(drawn.person.pose.stretch))
    for name in ("liver", "brain"):
        points = organs.points_mm(name)
        assert points is not None
        ml = len(points) * 0.064 * stretched
        own = int((drawn.structures == LABELS[name]).sum()) * 0.512
        assert own == pytest.approx(ml, rel=0.3)


@pytest.mark.parametrize("kind", ["empty", "broken", "object"])
def test_a_folder_that_is_none_is_refused_by_name(kind: str, tmp_path: Path) -> None:
    if kind == "broken":
        (tmp_path / "maps_0.npz").write_bytes(b"PK no zip")
    if kind == "object":
        np.savez(tmp_path / "maps_0.npz", a=np.zeros((3, 3)))
    with pytest.raises(InputError, match=r"maps_0|organ maps"):
        Anatomies.load(tmp_path).read("a")


def _nifti(path: Path, labels: np.ndarray, spacing: tuple[float, float, float]) -> None:
    """A label map (z, y, x) on its grid, written right-handed as CTs are: x to the right."""
    grid = Grid.axial(labels.shape, spacing, (-111.0, -70.0, -300.0))  # type: ignore[arg-type]
    path.parent.mkdir(exist_ok=True)
    write_nifti(Volume(labels, grid, Unit.LABEL), path)


def _totals() -> np.ndarray:
    """The made map in TotalSegmentator's numbers."""
    numbers = {n: k + 1 for k, n in enumerate(TOTALSEGMENTATOR)}
    theirs = {"spleen": "spleen", "kidney": "kidney_left", "liver": "liver", "heart": "heart",
              "bladder": "urinary_bladder", "lung": "lung_lower_lobe_left", "brain": "brain",
              "stomach": "stomach"}  # fmt: skip
    table = np.zeros(len(MAP_ORGANS) + 1, np.uint8)
    for name, other in theirs.items():
        table[MAP_ORGANS.index(name) + 1] = numbers[other]
    return np.asarray(table[made_map()])


def test_totalsegmentators_maps_are_the_packed_ones(tmp_path: Path) -> None:
    _nifti(tmp_path / "person.nii.gz", _totals(), (4.0, 4.0, 4.0))
    anatomies = Anatomies.load(tmp_path)
    assert [key for key, _ in anatomies.entries] == ["person"]
    organs, real = anatomies.read("person"), OrganMap.of("a", made_map(), (4.0, 4.0, 4.0))
    assert organs.labels.shape[0] == 220
    for name in ("liver", "bladder", "kidney", "lung"):
        one, two = organs.points_mm(name), real.points_mm(name)
        assert one is not None
        assert two is not None
        assert len(one) == len(two)
        np.testing.assert_allclose(one - one.mean(axis=0), two - two.mean(axis=0), atol=1e-6)


def test_a_folder_of_masks_is_one_person_on_any_grid(tmp_path: Path) -> None:
    fine = np.repeat(_totals(), 2, axis=1)
    for name in ("liver", "urinary_bladder", "kidney_left", "lung_lower_lobe_left", "brain"):
        mask = (fine == TOTALSEGMENTATOR.index(name) + 1).astype(np.uint8)
        _nifti(tmp_path / "p1" / f"{name}.nii.gz", mask, (4.0, 2.0, 4.0))
    anatomies = Anatomies.load(tmp_path)
    assert [key for key, _ in anatomies.entries] == ["p1"]
    organs = anatomies.read("p1")
    liver, whole = organs.points_mm("liver"), int((made_map() == 3).sum())
    assert liver is not None
    assert len(liver) == pytest.approx(whole, rel=0.05)
    person, found = person_of(3, anatomies)
    assert person.anatomy == "p1"
    assert found is organs


def test_masks_on_two_grids_are_refused(tmp_path: Path) -> None:
    for name, spacing in (("liver", 4.0), ("brain", 5.0)):
        _nifti(tmp_path / "p" / f"{name}.nii", made_map(), (spacing, 4.0, 4.0))
    with pytest.raises(InputError, match="liver"):
        Anatomies.load(tmp_path).read("p")


def test_a_map_without_known_organs_is_refused(tmp_path: Path) -> None:
    _nifti(tmp_path / "a.nii", np.full((5, 6, 7), 79, np.uint8), (4.0, 4.0, 4.0))
    with pytest.raises(InputError, match="no organ that we draw"):
        Anatomies.load(tmp_path).read("a")


def test_patients_in_anatomies_are_written_with_their_structures(
    folder: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    assert main(["phantom", str(out), "--anatomies", str(folder), "--seed", "4",
                 "--format", "nifti", "--spacing-mm", "10", "-q"]) == 0  # fmt: skip
    patient = out / "digital-0004"
    structures, names = read_organs(patient / "structures.nii.gz")
    rois = read_nifti(patient / "rois.nii.gz", Unit.LABEL)
    assert names == {s.label: s.name for s in STRUCTURES if s.label}
    assert structures.grid.matches(rois.grid)
    assert not structures.array[rois.array > 0].any()
    assert (structures.array == LABELS["liver"]).sum() > 500
    truth = json.loads((patient / "truth.json").read_text())
    assert truth["anatomies"] == Anatomies.load(folder).fingerprint
    assert truth["anatomy"] in Anatomies.load(folder).keys(unseen=True)


def test_a_folder_without_maps_stops_the_command(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["phantom", str(tmp_path / "o"), "--anatomies", str(tmp_path / "none")]) == 1
    assert "holds no organ maps" in capsys.readouterr().err
    assert not (tmp_path / "o").exists()
