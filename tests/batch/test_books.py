"""What a run keeps of its cases: its books whoever had them open, and no study's images."""

from __future__ import annotations

import csv
import gc
import os
import time
import tracemalloc
import weakref
from pathlib import Path
from typing import Any

import pytest

from tests.support.cases import copied_case, make_volume
from tmtv_engine.batch import (
    FAILURE_KEYS,
    Outcome,
    exported_now,
    failed_before,
    failures_of,
    names_given,
    run_batch,
    to_retry,
    untried,
    write_failures,
)
from tmtv_engine.errors import InputError
from tmtv_engine.image.nifti import write_nifti
from tmtv_engine.image.volume import Volume
from tmtv_engine.model.finders import Finder, Found
from tmtv_engine.pipeline import CaseConfig
from tmtv_engine.study.found import Failure, Leftover, Stock, Study
from tmtv_engine.study.stock import take_stock
from tmtv_tui.cli import console
from tmtv_tui.cli.app import main
from tmtv_tui.cli.telling import tell


def pets_in(folder: Path, *names: str) -> Path:
    suv, _ = make_volume()
    for name in names:
        (folder / name).mkdir(parents=True, exist_ok=True)
        write_nifti(suv, folder / name / "pet.nii.gz")
    return folder


def books(out: Path) -> list[dict[str, str]]:
    path = out / "failures.csv"
    return list(csv.DictReader(path.read_text("utf-8").splitlines())) if path.is_file() else []


@pytest.mark.parametrize("foreseen", [True, False])
def test_a_study_that_failed_does_not_keep_its_images(tmp_path: Path, foreseen: bool) -> None:
    images: list[weakref.ref[Any]] = []

    def find(suv: Volume, ct: Volume | None) -> Found:
        images.append(weakref.ref(suv.array))
        try:
            raise ValueError("the network saw something")
        except ValueError as error:
            if not foreseen:
                raise
            raise InputError("the network saw something") from error

    studies = take_stock([pets_in(tmp_path / "in", "a", "b")]).studies
    config = CaseConfig(tmp_path / "out")
    kept = list(run_batch(studies, Finder(find, {"name": "vnet", "sha256": "0" * 64}), config))
    assert [o.state for o in kept] == ["failed", "failed"]
    assert all(o.error and "the network saw something" in o.error.what for o in kept)
    gc.collect()
    assert [image() for image in images] == [None, None]


