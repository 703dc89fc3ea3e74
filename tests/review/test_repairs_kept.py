"""Repairs beside signatures, other readers, missing images and recuts: what is kept and told."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.review.test_repairs import (
    IMAGE,
    MAP,
    SPOT_1,
    SPOT_3,
    adding,
    distance,
    failures,
    mask_of,
    mm,
    summed,
)
from tests.support.cases import make_case
from tmtv_engine.case.folder import read_case
from tmtv_engine.errors import CaseError, TmtvError, UsageError
from tmtv_engine.review.compare import differences, settle_as, start_from
from tmtv_engine.review.journal import Decision
from tmtv_engine.review.reading import reading_of
from tmtv_engine.review.repairs import erase, merge
from tmtv_engine.review.session import Session, record


def test_a_signature_vouches_for_repaired_totals(tmp_path: Path) -> None:
    case = make_case(tmp_path)
    record(case, erase(2, [(*mm((13, 20, 25)), 6.0)]), "AB")
    signed = record(case, Decision("sign"), "AB")
    assert failures(case) == []
    totals = signed.lines[-1].parameters
    assert totals is not None
    assert totals["totals"]["4.0"] == read_case(case.path).raw["totals"]["4.0"]
    with pytest.raises(CaseError, match="is signed"):
        record(case, erase(1, below=5.0), "AB")


def test_another_reader_begins_with_repairs_but_does_not_settle_them_one_by_one(
    tmp_path: Path,
) -> None:
    case = make_case(tmp_path)
    for what in (adding(case, SPOT_3, "41%"), erase(1, below=5.0), merge([1, 4])):
        record(case, what, "AB")
    theirs = reading_of(read_case(case.path), "AB")
    mine = Session(read_case(case.path), "CD")
    assert [d.lesion for d in differences(mine.reading, theirs)] == [1]
    with pytest.raises(UsageError, match="repaired"):
        settle_as(mine, theirs, 1)
    assert start_from(mine, "AB") == 3
    assert (mine.reading.lesions.voxels == theirs.lesions.voxels).all()
    assert differences(mine.reading, theirs) == []


def test_without_an_image_adding_says_the_way_out_and_erasing_goes_on(tmp_path: Path) -> None:
    case = make_case(tmp_path)
    (case.path / "image.b2nd").unlink()
    with pytest.raises(CaseError, match=r"has no image\.b2nd") as error:
        record(case, adding(case, SPOT_3, 2.5), "AB")
    assert "--no-image" in error.value.remedy
    reading = record(case, erase(1, below=5.0), "AB")
    assert (mask_of(reading, 1) == ((MAP == 1) & (IMAGE > 5))).all()


def test_a_damaged_or_foreign_image_is_an_error_of_the_case(tmp_path: Path) -> None:
    case = make_case(tmp_path)
    record(case, adding(case, SPOT_3, 2.5), "AB")
    (case.path / "image.b2nd").write_bytes(b"no image")
    with pytest.raises(CaseError, match="cannot be read"):
        reading_of(read_case(case.path), "AB")
    assert any("image.b2nd" in told for told in failures(case))


def test_the_journal_says_where_and_above_what(tmp_path: Path) -> None:
    case = make_case(tmp_path)
    reading = record(case, adding(case, SPOT_3, "41%", within_mm=30.0), "AB")
    line = reading.lines[-1]
    assert (line.action, line.lesions, line.text) == ("add", (4,), None)
    assert line.parameters == {
        "seed": [20.0, -36.0, 168.0],
        "threshold": pytest.approx(0.41 * 14),
        "share": 41.0,
        "reach": 30.0,
    }
    raw = (case.path / "review" / "AB.jsonl").read_text()
    assert re.search(r'"action":"add"', raw)


def test_what_two_sessions_of_a_reader_add_has_two_numbers(tmp_path: Path) -> None:
    case = make_case(tmp_path)
    one, two = Session(case, "AB"), Session(case, "AB")
    first, second = adding(case, (10, 3, 3), 0.5, within_mm=4.0), adding(case, SPOT_3, 4.0)
    assert one.decide(first).last == 4
    assert two.decide(second).last == 5
    with pytest.raises(TmtvError, match="holds that point"):
        one.decide(second)


def test_a_recut_keeps_repairs_and_the_prediction_s_numbers(tmp_path: Path) -> None:
    from tmtv_engine.batch.recut import recut
    from tmtv_engine.lesion.methods import parse_method

    case = make_case(tmp_path)
    record(case, erase(1, [(*mm(SPOT_1), 5.0)]), "AB")
    recut(read_case(case.path), [parse_method("a50p"), parse_method("3.0")])
    now = read_case(case.path).raw
    left = (MAP == 1) & ~(distance(SPOT_1) <= 5.0)
    row = now["lesions"][0]
    assert row["methods"]["3.0"]["volume_ml"] == pytest.approx(summed(left, "3.0"))
    predicted = row["predicted"]["methods"]
    assert predicted["3.0"]["volume_ml"] == pytest.approx(summed(MAP == 1, "3.0"))
    assert set(predicted) == {"41", "2.5", "4.0", "a50p", "3.0"}
    assert failures(case) == []
