"""The CT of a case without `ct.b2nd`: read anew from its files, the same values or a word."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from threading import Event
from typing import Any

import numpy as np
import pytest

from tests.support.drive import opened, running, settle, text_of, until
from tmtv_engine.case.folder import Case, read_case
from tmtv_engine.errors import CaseError
from tmtv_engine.image.volume import Unit, Volume
from tmtv_engine.model.registry import Model
from tmtv_engine.review.asked import ask
from tmtv_engine.review.ct import source_ct
from tmtv_engine.review.session import Session
from tmtv_tui.cli.app import main

KINDS = ["dicom", "nifti"]


def predict(source: Path, out: Path, *more: str) -> Case:
    asked = ["predict", str(source), "--model", "hotspot", "-o", str(out), "-q", *more]
    assert main(asked) == 0
    (found,) = out.glob("*/case.json")
    return read_case(found)


@pytest.fixture(scope="module")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Digital patient 3 in coarse voxels, as DICOM and as NIfTI, each with its whole case."""
    top = tmp_path_factory.mktemp("drawn")
    for kind in KINDS:
        words = ["--seed", "3", "--spacing-mm", "12", "--format", kind, "-q"]
        assert main(["phantom", str(top / kind), *words]) == 0
        source = top / kind / "manifest.csv" if kind == "nifti" else top / kind
        predict(source, top / f"whole-{kind}")
    return top


def whole(drawn: Path, kind: str) -> Case:
    (found,) = (drawn / f"whole-{kind}").glob("*/case.json")
    return read_case(found)


def copied(drawn: Path, kind: str, place: Path) -> Case:
    """The same patient in a folder of its own, predicted without images."""
    shutil.copytree(drawn / kind, place / "in")
    source = place / "in" / "manifest.csv" if kind == "nifti" else place / "in"
    case = predict(source, place / "out", "--no-image")
    assert case.ct() is None
    return case


@pytest.mark.parametrize("kind", KINDS)
def test_the_ct_is_that_of_a_case_that_keeps_it(drawn: Path, tmp_path: Path, kind: str) -> None:
    kept = whole(drawn, kind).ct()
    assert kept is not None
    told: list[str] = []
    found = source_ct(copied(drawn, kind, tmp_path), told.append)
    assert found.unit is Unit.HU
    assert found.grid.matches(kept.grid)
    assert np.ptp(kept.volume().array) > 1000
    assert (found.array == kept.volume().array).all()
    assert len(told) == 1
    assert str(tmp_path / "in") in told[0]


@pytest.mark.parametrize("kind", KINDS)
def test_an_interactive_model_is_asked_with_it(drawn: Path, tmp_path: Path, kind: str) -> None:
    kept, case = whole(drawn, kind).ct(), copied(drawn, kind, tmp_path)
    seen: list[Any] = []

    def answer(suv: Volume, ct: Any, clicks: Any, stop: Any) -> Volume:
        seen.append(ct)
        return Volume(np.ones(suv.grid.shape, np.float32), suv.grid, Unit.PROBABILITY)

    record = {"name": "clicker", "sha256": "ab" * 32}
    session, voxels = Session(case, "AB"), case.voxels()
    index = np.unravel_index(voxels.voxels[0], voxels.grid.shape)
    x, y, z = (float(v) for v in voxels.grid.to_mm(index))
    with pytest.warns(UserWarning, match="names"):
        ask(session, Model(None, record, ask=answer), (x, y, z), within_mm=5.0)
    assert kept is not None
    assert (seen[0].array == kept.volume().array).all()
    assert (seen[0].unit, seen[0].grid.matches(kept.grid)) == (Unit.HU, True)


@pytest.mark.parametrize("kind", KINDS)
def test_files_that_are_gone_or_others_are_refused(drawn: Path, tmp_path: Path, kind: str) -> None:
    case = copied(drawn, kind, tmp_path)
    last = Path(case.source()["inputs"][-1])
    before = last.read_bytes()
    last.write_bytes(before[:-2] + bytes(2 if before[-2:] != bytes(2) else 1))
    with pytest.raises(CaseError, match="not those that the case was made from"):
        source_ct(case)
    last.unlink()
    with pytest.raises(CaseError, match="no longer there"):
        source_ct(case)


