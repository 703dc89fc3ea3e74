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
    "simpleitk": "SimpleITK",
}
PLUGINS = {"pylibjpeg", "pylibjpeg-openjpeg", "python-gdcm", "pyjpegls"}  # pydicom's decoders


def names(requirements: list[str]) -> set[str]:
    return {re.split(r"[<>=!~\[; ]", r)[0].lower() for r in requirements}


def test_the_version_stands_once() -> None:
    assert PROJECT["project"]["dynamic"] == ["version"]
    citation = (ROOT / "CITATION.cff").read_text("utf-8")
    assert re.search(r"^version: (.+)$", citation, re.MULTILINE)[1] == tmtv_engine.__version__  # type: ignore[index]
    assert tmtv_engine.__version__ in (ROOT / "CHANGELOG.md").read_text("utf-8")


def test_product_code_uses_every_dependency() -> None:
    used: set[str] = set()
    for package in ("tmtv_engine", "tmtv_tui"):
        for path in (ROOT / package).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text("utf-8"))):
                if isinstance(node, ast.Import):
                    used |= {alias.name.split(".")[0] for alias in node.names}
                elif isinstance(node, ast.ImportFrom) and node.module:
                    used.add(node.module.split(".")[0])
    wanted = names(PROJECT["project"]["dependencies"]) - PLUGINS
    modules = {IMPORTED_AS.get(name, name.replace("-", "_")) for name in wanted}
    assert modules - used == set()


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
