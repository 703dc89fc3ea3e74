"""Review: replay is the state, the case follows, a stale label map and a changed byte are found."""

from __future__ import annotations

import csv
import gzip
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.cases import SPACING_MM, make_case, make_volume, tmtv_ml
from tmtv_engine.case.folder import Case, prediction_sha256, read_case
from tmtv_engine.case.record import decode
from tmtv_engine.errors import CaseError, TmtvError, UsageError
from tmtv_engine.files import dump_json
from tmtv_engine.image.volume import Grid, Unit, Volume
from tmtv_engine.lesion.lists import Lesions, from_labels
from tmtv_engine.lesion.origin import Origin, Source
from tmtv_engine.notices import CODES
from tmtv_engine.review.journal import Decision, journals
from tmtv_engine.review.reading import reading_of
from tmtv_engine.review.session import Session, add_lesions, record, refresh, who_has_open
from tmtv_engine.review.verify import verify

ROOT = Path(__file__).resolve().parents[2]


def reject(*lesions: int, reason: str | None = None) -> Decision:
    return Decision("reject", lesions, reason=reason)


def failures(case: Case) -> list[str]:
    return [f.what for f in verify(case.path) if f.failed]


def test_totals_follow_the_accepted_lesions(tmp_path: Path) -> None:
    case = make_case(tmp_path)
    before = case.raw["totals"]
    record(case, reject(1, reason="brain"), "AB")
    reading = record(case, Decision("accept", (3,)), "AB")
    assert [reading.status[k] for k in (1, 2, 3)] == ["rejected", "accepted", "accepted"]
    now = read_case(case.path).raw
    decode(now, "case.json")
    for method in ("41", "2.5", "4.0"):
        assert now["totals"][method]["tmtv_ml"] == pytest.approx(tmtv_ml([2, 3], method))
    assert now["predicted_totals"] == before
    assert now["review"]["status"] == "partial"
    assert now["review"]["readers"] == ["AB"]
    assert now["review"]["reasons"] == {"1": "brain"}
    assert [row["decided_by"] for row in now["lesions"]] == ["AB", None, "AB"]
    rows = list(csv.DictReader((tmp_path / "summary.csv").read_text().splitlines()))
    summed = {r["method"]: float(r["tmtv_ml"]) for r in rows}
    assert summed["4.0"] == pytest.approx(now["totals"]["4.0"]["tmtv_ml"], rel=1e-9)
    assert {r["review"] for r in rows} == {"partial"}


def codes(case: Case) -> list[str]:
    return [w.code for w in read_case(case.path).record.warnings]


def test_a_cut_below_the_floor_is_warned_of_while_its_lesion_counts(tmp_path: Path) -> None:
    case = make_case(tmp_path, methods=("10",))  # 1.4 of 14, below the 2.5 of the candidate
    assert codes(case) == ["no-ct"]
    record(case, Decision("accept", (3,)), "AB")
    assert codes(case) == ["no-ct", "below-floor"]
    assert read_case(case.path).record.warnings[1].message.endswith("(lesions 3)")
    record(case, reject(3), "AB")
    assert codes(case) == ["no-ct"]
    record(case, Decision("undo"), "AB")
    assert codes(case) == ["no-ct", "below-floor"]
    assert failures(case) == []


def test_a_case_of_before_keeps_its_warnings_and_its_hash(tmp_path: Path) -> None:
    """Until 0.2 `below-floor` was part of the prediction, and lesions had no structure."""
    case = make_case(tmp_path, hotspots=True)
    old = json.loads(json.dumps(case.raw))
    for row in old["lesions"]:
        del row["structure"], row["region"]
    old["warnings"][-1]["message"] = "in its old words"
    del old["provenance"]["prediction_sha256"]
    old["provenance"]["files_sha256"]["case.json"] = prediction_sha256(old)
    dump_json(case.path / "case.json", old)
    assert failures(case) == []
    record(read_case(case.path), reject(2), "AB")
    now = read_case(case.path).raw
    assert now["warnings"] == [w for w in old["warnings"] if w["code"] != "unreviewed-hotspots"] + [
        {"code": "unreviewed-hotspots", "message": CODES["unreviewed-hotspots"].words}
    ]
    assert "structure" not in now["lesions"][0]
    assert failures(case) == []


