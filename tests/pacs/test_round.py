"""The round of a trial with a real Orthanc: fetch, predict, review by script, export, send."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pydicom
import pytest

from tests.support.dicom import write_series
from tests.support.orthanc import free_port, orthanc
from tmtv_tui.cli.app import main

SEG, SR = "1.2.840.10008.5.1.4.1.1.66.4", "1.2.840.10008.5.1.4.1.1.88.34"


def study(folder: Path) -> list[Path]:
    """PET with two hot spots (SUV 6 and 9) in warm tissue, and its CT."""
    counts = np.full((12, 20, 22), 2400, np.int16)  # SUV 1 is about 2,400 Bq/mL there
    counts[1:6, 4:10, 5:11] = 15000
    counts[6:10, 11:18, 13:19] = 22000
    air = np.zeros_like(counts)
    return [*write_series(folder / "pet", counts), *write_series(
        folder / "ct", air, modality="CT", series="1.2.3.5"
    )]  # fmt: skip


@pytest.mark.parametrize("way", ["get", "move", "web"])
def test_the_round(tmp_path: Path, capsys: pytest.CaptureFixture[str], way: str) -> None:
    port, studies, out = free_port(), str(tmp_path / "studies"), str(tmp_path / "out")
    known = {"us": ["TMTV", "127.0.0.1", port]}
    with orthanc(tmp_path / "o", DicomModalities=known) as pacs:
        pacs.put(*study(tmp_path / "made"))
        to = pacs.web if way == "web" else pacs.node
        words = ["fetch", "--from", to, "--patient-id", "T1", "-o", studies]
        fetch = words + (["--move", str(port)] if way == "move" else [])
        assert main(fetch) == 0
        told = capsys.readouterr()
        assert told.out.split("\t")[1:] == ["fetched", "24", "0\n"]
        assert told.err == f"1 fetched, 0 already there, 0 without a PET, 0 failed ({studies})\n"

        predict = ["predict", studies, "--model", "hotspot", "-o", out]
        assert main(predict) == 0
        assert "1 done, 0 failed, 0 already there, 0 left over" in capsys.readouterr().err
        (case,) = (p.parent for p in Path(out).glob("*/case.json"))
        before = json.loads((case / "case.json").read_text())
        assert [x["status"] for x in before["lesions"]] == ["accepted"] * 2
        hot = max(before["lesions"], key=lambda x: x["suv_max"])
        assert main(["reject", str(case), str(hot["id"]), "--reader", "AB"]) == 0
        assert main(["sign", str(case), "--reader", "AB"]) == 0
        record = json.loads((case / "case.json").read_text())
        assert record["totals"]["41"]["lesions"] == 1

        assert main(["export", str(case), "--write", "seg,sr"]) == 0
        assert main(["send", out, "--to", to]) == 0
        files = sorted((case / "export").glob("*.dcm"))
        held = pacs.datasets()
        for path in files:
            sent = pydicom.dcmread(path)
            assert held[str(sent.SOPInstanceUID)] == sent
            assert sent.StudyInstanceUID == "1.2.3"
        kinds = [str(x.SOPClassUID) for x in held.values()]
        assert (kinds.count(SEG), kinds.count(SR)) == (3, 1)
        segments = [x for x in held.values() if x.SOPClassUID == SEG]
        assert {len(x.SegmentSequence) for x in segments} == {1}

        capsys.readouterr()
        assert main(fetch) == 0  # its ROIs come back, nothing else, and change no case
        assert capsys.readouterr().out.split("\t")[1:] == ["fetched", "3", "24\n"]
        assert main(predict) == 0
        assert "0 done, 0 failed, 1 already there, 3 left over" in capsys.readouterr().err
        assert main(["verify", out]) == 0


def test_wrong_usage_and_nothing_found(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for words in (
        ["--from", "A@h:104"],
        ["--from", "nowhere", "--patient-id", "T1"],
        ["--from", "https://ann:secret@h/x", "--patient-id", "T1"],
        ["--from", "https://h/x", "--patient-id", "T1", "--move", "4243"],
        ["--from", "A@h:104", "--patient-id", "T1", "--ca", "x.pem"],
        ["--from", "A@h:104", "--patient-id", "T1", "--move", "0"],
        ["--from", "A@h:104", "--study-date", "yesterday"],
    ):
        assert main(["fetch", *words, "-o", str(tmp_path / "in")]) == 2
    told = capsys.readouterr().err
    assert "--from: a URL with a password" in told
    assert "secret" not in told
    assert not (tmp_path / "in").exists()
    asked = ["--patient-id", "T1", "-o", str(tmp_path / "in")]
    assert main(["fetch", "--from", f"A@127.0.0.1:{free_port()}", *asked]) == 1
    assert "does not answer" in capsys.readouterr().err
    with orthanc(tmp_path / "o", DicomModalities={"us": ["TMTV", "127.0.0.1", 1]}) as pacs:
        assert main(["fetch", "--from", pacs.node, *asked]) == 1
        assert "no study that was asked for" in capsys.readouterr().err
        assert main(["fetch", "--from", pacs.node, *asked, "--aet", "WHO"]) == 1
        assert "Does it let us ask?" in capsys.readouterr().err