def test_of_an_older_case_the_folder_is_searched(drawn: Path, tmp_path: Path) -> None:
    """One that names no inputs: the series is found by its UID, or that is said."""
    case = copied(drawn, "dicom", tmp_path)
    place = case.path / "source.json"
    source = json.loads(place.read_text("utf-8"))
    del source["inputs"]
    top = tmp_path / "in"
    source["ct"]["folder"] = str(top)
    place.write_text(json.dumps(source), "utf-8")
    kept = whole(drawn, "dicom").ct()
    assert kept is not None
    assert (source_ct(case).array == kept.volume().array).all()
    ct = Path(whole(drawn, "dicom").source()["inputs"][-1]).parent
    shutil.rmtree(top / ct.relative_to(drawn / "dicom"))
    with pytest.raises(CaseError, match="the series of the CT is not there"):
        source_ct(case)
    shutil.rmtree(top)
    with pytest.raises(CaseError, match="nothing of the CT is there"):
        source_ct(case)
    top.mkdir()
    with pytest.raises(CaseError, match="nothing of the CT is there"):
        source_ct(case)


def test_an_image_without_a_path_is_said(drawn: Path, tmp_path: Path) -> None:
    case = copied(drawn, "nifti", tmp_path)
    place = case.path / "source.json"
    source = json.loads(place.read_text("utf-8"))
    del source["inputs"]
    place.write_text(json.dumps(source), "utf-8")
    with pytest.raises(CaseError, match="does not say where its CT lies"):
        source_ct(case)


@pytest.mark.parametrize("blind", [False, True])
async def test_the_key_reads_it_or_says_why_not(drawn: Path, tmp_path: Path, blind: bool) -> None:
    case = copied(drawn, "dicom", tmp_path)
    kept = whole(drawn, "dicom").ct()
    assert kept is not None
    (tmp_path / "in").rename(tmp_path / "gone")
    async with running(tmp_path / "out", (160, 50), blind=blind) as (app, pilot):
        screen = await opened(app, pilot)
        await pilot.press("i")
        await until(pilot, lambda: screen.images)
        await settle(app, pilot)
        await pilot.press("C")
        await settle(app, pilot)
        told = [notice.message for notice in app._notifications]
        assert "No CT is kept in this case" in told[-1]
        assert ("no longer there" in told[-1]) is not blind
        assert not any(blind and case.name in text for text in told)
        assert str(screen.shown) == "pet"
        (tmp_path / "gone").rename(tmp_path / "in")
        await pilot.press("C")
        await settle(app, pilot)
        assert any("reading the CT" in n.message for n in app._notifications)
        assert str(screen.shown) == "beside"
        assert screen.images is not None
        assert screen.cursor is not None
        for axis, at in enumerate(screen.cursor.index):
            plane = np.take(kept.volume().array, at, axis=axis)
            assert (screen.images.read("ct", axis, at) == plane).all()
        z, y, x = screen.cursor.index
        assert f"HU {kept.volume().array[z, y, x]:.0f}" in text_of(app)


async def test_keys_go_on_while_it_is_read(
    drawn: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    copied(drawn, "dicom", tmp_path)
    go = Event()

    def late(case: Case, say: Callable[[str], None]) -> Volume:
        found = source_ct(case, say)
        assert go.wait(60)
        return found

    monkeypatch.setattr("tmtv_engine.review.ct.source_ct", late)
    async with running(tmp_path / "out", (160, 50)) as (app, pilot):
        screen = await opened(app, pilot)
        await pilot.press("i")
        await until(pilot, lambda: screen.images)
        await settle(app, pilot)
        await pilot.press("C", "greater_than_sign", "C")
        try:
            assert screen.cursor is not None
            before = screen.cursor.index
            await pilot.press("greater_than_sign")
            await until(pilot, lambda: screen.cursor and screen.cursor.index != before)
            assert str(screen.shown) == "pet"
            assert [n.message for n in app._notifications].count("reading the CT …") == 1
        finally:
            go.set()
        await settle(app, pilot)
        assert str(screen.shown) == "beside"
