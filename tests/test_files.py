"""Writing: whole or not at all, on the disk before it is said, nothing left, no link followed."""

from __future__ import annotations

import contextlib
import os
import resource
import signal
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from tests.support.cases import make_case
from tests.support.dicom import write_series
from tmtv_engine import files
from tmtv_engine.errors import CaseError, DiskError
from tmtv_engine.files import (
    PART,
    STALE_S,
    aside,
    load_json,
    locked,
    new_folder,
    own_folder,
    sweep,
    write_bytes,
    write_text,
)
from tmtv_engine.image.arrays import load_arrays
from tmtv_tui.cli.app import main

ROOT = Path(__file__).resolve().parents[1]


def names(folder: Path) -> list[str]:
    return sorted(p.name for p in folder.iterdir())


def test_a_file_takes_its_place_whole(tmp_path: Path) -> None:
    path = tmp_path / "a.nii.gz"
    write_text(path, "old")
    with aside(path) as part:
        assert part.name == path.name  # writers choose the format by the suffix
        part.write_text("new")
        assert path.read_text() == "old"
    assert path.read_text() == "new"
    assert names(tmp_path) == [path.name]


def test_a_block_that_fails_or_writes_nothing_leaves_what_was_there(tmp_path: Path) -> None:
    path = tmp_path / "a"
    write_text(path, "old")
    with contextlib.suppress(KeyboardInterrupt), aside(path) as part:
        part.write_text("half")
        raise KeyboardInterrupt
    with aside(path):
        pass
    assert (path.read_text(), names(tmp_path)) == ("old", ["a"])


@pytest.mark.parametrize(("mask", "asked", "mode"), [(0o022, 0o666, 0o644), (0o027, 0o666, 0o640)])
def test_files_and_folders_get_what_the_umask_leaves(
    tmp_path: Path, mask: int, asked: int, mode: int
) -> None:
    code = (
        "import os, sys; from pathlib import Path; from tmtv_engine import files\n"
        f"os.umask({mask}); out = Path(sys.argv[1])\n"
        f"files.write_text(out / 'a', 'x', {asked})\n"
        "files.write_text(out / 'secret', 'x', 0o600)\n"
        "with files.new_folder(out, 'case') as folder: (folder / 'b').write_text('x')\n"
    )
    subprocess.run([sys.executable, "-c", code, str(tmp_path)], check=True, cwd=ROOT)
    found = {p.name: stat.S_IMODE(p.stat().st_mode) for p in tmp_path.rglob("*")}
    assert found == {"a": mode, "secret": 0o600, "case": 0o777 & ~mask, "b": mode}


def test_the_umask_is_never_touched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "umask", lambda _: pytest.fail("the process's umask was changed"))
    write_text(tmp_path / "a", "x")
    with new_folder(tmp_path, "case") as folder:
        write_text(folder / "b", "x")


FULL = """
import resource, sys
from pathlib import Path
from tmtv_engine import files
from tmtv_engine.errors import DiskError
out = Path(sys.argv[1])
resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))
def one(): files.write_bytes(out / "a", b"x" * 5000)
def many():
    with files.new_folder(out, "case") as folder:
        files.write_text(folder / "small", "x")
        (folder / "large").write_bytes(b"x" * 5000)
try:
    {"one": one, "many": many}[sys.argv[2]]()
except DiskError as error:
    print(error.what, "|", error.remedy)
"""


@pytest.mark.parametrize(("how", "name"), [("one", "a"), ("many", "case")])
def test_a_disk_that_takes_no_more_is_told_and_nothing_is_left(
    tmp_path: Path, how: str, name: str
) -> None:
    done = subprocess.run(
        [sys.executable, "-c", FULL, str(tmp_path), how],
        capture_output=True,
        text=True,
        check=True,
        cwd=ROOT,
    )
    told = f"{tmp_path / name}: File too large | Nothing was left half-written."
    assert done.stdout.strip() == told
    assert names(tmp_path) == []


def test_what_cannot_be_made_is_told(tmp_path: Path) -> None:
    write_text(tmp_path / "file", "x")
    inside = tmp_path / "file" / "out"
    with pytest.raises(DiskError, match=r"(?s)file: .*-o"), new_folder(inside, "case"):
        pass
    with pytest.raises(DiskError, match="Not a directory"):
        write_text(tmp_path / "file" / "a", "x")
    assert resource.getrlimit(resource.RLIMIT_FSIZE)[0] == resource.RLIM_INFINITY  # ours is whole


KILLED = """
import sys, time
from pathlib import Path
from tmtv_engine import files
out = Path(sys.argv[1])
with files.aside(out / "a") as part, files.new_folder(out, "case") as folder:
    part.write_text("half")
    (folder / "half").write_text("x")
    print("there", flush=True)
    time.sleep(60)
"""


