"""A place for results that takes none is told before any work; so is a word that is empty."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.support.cases import make_case
from tmtv_tui.cli.app import main

WRITERS = (
    ["predict", "study"],
    ["threshold", "pet.nii.gz", "mask.nii.gz"],
    ["compare", "a", "b"],
    ["report", "results"],
    ["evaluate", "run"],
    ["train", "cohort.csv"],
    ["fetch", "--from", "A@127.0.0.1:1", "--patient-id", "x"],
    ["demo"],
)
LOWERED = ["setpriv", "--bounding-set=-dac_override,-dac_read_search"]


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file").write_text("mine")
    (tmp_path / "nowhere").symlink_to("gone")
    (tmp_path / "loop").symlink_to("loop")
    return tmp_path


@pytest.mark.parametrize("words", WRITERS, ids=lambda w: w[0])
@pytest.mark.parametrize(
    ("place", "said"),
    [
        ("file", "file: is there and is no folder"),
        ("file/below/it", "file: is there and is no folder"),
        ("nowhere", "nowhere: No such file or directory"),
        ("loop/x", "loop: Too many levels of symbolic links"),
        ("/dev/null", "/dev/null: is there and is no folder"),
    ],
)
def test_what_is_no_folder_is_told_before_the_inputs_are_looked_for(
    words: list[str], place: str, said: str, here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = sorted(p.name for p in here.iterdir())
    assert main([*words, "-o", place]) == 1
    told = capsys.readouterr()
    assert told.out == ""
    assert told.err.splitlines() == [f"error: {said}", "Choose another folder with -o."]
    assert sorted(p.name for p in here.iterdir()) == before
    assert (here / "file").read_text() == "mine"


def test_phantom_looks_at_its_place_too(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["phantom", "file", "-n", "1"]) == 1
    assert capsys.readouterr().err.startswith("error: file: is there and is no folder\n")


@pytest.mark.parametrize(
    ("words", "where"),
    [
        (["predict", "study", "-o", ""], "-o: "),
        (["predict", "study", "--out="], "--out: "),
        (["predict", ""], ""),
        (["report", "results", "--reference", ""], "--reference: "),
        (["verify", ""], ""),
        (["models", "show", ""], ""),
    ],
)
def test_an_empty_word_is_no_folder_here(
    words: list[str], where: str, here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = sorted(here.iterdir())
    assert main(words) == 2
    assert capsys.readouterr().err.startswith(f"error: {where}an empty word was given\n")
    assert sorted(here.iterdir()) == before


def test_an_equals_sign_at_a_word_s_end_is_no_empty_word(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    place = make_case(here / "results").path
    assert main(["note", str(place), "a=", "--reader", "AB"]) == 0
    assert main(["note", str(place), "="]) == 0


@pytest.mark.skipif(
    os.geteuid() == 0 and shutil.which("setpriv") is None, reason="root may write anywhere"
)
def test_what_may_not_be_written_or_read_is_one_error(here: Path) -> None:
    for name, mode in (("closed", 0o555), ("hidden", 0o000)):
        (here / name).mkdir(mode=0o700)
        (here / name).chmod(mode)
    make_case(here / "results")
    (here / "results" / "hidden").mkdir(mode=0o000)
    said = {
        ("threshold", "p", "r", "-o", "closed"): "closed: nothing can be written there",
        ("threshold", "p", "r", "-o", "closed/a/b"): "closed: nothing can be written there",
        ("threshold", "p", "r", "-o", "hidden/a"): "hidden: nothing can be written there",
        ("report", "results"): "results/hidden/case.json: Permission denied",
    }
    for words, told in said.items():
        code = f"import sys; from tmtv_tui.cli.app import main; sys.exit(main({list(words)!r}))"
        command = [*(LOWERED if os.geteuid() == 0 else []), sys.executable, "-c", code]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert (done.returncode, done.stdout) == (1, ""), done
        assert done.stderr.splitlines()[0] == f"error: {told}"
        assert len(done.stderr.splitlines()) == 2
    (here / "hidden").chmod(0o700)
    (here / "results" / "hidden").chmod(0o700)


@pytest.mark.parametrize("words", [["--help"], ["--version"], ["verify", "results"]])
def test_a_reader_of_stdout_that_has_gone_is_no_traceback(words: list[str], here: Path) -> None:
    """`tmtv verify results | head -0`: Python complained at its end, with a status of its own."""
    make_case(here / "results")
    code = f"import sys; from tmtv_tui.cli.app import main; sys.exit(main({words!r}))"
    ours, theirs = os.pipe()
    os.close(ours)
    done = subprocess.run([sys.executable, "-c", code], stdout=theirs, stderr=-1, check=False)
    os.close(theirs)
    assert (done.returncode, done.stderr) == (1, b"")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full here")
def test_a_full_disk_behind_stdout_is_one_line(here: Path) -> None:
    place = make_case(here / "results").path
    words = ["reject", str(place), "1", "--reader", "AB"]
    code = f"import sys; from tmtv_tui.cli.app import main; sys.exit(main({words!r}))"
    with open("/dev/full", "wb") as full:
        done = subprocess.run([sys.executable, "-c", code], stdout=full, stderr=-1, check=False)
    assert (done.returncode, done.stderr) == (1, b"error: stdout: No space left on device\n")
    assert main(["undo", str(place), "--reader", "AB"]) == 0  # the decision stands


STOPPED = b"\nstopped; nothing was left half-written\n"
EARLY = """
import sys
class Typed:
    def find_spec(self, name, path=None, target=None):
        if name == "tmtv_tui.cli.app":
            raise KeyboardInterrupt
sys.meta_path.insert(0, Typed())
"""


@pytest.mark.parametrize("early", [True, False])
def test_ctrl_c_is_told_in_a_line(early: bool, here: Path) -> None:
    """While modules are imported, and while a command waits for what never comes."""
    os.mkfifo(here / "fifo")
    code = "import sys; from tmtv_tui.cli.entry import main; sys.exit(main())"
    words = [sys.executable, "-c", EARLY * early + code, "predict", "study", "--config", "fifo"]
    started = subprocess.Popen(
        words,
        stderr=subprocess.PIPE,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )
    if not early:
        with open("fifo", "wb"):  # opens as soon as the command does
            time.sleep(0.2)
            started.send_signal(signal.SIGINT)
            told = started.communicate(timeout=60)[1]
    else:
        told = started.communicate(timeout=60)[1]
    assert (started.returncode, told) == (130, STOPPED)
