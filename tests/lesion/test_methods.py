"""The table of methods: a row is a choice, a cut, a code and words without a second edit."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pydicom
import pytest

from tests.support.exports import small_case
from tmtv_engine.errors import UsageError
from tmtv_engine.export.objects import write_objects
from tmtv_engine.lesion import methods
from tmtv_engine.lesion.methods import METHODS, Method, page, parse_method
from tmtv_engine.lesion.thresholds import RULES
from tmtv_engine.report.words import method_name
from tmtv_tui.cli.options import methods_of

ROOT = Path(__file__).parents[2]
ADDED = Method("three", "percent", 0.3, "SUV above three tenths", "SUV above 3/10")
HELP = """
from types import MappingProxyType
from tmtv_engine.lesion import methods
methods.METHODS = MappingProxyType({**methods.METHODS, "three": methods.Method("three", "suv", 3)})
from tmtv_tui.cli.app import main
main(["predict", "--help"])"""


@pytest.fixture
def added(monkeypatch: pytest.MonkeyPatch) -> Method:
    """A method more in the table, and nowhere else."""
    monkeypatch.setattr(methods, "METHODS", {**METHODS, ADDED.key: ADDED})
    return ADDED


def test_an_added_method_is_read_and_named(added: Method) -> None:
    assert parse_method("three") == added
    assert methods_of(["three", "41"], None) == (added, parse_method("41"))
    assert method_name("three") == "SUV above three tenths"
    assert "| `three` | SUV above three tenths | SUV above 3/10 | – |" in page()
    with pytest.raises(UsageError, match="three"):
        parse_method("four")


def test_an_added_method_cuts_a_case_and_goes_into_its_objects(
    added: Method, tmp_path: Path
) -> None:
    case = small_case(tmp_path, methods=("three", "4.0"))
    assert list(case.record.totals) == ["three", "4.0"]
    row = case.record.lesions[0]
    assert row.methods["three"].threshold_suv == pytest.approx(0.3 * row.suv_max)
    files = {p.name: p for p in write_objects(case, ["sr", "rtstruct"])}
    assert {"seg_three.dcm", "rtstruct_three.dcm"} <= set(files)
    told = str(pydicom.dcmread(files["sr.dcm"]))
    assert "'three'" in told
    assert "'SUV above 3/10'" in told


def test_an_added_method_stands_in_the_help() -> None:
    done = subprocess.run([sys.executable, "-c", HELP], capture_output=True, text=True, cwd=ROOT)
    assert "three" in done.stdout, done.stderr


def test_a_method_that_needs_the_liver_says_so() -> None:
    with pytest.raises(UsageError, match="--method liver needs"):
        methods_of(["liver"], None)
    assert methods_of(["liver"], "0,0,0") == (METHODS["liver"],)


def test_the_page_of_methods_is_the_table() -> None:
    assert page() in (ROOT / "docs" / "methods.md").read_text("utf-8")


def test_every_row_can_be_cut_and_coded() -> None:
    rows = [*METHODS.values(), parse_method("41"), parse_method("2.5")]
    assert {row.kind for row in rows} == set(RULES)
    for row in rows:
        assert row.words
        assert 0 < len(row.meaning) <= 64  # a code's meaning is an LO
        assert len(row.key) <= 16  # and its value an SH
