"""The app killed at any moment, and several of them at one case: nothing acknowledged is lost."""

from __future__ import annotations

import random
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.cases import make_case
from tests.support.terminal import ROOT, Terminal, review
from tmtv_engine.case.folder import read_case
from tmtv_engine.review.journal import Journal
from tmtv_engine.review.reading import reading_of
from tmtv_engine.review.session import refresh
from tmtv_engine.review.verify import verify

SIZE = (100, 50)
KEYS = {"x": "x rejected", "a": "+ accepted"}
WORDS = {"accept": "accepted", "reject": "rejected"}


def decided(out: Path, reader: str = "AB") -> list[str]:
    """Accepts and rejects in the journal, which is read as a whole and with its chain."""
    path = out / "case-1" / "review" / f"{reader}.jsonl"
    return [line.action for line in Journal(path).read() if line.action in WORDS]


def failures(out: Path) -> list[str]:
    return [f"{f.what}: {f.state}" for f in verify(out / "case-1") if f.failed]


def lesion(terminal: Terminal) -> str:
    """The table's first line as the terminal shows it."""
    return terminal.screen.text(*SIZE).splitlines()[2]


def open_case(terminal: Terminal) -> None:
    terminal.until("case-1")
    terminal.type("\r")
    terminal.wait(lambda: "SUVpeak" in terminal.screen.text(*SIZE))
    terminal.wait(lambda: "accepted" in lesion(terminal) or "rejected" in lesion(terminal))


@pytest.mark.long
def test_sigkill_in_a_session_of_200_decisions(
    tmp_path: Path, count: Callable[[int, str], int]
) -> None:
    """A decision is acknowledged when the screen shows what it did."""
    case = make_case(tmp_path)
    turns, decisions = count(40, "sessions killed"), count(200, "decisions a session, at most")
    chance = random.Random(turns)
    sure = 0
    for _ in range(turns):
        moment = chance.randrange(decisions)
        with review(tmp_path, size=SIZE, TMTV_ADVANCE="false") as terminal:
            open_case(terminal)
            first = "a" if "rejected" in lesion(terminal) else "x"
            script = [first, "x" if first == "a" else "a"] * (decisions // 2)
            for key in script[:moment]:
                terminal.type(key)
                terminal.wait(lambda k=key: KEYS[k] in lesion(terminal))  # type: ignore[misc]
                sure += 1
            terminal.type(script[moment])
            time.sleep(chance.random() * 0.03)
            terminal.process.kill()
            terminal.process.wait()
        found = decided(tmp_path)
        assert sure <= len(found) <= sure + 1
        sure = len(found)
        assert failures(tmp_path) == []
        if found:
            assert reading_of(read_case(case.path), "AB").status[1] == WORDS[found[-1]]
    now = refresh(read_case(case.path)).record
    assert now.review.of_record == "AB"
    assert failures(tmp_path) == []


WRITER = """
import sys
from tmtv_engine.case.folder import read_case
from tmtv_engine.review.session import Decision, Session, refresh
session = Session(read_case(sys.argv[1]), "CD")
for k in range(40):
    session.decide(Decision("reject" if k % 2 else "accept", (k % 3 + 1,)))
    if k % 10 == 0:
        refresh(session.case)
"""


@pytest.mark.long
def test_the_same_reader_twice_and_another_all_at_once(
    tmp_path: Path, count: Callable[[int, str], int]
) -> None:
    case = make_case(tmp_path)
    keys = count(300, "decisions in each of two sessions")
    with (
        review(tmp_path, size=SIZE, TMTV_ADVANCE="false") as first,
        review(tmp_path, size=SIZE, TMTV_ADVANCE="false") as second,
    ):
        open_case(first)
        second.read()
        open_case(second)
        second.wait(lambda: "another session" in second.screen.text(*SIZE))
        writers = [
            subprocess.Popen([sys.executable, "-c", WRITER, str(case.path)], cwd=ROOT)
            for _ in range(2)
        ]
        for k in range(keys):
            first.type("xa"[k % 2])
            second.type("ax"[k % 2])
            first.read(0.0, 0.02)
            second.read(0.0, 0.02)

        def both() -> bool:
            first.read(0.0, 0.02)
            return len(decided(tmp_path)) == 2 * keys

        second.wait(both, 60 + 2.0 * keys)
        assert [writer.wait(120) for writer in writers] == [0, 0]
        assert len(decided(tmp_path, "CD")) == 80
        for key in ("x", "a"):  # what one decides, the other shows
            second.type(key)
            second.wait(lambda k=key: KEYS[k] in lesion(second))  # type: ignore[misc]
            first.wait(lambda k=key: KEYS[k] in lesion(first))  # type: ignore[misc]
    assert len(decided(tmp_path)) == 2 * keys + 2
    assert failures(tmp_path) == []
