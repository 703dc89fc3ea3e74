"""Label maps of organs beside a PET: whose they are, what is refused, what is named."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.support.cases import SHAPE, SPACING_MM, make_lesions, make_volume
from tmtv_engine.errors import AmbiguousInput, GeometryError, Implausible, InputError
from tmtv_engine.image.nifti import write_nifti
from tmtv_engine.image.volume import Grid, Unit, Volume
from tmtv_engine.lesion.named import named_by
from tmtv_engine.lesion.origin import Structure
from tmtv_engine.study.found import Stock, Study
from tmtv_engine.study.organmaps import OrganMap, assigned, organs_record, read_organ_map
from tmtv_tui.cli.app import main

NAMES = {2: "bladder", 5: "kidney", 7: "ureter", 9: "lung"}


def map_of(**shares: float) -> OrganMap:
    """A map on the PET's grid that gives lesion 1 so many of its voxels to each structure."""
    lesions = make_lesions()
    own = lesions.voxels[lesions.span(0)]
    array = np.zeros(SHAPE, np.uint16)
    done = 0
    for number, name in NAMES.items():
        many = round(shares.get(name, 0) * len(own))
        array.reshape(-1)[own[done : done + many]] = number
        done += many
    return OrganMap(Volume(array, lesions.grid, Unit.LABEL), NAMES)


def test_what_physiologic_structures_hold_together_decides() -> None:
    lesions = make_lesions()
    n = int(lesions.counts[0])
    part = {"kidney": 0.3, "ureter": 0.25, "lung": 0.4}
    held = round(0.3 * n) + round(0.25 * n)
    names = named_by(map_of(**part), lesions)
    assert names == (Structure("kidney", held / n, "organs"), None, None)
    assert named_by(map_of(kidney=0.4, lung=0.45), lesions)[0] is None
    lung = round(0.6 * n) / n
    assert named_by(map_of(kidney=0.3, lung=0.6), lesions)[0] == Structure("lung", lung, "organs")
    assert named_by(map_of(), lesions.take([])) == ()


