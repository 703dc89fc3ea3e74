"""The rooms stay apart: what real processes import, and the house's limits on size."""

from __future__ import annotations

import ast
import re
import statistics
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
HEAVY = ("torch", "SimpleITK", "highdicom", "skimage", "matplotlib")
MODULES = sorted(p for name in ("tmtv_engine", "tmtv_tui") for p in (ROOT / name).rglob("*.py"))


def _imported(code: str) -> set[str]:
    check = f"import sys, contextlib, io\nwith contextlib.redirect_stdout(io.StringIO()):\n  {code}"
    told = "\nprint(*sorted({m.split('.')[0] for m in sys.modules}))"
    done = subprocess.run(
        [sys.executable, "-c", check + told], capture_output=True, text=True, check=True, cwd=ROOT
    )
    return set(done.stdout.split())


@pytest.mark.parametrize("command", [[], ["predict"], ["threshold"], ["demo"], ["doctor"]])
def test_help_is_light(command: list[str]) -> None:
    found = _imported(f"from tmtv_tui.cli.app import main; main({[*command, '--help']!r})")
    assert not found & {*HEAVY, "pydicom", "scipy", "nibabel"}


def test_the_line_and_the_case_folder_are_light() -> None:
    found = _imported(
        "import tmtv_engine.batch, tmtv_engine.model.finders, tmtv_engine.case.folder"
    )
    assert not found & {*HEAVY, "pydicom"}