def test_what_the_closing_line_needs_of_a_case_is_little(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    case = copied_case(tmp_path)
    whole = Outcome(case.name, "done", case, written=(case.path / "export" / "sr.dcm",))
    brief = whole.brief()
    assert (brief.name, brief.state, brief.case, brief.written) == ("case-1", "done", None, ())
    assert Outcome("b", "done", case).brief().written is None  # nothing was asked for
    error = InputError("torn", "Send it again.")
    assert Outcome("c", "done", case, unexported=error).brief().unexported is error

    def outcomes(count: int) -> Any:
        from tmtv_engine.case.folder import read_case

        for _ in range(count):
            yield Outcome(case.name, "done", read_case(case.path))

    tell(outcomes(5), console.Progress(5), False)
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        tell(outcomes(100), console.Progress(100), False)
        peak = tracemalloc.get_traced_memory()[1] - before
    finally:
        tracemalloc.stop()
    assert peak < 100 * 6000  # three rows of text a case; its record alone has 20 kB
    rows = capsys.readouterr().out.splitlines()
    assert len(rows) == (1 + 5 * 3) + (1 + 100 * 3)


def test_a_row_of_a_failed_export_goes_when_the_export_is_written(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "out"
    source = pets_in(tmp_path / "in", "a", "b")
    (source / "c").mkdir()
    (source / "c" / "pet.nii.gz").write_bytes(b"no image")
    (source / "note.txt").write_text("hello")
    asked = ["predict", str(source), "--model", "hotspot", "-o", str(out), "--write"]
    assert main([*asked, "seg"]) == 1  # a SEG needs a DICOM PET
    rows = books(out)
    assert [(r["kind"], r["case"]) for r in rows] == [
        ("export", "a"), ("export", "b"), ("failure", ""), ("leftover", ""),
    ]  # fmt: skip
    assert main(["export", str(out / "a"), "--write", "seg", "-q"]) == 1
    assert books(out) == rows
    assert main(["export", str(out / "a"), "--write", "csv", "-q"]) == 0
    assert books(out) == rows[1:]
    assert (out / "failures.csv").stat().st_mode & 0o777 == 0o600
    monkeypatch.chdir(out / "b")
    assert main(["export", ".", "--write", "csv", "-q"]) == 0
    assert books(out) == rows[2:]
    capsys.readouterr()
    assert main([*asked[:-1], "-q"]) == 1
    assert "0 done, 1 failed, 2 already there, 1 left over (" in capsys.readouterr().err


def test_the_last_row_s_file_goes_with_it_and_an_earlier_version_s_stays(tmp_path: Path) -> None:
    case = copied_case(tmp_path)
    failure = Failure(tmp_path / "in", InputError("torn"), kind="export", case="case-1")
    write_failures(tmp_path, [failure], [])
    exported_now(case)
    assert not (tmp_path / "failures.csv").exists()
    exported_now(case)  # nothing is there
    old = "path,patient_id,study_date,what,tag,way_out,kind\n/in,,,torn,,,export\n"
    (tmp_path / "failures.csv").write_text(old)
    exported_now(case)  # whose it is no column says
    assert (tmp_path / "failures.csv").read_text() == old
    assert [(f.path, f.kind) for f in failed_before(tmp_path)] == [(Path("/in"), "export")]


def test_a_retry_finds_what_failed_from_any_folder_and_through_links(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    source = pets_in(tmp_path / "in", "a", "b")
    good = (source / "b" / "pet.nii.gz").read_bytes()
    (tmp_path / "in" / "b" / "pet.nii.gz").write_bytes(b"no image")
    (tmp_path / "in" / "note.txt").write_text("hello")
    monkeypatch.chdir(tmp_path / "in")
    asked = ["--model", "hotspot", "-q"]
    assert main(["predict", "../in", "-o", "../out", *asked]) == 1
    paths = [r["path"] for r in books(tmp_path / "out")]
    assert paths == [str(source / "b" / "pet.nii.gz"), str(source / "note.txt")]
    (source / "b" / "pet.nii.gz").write_bytes(good)
    (tmp_path / "link").symlink_to(source, target_is_directory=True)
    monkeypatch.chdir("/")
    capsys.readouterr()
    words = ["predict", str(tmp_path / "link"), "-o", str(tmp_path / "out")]
    assert main([*words, "--model", "hotspot", "--retry"]) == 0
    assert "1 of 2 studies failed before and are tried again" in capsys.readouterr().err
    assert [r["kind"] for r in books(tmp_path / "out")] == ["leftover"]


@pytest.mark.parametrize(
    "saved",
    [
        lambda text: "\ufeff".encode() + text.encode(),  # as "CSV UTF-8" by a spreadsheet
        lambda text: text.replace(",", ";").encode(),
        lambda text: text.replace(",", "\t").replace("\n", "\r\n").encode("utf-16"),
    ],
)
def test_books_that_a_spreadsheet_saved_are_read(tmp_path: Path, saved: Any) -> None:
    failures = [
        Failure(Path("/in/über"), InputError("torn", "Again."), "=P1", "20200101"),
        Failure(Path("/in/b"), InputError("full"), kind="export", case="b"),
    ]
    write_failures(tmp_path, failures, [Leftover(Path("/in/note"), "no image")])
    path = tmp_path / "failures.csv"
    path.write_bytes(saved(path.read_text("utf-8")))
    found = [(f.path, f.patient_id, f.error.what, f.kind, f.case) for f in failed_before(tmp_path)]
    assert found == [
        (Path("/in/über"), "=P1", "torn", "failure", ""),
        (Path("/in/b"), "", "full", "export", "b"),
    ]


@pytest.mark.parametrize(
    "broken",
    [b"", b"path;kind\n\xff\xfe\n", b"what,kind\ntorn,failure\n", b"path,kind\n/in,failure,x\n"],
)
def test_books_that_are_broken_end_the_run_before_it_begins(
    tmp_path: Path, broken: bytes, capsys: pytest.CaptureFixture[str]
) -> None:
    source, out = pets_in(tmp_path / "in", "a"), tmp_path / "out"
    out.mkdir()
    (out / "failures.csv").write_bytes(broken)
    assert main(["predict", str(source), "--model", "hotspot", "-o", str(out)]) == 1
    told = capsys.readouterr().err
    assert f"{out / 'failures.csv'}:" in told
    assert "delete it" in told
    assert (out / "failures.csv").read_bytes() == broken
    assert not (out / "a").exists()


def test_two_thousand_failures_are_found_again_in_a_moment(tmp_path: Path) -> None:
    names = [tmp_path / "in" / f"p{k}" / "pet.nii.gz" for k in range(2000)]
    studies = [Study(f"p{k}", "nifti", (path,)) for k, path in enumerate(names)]
    told = InputError("torn")
    outcomes = [Outcome(s.case, "failed", error=told, study=s) for s in studies]
    write_failures(tmp_path, failures_of(outcomes), [])
    before = failed_before(tmp_path)
    assert len(before) == 2000
    start = time.process_time()
    assert len(to_retry(tmp_path, Stock(tuple(studies))).studies) == 2000
    left = untried(before, Stock(), outcomes[1:])
    spent = time.process_time() - start
    assert [os.fspath(f.path) for f in left] == [os.fspath(names[0])]
    assert spent < 5  # each with each took a minute
    assert tuple(books(tmp_path)[0]) == FAILURE_KEYS


def test_a_case_that_tells_no_image_keeps_no_name(tmp_path: Path) -> None:
    for name, uids in (("a", ["1.2.3", "1.2.4"]), ("b", [""]), ("c", [])):
        pet = {"instances": [{"uid": uid} for uid in uids]}
        copied_case(tmp_path, name, source={"kind": "dicom", "pet": pet})
    copied_case(tmp_path, "d", source={"kind": "nifti", "inputs": ["/in/pet.nii.gz"]})
    copied_case(tmp_path, "e", source={"kind": "dicom", "pet": None})
    (copied_case(tmp_path, "f").path / "source.json").write_text("{")
    assert names_given(tmp_path) == {"1.2.3": "a", "/in/pet.nii.gz": "d"}
