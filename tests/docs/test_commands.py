"""Every command of README, docs and help is one that the program knows; most are run as they stand.

A command that cannot be run here stands in `NOT_RUN` with the reason; it is parsed nevertheless.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest
import typer.main

from tests.support.terminal import review
from tests.support.world import make_world
from tmtv_tui.cli.app import app, main

ROOT = Path(__file__).resolve().parents[2]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]
LINE = re.compile(r"^(?:\$ |    |)(tmtv [a-z].*)$")
COMMENT = re.compile(r"\s+#.*$|\s{3,}.*$")  # what a page says beside a command
LINK = re.compile(r"\]\(([^)\s]+)\)")
SCRIPT = re.compile(r"python3? (?:-m ([a-z_.]+)|((?:benchmarks|scripts)/\w+\.py))")

NOT_RUN = {
    r"tmtv send": "needs an archive: tests/pacs sends to a real Orthanc",
    r"tmtv fetch": "needs an archive: tests/pacs asks a real Orthanc",
    r"--model (lyroi|autopet)": "needs nnU-Net and weights that are downloaded: make oracles",
    r"tmtv train": "hours: tests/train does it small",
    r"--scheduler t(cp|ls)://": "needs a cluster that is there: tests/batch has one of Dask's own",
}
APP = r"tmtv review"  # opened on a terminal, which is shown its end
TOLD_IN_JSON = ("demo", "phantom", "evaluate")  # long: in tests/cli/test_json.py, tests/train
NEEDS_NOTHING = ("doctor", "models list")
FIRST = {  # what a command needs to have been done before
    r"tmtv redo ": "tmtv undo results/case-1 --reader AB",
    r"tmtv unsign ": "tmtv sign results/case-1 --reader AB",
    r"tmtv verify .*--allowed": "tmtv sign results/case-1 --reader AB --key ~/.ssh/id_ed25519",
    r"tmtv models (show|remove) lyroi-m": "tmtv models add lyroi-m LyROI_ResM.zip",
}


def _lines(page: Path) -> list[str]:
    """The commands of a page, each as a reader would type it."""
    text = page.read_text("utf-8").replace("\\\n", " ")
    found = [LINE.match(line) for line in text.splitlines()]
    return [COMMENT.sub("", match[1]) for match in found if match]


def _examples() -> list[str]:
    """The commands that the help shows."""

    def below(command: Any) -> Iterator[Any]:
        for part in getattr(command, "commands", {}).values():
            yield part
            yield from below(part)

    epilogs = [c.epilog or "" for c in below(typer.main.get_command(app))]
    return [line for text in epilogs for line in text.splitlines() if line.startswith("tmtv ")]


COMMANDS = sorted({c for page in PAGES for c in _lines(page)} | set(_examples()))


def _unlike(commands: Iterable[str]) -> list[str]:
    """Of those that only call their folder by another name the last one."""
    named = {re.sub(r"\bRUN\b", "run", re.sub(r"(?<=demo) -o \S+", "", c)): c for c in commands}
    return list(named.values())


HERE = _unlike(c for c in COMMANDS if not any(re.search(p, c) for p in (*NOT_RUN, APP)))
OPENED = [c for c in COMMANDS if re.search(APP, c)]


def test_there_is_something_to_try() -> None:
    assert len(COMMANDS) > 40
    assert len(HERE) > 60
    assert len(OPENED) > 3
    for pattern in NOT_RUN:  # none is left over
        assert any(re.search(pattern, c) for c in COMMANDS), pattern


def _parse(command: str) -> None:
    """Raises what click raises where a command, an option or a value is unknown."""
    name, *words = shlex.split(command.partition(" > ")[0])[1:]
    found = typer.main.get_command(app).commands[name]  # type: ignore[attr-defined]
    while hasattr(found, "commands"):
        name, *words = words
        found = found.commands[name]
    with found.make_context(name, words) as context:
        assert not context.args


@pytest.mark.parametrize("command", COMMANDS)
def test_the_program_knows_every_command_and_option(command: str) -> None:
    _parse(command)


def test_what_is_no_command_does_not_parse() -> None:
    with pytest.raises(KeyError, match="divine"):
        _parse("tmtv divine results")
    with pytest.raises(Exception, match="--no-such"):
        _parse("tmtv predict study --no-such")


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that has what the pages' commands name: cases, readers, tables."""
    folder = tmp_path_factory.mktemp("world")
    make_world(folder)
    return folder


