"""Exports of a batch that fail: in the books, tried again, and never the end of the others."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from types import MappingProxyType

import pytest

from tests.support.cases import make_volume
from tmtv_engine.export import writers
from tmtv_engine.export.job import Job
from tmtv_engine.image.nifti import write_nifti
from tmtv_tui.cli.app import main


@pytest.fixture
def asked(tmp_path: Path) -> list[str]:
    suv, _ = make_volume()
    for name in ("a", "b"):
        (tmp_path / "in" / name).mkdir(parents=True)
        write_nifti(suv, tmp_path / "in" / name / "pet.nii.gz")
    return ["predict", str(tmp_path / "in"), "--model", "hotspot", "-o", str(tmp_path / "out")]


def books(out: Path) -> list[dict[str, str]]:
    path = out / "failures.csv"
    if not path.is_file():
        return []
    return list(csv.DictReader(path.read_text("utf-8").splitlines()))


def test_a_failed_export_is_in_the_books_until_it_is_written(
    tmp_path: Path, asked: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    assert main([*asked, "--write", "csv,seg"]) == 1  # a SEG needs a DICOM PET
    told = capsys.readouterr().err.splitlines()[-1]
    assert told.startswith("2 done, 0 failed, 0 already there, 0 left over, 2 not exported (")
    rows = books(out)
    places = [str(tmp_path / "in" / name / "pet.nii.gz") for name in ("a", "b")]
    assert [(r["path"], r["kind"]) for r in rows] == [(p, "export") for p in places]
    assert all("read from NIfTI" in r["what"] and r["way_out"] for r in rows)
    (log,) = (out / "runs").iterdir()
    lines = [json.loads(line) for line in log.read_text("utf-8").splitlines()]
    assert [(x["case"], x["state"]) for x in lines[2:-1]] == [
        ("a", "done"), ("a", "not exported"), ("b", "done"), ("b", "not exported"),
    ]  # fmt: skip
    assert lines[-1]["not exported"] == 2

    for more in ([], ["--retry"]):  # no export was asked for: still to be done
        assert main([*asked, *more]) == 1
        assert books(out) == rows
        assert "2 not exported" in capsys.readouterr().err.splitlines()[-1]
    assert main([*asked, "--retry", "--write", "csv"]) == 0
    assert books(out) == []
    assert all((out / name / "export" / "lesions.csv").is_file() for name in ("a", "b"))


def test_an_export_that_failed_stays_in_the_books_of_a_run_over_other_studies(
    tmp_path: Path, asked: list[str]
) -> None:
    out = tmp_path / "out"
    assert main([*asked, "--write", "seg"]) == 1
    (tmp_path / "in" / "b").rename(tmp_path / "c")
    assert main(["predict", str(tmp_path / "c"), *asked[2:], "--write", "csv"]) == 1
    assert [Path(r["path"]).parent.name for r in books(out)] == ["a", "b"]
    (tmp_path / "c").rename(tmp_path / "in" / "b")
    assert main([*asked, "--write", "csv"]) == 0
    assert books(out) == []


def test_a_case_that_fails_now_is_no_export_that_is_still_to_be_done(
    tmp_path: Path, asked: list[str]
) -> None:
    assert main([*asked, "--write", "seg"]) == 1
    (tmp_path / "in" / "a" / "pet.nii.gz").write_bytes(b"no image")
    assert main([*asked, "--retry", "--write", "csv"]) == 1
    assert [(Path(r["path"]).name, r["kind"]) for r in books(tmp_path / "out")] == [
        ("pet.nii.gz", "failure")
    ]


@pytest.mark.parametrize(
    ("error", "what"),
    [
        (RuntimeError("torn"), "its files do not hold what a case holds: RuntimeError: torn"),
        (OSError(28, "No space left on device"), "No space left on device"),
    ],
)
def test_what_nobody_foresaw_in_one_export_does_not_end_the_others(
    tmp_path: Path,
    asked: list[str],
    error: Exception,
    what: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def torn(job: Job, folder: Path) -> list[Path]:
        if job.case.name == "a":
            raise error
        (folder / "torn.txt").write_text("whole")
        return [folder / "torn.txt"]

    row = writers.Writer("torn", "torn.txt", "a row of a test", torn)
    monkeypatch.setattr(writers, "WRITERS", MappingProxyType({**writers.WRITERS, "torn": row}))
    assert main([*asked, "--write", "torn"]) == 1
    (told,) = books(tmp_path / "out")
    assert Path(told["path"]).parent.name == "a"
    assert told["what"] == f"{tmp_path / 'out' / 'a'}: {what}"
    assert (tmp_path / "out" / "b" / "export" / "torn.txt").is_file()
    (tmp_path / "out" / "b" / "export" / "torn.txt").unlink()
    capsys.readouterr()
    assert main(["export", str(tmp_path / "out"), "--write", "torn"]) == 1
    assert f"failed: a: {tmp_path / 'out' / 'a'}: {what}" in capsys.readouterr().err
    assert (tmp_path / "out" / "b" / "export" / "torn.txt").is_file()
