"""Repairs in a reading: exact voxels, replay to the bit, undo to the prediction, totals.

What is expected comes from the volume by scipy's labelling and plain sums, by none of our code.
"""

from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from tests.support.cases import ORIGIN_MM, SPACING_MM, make_case, make_volume
from tmtv_engine.case.folder import Case, prediction_sha256, read_case
from tmtv_engine.case.record import decode
from tmtv_engine.errors import UsageError
from tmtv_engine.files import dump_json
from tmtv_engine.lesion.origin import Source
from tmtv_engine.review.journal import Decision, Journal
from tmtv_engine.review.reading import Reading
from tmtv_engine.review.repairs import add, erase, merge
from tmtv_engine.review.session import Session, record
from tmtv_engine.review.verify import verify

SUV, LABELS = make_volume()
IMAGE, MAP = SUV.array, LABELS.array
SPOT_3, SPOT_1 = (17, 8, 30), (5, 9, 9)
ML = float(np.prod(SPACING_MM)) / 1000
Mask = npt.NDArray[np.bool_]


def mm(at: tuple[float, float, float]) -> tuple[float, float, float]:
    """(z, y, x) as LPS mm (x, y, z)."""
    x, y, z = (ORIGIN_MM[k] + SPACING_MM[2 - k] * at[2 - k] for k in range(3))
    return x, y, z


def distance(at: tuple[float, float, float]) -> npt.NDArray[np.float64]:
    index = np.indices(IMAGE.shape)
    return np.asarray(np.sqrt(sum(((index[k] - at[k]) * SPACING_MM[k]) ** 2 for k in range(3))))


def flooded(at: tuple[int, int, int], above: float, within: float, held: Mask) -> Mask:
    """By scipy: connected, above, within reach, not what another holds."""
    mask = (np.float64(above) < IMAGE) & (distance(at) <= within) & ~held
    found, _ = ndimage.label(mask, np.ones((3, 3, 3)))
    return np.asarray(found == found[at])


def mask_of(reading: Reading, number: int) -> Mask:
    flat = np.zeros(IMAGE.size, bool)
    flat[reading.lesions.voxels[reading.lesions.span(reading.lesions.row(number))]] = True
    return flat.reshape(IMAGE.shape)


def summed(mask: Mask, method: str) -> float:
    cut = float(method) if "." in method else IMAGE[mask].max() * np.float64(int(method) / 100)
    return int((IMAGE[mask] > cut).sum()) * ML


def failures(case: Case) -> list[str]:
    return [f"{f.what}: {f.detail}" for f in verify(case.path) if f.failed]


def adding(
    case: Case, at: tuple[float, float, float], above: str | float, **more: object
) -> Decision:
    return add(Session(case, "AB").replayer.pet, mm(at), above, **more)  # type: ignore[arg-type]


@pytest.mark.parametrize(("above", "value"), [("4.0", 4.0), ("41%", 0.41 * 14), (2.6, 2.6)])
@pytest.mark.parametrize("within", [60.0, 5.0])
def test_a_lesion_is_added_around_a_point(
    tmp_path: Path, above: str, value: float, within: float
) -> None:
    case = make_case(tmp_path)
    reading = record(case, adding(case, SPOT_3, above, within_mm=within), "AB")
    expected = flooded(SPOT_3, value, within, (MAP == 1) | (MAP == 2))
    assert (mask_of(reading, 4) == expected).all()
    assert reading.status[4] == "accepted"
    assert reading.sources[4] == Source.READER
    now = read_case(case.path).raw
    decode(now, "case.json")
    for method in ("41", "2.5", "4.0"):
        whole = summed(MAP == 1, method) + summed(MAP == 2, method) + summed(expected, method)
        assert now["totals"][method]["tmtv_ml"] == pytest.approx(whole)
        assert now["lesions"][-1]["methods"][method]["volume_ml"] == pytest.approx(
            summed(expected, method)
        )
    assert (now["lesions"][-1]["source"], now["lesions"][-1]["decided_by"]) == ("reader", "AB")
    assert now["lesions"][-1]["floor_suv"] == pytest.approx(value)
    assert failures(case) == []


