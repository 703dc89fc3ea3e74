"""Sixty folders of everything that is sent: each is accounted for, by name and by number."""

from __future__ import annotations

import csv
import json
import stat
from collections import defaultdict
from pathlib import Path

import pytest

from tests.support.sixty import ENTRIES, write_sixty
from tmtv_engine.text import cell_text, clean
from tmtv_tui.cli.app import main

Rows = list[dict[str, str]]


def rows_of(path: Path) -> Rows:
    return list(csv.DictReader(path.read_text("utf-8").splitlines()))


def by_entry(rows: Rows, column: str, root: Path) -> dict[str, Rows]:
    """Rows by the entry below which their path lies."""
    found = defaultdict(list)
    for row in rows:
        place = Path(cell_text(row[column])).relative_to(root)
        found[place.parts[0]].append(row)
    return found


def accounted(path: Path, sources: set[str], places: set[Path]) -> bool:
    """Whether a file is what a case was made from, or lies in a row's path, or is a zip of such."""
    known = any(p in places for p in (path, *path.parents))
    return known or any(s == str(path) or s.startswith(f"{path}/") for s in sources)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:Found unknown escape sequence")
def test_every_one_of_sixty_folders_is_accounted_for(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root, out = write_sixty(tmp_path / "in"), tmp_path / "out"
    assert len(list(root.iterdir())) == len(ENTRIES) == 60
    asked = ["predict", str(root), "--model", "hotspot", "-o", str(out), "--no-image"]
    assert main(asked) == 1
    told = capsys.readouterr()
    assert "\x1b" not in told.out + told.err
    assert "Traceback" not in told.err

    cases, said = rows_of(out / "cases.csv"), rows_of(out / "failures.csv")
    made = by_entry(cases, "source", root)
    failed = by_entry([r for r in said if r["kind"] == "failure"], "path", root)
    left = by_entry([r for r in said if r["kind"] == "leftover"], "path", root)
    for entry in ENTRIES:
        name = clean(entry.name, 200)
        assert len(made[name]) == entry.cases, name
        assert len(failed[name]) == len(entry.failures), name
        for row, words in zip(failed[name], entry.failures, strict=True):
            assert words in f"{row['what']} {row['tag']} {row['path']}", name
            assert row["way_out"], name
        whys = [row["why"] if "why" in row else row["what"] for row in left[name]]
        assert all(any(words in why for words in entry.leftovers) for why in whys), name
        assert all(any(words in why for why in whys) for words in entry.leftovers), name

    done, n_failed = sum(e.cases for e in ENTRIES), sum(len(e.failures) for e in ENTRIES)
    n_left = sum(map(len, left.values()))
    assert (len(cases), n_failed) == (done, 22) == (32, 22)
    assert told.err.splitlines()[-1].startswith(
        f"{done} done, {n_failed} failed, 0 already there, {n_left} left over ("
    )
    for name in ("cases.csv", "failures.csv"):
        assert stat.S_IMODE((out / name).stat().st_mode) == 0o600
    assert {r["case"] for r in cases} == {p.parent.name for p in out.glob("*/case.json")}
    twice = [r for r in cases if "15-two-time-points" in r["source"]]
    assert sorted((r["timepoint"], r["study_date"]) for r in twice) == [
        ("1", "20200101"),
        ("2", "20200401"),
    ]
    assert len({r["subject"] for r in twice}) == 1

    sources = {
        str(name)
        for case in out.glob("*/source.json")
        for name in json.loads(case.read_text("utf-8"))["inputs"]
    }
    places = {Path(cell_text(row["path"])) for row in said}
    for path in root.rglob("*"):
        if path.is_file() and not path.is_symlink() and "\x1b" not in str(path):
            copied = path.name.startswith("copy-")  # the case warns of copies
            assert accounted(path, sources, places) or copied, path

    assert main(asked) == 1
    again = capsys.readouterr().err.splitlines()[-1]
    assert again.startswith(f"0 done, {n_failed} failed, {done} already there, {n_left} left over")
    assert rows_of(out / "failures.csv") == said
    assert rows_of(out / "cases.csv") == cases
    assert main([*asked, "--retry"]) == 1
    tried = capsys.readouterr().err
    assert "studies failed before and are tried again" in tried
