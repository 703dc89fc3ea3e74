"""Cases on Dask: the bytes of one machine, a worker lost in mid case, one that joins late."""

from __future__ import annotations

import hashlib
import json
import os
import pickle
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.support.cases import make_volume, snapshot
from tmtv_engine.batch.outcome import Answer, Outcome
from tmtv_engine.errors import InputError, MissingTag
from tmtv_engine.image.nifti import write_nifti
from tmtv_engine.model import finders
from tmtv_engine.model.registry import Told
from tmtv_engine.study.found import Study
from tmtv_tui.cli.app import main

pytest.importorskip("distributed")
ROOT = Path(__file__).resolve().parents[2]
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
RUN = "import sys\nfrom tmtv_tui.cli.app import main\nsys.exit(main())"
SLOW = """
import os, time
from pathlib import Path
from tmtv_engine.batch import one
real = one.__dict__.setdefault("first_run_case", one.run_case)  # Dask loads this twice
def slow(study, finder, config):
    with (Path(config.out).parent / "begun.txt").open("a") as file:
        file.write(f"{study.case} {os.getpid()}\\n")
    time.sleep(1.0)
    return real(study, finder, config)
one.run_case = slow
"""


def studies_in(folder: Path, count: int) -> Path:
    suv, _ = make_volume()
    for k in range(count):
        (folder / f"p{k}").mkdir(parents=True)
        scaled = suv.with_array(suv.array * (1 + k / 10))
        write_nifti(scaled, folder / f"p{k}" / "pet.nii.gz")
    return folder


def bytes_of(out: Path) -> dict[str, str]:
    """Every file of every case by its hash; of `case.json` all but when and how fast."""
    found = {}
    for name, data in snapshot(out).items():
        if name.startswith("runs/"):
            continue
        if name.endswith("/case.json"):
            record: dict[str, Any] = json.loads(data)
            record.pop("created")
            record["provenance"].pop("seconds")
            record["provenance"]["files_sha256"].pop("case.json")
            data = json.dumps(record).encode()
        found[name] = hashlib.sha256(data).hexdigest()
    return found


def test_an_answer_is_an_outcome_again(tmp_path: Path) -> None:
    study = Study("one", "nifti", (tmp_path / "pet.nii.gz",))
    for error in (InputError("pet: broken", "Send it again."), MissingTag("PatientWeight")):
        sent = pickle.loads(pickle.dumps(Answer.of(Outcome("one", "failed", None, error, study))))
        back = sent.outcome(tmp_path)
        assert back.state == "failed"
        assert back.error is not None
        assert (back.error.what, back.error.remedy) == (error.what, error.remedy)
        assert getattr(back.error, "keyword", "") == getattr(error, "keyword", "")
    gone = Answer(study, "done").outcome(tmp_path)  # a worker whose disk is another
    assert gone.state == "failed"


def test_a_finder_s_options_pickle() -> None:
    from functools import partial

    load = partial(finders.load, "hotspot", "cpu", Told(), rule="paper", min_ml=0.0, split=True)
    assert pickle.loads(pickle.dumps(load))().record == {"name": "hotspot"}


def test_no_scheduler_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    studies_in(tmp_path / "in", 1)
    asked = ["predict", str(tmp_path / "in"), "--model", "hotspot", "-o", str(tmp_path / "out")]
    assert main([*asked, "--scheduler", "nonsense://x"]) == 2
    assert "no scheduler answers" in capsys.readouterr().err


@pytest.mark.slow
def test_a_local_cluster_gives_the_bytes_of_one_process(tmp_path: Path) -> None:
    source = studies_in(tmp_path / "in", 3)
    (source / "bad").mkdir()
    (source / "bad" / "pet.nii.gz").write_bytes(b"no image")
    asked = ["predict", str(source), "--model", "hotspot"]
    told = {}
    for name, more in (("one", ["--jobs", "1"]), ("two", ["--scheduler", "local", "--jobs", "2"])):
        done = subprocess.run(
            [sys.executable, "-c", RUN, *asked, "-o", str(tmp_path / name), *more],
            capture_output=True, text=True, cwd=ROOT, env=ENVIRONMENT, timeout=240, check=False,
        )  # fmt: skip
        assert done.returncode == 1, done.stderr
        assert "Traceback" not in done.stderr
        told[name] = sorted(done.stdout.splitlines())
        assert "3 done, 1 failed, 0 already there" in done.stderr.splitlines()[-1]
    assert told["one"] == told["two"]
    assert bytes_of(tmp_path / "one") == bytes_of(tmp_path / "two")


@contextmanager
def process(*arguments: str) -> Iterator[subprocess.Popen[bytes]]:
    child = subprocess.Popen(
        [sys.executable, "-m", *arguments],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd=ROOT, env=ENVIRONMENT,
    )  # fmt: skip
    try:
        yield child
    finally:
        child.kill()
        child.wait()


def waited(what: Path, seconds: float = 90) -> str:
    until = time.monotonic() + seconds
    while not what.exists() or not what.read_text():
        assert time.monotonic() < until, f"{what} did not come"
        time.sleep(0.2)
    return what.read_text()


@pytest.mark.slow
def test_a_worker_is_killed_in_mid_case_and_one_joins_late(tmp_path: Path) -> None:
    source, where = studies_in(tmp_path / "in", 6), tmp_path / "scheduler.json"
    (tmp_path / "slow.py").write_text(SLOW)
    worker = [
        "distributed.cli.dask_worker", "--scheduler-file", str(where), "--nthreads", "1",
        "--no-nanny", "--no-dashboard", "--preload", str(tmp_path / "slow.py"),
        "--local-directory", str(tmp_path / "scratch"),
    ]  # fmt: skip
    asked = ["predict", str(source), "--model", "hotspot"]
    with ExitStack() as stack:
        stack.enter_context(
            process(
                "distributed.cli.dask_scheduler",
                "--scheduler-file",
                str(where),
                "--host",
                "127.0.0.1",
                "--port",
                "0",
                "--no-dashboard",
            )
        )
        waited(where)
        address = json.loads(where.read_text())["address"]
        for _ in range(2):
            stack.enter_context(process(*worker))
        client = subprocess.Popen(
            [sys.executable, "-c", RUN, *asked, "-o", str(tmp_path / "cluster"),
             "--scheduler", address],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=ROOT, env=ENVIRONMENT,
        )  # fmt: skip
        victim = int(waited(tmp_path / "begun.txt").split()[1])
        os.kill(victim, signal.SIGKILL)
        stack.enter_context(process(*worker))  # late, in its place
        _, err = client.communicate(timeout=240)
    assert client.returncode == 0, err
    assert "6 done, 0 failed, 0 already there, 0 left over" in err.splitlines()[-1]
    begun = [line.split() for line in (tmp_path / "begun.txt").read_text().splitlines()]
    lost = next(case for case, pid in begun if int(pid) == victim)
    assert [case for case, _ in begun].count(lost) == 2  # what was lost was done again
    assert len(begun) <= 7  # and nothing else
    assert len({pid for _, pid in begun}) == 3
    assert main([*asked, "-o", str(tmp_path / "one"), "-q"]) == 0
    assert bytes_of(tmp_path / "one") == bytes_of(tmp_path / "cluster")
