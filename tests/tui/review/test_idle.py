"""What the app does while nobody does anything: it looks, rarely, and sleeps."""

from __future__ import annotations

import os
import signal
import sys
import time
from pathlib import Path

import pytest

from tests.support.terminal import Terminal, review
from tmtv_tui.review.polling import Watched, interval

IDLE_S = 4.0


def folder(out: Path, *names: str) -> None:
    for name in names:
        (out / name).mkdir(parents=True)
        (out / name / "case.json").write_text("{}")


def take(watched: Watched) -> tuple[list[str], list[str]]:
    """Names of what is new or changed and of what is gone, taken note of."""
    changed, gone = watched.look()
    watched.seen.update(changed)
    for path in gone:
        del watched.seen[path]
    return [Path(path).name for path, _ in changed], [Path(path).name for path in gone]


def test_each_change_is_told_once(tmp_path: Path) -> None:
    watched = Watched(tmp_path)
    assert take(watched) == ([], [])
    folder(tmp_path, "b", "a", ".aside")
    (tmp_path / "no-case").mkdir()
    assert take(watched) == (["a", "b"], [])
    assert take(watched) == ([], [])
    (tmp_path / "a" / "case.json").write_text('{"of": "another length"}')
    assert take(watched) == (["a"], [])
    (tmp_path / "b" / "review").mkdir()
    (tmp_path / "b" / "review" / "AB.jsonl").write_text("one\n")
    assert take(watched) == (["b"], [])
    with (tmp_path / "b" / "review" / "AB.jsonl").open("a") as journal:
        journal.write("two\n")
    assert take(watched) == (["b"], [])
    (tmp_path / "a" / "case.json").unlink()
    assert take(watched) == ([], ["a"])
    assert take(watched) == ([], [])


def test_a_look_is_never_rarer_than_it_has_to_be() -> None:
    assert interval(0.0) == 3.0
    assert interval(0.015) == 3.0
    assert interval(0.1) == pytest.approx(20.0)  # half a hundredth of a core


def wakes(terminal: Terminal) -> int:
    """How often any of the app's threads has gone to sleep."""
    count = 0
    for task in Path(f"/proc/{terminal.process.pid}/task").iterdir():
        lines = (task / "status").read_text().splitlines()
        count += sum(int(line.split()[1]) for line in lines if line.startswith("voluntary"))
    return count


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux counts a thread's sleeps in /proc")
def test_nothing_wakes_the_app_but_its_look_and_keys_are_heard_all_the_same(tmp_path: Path) -> None:
    folder(tmp_path, "a")
    with review(tmp_path) as terminal:
        terminal.until("broken")
        terminal.read(1.0)
        before = wakes(terminal)
        time.sleep(IDLE_S)
        assert wakes(terminal) - before < IDLE_S * 10  # a tick of 50 ms alone would be 20 a second
        folder(tmp_path, "new-one")
        start = time.monotonic()
        terminal.until("new-one")
        assert time.monotonic() - start < 3.0 + 2.0  # a look's interval, and a busy machine
        start = time.monotonic()
        terminal.type("q")
        terminal.wait(terminal.gone)
        assert time.monotonic() - start < 5.0
        assert terminal.process.returncode == 0


@pytest.mark.skipif(not hasattr(os, "openpty"), reason="needs a pty")
def test_an_escape_by_itself_is_still_told_by_time(tmp_path: Path) -> None:
    folder(tmp_path, "a")
    with review(tmp_path) as terminal:
        terminal.until("broken")
        terminal.read(0.5)
        terminal.type("?")
        terminal.wait(lambda: "Worklist" in terminal.screen.text(100, 50))
        terminal.type("\x1b")
        terminal.wait(lambda: "Worklist" not in terminal.screen.text(100, 50))


def test_an_app_whose_terminal_is_gone_ends(tmp_path: Path) -> None:
    """Nobody sends it a hang-up here, as this is not its controlling terminal; it read nothing, for
    ever, at a core's whole cost."""
    folder(tmp_path, "a")
    with review(tmp_path) as terminal:
        terminal.until("reader AB")
        nothing = os.open(os.devnull, os.O_RDWR)
        os.dup2(nothing, terminal.handle)  # closes our end
        os.close(nothing)
        assert terminal.process.wait(20) == -signal.SIGTERM
