"""The commands that train on digital patients and export: what is asked wrongly, and Ctrl-C."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest
import torch

from tmtv_engine.train import digital
from tmtv_engine.train import export as exporting

ROOT = Path(__file__).parents[2]
BUNDLED = ROOT / "tmtv_engine/model/weights/vnet"
FEW = ["--epochs", "2", "--patients", "1", "--workers", "0", "--recipe", "coarse"]


def _asked(monkeypatch: pytest.MonkeyPatch, *words: object) -> None:
    monkeypatch.setattr(sys, "argv", ["command", *map(str, words)])


@pytest.mark.parametrize(
    ("command", "words", "status", "said"),
    [
        (digital, ["run", *FEW, "--device", "gpu"], 2, "no device is called 'gpu'"),
        (digital, ["run", *FEW, "--begin", "."], 1, "is no trained model"),
        (digital, ["run", *FEW, "--begin", BUNDLED], 1, "of another network"),
        (digital, ["run", *FEW, "--anatomies", "nowhere"], 1, "nowhere: holds no organ maps"),
        (digital, ["run", *FEW, "--first-seed", "10"], 2, "seeds below 1000000 are for tests"),
        (exporting, [BUNDLED, "out", "--threshold", "0"], 2, "--threshold 0 is no probability"),
        (exporting, [BUNDLED, "out", "--yielding", "nan"], 2, "--yielding nan is no probability"),
        (exporting, [".", "out"], 1, "is no trained model"),
    ],
)
def test_what_cannot_be_done_is_one_line_and_writes_nothing(
    command: ModuleType,
    words: list[object],
    status: int,
    said: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    _asked(monkeypatch, *words)
    assert command.main() == status
    told = capsys.readouterr().err
    assert told.startswith("error: ")
    assert said in told.splitlines()[0]
    assert not list(tmp_path.iterdir())


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU here")
def test_no_gpu_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    _asked(monkeypatch, tmp_path / "run", *FEW, "--device", "cuda")
    assert digital.main() == 1
    assert "there is no device cuda here" in capsys.readouterr().err


@pytest.mark.parametrize("option", ["--batch", "--shows", "--threads", "--patients", "--epochs"])
@pytest.mark.parametrize("number", ["0", "-1", "1.5", "many"])
def test_counts_are_whole_and_above_nought(
    option: str, number: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    _asked(monkeypatch, "run", option, number)
    with pytest.raises(SystemExit, match="2"):
        digital.main()
    assert f"argument {option}: " in capsys.readouterr().err


SLOW = """
import signal, sys
signal.signal(signal.SIGINT, signal.default_int_handler)  # a job in the background ignores it
from tmtv_engine.train.digital import main
sys.exit(main())
"""


def test_ctrl_c_says_how_to_go_on_and_keeps_the_last_epoch(tmp_path: Path) -> None:
    words = [sys.executable, "-c", SLOW, "run", *FEW, "--epochs", "99"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    with subprocess.Popen(
        words, cwd=tmp_path, env=environment, stderr=subprocess.PIPE, text=True
    ) as one:
        assert one.stderr is not None
        assert one.stderr.readline().startswith("epoch 1/99")
        one.send_signal(signal.SIGINT)
        rest = one.stderr.read()
    assert one.returncode == 130
    assert rest.splitlines()[-1].startswith("stopped: the same command goes on")
    assert "Traceback" not in rest
    assert (tmp_path / "run" / "last.safetensors").exists()
