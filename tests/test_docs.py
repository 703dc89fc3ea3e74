"""README, docs and help: every command of theirs parses, every inner link leads somewhere."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import Any

import pytest
import typer

from tmtv_tui.cli.app import app

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]
COMMANDS: Any = typer.main.get_command(app)


def commands_of(text: str) -> list[str]:
    """The lines of fenced blocks that call tmtv, without prompt and what explains them."""
    found = []
    for block in re.findall(r"^```[^\n]*\n(.*?)^```", text, re.S | re.M):
        for line in block.replace("\\\n", " ").splitlines():
            if re.match(r"(\$ )?tmtv ", line):
                found.append(re.split(r"\s{3,}(?=\w)|\s+#|\s*\|\s|\s+>\s", line.lstrip("$ "))[0])
    return found


def parse(line: str) -> None:
    """Raises what click raises where a command, an option or a value is unknown."""
    command, words = COMMANDS, shlex.split(line, comments=True)[1:]
    while hasattr(command, "commands"):
        name = words.pop(0)
        assert name in command.commands, f"{line}: there is no command {name}"
        command = command.commands[name]
    command.make_context(command.name, words)


SHOWN = [(page.name, line) for page in PAGES for line in commands_of(page.read_text("utf-8"))]


@pytest.mark.parametrize(("page", "line"), SHOWN)
def test_commands_of_the_pages_parse(page: str, line: str) -> None:
    parse(line)


def test_examples_of_the_help_parse() -> None:
    lines = [
        re.split(r"\s+>\s", line)[0]
        for command in COMMANDS.commands.values()
        for line in (command.epilog or "").split("\n\n")
        if line.startswith("tmtv ")
    ]
    assert len(lines) > 30
    for line in lines:
        parse(line)


def test_what_is_no_command_does_not_parse() -> None:
    assert len(SHOWN) > 20
    with pytest.raises(AssertionError):
        parse("tmtv divine results")
    with pytest.raises(Exception, match="--no-such"):
        parse("tmtv predict study --no-such")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.name))
def test_inner_links_lead_somewhere(page: Path) -> None:
    text = re.sub(r"^```.*?^```", "", page.read_text("utf-8"), flags=re.S | re.M)
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        if not re.match(r"[a-z]+:", target) and not target.startswith("#"):
            assert (page.parent / target.split("#")[0]).exists(), f"{page.name}: {target}"