def test_the_leftovers_of_a_killed_writer_go_and_those_of_a_living_one_stay(tmp_path: Path) -> None:
    writers = [
        subprocess.Popen(
            [sys.executable, "-c", KILLED, str(tmp_path)], stdout=subprocess.PIPE, cwd=ROOT
        )
        for _ in range(2)
    ]
    for writer in writers:
        assert writer.stdout is not None
        assert writer.stdout.readline() == b"there\n"
    assert len(names(tmp_path)) == 4
    os.kill(writers[0].pid, signal.SIGKILL)
    writers[0].communicate()
    sweep(tmp_path)
    assert len(names(tmp_path)) == 2  # the living one's
    os.kill(writers[1].pid, signal.SIGKILL)
    writers[1].communicate()
    write_text(tmp_path / "b", "x")  # whoever writes next
    assert names(tmp_path) == ["b"]


def test_another_machine_s_leftovers_go_when_they_are_a_day_old(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(files, "_host", lambda: "other000")
    young, old = (tmp_path / f".{name}.elsewher-0123456789ab{PART}" for name in "ab")
    for folder in (young, old):
        (folder / "inside").mkdir(parents=True)
    then = time.time() - STALE_S - 60
    os.utime(old, (then, then))
    sweep(tmp_path)
    assert names(tmp_path) == [young.name]


def test_sweeping_follows_no_link_and_takes_nothing_else(tmp_path: Path) -> None:
    victim, out = tmp_path / "victim", tmp_path / "out"
    for folder in (victim, out, out / "visible.part", out / ".hidden"):
        folder.mkdir()
    write_text(victim / "kept", "x")
    (out / f".a.{files._host()}-000000000000{PART}").symlink_to(victim)
    (out / f".b.{files._host()}-000000000000{PART}").write_text("a file, not ours")
    sweep(out)
    assert names(victim) == ["kept"]
    assert len(names(out)) == 4


def test_many_writers_of_one_folder_do_not_sweep_each_other(tmp_path: Path) -> None:
    def write(number: int) -> None:
        for turn in range(20):
            write_text(tmp_path / f"{number}", f"{turn}")

    with ThreadPoolExecutor(8) as pool:
        for done in [pool.submit(write, k) for k in range(8)]:
            done.result()
    assert {p.name: p.read_text() for p in tmp_path.iterdir()} == {str(k): "19" for k in range(8)}


def test_a_link_is_replaced_not_written_through(tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.write_text("mine")
    (tmp_path / "a").symlink_to(victim)
    write_text(tmp_path / "a", "new")
    assert (victim.read_text(), (tmp_path / "a").read_text()) == ("mine", "new")
    assert not (tmp_path / "a").is_symlink()


def test_a_folder_that_is_a_link_is_refused(tmp_path: Path) -> None:
    victim, case = tmp_path / "victim", tmp_path / "case"
    victim.mkdir()
    case.mkdir()
    (case / "export").symlink_to(victim)
    with pytest.raises(CaseError, match="is a link"):
        own_folder(case, "export")
    assert own_folder(case, "review").is_dir()


@pytest.mark.parametrize("load", [load_json, load_arrays])
def test_nothing_but_a_file_of_the_folder_is_read(
    tmp_path: Path, load: Callable[[Path], object]
) -> None:
    write_text(tmp_path / "elsewhere", "{}")
    (tmp_path / "link").symlink_to(tmp_path / "elsewhere")
    os.mkfifo(tmp_path / "pipe")
    for name in ("link", "pipe", "absent"):
        with pytest.raises(CaseError, match=name):
            load(tmp_path / name)


@pytest.mark.parametrize("text", ["[" * 100_000, '{"a": ' * 100_000, "1" * 5000, "", "\xff", "[]"])
def test_json_that_is_none_of_ours_is_an_error_of_its_file(tmp_path: Path, text: str) -> None:
    (tmp_path / "a.json").write_bytes(text.encode("latin-1"))
    with pytest.raises(CaseError, match=r"a\.json"):
        load_json(tmp_path / "a.json")


def test_a_new_folder_keeps_what_is_there_aside(tmp_path: Path) -> None:
    for text in ("first", "second"):
        with new_folder(tmp_path, "case") as folder:
            write_text(folder / "a", text)
    (old,) = (tmp_path / "aside").iterdir()
    assert ((old / "a").read_text(), (tmp_path / "case" / "a").read_text()) == ("first", "second")


def test_a_lock_is_of_the_folder_that_stands_there(tmp_path: Path) -> None:
    """Who waited for the lock of a folder that was moved away meanwhile gets the new one's."""
    case, fresh = tmp_path / "case", tmp_path / "fresh"
    case.mkdir()
    fresh.mkdir()
    write_bytes(fresh / "new", b"")
    seen: list[bool] = []

    def wait() -> None:
        while not seen:
            with (
                contextlib.suppress(CaseError),
                locked(case, ".lock"),
            ):  # there is none for a moment
                seen.append((case / "new").exists())

    with locked(case, ".lock"):
        waiting = threading.Thread(target=wait)
        waiting.start()
        time.sleep(0.1)  # it has the old folder's lock file open by now
        case.rename(tmp_path / "moved")
        fresh.rename(case)
    waiting.join()
    assert seen == [True]
    with pytest.raises(CaseError, match="nowhere"), locked(tmp_path / "nowhere", ".lock"):
        pass


def test_a_lock_that_another_keeps_is_told(tmp_path: Path) -> None:
    with (
        locked(tmp_path, ".lock"),
        pytest.raises(CaseError, match="locked by another process"),
        locked(tmp_path, ".lock", timeout=0.05),
    ):
        pass
    (tmp_path / ".link").symlink_to(tmp_path / "victim")
    with pytest.raises(CaseError, match=r"\.link"), locked(tmp_path, ".link", timeout=0.05):
        pass
    assert not (tmp_path / "victim").exists()


WATCHED = """
import os, sys
from pathlib import Path
from tmtv_engine import files
out = Path(sys.argv[1])
calls = []
def watch(name):
    real = getattr(os, name)
    def call(*args, **kw):
        what = args[0]
        what = os.readlink(f"/proc/self/fd/{what}") if isinstance(what, int) else os.fspath(what)
        calls.append((name, os.path.basename(what)))
        return real(*args, **kw)
    setattr(os, name, call)
for name in ("fsync", "rename", "replace"):
    watch(name)
files.write_text(out / "a", "x")
print(calls); calls.clear()
with files.new_folder(out, "case") as folder:
    (folder / "b").write_text("x")
print(calls)
"""


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="no /proc here")
def test_what_is_written_is_synced_before_and_after_it_is_renamed(tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.mkdir()
    done = subprocess.run(
        [sys.executable, "-c", WATCHED, str(out)],
        capture_output=True,
        text=True,
        check=True,
        cwd=ROOT,
    )
    one, many = (eval(line) for line in done.stdout.splitlines())
    assert one == [("fsync", "a"), ("replace", "a"), ("fsync", "out")]
    part = many[1][1]
    assert part.startswith(".case.")
    assert many == [("fsync", "b"), ("fsync", part), ("rename", part), ("fsync", "out")]


@pytest.mark.parametrize(("mega", "read"), [(255, True), (257, False)])
def test_an_npz_unpacks_to_no_more_than_a_bound(mega: int, read: bool, tmp_path: Path) -> None:
    path = tmp_path / "a.npz"
    np.savez_compressed(path, a=np.zeros(mega << 20, np.uint8))
    if read:
        assert load_arrays(path)["a"].nbytes == mega << 20
        return
    with pytest.raises(CaseError, match="unpacks to 257 MB"):
        load_arrays(path)


@pytest.mark.parametrize("command", ["fetch", "train", "predict", "report", "phantom", "demo"])
def test_a_place_that_can_be_no_folder_is_one_line(
    command: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Every command that makes a folder says so in the same words, and leaves what is there."""
    there = tmp_path / "there"
    there.write_text("notes")
    make_case(tmp_path / "cases")
    drawn = str(tmp_path / "in")
    assert main(["phantom", drawn, "--spacing-mm", "12", "--format", "nifti", "-q"]) == 0
    given = {
        "fetch": ["--from", "A@127.0.0.1:9", "--patient-id", "1", "-o", str(there)],
        "train": [f"{drawn}/manifest.csv", "--epochs", "1", "-o", str(there)],
        "predict": [drawn, "--model", "hotspot", "-o", str(there)],
        "report": [str(tmp_path / "cases"), "-o", str(there)],
        "phantom": [str(there), "-n", "1"],
        "demo": ["-o", str(there / "in")],
    }
    assert main([command, *given[command]]) == 1
    said = capsys.readouterr().err
    assert "Choose another folder with -o." in said
    assert f"error: {there}" in said
    assert there.read_text() == "notes"


def test_a_full_disk_under_a_library_is_one_line(tmp_path: Path) -> None:
    """pydicom tells what the disk said as a traceback's text; a limit of 64 kB stands for it."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 16, before[1]))
    try:
        with pytest.raises(DiskError) as caught, new_folder(tmp_path, "study") as folder:
            write_series(folder, np.ones((1, 300, 300), np.int16))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert caught.value.what == f"{tmp_path / 'study'}: File too large"
    assert list(tmp_path.iterdir()) == []