def test_one_half_is_enough_and_a_voxel_less_is_not() -> None:
    whole = make_lesions()
    lesions = whole.take([0])
    n = int(lesions.counts[0])
    for many, name in ((-(-n // 2), "bladder"), (-(-n // 2) - 1, None)):
        (found,) = named_by(map_of(bladder=many / n), lesions)
        assert (found and found.name) == name


def test_a_map_on_another_grid_is_read_where_it_lies() -> None:
    lesions = make_lesions()
    place = lesions.grid.to_mm(np.array([13.0, 20.0, 25.0]))  # the middle of spot 2
    fine = Grid.axial((40, 50, 31), (2.0, 1.5, 2.5), tuple(place - [37.5, 37.5, 40.0]))
    array = np.zeros(fine.shape, np.uint16)
    middle = np.rint(fine.to_index(place)).astype(int)
    z, y, x = middle
    array[z - 9 : z + 10, y - 10 : y + 11, x - 7 : x + 8] = 5
    names = named_by(OrganMap(Volume(array, fine, Unit.LABEL), NAMES), lesions)
    assert names == (None, Structure("kidney", 1.0, "organs"), None)


def _write(path: Path, array: np.ndarray, grid: Grid, names: dict[str, str] | None = None) -> Path:
    write_nifti(Volume(array, grid, Unit.LABEL), path)
    if names is not None:
        stem = path.name.removesuffix(".gz").removesuffix(".nii")
        (path.parent / f"{stem}.json").write_text(json.dumps(names))
    return path


def test_what_does_not_fit_is_refused(tmp_path: Path) -> None:
    suv, labels = make_volume()
    names = {"1": "heart", "2": "rucksack"}
    moved = Grid.axial(SHAPE, SPACING_MM, (-40.0, -60.0, 108.0))
    shifted = _write(tmp_path / "shifted.nii.gz", labels.array, moved, names)
    with pytest.raises(Implausible, match=r"up to 8\.0 mm from the PET's"):
        read_organ_map(shifted, suv)
    taken = read_organ_map(shifted, suv, ["mask-geometry"])
    assert [n.code for n in taken.notices] == ["mask-geometry"]
    assert taken.labels.grid is suv.grid
    assert taken.structures == {1: "heart"}
    far = Grid.axial((9, 11, 13), SPACING_MM, (900.0, 0.0, 0.0))
    beside = _write(tmp_path / "far.nii.gz", np.ones(far.shape, np.uint16), far, names)
    with pytest.raises(GeometryError, match="lies beside the PET"):
        read_organ_map(beside, suv)
    wide = Grid.axial((30, 40, 90), SPACING_MM, (-40.0, -60.0, 100.0))  # reaches, its organs do not
    array = np.zeros(wide.shape, np.uint16)
    array[:, :, 60:] = 1
    aside = _write(tmp_path / "aside.nii.gz", array, wide, names)
    with pytest.raises(GeometryError, match="organs lie beside the PET"):
        read_organ_map(aside, suv)
    for empty in (np.zeros(SHAPE, np.uint16), np.full(SHAPE, 2, np.uint16)):
        path = _write(tmp_path / "empty.nii.gz", empty, suv.grid, names)
        with pytest.raises(InputError, match="none of its labels is an organ that is known"):
            read_organ_map(path, suv)


@pytest.mark.parametrize(("shift", "fits"), [(0, True), (90, True), (110, False), (190, False)])
def test_organs_outside_the_body_are_refused(tmp_path: Path, shift: int, fits: bool) -> None:
    grid = Grid.axial((40, 50, 70), (10.0, 8.0, 6.0), (0.0, 0.0, 0.0))
    suv = np.zeros(grid.shape, np.float32)
    suv[:, 10:40, 10:40] = 1.0  # 17 L, x to 240 mm
    liver = Grid.axial((20, 20, 40), (10.0, 8.0, 5.0), (40.0 + shift, 160.0, 100.0))
    path = _write(tmp_path / "o.nii.gz", np.full(liver.shape, 5, np.uint8), liver)
    volume = Volume(suv, grid, Unit.SUV)
    if fits:
        assert read_organ_map(path, volume).structures == {5: "liver"}
    else:
        with pytest.raises(GeometryError, match=r"\d\d% of its organs lie outside the PET's body"):
            read_organ_map(path, volume)


def _study(case: str, **extra: str) -> Study:
    return Study(case, "nifti", (Path(f"{case}/pet.nii"),), extra=extra)


def test_a_file_for_one_a_folder_for_many_a_row_before_both(tmp_path: Path) -> None:
    one, two = _study("one"), _study("two", organs="own.nii")
    (tmp_path / "one.nii.gz").touch()
    file = tmp_path / "one.nii.gz"
    stock = assigned(Stock((one, two)), tmp_path)
    assert [s.organs for s in stock.studies] == [file, Path("own.nii")]
    stock = assigned(Stock((one, two)), file)  # one study has no map of its own
    assert [s.organs for s in stock.studies] == [file, Path("own.nii")]
    with pytest.raises(AmbiguousInput, match="one label map for 2 studies"):
        assigned(Stock((one, _study("three"))), file)
    stock = assigned(Stock((one, _study("three"))), tmp_path)
    assert [s.case for s in stock.studies] == ["one"]
    (failure,) = stock.failures
    assert failure.error.what == f"--organs {tmp_path}: holds no three.nii.gz"
    with pytest.raises(InputError, match="there is no such file"):
        assigned(Stock((one,)), tmp_path / "none")
    assert assigned(Stock((one,)), None).studies == (one,)


def test_the_record_is_of_the_map_and_its_names(tmp_path: Path) -> None:
    suv, labels = make_volume()
    path = _write(tmp_path / "o.nii.gz", labels.array, suv.grid, {"1": "heart"})
    study = _study("one", organs=str(path))
    first = organs_record(study)
    (tmp_path / "o.json").write_text('{"1": "bladder"}')
    second = organs_record(study)
    assert first["organs_sha256"] == second["organs_sha256"]
    assert first["organs_names_sha256"] != second["organs_names_sha256"]
    assert organs_record(replace(study, extra={})) == {}


def _predict(capsys: Any, *words: str | Path) -> tuple[int, Any, str]:
    status = main(["predict", "--model", "hotspot", "--json", *map(str, words)])
    out, err = capsys.readouterr()
    return status, json.loads(out) if out else None, err


def test_a_named_hot_spot_starts_as_a_candidate(tmp_path: Path, capsys: Any) -> None:
    suv, labels = make_volume()
    study = tmp_path / "study"
    study.mkdir()
    write_nifti(suv, study / "pet.nii.gz")
    organs = _write(
        tmp_path / "organs.nii.gz", labels.array, suv.grid, {"1": "urinary_bladder", "3": "liver"}
    )
    out = tmp_path / "out"
    status, bare, _ = _predict(capsys, study, "-o", tmp_path / "bare")
    assert status == 0
    assert {row["status"] for row in bare["lesions"]} == {"accepted"}
    words = (study, "-o", out, "--organs", organs)
    status, case, _ = _predict(capsys, *words)
    assert status == 0
    at = {(round(x), round(y)): k for k, (x, y) in enumerate([(-22, -33), (10, 0), (20, -36)])}
    told = {}
    for row in case["lesions"]:
        x, y, _ = row["centroid_mm"]
        (spot,) = [k for (a, b), k in at.items() if abs(a - x) < 4 and abs(b - y) < 4]
        named = row["structure"] and (row["structure"]["name"], row["structure"]["by"])
        told[spot] = (named, row["status"])
    assert told[0] == (("bladder", "organs"), "candidate")
    assert told[1] == (None, "accepted")
    assert told.get(2, (("liver", "organs"), "candidate")) == (("liver", "organs"), "candidate")
    assert case["totals"]["4.0"]["lesions"] == 1
    made = case["provenance"]["made_with"]
    assert len(made["organs_sha256"]) == 64

    assert _predict(capsys, *words)[0] == 0  # the same map: it stands
    status, _, err = _predict(capsys, study, "-o", out)
    assert status == 1
    assert f"--organs {made['organs_sha256'][:12]}, now none" in err
    assert str(os.path.basename(out)) in err


def test_the_map_wins_over_the_network(tmp_path: Path) -> None:
    from tests.support.cases import make_loaded
    from tmtv_engine.lesion.origin import Origin, Source
    from tmtv_engine.model.finders import Finder, Found
    from tmtv_engine.pipeline import CaseConfig, run_loaded

    suv, labels = make_volume()
    lesions = make_lesions()
    network = [Structure(n, 0.75, "network") for n in ("heart", "lesion", "brain")]
    origins = tuple(Origin(Source.MODEL, 0.9, structure=s) for s in network)
    finder = Finder(lambda suv, ct: Found(lesions, origins), {"name": "vnet"})
    names = {"1": "Left lung", "2": "urinary_bladder"}
    path = _write(tmp_path / "o.nii.gz", labels.array, suv.grid, names)
    study = _study("one", organs=str(path))
    case = run_loaded("one", make_loaded(suv), finder, CaseConfig(tmp_path / "out"), None, study)
    told = [(r.structure and (r.structure.name, r.structure.by), str(r.status)) for r in
            case.record.lesions]  # fmt: skip
    assert told == [
        (("lung", "organs"), "accepted"),
        (("bladder", "organs"), "candidate"),
        (("brain", "network"), "candidate"),  # of which the map tells nothing
    ]
