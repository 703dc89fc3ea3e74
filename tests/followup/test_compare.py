"""Two time points: the motion found again, lesions matched, changes and scores by hand."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.support.cases import make_loaded
from tmtv_engine.case.folder import Case, read_case
from tmtv_engine.case.timepoints import change
from tmtv_engine.errors import InputError
from tmtv_engine.followup.align import Rigid, align
from tmtv_engine.followup.compare import compared
from tmtv_engine.followup.match import match
from tmtv_engine.followup.references import Where, references
from tmtv_engine.followup.response import Reference, deauville, qpet
from tmtv_engine.image.nifti import write_nifti
from tmtv_engine.image.volume import Grid, Unit, Volume
from tmtv_engine.lesion.lists import from_labels
from tmtv_engine.lesion.origin import Origin, Source
from tmtv_engine.model.finders import Finder, Found
from tmtv_engine.pipeline import CaseConfig, run_loaded
from tmtv_engine.review.journal import Decision
from tmtv_engine.review.session import record
from tmtv_tui.cli.app import main

SHAPE, SPACING, ORIGIN = (110, 60, 80), (5.0, 4.5, 4.0), (-150.0, -120.0, 40.0)
GRID = Grid.axial(SHAPE, SPACING, ORIGIN, "1.2.3")
STILL = Rigid(np.eye(3), np.zeros(3), 1.0)


def body(motion: Rigid, grid: Grid, spots: list[tuple[Any, float, float]]) -> tuple[Volume, Volume]:
    """A trunk with a head, a liver, a heart and a bladder, moved; hot balls at baseline places."""
    index = np.argwhere(np.ones(grid.shape, bool))
    at = motion.undo(grid.to_mm(index))
    x, y, z = at.T
    suv = np.zeros(len(at))
    trunk = ((x - 5) / 120) ** 2 + ((y - 10) / 80) ** 2 <= 1 + 0.1 * np.sin(z / 60)
    suv[trunk & (z > 60) & (z < 440)] = 1.0
    suv[((x - 5) / 60) ** 2 + ((y - 0) / 70) ** 2 + ((z - 490) / 75) ** 2 <= 1] = 1.2
    suv[((x + 50) / 55) ** 2 + ((y - 10) / 45) ** 2 + ((z - 280) / 45) ** 2 <= 1] = 2.0
    suv[((x - 30) / 35) ** 2 + ((y + 10) / 30) ** 2 + ((z - 370) / 30) ** 2 <= 1] = 1.6
    suv[((x - 5) / 25) ** 2 + ((y - 5) / 25) ** 2 + ((z - 90) / 20) ** 2 <= 1] = 8.0
    labels = np.zeros(len(at), np.uint16)
    for number, (centre, radius, peak) in enumerate(spots, start=1):
        far = np.linalg.norm(at - np.array(centre), axis=1)
        inside = far <= radius
        suv[inside] = (peak - 0.5 * far / radius)[inside]
        labels[inside] = number
    shape = grid.shape
    return (
        Volume(suv.astype(np.float32).reshape(shape), grid, Unit.SUV),
        Volume(labels.reshape(shape), grid, Unit.LABEL),
    )


def turned(degrees: float, shift: tuple[float, float, float]) -> Rigid:
    a = np.radians(degrees)
    c, s = np.cos(a), np.sin(a)
    about_x = np.array([[1, 0, 0], [0, c, -s], [0, s, c]])
    about_z = np.array([[c, -s, 0], [s, c, 0], [0, 0, 1]])
    return Rigid(about_z @ about_x, np.array(shift), 1.0)


def test_the_motion_is_found_again_whatever_tumour_and_bladder_do() -> None:
    motion = turned(6.0, (20.0, 15.0, -70.0))
    other = Grid.axial((100, 70, 76), (5.5, 4.0, 4.5), (-140.0, -130.0, -40.0), "1.2.4")
    first, _ = body(STILL, GRID, [((40, 0, 300), 25, 15.0)])
    second, _ = body(motion, other, [((-40, 20, 200), 15, 9.0)])
    found = align(first, second)
    marks = np.array([(40.0, 0, 300), (-50, 10, 280), (5, 5, 90), (5, 0, 490), (80, 10, 200)])
    apart = np.linalg.norm(found.apply(marks) - motion.apply(marks), axis=1)
    assert apart.max() < 4.0  # half a voxel of the grid that it is found on
    assert found.overlap > 0.9
    np.testing.assert_allclose(found.undo(found.apply(marks)), marks, atol=1e-9)
    again = align(first, second)
    assert (again.rotation == found.rotation).all()
    assert (again.shift_mm == found.shift_mm).all()


def test_a_scan_of_the_chest_is_aligned_without_itk_s_own_words(
    capfd: pytest.CaptureFixture[str],
) -> None:
    chest = Grid.axial((30, 60, 80), SPACING, (-150.0, -120.0, 230.0), "1.2.3")  # 150 mm
    first, _ = body(STILL, chest, [])
    second, _ = body(Rigid(np.eye(3), np.array([3.0, 4.0, -2.0]), 1.0), chest, [])
    found = align(first, second)
    assert np.abs(found.shift_mm - [3.0, 4.0, -2.0]).max() < 4.0
    assert capfd.readouterr().err == ""


def test_bodies_that_are_not_one_are_refused() -> None:
    first, _ = body(STILL, GRID, [])
    nothing = first.with_array(np.zeros_like(first.array))
    with pytest.raises(InputError):
        align(first, nothing)


def balls(*places: tuple[int, int, int]) -> Any:
    """Single voxels of SUV 5 at (z, y, x), numbered in that order, on 5 × 4.5 × 4 mm."""
    labels = np.zeros(SHAPE, np.uint16)
    for number, place in enumerate(places, start=1):
        labels[place] = number
    suv = Volume(np.where(labels > 0, 5.0, 1.0).astype(np.float32), GRID, Unit.SUV)
    return from_labels(Volume(labels, GRID, Unit.LABEL), suv)


def test_lesions_are_matched_by_the_least_distance_the_limit_included() -> None:
    # 2 voxels in z: 10.0 mm, still one place; 3 in x: 12 mm, another
    before = balls((50, 30, 40), (20, 20, 20), (80, 40, 10))
    after = balls((52, 30, 40), (20, 20, 23), (60, 10, 70))
    found = {(m.baseline, m.followup): (m.fate, m.apart_mm) for m in match(before, after, STILL)}
    assert found == {
        ((1,), (1,)): ("persisting", 10.0),
        ((2,), ()): ("gone", None),
        ((3,), ()): ("gone", None),
        ((), (2,)): ("new", None),
        ((), (3,)): ("new", None),
    }
    assert match(before, after, STILL, 9.99)[0].fate == "gone"
    wide = match(before, after, STILL, 12.0)
    assert [m.fate for m in wide[:2]] == ["persisting", "persisting"]


def test_one_that_falls_apart_is_one_place_and_nothing_is_matched_twice() -> None:
    before = balls((50, 30, 40), (51, 30, 43))
    after = balls((49, 30, 39), (50, 30, 42), (52, 31, 44))
    (only,) = match(before, after, STILL)
    assert (only.baseline, only.followup) == ((1, 2), (1, 2, 3))
    assert match(balls(), balls(), STILL) == ()


def test_what_the_other_scan_does_not_reach_is_neither_new_nor_gone() -> None:
    lower = Grid.axial((40, 60, 80), SPACING, ORIGIN, "1.2.4")  # 200 mm from the feet on
    before = balls((90, 30, 40), (10, 30, 40))
    labels = np.zeros(lower.shape, np.uint16)
    labels[30, 5, 5] = 1
    suv = Volume(np.ones(lower.shape, np.float32), lower, Unit.SUV)
    after = from_labels(Volume(labels, lower, Unit.LABEL), suv)
    assert [(m.fate, m.baseline, m.followup) for m in match(before, after, STILL)] == [
        ("outside", (1,), ()),
        ("gone", (2,), ()),
        ("new", (), (1,)),
    ]
    away = Rigid(np.eye(3), np.array([0.0, 0.0, 1000.0]), 1.0)
    assert {m.fate for m in match(before, after, away)} == {"outside"}


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        (200.0, 50.0, (-150.0, -75.0)),
        (50.0, 200.0, (150.0, 300.0)),
        (80.0, 0.0, (-80.0, -100.0)),
        (0.0, 12.0, (12.0, None)),
        (None, 12.0, (None, None)),
        (12.0, None, (None, None)),
    ],
)
def test_a_change_is_in_percent_of_the_baseline(
    before: float | None, after: float | None, expected: tuple[float | None, float | None]
) -> None:
    found = change(before, after)
    assert (found["change"], found["percent"]) == expected


def test_deauville_by_hand() -> None:
    liver, blood = Reference(2.0, 2.5, 30.0, ""), Reference(1.5, 1.8, 5.0, "")
    scores = {None: 1, 1.0: 2, 1.8: 2, 1.81: 3, 2.5: 3, 2.51: 4, 5.0: 4, 5.01: 5}
    assert {v: deauville(v, 0, liver, blood) for v in scores} == scores
    assert deauville(1.0, 1, None, None) == 5  # a new lesion needs no reference
    assert deauville(None, 0, None, None) == 1
    assert deauville(3.0, 0, None, blood) is None
    assert deauville(1.9, 0, liver, None) is None  # 2 or 3: the blood would tell
    assert deauville(2.51, 0, liver, None) == 4


def test_qpet_by_hand() -> None:
    """Hottest voxel 4.0 and its three hottest neighbours 3.0, 3.5, 2.5: 3.25; liver 2.0."""
    array = np.ones((5, 6, 7), np.float32)
    array[2, 3, 3], array[1, 2, 2], array[2, 3, 4], array[3, 4, 4] = 4.0, 3.0, 3.5, 2.5
    array[2, 3, 5] = 9.0  # two voxels away, and no lesion's
    suv = Volume(array, Grid.axial((5, 6, 7), (4.0, 3.0, 2.0), (0, 0, 0), "1.2"), Unit.SUV)
    voxels = np.array([np.ravel_multi_index(at, array.shape) for at in ((2, 3, 3), (1, 2, 2))])
    liver = Reference(2.0, 3.0, 30.0, "")
    assert qpet(suv, voxels, liver) == 3.25 / 2.0
    assert qpet(suv, voxels, None) is None
    assert qpet(suv, voxels[:0], liver) is None


def test_liver_and_blood_come_from_the_named_organs_less_border_and_lesions(
    tmp_path: Path,
) -> None:
    first, _ = body(STILL, GRID, [])
    labels = np.zeros(SHAPE, np.uint16)
    labels[40:56, 20:40, 15:35] = 3
    labels[60:90, 28:34, 40:46] = 7
    write_nifti(Volume(labels, GRID, Unit.LABEL), tmp_path / "organs.nii.gz")
    (tmp_path / "organs.json").write_text(json.dumps({"3": "liver", "7": "aorta"}))
    array = first.array.copy()
    array[labels == 3], array[labels == 7] = 2.0, 1.5
    array[40], array[47, 30, 25] = 50.0, 30.0  # at the border; a lesion inside
    suv = first.with_array(array)
    lesion = np.array([np.ravel_multi_index((47, 30, 25), SHAPE)])
    found = references(suv, Where(organs=tmp_path / "organs.nii.gz"), lesion)
    liver, blood = found["liver"], found["blood pool"]
    assert liver is not None
    assert blood is not None
    assert (liver.suv_mean, liver.suv_max) == (2.0, 2.0)
    # more than 10 mm inside 16 × 20 × 20 voxels of 5 × 4.5 × 4 mm: 12 × 16 × 16, less the lesion
    assert liver.volume_ml == pytest.approx((12 * 16 * 16 - 1) * 0.09)
    assert "liver" in liver.how
    assert (blood.suv_mean, blood.how) == (1.5, "aorta, 5 mm inside its border")
    sphere = references(suv, Where((-70.0, 10.0, 290.0), None, tmp_path / "organs.nii.gz"), lesion)
    assert sphere["liver"] is not None
    assert sphere["liver"].how == "sphere of 30 mm at -70,10,290"
    assert references(suv, Where(), lesion) == {"liver": None, "blood pool": None}


def case_of(out: Path, name: str, suv: Volume, labels: Volume, **info: Any) -> Case:
    def find(volume: Volume, ct: Volume | None) -> Found:
        lesions = from_labels(labels, volume)
        return Found(lesions, (Origin(Source.MODEL, 0.9),) * len(lesions))

    known = {"study": {"uid": name, "date": info.pop("date", "20200102")}, **info}
    shape = {"shape": list(suv.grid.shape), "spacing_mm": list(suv.grid.spacing_mm)}
    loaded = make_loaded(suv, known)
    loaded.info["pet"] = {**loaded.info["pet"], **shape, "voxel_ml": suv.grid.voxel_ml}
    finder = Finder(find, {"name": "vnet", "sha256": "0" * 64})
    return run_loaded(name, loaded, finder, CaseConfig(out))


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Baseline: A and B; follow-up, moved: A smaller, B gone, C new."""
    out = tmp_path_factory.mktemp("pair")
    motion = turned(4.0, (12.0, -8.0, 30.0))
    a, b, c = (40, 0, 300), (-60, 20, 150), (60, 10, 200)
    case_of(out, "one", *body(STILL, GRID, [(a, 24, 12.0), (b, 16, 8.0)]))
    later = body(motion, GRID, [(a, 12, 6.0), (c, 14, 9.0)])
    case_of(out, "two", *later, date="20200402")
    return out / "one", out / "two"


