"""Cells of our tables: nothing that a spreadsheet would run, and what was written comes back."""

from __future__ import annotations

import csv
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tmtv_engine.text import cell, cell_text, counted, csv_text


@pytest.mark.parametrize(
    ("value", "told"),
    [
        (None, ""),
        (0.1 + 0.2, "0.3"),
        (1 / 3, "0.3333333333"),
        (164.0, "164"),
        (1234567.891, "1234567.891"),
        (7, "7"),
        (True, "True"),
        ("=1+1", "'=1+1"),
        ("+cmd|' /C calc'!A0", "'+cmd|' /C calc'!A0"),
        ("-2+3+cmd|' /C calc'!A0", "'-2+3+cmd|' /C calc'!A0"),
        ("-12", "-12"),
        ("-1.5e-3", "-1.5e-3"),
        ("-12 mm", "'-12 mm"),
        ("-", "-"),
        ("@SUM(A1)", "'@SUM(A1)"),
        ("\t=1", "'\t=1"),
        ("＝1+1", "'＝1+1"),
        ("'=1", "''=1"),
        ("'t Hart", "'t Hart"),
        ("007", "007"),
    ],
)
def test_what_a_cell_is(value: object, told: str) -> None:
    """Before: what begins with - or a tab was left as it is, and no reader took the guard off."""
    assert cell(value) == told
    if isinstance(value, str):
        assert cell_text(told) == value


@given(st.lists(st.text(alphabet="'=+-@\t\n12,\"aé＝", max_size=6), min_size=1, max_size=4))
def test_what_is_written_comes_back_and_nothing_runs(texts: list[str]) -> None:
    (row,) = csv.reader(io.StringIO(csv_text([[*texts, "end"]]), newline=""))
    assert [cell_text(told) for told in row] == [*texts, "end"]
    for told in row:
        assert told[:1] not in set("=+@\t\r\n＝") or len(told) == 1


@pytest.mark.parametrize(
    ("number", "said"), [(0, "0 lesions"), (1, "1 lesion"), (2, "2 lesions"), (21, "21 lesions")]
)
def test_one_is_singular(number: int, said: str) -> None:
    assert counted(number, "lesion") == said
