"""The command line's manners: exit status, stdout and stderr, help, text from strangers."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import Any

import pytest

from tests.support.cases import make_case
from tmtv_engine.batch import Outcome
from tmtv_engine.errors import InputError
from tmtv_engine.model.infer import BUNDLED
from tmtv_tui.cli import console, options, show
from tmtv_tui.cli.app import main
from tmtv_tui.cli.doctor import writable
from tmtv_tui.cli.telling import tell

COMMANDS = ["predict", "threshold", "phantom", "demo", "doctor"]


@pytest.mark.parametrize("command", COMMANDS)
def test_help_shows_an_example(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([command, "--help"]) == 0
    text = capsys.readouterr().out
    assert f"tmtv {command}" in text.split("Examples:")[1]


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--version"]) == 0
    assert capsys.readouterr().out.startswith("tmtv ")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["predict", "x", "--method", "41%"], "41"),
        (["predict", "x", "--method", "0.41"], "41"),
        (["predict", "x", "--method", "liver"], "--liver-sphere"),
        (["predict", "x", "--method", "liver", "--liver-sphere", "1,2"], "3 numbers"),
        (["predict", "x", "--rule", "mine"], "paper, vote"),
        (["predict", "x", "--injection-time", "noon"], "--injection-time"),
        (["threshold", "x", "y", "--rois", "some"], "--rois"),
        (["phantom", "x", "--format", "jpeg"], "--format"),
        (["predict"], "STUDY"),
        (["nonsense"], "nonsense"),
    ],
)
def test_wrong_usage_is_status_2(
    arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(arguments) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert said in captured.err
    assert "Traceback" not in captured.err


def test_methods_are_named_once_and_may_be_listed() -> None:
    keys = [m.key for m in options.methods_of(["41,4", "4.0", "otsu"], None)]
    assert keys == ["41", "4.0", "otsu"]
    assert [m.key for m in options.methods_of(None, None)] == ["41", "2.5", "4.0"]


def test_doctor_speaks_json(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["doctor", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert {"tmtv", "python", "device", "terminal", "torch", "extra nnunet"} <= set(found)
    said = json.loads((BUNDLED / "model.json").read_text("utf-8"))["sha256"]
    assert found["bundled network"] == f"sha256 {said}"


def test_doctor_finds_what_is_broken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    model = tmp_path / "vnet"
    shutil.copytree(BUNDLED, model)
    with (model / "weights.safetensors").open("ab") as file:
        file.write(b"one byte more")
    monkeypatch.setattr("tmtv_engine.model.infer.BUNDLED", model)
    assert main(["doctor", "--json"]) == 1
    assert json.loads(capsys.readouterr().out)["bundled network"].startswith("broken: ")


def test_doctor_names_a_folder_that_cannot_be_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = tmp_path / "not" / "yet"
    assert writable(place) == str(place)
    asked: list[str] = []
    monkeypatch.setattr(os, "access", lambda path, _: asked.append(str(path)))  # root may always
    assert writable(place) == f"broken: not writable: {place}"
    assert asked == [str(tmp_path)]


def test_json_is_one_case_a_line_and_nothing_else(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    cases = [make_case(tmp_path, name) for name in ("a", "b")]
    outcomes = [Outcome(c.name, "done", c) for c in cases]
    failed = Outcome("c", "failed", error=InputError("c/1.dcm: broken", "Send it again."))
    assert tell([*outcomes, failed], console.Progress(), True) == 1
    captured = capsys.readouterr()
    assert [json.loads(line) for line in captured.out.splitlines()] == [c.raw for c in cases]
    assert "failed: c: c/1.dcm: broken\nSend it again.\n" in captured.err


def test_totals_piped_are_tab_separated(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    show.totals(make_case(tmp_path).record)
    rows = [line.split("\t") for line in capsys.readouterr().out.splitlines()]
    assert rows[0] == list(show.HEADER)
    assert [row[:3] for row in rows[1:]] == [
        ["case-1", "41", "11.5"],
        ["case-1", "2.5", "12.4"],
        ["case-1", "4.0", "7.4"],
    ]


def test_quiet_silences_narration_but_not_failures(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(console.VOICE, "quiet", True)
    console.say("on the way")
    console.complain("failed")
    assert capsys.readouterr().err == "failed\n"


def test_escapes_and_markup_never_reach_the_terminal(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    class Screen:
        def __getattr__(self, name: str) -> Any:
            return getattr(stream, name)

        def isatty(self) -> bool:
            return True

    import sys

    stream = sys.stdout
    monkeypatch.setattr(console.VOICE, "quiet", False)
    console.say("\x1b[31mred\x07 [bold]x[/bold]")
    console.table(["a"], [["\x1b]0;t\x07[red]y[/red]"]])
    monkeypatch.setattr(sys, "stdout", Screen())
    console.table(["a", "b"], [["[red]y[/red]", "\x1b[2J"]])
    captured = capsys.readouterr()
    assert captured.err == "[31mred [bold]x[/bold]\n"
    assert "]0;t[red]y[/red]" in captured.out
    assert "\x1b]" not in captured.out
    assert "\x1b[2J" not in captured.out
    assert captured.out.count("[red]y[/red]") == 2


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["add", "1e9,0,0"], "the point '1e9,0,0' lies in no scan"),
        (["add", "0,nan,0"], "the point '0,nan,0' lies in no scan"),
        (["erase", "1", "--sphere", "0,0,0,-5"], "--sphere: its radius must be above 0"),
        (["erase", "1", "--sphere", "0,0,0,0"], "--sphere: its radius must be above 0"),
    ],
)
def test_a_place_that_can_be_none_is_refused_in_words(
    words: list[str], said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    case = make_case(tmp_path)
    assert main([words[0], str(case.path), *words[1:]]) == 2
    assert capsys.readouterr().err.startswith(f"error: {said}")
    assert not list(case.path.glob("**/*.jsonl"))
