"""Decisions and verification from the command line: same code, same journal."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.support.cases import make_case
from tmtv_engine.case.folder import read_case
from tmtv_engine.errors import UsageError
from tmtv_engine.review.journal import Journal
from tmtv_tui.cli.app import main
from tmtv_tui.cli.decide import numbers

COMMANDS = [
    *("accept", "reject", "split", "add", "erase", "merge", "note", "flag", "unflag"),
    *("undo", "redo", "sign", "unsign", "verify"),
]


@pytest.mark.parametrize("command", COMMANDS)
def test_help_shows_an_example(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([command, "--help"]) == 0
    assert f"tmtv {command} results" in capsys.readouterr().out.split("Examples:")[1]


def test_decisions_from_a_script(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    case = str(make_case(tmp_path).path)
    assert main(["reject", case, "1-2", "--reason", "brain", "--reader", "AB", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["totals"]["41"]["lesions"] == 0
    assert main(["undo", case, "--reader", "AB"]) == 0
    assert main(["accept", case, "3", "--reader", "AB"]) == 0
    assert main(["note", case, "spleen \x1b[31m?", "--reader", "AB"]) == 0
    assert main(["flag", case, "--reader", "AB"]) == 0
    assert main(["flag", case, "--off", "--reader", "AB"]) == 0
    capsys.readouterr()
    assert main(["sign", case, "--reader", "AB"]) == 0
    signature = capsys.readouterr().out.strip()
    review = read_case(case).raw["review"]
    assert review["status"] == "done"
    assert review["signed"] == signature == review["head"]
    assert review["notes"] == ["spleen [31m?"]
    lines = Journal(Path(case) / "review" / "AB.jsonl").read()
    actions = [line.action for line in lines]
    assert actions == ["reject", "undo", "accept", "note", "flag", "unflag", "sign"]
    assert main(["reject", case, "1", "--reader", "AB"]) == 1
    assert "Re-open" in capsys.readouterr().err
    assert main(["verify", str(tmp_path)]) == 0


def test_wrong_usage_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    case = str(make_case(tmp_path).path)
    assert main(["reject", case, "99"]) == 2
    assert "no lesion 99" in capsys.readouterr().err
    assert main(["split", case, "1"]) == 2
    assert main(["accept", case, "x"]) == 2
    assert main(["accept", case, "1", "--reader", "../AB"]) == 2
    assert main(["verify", str(tmp_path / "nowhere")]) == 2
    assert main(["accept", str(tmp_path), "1"]) == 1
    assert not (Path(case) / "review" / "..").joinpath("AB.jsonl").exists()


def test_verify_names_what_was_changed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    case = make_case(tmp_path)
    make_case(tmp_path, "case-2")
    main(["reject", str(case.path), "1", "--reader", "AB"])
    path = case.path / "review" / "AB.jsonl"
    path.write_bytes(path.read_bytes().replace(b'"seq":1', b'"seq":2'))
    capsys.readouterr()
    assert main(["verify", str(tmp_path), "--json"]) == 1
    first, second = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert (first["case"], first["ok"], second["ok"]) == ("case-1", False, True)
    bad = {c["what"] for c in first["checks"] if c["state"] == "changed"}
    assert "review/AB.jsonl" in bad


def test_numbers() -> None:
    assert numbers(["3", "5-7,9", "5"]) == (3, 5, 6, 7, 9)
    for text in ("", "-1", "a", "1-", "1-999999999"):
        with pytest.raises(UsageError):
            numbers([text])


HOSTILE = (
    "[/nope]",
    "[@click=app.exit]x[/]",
    "a\x1b[31mb\x1b]0;t\x07",
    "c\x9b31md",
    "\u202eabc\u2066",
    "x\x1bP1$r\x1b\\y\x00",
    "%s {0} \\[b] :smile:",
)


@pytest.mark.parametrize("terminal", [False, True])
def test_hostile_text_is_shown_and_never_obeyed(
    tmp_path: Path,
    terminal: bool,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """In what a case says, in what is typed, in what is refused; to a pipe and to a terminal."""
    joined = " ".join(HOSTILE)
    case = make_case(tmp_path)
    file = case.path / "case.json"
    record = json.loads(file.read_text())
    record["patient"]["id"] = record["model"]["name"] = joined
    record["warnings"] = [{"code": text, "message": text} for text in HOSTILE]
    file.write_text(json.dumps(record))
    monkeypatch.setattr("sys.stdout.isatty", lambda: terminal)
    monkeypatch.setenv("TERM", "dumb")  # no escape is our own
    path = str(case.path)
    for text in HOSTILE:
        assert main(["reject", path, "1", "--reason", text, "--reader", "AB"]) == 0
        assert main(["note", path, text, "--reader", "AB"]) == 0
        assert main(["accept", path, text]) == 2
        assert main(["accept", path, "1", "--reader", text]) == 2
        assert main(["reject", str(tmp_path / text.replace("\0", "")), "1"]) == 1
        assert main(["review", str(tmp_path / text.replace("\0", ""))]) == 2
        assert main(["review", str(tmp_path), "--order", text]) == 2
    for command in ("undo", "redo", "flag", "sign"):
        assert main([command, path, "--reader", "AB"]) == 0
    assert main(["accept", path, "1", "--reader", "AB"]) == 1
    journal = case.path / "review" / "AB.jsonl"
    journal.write_text(journal.read_text() + joined + "\n")
    assert main(["verify", str(tmp_path)]) == 1
    assert main(["undo", path, "--reader", "AB"]) == 1
    captured = capsys.readouterr()
    for stream in (captured.out, captured.err):
        assert not [c for c in stream if c not in "\n\t" and not c.isprintable()]
    assert "[/nope]" in captured.err
