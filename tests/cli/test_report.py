"""``tmtv report`` from the outside."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from tmtv_tui.cli.app import main


def write_table(path: Path, patients: int) -> Path:
    """A table of ``patients`` under three methods and three subtypes."""
    rng = np.random.default_rng(7)
    lines = ["case,method,tmtv_ref_ml,tmtv_ml,dice,subtype"]
    for k in range(patients):
        for method in ("41", "2.5", "4.0"):
            volume = rng.gamma(1.2, 200)
            found = volume * rng.lognormal(0, 0.3)
            subtype = ("HL", "FL", "DLBCL")[k % 3]
            lines.append(f"p{k},{method},{volume},{found},{rng.beta(8, 3)},{subtype}")
    path.write_text("\n".join(lines) + "\n", "utf-8")
    return path


def test_a_short_table_and_the_files(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    table = write_table(tmp_path / "t.csv", 30)
    assert main(["report", str(table), "-o", str(tmp_path / "out"), "-q"]) == 0
    lines = [line.split("\t") for line in capsys.readouterr().out.splitlines()]
    assert lines[0][:4] == ["group", "method", "n", "Dice"]
    assert [line[:3] for line in lines[1:5]] == [
        ["all", "41", "30"],
        ["all", "2.5", "30"],
        ["all", "4.0", "30"],
        ["HL", "41", "10"],
    ]
    assert (tmp_path / "out" / "table1.csv").is_file()


def test_json_alone_on_stdout(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    table = write_table(tmp_path / "t.csv", 5)
    asked = ["report", str(table), "-o", str(tmp_path / "o"), "--cutoff", "220", "--cutoff", "62.5"]
    assert main([*asked, "--json"]) == 0
    (line,) = capsys.readouterr().out.splitlines()
    assert json.loads(line) == json.loads((tmp_path / "o" / "report.json").read_text("utf-8"))
    assert list(json.loads(line)["methods"]["41"]["kappa"]) == ["220", "62.5"]


@pytest.mark.parametrize(
    ("text", "status"), [("", 1), ("case,method,tmtv_ref_ml,tmtv_ml\na,41,,1\n", 2), (None, 2)]
)
def test_one_clear_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], text: str | None, status: int
) -> None:
    path = tmp_path / "t.csv"
    if text is not None:
        path.write_text(text, "utf-8")
    assert main(["report", str(path), "-o", str(tmp_path / "o")]) == status
    said = capsys.readouterr()
    assert said.out == ""
    assert len(said.err.splitlines()) == 2
    assert not (tmp_path / "o").exists()


def test_ten_thousand_rows(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    table = write_table(tmp_path / "t.csv", 3334)
    assert main(["report", str(table), "-o", str(tmp_path / "out"), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["n"] == 3334


def test_no_torch(tmp_path: Path) -> None:
    table = write_table(tmp_path / "t.csv", 20)
    code = (
        "import sys; from tmtv_tui.cli.app import main\n"
        f"main(['report', {str(table)!r}, '-o', {str(tmp_path / 'o')!r}, '-q'])\n"
        "print(*{'torch', 'pydicom', 'SimpleITK', 'skimage', 'highdicom'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == ""
