"""Every command's help: words a user has, defaults, examples, one name for one thing."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import typer.main

from tmtv_engine.export.writers import WRITERS
from tmtv_engine.model.recipes import RECIPES
from tmtv_engine.phantom.vendors import VENDORS
from tmtv_tui.cli.app import app, main

ROOT = Path(__file__).resolve().parents[2]
TWO_KINDS = {
    "--from": {"READER", "PACS"},  # review begins with a reader's decisions, fetch asks a PACS
    "--above": {"SUV", "SUV|P%"},  # erase takes no share: of what maximum?
}
SAYS_NOTHING = {"review"}  # an app: what it shows is no data


def _walk(command: Any, name: str = "") -> Iterator[tuple[str, Any]]:
    if hasattr(command, "commands"):
        for own, part in command.commands.items():
            yield from _walk(part, f"{name} {own}".strip())
    else:
        yield name, command


COMMANDS = dict(_walk(typer.main.get_command(app)))
OPTIONS = [
    (name, p)
    for name, command in COMMANDS.items()
    for p in command.params
    if any(o.startswith("-") for o in p.opts)
]
TAKES_VALUE = [(name, p) for name, p in OPTIONS if not p.is_flag]


def test_all_commands_are_gone_over() -> None:
    assert len(COMMANDS) > 30
    assert {"predict", "models add", "unsign", "fetch"} <= set(COMMANDS)


@pytest.mark.parametrize("name", COMMANDS)
def test_help_is_whole(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*name.split(), "--help"]) == 0
    text = capsys.readouterr().out
    assert f"tmtv {name}" in text.split("Examples:")[1]
    assert not re.search(r"<(str|path|int|float)", text), "a word of the program, not of the user"
    assert all(p.help and p.help.endswith((".", ")")) for p in COMMANDS[name].params)


@pytest.mark.parametrize("name", sorted(set(COMMANDS) - SAYS_NOTHING))
def test_everything_that_says_something_says_it_in_json(name: str) -> None:
    assert any("--json" in p.opts for p in COMMANDS[name].params)


def test_no_summary_is_cut_off(capsys: pytest.CaptureFixture[str]) -> None:
    for words in ([], ["models"]):
        assert main([*words, "--help"]) == 0
        commands = capsys.readouterr().out.partition("Commands:")[2]
        assert "..." not in commands


def test_one_option_is_called_and_written_alike_everywhere() -> None:
    shorts: dict[str, set[tuple[str, ...]]] = {}
    words: dict[str, set[str]] = {}
    for _, p in TAKES_VALUE:
        long = next(o for o in p.opts if o.startswith("--"))
        assert re.fullmatch(r"--[a-z]+(-[a-z]+)*", long)
        shorts.setdefault(long, set()).add(tuple(sorted(p.opts)))
        words.setdefault(long, set()).add(p.metavar)
    assert {k: v for k, v in shorts.items() if len(v) > 1} == {}
    assert {k: v for k, v in words.items() if len(v) > 1} == TWO_KINDS


def test_defaults_are_shown(capsys: pytest.CaptureFixture[str]) -> None:
    for name, p in TAKES_VALUE:
        if p.default is None or p.default == "" or p.required:
            continue
        assert p.show_default, (name, p.opts)
        assert main([*name.split(), "--help"]) == 0
        text = re.sub(r"\s+", " ", capsys.readouterr().out)
        assert f"[default: {p.default}" in text, (name, p.opts)


def test_every_option_stands_on_a_page() -> None:
    """By its long or its short name, in README or docs."""
    pages = [ROOT / "README.md", *(ROOT / "docs").rglob("*.md")]
    named = set(re.findall(r"(?<![\w-])--?[a-z][a-z-]*", "\n".join(p.read_text() for p in pages)))
    assert {(name, *p.opts) for name, p in OPTIONS if not named & set(p.opts)} == set()


@pytest.mark.parametrize(
    ("command", "option", "table"),
    [
        ("train", "--recipe", RECIPES),
        ("phantom", "--vendor", VENDORS),
        ("export", "--write", WRITERS),
    ],
)
def test_choices_are_the_engine_s_tables(
    command: str, option: str, table: Mapping[str, object]
) -> None:
    (told,) = (p.help for n, p in OPTIONS if n == command and option in p.opts)
    assert re.findall(r"[a-z][a-z0-9-]*", told.rpartition(":")[2]) == list(table)


def test_ways_out_exist() -> None:
    """What an error or a hint tells to type is a command or an option that there is."""
    sources = [*ROOT.glob("tmtv_engine/**/*.py"), *ROOT.glob("tmtv_tui/**/*.py")]
    texts = [(path.name, path.read_text("utf-8")) for path in sources]
    known = {o for _, text in texts for o in re.findall(r'add_argument\(\s*"(--[a-z0-9-]+)"', text)}
    known |= {o for _, p in OPTIONS for o in (*p.opts, *p.secondary_opts)} | {"--help", "--version"}
    heads = {name.split()[0] for name in COMMANDS}
    named: dict[str, str] = {}
    for name, text in texts:
        for literal in re.findall(r"\"[^\"\n]*\"", text):
            for word in re.findall(r"(?<![\w-])--[a-z][a-z0-9-]+", literal):
                named.setdefault(word, f"{name}: {literal}")
            for word in re.findall(r"\btmtv ([a-z]+)\b(?=[ ;.,'`\"]| )", literal):
                named.setdefault(f"tmtv {word}", f"{name}: {literal}")
    options = {k: v for k, v in named.items() if k.startswith("--") and k not in known}
    assert options == {}
    prose = {"tmtv and", "tmtv lesions", "tmtv measures", "tmtv projections"}
    commands = {k: v for k, v in named.items() if k[5:] not in heads and not k.startswith("--")}
    assert set(commands) == prose, commands
    assert len(named) > 40


def test_completion_offers_commands_and_options(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("_TMTV_COMPLETE", "complete_bash")
    for words, offered in (("tmtv pre", "predict"), ("tmtv predict --meth", "--method")):
        monkeypatch.setenv("COMP_WORDS", words)
        monkeypatch.setenv("COMP_CWORD", str(words.count(" ")))
        with pytest.raises(SystemExit):
            main([])
        assert capsys.readouterr().out.split() == [offered]
