"""Pictures in pixels through a real tmux: what its terminal gets is what the app draws."""

from __future__ import annotations

import io
import re
import subprocess
from base64 import standard_b64decode
from collections.abc import Mapping
from pathlib import Path
from unicodedata import combining, decomposition

import numpy as np
import pytest
from PIL import Image

from tests.support.cases import copied_case
from tests.support.drive import opened, running
from tests.support.emulator import Emulator
from tests.support.outer import PROGRAM, Kitty, Outer
from tests.support.sixel import Rgb, unsixel
from tests.support.tmux import THERE
from tmtv_tui.config import Config
from tmtv_tui.terminal.kitty import PLACEHOLDER, accents
from tmtv_tui.terminal.mux import stopped
from tmtv_tui.terminal.pixels import GREY, Colour, Index, merged
from tmtv_tui.widgets.mip import MipView

CELL = (20, 9)
SIXEL = re.compile(rb'\x1bP[\d;]*q"1;1;(\d+);(\d+)(.*?)\x1b\\', re.DOTALL)
needs_tmux = pytest.mark.skipif(not THERE, reason="there is no tmux")


async def expected(out: Path, image: str, dots: tuple[int, int]) -> Rgb:
    """The front picture (y, x, rgb) as the app draws it without a terminal."""
    async with running(out, (100, 50), read_only=True, config=Config(image=image)) as (app, pilot):
        layer = (await opened(app, pilot)).query_one("#front", MipView).picture()
        assert layer is not None
        palette: list[Colour] = [(0, 0, 0)]
        return rgb(merged(layer, dots, palette, False), [*GREY, *palette[1:]])


def rgb(image: Index, palette: list[Colour]) -> Rgb:
    return np.array(palette, np.uint8)[image]


def told_by(cell: tuple[str, str]) -> tuple[int, int, int]:
    """Image, row and column of one placeholder."""
    text, pen = cell
    colour = re.findall(r"38;5;(\d+)", pen)[-1]
    row, column, high = (accents().index(sign) for sign in text[1:])
    return high << 24 | int(colour), row, column


def shown(screen: Emulator, images: Mapping[int, Image.Image]) -> Rgb:
    """What the placeholders of a screen show, cell by cell (y, x, rgb)."""
    cells = {at: told_by(c) for at, c in screen.cells.items() if c[0].startswith(PLACEHOLDER)}
    top, left = (min(at[k] for at in cells) for k in (0, 1))
    lines, columns = (max(at[k] for at in cells) + 1 - low for k, low in ((0, top), (1, left)))
    assert len(cells) == lines * columns, "a hole in the picture"
    out = np.zeros((lines * CELL[0], columns * CELL[1], 3), np.uint8)
    for (line, column), (number, row, at) in cells.items():
        part = np.asarray(images[number].convert("RGB"))
        y, x = (line - top) * CELL[0], (column - left) * CELL[1]
        piece = part[row * CELL[0] : (row + 1) * CELL[0], at * CELL[1] : (at + 1) * CELL[1]]
        out[y : y + CELL[0], x : x + CELL[1]] = piece
    return out