@pytest.fixture
def here(world: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of it for one command: where a reader stands, with a home of their own."""
    shutil.copytree(world, tmp_path / "here")
    monkeypatch.chdir(tmp_path / "here")
    monkeypatch.setenv("HOME", str(tmp_path / "here"))
    monkeypatch.setenv("TMTV_READER", "AB")
    monkeypatch.setenv("TMTV_MODELS", str(tmp_path / "here" / "models"))
    return tmp_path / "here"


def _words(command: str, here: Path) -> list[str]:
    """As a shell would give them; folders at the root are taken from ``here``."""
    words = shlex.split(command)[1:]
    words = words[: words.index(">")] if ">" in words else words
    return [re.sub(r"^/(?=data/)", f"{here}/", os.path.expanduser(word)) for word in words]


@pytest.mark.slow
@pytest.mark.parametrize("command", HERE)
def test_it_does_what_the_page_says(command: str, here: Path) -> None:
    if "lyroi-orig" in command:
        for name in ("orig", "m", "l"):
            assert main(["models", "add", f"lyroi-{name}", "LyROI_ResM.zip"]) == 0
    for pattern, before in FIRST.items():
        if re.search(pattern, command):
            assert main(_words(before, here)) == 0
    assert main(_words(command, here)) == 0


def _one_each() -> dict[str, str]:
    """Of each command that is run here the shortest line, by the command's name."""
    found: dict[str, str] = {}
    for command in sorted(HERE, key=len, reverse=True):
        words = command.split()
        found[" ".join(words[1:3] if words[1] == "models" else words[1:2])] = command
    return {k: v for k, v in found.items() if k not in TOLD_IN_JSON and not k.startswith("-")}


@pytest.mark.slow
@pytest.mark.parametrize("name", _one_each())
def test_with_json_stdout_is_an_object_a_line(
    name: str, here: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    command = _one_each()[name]
    for pattern, before in FIRST.items():
        if re.search(pattern, command):
            assert main(_words(before, here)) == 0
    capfd.readouterr()
    words = _words(command, here)
    assert main(words if "--json" in words else [*words, "--json"]) == 0
    lines = capfd.readouterr().out.splitlines()
    assert all(isinstance(json.loads(line), dict) for line in lines)
    assert lines or name == "models list"  # of none that is kept


@pytest.mark.parametrize("name", _one_each())
def test_what_is_refused_leaves_stdout_empty(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """The same where nothing is that it names: two lines on stderr, status 1 or 2."""
    if name in NEEDS_NOTHING:
        return
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TMTV_READER", "AB")
    monkeypatch.setenv("TMTV_MODELS", str(tmp_path / "models"))
    assert main([*_words(_one_each()[name], tmp_path), "--json"]) in (1, 2)
    told = capfd.readouterr()
    assert told.out == ""
    assert 1 <= len(told.err.splitlines()) <= 4
    assert "should not happen" not in told.err


@pytest.mark.slow
@pytest.mark.parametrize("command", OPENED)
def test_the_app_opens_and_ends_as_the_page_says(command: str, here: Path) -> None:
    _, out, *options = _words(command, here)
    with review(here / out, *options) as terminal:
        terminal.until("BLIND" if "--blind" in options else "case-1")
        terminal.type("q")
        terminal.wait(terminal.gone)
        assert terminal.process.returncode == 0


@pytest.mark.parametrize("page", PAGES, ids=lambda p: str(p.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    text = page.read_text("utf-8")
    for target in LINK.findall(text):
        if re.match(r"[a-z]+:", target):
            continue
        path, _, anchor = target.partition("#")
        file = page if not path else page.parent / path
        assert file.exists(), target
        if anchor and file.suffix == ".md":
            heads = re.findall(r"^#+ (.+)$", file.read_text("utf-8"), re.M)
            slugs = {re.sub(r"[^\w\- ]", "", h.lower()).replace(" ", "-") for h in heads}
            assert anchor in slugs, target


@pytest.mark.parametrize("page", PAGES, ids=lambda p: str(p.relative_to(ROOT)))
def test_targets_that_a_page_names_are_made(page: Path) -> None:
    made = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text("utf-8"), re.M))
    text = page.read_text("utf-8")
    named = {*re.findall(r"`make ([a-z]+)", text), *re.findall(r"^make ([a-z]+)", text, re.M)}
    assert named <= made


def test_every_figure_of_the_readme_names_its_command() -> None:
    """The rows of "How well it does what it says": measured, compared with, by which command."""
    text = (ROOT / "README.md").read_text("utf-8").partition("## How well")[2].partition("\n## ")[0]
    rows = [line.strip("| ").split(" | ") for line in text.splitlines() if line.startswith("| ")]
    assert len(rows) > 12
    for row in rows[1:]:
        (command,) = re.findall(r"`([^`]+)`$", row[-1])
        first, *words = command.split()
        assert first in ("python", "pytest", "make", "tmtv"), command
        files = [w.partition("::")[0] for w in words if w.endswith(".py") or "::" in w]
        assert all((ROOT / file).is_file() for file in files), command
        assert files or first in ("make", "tmtv"), command


@pytest.mark.parametrize("page", PAGES, ids=lambda p: str(p.relative_to(ROOT)))
def test_scripts_that_a_page_names_are_there(page: Path) -> None:
    for module, script in SCRIPT.findall(page.read_text("utf-8")):
        path = ROOT / (script or f"{module.replace('.', '/')}.py")
        if module.partition(".")[0] in ("", "benchmarks", "tmtv_engine", "tmtv_tui"):
            assert path.exists(), path
