"""Client, scheduler or worker killed at any moment of a batch: the same command ends it, whole."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.batch.test_cluster import ENVIRONMENT, ROOT, RUN, bytes_of, studies_in
from tests.support.orthanc import free_port
from tmtv_engine.files import PART
from tmtv_tui.cli.app import main

pytest.importorskip("distributed")
CASES, WORKERS = 6, 2
PARTS = ("client", "scheduler", "worker")
HANGS_S = 300.0


def begun(*words: str) -> subprocess.Popen[bytes]:
    quiet = subprocess.DEVNULL
    return subprocess.Popen(
        [sys.executable, *words], stdout=quiet, stderr=quiet, cwd=ROOT, env=ENVIRONMENT
    )


@dataclass
class Parts:
    """A scheduler at one address and its workers; who is gone is started again."""

    folder: Path
    port: int = field(default_factory=free_port)
    scheduler: subprocess.Popen[bytes] | None = None
    workers: list[subprocess.Popen[bytes] | None] = field(default_factory=lambda: [None] * WORKERS)

    @property
    def address(self) -> str:
        return f"tcp://127.0.0.1:{self.port}"

    def mend(self) -> None:
        """Start what does not run (a worker ends by itself when its scheduler is gone)."""
        if self.scheduler is None or self.scheduler.poll() is not None:
            self.scheduler = begun(
                "-m", "distributed.cli.dask_scheduler", "--host", "127.0.0.1",
                "--port", str(self.port), "--no-dashboard",
            )  # fmt: skip
        for k, worker in enumerate(self.workers):
            if worker is None or worker.poll() is not None:
                self.workers[k] = begun(
                    "-m", "distributed.cli.dask_worker", self.address, "--nthreads", "1",
                    "--no-nanny", "--no-dashboard", "--local-directory", str(self.folder),
                )  # fmt: skip

    def kill(self, part: str, client: subprocess.Popen[bytes], chance: random.Random) -> None:
        """SIGKILL to one of them."""
        victim = client if part == "client" else self.scheduler
        if part == "worker":
            victim = chance.choice(self.workers)
        if victim is not None:
            victim.send_signal(signal.SIGKILL)
            victim.wait(60)

    def end(self) -> None:
        for child in (self.scheduler, *self.workers):
            if child is not None:
                child.kill()
                child.wait(60)


@contextmanager
def parts_in(folder: Path) -> Iterator[Parts]:
    parts = Parts(folder)
    try:
        parts.mend()
        yield parts
    finally:
        parts.end()


def ended(client: subprocess.Popen[bytes], parts: Parts) -> int:
    """The exit status; workers end some time after their scheduler, and are started again."""
    until = time.monotonic() + HANGS_S
    while (status := client.poll()) is None:
        assert time.monotonic() < until, "the client hangs"
        parts.mend()
        time.sleep(0.5)
    return status


@pytest.mark.long
def test_a_batch_whose_parts_are_killed_is_the_batch_of_one_process(
    tmp_path: Path, count: Callable[[int, str], int]
) -> None:
    source = studies_in(tmp_path / "in", CASES)
    asked = ["predict", str(source), "--model", "hotspot", "-q"]
    assert main([*asked, "-o", str(tmp_path / "one")]) == 0
    wanted = bytes_of(tmp_path / "one")
    kills, chance, killed, rounds = count(100, "parts of a batch killed"), random.Random(9), 0, 0
    with parts_in(tmp_path / "scratch") as parts:
        span_s = 10.0
        while killed < kills or rounds == 0:
            out = tmp_path / f"out{rounds}"
            status = None
            while status != 0:  # the same command until nothing is left to do
                parts.mend()
                start = time.monotonic()
                client = begun("-c", RUN, *asked, "-o", str(out), "--scheduler", parts.address)
                if killed < kills:
                    try:
                        client.wait(chance.random() * span_s)
                    except subprocess.TimeoutExpired:
                        parts.kill(PARTS[killed % len(PARTS)], client, chance)
                        killed += 1
                status = ended(client, parts)
                if status == 0:
                    span_s = max(2.0, 0.9 * (time.monotonic() - start))
                assert status in (0, 1, -signal.SIGKILL)
            assert bytes_of(out) == wanted
            assert not [p for p in out.rglob(f".*{PART}")]
            assert not os.path.lexists(out / "failures.csv")
            rounds += 1
