"""The table of warnings: its page says what it says, and a code is said in one form."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest

from tests.support.cases import make_loaded, make_volume
from tmtv_engine import notices
from tmtv_engine.case.folder import read_case
from tmtv_engine.case.tables import update_summary
from tmtv_engine.errors import Implausible, UsageError
from tmtv_engine.model.finders import finder_of
from tmtv_engine.model.registry import load
from tmtv_engine.notices import CODES, Notice, notice, page, refuse
from tmtv_engine.pipeline import CaseConfig, run_loaded
from tmtv_engine.suv.factor import Overrides
from tmtv_tui.cli import options, show
from tmtv_tui.review.rows import case_row

PAGE = Path(__file__).parents[1] / "docs" / "warnings.md"


def test_the_page_of_warnings_is_the_table() -> None:
    assert page() in PAGE.read_text("utf-8")


def test_every_row_has_words_and_a_way_out() -> None:
    for code, row in CODES.items():
        assert re.fullmatch(r"[a-z]+(-[a-z]+)*", code)
        assert row.words[0].islower() or row.words.startswith(("PET", "ROI", "Resc"))
        assert row.remedy.endswith(".")
        assert "|" not in row.words + row.remedy


def test_a_notice_has_its_detail_in_brackets() -> None:
    assert notice("gaps", "3 slices") == Notice(
        "gaps", "slices are missing: interpolated between others, left out at an end (3 slices)"
    )
    assert notice("gaps").message == CODES["gaps"].words
    with pytest.raises(KeyError):
        notice("no-such-code")


def test_only_the_codes_of_the_review_follow_from_decisions() -> None:
    assert {c for c, row in CODES.items() if row.by_review} == {
        "below-floor",
        "unreviewed-hotspots",
    }


def test_a_refusal_names_its_code_and_becomes_a_warning_once_accepted() -> None:
    with pytest.raises(Implausible) as caught:
        refuse("suv-max", "57154", {"body-suv"}, tag="")
    assert caught.value.code == "suv-max"
    assert "57154" in caught.value.what
    assert "--accept suv-max" in caught.value.remedy
    told = refuse("suv-max", "57154", {"suv-max"})
    assert told == notice("suv-max", "accepted: 57154")


def test_accepted_codes_are_recorded_and_read_back() -> None:
    told = options.overrides_of(accept=["suv-max", "low-dose"])
    assert told.record() == {"accepted": ["low-dose", "suv-max"]}
    assert Overrides.of_record(told.record()) == told
    timed = options.overrides_of(70.0, None, None, "2020-03-01T09:30:00")
    assert Overrides.of_record(timed.record()) == timed


def test_a_code_that_nothing_refuses_is_wrong_usage() -> None:
    for code in ("nonsense", "uptake-time"):
        with pytest.raises(UsageError, match="--accept"):
            options.overrides_of(accept=[code])


def test_an_added_warning_goes_everywhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    row = notices.Code("the table was moved", "Look whether it was.")
    monkeypatch.setattr(notices, "CODES", {**CODES, "table-moved": row})
    said = notice("table-moved", "3 mm")
    suv, _ = make_volume()
    loaded = replace(make_loaded(suv), notices=(said,))
    finder = finder_of(load("hotspot"))
    case = run_loaded("a", loaded, finder, CaseConfig(tmp_path))
    update_summary(tmp_path, case.record)
    assert said in read_case(case.path).record.warnings
    assert "table-moved" in (tmp_path / "summary.csv").read_text()
    assert "| `table-moved` | warning | the table was moved | Look whether it was. |" in page()
    assert "table-moved" in case_row(case.path).warnings
    show.warnings(case.record)
    assert "table-moved: the table was moved (3 mm)" in capsys.readouterr().err