def test_a_candidate_gives_what_is_added_and_keeps_the_rest(tmp_path: Path) -> None:
    case = make_case(tmp_path)
    reading = record(case, adding(case, SPOT_3, 8.0), "AB")
    taken = flooded(SPOT_3, 8.0, 60, (MAP == 1) | (MAP == 2))
    assert (mask_of(reading, 3) == ((MAP == 3) & ~taken)).all()
    row = read_case(case.path).raw["lesions"][2]
    assert row["voxels"] == int(((MAP == 3) & ~taken).sum())
    assert row["predicted"]["voxels"] == int((MAP == 3).sum())
    reading = record(case, Decision("undo"), "AB")
    assert (mask_of(reading, 3) == (MAP == 3)).all()
    assert "predicted" not in read_case(case.path).raw["lesions"][2]


def test_a_neighbour_is_never_entered(tmp_path: Path) -> None:
    """At 0.5 everything hangs together: lesions 1 and 2 stay whole."""
    case = make_case(tmp_path)
    reading = record(case, adding(case, SPOT_3, 0.5, within_mm=500.0), "AB")
    held = (MAP == 1) | (MAP == 2)
    assert (mask_of(reading, 4) == flooded(SPOT_3, 0.5, 500, held)).all()
    assert (mask_of(reading, 1) == (MAP == 1)).all()
    assert 3 not in reading.status  # the candidate is gone, its number stays its own
    reading = record(case, Decision("undo"), "AB")
    assert reading.status[3] == "candidate"


@pytest.mark.parametrize(
    ("at", "above", "words"),
    [
        (SPOT_1, "2.5", "lesion 1 holds that point"),
        ((10, 3, 3), "2.5", r"SUV 1\.00 at that point is not above 2\.5"),
        ((0, 0, 0), "0", r"SUV 0\.00 at that point"),
        ((-1, 0, 0), "2.5", "outside the PET"),
        (SPOT_3, "140%", "no share"),
        (SPOT_3, "0%", "no share"),
        (SPOT_3, "warm", "no SUV"),
        (SPOT_3, "nan", "add"),
        (SPOT_3, "inf", "add"),
    ],
)
def test_what_cannot_be_added_is_told_and_not_recorded(
    tmp_path: Path, at: tuple[int, int, int], above: str, words: str
) -> None:
    case = make_case(tmp_path)
    with pytest.raises(UsageError, match=words):
        record(case, adding(case, at, above), "AB")
    assert Journal(case.path / "review" / "AB.jsonl").read() == []


def test_a_lesion_grows_into_what_it_lacks(tmp_path: Path) -> None:
    case = make_case(tmp_path)
    small = record(case, erase(1, below=6.0), "AB")
    assert (mask_of(small, 1) == ((MAP == 1) & (IMAGE > 6))).all()
    grown = record(case, adding(case, SPOT_1, 3.0, into=1), "AB")
    assert (mask_of(grown, 1) == ((MAP == 1) & (IMAGE > 3))).all()
    lesions, row = grown.lesions, grown.lesions.row(1)
    assert (np.diff(lesions.voxels[lesions.span(row)]) > 0).all()
    assert read_case(case.path).raw["lesions"][0]["floor_suv"] == 3.0
    with pytest.raises(UsageError, match="holds all of it"):
        record(case, adding(case, SPOT_1, 4.0, into=1), "AB")
    assert [x.action for x in grown.lines] == ["erase", "grow"]


def test_a_sphere_is_erased_with_its_surface(tmp_path: Path) -> None:
    case = make_case(tmp_path)
    reading = record(case, erase(1, [(*mm(SPOT_1), 5.0)]), "AB")
    expected = (MAP == 1) & ~(distance(SPOT_1) <= 5.0)
    assert int((MAP == 1).sum()) - int(expected.sum()) == 25  # counted by hand
    assert (mask_of(reading, 1) == expected).all()
    for method in ("41", "2.5", "4.0"):
        told = read_case(case.path).raw
        whole = summed(expected, method) + summed(MAP == 2, method)
        assert told["totals"][method]["tmtv_ml"] == pytest.approx(whole)
        rows = [r for r in told["lesions"] if r["status"] == "accepted"]
        assert sum(r["methods"][method]["volume_ml"] for r in rows) == pytest.approx(whole)
    assert told["lesions"][0]["suv_max"] == float(IMAGE[expected].max())
    assert failures(case) == []


