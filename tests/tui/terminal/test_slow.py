"""A line that takes bytes slower than a reader types: old frames are dropped, the last is drawn."""

from __future__ import annotations

import io
import os
import re
import time
from pathlib import Path

import numpy as np
import pytest

from tests.support.cases import make_case
from tests.support.emulator import Emulator
from tests.support.outer import Kitty, Outer
from tests.support.terminal import review
from tests.support.tmux import THERE
from tests.tui.terminal.test_pixels import sixels
from tests.tui.terminal.test_terminal import actions, enter
from tmtv_tui.terminal.line import MOST, Line, Metered
from tmtv_tui.terminal.meter import Meter

KEYS, EVERY_S = 40, 0.05


def unread(handle: int, keys: str) -> None:
    """Type at a terminal that takes nothing meanwhile."""
    for key in keys:
        os.write(handle, key.encode())
        time.sleep(EVERY_S)
    time.sleep(0.5)


def words(screen: Emulator) -> list[str]:
    """What can be read, without blocks, which are drawn in more than one way."""
    return re.sub(r"[^ -~\n]", " ", screen.text(200, 60)).split()


def test_a_line_is_behind_until_its_file_was_flushed_and_tells_so_once() -> None:
    line = Line()
    told: list[bool] = []
    file = Metered(io.StringIO(), line)
    line.send(MOST)
    assert not line.behind
    line.send(1)
    assert line.behind
    line.drained = lambda: told.append(line.behind)
    file.write("x" * (MOST + 1))
    assert line.behind
    file.flush()
    file.flush()
    assert not line.behind
    assert told == [False]
    assert (line.sent, line.left) == (MOST + 1, MOST + 1)


def test_without_a_client_nothing_waits_for_tmux() -> None:
    line = Line()
    Meter(line, lambda: "").start()
    line.send(100_000)
    end = time.monotonic() + 30
    while line.behind:
        assert time.monotonic() < end
        time.sleep(0.01)


def test_pictures_that_a_slow_line_would_bring_late_are_dropped(tmp_path: Path) -> None:
    make_case(tmp_path)
    with review(tmp_path, "--image", "sixel") as terminal:
        enter(terminal)
        terminal.read(1.0)
        one = len(sixels(terminal.out))
        assert one >= 1
        unread(terminal.handle, "r" * KEYS)
        came = sixels(terminal.read(1.5, 30.0))
        assert 1 <= len(came) <= 6  # what lay in the pty, one on its way, the last
        terminal.type("\x0c")  # all anew
        again = sixels(terminal.read(1.5, 30.0))
        assert np.array_equal(came[-1][2], again[-1][2])


def test_every_decision_counts_while_frames_are_dropped(tmp_path: Path) -> None:
    make_case(tmp_path)
    with review(tmp_path, TMTV_ADVANCE="false", size=(200, 60)) as terminal:
        enter(terminal)
        terminal.read(1.0)
        unread(terminal.handle, "xrar" * (KEYS // 4))
        before = len(terminal.out)
        terminal.wait(lambda: len(actions(tmp_path)) == 1 + KEYS // 2)
        terminal.read(1.5, 30.0)
        assert actions(tmp_path) == ["open", *["reject", "accept"] * (KEYS // 4)]
        assert len(terminal.out) - before < 60_000
        shown = words(terminal.screen)
        terminal.screen = Emulator()
        terminal.type("\x0c")
        terminal.read(1.5, 30.0)
        assert words(terminal.screen) == shown


@pytest.mark.skipif(not THERE, reason="there is no tmux")
def test_pictures_do_not_queue_up_in_a_tmux_before_a_slow_line(tmp_path: Path) -> None:
    out = tmp_path / "cases"
    make_case(out)
    settings = ["set -wg allow-passthrough on"]
    tmux = Outer(out, tmp_path / "socket", "--image", "kitty", settings=settings)
    try:
        tmux.enter("TMTV")
        tmux.read(2.0)
        first = Kitty().take(tmux.out)
        assert first >= 1
        unread(tmux.handle, "r" * KEYS)
        assert Kitty().take(tmux.read(2.0)) <= 8 * first
    finally:
        tmux.end()
