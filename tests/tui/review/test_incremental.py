"""After a repair only what changed is drawn: it equals what would be drawn anew, whole."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.cases import copied_case
from tests.support.drive import opened, running, settle, text_of
from tests.tui.test_repair import preview_of
from tmtv_engine.case.folder import Case
from tmtv_engine.lesion.lists import Lesions, altered
from tmtv_engine.review.journal import Decision
from tmtv_engine.review.repairs import erase, merge
from tmtv_tui.review.cursor import Cursor
from tmtv_tui.review.opened import Opened
from tmtv_tui.review.prints import Prints, body_box, footprints
from tmtv_tui.review.table import Table
from tmtv_tui.widgets.lesions import LesionTable
from tmtv_tui.widgets.mip import MipView

METHODS = ("41", "a50p", "2.5", "4.0", "otsu", "mv2")


def same_table(found: Table, expected: Table) -> bool:
    names = ("suv_max", "suv_peak", "centroid_mm", "top_mm")
    pairs = [(getattr(found, name), getattr(expected, name)) for name in names]
    assert list(found.volume_ml) == list(expected.volume_ml)
    pairs += [(found.volume_ml[k], expected.volume_ml[k]) for k in expected.volume_ml]
    pairs += [(found.tlg_g[k], expected.tlg_g[k]) for k in expected.tlg_g]
    return all(np.array_equal(a, b, equal_nan=True) for a, b in pairs)


def thinned(lesions: Lesions, keep: list[bool]) -> Lesions:
    """Every other voxel of the lesions that are not kept is gone, and the last lesion with them."""
    rows = [k for k, stays in enumerate(keep) if not stays]
    gone = [lesions.voxels[lesions.span(k)][::2] for k in rows]
    return lesions.without(np.concatenate([np.zeros(0, np.int64), *gone]))


def test_which_lesions_differ(tmp_path: Path) -> None:
    lesions = copied_case(tmp_path).voxels()
    assert altered(lesions, lesions) == set()
    assert altered(lesions, lesions.take([0, 1, 2])) == set()
    assert altered(lesions, lesions.take([0, 2])) == {2}
    assert altered(lesions.take([1]), lesions) == {1, 3}
    moved = lesions.without(lesions.voxels[lesions.span(1)][:1])
    assert altered(lesions, moved) == altered(moved, lesions) == {2}
    assert altered(lesions, lesions.renumbered([1, 3, 2])) == {2, 3}


@settings(max_examples=20)
@given(keep=st.lists(st.booleans(), min_size=3, max_size=3), take=st.permutations([0, 1, 2]))
def test_measures_and_projections_of_what_changed_are_those_of_all(
    tmp_path_factory: object, keep: list[bool], take: list[int]
) -> None:
    case: Case = made(tmp_path_factory)
    base = case.voxels()
    other = thinned(base, keep).take(sorted(take[:2]))
    first = Table.of(case, base, METHODS)
    assert same_table(first.after(case, other), Table.of(case, other, METHODS))
    assert same_table(first.after(case, other).after(case, base), first)
    prints = Prints(case.mip())
    for lesions in (base, other, base):
        for angle in (0, 6, 7):
            found, expected = prints.of(lesions, angle), footprints(lesions, case.mip(), angle)
            assert found.peaks == expected.peaks
            assert list(found.pixels) == list(expected.pixels)
            for number, pixels in expected.pixels.items():
                assert np.array_equal(found.pixels[number], pixels)
        both = [footprints(lesions, case.mip(), angle) for angle in (0, 6)]
        assert prints.box(lesions) == body_box(case.mip(), both)


KEPT: dict[str, Case] = {}


def made(factory: object) -> Case:
    """One case for all examples."""
    if "case" not in KEPT:
        KEPT["case"] = copied_case(factory.mktemp("one"))  # type: ignore[attr-defined]
    return KEPT["case"]


def test_the_opened_case_measures_what_its_reading_holds(tmp_path: Path) -> None:
    """A background that a repair of a neighbour changes is followed too."""
    copied_case(tmp_path)
    opened_case = Opened.of(tmp_path / "case-1", "AB", METHODS)
    lesions = opened_case.reading.lesions
    top = Cursor.on_peak(lesions, 1).mm
    steps = (
        erase(1, [(*top, 5.0)]),
        Decision("reject", (2,)),
        merge((1, 2)),
        Decision("undo"),
        Decision("undo"),
        Decision("undo"),
        Decision("redo"),
    )
    for step in steps:
        opened_case.decide(step)
        now = opened_case.reading
        methods = opened_case.methods
        assert same_table(
            opened_case.table, Table.of(opened_case.case, now.lesions, methods, now.around)
        )


async def test_the_screen_after_a_repair_is_the_screen_drawn_anew(tmp_path: Path) -> None:
    copied_case(tmp_path)
    async with running(tmp_path, (140, 40)) as (app, pilot):
        screen = await opened(app, pilot)
        for keys in (["E", "minus"], ["T"], ["g"]):
            await preview_of(app, pilot, keys[0])
            for key in keys[1:]:
                await pilot.press(key)
                await settle(app, pilot)
            await pilot.press("enter")
            await settle(app, pilot)
            if app.screen is not screen:
                await pilot.press("escape")
                await settle(app, pilot)
            for key in ("", "u"):
                if key:
                    await pilot.press(key)
                    await settle(app, pilot)
                shown = text_of(app)
                marks = [(dict(v._marks), dict(v._glyphs)) for v in screen.query(MipView)]
                assert screen.opened is not None
                table = screen.query_one(LesionTable)
                table.fill(screen.opened, table._method)
                for view in screen.query(MipView):
                    view._of = None
                screen._show_all()
                await settle(app, pilot)
                assert text_of(app) == shown
                assert [(v._marks, v._glyphs) for v in screen.query(MipView)] == marks
