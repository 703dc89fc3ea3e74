"""Slices in pixels: cross, outlines of every lesion and letters, as blocks have them."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from tests.support.cases import copied_case, make_volume
from tests.support.drive import opened, running, settle
from tmtv_engine.lesion.origin import Status
from tmtv_tui.config import Config
from tmtv_tui.review.cursor import Cursor
from tmtv_tui.review.picture import place
from tmtv_tui.terminal.pixels import GLYPHS, STROKES, Layer, marks
from tmtv_tui.widgets.canvas import CURSOR, LETTERS
from tmtv_tui.widgets.mip import CHOSEN, COLOURS
from tmtv_tui.widgets.slices import SliceView

RED, BLUE, INK = "rgb(200,0,0)", "rgb(0,0,200)", "rgb(0,100,0)"


def layer(frames: list[tuple[list[tuple[int, int]], str]], **glyphs: str) -> Layer:
    """10 × 10 pixels in 5 × 10 cells, one pixel a dot of 4 × 4."""
    image = np.zeros((10, 10), np.float32)
    placed = place(image, (0, 10, 0, 10), 10, 5, 10.0)
    assert placed.cells == (5, 10)
    found = [((np.array([y for y, _ in p]), np.array([x for _, x in p])), c) for p, c in frames]
    signs = {(int(at[1]), int(at[2])): (sign, INK) for at, sign in glyphs.items()}
    return Layer(0, 0, placed, image, 10.0, found, signs)


def colour_at(seen: Layer, y: int, x: int) -> str:
    palette = [(0, 0, 0)]
    drawn = marks(seen, (8, 4), palette, False)
    number = int(drawn[y, x])
    return "" if number == 0 else f"rgb({','.join(map(str, palette[number]))})"


def test_every_frame_has_its_colour_and_the_last_lies_over_all() -> None:
    alone = layer([([(2, 2)], RED), ([(7, 7)], BLUE)])
    assert colour_at(alone, 4 * 2 - 1, 4 * 2 + 1) == RED
    assert colour_at(alone, 4 * 7 - 1, 4 * 7 + 1) == BLUE
    assert colour_at(alone, 4 * 2 + 1, 4 * 2 + 1) == ""
    beside = layer([([(5, 4)], RED), ([(5, 5)], BLUE)])
    assert colour_at(beside, 4 * 5 + 1, 4 * 5) == ""  # no frame within the chosen one
    assert colour_at(beside, 4 * 5 + 1, 4 * 5 - 1) == BLUE  # its own lies over its neighbour
    assert colour_at(layer([([(0, 0)], RED)]), 4, 0) == RED  # at the border as elsewhere


def test_strokes_go_through_their_cell() -> None:
    drawn = marks(layer([], c24="│", c36="─"), (8, 4), [(0, 0, 0)], False)
    assert np.flatnonzero(drawn[:, 4 * 4 + 1]).tolist() == list(range(16, 24))
    assert np.flatnonzero(drawn[24 + 3]).tolist() == list(range(24, 28))
    assert np.count_nonzero(drawn) == 8 + 4


async def test_a_slice_in_pixels_says_what_one_in_blocks_says(tmp_path: Path) -> None:
    """Lesion 3, a candidate, and beside it lesion 1 as chosen, in the coronal plane of both."""
    copied_case(tmp_path)
    seen = {}
    for image in ("kitty", "half"):
        async with running(tmp_path, (160, 50), config=Config(image=image)) as (app, pilot):
            screen = await opened(app, pilot)
            await pilot.press("i", "b", "b")
            await settle(app, pilot)
            assert screen.opened is not None
            grid = screen.opened.reading.lesions.grid
            screen.point_at(Cursor(grid, (10, 8, 20)))
            await settle(app, pilot)
            view = screen.query_one("#slice", SliceView)
            assert view._scene is not None
            assert {c for _, c in view._glyphs.values()} == {LETTERS, CURSOR}
            seen[image] = set(view._marks.items())
            if image == "kitty":
                shown = view.picture()
                assert shown is not None
                cut = make_volume()[1].array[:, 8, :]
                rows = {c: len(p[0]) for p, c in shown.frames}
                counted = {
                    CHOSEN: int((cut == 1).sum()),
                    COLOURS[Status.CANDIDATE]: int((cut == 3).sum()),
                }
                assert rows == counted
                assert {s for s, _ in shown.glyphs.values()} <= set(GLYPHS) | set(STROKES)
    assert seen["kitty"] == seen["half"]
