"""Killed within the keys of each decision that is more than one key: what was acknowledged stays.

A decision is acknowledged when its dialog is gone and nothing was refused. `make long` kills 500
times, CI a twentieth, with fixed seeds.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.support.cases import copied_case
from tests.support.terminal import Terminal, review
from tests.tui.test_killed import SIZE, failures
from tmtv_engine.case.folder import read_case
from tmtv_engine.lesion.origin import Structure
from tmtv_engine.review.journal import Journal
from tmtv_engine.review.reading import reading_of
from tmtv_engine.review.session import refresh

NAMED = [(None, None), (None, None), (Structure("bladder", 0.9, "network"), "pelvis")]
CONFIRM = "Enter: do it"


@dataclass(frozen=True)
class Keys:
    """What is pressed: ``first`` opens a dialog that shows ``there`` when it is ready (none: the
    first key decides), ``more`` changes it, ``last`` decides; ``most``: decisions at most."""

    first: tuple[str, ...]
    there: str = ""
    more: tuple[str, ...] = ()
    last: str = "\r"
    most: int = 1


DECISIONS = {
    "add or grow": Keys(("j", "j", "g"), "before", ("-", "-")),
    "erase": Keys(("E",), "before", ("-", "-", "-")),
    "shrink": Keys(("T",), "before", ("+", "+")),
    "cap": Keys(("j", "T"), "before", ("%", "+")),
    "merge": Keys((" ", " ", "J"), "before"),
    "split": Keys(("p",), "", (), ""),
    "names": Keys(("N",), CONFIRM),
    "the rest": Keys(("A",), CONFIRM),
    "by rule": Keys(("X",), CONFIRM, tuple("ml<99")),
    "note": Keys(("e",), CONFIRM, tuple("seen")),
    "sign": Keys(("S",), CONFIRM),
    "undo": Keys(("u",), "", (), ""),
    "redo": Keys(("\x12",), "", (), ""),
}


def decisions(out: Path) -> int:
    """Lines of the journal, which is read as a whole and with its chain, less open and close."""
    path = out / "case-1" / "review" / "AB.jsonl"
    return sum(line.action not in ("open", "close") for line in Journal(path).read())


def open_case(terminal: Terminal) -> None:
    terminal.until("case-1")
    terminal.type("\r")
    terminal.wait(lambda: "SUVmax" in shown(terminal) and "predicted →" in shown(terminal))


def shown(terminal: Terminal) -> str:
    return terminal.screen.text(*SIZE)


def reopen(terminal: Terminal) -> None:
    """A signed case takes decisions again."""
    terminal.type("S")
    terminal.wait(lambda: "Re-open" in shown(terminal))
    terminal.type("\r")
    terminal.wait(lambda: "SIGNED" not in shown(terminal) and CONFIRM not in shown(terminal))


def ready(terminal: Terminal, keys: Keys) -> bool:
    """Whether the dialog came up; False where it was refused, or cannot be done."""
    refused = ("✗", "nothing undecided", "no lesion that counts")
    end = time.monotonic() + 60
    while time.monotonic() < end:
        terminal.read(0.02, 0.1)
        if any(word in shown(terminal) for word in refused):
            return False
        if keys.there in shown(terminal):
            return True
        if CONFIRM.replace("do it", "") in shown(terminal) and keys.there == "before":
            terminal.read(0.5, 1.0)  # the preview said why it cannot be
            return keys.there in shown(terminal)
    raise AssertionError(shown(terminal))


def press(terminal: Terminal, keys: Keys, stop: int) -> bool:
    """Press ``stop`` keys at most; whether all of them were and the decision acknowledged."""
    left = stop
    for key in keys.first:
        if left == 0:
            return False
        terminal.type(key)
        left -= 1
    if keys.there:
        if left == 0 or not ready(terminal, keys):
            return False
        for key in keys.more:
            if left == 0:
                return False
            terminal.type(key)
            left -= 1
        if keys.there == "before":
            terminal.read(0.3, 5.0)
    if keys.last:
        if left == 0:
            return False
        terminal.type(keys.last)
        left -= 1
    if left == 0:
        return False
    return acknowledged(terminal)


def acknowledged(terminal: Terminal) -> bool:
    """Whether the dialog is gone and nothing was refused, as far as the screen tells."""
    terminal.read(0.4, 5.0)
    return "Enter: do it" not in shown(terminal) and "✗" not in shown(terminal)


@pytest.mark.long
def test_killed_within_the_keys_of_a_decision(
    tmp_path: Path, count: Callable[[int, str], int]
) -> None:
    turns = count(500, "kills within a decision's keys")
    chance, names = random.Random(turns), list(DECISIONS)
    sure = done = 0
    for turn in range(turns):
        out = tmp_path / str(turn // 13)
        if turn % 13 == 0:
            copied_case(out, known=NAMED)
            sure = 0
        what = names[(turn + turn // 13) % len(names)]
        keys = DECISIONS[what]
        whole = len(keys.first) + len(keys.more) * bool(keys.there) + bool(keys.last)
        with review(out, size=SIZE, TMTV_ADVANCE="false") as terminal:
            open_case(terminal)
            if "SIGNED" in shown(terminal):
                reopen(terminal)
                sure += 1
            before = decisions(out)
            assert before >= sure
            stop = chance.randrange(1, whole + 2)
            told = press(terminal, keys, stop)
            if not told:
                time.sleep(chance.random() * 0.05)
            terminal.process.kill()
            terminal.process.wait()
        found = decisions(out)
        assert before <= found <= before + keys.most, what
        if told and what not in ("undo", "redo", "split"):  # those may have had nothing to do
            assert found == before + 1, (what, stop)
            done += 1
        sure = found
        assert failures(out) == [], what
        reading_of(read_case(out / "case-1"), "AB")
        refresh(read_case(out / "case-1"))
        assert [str(p) for p in out.rglob("*.part")] == []
    assert done > turns // 10