def _imports(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name.split(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module.split(".")[0]


@pytest.mark.parametrize("path", MODULES, ids=lambda p: str(p.relative_to(ROOT)))
def test_a_room_imports_only_what_it_may(path: Path) -> None:
    found = set(_imports(path))
    room = path.relative_to(ROOT)
    if room.parts[0] == "tmtv_engine":
        assert not found & {"typer", "rich", "textual", "tmtv_tui"}
    else:
        assert not found & {"torch", "pydicom", "highdicom"}
    if room.parts[1] not in ("model", "train", "phantom"):
        assert "torch" not in found


STATE = """
import importlib, os, pkgutil, signal, sys, tempfile
import numpy, pydicom, pynetdicom, torch
import tmtv_engine, tmtv_tui

def plain(module):
    return {k: v for k, v in vars(module).items() if isinstance(v, (bool, int, str, type(None)))}

def state():
    with tempfile.TemporaryDirectory() as folder:
        handle = os.open(os.path.join(folder, "a"), os.O_CREAT, 0o777)
        mode = os.fstat(handle).st_mode
        os.close(handle)
    signals = [signal.getsignal(s) for s in (signal.SIGINT, signal.SIGTERM, signal.SIGPIPE)]
    settings = dict(vars(pydicom.config.settings)), plain(pydicom.config), plain(pynetdicom._config)
    streams = sys.stdout, sys.stderr, sys.stdin, sys.excepthook
    torchs = torch.get_num_threads(), torch.get_default_dtype(), torch.initial_seed()
    return settings, mode, streams, signals, torchs, numpy.geterr(), dict(os.environ), os.getcwd()

before, count = state(), 0
for package in (tmtv_engine, tmtv_tui):
    for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
        if not module.name.endswith("__main__"):
            importlib.import_module(module.name)
            count += 1
assert state() == before, (before, state())
print(count)
"""


def test_importing_every_module_changes_nothing_of_the_process() -> None:
    """Settings of pydicom and pynetdicom, umask, streams, signals, torch, numpy, environment."""
    done = subprocess.run([sys.executable, "-c", STATE], capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) > len(MODULES) - 5


LOOSE = {  # what writes without files.py, and why it may
    "tmtv_engine/files.py": "it is the place",
    "tmtv_engine/train/digital.py": "a log that grows",
    "tmtv_engine/study/archive.py": "a folder of the moment, for what a zip holds",
    "tmtv_engine/review/sign.py": "a signature of the moment, for ssh-keygen to read",
}
WRITES = {"write_text", "write_bytes", "mkstemp", "mkdtemp", "umask", "NamedTemporaryFile"}


def _calls_that_write(path: Path) -> Iterator[str]:
    """Calls of a method that writes a file by itself: ``path.write_text``, ``open("w")`` …"""
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if not isinstance(node, ast.Call):
            continue
        name = node.func.attr if isinstance(node.func, ast.Attribute) else ""
        plain = node.func.id if isinstance(node.func, ast.Name) else ""
        given = [*node.args, *(k.value for k in node.keywords if k.arg == "mode")]
        modes = [a.value for a in given if isinstance(a, ast.Constant)]
        writing = [m for m in modes if isinstance(m, str) and m[:1] in "wax" and len(m) <= 3 and m]
        if name in WRITES or ("open" in (name, plain) and writing):
            yield f"{path.name}:{node.lineno}"


@pytest.mark.parametrize("path", MODULES, ids=lambda p: str(p.relative_to(ROOT)))
def test_files_are_written_in_one_place(path: Path) -> None:
    if str(path.relative_to(ROOT)) not in LOOSE:
        assert list(_calls_that_write(path)) == []


def test_few_modules_lie_at_the_root_of_the_engine() -> None:
    assert len(list((ROOT / "tmtv_engine").glob("*.py"))) <= 8


@pytest.mark.parametrize("path", MODULES, ids=lambda p: str(p.relative_to(ROOT)))
def test_no_module_is_over_400_lines_and_no_function_over_60(path: Path) -> None:
    text = path.read_text("utf-8")
    assert len(text.splitlines()) <= 400
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            first = node.body[1] if ast.get_docstring(node) and len(node.body) > 1 else node.body[0]
            length = (node.end_lineno or 0) - first.lineno + 1
            assert length <= 60, f"{path.name}: {node.name} has {length} lines"


def test_nine_functions_of_ten_have_30_lines_at_most() -> None:
    trees = [ast.parse(p.read_text("utf-8")) for p in MODULES]
    defined = (n for tree in trees for n in ast.walk(tree))
    lines = [
        (n.end_lineno or 0) - n.lineno + 1
        for n in defined
        if isinstance(n, ast.FunctionDef | ast.AsyncFunctionDef)
    ]
    assert len(lines) > 1000
    assert sum(n <= 30 for n in lines) >= 0.9 * len(lines)


def test_modules_are_small_on_the_whole() -> None:
    assert statistics.median(len(p.read_text("utf-8").splitlines()) for p in MODULES) <= 150


TESTS_OF_ALL = {"cli", "tui"}, {"docs", "fuzz", "golden", "oracles", "support"}


def test_the_tests_are_laid_out_as_the_rooms() -> None:
    """A folder a room, each with tests; cli and tui for the terminal, some that hold for all."""
    rooms = {p.name for p in (ROOT / "tmtv_engine").iterdir() if (p / "__init__.py").exists()}
    there = {p.name for p in (ROOT / "tests").iterdir() if any(p.glob("*.*"))}
    assert there == rooms.union(*TESTS_OF_ALL)
    for room in (*rooms, "tui/review", "tui/terminal", "tui/widgets"):
        assert list((ROOT / "tests" / room).glob("test_*.py")), room


def _drawn() -> dict[str, str]:
    """The rows of the drawing in docs/architecture.md by their rooms: ``tmtv_engine/image`` …"""
    page = (ROOT / "docs" / "architecture.md").read_text("utf-8").partition("\n### Before")[0]
    rows: dict[str, str] = {}
    package = room = ""
    for line in page.partition("```\n")[2].splitlines():
        if match := re.match(r"(tmtv_\w+)/$", line):
            package, room = match[1], ""
        elif match := re.match(r"  (\w+)/ ", line):
            room = f"{package}/{match[1]}"
        elif not line.startswith("     "):
            room = ""
        rows[room] = rows.get(room, "") + line
    return rows


def test_the_drawing_names_every_module_of_every_room() -> None:
    drawn = _drawn()
    rooms = {str(p.parent.relative_to(ROOT)) for p in MODULES if len(p.relative_to(ROOT).parts) > 2}
    assert rooms == drawn.keys() - {""}
    for path in MODULES:
        room = str(path.parent.relative_to(ROOT))
        if room not in drawn or room == "tmtv_tui/cli" or path.stem == "__init__":
            continue  # in cli/ a module is a command
        name = path.stem.removeprefix("nnunet") if "_" in path.stem else path.stem
        assert re.search(rf"(?<![a-z]){name}(?![a-z])", drawn[room]), f"{room}: {path.stem}"
