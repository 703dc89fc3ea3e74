"""Attacks on the record: what somebody does to journals and folders, and what `verify` says.

Before, each of these passed as "as it was written", or ended `verify` for every case.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.support.cases import make_case
from tmtv_engine.case.folder import Case, read_case
from tmtv_engine.errors import CaseError
from tmtv_engine.files import canonical
from tmtv_engine.review.journal import ANEW, Decision, Journal
from tmtv_engine.review.line import line_hash
from tmtv_engine.review.reading import reading_of
from tmtv_engine.review.session import Session, record, refresh
from tmtv_engine.review.verify import verify, verify_all
from tmtv_tui.cli.app import main

NEGATIVE = (Decision("reject", (1, 2)), Decision("sign"))


def read(case: Case, reader: str = "AB", *decisions: Decision) -> Path:
    """A signed negative reading (or ``decisions``); the journal's path."""
    for decision in decisions or NEGATIVE:
        record(case, decision, reader)
    return case.path / "review" / f"{reader}.jsonl"


def failed(path: Path) -> dict[str, str]:
    return {f.what: f.detail for f in verify(path) if f.failed}


def forged(path: Path, change: Callable[[list[dict[str, Any]]], object]) -> None:
    """Rewrite a journal's lines and make its chain whole again, as an attacker would."""
    lines = [json.loads(raw) for raw in path.read_bytes().splitlines()]
    change(lines)
    before = ""
    for line in lines:
        line["prev"] = before
        line["hash"] = before = line_hash(line)
    path.write_bytes(b"".join(canonical(line) + b"\n" for line in lines))


def rehashed(folder: Path, change: Callable[[dict[str, Any]], object]) -> None:
    """Change `case.json` and make its own hashes right again."""
    from tmtv_engine.case.folder import prediction_sha256
    from tmtv_engine.review.session import review_sha256

    path = folder / "case.json"
    found = json.loads(path.read_text())
    change(found)
    found["provenance"]["files_sha256"]["case.json"] = prediction_sha256(found)
    if "sha256" in found["review"]:
        found["review"]["sha256"] = review_sha256(found)
    path.write_text(json.dumps(found, indent=1, ensure_ascii=False) + "\n")


def test_a_signed_negative_reading_of_another_patient_is_refused(tmp_path: Path) -> None:
    """Before: the other patient was "done, signed", and `verify` was content."""
    ill, well = make_case(tmp_path, "ill"), make_case(tmp_path, "well")
    (ill.path / "review").mkdir(exist_ok=True)
    shutil.copy(read(well), ill.path / "review" / "AB.jsonl")
    assert "is about the case well" in failed(ill.path)["review/AB.jsonl"]
    with pytest.raises(CaseError, match="is about the case well"):
        reading_of(ill)
    with pytest.raises(CaseError, match="is about the case well"):
        refresh(ill)
    assert read_case(ill.path).record.review.status == "todo"
    assert failed(well.path) == {}


@pytest.mark.parametrize("how", ["copied", "renamed"])
def test_a_journal_under_another_name_is_refused(tmp_path: Path, how: str) -> None:
    case = make_case(tmp_path)
    path = read(case)
    move = shutil.copy if how == "copied" else os.rename
    move(path, path.with_name("CD.jsonl"))
    found = failed(case.path)
    assert "by AB, not by CD" in found["review/CD.jsonl"]
    assert ("review/AB.jsonl" in found) is (how == "renamed")
    with pytest.raises(CaseError, match="by AB, not by CD"):
        reading_of(case)


def test_a_journal_that_is_gone_cut_or_empty_is_told(tmp_path: Path) -> None:
    """Also of a reader whose reading is not the one of record."""
    case = make_case(tmp_path)
    read(case)
    other = read(case, "CD", Decision("accept", (3,)), Decision("reject", (1,)))
    raw = other.read_bytes()
    assert failed(case.path) == {}
    other.unlink()
    assert failed(case.path)["review/CD.jsonl"] == "case.json names this reader: it is gone"
    other.write_bytes(raw.splitlines(keepends=True)[0])
    assert "lines are gone" in failed(case.path)["review/CD.jsonl"]
    other.write_bytes(b"")
    assert "review/CD.jsonl" in failed(case.path)
    other.write_bytes(raw)
    assert failed(case.path) == {}
    (case.path / "review" / "EF.jsonl").write_bytes(b"")  # of a run killed at its first line
    assert failed(case.path) == {}


def test_a_reading_of_another_prediction_is_told(tmp_path: Path) -> None:
    case = make_case(tmp_path)
    raw = read(case).read_bytes()
    again = make_case(tmp_path, info={"study": {"uid": "1.2.99", "date": None}})
    (again.path / "review").mkdir(exist_ok=True)
    (again.path / "review" / "AB.jsonl").write_bytes(raw)
    assert "decided on other lesions" in failed(again.path)["review/AB.jsonl"]


