"""What the pages list is what the tables hold: no row of a table is missing on its page."""

from __future__ import annotations

import re
from pathlib import Path

from tmtv_engine.case.record import ReviewState
from tmtv_engine.lesion import origin
from tmtv_engine.model.checkpoint import network_of
from tmtv_engine.model.recipes import RECIPES
from tmtv_engine.phantom.vendors import VENDORS
from tmtv_engine.review.line import Action
from tmtv_engine.review.reasons import Reason
from tmtv_tui.review.order import SORTS
from tmtv_tui.screens import worklist

DOCS = Path(__file__).resolve().parents[2] / "docs"


def _page(name: str) -> str:
    return re.sub(r"\s+", " ", (DOCS / name).read_text("utf-8"))


def test_statuses_and_states() -> None:
    assert origin.page() in (DOCS / "review.md").read_text("utf-8")
    told = ", ".join(f"`{state.glyph}` {state}" for state in ReviewState)
    assert told in _page("review.md").replace(", which is signed", "")


def test_orders() -> None:
    assert f"sort ({', '.join(SORTS)});" in _page("review.md")
    assert f"`s` sorts ({', '.join(worklist.SORTS)})," in _page("review.md")


def test_reasons_and_actions() -> None:
    assert f"offered are {', '.join(Reason)}." in _page("records.md")
    table = (DOCS / "records.md").read_text("utf-8").partition("| `action` |")[2]
    first = [row.split("|")[1] for row in table.split("\n\n")[0].splitlines()[2:]]
    assert {w for cell in first for w in re.findall(r"`(\w+)`", cell)} == set(Action)


def test_vendors() -> None:
    assert f"({', '.join(VENDORS)})" in _page("training.md")


def test_recipes_with_their_figures() -> None:
    section = (DOCS / "training.md").read_text("utf-8").partition("## Recipes")[2]
    table = section.partition("What `coarse`")[0]
    rows = dict(re.findall(r"^\| `([a-z0-9-]+)` \|(.*)$", table, re.MULTILINE))
    assert list(rows) == list(RECIPES)
    for name, row in rows.items():
        recipe = RECIPES[name]
        assert f"{recipe.spacing_mm:g} mm" in row
        if "the same" in row:
            continue
        count = sum(p.numel() for p in network_of(recipe.architecture).parameters())
        assert f"{count:,} parameters" in row or f"{count / 1e6:.1f} million parameters" in row
        assert f"{recipe.rate:g}" in row
        assert not recipe.entropy or f"+ {recipe.entropy:g} × cross-entropy" in row
