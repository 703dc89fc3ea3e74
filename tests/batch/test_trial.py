"""What a trial manager needs: books, time points, retry, a TOML file, a watch, Ctrl-C."""

from __future__ import annotations

import contextlib
import csv
import json
import os
import signal
import stat
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from tests.support.cases import make_case, make_volume
from tmtv_engine.batch import RunLog
from tmtv_engine.batch.watch import arrivals
from tmtv_engine.case.folder import read_case
from tmtv_engine.case.record import CaseRecord, StudyInfo
from tmtv_engine.case.tables import update_summary, write_summary
from tmtv_engine.case.timepoints import seats
from tmtv_engine.image.nifti import write_nifti
from tmtv_engine.study.stock import take_stock
from tmtv_tui.cli import console
from tmtv_tui.cli.app import main

ROOT = Path(__file__).resolve().parents[2]


def pet_in(folder: Path) -> Path:
    suv, _ = make_volume()
    folder.mkdir(parents=True, exist_ok=True)
    write_nifti(suv, folder / "pet.nii.gz")
    return folder


def rows_of(path: Path) -> list[dict[str, str]]:
    return list(csv.DictReader(path.read_text("utf-8").splitlines()))


def told(record: CaseRecord, name: str, who: str | None, date: str | None, **more: Any) -> Any:
    patient = replace(record.patient, id=who)
    study = StudyInfo(uid=None, date=date, **more)
    return replace(record, case=name, patient=patient, study=study)


def test_cases_of_a_patient_are_told_apart_by_date_or_by_the_manifest_s_word(
    tmp_path: Path,
) -> None:
    one = make_case(tmp_path).record
    found = seats(
        [
            told(one, "c", "P1", "20210101"),
            told(one, "b", "P1", "20200101"),
            told(one, "a", "P1", "20200101"),  # the same day: by name
            told(one, "d", "P2", None),
            told(one, "e", None, "20200101"),
            told(one, "f", None, "20200101", timepoint="baseline"),
        ]
    )
    assert {name: (s.subject, s.timepoint) for name, s in found.items()} == {
        "a": ("a", "1"),
        "b": ("a", "2"),
        "c": ("a", "3"),
        "d": ("d", ""),
        "e": ("e", ""),
        "f": ("f", "baseline"),
    }


