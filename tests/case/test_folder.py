"""The case folder: whole or absent, validated, hashed, and never at the cost of a review."""

from __future__ import annotations

import contextlib
import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.support.cases import make_case, make_lesions, make_volume, snapshot
from tmtv_engine.case import folder as case_module
from tmtv_engine.case.folder import LOCK, find_cases, prediction_sha256, read_case
from tmtv_engine.case.record import decode
from tmtv_engine.errors import CaseError
from tmtv_engine.files import dump_json, jsonable, new_folder, sha256_of

FILES = {
    "image.b2nd",
    "case.json",
    "lesions.csv",
    "lesions.nii.gz",
    "mip.npz",
    "mip.png",
    "slices.npz",
    "source.json",
    "voxels.npz",
}


def test_a_case_holds_its_files_and_their_hashes(tmp_path: Path) -> None:
    case = make_case(tmp_path)
    assert {p.name for p in case.path.iterdir()} == FILES
    hashes = case.raw["provenance"]["files_sha256"]
    assert set(hashes) == FILES
    for name in FILES - {"case.json"}:
        assert hashes[name] == sha256_of(case.path / name)
    assert hashes["case.json"] == prediction_sha256(read_case(case.path).raw)


def test_reading_gives_back_what_was_written(tmp_path: Path) -> None:
    made = make_case(tmp_path)
    case = read_case(made.path)
    assert case.record == made.record
    lesions, stored = make_lesions(), case.voxels()
    for key in ("ids", "components", "starts", "voxels", "suv", "peak"):
        np.testing.assert_array_equal(getattr(stored, key), getattr(lesions, key))
    assert stored.grid.matches(lesions.grid)
    assert stored.grid.frame_uid == lesions.grid.frame_uid
    suv, _ = make_volume()
    slices = case.slices()
    through = slices.of(2)
    assert through is not None
    np.testing.assert_allclose(through, suv.array[13], rtol=1e-3)
    assert slices.of(9) is None
    assert case.mip().images.shape[0] == 24


def test_totals_count_accepted_lesions_only(tmp_path: Path) -> None:
    record = make_case(tmp_path).raw
    rows = [r["methods"]["2.5"] for r in record["lesions"]]
    assert [r["status"] for r in record["lesions"]] == ["accepted", "accepted", "candidate"]
    sums = record["totals"]["2.5"]
    assert sums["tmtv_ml"] == pytest.approx(rows[0]["volume_ml"] + rows[1]["volume_ml"])
    assert sums["lesions"] == 2
    assert sums["dmax_mm"] == pytest.approx(math.dist((-22, -33, 120), (10, 0, 152)))
    assert record["predicted_totals"] == record["totals"]


def test_the_hash_of_the_prediction_ignores_the_review_and_nothing_else(tmp_path: Path) -> None:
    record = make_case(tmp_path, hotspots=True).raw
    before = prediction_sha256(record)
    reviewed = json.loads(json.dumps(record))
    reviewed["lesions"][0].update(status="rejected", decided_by="AB")
    reviewed["lesions"].append({**reviewed["lesions"][1], "id": 4})
    reviewed["totals"], reviewed["review"]["status"] = {}, "done"
    codes = [w for w in reviewed["warnings"] if w["code"] != "unreviewed-hotspots"]
    reviewed["warnings"] = codes
    assert prediction_sha256(reviewed) == before
    reviewed["lesions"][1]["suv_max"] += 1e-9
    assert prediction_sha256(reviewed) != before


@pytest.mark.parametrize("error", [KeyboardInterrupt, OSError(28, "No space left on device")])
def test_nothing_is_left_of_a_case_that_did_not_finish(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Any
) -> None:
    def fail(*_: Any, **__: Any) -> None:
        raise error

    monkeypatch.setattr(case_module, "dump_json", fail)
    with pytest.raises((KeyboardInterrupt, CaseError)):
        make_case(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_reviewed_case_moves_aside_and_an_unreviewed_one_is_replaced(tmp_path: Path) -> None:
    case = make_case(tmp_path)
    make_case(tmp_path)
    assert not (tmp_path / "aside").exists()
    (case.path / "review").mkdir()
    (case.path / "review" / "AB.jsonl").write_text("{}\n")
    before = snapshot(case.path)
    make_case(tmp_path)
    (kept,) = (tmp_path / "aside").iterdir()
    assert {k: v for k, v in snapshot(kept).items() if k != LOCK} == before
    assert not (case.path / "review").exists()
    assert find_cases(tmp_path) == [case.path]
    assert find_cases(case.path) == [case.path]
    assert find_cases(tmp_path / "nowhere") == []


def test_a_failed_rerun_leaves_the_old_case(tmp_path: Path) -> None:
    case = make_case(tmp_path)
    before = snapshot(tmp_path)
    with contextlib.suppress(ZeroDivisionError), new_folder(tmp_path, case.name) as folder:
        (folder / "half").write_text("x")
        raise ZeroDivisionError
    assert snapshot(tmp_path) == before


def test_json_has_null_where_a_number_cannot_be_known(tmp_path: Path) -> None:
    dump_json(tmp_path / "a.json", {"x": np.float32("nan"), "y": np.arange(2), "z": math.inf})
    text = (tmp_path / "a.json").read_text()
    assert json.loads(text) == {"x": None, "y": [0, 1], "z": None}
    assert jsonable({"n": np.int64(3)}) == {"n": 3}
    record = make_case(tmp_path, info={"patient": {**_NOBODY, "weight_kg": 70.0}}).raw
    assert record["totals"]["41"]["sdmax_per_m"] is None


_NOBODY = dict.fromkeys(["id", "sex", "weight_kg", "height_m", "age_years"])


def test_the_schema_refuses_what_it_should(tmp_path: Path) -> None:
    record = make_case(tmp_path).raw
    assert decode(record, "a") == read_case(tmp_path / "case-1").record
    for key in ("totals", "patient", "provenance"):
        broken = {k: v for k, v in record.items() if k != key}
        with pytest.raises(CaseError, match=key):
            decode(broken, "a")
    broken = json.loads(json.dumps(record))
    broken["lesions"][0]["status"] = "perhaps"
    with pytest.raises(CaseError, match="perhaps"):
        decode(broken, "a")


def test_errors_name_the_file(tmp_path: Path) -> None:
    with pytest.raises(CaseError, match="no case folder"):
        read_case(tmp_path)
    case = make_case(tmp_path)
    (case.path / "voxels.npz").write_bytes(b"junk")
    with pytest.raises(CaseError, match=r"voxels\.npz"):
        case.voxels()
    (case.path / "case.json").write_text("[1]")
    with pytest.raises(CaseError, match=r"case\.json"):
        read_case(case.path)
    (case.path / "case.json").write_text('{"schema": "other"}')
    with pytest.raises(CaseError, match=r"tmtv\.case/1"):
        read_case(case.path)


def test_summary_has_a_row_a_case_and_method(tmp_path: Path) -> None:
    first = make_case(tmp_path, "b")
    make_case(tmp_path, "a")
    make_case(tmp_path, "b")
    lines = (tmp_path / "summary.csv").read_text().splitlines()
    assert [line.split(",")[:2] for line in lines[1:]] == [
        [case, method] for case in "ab" for method in ("41", "2.5", "4.0")
    ]
    expected = pytest.approx(first.raw["totals"]["41"]["tmtv_ml"], rel=1e-9)
    assert float(lines[4].split(",")[2]) == expected
