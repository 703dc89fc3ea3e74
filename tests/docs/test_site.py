"""The documentation as a site: built strictly, each page in reach, nothing from elsewhere."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urldefrag

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted((ROOT / "docs").rglob("*.md"))
THREE_SCREENS = 150
READERS = [
    "review", "batches", "report", "export", "records", "models", "training", "python", "faq",
    "warnings", "methods", "terms", "tools", "trials", "resources", "citing", "install", "commands",
]  # fmt: skip


class _Page(HTMLParser):
    """What a page names and what it links, loads and draws."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.ids: set[str] = set()
        self.links: list[str] = []
        self.loads: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        told = dict(attrs)
        if told.get("id"):
            self.ids.add(str(told["id"]))
        if tag == "a" and told.get("href"):
            self.links.append(str(told["href"]))
        if tag == "link" and told.get("rel") != "canonical" and told.get("href"):
            self.loads.append(str(told["href"]))
        if told.get("src"):
            self.loads.append(str(told["src"]))


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> dict[Path, _Page]:
    folder = tmp_path_factory.mktemp("site")
    build = [sys.executable, "-m", "mkdocs", "build", "--strict", "-q", "-d", str(folder)]
    env = {**os.environ, "NO_MKDOCS_2_WARNING": "1"}
    done = subprocess.run(build, cwd=ROOT, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return {path: _Page(path.read_text("utf-8")) for path in folder.rglob("*.html")}


def test_each_page_is_there_and_for_each_reader_one(site: dict[Path, _Page]) -> None:
    built = {path.name for path in site}
    assert {f"{page.stem}.html" for page in PAGES} <= built
    linked = {
        (path.parent / urldefrag(unquote(link))[0]).resolve()
        for path, page in site.items()
        for link in page.links
        if not re.match(r"[a-z]+:", link) and urldefrag(link)[0]
    }
    assert set(site) - linked <= {path for path in site if path.name == "404.html"}
    assert {f"{name}.html" for name in READERS} <= built


def test_the_menu_names_each_page_once() -> None:
    menu = re.findall(
        r"- (?:[\w ]+: )?([\w/.-]+\.md)$", (ROOT / "mkdocs.yml").read_text("utf-8"), re.M
    )
    assert sorted(menu) == sorted(str(page.relative_to(ROOT / "docs")) for page in PAGES)


def test_links_anchors_and_pictures_lead_somewhere(site: dict[Path, _Page]) -> None:
    followed = 0
    for path, page in site.items():
        if path.name == "404.html":  # served from any depth: its links begin at the root
            continue
        for link in page.links + page.loads:
            target, anchor = urldefrag(unquote(link))
            if re.match(r"[a-z]+:", target):
                continue
            file = (path.parent / target.partition("?")[0]).resolve() if target else path
            assert file.exists(), f"{path.name}: {link}"
            if anchor and file in site and not anchor.startswith("__"):
                assert anchor in site[file].ids, f"{path.name}: {link}"
            followed += 1
    assert followed > 500


def test_nothing_is_loaded_from_elsewhere(site: dict[Path, _Page]) -> None:
    loads = {load for page in site.values() for load in page.loads}
    assert loads
    assert not [load for load in loads if re.match(r"(https?:)?//", load)]


@pytest.mark.parametrize("page", PAGES, ids=lambda p: str(p.relative_to(ROOT)))
def test_no_page_is_over_three_screens(page: Path) -> None:
    assert len(page.read_text("utf-8").splitlines()) <= THREE_SCREENS


def test_every_page_says_what_it_is_first() -> None:
    for page in PAGES:
        assert page.read_text("utf-8").startswith("# "), page
