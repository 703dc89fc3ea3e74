"""Pasted text decides nothing: neither bracketed nor as a plain burst of keys."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.cases import copied_case
from tests.support.terminal import Terminal, review
from tmtv_engine.lesion.origin import Structure
from tmtv_engine.review.journal import Journal

SIZE = (100, 40)
DIALOGS = {"S": "Sign case-1", "N": "Reject what is named", "A": "Accept the rest"}
NAMED = [(None, None), (None, None), (Structure("bladder", 0.9, "network"), "pelvis")]


def actions(out: Path) -> list[str]:
    return [line.action for line in Journal(out / "case-1" / "review" / "AB.jsonl").read()]


def shown(terminal: Terminal) -> str:
    return terminal.screen.text(*SIZE)


def open_case(terminal: Terminal) -> None:
    terminal.until("case-1")
    terminal.type("\r")
    terminal.wait(lambda: "predicted →" in shown(terminal))
    terminal.read(0.5)


@pytest.mark.parametrize("key", DIALOGS)
def test_a_burst_opens_the_dialog_and_confirms_nothing(tmp_path: Path, key: str) -> None:
    copied_case(tmp_path, known=NAMED)
    with review(tmp_path, size=SIZE) as terminal:
        open_case(terminal)
        terminal.type(f"{key}\r\n")
        terminal.wait(lambda: DIALOGS[key] in shown(terminal))
        terminal.wait(lambda: "once more" in shown(terminal))
        assert actions(tmp_path) == ["open"]
        terminal.type("\r")  # having read it
        terminal.wait(lambda: len(actions(tmp_path)) == 2)


def test_a_bracketed_paste_is_no_key(tmp_path: Path) -> None:
    copied_case(tmp_path, known=NAMED)
    with review(tmp_path, size=SIZE) as terminal:
        open_case(terminal)
        terminal.type("\x1b[200~S\nN\nA\nxxaaX\n\x1b[201~")
        terminal.read(1.0)
        assert not any(words in shown(terminal) for words in DIALOGS.values())
        terminal.type("x")
        terminal.wait(lambda: len(actions(tmp_path)) == 2)
    assert actions(tmp_path)[:2] == ["open", "reject"]
