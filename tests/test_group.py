"""What a test started ends with it, so that no training goes on behind a run that was killed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.support.group import run

ROOT = Path(__file__).parents[1]
PARENT = """
import os, signal, sys
from tests.support.group import run
signal.signal(signal.SIGINT, signal.default_int_handler)  # a job in the background ignores it
run(sys.argv[1:], os.environ)
"""
CHILD = "sleep 600 & echo $! > told.new; mv told.new told; wait"


def _ends(pid: int) -> bool:
    for _ in range(100):
        try:
            state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        except OSError:
            return True
        if state == "Z":
            return True
        time.sleep(0.05)
    return False


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="reads /proc")
@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_grandchildren_end_with_whoever_is_killed(tmp_path: Path, how: int) -> None:
    told = tmp_path / "told"
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-c", PARENT, "sh", "-c", CHILD]
    with subprocess.Popen(command, cwd=tmp_path, env=environment, stderr=subprocess.DEVNULL) as one:
        while not told.exists():
            time.sleep(0.02)
        grandchild = int(told.read_text())
        assert Path(f"/proc/{grandchild}").exists()
        one.send_signal(how)
    assert _ends(grandchild)


def test_what_a_command_says_is_returned_and_what_fails_is_told() -> None:
    assert run(["sh", "-c", "cat; echo done"], os.environ) == "done\n"
    with pytest.raises(AssertionError, match="no such thing"):
        run(["sh", "-c", "echo no such thing >&2; exit 3"], os.environ)
