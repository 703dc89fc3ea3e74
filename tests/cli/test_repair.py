"""Repairs from the command line: points with a minus, previews, what is refused."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.support.cases import make_case
from tmtv_engine.review.journal import Journal
from tmtv_tui.cli.app import main


def test_repairs_from_a_script(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    case = str(make_case(tmp_path).path)
    assert main(["add", case, "20,-36,168", "--above", "41%", "--reader", "AB", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["lesions"][3]["source"] == "reader"
    assert told["totals"]["41"]["lesions"] == 3
    assert main(["erase", case, "1", "--sphere", "-22,-33,120,5", "--reader", "AB"]) == 0
    assert "lesion 1 has 4.9 mL" in capsys.readouterr().err
    assert main(["add", case, "-22,-33,124", "--into", "1", "--reader", "AB", "--above", "3"]) == 0
    assert main(["merge", case, "1", "2", "--reader", "AB", "--json"]) == 0
    assert json.loads(capsys.readouterr().out.splitlines()[-1])["review"]["merged"] == {"2": 1}
    assert main(["undo", case, "--reader", "AB"]) == 0
    lines = Journal(Path(case) / "review" / "AB.jsonl").read()
    assert [line.action for line in lines] == ["add", "erase", "grow", "merge", "undo"]
    assert main(["verify", case]) == 0


def test_a_preview_says_what_would_be(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    case = make_case(tmp_path).path
    command = ["erase", str(case), "1", "--sphere", "-22,-33,120,5", "--preview", "--json"]
    assert main(command) == 0
    rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [row["method"] for row in rows] == ["41", "2.5", "4.0"]
    assert rows[1]["lesion_before_ml"] - rows[1]["lesion_ml"] == pytest.approx(25 * 0.024)
    assert rows[1]["tmtv_before_ml"] - rows[1]["tmtv_ml"] == pytest.approx(25 * 0.024)
    assert not list((case / "review").glob("*.jsonl"))


@pytest.mark.parametrize(
    "words",
    [
        ["add", "CASE", "1,2"],
        ["add", "CASE", "a,b,c"],
        ["add", "CASE", "-20,-36,168", "--abvoe", "3"],
        ["add", "CASE", "20,-36,168", "--within", "0"],
        ["add", "CASE", "20,-36,168", "--within", "nan"],
        ["add", "CASE", "nan,0,0"],
        ["add", "CASE", "nan,0,0", "--above", "41%"],
        ["add", "CASE", "20,-36,168", "--into", "9"],
        ["add", "CASE", "20,-36,168", "--model", "hotspot"],
        ["add", "CASE", "20,-36,168", "--model", "no-such-model"],
        ["add", "CASE", "20,-36,168", "--model", "hotspot", "--above", "3"],
        ["add", "CASE", "20,-36,168", "--background", "1,2,3"],
        ["add", "CASE", "20,-36,168", "--model", "hotspot", "--background", "1,2"],
        ["erase", "CASE", "1"],
        ["erase", "CASE", "1", "--above", "3", "--below", "2"],
        ["erase", "CASE", "1", "--sphere", "1,2,3"],
        ["erase", "CASE", "1", "--sphere", "1,2,3,-4"],
        ["erase", "CASE", "1", "--below", "inf"],
        ["merge", "CASE", "1"],
        ["merge", "CASE", "1", "9"],
    ],
)
def test_wrong_usage_is_told(
    tmp_path: Path, words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    case = make_case(tmp_path).path
    assert main([str(case) if word == "CASE" else word for word in words]) == 2
    told = capsys.readouterr().err
    assert told.strip()
    assert "should not happen" not in told
    assert not any(path.stat().st_size for path in (case / "review").glob("*.jsonl"))


def test_the_reader_is_the_settings_where_none_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    case = make_case(tmp_path).path
    monkeypatch.setenv("TMTV_READER", "EF")
    assert main(["erase", str(case), "1", "--below", "4"]) == 0
    assert main(["flag", str(case)]) == 0
    assert main(["unflag", str(case)]) == 0
    assert main(["sign", str(case)]) == 0
    assert main(["unsign", str(case)]) == 0
    (path,) = (case / "review").glob("*.jsonl")
    assert path.name == "EF.jsonl"
    actions = [line.action for line in Journal(path).read()]
    assert actions == ["erase", "flag", "unflag", "sign", "unsign"]
