"""The pages name the keys and actions that the app has, and no others."""

from __future__ import annotations

import re
from pathlib import Path

from textual.keys import _character_to_key

from tmtv_tui.screens.case import CaseScreen
from tmtv_tui.screens.compare import CompareScreen
from tmtv_tui.screens.worklist import Worklist
from tmtv_tui.widgets.keybar import bindings_of

DOCS = Path(__file__).resolve().parents[2] / "docs"
TABLE = re.compile(r"^\| (`.*?) \|", re.M)
NAMES = {
    "Tab": "tab", "space": "space", "Enter": "enter", "PgUp": "pageup", "PgDn": "pagedown",
    "^p": "ctrl+p", "^r": "ctrl+r", "^l": "ctrl+l", "^q": "ctrl+q",
}  # fmt: skip
SHORT = {"equals_sign", "up", "down", "left", "right", "ctrl+l", "question_mark", "j", "k"}
"""Bound and told otherwise: with its neighbour, as "arrows", or in help alone."""


def key_of(word: str) -> str:
    """Textual's name of a key as a page writes it."""
    return NAMES.get(word) or _character_to_key(word)


def bound(*screens: type) -> set[str]:
    return {k for s in screens for b in bindings_of(s) for k in b.key.split(",")}


def pages() -> str:
    return "".join((DOCS / f"{name}.md").read_text("utf-8") for name in ("review", "repairs"))


def test_every_key_of_the_tables_does_something() -> None:
    words = {w for row in TABLE.findall(pages()) for w in re.findall(r"`([^`]+)`", row)}
    assert len(words) > 40
    unknown = {w for w in words if key_of(w) not in bound(CaseScreen)}
    assert unknown == set()


def test_every_key_of_a_case_stands_on_the_pages() -> None:
    told = {key_of(w) for w in re.findall(r"`([^`\s]{1,5})`", pages()) if w in NAMES or len(w) == 1}
    told |= set("1234567890")  # from `1` to `0`
    assert bound(CaseScreen) - told <= SHORT


def test_every_action_that_has_keys_of_its_own_stands_with_the_settings() -> None:
    text = (DOCS / "terminals.md").read_text("utf-8")
    paragraph = re.search(r"^Actions: .*?(?:\n\n|\Z)", text, re.M | re.S)
    assert paragraph is not None
    told = {w for part in re.findall(r"`([^`]+)`", paragraph[0]) for w in part.split()}
    ids = {b.id for s in (Worklist, CaseScreen, CompareScreen) for b in bindings_of(s) if b.id}
    assert told == ids
