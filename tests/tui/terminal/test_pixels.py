"""Pictures in pixels: what is sent, decoded by others' means, is what lies in the case."""

from __future__ import annotations

import io
import re
import time
from base64 import standard_b64decode
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from tests.support.cases import copied_case
from tests.support.outer import KITTY, Kitty
from tests.support.sixel import Rgb, unsixel
from tests.support.terminal import review
from tests.tui.terminal.test_terminal import actions, enter
from tmtv_engine.errors import UsageError
from tmtv_tui.cli import review as command
from tmtv_tui.review.picture import place
from tmtv_tui.review.prints import body_box, footprints
from tmtv_tui.terminal.cellwise import Sixels
from tmtv_tui.terminal.kitty import png
from tmtv_tui.terminal.mux import stopped
from tmtv_tui.terminal.pixels import Layer, greys, marks
from tmtv_tui.terminal.sixel import sixel
from tmtv_tui.widgets.mip import CHOSEN

SIXEL = re.compile(rb'\x1b\[(\d+);(\d+)H\x1bP0;1;0q"1;1;(\d+);(\d+)(.*?)\x1b\\', re.DOTALL)
QUESTION = re.compile(rb"\x1b\[(?:[>=?]?\d*c|\d*n|1[3-9]t|\?\d+u)|\x1b_G[^;\x1b]*a=q")
PALETTE = [(0, 0, 0), (250, 128, 3), (0, 95, 175)]


def picture(kitty: Kitty, number: int) -> Image.Image:
    return Image.open(io.BytesIO(standard_b64decode(kitty.images[number][1])))


def noise(shape: tuple[int, int], colours: int) -> npt.NDArray[np.uint8]:
    blocks = np.random.default_rng(5).integers(0, colours, shape).astype(np.uint8)
    return np.repeat(blocks, 7, axis=1)


def test_a_png_is_what_others_read() -> None:
    index = noise((13, 5), 3)
    image = Image.open(io.BytesIO(png(index, PALETTE)))
    assert (np.asarray(image.convert("RGB")) == np.array(PALETTE, np.uint8)[index]).all()
    clear = np.asarray(Image.open(io.BytesIO(png(index, PALETTE, clear=True))).convert("RGBA"))
    assert ((clear[..., 3] == 0) == (index == 0)).all()
    assert (clear[index > 0][:, :3] == np.array(PALETTE, np.uint8)[index[index > 0]]).all()


@pytest.mark.parametrize("high", [6, 13, 1])
def test_a_sixel_is_what_it_was_made_of(high: int) -> None:
    index = noise((high, 5), 3)
    text = sixel(index, PALETTE)
    head = f'\x1bP0;1;0q"1;1;35;{high}'
    assert text.startswith(head)
    assert text.endswith("\x1b\\")
    drawn = unsixel(text[len(head) : -2].encode(), 35, high)
    assert np.abs(drawn.astype(int) - np.array(PALETTE)[index]).max() <= 2  # colours in per cent


@given(st.data(), st.integers(1, 20), st.integers(1, 40), st.integers(1, 5))
def test_sixels_drawn_again_and_again_are_each_what_they_were_made_of(
    data: st.DataObject, high: int, wide: int, colours: int
) -> None:
    palette = [(51 * k, 255 - 51 * k, 0) for k in range(colours)]  # whole per cents
    number = st.integers(0, colours - 1)
    dots = data.draw(st.lists(number, min_size=high * wide, max_size=high * wide))
    for rows in (high, wide, high):  # the same dots in other bands
        index = np.array(dots, np.uint8).reshape(rows, -1)
        head, body = sixel(index, palette).split("#", 1)
        assert head == f'\x1bP0;1;0q"1;1;{index.shape[1]};{rows}'
        drawn = unsixel(b"#" + body[:-2].encode(), index.shape[1], rows)
        assert (drawn == np.array(palette)[index]).all()
        dots[data.draw(st.integers(0, high * wide - 1))] = data.draw(number)


