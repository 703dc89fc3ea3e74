"""What is promised to older files (docs/releasing.md), by a folder that version 0.1.0 wrote.

`tests/golden/version-0.1` was made on a NIfTI by the code of 24 November 2026: predicted, split,
rejected and signed by AB, read by CD, before lines of a journal named their case.
"""

from __future__ import annotations

import csv
import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from tmtv_engine.case.folder import read_case
from tmtv_engine.review.reading import reading_of
from tmtv_engine.review.verify import verify
from tmtv_tui.cli.app import main
from tmtv_tui.review.opened import Opened

GOLDEN = Path(__file__).resolve().parents[1] / "golden" / "version-0.1"
KEYS = ("id", "status", "voxels")
OLD: dict[str, Any] = json.loads((GOLDEN / "old-1" / "case.json").read_text("utf-8"))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    shutil.copytree(GOLDEN, tmp_path / "out")
    return tmp_path / "out" / "old-1"


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


def test_every_number_is_read_as_it_was_written(folder: Path) -> None:
    assert (OLD["provenance"]["tmtv"], OLD["schema"]) == ("0.1.0", "tmtv.case/1")
    record = read_case(folder).record
    assert list(record.totals) == ["41", "2.5", "a50p"]
    for key, sums in OLD["totals"].items():
        assert {k: getattr(record.totals[key], k) for k in sums} == sums
    for lesion, old in zip(record.lesions, OLD["lesions"], strict=True):
        assert (lesion.id, lesion.status, lesion.voxels) == (
            old["id"],
            old["status"],
            old["voxels"],
        )
        for key, cut in old["methods"].items():
            assert {k: getattr(lesion.methods[key], k) for k in cut} == cut


def test_old_lines_replay_to_the_state_and_the_totals_that_were_signed(folder: Path) -> None:
    case = read_case(folder)
    theirs = reading_of(case, "AB")
    assert theirs.signed == OLD["review"]["signed"]
    assert dict(theirs.splits) == {1: (3, 4)}
    assert {n: str(s) for n, s in theirs.status.items()} == {
        2: "accepted",
        3: "accepted",
        4: "rejected",
    }
    assert reading_of(case, "CD").reasons == {2: "brown fat"}
    shown = Opened.of(folder, "AB")
    volume, tlg, lesions = shown.table.total("41", shown.reading.accepted)
    told = OLD["totals"]["41"]
    assert (volume, tlg) == pytest.approx((told["tmtv_ml"], told["tlg_g"]), rel=1e-12)
    assert lesions == told["lesions"]


def test_it_is_verified_and_what_cannot_be_is_said(folder: Path) -> None:
    found = verify(folder)
    assert {f.state for f in found} <= {"ok", "unverified"}
    unbound = [f for f in found if f.state == "unverified" and "unbound" in f.detail]
    assert {f.what for f in unbound} == {"review/AB.jsonl", "review/CD.jsonl"}


def test_it_is_exported_reported_and_read_on(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = (folder / "review" / "AB.jsonl").read_bytes()
    assert main(["export", str(folder), "--write", "nifti,csv,page"]) == 0
    written, old = rows(folder / "export" / "lesions.csv"), rows(GOLDEN / "old-1" / "lesions.csv")
    assert [row["status"] for row in written] == [row["status"] for row in OLD["lesions"]]
    assert {*old[0]} <= {*written[0]}  # columns are added, never renamed
    (kept,) = (row for row in written if row["id"] == "2")
    (told,) = (row for row in old if row["id"] == "2")
    for column, cell in told.items():  # numbers have fewer digits now
        same = pytest.approx(float(cell), rel=1e-5) if cell[-1:].isdigit() else cell
        assert (float(kept[column]) if cell[-1:].isdigit() else kept[column]) == same, column
    assert main(["report", str(folder.parent), "-o", str(folder.parent / "report")]) == 0
    assert main(["reject", str(folder), "3", "--reader", "EF", "--reason", "heart"]) == 2
    assert "lesion 3" in capsys.readouterr().err  # EF has split nothing
    assert main(["reject", str(folder), "1", "--reader", "EF", "--reason", "heart"]) == 0
    assert (folder / "review" / "AB.jsonl").read_bytes() == before
    assert main(["verify", str(folder.parent)]) == 0
    (row,) = (r for r in rows(folder.parent / "summary.csv") if r["method"] == "2.5")
    assert float(row["tmtv_ml"]) == pytest.approx(OLD["totals"]["2.5"]["tmtv_ml"], rel=1e-5)