def test_a_case_predicted_anew_under_the_reader_takes_no_decision(tmp_path: Path) -> None:
    """Before: it was signed with lesions that the reader never saw."""
    case = make_case(tmp_path)
    session = Session(case, "AB")
    make_case(tmp_path, info={"study": {"uid": "1.2.99", "date": None}})
    with pytest.raises(CaseError, match=ANEW):
        session.decide(Decision("reject", (1,)))
    assert not list((case.path / "review").glob("*.jsonl"))
    session = Session(read_case(case.path), "AB")
    session.decide(Decision("reject", (1,)))
    make_case(tmp_path)
    with pytest.raises(CaseError, match=ANEW):
        session.decide(Decision("sign"))
    (aside,) = (tmp_path / "aside").iterdir()
    assert len(Journal(aside / "review" / "AB.jsonl").read()) == 1
    assert not list((case.path / "review").glob("*.jsonl"))


def test_the_same_prediction_made_again_keeps_a_first_decision(tmp_path: Path) -> None:
    case = make_case(tmp_path)
    session = Session(case, "AB")
    make_case(tmp_path)
    session.decide(Decision("reject", (1,)))
    assert reading_of(read_case(case.path), "AB").status[1] == "rejected"


def test_a_signature_whose_totals_are_not_the_reading_s_is_told(tmp_path: Path) -> None:
    case = make_case(tmp_path)
    path = read(case)
    whole = path.read_bytes()

    def other(lines: list[dict[str, Any]]) -> None:
        lines[1]["parameters"]["totals"]["41"]["tmtv_ml"] = 1.0

    forged(path, other)
    assert "not those that it hashes" in failed(case.path)["review/AB.jsonl"]

    def consistent(lines: list[dict[str, Any]]) -> None:
        from tmtv_engine.review.session import totals_sha256

        other(lines)
        lines[1]["text"] = totals_sha256(lines[1]["parameters"]["totals"])

    path.write_bytes(whole)
    forged(path, consistent)
    assert "not those of the reading" in failed(case.path)["review/AB.jsonl"]
    path.write_bytes(whole)
    forged(path, lambda lines: lines.insert(0, {**lines[0], "seq": 1, "lesions": [2]}))
    assert "review/AB.jsonl" in failed(case.path)


def test_a_signature_holds_though_methods_are_added(tmp_path: Path) -> None:
    case = make_case(tmp_path)
    line = Journal(read(case)).read()[-1]
    assert line.parameters is not None
    assert line.parameters["methods"] == ["41", "2.5", "4.0"]
    rehashed(case.path, lambda r: r["provenance"].update(methods=["41", "2.5", "4.0", "3.0"]))
    assert "review/AB.jsonl" not in failed(case.path)


@pytest.mark.parametrize(
    ("hours", "told"), [(-2, "s before the line above it"), (2, "dated in the future")]
)
def test_clocks_that_run_wrong_are_told(tmp_path: Path, hours: int, told: str) -> None:
    case = make_case(tmp_path)
    path = read(case)
    at = (datetime.now(UTC) + timedelta(hours=hours)).strftime("%Y-%m-%dT%H:%M:%S.000000Z")
    forged(path, lambda lines: lines[1].update(at=at))
    assert told in failed(case.path)["review/AB.jsonl"]


SEED: Any = {"seed": [20.0, -36.0, 168.0], "threshold": 2.5, "reach": 60.0}