def layer_of(tmp_path: Path, number: int) -> tuple[Layer, npt.NDArray[np.bool_]]:
    """A case's front view of 17 lines, one lesion chosen, and its footprint in the box."""
    case = copied_case(tmp_path)
    mip = case.mip()
    prints, box = footprints(case.voxels(), mip, 0), body_box(mip)
    placed = place(mip.suv(0), box, 40, 17, 10.0)
    inside = np.zeros((box[1] - box[0], box[3] - box[2]), bool)
    rows, cols = prints.pixels[number]
    inside[rows - box[0], cols - box[2]] = True
    signs = {(0, 0): ("R", "rgb(68,68,68)"), (3, 5): ("+", "rgb(215,95,0)")}
    return Layer(2, 3, placed, mip.suv(0), 10.0, [(prints.pixels[number], CHOSEN)], signs), inside


def test_the_frame_lies_close_around_the_lesion(tmp_path: Path) -> None:
    layer, inside = layer_of(tmp_path, 1)
    palette = [(0, 0, 0)]
    drawn = marks(layer, (16, 8), palette, False)
    lines, columns = layer.placed.cells
    assert drawn.shape == (16 * lines, 8 * columns)
    frame = drawn == palette.index((0, 175, 135), 1)
    y, x = np.nonzero(frame)
    at = y * inside.shape[0] // drawn.shape[0], x * inside.shape[1] // drawn.shape[1]
    assert frame.any()
    assert not inside[at].any()
    wide = np.pad(inside, 1)
    near = np.any(
        [wide[a : a + len(inside), b : b + inside.shape[1]] for a in range(3) for b in range(3)], 0
    )
    assert near[at].all()


def test_signs_lie_in_their_cells_and_without_colour_all_are_black(tmp_path: Path) -> None:
    layer, _ = layer_of(tmp_path, 1)
    palette = [(0, 0, 0)]
    drawn = marks(layer, (20, 10), palette, False)
    plus = drawn == palette.index((215, 95, 0), 1)
    assert plus[60:80, 50:60].sum() == plus.sum() == 13
    assert plus[69, 51:58].all()
    assert plus[66:73, 54].all()
    palette = [(0, 0, 0)]
    marks(layer, (20, 10), palette, True)
    assert set(palette[1:]) == {(0, 0, 0), (255, 255, 255)}


def test_the_picture_has_its_own_pixels_and_every_maximum(tmp_path: Path) -> None:
    layer, _ = layer_of(tmp_path, 1)
    top, bottom, left, right = layer.placed.box
    part = layer.image[top:bottom, left:right]
    fine = greys(layer, (16, 8))
    assert fine.shape == part.shape  # not more than there is
    assert (fine == np.rint(23 - 23 * np.clip(part / 10.0, 0, 1))).mean() > 0.99
    coarse = greys(layer, (1, 1))
    assert coarse.shape[0] == layer.placed.cells[0] < fine.shape[0]
    assert coarse.min() == fine.min()


def test_a_toggle_sends_the_marks_alone_and_dialogs_take_pictures_away(tmp_path: Path) -> None:
    copied_case(tmp_path)
    with review(tmp_path, "--image", "kitty", size=(160, 50)) as terminal:
        enter(terminal)
        kitty = Kitty()
        assert kitty.take(terminal.out) >= 2
        for views in (2, 4):  # the side alone, then both
            terminal.type("b")
            kitty.take(terminal.read(1.0))
            assert len(kitty.images) == views
        first = sorted(kitty.images)
        assert len(first) == 4  # two views, each a picture and what is marked in it
        for base, over in (first[:2], first[2:]):
            below, above = kitty.images[base][0], kitty.images[over][0]
            assert (below["c"], below["r"]) == (above["c"], above["r"])
            assert int(below["z"]) < int(above["z"])
            assert picture(kitty, base).convert("L").getextrema()[0] < 60  # a hot lesion is dark
            seen = np.asarray(picture(kitty, over).convert("RGBA"))
            assert ((seen == (0, 175, 135, 255)).all(axis=2)).sum() > 8  # the chosen one's frame
        terminal.type("x")
        sent = terminal.wait(lambda: len(actions(tmp_path)) == 2) + terminal.read(0.6)
        numbers = [keys.split(b"i=")[1].split(b",")[0] for keys, _ in KITTY.findall(sent)]
        assert {int(n) for n in numbers} == set(first[1::2])
        assert len(sent) < 4096
        kitty.take(sent)
        terminal.type("?")
        kitty.take(terminal.wait(lambda: b"Click a lesion" in terminal.out[-20000:]))
        kitty.take(terminal.read(0.5))
        assert not kitty.images
        terminal.type("q")
        kitty.take(terminal.read(1.0))
        assert len(kitty.images) == 4
        terminal.type("b")
        end = time.monotonic() + 30
        while len(kitty.images) != 2:  # the front alone again
            assert time.monotonic() < end, sorted(kitty.images)
            kitty.take(terminal.read(0.3))
        terminal.type("\x11")  # ctrl+q: the end, from within a case
        terminal.wait(terminal.gone)
        kitty.take(terminal.read(0.3))
        assert not QUESTION.search(b"".join(KITTY.split(terminal.out)))
    everything = Kitty()
    everything.take(terminal.out)
    assert not everything.images


