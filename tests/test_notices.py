"""The table of warnings: its page says what it says, and a code is said in one form."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tmtv_engine.notices import CODES, Notice, notice, page

PAGE = Path(__file__).parents[1] / "docs" / "warnings.md"


def test_the_page_of_warnings_is_the_table() -> None:
    assert page() in PAGE.read_text("utf-8")


def test_every_row_has_words_and_a_way_out() -> None:
    for code, row in CODES.items():
        assert re.fullmatch(r"[a-z]+(-[a-z]+)*", code)
        assert row.words[0].islower() or row.words.startswith(("PET", "ROI"))
        assert row.remedy.endswith(".")
        assert "|" not in row.words + row.remedy


def test_a_notice_has_its_detail_in_brackets() -> None:
    assert notice("gaps", "3 slices") == Notice(
        "gaps", "missing slices were interpolated (3 slices)"
    )
    assert notice("gaps").message == CODES["gaps"].words
    with pytest.raises(KeyError):
        notice("no-such-code")


def test_only_the_codes_of_the_review_follow_from_decisions() -> None:
    assert {c for c, row in CODES.items() if row.by_review} == {
        "below-floor",
        "unreviewed-hotspots",
    }
