"""The page for the chart: what it says of a reading, and that nothing in it can run."""

from __future__ import annotations

import base64
import hashlib
import re
import stat
from html.parser import HTMLParser
from pathlib import Path

import pytest

from tests.support.cases import make_case
from tmtv_engine.case.folder import read_case
from tmtv_engine.export.chart import _iso
from tmtv_engine.review.journal import Decision
from tmtv_engine.review.session import record
from tmtv_engine.review.sign import sign
from tmtv_tui.cli.app import main


class Seen(HTMLParser):
    """Tags, and the text between them."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.words.append(data.strip())


def page_of(folder: Path) -> str:
    assert main(["export", str(folder), "--write", "page", "-q"]) == 0
    return (folder / "export" / "page.html").read_text("utf-8")


def test_the_page_tells_the_reading_and_who_signed(tmp_path: Path) -> None:
    case = make_case(tmp_path)
    record(case, Decision("reject", (1,)), "AB")
    sign(case, "AB")
    text = page_of(case.path)
    seen = Seen(text)
    now = read_case(case.path)
    assert stat.S_IMODE((case.path / "export" / "page.html").stat().st_mode) == 0o600
    assert any(w.startswith("Read and signed by AB, ") for w in seen.words)
    for sums in now.record.totals.values():
        assert f"{sums.tmtv_ml:.1f}" in seen.words
    assert "Accepted lesions (1)" in seen.words
    for value in (now.record.review.signed, now.record.provenance.prediction_sha256, "P1"):
        assert value in seen.words
    (image,) = (a for tag, a in seen.tags if tag == "img")
    assert base64.b64decode(str(image["src"]).partition(",")[2]).startswith(b"\x89PNG")
    assert page_of(case.path) == text  # the same reading is the same page


def test_words_stand_left_and_figures_right(tmp_path: Path) -> None:
    text = page_of(make_case(tmp_path).path)
    (row,) = re.findall(r"<tr>(<td[^>]*>41: .*?)</tr>", text)
    cells = re.findall(r"<td( class=\"words\")?>", row)
    assert [bool(words) for words in cells] == [True] + [False] * 6
    assert re.search(r"<th class=\"words\">Method</th><th>TMTV mL</th>", text)


@pytest.mark.parametrize(
    ("date", "told"),
    [("20000907", "2000-09-07"), ("2020-01-02", "2020-01-02"), ("2000", "2000"), (None, None)],
)
def test_dates_are_written_as_people_do(date: str | None, told: str | None) -> None:
    assert _iso(date) == told


@pytest.mark.parametrize("method", ["41", "prob"])
def test_nobody_has_read_is_said(method: str, tmp_path: Path) -> None:
    text = page_of(make_case(tmp_path, methods=(method,)).path)
    assert "Nobody has read this case" in text


def test_the_policy_lets_nothing_run_and_what_is_smuggled_in_stays_text(tmp_path: Path) -> None:
    evil = "<script>alert(1)</script>"
    case = make_case(tmp_path, info={"overrides": {"note": evil}})
    record(case, Decision("reject", (1,), reason=evil), "AB")
    text = page_of(case.path)
    seen = Seen(text)
    assert "script" not in {tag for tag, _ in seen.tags}
    assert any(evil in word for word in seen.words)
    policy = next(str(a["content"]) for _, a in seen.tags if a.get("http-equiv"))
    (style,) = re.findall(r"<style>(.*?)</style>", text, re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    assert policy == (
        "default-src 'none'; img-src data:; base-uri 'none'; form-action 'none'; "
        f"style-src 'sha256-{digest}'"
    )