def test_cap_parts_what_is_above_from_what_is_not_ties_included(tmp_path: Path) -> None:
    case = make_case(tmp_path)
    own = IMAGE[MAP == 1]
    tie = float(np.sort(own)[len(own) // 2])
    below = record(case, erase(1, below=tie), "AB")
    assert (mask_of(below, 1) == ((MAP == 1) & (tie < IMAGE))).all()
    record(case, Decision("undo"), "AB")
    above = record(case, erase(1, above=tie), "AB")
    assert (mask_of(above, 1) == ((MAP == 1) & (tie >= IMAGE))).all()


def test_an_erasure_of_nothing_or_of_all_is_refused(tmp_path: Path) -> None:
    case = make_case(tmp_path)
    for what, words in (
        (erase(1, [(*mm((0, 0, 0)), 3.0)]), "no voxel of lesion 1"),
        (erase(1, above=9.0), "no voxel of lesion 1"),
        (erase(1, below=9.0), "nothing of lesion 1 would be left"),
        (erase(8, below=3.0), "no lesion 8"),
    ):
        with pytest.raises(UsageError, match=words):
            record(case, what, "AB")


def test_merged_lesions_are_one_under_the_lowest_number(tmp_path: Path) -> None:
    case = make_case(tmp_path)
    reading = record(case, merge([3, 2]), "AB")
    assert (mask_of(reading, 2) == ((MAP == 2) | (MAP == 3))).all()
    assert sorted(reading.status) == [1, 2]
    now = read_case(case.path).raw
    assert now["review"]["merged"] == {"3": 2}
    assert [r["status"] for r in now["lesions"]] == ["accepted", "accepted", "rejected"]
    both = (MAP == 2) | (MAP == 3)
    assert now["lesions"][1]["methods"]["41"]["volume_ml"] == pytest.approx(summed(both, "41"))
    with pytest.raises(UsageError, match="no lesion 3") as error:
        record(case, Decision("accept", (3,)), "AB")
    assert error.value.remedy == "Lesion 3 was merged into 2."
    new = record(case, adding(case, (10, 3, 3), 0.5, within_mm=4.0), "AB")
    assert max(new.status) == 4  # 3 was given once
    assert failures(case) == []


def test_two_candidates_merged_are_a_candidate_and_with_an_accepted_one_count(
    tmp_path: Path,
) -> None:
    case = make_case(tmp_path)
    record(case, Decision("reject", (1, 2)), "AB")
    assert record(case, merge([1, 2]), "AB").status[1] == "rejected"
    record(case, Decision("accept", (3,)), "AB")
    assert record(case, merge([1, 3]), "AB").status[1] == "accepted"


def test_a_preview_is_what_the_decision_gives_and_writes_nothing(tmp_path: Path) -> None:
    case = make_case(tmp_path)
    session = Session(case, "AB")
    for what in (adding(case, SPOT_3, "41%"), erase(1, below=5.0), merge([1, 2])):
        lines = len(session.journal.read())
        seen = session.preview(what)
        assert len(Journal(session.journal.path).read()) == lines
        done = session.decide(what)
        assert (seen.lesions.voxels == done.lesions.voxels).all()
        assert seen.status == done.status


def test_a50p_sees_the_background_of_what_was_repaired(tmp_path: Path) -> None:
    """The same lesions, found so or repaired so, have the same background and volume."""
    from tmtv_engine.lesion.lists import from_labels
    from tmtv_engine.lesion.thresholds import background_suv

    case = make_case(tmp_path, methods=("a50p", "mv2"))
    record(case, erase(1, [(*mm(SPOT_1), 5.0)]), "AB")
    record(case, adding(case, SPOT_3, 4.0), "AB")
    expected = np.array(MAP)
    expected[(MAP == 1) & (distance(SPOT_1) <= 5.0)] = 0
    expected[(MAP == 3) & (IMAGE > 4)] = 4
    around = background_suv(from_labels(LABELS.with_array(expected), SUV), SUV)
    rows = read_case(case.path).raw["lesions"]
    assert [r["background_suv"] for r in rows] == [float(v) for v in around]
    assert all(r["methods"]["a50p"]["volume_ml"] > 0 for r in rows)
    assert failures(case) == []


REPAIRS = st.one_of(
    st.tuples(st.just("add"), st.integers(0, 20), st.integers(0, 32), st.integers(0, 38)),
    st.tuples(st.just("grow"), st.integers(1, 3), st.integers(1, 6), st.just(0)),
    st.tuples(st.just("sphere"), st.integers(1, 4), st.integers(1, 7), st.integers(0, 2)),
    st.tuples(st.just("below"), st.integers(1, 4), st.integers(2, 9), st.just(0)),
    st.tuples(st.just("above"), st.integers(1, 4), st.integers(2, 9), st.just(0)),
    st.tuples(st.just("merge"), st.integers(1, 5), st.integers(1, 5), st.just(0)),
    st.tuples(st.just("split"), st.integers(1, 6), st.just(0), st.just(0)),
    st.tuples(st.sampled_from(["accept", "reject"]), st.integers(1, 6), st.just(0), st.just(0)),
)


def repair(session: Session, what: tuple[str, int, int, int]) -> Decision:
    action, a, b, c = what
    spots = [SPOT_1, (13, 20, 25), SPOT_3]
    pet = session.replayer.pet
    if action == "add":
        return add(pet, mm((a, b, c)), 0.5 + b % 3, 10.0)
    if action == "grow":
        return add(pet, mm(spots[a - 1]), 0.6 * b, 12.0, into=a)
    if action == "sphere":
        return erase(a, [(*mm(spots[c]), float(b))])
    if action == "below":
        return erase(a, below=float(b))
    if action == "above":
        return erase(a, above=float(b))
    if action == "merge":
        return merge([a, b])
    return Decision(action, (a,))


def state_of(reading: Reading) -> tuple[object, ...]:
    lesions = reading.lesions
    arrays = ("ids", "components", "starts", "voxels", "suv", "peak")
    maps = (reading.status, reading.decided_by, reading.sources, reading.reasons, reading.splits)
    return (
        *(getattr(lesions, name).tobytes() for name in arrays),
        *(json.dumps({str(k): v for k, v in sorted(m.items())}) for m in maps),
        json.dumps(dict(reading.floors)),
        reading.last,
    )


_MADE: list[Case] = []


@settings(max_examples=25, deadline=None)
@given(steps=st.lists(REPAIRS, min_size=1, max_size=8))
def test_replay_is_the_state_and_undone_to_the_start_it_is_the_prediction(
    tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[str, int, int, int]]
) -> None:
    if not _MADE:
        _MADE.append(make_case(tmp_path_factory.mktemp("laws")))
    session = Session(_MADE[0], f"r{os.urandom(8).hex()}")
    past = [state_of(session.reading)]
    for step in steps:
        try:
            reading = session.decide(repair(session, step))
        except UsageError:
            continue
        voxels = reading.lesions.voxels
        assert len(np.unique(voxels)) == len(voxels)
        assert (reading.lesions.counts > 0).all()
        assert set(reading.status) == {int(i) for i in reading.lesions.ids}
        assert (reading.lesions.suv == IMAGE.reshape(-1)[voxels]).all()
        past.append(state_of(reading))
    assert state_of(Session(_MADE[0], session.reader).reading) == past[-1]
    for before in reversed(past[:-1]):
        assert state_of(session.decide(Decision("undo"))) == before
    with pytest.raises(UsageError, match="nothing to undo"):
        session.decide(Decision("undo"))
    for after in past[1:]:
        assert state_of(session.decide(Decision("redo"))) == after


def test_undone_to_the_start_case_json_is_the_prediction_s(tmp_path: Path) -> None:
    case = make_case(tmp_path)
    before = {k: case.raw[k] for k in ("lesions", "totals", "warnings")}
    record(case, adding(case, SPOT_3, "41%"), "AB")
    record(case, erase(1, below=5.0), "AB")
    record(case, merge([1, 4]), "AB")
    assert prediction_sha256(read_case(case.path).raw) == prediction_sha256(case.raw)
    for _ in range(3):
        record(case, Decision("undo"), "AB")
    now = read_case(case.path).raw
    assert {k: now[k] for k in before} == before


@pytest.mark.parametrize("where", ["voxels", "predicted", "floor_suv", "centroid_mm"])
def test_a_changed_number_of_a_repaired_row_is_found(tmp_path: Path, where: str) -> None:
    case = make_case(tmp_path)
    record(case, erase(1, below=5.0), "AB")
    raw = read_case(case.path).raw
    row = raw["lesions"][0]
    if where == "predicted":
        row["predicted"]["voxels"] += 1
    elif where == "centroid_mm":
        row["centroid_mm"][0] += 1
    else:
        row[where] = 3
    dump_json(case.path / "case.json", raw)
    assert failures(case) != []
