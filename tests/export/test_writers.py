"""The table of writers: a row is a choice of ``--write`` without a second edit."""

from __future__ import annotations

import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import pydicom
import pytest

from tests.support.cases import make_case
from tests.support.exports import small_case
from tmtv_engine.errors import UsageError
from tmtv_engine.export import writers
from tmtv_engine.export.job import Job
from tmtv_engine.export.objects import write_objects
from tmtv_engine.export.writers import WRITERS, Writer, kinds_of, page
from tmtv_tui.cli.app import main

ROOT = Path(__file__).parents[2]
HELP = """
from tmtv_engine.export import writers
row = writers.Writer("xyzzy", "xyzzy.txt", "a word of its own", lambda job, folder: [])
writers.WRITERS = {**writers.WRITERS, "xyzzy": row}
from tmtv_tui.cli.app import main
main(["export", "--help"])
main(["predict", "--help"])"""


def names(job: Job, folder: Path) -> list[Path]:
    path = folder / "names.txt"
    path.write_text(" ".join(job.tracking_id(row) for row in job.rows))
    return [path]


@pytest.fixture
def added(monkeypatch: pytest.MonkeyPatch) -> Writer:
    """A writer more in the table, and nowhere else."""
    row = Writer("names", "names.txt", "the lesions' names", names, needs=("csv",))
    monkeypatch.setattr(writers, "WRITERS", {**WRITERS, row.kind: row})
    return row


def test_an_added_writer_is_taken_by_the_command_line(
    added: Writer, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    case = make_case(tmp_path)
    assert main(["export", str(case.path), "--write", "names"]) == 0
    written = capsys.readouterr().out.split()
    assert [Path(p).name for p in written] == ["lesions.csv", "names.txt"]  # what it needs, first
    assert (case.path / "export" / "names.txt").read_text() == "lesion 1 lesion 2"
    assert "| `names` | `names.txt` (and `csv`) | the lesions' names | – |" in page()


def test_an_added_writer_stands_in_the_help() -> None:
    done = subprocess.run([sys.executable, "-c", HELP], capture_output=True, text=True, cwd=ROOT)
    assert done.stdout.count("xyzzy") == 2, done.stderr


def test_the_page_of_exports_is_the_table() -> None:
    assert page() in (ROOT / "docs" / "export.md").read_text("utf-8")


def test_kinds_are_read_once_each_and_in_order() -> None:
    assert kinds_of(" sr,csv, sr ,") == ("sr", "csv")
    with pytest.raises(UsageError, match="--write 'pdf' is unknown"):
        kinds_of("sr,pdf")


def test_series_are_numbered_by_the_table(tmp_path: Path) -> None:
    case = small_case(tmp_path)  # by 41 and raw
    found = {}
    for path in write_objects(case, ["sr", "rtstruct", "mip"]):
        found[path.name] = int(pydicom.dcmread(path, stop_before_pixels=True).SeriesNumber)
    assert found == {
        "seg_41.dcm": 901,
        "seg_raw.dcm": 902,
        "rtstruct_41.dcm": 931,
        "rtstruct_raw.dcm": 932,
        "sr.dcm": 951,
        "mip.dcm": 961,
    }
    first = sorted(row.series for row in WRITERS.values() if row.series is not None)
    assert all(b - a >= 10 for a, b in pairwise(first))  # room for the methods


def test_what_needs_dicom_says_so(tmp_path: Path) -> None:
    assert {row.kind for row in WRITERS.values() if not row.of_dicom} == {"nifti", "csv", "page"}