def sixels(raw: bytes) -> list[tuple[int, int, Rgb]]:
    return [
        (int(line), int(column), unsixel(body, int(wide), int(high)))
        for line, column, wide, high, body in SIXEL.findall(raw)
    ]


def test_sixels_show_the_case_and_come_again_after_a_dialog(tmp_path: Path) -> None:
    copied_case(tmp_path)
    with review(tmp_path, "--image", "sixel") as terminal:
        enter(terminal)
        _, _, front = sixels(terminal.out)[-1]
        assert front.shape[0] % 20 == 0  # cells of a VT340 where the pty tells no pixels
        assert front.shape[1] % 10 == 0
        assert (np.abs(front.astype(int) - (0, 175, 135)).max(axis=2) <= 2).sum() > 8
        assert front.min() < 60
        terminal.type("j")
        terminal.read(0.8)
        terminal.type("?")
        terminal.wait(lambda: b"Click a lesion" in terminal.out[-20000:])
        assert not SIXEL.search(terminal.read(0.5))
        terminal.type("q")
        again = sixels(terminal.read(1.2))
        assert len(again) >= 1
        terminal.type("q")
        assert not SIXEL.search(terminal.read(1.0))
        terminal.type("q")
        terminal.wait(terminal.gone)


def laid(parts: list[tuple[int, int, Rgb]], onto: Rgb, cell: tuple[int, int]) -> Rgb:
    """A screen's pixels after some sixels more."""
    out = onto.copy()
    for line, column, part in parts:
        y, x = (line - 1) * cell[0], (column - 1) * cell[1]
        out[y : y + part.shape[0], x : x + part.shape[1]] = part
    return out


def test_where_a_cells_pixels_are_told_what_changed_alone_is_sent(tmp_path: Path) -> None:
    copied_case(tmp_path)
    cell, empty = (20, 10), np.zeros((50 * 20, 100 * 10, 3), np.uint8)
    with review(tmp_path, "--image", "sixel", cell=cell, TMTV_ADVANCE="false") as terminal:
        enter(terminal)
        first = laid(sixels(terminal.out), empty, cell)
        terminal.type("x")
        sent = terminal.wait(lambda: len(actions(tmp_path)) == 2) + terminal.read(0.8)
        whole, part = len(terminal.out), len(sent)
        assert part < 4096 < whole
        rejected = laid(sixels(sent), first, cell)
        terminal.type("j")
        rejected = laid(sixels(terminal.read(0.8)), rejected, cell)
        terminal.type("k")
        moved = laid(sixels(terminal.read(0.8)), rejected, cell)
        terminal.type("\x0c")  # all anew
        again = laid(sixels(terminal.read(1.5)), empty, cell)
        assert np.array_equal(again, moved)
        terminal.type("u")
        back = laid(sixels(terminal.read(1.5)), again, cell)
        assert np.array_equal(back, first)


