"""The recipes of docs/cluster.md, as they stand, against the libraries that they are for."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from tests.batch.test_cluster import ENVIRONMENT, ROOT, RUN, bytes_of, studies_in
from tests.support.orthanc import free_port
from tmtv_tui.cli.app import main

PAGE = (ROOT / "docs" / "cluster.md").read_text("utf-8")
PROLOGUE = "export MALLOC_TRIM_THRESHOLD_=134217728 MALLOC_MMAP_THRESHOLD_=67108864"
PAUSE = "import signal; signal.pause()\n"
SBATCH = """#!/bin/sh
job="$JOBS/$(basename "$1")"
cp "$1" "$job"  # the library deletes its own once this returns
setsid bash "$job" >/dev/null 2>&1 &
echo $! >> "$JOBS/pids"
echo "Submitted batch job $!"
"""
SCANCEL = '#!/bin/sh\nfor job; do kill -TERM -- "-$job"; done\n'


def recipe(title: str) -> str:
    """The Python of a section of the page."""
    section = PAGE.partition(f"## {title}\n")[2].partition("\n## ")[0]
    found = re.search(r"<<'PY'\n(.*?)PY\n", section, re.DOTALL)
    assert found, title
    return found[1]


@contextmanager
def slurm(folder: Path) -> Iterator[dict[str, str]]:
    """An environment whose `sbatch` runs each job here, in a session of its own."""
    for name, text in (("sbatch", SBATCH), ("scancel", SCANCEL)):
        (folder / name).write_text(text)
        (folder / name).chmod(0o755)
    path = f"{folder}:{Path(sys.executable).parent}:{os.environ['PATH']}"
    try:
        yield {**ENVIRONMENT, "PATH": path, "JOBS": str(folder), "DASK_CONFIG": str(folder)}
    finally:
        for pid in (folder / "pids").read_text().split():
            with suppress(ProcessLookupError):
                os.killpg(int(pid), signal.SIGKILL)


@pytest.mark.slow
def test_slurm_s_recipe_measures_what_one_process_does(tmp_path: Path) -> None:
    pytest.importorskip("dask_jobqueue")
    source, port = studies_in(tmp_path / "in", 3), free_port()
    asked = ["predict", str(source), "--model", "hotspot", "-q"]
    assert main([*asked, "-o", str(tmp_path / "one")]) == 0
    text = recipe("SLURM").replace('"HEAD"', '"127.0.0.1"').replace("8786", str(port))
    text = text.replace("scale(8)", "scale(2)")
    (tmp_path / "jobs").mkdir()
    with slurm(tmp_path / "jobs") as environment:
        head = subprocess.Popen(
            [sys.executable, "-c", text], stdout=subprocess.PIPE, text=True, env=environment,
            cwd=tmp_path,
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
        )  # fmt: skip
        try:
            assert head.stdout is not None
            address = head.stdout.readline().strip()
            assert address == f"tcp://127.0.0.1:{port}"
            words = [*asked, "-o", str(tmp_path / "out"), "--scheduler", address]
            run = [sys.executable, "-c", RUN, *words]
            subprocess.run(run, check=True, env=environment, timeout=120)
        finally:
            head.send_signal(signal.SIGINT)
            head.communicate(timeout=60)
        script = next((tmp_path / "jobs").glob("*.sh")).read_text()
    assert bytes_of(tmp_path / "out") == bytes_of(tmp_path / "one")
    lines = script.splitlines()
    for line in ("#SBATCH -p gpu", "#SBATCH --gres=gpu:1", "#SBATCH -t 08:00:00", PROLOGUE):
        assert line in lines
    assert "--nthreads 1 " in lines[-1]
    assert "--nworkers" not in lines[-1]


def test_pbs_s_recipe_is_a_job_script(tmp_path: Path) -> None:
    pytest.importorskip("dask_jobqueue")
    section = PAGE.partition("## PBS\n")[2].partition("\n## ")[0]
    call = re.search(r"`(PBSCluster\(.*?\))`", section, re.DOTALL)
    assert call
    asked = call[1].replace("scheduler_options=…", "scheduler_options={'host': '127.0.0.1'}")
    text = (
        "from dask_jobqueue import PBSCluster\n"
        f"memory = [{PROLOGUE!r}]\n"
        f"with {asked} as cluster:\n"
        "    print(cluster.job_script())\n"
    )
    environment = {**ENVIRONMENT, "DASK_CONFIG": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-c", text], check=True, capture_output=True, text=True, env=environment
    )
    lines = done.stdout.strip().splitlines()
    wanted = ("-q gpu", "-l select=1:ncpus=1:ngpus=1:mem=16gb", "-l walltime=08:00:00")
    assert [f"#PBS {words}" for words in wanted] == [x for x in lines if x[:4] == "#PBS"][1:]
    assert PROLOGUE in lines
    assert "--nthreads 1 " in lines[-1]


def test_kubernetes_recipe_names_commands_and_options_that_dask_has(tmp_path: Path) -> None:
    """What `dask-kubernetes` makes of it is looked at where that is installed."""
    pytest.importorskip("distributed")
    text = recipe("Kubernetes")
    commands = {"worker": re.findall(r'worker_command="dask worker (.*?)"', text)[0].split()}
    told = re.findall(r'\["args"\] = (\[.*?\])', text)[0]
    assert told.startswith('["dask", "scheduler", ')
    commands["scheduler"] = re.findall(r'"(--[\w-]+)"', told)
    commands["worker"] += ["--name", "--dashboard", "--dashboard-address"]  # it adds these itself
    for command, options in commands.items():
        words = [sys.executable, "-m", f"distributed.cli.dask_{command}", "--help"]
        shown = subprocess.run(words, check=True, capture_output=True, text=True).stdout
        assert all(o in shown for o in options if o.startswith("--"))


def test_kubernetes_recipe_is_a_cluster_s_description() -> None:
    pytest.importorskip("dask_kubernetes", reason="dask-kubernetes is not installed")
    text = recipe("Kubernetes").replace(PAUSE, "")
    text = text.replace("cluster = KubeCluster(custom_cluster_spec=spec)", "")
    made: dict[str, object] = {}
    exec(text, made)
    spec = made["spec"]
    assert isinstance(spec, dict)
    parts = {name: spec["spec"][name]["spec"] for name in ("scheduler", "worker")}
    (scheduler,), (worker,) = (parts[name]["containers"] for name in ("scheduler", "worker"))
    assert worker["args"][:4] == ["dask", "worker", "--nthreads", "1"]
    assert scheduler["args"][:2] == ["dask", "scheduler"]
    assert worker["resources"] == {"limits": {"nvidia.com/gpu": "1"}}
    assert not scheduler["resources"]
    assert {e["name"] for e in worker["env"]} == {
        "MALLOC_TRIM_THRESHOLD_",
        "MALLOC_MMAP_THRESHOLD_",
    }
    (mount,), (volume,) = worker["volumeMounts"], parts["worker"]["volumes"]
    assert mount["name"] == volume["name"]
    assert spec["spec"]["worker"]["replicas"] == 4