def test_a_manifest_s_patients_and_time_points_reach_every_book(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("a", "b", "c"):
        pet_in(tmp_path / name)
    table = tmp_path / "trial.csv"
    table.write_text(
        "Case;PET;Patient;Timepoint;weight_kg\n"
        "one;a;=P1;baseline;70,5\ntwo;b;=P1;interim;\nthree;c;P2;;\n"
    )
    out = tmp_path / "out"
    assert main(["predict", str(table), "--model", "hotspot", "-o", str(out)]) == 0
    assert "cases.csv" in capsys.readouterr().err
    book = rows_of(out / "cases.csv")
    assert [(r["case"], r["patient_id"], r["timepoint"], r["subject"]) for r in book] == [
        ("one", "'=P1", "baseline", "one"),
        ("three", "P2", "", "three"),
        ("two", "'=P1", "interim", "one"),
    ]
    assert book[0]["source"] == str(tmp_path / "a" / "pet.nii.gz")
    assert stat.S_IMODE((out / "cases.csv").stat().st_mode) == 0o600
    summary = {(r["case"], r["method"]): r for r in rows_of(out / "summary.csv")}
    assert summary["two", "41"]["subject"] == "one"
    assert summary["two", "41"]["timepoint"] == "interim"
    assert "P1" not in (out / "summary.csv").read_text()
    record = read_case(out / "one").record
    assert record.study.timepoint == "baseline"
    assert record.patient.id == "=P1"
    assert record.overrides == {"weight_kg": 70.5}
    assert read_case(out / "two").record.overrides == {}
    assert main(["report", str(out), "-o", str(tmp_path / "report"), "--json"]) == 0
    described = json.loads(capsys.readouterr().out)
    assert (described["n"], described["patients"]) == (3, 2)
    assert [r["timepoint"] for r in rows_of(tmp_path / "report" / "patients.csv")] == [
        "baseline",
        "",
        "interim",
    ]


def test_a_decision_keeps_the_seat_and_an_old_summary_is_written_anew(tmp_path: Path) -> None:
    record = make_case(tmp_path, "a").record
    make_case(tmp_path, "b")  # P1 as well, of the same day
    write_summary(tmp_path)
    seated = [(r["subject"], r["timepoint"]) for r in rows_of(tmp_path / "summary.csv")[::3]]
    assert seated == [("a", "1"), ("a", "2")]
    update_summary(tmp_path, record)
    assert [r["timepoint"] for r in rows_of(tmp_path / "summary.csv")[::3]] == ["1", "2"]
    (tmp_path / "summary.csv").write_text("case,method,tmtv_ml\nb,41,1\n")
    update_summary(tmp_path, record)
    rows = rows_of(tmp_path / "summary.csv")
    assert [r["case"] for r in rows[::3]] == ["a", "b"]
    assert all(float(r["tlg_g"]) > 0 for r in rows)


def test_the_log_says_what_was_asked_and_what_became_of_each(tmp_path: Path) -> None:
    pet_in(tmp_path / "in" / "good")
    (tmp_path / "in" / "bad").mkdir()
    (tmp_path / "in" / "bad" / "pet.nii.gz").write_bytes(b"no image")
    (tmp_path / "in" / "note.txt").write_text("hello")
    out = tmp_path / "out"
    assert main(["predict", str(tmp_path / "in"), "--model", "hotspot", "-o", str(out)]) == 1
    (path,) = (out / "runs").iterdir()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    lines = [json.loads(line) for line in path.read_text("utf-8").splitlines()]
    assert lines[0]["schema"] == "tmtv.run/1"
    assert lines[0]["options"]["model"] == "hotspot"
    assert lines[0]["options"]["studies"] == [str(tmp_path / "in")]
    assert {line.get("state") for line in lines[2:-1]} == {"done", "failed", "left over"}
    assert lines[-1]["ended"] == "done"
    assert (lines[-1]["done"], lines[-1]["failed"], lines[-1]["left over"]) == (1, 1, 1)


def test_a_log_s_line_is_one_line_whatever_a_file_says(tmp_path: Path) -> None:
    log = RunLog(tmp_path / "out", {"studies": [Path("a\nb\x1b[31m")]})
    log.close({"done": 0})
    assert len(log.path.read_text("utf-8").splitlines()) == 2
    assert "\\u001b" not in log.path.read_text("utf-8")


def test_retry_takes_what_failed_and_nothing_else(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("a", "b"):
        pet_in(tmp_path / "in" / name)
    good = (tmp_path / "in" / "b" / "pet.nii.gz").read_bytes()
    (tmp_path / "in" / "b" / "pet.nii.gz").write_bytes(b"no image")
    asked = ["predict", "in", "--model", "hotspot", "-o", "out", "--json"]
    monkeypatch.chdir(tmp_path)
    assert main(asked) == 1
    pet_in(tmp_path / "in" / "new")
    (tmp_path / "in" / "b" / "pet.nii.gz").write_bytes(good)
    capsys.readouterr()
    assert main([*asked[:1], str(tmp_path / "in"), *asked[2:], "--retry"]) == 0
    captured = capsys.readouterr()
    assert [json.loads(line)["case"] for line in captured.out.splitlines()] == ["b"]
    assert "1 of 3 studies failed before" in captured.err
    assert not (tmp_path / "out" / "failures.csv").exists()
    assert main([*asked, "--retry"]) == 0
    assert capsys.readouterr().out == ""


def failed_in(out: Path) -> list[str]:
    """Names of what `failures.csv` says failed."""
    path = out / "failures.csv"
    if not path.is_file():
        return []
    with path.open(newline="") as stream:
        return [Path(r["path"]).name for r in csv.DictReader(stream) if r["kind"] == "failure"]


def test_a_row_that_was_corrected_is_tried_again(tmp_path: Path) -> None:
    for name in ("a", "b"):
        pet_in(tmp_path / name)
    table, out = tmp_path / "trial.csv", tmp_path / "out"
    asked = ["predict", str(table), "--model", "hotspot", "-q", "-o", str(out)]
    table.write_text("case,pet,weight_kg\none,a,70\ntwo,b,fat\nthree,gone,\n")
    assert main(asked) == 1
    assert failed_in(out) == ["trial.csv:3", "trial.csv:4"]
    table.write_text("case,pet,weight_kg\none,a,70\ntwo,b,71\nthree,gone,\n")
    assert main([*asked, "--retry"]) == 1
    record = json.loads((out / "two" / "case.json").read_text("utf-8"))
    assert record["overrides"] == {"weight_kg": 71.0}
    assert failed_in(out) == ["trial.csv:4"]


def test_what_a_retry_does_not_reach_stays_in_the_books(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("a", "b"):
        pet_in(tmp_path / "in" / name)
        (tmp_path / "in" / name / "pet.nii.gz").write_bytes(b"no image")
    out = tmp_path / "out"
    asked = ["predict", str(tmp_path / "in"), "--model", "hotspot", "-q", "-o", str(out)]
    assert main(asked) == 1
    before = (out / "failures.csv").read_bytes()
    assert before.count(b"failure") == 2
    pet_in(tmp_path / "in" / "b")
    (tmp_path / "in" / "a").rename(tmp_path / "elsewhere")  # nobody has measured it
    capsys.readouterr()
    assert main([*asked, "--retry", "--watch"]) == 2  # which of them?
    assert main([*asked, "--retry"]) == 1
    assert "1 failure of before not tried" in capsys.readouterr().err
    assert (out / "failures.csv").read_bytes().splitlines() == before.splitlines()[:2]
    assert main(asked) == 0  # a whole run tells of what is there
    assert failed_in(out) == []


def test_every_option_may_stand_in_a_file(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    pet_in(tmp_path / "trial" / "in")
    file = tmp_path / "trial" / "batch.toml"
    file.write_text(
        'studies = ["in"]\nout = "results"\nmethod = [41, "otsu", 4.0]\nmodel = "hotspot"\n'
        "weight-kg = 71\nno_image = true\njobs = 2\ninjection-time = 2020-03-01T09:30:00\n"
        'accept = "suv-max"\njson = true\n'
    )
    monkeypatch.chdir(tmp_path)
    assert main(["predict", "--config", str(file)]) == 0
    record = json.loads(capsys.readouterr().out)
    assert list(record["totals"]) == ["41", "otsu", "4.0"]
    assert record["overrides"] == {
        "weight_kg": 71.0,
        "injection_time": "2020-03-01T09:30:00",
        "accepted": ["suv-max"],
    }
    folder = tmp_path / "trial" / "results" / "in"
    assert not (folder / "image.b2nd").exists()
    assert main(["predict", "--config", str(file), "-m", "2.5", "-o", "other"]) == 0
    assert list(json.loads(capsys.readouterr().out)["totals"]) == ["2.5"]
    assert (tmp_path / "other" / "in" / "case.json").is_file()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("out = ", "It should be TOML"),
        ("colour = 'red'", "colour is no option of tmtv predict"),
        ("jobs = 'many'", "--jobs"),
        ("model = ['a', 'b']", "takes one value"),
        ("[out]\na = 1", "out is no option"),
        ("#" * (1 << 20) + "\n", "has more than a mebibyte"),
    ],
)
def test_a_file_that_says_nothing_sensible_is_wrong_usage(
    text: str, said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "x.toml").write_text(text)
    assert main(["predict", "in", "--config", str(tmp_path / "x.toml")]) == 2
    assert said in capsys.readouterr().err


def test_a_study_is_taken_once_its_files_have_come_to_rest(tmp_path: Path) -> None:
    now, folder, out = [0.0], tmp_path / "in", tmp_path / "out"
    pet_in(folder / "a")
    steps = []

    def sleep(seconds: float) -> None:
        now[0] += seconds
        steps.append(now[0])
        if now[0] == 5.0:
            (folder / "a" / "late.txt").write_text("more")
        if now[0] == 20.0:
            pet_in(folder / "b")
        if now[0] > 60:
            raise KeyboardInterrupt

    found: list[tuple[float, list[str]]] = []
    looks = []

    def look() -> Any:
        looks.append(now[0])
        return take_stock([folder], without=[out])

    watching = arrivals([folder], look, 10.0, without=[out], clock=lambda: now[0], sleep=sleep)
    with contextlib.suppress(KeyboardInterrupt):
        for stock in watching:
            found.append((now[0], [s.case for s in stock.studies]))
    assert found == [(15.0, ["a"]), (30.0, ["b"])]
    assert len(looks) <= 4


def test_the_time_left_does_not_count_what_failed(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [100.0]
    monkeypatch.setattr("tmtv_tui.cli.console.time.monotonic", lambda: now[0])
    progress = console.Progress(10)
    for seconds, made in ((1.0, False), (60.0, True), (0.5, False), (40.0, True)):
        now[0] += seconds
        progress.case_done(made)
    assert progress._left() == "  about 5:00 left"  # six more of 50 s


def _predicting(tmp_path: Path, code: str, *more: str) -> subprocess.Popen[str]:
    for k in range(6):
        pet_in(tmp_path / "in" / f"p{k}")
    return subprocess.Popen(
        [sys.executable, "-c", code, "predict", str(tmp_path / "in"), "-o", str(tmp_path / "out"),
         "--model", "hotspot", *more],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # a job's is ignored
    )  # fmt: skip


DEAF = """
import sys, time
import numpy
from tmtv_engine.batch import one
noise = numpy.random.default_rng(0).random(4_000_000)
real = one.run_case
def slow(study, finder, config):
    if study.case >= "p2":
        print("busy", file=sys.stderr, flush=True)
        end = time.monotonic() + 60
        while time.monotonic() < end:
            numpy.sort(noise)  # outside Python's lock, as filters and networks are
    return real(study, finder, config)
one.run_case = slow
from tmtv_tui.cli.app import main
sys.exit(main())
"""


@pytest.mark.parametrize("jobs", ["1", "2"])
def test_ctrl_c_is_heard_within_two_seconds_and_tells_what_is_done(
    jobs: str, tmp_path: Path
) -> None:
    child = _predicting(tmp_path, DEAF, "--jobs", jobs)
    assert child.stderr is not None
    line = "begun"
    while "busy" not in line:
        assert line, "the child has ended"
        line = child.stderr.readline()
    until = time.monotonic() + 30
    while not (tmp_path / "out" / "p1" / "case.json").is_file() and time.monotonic() < until:
        time.sleep(0.1)
    time.sleep(1.0)
    begun = time.monotonic()
    child.send_signal(signal.SIGINT)
    out, err = child.communicate(timeout=30)
    assert time.monotonic() - begun < 2.0
    assert child.returncode == 130
    done = [line.split("\t")[:2] for line in out.splitlines()[1:]]
    assert ["p0", "41"] in done
    assert ["p1", "4.0"] in done
    assert "stopped: 4 studies not done" in err
    assert "2 done, 0 failed, 0 already there" in err.splitlines()[-1]
    assert "Traceback" not in err
    (log,) = (tmp_path / "out" / "runs").iterdir()
    assert json.loads(log.read_text().splitlines()[-1])["ended"] == "stopped"
    assert {r["case"] for r in rows_of(tmp_path / "out" / "cases.csv")} == {"p0", "p1"}
    asked = ["predict", str(tmp_path / "in"), "-o", str(tmp_path / "out"), "--model", "hotspot"]
    assert main(asked) == 0
    assert not list((tmp_path / "out").glob(".*.part"))


def test_a_watch_ends_by_ctrl_c_with_its_table(tmp_path: Path) -> None:
    code = "import sys\nfrom tmtv_tui.cli.app import main\nsys.exit(main())"
    child = _predicting(tmp_path, code, "--watch", "--settle", "0.4")
    late = tmp_path / "in" / "late"
    until = time.monotonic() + 60
    while not (tmp_path / "out" / "p5" / "case.json").is_file():
        assert time.monotonic() < until
        time.sleep(0.1)
    pet_in(late)
    while not (tmp_path / "out" / "late" / "case.json").is_file():
        assert time.monotonic() < until
        time.sleep(0.1)
    time.sleep(1.0)
    child.send_signal(signal.SIGINT)
    _, err = child.communicate(timeout=30)
    assert child.returncode == 130
    assert "7 done, 0 failed, 0 already there, 0 left over" in err.splitlines()[-1]
