"""Names in the review: what leads a row, is folded, proposed, counted for the stage."""

from __future__ import annotations

from pathlib import Path

import pytest
from textual.widgets import Input, Static

from tests.support.cases import copied_case, tmtv_ml
from tests.support.drive import opened, running, settle, shown, text_of, until
from tests.tui.test_app import shown_total
from tmtv_engine.case.folder import Case
from tmtv_engine.errors import UsageError
from tmtv_engine.lesion.origin import Structure
from tmtv_engine.review.journal import Decision, Journal
from tmtv_engine.review.verify import verify
from tmtv_tui.review.names import folded, to_reject
from tmtv_tui.review.opened import Opened
from tmtv_tui.review.rules import Organ, Term, parse_rule, rule_hits
from tmtv_tui.review.sites import Sites, sites_of
from tmtv_tui.widgets.lesions import LesionTable

LESION = Structure("lesion", 0.93, "network")
BLADDER = Structure("bladder", 0.97, "network")
FAT = Structure("brown fat", 0.5, "organs")
UNSURE = Structure("kidney", 0.49, "network")
KNOWN = ((LESION, "left neck"), (BLADDER, "pelvis, midline"), (FAT, "right neck"))


def named(out: Path) -> Case:
    return copied_case(out, known=KNOWN)


def ml(label: int) -> str:
    return f"{tmtv_ml([label], '41'):.1f}"


def row_of(text: str, number: int) -> list[str]:
    """The words of a lesion's line, from its number on."""
    states = ("accepted", "rejected", "candidate")
    lines = [x for x in text.splitlines() if f" {number} " in x and any(s in x for s in states)]
    return lines[0][lines[0].index(f" {number} ") :].split()


async def test_structure_and_place_lead_the_row_at_every_size(tmp_path: Path) -> None:
    named(tmp_path)
    sizes: tuple[tuple[int, int], ...] = ((80, 24), (100, 50), (200, 60))
    for size in sizes:
        async with running(tmp_path, size, read_only=True) as (app, pilot):
            await opened(app, pilot)
            words = row_of(text_of(app), 1)
            assert words[:6] == ["1", "lesion", "0.93", "left", "neck", ml(1)], (size, words)
            assert words[6] == "9.0"
            assert ("where LPS" in text_of(app)) == (size[0] == 200)


async def test_named_candidates_are_one_counted_line_until_opened(tmp_path: Path) -> None:
    named(tmp_path)
    async with running(tmp_path, (110, 40)) as (app, pilot):
        screen = await opened(app, pilot)
        table = screen.query_one(LesionTable)
        line = "▸ 2 physiologic, 2 undecided: bladder 1, brown fat 1"
        assert line in text_of(app)
        assert "pelvis" not in text_of(app)
        await pilot.press("z")
        await pilot.pause()
        assert line.replace("▸", "▾") in text_of(app)
        assert row_of(text_of(app), 2)[1:5] == ["bladder", "0.97", "pelvis,", "midline"]
        await pilot.press("end", "a")  # brown fat after all: it counts and leaves the fold
        await settle(app, pilot)
        assert shown_total(screen, "41") == round(tmtv_ml([1, 3], "41"), 1)
        assert "1 physiologic, 1 undecided: bladder 1" in text_of(app)
        table.go(2)
        await pilot.press("z")
        await pilot.pause()
        assert table.current() is None
        assert table.on_fold
        await pilot.press("a", "x", "space", "i", "p", "v", "i")  # nothing under the cursor
        assert [x.action for x in Journal(tmp_path / "case-1/review/AB.jsonl").read()] == [
            *("open", "accept")
        ]
        table.go(2)  # as a click in the picture does
        assert table.current() == 2


async def test_one_key_rejects_by_name_with_the_name_as_reason(tmp_path: Path) -> None:
    case = named(tmp_path)
    async with running(tmp_path, (110, 40)) as (app, pilot):
        screen = await opened(app, pilot)
        assert screen.opened is not None
        before = screen.opened.reading.status
        await pilot.press("N")
        told = await shown(app, pilot, "each with its name")
        assert "bladder          #2" in told
        assert "brown fat        #3" in told
        await pilot.press("escape")
        await settle(app, pilot)
        assert screen.opened.reading.status == before
        await pilot.press("N", "enter")
        await settle(app, pilot)
        assert screen.opened.reading.status == {1: "accepted", 2: "rejected", 3: "rejected"}
        assert screen.opened.reading.reasons == {2: "bladder", 3: "brown fat"}
        assert "2 physiologic, all decided: bladder 1, brown fat 1" in text_of(app)
        assert "why?" not in text_of(app)
        await pilot.press("N")
        assert "nothing undecided is named" in await shown(app, pilot, "nothing undecided")
        await pilot.press("u")
        assert screen.opened.reading.reasons == {2: "bladder"}
        await pilot.press("u")
        assert screen.opened.reading.status == before
    lines = Journal(case.path / "review/AB.jsonl").read()
    assert [(x.action, x.lesions, x.reason) for x in lines[1:3]] == [
        ("reject", (2,), "bladder"),
        ("reject", (3,), "brown fat"),
    ]
    assert not [f for f in verify(case.path) if f.failed]