def test_undo_and_redo_also_after_a_restart(tmp_path: Path) -> None:
    case = make_case(tmp_path)
    session = Session(case, "AB")
    session.decide(reject(1))
    session.decide(reject(2))
    again = Session(case, "AB")
    assert again.decide(Decision("undo")).status[2] == "accepted"
    assert again.decide(Decision("undo")).status[1] == "accepted"
    with pytest.raises(UsageError, match="nothing to undo"):
        again.decide(Decision("undo"))
    assert Session(case, "AB").decide(Decision("redo")).status[1] == "rejected"
    refresh(case)
    assert read_case(case.path).raw["totals"]["2.5"]["tmtv_ml"] == pytest.approx(
        tmtv_ml([2], "2.5")
    )
    with pytest.raises(UsageError, match="no lesion 9"):
        again.decide(reject(9))


def test_a_signed_reading_is_closed_until_unsigned(tmp_path: Path) -> None:
    case = make_case(tmp_path, hotspots=True)
    assert "unreviewed-hotspots" in [w["code"] for w in case.raw["warnings"]]
    record(case, reject(3), "AB")
    signed = record(case, Decision("sign"), "AB")
    now = read_case(case.path).raw
    assert now["review"]["status"] == "done"
    assert now["review"]["signed"] == signed.signed == signed.lines[-1].hash
    assert "unreviewed-hotspots" not in [w["code"] for w in now["warnings"]]
    with pytest.raises(CaseError, match="signed by AB"):
        record(case, Decision("accept", (3,)), "AB")
    record(case, Decision("unsign"), "AB")
    assert "unreviewed-hotspots" in [w["code"] for w in read_case(case.path).raw["warnings"]]
    record(case, Decision("accept", (3,)), "AB")
    assert failures(case) == []


def test_the_reading_of_record_is_the_last_signed_else_the_last_decided(tmp_path: Path) -> None:
    case = make_case(tmp_path)
    assert reading_of(case).reader is None
    record(case, reject(1), "AB")
    record(case, reject(2), "CD")
    assert reading_of(case).reader == "CD"
    assert reading_of(case).status == {1: "accepted", 2: "rejected", 3: "candidate"}
    record(case, Decision("sign"), "AB")
    record(case, Decision("accept", (3,)), "CD")
    assert reading_of(case).reader == "AB"
    assert reading_of(case, "CD").status[3] == "accepted"
    assert read_case(case.path).raw["review"]["of_record"] == "AB"
    with pytest.raises(UsageError, match="no reader"):
        reading_of(case, "EF")
    assert failures(case) == []


def two_peaks(tmp_path: Path) -> Case:
    """One lesion with maxima 12 mm (and, in one half, 6 mm) apart along x."""
    suv, labels = make_volume()
    image, label = suv.array.copy(), np.zeros(suv.array.shape, np.uint16)
    row = [5, 9, 8, 7, 6, 5, 8, 7, 6, 8, 5]  # 2 mm: maxima at 1, 6, 9
    image[10, 10, 10:21], label[10, 10, 10:21] = row, 1
    from tests.support import cases

    whole = suv.with_array(image), labels.with_array(label)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(cases, "make_volume", lambda: whole)
        patch.setattr(cases, "_finder", lambda labels, hotspots: _plain(labels))
        return make_case(tmp_path)


def _plain(labels: Volume) -> Any:
    from tmtv_engine.model.finders import Finder, Found

    def find(suv: Volume, ct: Volume | None) -> Found:
        lesions = from_labels(labels, suv)
        return Found(lesions, (Origin(Source.MODEL, 0.9),))

    return Finder(find, {"name": "vnet"})


