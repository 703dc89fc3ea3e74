"""A terminal that cannot show the app is told so, with what to set; others are let be."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.cases import copied_case
from tests.support.terminal import review
from tmtv_engine.errors import UsageError
from tmtv_tui.terminal.able import refuse_unable

XTERM = {"TERM": "xterm-256color"}
BOTH = (True, True)


@pytest.mark.parametrize(
    ("env", "terminals", "encoding", "size"),
    [
        (XTERM, BOTH, "utf-8", (60, 16)),
        (XTERM, BOTH, "UTF8", (0, 0)),
        ({"TERM": "xterm"}, BOTH, "UTF-8", (80, 24)),
        ({"TERM": "linux"}, BOTH, "utf_8", (80, 24)),
        ({"TERM": "dumb", "TEXTUAL_DRIVER": "x"}, (False, False), "ascii", (10, 4)),
    ],
)
def test_what_can_show_it(
    env: dict[str, str], terminals: tuple[bool, bool], encoding: str, size: tuple[int, int]
) -> None:
    refuse_unable(env, terminals, encoding, size)


@pytest.mark.parametrize(
    ("env", "terminals", "encoding", "size", "told"),
    [
        (XTERM, (False, True), "utf-8", (80, 24), "standard input is no terminal"),
        (XTERM, (True, False), "utf-8", (80, 24), "standard output is no terminal"),
        ({"TERM": "dumb"}, BOTH, "utf-8", (80, 24), "TERM=dumb says"),
        ({"TERM": "vt100"}, BOTH, "utf-8", (80, 24), "TERM=vt100 says"),
        ({}, BOTH, "utf-8", (80, 24), r"TERM=\(nothing\) says"),
        (XTERM, BOTH, "iso8859-1", (80, 24), "takes iso8859-1, not UTF-8"),
        (XTERM, BOTH, "utf-8", (59, 24), "has 59 × 24 cells, 60 × 16 are the least"),
        (XTERM, BOTH, "utf-8", (80, 15), "has 80 × 15 cells"),
    ],
)
def test_what_cannot(
    env: dict[str, str],
    terminals: tuple[bool, bool],
    encoding: str,
    size: tuple[int, int],
    told: str,
) -> None:
    with pytest.raises(UsageError, match=told) as refused:
        refuse_unable(env, terminals, encoding, size)
    assert "--plain" in refused.value.remedy


@pytest.mark.parametrize(("term", "size"), [("dumb", (80, 24)), ("xterm", (50, 12))])
def test_a_refusal_writes_no_escape(tmp_path: Path, term: str, size: tuple[int, int]) -> None:
    copied_case(tmp_path)
    with review(tmp_path, size=size, TERM=term) as terminal:
        terminal.until("--plain")
        terminal.wait(terminal.gone)
        assert terminal.process.returncode == 2
        assert b"\x1b" not in terminal.out
