"""Text in exported objects: names of any script, hostile headers, nothing of this machine."""

from __future__ import annotations

import getpass
import socket
import warnings
from pathlib import Path

import pytest
from pydicom import dcmread
from pydicom.dataset import Dataset

from tests.support.exports import errors_of, small_case
from tmtv_engine.case.folder import read_case
from tmtv_engine.export.job import fitting
from tmtv_engine.export.objects import write_objects
from tmtv_engine.review.journal import Decision
from tmtv_engine.review.session import record

OBJECTS = ["seg", "sr", "rtstruct", "mip"]


def test_names_of_any_script_arrive(tmp_path: Path) -> None:
    def bend(_: int, ds: Dataset) -> None:
        ds.SpecificCharacterSet = "ISO_IR 192"
        ds.PatientName, ds.StudyID = "Müller^Jörg=山田^太郎", "ß1"
        ds.ReferringPhysicianName = "Łukasz^Żak"

    written = write_objects(small_case(tmp_path, bend=bend), OBJECTS)
    for path in written:
        dataset = dcmread(path)
        assert dataset.PatientName == "Müller^Jörg=山田^太郎"
        assert (dataset.ReferringPhysicianName, dataset.StudyID) == ("Łukasz^Żak", "ß1")
    assert {p.name: errors_of(p) for p in written} == {p.name: [] for p in written}


def _hostile(_: int, ds: Dataset) -> None:
    ds.SpecificCharacterSet = "ISO_IR 192"
    ds.PatientName = "Evil\x07^[@click.app]\x08" + "x" * 90
    ds.PatientID, ds.AccessionNumber = "A\x07B", "9" * 20
    ds.PatientSex, ds.PatientBirthDate, ds.StudyTime = "male", "1950-1-1", "25:99"
    ds.Manufacturer, ds.PositionReferenceIndicator = "GE\x9b31m", "\x1b]0;owned\x07"
    ds.StudyID, ds.ReferringPhysicianName = "i" * 40, "\x1b[2J"
    ds.SliceThickness = "3.27000000000000001"
    ds.PixelSpacing = ["4.00000000000000017", "2.00000000000000012"]


def test_hostile_headers_leave_clean_and_break_nothing(tmp_path: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of writing the source
        case = small_case(tmp_path, bend=_hostile)
    written = write_objects(case, OBJECTS)
    for path in written:
        dataset = dcmread(path)
        texts = [str(e.value) for e in dataset.iterall() if e.VR in ("PN", "LO", "SH", "LT", "UT")]
        assert not [t for t in texts if any(ord(c) < 32 or 127 <= ord(c) < 160 for c in t)]
        assert (dataset.PatientID, dataset.AccessionNumber) == ("AB", "9" * 16)
        assert (dataset.PatientSex, dataset.PatientBirthDate, dataset.StudyTime) == ("", "", "")
    assert {p.name: errors_of(p) for p in written} == {p.name: [] for p in written}


def test_nothing_of_this_machine_leaves(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(socket, "gethostname", lambda: "host-xyzzy")
    monkeypatch.setattr(getpass, "getuser", lambda: "user-xyzzy")
    case = small_case(tmp_path)
    record(case, Decision("reject", (2,), reason="reason-xyzzy"), "AB")
    record(case, Decision("note", (), text="note-xyzzy"), "AB")
    for path in write_objects(read_case(case.path), OBJECTS):
        data = path.read_bytes()
        assert b"xyzzy" not in data
        assert str(tmp_path).encode() not in data
        assert tmp_path.name.encode() not in data


def test_a_text_is_made_to_fit_its_place() -> None:
    assert fitting("PatientBirthDate", "19500230") == ""
    assert fitting("PatientBirthDate", "19500228") == "19500228"
    assert fitting("StudyTime", "235959.123456") == "235959.123456"
    assert fitting("StudyTime", "24") == ""
    assert fitting("PatientSex", "O") == "O"
    assert fitting("StudyID", "a\\b" + "c" * 20) == "a b" + "c" * 13
    assert fitting("PatientName", "a" * 80 + "=" + "b" * 80) == "a" * 64 + "=" + "b" * 64