@needs_tmux
async def test_kittys_pictures_are_placeholders_in_tmux(tmp_path: Path) -> None:
    out = tmp_path / "cases"
    copied_case(out)
    tmux = Outer(
        out, tmp_path / "socket", "--image", "kitty", settings=["set -wg allow-passthrough on"]
    )
    try:
        kitty = Kitty()

        def looked() -> Rgb:
            """All that arrived is what the placeholders on the screen ask for, to the cell."""
            screen = tmux.seen()
            nonlocal kitty
            kitty = Kitty()
            kitty.take(tmux.out)
            images = {
                n: Image.open(io.BytesIO(standard_b64decode(data)))
                for n, (_, data) in kitty.images.items()
            }
            for n, (told, _) in kitty.images.items():
                assert told["U"] == "1"
                assert images[n].size == (int(told["c"]) * CELL[1], int(told["r"]) * CELL[0])
            return shown(screen, images)

        tmux.enter(PLACEHOLDER)
        assert np.array_equal(looked(), await expected(out, "kitty", CELL))
        first = set(kitty.images)
        tmux.read()
        before = len(tmux.out)
        tmux.press("x")
        tmux.until("rejected!")
        tmux.press("j")
        rejected = looked()
        again = Kitty()
        assert 0 < again.take(tmux.out[before:]) < len(first)  # what changed alone
        assert set(kitty.images) == first
        assert not np.array_equal(rejected, await expected(out, "kitty", CELL))
        tmux.press("?")
        tmux.until("Click a lesion")
        tmux.press("q")
        tmux.until(PLACEHOLDER)
        assert np.array_equal(looked(), rejected)
        assert len(kitty.images) == len(first)  # none is left behind
        tmux.press("q")
        tmux.until("1 case")
        assert not any(c.startswith(PLACEHOLDER) for c, _ in tmux.seen().cells.values())
        left = Kitty()
        left.take(tmux.out)
        assert not left.images
        tmux.press("Enter")
        tmux.until(PLACEHOLDER)
        tmux.read()
        tmux.press("C-q")
        tmux.until(lambda text: PLACEHOLDER not in text and "case-1" not in text)
        tmux.read()
        left = Kitty()
        left.take(tmux.out)
        assert not left.images
    finally:
        tmux.end()


@needs_tmux
async def test_tmux_draws_the_sixels_that_it_is_sent(tmp_path: Path) -> None:
    out = tmp_path / "cases"
    copied_case(out)
    if stopped("sixel", {"TMUX": "1", "TERM_PROGRAM": "tmux", "TERM_PROGRAM_VERSION": version()}):
        pytest.skip(f"tmux {version()} draws no sixel; TMTV_TMUX names another")
    settings = ["set -g terminal-features xterm*:256:sixel"]
    tmux = Outer(out, tmp_path / "socket", "--image", "sixel", settings=settings)
    try:
        tmux.enter("SUVpeak")
        tmux.read(1.0)
        if not SIXEL.search(tmux.out):
            pytest.skip("this tmux was built without sixel")
        assert close(last(tmux.out), await expected(out, "sixel", CELL))
        for key, word in (("x", "rejected!"), ("u", "accepted")):
            tmux.press(key)
            tmux.until(word)
            tmux.read(1.0)
        assert close(last(tmux.out), await expected(out, "sixel", CELL))
        tmux("refresh-client")
        assert close(last(tmux.read()), await expected(out, "sixel", CELL))
    finally:
        tmux.end()


def version() -> str:
    told = subprocess.run([PROGRAM, "-V"], capture_output=True, text=True, check=True).stdout
    return told.split()[-1]


def last(raw: bytes) -> Rgb:
    wide, high, body = SIXEL.findall(raw)[-1]
    return unsixel(body, int(wide), int(high))


def close(one: Rgb, two: Rgb) -> bool:
    """The same pixels; colours in per cent, twice rounded."""
    return one.shape == two.shape and int(np.abs(one.astype(int) - two).max()) <= 3


@needs_tmux
def test_what_tmux_does_not_pass_on_is_said_with_the_way_out(tmp_path: Path) -> None:
    out = tmp_path / "cases"
    copied_case(out)
    for settings, words in (
        ([], ("tmux passes nothing on", "tmux set -p allow-passthrough on")),
        (["set -wg allow-passthrough on"], ("case-1",)),
    ):
        tmux = Outer(
            out, tmp_path / f"socket{len(settings)}", "--image", "kitty", settings=settings
        )
        try:
            found = tmux.until(words[0])
            assert all(word in found.replace("\n", " ") for word in words)
            if not settings:  # what it says to do is what helps
                tmux("set", "-p", "allow-passthrough", "on")
                tmux(
                    "respawn-pane", "-k", f"{PROGRAM} show-options -Apqv allow-passthrough; sleep 9"
                )
                tmux.until("on")
        finally:
            tmux.end()


def test_the_accents_are_kittys() -> None:
    signs = accents()
    assert len(signs) == 268
    assert [ord(signs[k]) for k in (0, 1, 30, 100, 255, 267)] == [
        0x305, 0x30D, 0x483, 0x7EB, 0xA8E5, 0xA8F1,
    ]  # fmt: skip
    assert all(combining(sign) == 230 and not decomposition(sign) for sign in signs)
    assert sorted(signs) == list(signs)