def test_pixels_are_refused_where_they_do_not_come_through(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    for name in ("TMUX", "STY", "TERM_PROGRAM", "TERM_PROGRAM_VERSION"):
        monkeypatch.delenv(name, raising=False)
    there = {"TMUX": "/tmp/tmux-0/default,1,0", "STY": "7.pts-0.host", "TERM": "tmux-256color"}
    for name, value in there.items():
        monkeypatch.setenv(name, value)
        for image in ("kitty", "sixel"):
            with pytest.raises(UsageError, match=f"--image {image}: ") as caught:
                command.review(tmp_path, None, False, False, None, None, None, image)
            assert "--image half" in str(caught.value.remedy)
        monkeypatch.delenv(name)


@pytest.mark.parametrize(
    ("version", "comes"),
    [("3.3a", False), ("3.4", True), ("3.5a", True), ("4.0", True), ("next", False), ("", False)],
)
def test_tmux_is_sent_sixel_where_it_draws_it(version: str, comes: bool) -> None:
    env = {"TMUX": "/tmp/tmux-0/default,1,0", "TERM": "tmux-256color", "TERM_PROGRAM": "tmux"}
    env["TERM_PROGRAM_VERSION"] = version
    assert (stopped("sixel", env) is None) is comes
    assert stopped("sixel", env | {"STY": "7.pts-0.host"}) is not None


@pytest.mark.parametrize(
    ("answer", "words"),
    [("on", ""), ("all", ""), ("", ""), ("off", "allow-passthrough on"), (None, "--image half")],
)
def test_tmux_is_asked_whether_it_passes_kittys_commands_on(answer: str | None, words: str) -> None:
    env = {"TMUX": "/tmp/tmux-0/default,1,0", "TERM": "tmux-256color"}
    found = stopped("kitty", env, lambda: answer)
    assert (found is None) is (not words)
    assert found is None or words in found[1]
    assert stopped("kitty", {"TERM": "xterm-kitty"}, lambda: None) is None
    before = stopped("kitty", {"TERM": "tmux-256color"}, lambda: "on")
    assert before is not None  # a tmux before an ssh
    assert "cannot be asked" in before[0]


@pytest.mark.parametrize(
    ("told", "comes"),
    [
        ("kitty(0.26.5)", False),
        ("kitty(0.27.1)", False),
        ("kitty(0.28.0)", True),
        ("kitty(0.35.2)", True),
        ("kitty(1.0.0)", True),
        ("WezTerm 20240203", True),
        ("", True),
        (None, True),
    ],
)
def test_a_kitty_that_knows_no_placeholders_is_refused_in_tmux(
    told: str | None, comes: bool
) -> None:
    env = {"TMUX": "/tmp/tmux-0/default,1,0", "TERM": "tmux-256color"}
    found = stopped("kitty", env, lambda: "on", lambda: told)
    assert (found is None) is comes
    assert found is None or (told and told in found[0] and "0.28" in found[1])
    assert stopped("kitty", {"TERM": "xterm-kitty"}, None, lambda: told) is None


class View:
    """A widget that shows one layer, or nothing."""

    def __init__(self, layer: Layer | None) -> None:
        self.now = layer

    def picture(self) -> Layer | None:
        return self.now


def test_a_sixel_comes_again_only_where_text_was_written_over_it(tmp_path: Path) -> None:
    layer, _ = layer_of(tmp_path, 1)
    view, painter = View(layer), Sixels()
    lines, columns = layer.placed.cells
    assert "\x1bP" in painter.follow([view], [])[0]
    beside = [(0, 0, 200), (2, 3 + columns, 99), (2 + lines, 0, 99), (5, 0, 3)]
    assert painter.follow([view], beside) == ("", False)
    assert "\x1bP" in painter.follow([view], [(2 + lines - 1, 3 + columns - 1, 99)])[0]
    assert painter.follow(None, [(5, 4, 9)]) == ("", False)  # a dialog over it: not now
    assert "\x1bP" in painter.follow([view], [])[0]
    assert painter.follow([], []) == ("", True)  # gone: the text must be written over it
    assert painter.follow([], None) == ("", False)