def test_two_time_points_from_the_command_line(
    pair: tuple[Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    one, two = pair
    asked = ["compare", str(one), str(two), "-o", str(tmp_path / "out")]
    assert main([*asked, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found == json.loads((tmp_path / "out" / "compare.json").read_text("utf-8"))
    fates = {(tuple(p["baseline"]), tuple(p["followup"])): p["fate"] for p in found["places"]}
    assert fates == {((1,), (1,)): "persisting", ((2,), ()): "gone", ((), (2,)): "new"}
    for key, own in found["methods"].items():
        before = read_case(one).record.totals[key].tmtv_ml
        after = read_case(two).record.totals[key].tmtv_ml
        told = own["tmtv_ml"]
        assert (told["baseline"], told["followup"]) == (before, after)
        assert told["percent"] == pytest.approx(100 * (after - before) / before)
        parts = [p["methods"][key]["volume_ml"] for p in found["places"]]
        assert sum(p["baseline"] for p in parts) == pytest.approx(before)
        assert sum(p["followup"] for p in parts) == pytest.approx(after)
    assert found["response"]["deauville"] == 5  # a new lesion
    assert found["response"]["qpet"] is None
    assert main(asked) == 0
    captured = capsys.readouterr()
    assert "Deauville 5, qPET – (computed" in captured.out
    assert "not-signed: nobody has signed the baseline" in captured.err


def test_what_a_reader_rejected_does_not_count(pair: tuple[Path, Path]) -> None:
    one, two = (read_case(p) for p in pair)
    record(two, Decision("reject", (2,)), "AB")
    liver = Where((-40.0, 2.0, 312.0), (40.0, -18.0, 400.0))
    found = compared(one, read_case(two.path), where=liver)
    assert [p["fate"] for p in found["places"]] == ["persisting", "gone"]
    answer = found["response"]
    assert answer["liver"]["suv_max"] == pytest.approx(2.0)
    assert answer["hottest_suv"] == pytest.approx(6.0, abs=0.1)
    assert answer["deauville"] == 5  # 6 is more than twice 2
    assert answer["qpet"] == pytest.approx(6.0 / 2.0, abs=0.2)


def test_other_patients_are_refused_until_someone_says_so(
    pair: tuple[Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    one, _ = pair
    suv, labels = body(STILL, GRID, [((40, 0, 300), 24, 12.0)])
    patient = {"id": "P2", "sex": "F", "weight_kg": 70.0, "height_m": 1.75, "age_years": 50.0}
    other = case_of(tmp_path, "other", suv, labels, date="20190101", patient=patient)
    assert main(["compare", str(one), str(other.path)]) == 1
    assert "--other-id" in capsys.readouterr().err
    found = compared(read_case(one), other, other_id=True)
    assert {"other-id", "order"} <= {w["code"] for w in found["warnings"]}
    assert found["response"]["deauville"] is None
    assert "no-reference" in {w["code"] for w in found["warnings"]}


def test_a_case_beside_itself_is_told(pair: tuple[Path, Path]) -> None:
    one, two = (read_case(path) for path in pair)
    assert "same-scan" in {w["code"] for w in compared(one, one)["warnings"]}
    assert "same-scan" not in {w["code"] for w in compared(one, two)["warnings"]}


def test_without_a_word_the_structures_that_the_case_named_are_taken(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    spot = [((60.0, 10.0, 400.0), 12.0, 9.0)]
    for name, peak in (("before", 9.0), ("after", 5.0)):
        suv, _ = body(STILL, GRID, [(spot[0][0], 12.0, peak)])
        (tmp_path / name).mkdir()
        write_nifti(suv, tmp_path / name / "pet.nii.gz")
    x, y, z = GRID.to_mm(np.argwhere(np.ones(SHAPE, bool))).T
    labels = np.zeros(SHAPE, np.uint16).reshape(-1)
    labels[((x + 50) / 55) ** 2 + ((y - 10) / 45) ** 2 + ((z - 280) / 45) ** 2 <= 1] = 5
    labels[((x - 30) / 30) ** 2 + ((y + 10) / 26) ** 2 + ((z - 370) / 26) ** 2 <= 1] = 52
    organs = tmp_path / "organs.nii.gz"
    write_nifti(Volume(labels.reshape(SHAPE), GRID, Unit.LABEL), organs)
    out, asked = str(tmp_path / "out"), ["predict", "--model", "hotspot", "-q", "-o"]
    assert main([*asked, out, str(tmp_path / "before")]) == 0
    assert main([*asked, out, str(tmp_path / "after"), "--organs", str(organs)]) == 0
    both = ["compare", f"{out}/before", f"{out}/after", "--json", "-q"]
    told = []
    for more in ([], ["--organs", str(organs)], ["--blood-sphere", "30,-10,370"]):
        capsys.readouterr()
        assert main([*both, *more]) == 0
        told.append(json.loads(capsys.readouterr().out)["response"])
    own, given, sphere = told
    assert own["liver"] == {
        "suv_mean": 2.0,
        "suv_max": 2.0,
        "volume_ml": given["liver"]["volume_ml"],
        "how": "liver as the map of organs had it when the case was made, 10 mm inside its border",
    }
    assert (own["blood_pool"]["suv_mean"], own["blood_pool"]["suv_max"]) == (
        pytest.approx(1.6), pytest.approx(1.6),
    )  # fmt: skip
    assert [r["deauville"] for r in told] == [own["deauville"]] * 3
    assert own["qpet"] == given["qpet"] == sphere["qpet"]
    assert sphere["liver"] == own["liver"]
    assert sphere["blood_pool"]["how"].startswith("sphere of 16 mm")
    assert main(["compare", f"{out}/after", f"{out}/before", "--json", "-q"]) == 0
    answer = json.loads(capsys.readouterr().out)["response"]  # the follow-up's own, which has none
    assert (answer["liver"], answer["qpet"]) == (None, None)


def test_a_case_of_before_maxima_were_told_has_no_reference() -> None:
    suv, _ = body(STILL, GRID, [])
    none = np.zeros(0, np.int64)
    liver = {"suv_mean": 2.1, "suv_median": 2.0, "suv_sd": 0.1, "volume_ml": 800.0, "by": "network"}
    assert references(suv, Where(), none, {"liver": liver, "blood_pool": None}) == {
        "liver": None,
        "blood pool": None,
    }
    found = references(suv, Where(), none, {"liver": {**liver, "suv_max": 3.0}})
    how = "liver as the network names it when the case was made, 10 mm inside its border"
    assert found["liver"] == Reference(2.1, 3.0, 800.0, how)
