"""What only Unix has is asked for nowhere on the way from a study to a signed, exported reading.

No machine with Windows was there: the modules and names that it lacks are taken from our code here,
folders cannot be opened, as there; what else is different on it nobody has tried (docs/install.md).
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np

from tests.support.cases import make_volume
from tmtv_engine.image.nifti import write_nifti

ROOT = Path(__file__).resolve().parents[1]
TAKEN = """
import builtins, json, os, shutil, sys
lacking = {"fcntl", "termios", "tty", "pwd", "grp", "resource", "pty", "curses", "readline"}
whole = builtins.__import__
def without(name, globals=None, *rest, **more):
    own = str((globals or {}).get("__name__", "")).startswith("tmtv_")
    if own and name.partition(".")[0] in lacking:
        raise ModuleNotFoundError(f"No module named {name!r}")
    return whole(name, globals, *rest, **more)
builtins.__import__ = without
for name in ("O_NOFOLLOW", "O_CLOEXEC", "O_DIRECTORY", "sysconf", "pwrite", "mkfifo"):
    delattr(os, name)
opened = os.open
def no_folder(path, *rest, **more):
    if os.path.isdir(path):
        raise PermissionError(13, "Permission denied", path)
    return opened(path, *rest, **more)
os.open = no_folder
shutil._use_fd_functions = False
from tmtv_engine import files
files.SYNCED_FOLDERS = False  # what os.name says there
from tmtv_tui.cli.app import main
for words in json.loads(sys.argv[1]):
    assert main(words) == 0, words
import tmtv_tui.app, tmtv_tui.terminal.pixels
tmtv_tui.terminal.pixels.cell_pixels()
"""


def test_a_study_is_measured_read_signed_and_exported(tmp_path: Path) -> None:
    suv, labels = make_volume()
    for name, volume in (("pet", suv), ("mask", labels)):
        write_nifti(volume, tmp_path / f"{name}.nii.gz")
    case = "out/case-1"
    (tmp_path / "m.csv").write_text("case,pet\ncase-1,pet.nii.gz\n", "utf-8")
    commands = [
        ["--help"],
        ["doctor", "--json"],
        ["threshold", "pet.nii.gz", "mask.nii.gz", "-o", "rois", "--method", "2.5"],
        ["predict", "m.csv", "--model", "hotspot", "-o", "out", "-q"],
        ["predict", "m.csv", "--model", "hotspot", "-o", "out", "-q", "--fresh"],
        ["reject", case, "1", "--reader", "AB"],
        ["undo", case, "--reader", "AB"],
        ["sign", case, "--reader", "AB"],
        ["export", case, "--write", "csv,nifti,page"],
        ["report", "out"],
        ["verify", "out"],
    ]
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    asked = [sys.executable, "-c", TAKEN, json.dumps(commands)]
    ran = subprocess.run(asked, cwd=tmp_path, env=env, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr[-3000:]
    lines = (tmp_path / case / "review" / "AB.jsonl").read_bytes().splitlines()
    assert [json.loads(line)["action"] for line in lines] == ["reject", "undo", "sign"]
    assert b"\r" not in (tmp_path / "out" / "summary.csv").read_bytes()
    assert not list(tmp_path.rglob("*.part"))
    assert np.isfinite(
        json.loads((tmp_path / case / "case.json").read_text())["totals"]["41"]["tmtv_ml"]
    )
