"""A scheduler without a worker: said in one line, waited for, and left by Ctrl-C."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.batch.test_cluster import ENVIRONMENT, ROOT, RUN, process, studies_in, waited

pytest.importorskip("distributed")
pytestmark = pytest.mark.slow
SCHEDULER = ("--host", "127.0.0.1", "--port", "0", "--no-dashboard")
WORKER = ("--nthreads", "1", "--no-nanny", "--no-dashboard")


@contextmanager
def client_without_workers(folder: Path) -> Iterator[tuple[str, subprocess.Popen[str]]]:
    """The scheduler's address, and a quiet `predict` of one study there."""
    studies_in(folder / "in", 1)
    where = folder / "scheduler.json"
    words = ["predict", str(folder / "in"), "-o", str(folder / "out"), "--model", "hotspot", "-q"]
    with process("distributed.cli.dask_scheduler", "--scheduler-file", str(where), *SCHEDULER):
        waited(where)
        address = json.loads(where.read_text())["address"]
        with (folder / "err.txt").open("w") as err:
            client = subprocess.Popen(
                [sys.executable, "-c", RUN, *words, "--scheduler", address],
                stdout=subprocess.PIPE, stderr=err, text=True, cwd=ROOT, env=ENVIRONMENT,
                preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # a job's: ignored
            )  # fmt: skip
        try:
            yield address, client
        finally:
            client.kill()
            client.communicate()


def test_it_is_said_once_and_ctrl_c_ends_it(tmp_path: Path) -> None:
    with client_without_workers(tmp_path) as (address, client):
        waited(tmp_path / "err.txt")
        time.sleep(5.0)  # two looks more
        assert client.poll() is None
        (said,) = (tmp_path / "err.txt").read_text().splitlines()
        assert said.startswith(f"the scheduler at {address} has no worker: ")
        client.send_signal(signal.SIGINT)
        assert client.wait(30) == 130  # under 2 s on an idle machine
    err = (tmp_path / "err.txt").read_text()
    assert "stopped: 1 studies not done" in err
    assert "Traceback" not in err


def test_a_worker_that_comes_does_the_work(tmp_path: Path) -> None:
    with client_without_workers(tmp_path) as (address, client):
        assert "has no worker" in waited(tmp_path / "err.txt")
        scratch = str(tmp_path / "scratch")
        with process("distributed.cli.dask_worker", address, *WORKER, "--local-directory", scratch):
            assert client.wait(120) == 0
    assert len((tmp_path / "err.txt").read_text().splitlines()) == 1
    assert (tmp_path / "out" / "summary.csv").is_file()