def test_a_split_s_parts_take_the_next_numbers_and_sum_to_the_whole(tmp_path: Path) -> None:
    case = two_peaks(tmp_path)
    whole = case.raw["totals"]["2.5"]["tmtv_ml"]
    reading = record(case, Decision("split", (1,)), "AB")
    assert list(reading.splits) == [1]
    assert reading.lines[-1].text == "10"
    assert sorted(int(n) for n in reading.lesions.counts) == [5, 6]
    now = read_case(case.path).raw
    assert now["totals"]["2.5"]["tmtv_ml"] == pytest.approx(whole)
    assert [row["id"] for row in now["lesions"]] == [1, 2, 3]
    assert now["review"]["splits"] == {"1": [2, 3]}
    decode(now, "case.json")
    second = next(n for n in (2, 3) if reading.lesions.counts[reading.lesions.row(n)] == 6)
    finer = record(case, Decision("split", (second,)), "AB")
    assert finer.lines[-1].text == "5"
    assert finer.splits[second] == (4, 5)
    with pytest.raises(UsageError, match="split"):
        record(case, Decision("split", (1,)), "AB")
    record(case, reject(4), "AB")
    assert failures(case) == []
    back = Session(case, "AB")
    for _ in range(3):
        back.decide(Decision("undo"))
    assert back.reading.splits == {}
    assert back.reading.accepted == [0]


def test_added_lesions_are_kept_beside_the_journal(tmp_path: Path) -> None:
    case = make_case(tmp_path)
    suv, labels = make_volume()
    mask = np.zeros(suv.array.shape, np.uint16)
    mask[17, 8, 28:33] = 1  # within candidate 3
    mask[13, 20, 25] = 1  # within lesion 2, which is accepted and keeps its voxel
    reading = add_lesions(case, from_labels(labels.with_array(mask), suv), "AB")
    assert reading.status[4] == "accepted"
    assert int(reading.lesions.counts[reading.lesions.row(4)]) == 5
    assert len(np.unique(reading.lesions.voxels)) == len(reading.lesions.voxels)
    now = read_case(case.path).raw
    expected = tmtv_ml([1, 2], "4.0") + 5 * float(np.prod(SPACING_MM)) / 1000
    assert now["totals"]["4.0"]["tmtv_ml"] == pytest.approx(expected)
    assert failures(case) == []
    (kept,) = (case.path / "review").glob("added-*.npz")
    kept.write_bytes(kept.read_bytes() + b"x")
    assert "review/AB.jsonl" in failures(case)
    wrong = Volume(np.ones((2, 2, 2), np.uint16), Grid.axial((2, 2, 2), (1, 1, 1)), Unit.LABEL)
    other = from_labels(wrong, Volume(np.ones((2, 2, 2), np.float32), wrong.grid, Unit.SUV))
    with pytest.raises(UsageError, match="grid"):
        add_lesions(make_case(tmp_path, "other"), other, "AB")


def test_a_stale_label_map_is_refused(tmp_path: Path) -> None:
    case = make_case(tmp_path)
    record(case, reject(1), "AB")
    path = case.path / "lesions.nii.gz"
    raw = bytearray(gzip.decompress(path.read_bytes()))
    raw[-1] ^= 1
    path.write_bytes(gzip.compress(bytes(raw)))
    with pytest.raises(CaseError, match="other lesions"):
        reading_of(case)
    with pytest.raises(CaseError, match="other lesions"):
        record(case, reject(2), "AB")


def test_verify_finds_any_changed_byte(tmp_path: Path) -> None:
    case = make_case(tmp_path)
    record(case, reject(1, reason="heart"), "AB")
    record(case, Decision("sign"), "AB")
    assert failures(case) == []
    generator = np.random.default_rng(1)
    for path in sorted(p for p in case.path.rglob("*") if p.is_file() and p.suffix != ".lock"):
        raw = path.read_bytes()
        for at in generator.integers(0, len(raw), 25):
            changed = bytearray(raw)
            changed[at] ^= 1 << int(generator.integers(0, 7))
            if path.suffix == ".jsonl" and at == len(raw) - 1:
                continue  # the last newline gone: a torn line, told by the head
            path.write_bytes(bytes(changed))
            assert failures(case), (path, at)
        path.write_bytes(raw)
    assert failures(case) == []
    (case.path / "mip.png").unlink()
    assert failures(case) == ["mip.png"]