@pytest.mark.parametrize(
    "change",
    [
        {"lesions": "12"},
        {"lesions": [[1]]},
        {"lesions": [1.5]},
        {"seq": True},
        {"at": "yesterday"},
        {"at": "2020-13-45T99:99:99.000000Z"},
        {"action": ["sign"]},
        {"reason": "\x1b]0;owned\x07"},
        {"target": "1"},
        {"parameters": []},
        {"prediction": "0"},
        {"lesions": [10**9]},
        {"action": "split", "text": "nan"},
        {"action": "split", "text": "0"},
        {"action": "split", "text": "x"},
        {"action": "add", "text": "../../../etc/passwd"},
        {"action": "add", "lesions": [4], "parameters": {"seed": [0, 0, 0]}},
        {"action": "add", "lesions": [4], "parameters": {**SEED, "threshold": 1e30}},
        {"action": "add", "lesions": [4], "parameters": {**SEED, "reach": 1e9}},
        {"action": "add", "lesions": [4], "parameters": {**SEED, "seed": [1e5, 0, 0]}},
        {"action": "add", "lesions": [9], "parameters": SEED},
        {"action": "add", "lesions": [], "parameters": SEED},
        {"action": "grow", "lesions": [9], "parameters": SEED},
        {"action": "grow", "lesions": [1, 2], "parameters": SEED},
        {"action": "erase", "parameters": {"spheres": [], "above": 3.0}},
        {"action": "erase", "parameters": {"spheres": [[0, 0, 0]]}},
        {"action": "erase", "parameters": {"below": 99.0}},
        {"action": "erase", "parameters": {"above": True}},
        {"action": "erase", "parameters": {}},
        {"action": "merge", "lesions": [1]},
        {"action": "merge", "lesions": [1, 1]},
        {"action": "sign", "parameters": {"totals": {"41": 1}, "methods": 3}},
        {"action": "undo", "target": 7},
    ],
)
def test_a_line_with_a_whole_chain_and_absurd_content_is_a_finding(
    tmp_path: Path, change: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    case = make_case(tmp_path)
    path = read(case, "AB", Decision("reject", (1,)))
    forged(path, lambda lines: lines[0].update(change))
    assert "review/AB.jsonl" in failed(case.path)
    for command in (["reject", str(case.path), "2"], ["export", str(case.path), "--write", "csv"]):
        assert main([*command, *(["--reader", "AB"] if command[0] == "reject" else [])]) in (0, 1)
    assert "should not happen" not in capsys.readouterr().err


def test_one_bad_case_is_one_bad_row(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("a", "b", "c", "d"):
        make_case(tmp_path, name)
    (tmp_path / "b" / "case.json").write_text("[" * 100_000)
    (tmp_path / "c" / "case.json").unlink()
    os.mkfifo(tmp_path / "d" / "voxels.npz.x")
    (tmp_path / "d" / "voxels.npz").unlink()
    os.rename(tmp_path / "d" / "voxels.npz.x", tmp_path / "d" / "voxels.npz")
    found = {path.name: [f.what for f in rows if f.failed] for path, rows in verify_all(tmp_path)}
    assert (found["a"], found["b"], found["c"]) == ([], ["case.json"], ["case.json"])
    assert "voxels.npz" in found["d"]
    assert main(["verify", str(tmp_path)]) == 1
    told = capsys.readouterr()
    assert "1 of 4 cases" in told.err
    assert "Traceback" not in told.err


def test_a_copy_in_another_case_s_place_is_told(tmp_path: Path) -> None:
    case, other = make_case(tmp_path), make_case(tmp_path, "case-2")
    read(case)
    shutil.rmtree(other.path)
    shutil.copytree(case.path, other.path)
    found = {path.name: {f.what for f in rows if f.failed} for path, rows in verify_all(tmp_path)}
    assert found == {"case-1": set(), "case-2": {"folder"}}


OLD = {"case": None, "prediction": None, "parameters": None}


def test_journals_of_before_are_read_verified_and_called_unbound(tmp_path: Path) -> None:
    case = make_case(tmp_path)
    from tmtv_engine.case.binding import labels_sha256

    path = read(case, "AB", Decision("reject", (1,)))
    labels = labels_sha256(case.path, list(case.record.pet.shape))

    def unbind(lines: list[dict[str, Any]]) -> None:
        for line in lines:
            for key in OLD:
                del line[key]
            line["labels_sha256"] = labels

    forged(path, unbind)
    refresh(case)
    assert reading_of(case, "AB").status[1] == "rejected"
    states = {f.what: (f.state, f.detail) for f in verify(case.path)}
    assert states["review/AB.jsonl"][0] == "unverified"
    assert "1 lines are unbound" in states["review/AB.jsonl"][1]
    record(case, Decision("reject", (2,)), "AB")  # which goes on bound
    assert [line.bound for line in Journal(path).read()] == [False, True]
    assert failed(case.path) == {}

    def unbind_last(lines: list[dict[str, Any]]) -> None:
        unbind(lines[1:])
        lines[0].update({"case": "case-1", "prediction": "0" * 64, "parameters": None})
        del lines[0]["labels_sha256"]

    forged(path, unbind_last)
    assert "unbound after bound" in failed(case.path)["review/AB.jsonl"]


def test_heads_kept_elsewhere_tell_what_the_folder_cannot(tmp_path: Path) -> None:
    """A journal that went with its entry, was cut at its end with `case.json`, or rewritten."""
    out, heads = tmp_path / "out", tmp_path / "heads.json"
    case = make_case(out)
    path = read(case)
    assert main(["verify", str(out), "--heads", str(heads)]) == 0
    whole, before = path.read_bytes(), (case.path / "case.json").read_bytes()
    assert main(["verify", str(out), "--heads", str(heads)]) == 0
    forged(path, lambda lines: lines[0].update(lesions=[2]))
    refresh(case)
    forged(path, lambda lines: lines.pop())
    refresh(case)
    assert failed(case.path) == {}  # no file in the folder can tell
    assert main(["verify", str(out), "--heads", str(heads)]) == 1
    path.unlink()
    refresh(case)
    assert failed(case.path) == {}
    assert main(["verify", str(out), "--heads", str(heads)]) == 1
    path.write_bytes(whole)
    (case.path / "case.json").write_bytes(before)
    record(case, Decision("unsign"), "AB")
    assert main(["verify", str(out), "--heads", str(heads)]) == 0
    shutil.rmtree(case.path)
    make_case(out, "case-2")
    assert main(["verify", str(out), "--heads", str(heads)]) == 1
    heads.write_text("{}")
    assert main(["verify", str(out), "--heads", str(heads)]) == 2
