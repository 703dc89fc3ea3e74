"""The app on a real pty: late replies decide nothing, a toggle is small, every TERM works."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.support.cases import copied_case
from tests.support.terminal import Terminal, review
from tests.support.tmux import THERE, Tmux
from tests.tui.terminal.test_replies import REPLIES
from tmtv_engine.review.journal import Journal
from tmtv_engine.review.verify import verify

GREYS = (16, 59, 102, 145, 188, 231)
INDEXED = re.compile(rb"[34]8;5;(\d+)")
COLOUR = re.compile(rb"\x1b\[[\d;]*m")


def actions(out: Path) -> list[str]:
    return [line.action for line in Journal(out / "case-1/review/AB.jsonl").read()]


def wait_until(holds: Callable[[], object], limit_s: float = 60.0) -> None:
    """Poll, for what another process does takes its time on a busy machine."""
    end = time.monotonic() + limit_s
    while not holds():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.05)


def enter(terminal: Terminal) -> None:
    """Open the first case."""
    terminal.until("case-1")
    terminal.read()
    terminal.type("\r")
    terminal.until("TLG g")
    terminal.read(0.6)


def test_late_replies_decide_nothing_on_a_real_pty(tmp_path: Path) -> None:
    copied_case(tmp_path)
    raw = [r.encode("utf-8", "surrogateescape") for r in REPLIES.values()]
    with review(tmp_path) as terminal:
        enter(terminal)
        for reply in raw:  # unsplit, one after the other
            terminal.type(reply)
        terminal.read()
        for reply in raw[:12:3]:  # ESC first, the rest late
            terminal.type(reply[:1])
            time.sleep(0.2)
            terminal.type(reply[1:3])
            time.sleep(0.2)
            terminal.type(reply[3:])
        terminal.read()
        assert actions(tmp_path) == ["open"]
        terminal.type("x")
        terminal.wait(lambda: actions(tmp_path) == ["open", "reject"])
        terminal.type("q")
        terminal.wait(lambda: actions(tmp_path)[-1] == "close")
        terminal.type("q")
        terminal.wait(terminal.gone)
    assert actions(tmp_path) == ["open", "reject", "close"]


@pytest.mark.parametrize("colour", ["", "truecolor"])
@pytest.mark.parametrize(("advance", "budget"), [("false", 2048), ("true", 2048)])
def test_a_toggle_is_small(tmp_path: Path, colour: str, advance: str, budget: int) -> None:
    copied_case(tmp_path)
    settings = tmp_path / ".config" / "tmtv" / "config.toml"
    settings.parent.mkdir(parents=True)
    settings.write_text(f"advance = {advance}\n")
    with review(tmp_path, COLORTERM=colour) as terminal:
        enter(terminal)
        terminal.read(1.0)
        sizes = []
        for key, count in (("x", 2), ("a", 3), ("k", 3), ("x", 4), ("a", 5)):
            terminal.type(key)
            done = terminal.wait(lambda n=count: len(actions(tmp_path)) == n)  # type: ignore[misc]
            sizes.append(len(done + terminal.read(0.5)))
        assert max(sizes) <= budget, sizes
    assert actions(tmp_path)[1:] == ["reject", "accept", "reject", "accept"]


@pytest.mark.parametrize(
    ("term", "env", "colours"),
    [
        ("xterm-256color", {}, True),
        ("xterm", {}, True),
        ("screen", {}, True),
        ("linux", {}, True),
        ("tmux-256color", {"COLORTERM": "truecolor"}, True),
        ("xterm-256color", {"NO_COLOR": "1"}, False),
    ],
)
def test_every_term(tmp_path: Path, term: str, env: dict[str, Any], colours: bool) -> None:
    copied_case(tmp_path)
    with review(tmp_path, size=(80, 24), TERM=term, **env) as terminal:
        enter(terminal)
        indexed = [int(n) for n in INDEXED.findall(terminal.out)]
        hued = [n for n in indexed if n < 232 and n not in GREYS]
        assert colours or (indexed and not hued)
        assert b"\x1b[7m" in terminal.out or any(b"7" in c for c in COLOUR.findall(terminal.out))
        terminal.type("x")
        terminal.wait(lambda: actions(tmp_path) == ["open", "reject"])
        terminal.size(100, 30)
        terminal.read()
        assert terminal.process.poll() is None


@pytest.mark.skipif(not THERE, reason="tmux is not installed")
def test_end_to_end_in_tmux(tmp_path: Path) -> None:
    copied_case(tmp_path)
    tmux = Tmux(tmp_path, tmp_path / "socket", "--reader", "AB", size=(100, 40))
    try:
        tmux.enter("TLG g")
        tmux("send-keys", "x", "4")
        tmux("send-keys", "k")
        tmux.until("#1: bladder")
        tmux("resize-window", "-x", "80", "-y", "24")
        assert len(tmux.until("x rejected").splitlines()) <= 24
        tmux("send-keys", "n", "a", "S")
        assert "Every lesion" not in tmux.until("Sign case-1 as AB?")  # the candidate is left
        tmux("send-keys", "Enter")
        tmux.until("SIGNED")
        tmux("send-keys", "q")
        tmux.until("1 done")
        tmux("send-keys", "q")
        wait_until(lambda: "close" in actions(tmp_path))
    finally:
        tmux.end()
    assert actions(tmp_path) == ["open", "reject", "reject", "accept", "sign", "close"]
    assert not [f for f in verify(tmp_path / "case-1") if f.failed]