def test_verify_tells_a_journal_that_lost_lines_and_one_that_went_on(tmp_path: Path) -> None:
    case = make_case(tmp_path)
    record(case, reject(1), "AB")
    Session(case, "AB").decide(reject(2))  # as when killed before case.json followed
    states = {f.what: f.state for f in verify(case.path)}
    assert states["case.json (review)"] == "behind"
    assert failures(case) == []
    refresh(case)
    path = journals(case.path)[0]
    path.write_bytes(path.read_bytes().splitlines(keepends=True)[0])
    assert failures(case) == ["review/AB.jsonl", "case.json (review)"]


def test_who_has_a_case_open(tmp_path: Path) -> None:
    case = make_case(tmp_path)
    Session(case, "AB").decide(Decision("open", text=f"pid {os.getpid()}"))
    Session(case, "CD").decide(Decision("open", text="pid 999999999"))  # killed long ago
    assert [p.reader for p in who_has_open(case.path)] == ["AB"]
    Session(case, "AB").decide(Decision("close", text=f"pid {os.getpid()}"))
    assert who_has_open(case.path) == []
    assert reading_of(case).state == "todo"


ACTIONS = st.one_of(
    st.tuples(st.sampled_from(["accept", "reject"]), st.integers(1, 3)),
    st.tuples(st.sampled_from(["undo", "redo", "flag", "unflag"]), st.just(0)),
)


@settings(max_examples=25, deadline=None)
@given(actions=st.lists(ACTIONS, max_size=14))
def test_replay_of_the_journal_is_the_state(
    tmp_path_factory: pytest.TempPathFactory, actions: list[tuple[str, int]]
) -> None:
    case = make_case_once(tmp_path_factory)
    session = Session(case, f"r{os.urandom(8).hex()}")
    past: list[dict[int, str]] = [{1: "accepted", 2: "accepted", 3: "candidate"}]
    future: list[dict[int, str]] = []
    for action, number in actions:
        decision = Decision(action, (number,) if number else ())
        try:
            session.decide(decision)
        except TmtvError:
            assert (action == "undo" and len(past) == 1) or (action == "redo" and not future)
            continue
        if action == "undo":
            future.append(past.pop())
        elif action == "redo":
            past.append(future.pop())
        else:
            word = {"accept": "accepted", "reject": "rejected"}.get(action)
            past.append({**past[-1], **({number: word} if word else {})})
            future = []
        assert session.reading.status == past[-1]
    assert Session(case, session.reader).reading.status == past[-1]


_MADE: list[Case] = []


def make_case_once(factory: pytest.TempPathFactory) -> Case:
    if not _MADE:
        _MADE.append(make_case(factory.mktemp("laws")))
    return _MADE[0]


def test_reviewing_imports_nothing_heavy(tmp_path: Path) -> None:
    case = two_peaks(tmp_path)
    code = (
        "import sys; from tmtv_engine.case.folder import read_case; "
        "from tmtv_engine.review.session import *; "
        f"record(read_case({str(case.path)!r}), Decision('split', (1,)), 'AB'); "
        f"record(read_case({str(case.path)!r}), Decision('reject', (2,)), 'AB'); "
        "print(*sorted({m.split('.')[0] for m in sys.modules}))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    heavy = {"torch", "SimpleITK", "highdicom", "pydicom", "skimage", "matplotlib", "scipy"}
    assert not heavy & set(done.stdout.split())


def test_an_empty_case_can_be_reviewed(tmp_path: Path) -> None:
    case = make_case(tmp_path)
    record(case, reject(1, 2), "AB")
    now = read_case(case.path).raw
    assert now["totals"]["41"] == {
        "tmtv_ml": 0.0, "tlg_g": 0.0, "lesions": 0, "suv_max": None,
        "suv_peak": None, "dmax_mm": None, "sdmax_per_m": None,
    }  # fmt: skip
    assert isinstance(reading_of(case).lesions, Lesions)