async def test_a_rule_names_an_organ(tmp_path: Path) -> None:
    named(tmp_path)
    async with running(tmp_path, (110, 40)) as (app, pilot):
        screen = await opened(app, pilot)
        assert screen.opened is not None
        await pilot.press("X")
        await pilot.pause()
        for typed, told in (
            ("organ=bladder", "rejects 0 lesions, 0.0 mL by 41: \nand 1 candidate: #2"),
            ("organ = Lesion suvmax>8", f"rejects 1 lesion, {ml(1)} mL by 41: #1"),
            ("organ=brown fat ml<0.001", "rejects 0 lesions, 0.0 mL by 41: "),
            ("organ=spine", "no structure has that name\n"),
        ):
            app.screen.query_one(Input).value = typed
            await pilot.pause()
            assert str(app.screen.query_one("#remark", Static).content).startswith(told), typed
        app.screen.query_one(Input).value = "organ=bladder"
        await pilot.press("enter")
        await settle(app, pilot)
        assert screen.opened.reading.status == {1: "accepted", 2: "rejected", 3: "candidate"}
        assert screen.opened.reading.reasons == {2: "rule organ=bladder"}


def test_the_words_of_a_rule() -> None:
    assert parse_rule("organ=brown fat, ml<2") == (Term("ml", False, 2.0), Organ("brown fat"))
    assert parse_rule("ORGAN=bowel") == (Organ("bowel"),)
    for wrong in ("organ=", "organ=bladders", "organ=spine", "bladder", "organ>2", "organ=[b]x"):
        with pytest.raises(UsageError):
            parse_rule(wrong)


def test_what_a_reader_decided_stays_and_one_half_is_enough_for_a_name(tmp_path: Path) -> None:
    known = ((UNSURE, None), (BLADDER, "pelvis"), (FAT, None))
    one = Opened.of(copied_case(tmp_path, known=known).path, "AB")
    assert folded(one) == [2, 3]
    assert dict(to_reject(one)) == {"bladder": (2,), "brown fat": (3,)}
    one.decide(Decision("accept", (2,)))
    assert folded(one) == [3]
    assert dict(to_reject(one)) == {"brown fat": (3,)}
    hits = rule_hits(one, "41", "organ=kidney")
    assert (hits.ids, hits.candidates) == ((1,), ())
    assert hits.ml == pytest.approx(tmtv_ml([1], "41"))


def test_sites_are_counted_above_below_and_beside(tmp_path: Path) -> None:
    lung, spleen = Structure("lung", 0.8, "network"), Structure("spleen", 0.9, "network")
    cases = (
        (((LESION, "left neck"), (None, "mediastinum"), (None, None)), "II", 0),
        (((LESION, "left neck"), (None, "left neck"), (None, None)), "I", 0),
        (((LESION, "left neck"), (LESION, "right groin"), (None, None)), "III", 0),
        (((LESION, "left arm"), (LESION, "chest or abdomen"), (None, None)), "I", 1),
        (((lung, "left chest"), (None, "pelvis, midline"), (None, None)), "IV?", 0),
        (((lung, "left chest"), (None, None), (None, None)), "I E or IV?", 1),
    )
    for k, (known, suggests, unknown) in enumerate(cases):
        one = Opened.of(copied_case(tmp_path, f"c{k}", known=known).path, "AB")
        found = sites_of(one)
        assert (found.suggests, found.unknown) == (suggests, unknown), known
    assert Sites((), (), (), 2).words() == ""
    both = Sites(("left neck",), ("left leg", "pelvis"), ("lung",), 1)
    assert both.words() == (
        "sites (suggests IV?): 1 above, 2 below diaphragm; extranodal lung; 1 of no known place"
    )
    one = Opened.of(copied_case(tmp_path, "s", known=((spleen, "left abdomen"),) * 3).path, "AB")
    one.decide(Decision("accept", (1,)))
    assert sites_of(one) == Sites((), ("left abdomen",), (), 0)


async def test_the_stage_is_a_suggestion_under_the_totals(tmp_path: Path) -> None:
    named(tmp_path)
    async with running(tmp_path, (120, 40)) as (app, pilot):
        await opened(app, pilot)
        assert "sites (suggests I): 1 above, 0 below diaphragm" in text_of(app)
        await pilot.press("z", "end", "a")
        await settle(app, pilot)
        assert "2 of" not in text_of(app)
        assert "sites (suggests II): 2 above, 0 below diaphragm" in text_of(app)


async def test_slices_are_there_where_all_is_folded(tmp_path: Path) -> None:
    """With no lesion to choose they begin in the middle of the field; they were empty."""
    copied_case(tmp_path, known=((BLADDER, "pelvis, midline"), (BLADDER, ""), (FAT, "right neck")))
    async with running(tmp_path, (110, 40)) as (app, pilot):
        screen = await opened(app, pilot)
        assert "▸ 3 physiologic" in text_of(app)
        assert screen.query_one(LesionTable).current() is None
        await pilot.press("i")
        await until(pilot, lambda: "axial " in text_of(app))
        assert screen.cursor is not None
        z, y, x = screen.cursor.grid.shape
        assert screen.cursor.index == (z // 2, y // 2, x // 2)
