"""What is written twice agrees: versions, dependencies, links between pages."""

from __future__ import annotations

import ast
import re
import tomllib
from pathlib import Path

import pytest

import tmtv_engine

ROOT = Path(__file__).resolve().parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
PAGES = [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")]
IMPORTED_AS = {
    "connected-components-3d": "cc3d",
    "jinja2": "jinja2",
    "pillow": "PIL",
    "scikit-image": "skimage",
    "scikit-learn": "sklearn",
    "simpleitk": "SimpleITK",
}
ASKED_FOR_BY = {  # what tools are asked for by, in the Makefile or in pyproject.toml's settings
    "import-linter": "bin/lint-imports",
    "mkdocs-material": "bin/mkdocs",
    "mypy": "bin/mypy",
    "pytest-asyncio": "asyncio_mode",
    "pytest-timeout": "timeout = ",
    "pytest-xdist": "-n 3 --dist",
    "ruff": "bin/ruff",
}
NOT_IMPORTED = {  # what is started, or imported by others
    "cryptography": "distributed makes a local cluster's certificates with it",
    "dask-jobqueue": "a process that a test starts asks it what it would submit",
    "dcmqi": "its programs read our SEG",
}
PLUGINS = {"pylibjpeg", "pylibjpeg-openjpeg", "python-gdcm", "pyjpegls"}  # pydicom's decoders


def names(requirements: list[str]) -> set[str]:
    return {re.split(r"[<>=!~\[; ]", r)[0].lower() for r in requirements}


def test_the_version_stands_once() -> None:
    assert PROJECT["project"]["dynamic"] == ["version"]
    citation = (ROOT / "CITATION.cff").read_text("utf-8")
    assert re.search(r"^version: (.+)$", citation, re.MULTILINE)[1] == tmtv_engine.__version__  # type: ignore[index]
    assert tmtv_engine.__version__ in (ROOT / "CHANGELOG.md").read_text("utf-8")


def imported(*folders: str) -> set[str]:
    used: set[str] = set()
    for folder in folders:
        for path in (ROOT / folder).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text("utf-8"))):
                if isinstance(node, ast.Import):
                    used |= {alias.name.split(".")[0] for alias in node.names}
                elif isinstance(node, ast.ImportFrom) and node.module:
                    used.add(node.module.split(".")[0])
    return used


def modules_of(wanted: set[str]) -> set[str]:
    return {IMPORTED_AS.get(name, name.replace("-", "_")) for name in wanted}


def test_product_code_uses_every_dependency() -> None:
    wanted = names(PROJECT["project"]["dependencies"]) - PLUGINS
    assert modules_of(wanted) - imported("tmtv_engine", "tmtv_tui") == set()


def test_tests_and_tools_use_what_developing_wants() -> None:
    asked = (ROOT / "Makefile").read_text("utf-8").replace("$(BIN)", "bin")
    asked += (ROOT / "pyproject.toml").read_text("utf-8")
    wanted = names(PROJECT["project"]["optional-dependencies"]["dev"])
    assert {name for name, how in ASKED_FOR_BY.items() if how not in asked} == set()
    assert set(ASKED_FOR_BY) <= wanted
    used = imported("tests", "benchmarks", "tmtv_engine", "tmtv_tui")
    assert modules_of(wanted - set(ASKED_FOR_BY) - set(NOT_IMPORTED)) - used == set()


def test_every_dependency_is_pinned_for_ci() -> None:
    pinned = names((ROOT / "constraints.txt").read_text("utf-8").splitlines())
    extras = PROJECT["project"]["optional-dependencies"]
    wanted = names(PROJECT["project"]["dependencies"] + extras["dev"])
    assert wanted - pinned == set()


@pytest.mark.parametrize("page", PAGES, ids=lambda p: str(p.relative_to(ROOT)))
def test_links_between_pages_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#\s]+)[^)]*\)", page.read_text("utf-8")):
        if not target.startswith(("http:", "https:")):
            assert (page.parent / target).exists(), target
