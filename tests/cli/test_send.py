"""``tmtv export`` and ``tmtv send`` to a real Orthanc: every object arrives as it was written."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pydicom
import pytest

from tests.support.dicom import SHAPE, write_series
from tests.support.exports import finder_of
from tests.support.orthanc import orthanc
from tmtv_engine.case.folder import Case
from tmtv_engine.lesion.methods import parse_method
from tmtv_engine.pipeline import CaseConfig, run_case
from tmtv_engine.study.find import Study, find_studies
from tmtv_tui.cli.app import main

OBJECTS = ["mip", "rtstruct_raw", "seg_raw", "sr"]


@pytest.fixture
def case(tmp_path: Path) -> Case:
    """Two lesions in a small PET, exported as SEG, SR, RTSTRUCT and MIP."""
    write_series(tmp_path / "dicom")
    (study,) = find_studies(tmp_path / "dicom")
    assert isinstance(study, Study)
    labels = np.zeros(SHAPE, np.uint16)
    labels[1:4, 2:7, 2:8], labels[4:6, 8:10, 9:12] = 1, 2

    case = run_case(study, finder_of(labels), CaseConfig(tmp_path / "out", (parse_method("raw"),)))
    assert main(["export", str(case.path), "--write", "seg,sr,rtstruct,mip"]) == 0
    return case


@pytest.mark.parametrize("way", ["node", "web"])
def test_every_exported_object_arrives_as_it_was_written(
    case: Case, tmp_path: Path, capsys: pytest.CaptureFixture[str], way: str
) -> None:
    capsys.readouterr()
    with orthanc(tmp_path / "orthanc") as pacs:
        to = getattr(pacs, way)
        assert main(["send", str(tmp_path / "out"), "--to", to, "--json"]) == 0
        told = capsys.readouterr()
        held = pacs.datasets()
        assert main(["send", str(case.path), "--to", to, "-q"]) == 0
    lines = [json.loads(line) for line in told.out.splitlines()]
    assert [(x["file"], x["outcome"]) for x in lines] == [
        (f"export/{name}.dcm", "taken") for name in OBJECTS
    ]
    assert told.err == "4 sent, 0 sent before, 0 refused\n"
    again = capsys.readouterr()
    assert again.err == ""
    assert again.out.splitlines() == [
        f"{case.name}\texport/{name}.dcm\talready" for name in OBJECTS
    ]
    for line in lines:
        assert held[line["sop_instance_uid"]] == pydicom.dcmread(case.path / line["file"])


def test_refusals_and_what_is_out_of_date_are_told(
    case: Case, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (case.path / "export" / "torn.dcm").write_bytes(b"\x00" * 200)
    main(["reject", str(case.path), "2", "--reader", "AB"])
    capsys.readouterr()
    with orthanc(tmp_path / "orthanc") as pacs:
        assert main(["send", str(case.path), "--to", pacs.web]) == 1
    told = capsys.readouterr().err
    for name in OBJECTS:
        assert f"{case.name}/{name}.dcm is from an earlier reading: export anew" in told
    assert f"refused: {case.name}/export/torn.dcm: torn.dcm is no DICOM file" in told
    assert "4 sent, 0 sent before, 1 refused" in told


def test_wrong_usage(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "out").mkdir()
    for words in (
        ["--to", "nowhere"],
        ["--to", "https://ann:secret@pacs/dicom-web"],
        ["--to", "A@h:104", "--ca", "x.pem"],
        ["--to", "A@h:104", "--aet", "MUCH TOO LONG A NAME"],
        ["--to", "A@h:104"],
    ):
        assert main(["send", str(tmp_path / "out"), *words]) == 2
    assert "secret" not in capsys.readouterr().err
    assert main(["send", "--help"]) == 0
    assert "tmtv send results --to" in capsys.readouterr().out
    assert main(["import", "--help"]) == 0
    assert "tmtv import results/case-1" in capsys.readouterr().out


def test_a_secret_in_the_clear_is_warned_of(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from tmtv_tui.cli.pacs import in_clear

    assert not in_clear("http://pacs/dicom-web")
    monkeypatch.setenv("TMTV_TOKEN", "abc")
    assert in_clear("HTTP://pacs/dicom-web")
    assert not in_clear("https://pacs/dicom-web")
    assert not in_clear("http://127.0.0.1:8042/dicom-web")
