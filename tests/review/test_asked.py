"""Clicks asked of a model: the answer's voxels, replay without the model, what is refused."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import ndimage

from tests.review.test_repairs import IMAGE, MAP, SPOT_3, failures, mask_of, mm
from tests.support.cases import make_case
from tmtv_engine.case.folder import Case, read_case
from tmtv_engine.errors import CaseError, UsageError
from tmtv_engine.image.volume import Grid, Unit, Volume
from tmtv_engine.lesion.origin import Source
from tmtv_engine.model.clicks import Clicks
from tmtv_engine.model.registry import Model
from tmtv_engine.review.added import kept_added, read_added
from tmtv_engine.review.asked import ask
from tmtv_engine.review.compare import start_from
from tmtv_engine.review.journal import Decision, Journal
from tmtv_engine.review.reading import Reading, reading_of
from tmtv_engine.review.repairs import told
from tmtv_engine.review.session import Session, record
from tmtv_engine.review.verify import verify

FAR = (2, 30, 4)  # background SUV 1: no flood above 2.5 begins there
RNG = np.random.default_rng(3)
CHANCE = np.where(ndimage.gaussian_filter(RNG.normal(size=IMAGE.shape), 1.2) > 0.05, 0.9, 0.1)


def model(chance: Any = CHANCE, seen: list[Any] | None = None) -> Model:
    """Answers with a map of its own, whatever the image."""

    def answer(suv: Volume, ct: Volume | None, clicks: Clicks, stop: Any) -> Volume:
        if seen is not None:
            seen.append((suv, ct, clicks))
        return Volume(np.asarray(chance, np.float32), suv.grid, Unit.PROBABILITY)

    told = {"name": "clicker", "sha256": "ab" * 32}
    return Model(None, told, takes_ct=False, ask=answer)


def expected(at: tuple[int, int, int], within: float, held: Any) -> Any:
    """By scipy: the piece of the answer around a voxel, then what of it is free and still hangs."""
    index = np.indices(IMAGE.shape)
    steps = (4.0, 3.0, 2.0)
    far = np.sqrt(sum(((index[k] - at[k]) * steps[k]) ** 2 for k in range(3)))
    found = CHANCE > 0.5
    for mask in (far <= within, ~held):
        found, _ = ndimage.label(found & mask, np.ones((3, 3, 3)))
        found = found == found[at]
    return found


def inside(near: tuple[int, int, int]) -> tuple[int, int, int]:
    """The voxel nearest to a place that the model calls tumour and no accepted lesion holds."""
    free = (CHANCE > 0.5) & (MAP != 1) & (MAP != 2)
    places = np.argwhere(free)
    z, y, x = places[np.abs(places - near).sum(axis=1).argmin()]
    return int(z), int(y), int(x)


def asked(case: Case, at: tuple[int, int, int], **more: Any) -> Reading:
    session = Session(case, "AB")
    what = ask(session, model(), mm(at), **more)
    return record(case, what, "AB", answer=session.replayer.tools.answers[str(what.text)])


@pytest.mark.parametrize("near", [SPOT_3, FAR])
@pytest.mark.parametrize("within", [60.0, 9.0])
def test_what_a_model_answers_is_added_and_replays_without_it(
    tmp_path: Path, near: tuple[int, int, int], within: float
) -> None:
    case, at = make_case(tmp_path), inside(near)
    reading = asked(case, at, within_mm=within, background=[mm((1, 1, 1))])
    voxels = expected(at, within, (MAP == 1) | (MAP == 2))
    assert (mask_of(reading, 4) == voxels).all()
    assert (reading.status[4], reading.sources[4]) == ("accepted", Source.READER)
    line = Journal(case.path / "review" / "AB.jsonl").read()[-1]
    assert line.parameters == {
        "seed": list(mm(at)),
        "reach": within,
        "model": "clicker",
        "sha256": "ab" * 32,
        "background": [list(mm((1, 1, 1)))],
    }
    assert (case.path / "review" / f"added-{line.text}.npz").is_file()
    again = reading_of(read_case(case.path), "AB")
    assert (mask_of(again, 4) == voxels).all()
    row = read_case(case.path).raw["lesions"][-1]
    assert (row["source"], row["decided_by"], row["voxels"]) == ("reader", "AB", voxels.sum())
    assert row["suv_max"] == pytest.approx(float(IMAGE[voxels].max()))
    assert failures(case) == []


def test_a_model_s_answer_makes_a_lesion_larger_and_undo_takes_it_back(tmp_path: Path) -> None:
    case = make_case(tmp_path)
    held = MAP == 2
    border = ndimage.binary_dilation(MAP == 1, np.ones((3, 3, 3))) & (MAP == 0) & (CHANCE > 0.5)
    z, y, x = (int(n) for n in np.argwhere(border)[0])
    reading = asked(case, (z, y, x), within_mm=12.0, into=1)
    assert (mask_of(reading, 1) == ((MAP == 1) | expected((z, y, x), 12.0, held))).all()
    reading = record(case, Decision("undo"), "AB")
    assert (mask_of(reading, 1) == (MAP == 1)).all()
    reading = record(case, Decision("redo"), "AB")
    assert mask_of(reading, 1).sum() > (MAP == 1).sum()
    assert failures(case) == []


def test_a_preview_writes_nothing(tmp_path: Path) -> None:
    case, at = make_case(tmp_path), inside(FAR)
    session, seen = Session(case, "AB"), []  # type: ignore[var-annotated]
    what = ask(session, model(seen=seen), mm(at), [mm((1, 1, 1))], 9.0)
    assert (mask_of(session.preview(what), 4) == expected(at, 9.0, (MAP == 1) | (MAP == 2))).all()
    assert not list((case.path / "review").glob("*.*"))
    ((suv, ct, clicks),) = seen
    assert np.array_equal(suv.array, IMAGE)
    assert ct is None
    assert clicks == Clicks((mm(at),), (mm((1, 1, 1)),), 9.0)


def test_another_reader_may_start_from_it(tmp_path: Path) -> None:
    case, at = make_case(tmp_path), inside(FAR)
    mine = mask_of(asked(case, at), 4)
    theirs = Session(case, "CD")
    assert start_from(theirs, "AB") == 1
    assert (mask_of(theirs.reading, 4) == mine).all()


def test_what_cannot_be_is_refused_and_nothing_kept(tmp_path: Path) -> None:
    case, at = make_case(tmp_path), inside(FAR)
    session = Session(case, "AB")
    wrong: list[tuple[Callable[[], Any], str]] = [
        (lambda: ask(session, replace(model(), ask=None), mm(at)), "takes no clicks"),
        (lambda: ask(session, model(np.zeros(IMAGE.shape)), mm(at)), "finds no tumour"),
        (lambda: ask(session, model(np.full(IMAGE.shape, 0.5)), mm(at)), "finds no tumour"),
        (lambda: ask(session, model(), (0.0, 0.0, 1e5)), "outside the PET"),
        (lambda: ask(session, model(), mm(at), within_mm=0.0), "reach"),
        (lambda: asked(case, at, into=9), "no lesion 9"),
    ]
    for attempt, why in wrong:
        with pytest.raises(UsageError, match=why):
            attempt()
    assert not list((case.path / "review").glob("*.npz"))


def test_a_point_of_a_lesion_is_that_lesion_s(tmp_path: Path) -> None:
    case = make_case(tmp_path)
    z, y, x = (int(n) for n in np.argwhere((MAP == 1) & (CHANCE > 0.5))[0])
    with pytest.raises(UsageError, match="lesion 1 holds that point"):
        asked(case, (z, y, x))


@pytest.mark.parametrize("harm", ["gone", "changed", "another"])
def test_an_answer_that_is_not_as_it_was_is_found(tmp_path: Path, harm: str) -> None:
    case, at = make_case(tmp_path), inside(FAR)
    asked(case, at, within_mm=9.0)
    (kept,) = (case.path / "review").glob("added-*.npz")
    if harm == "gone":
        kept.unlink()
    elif harm == "changed":
        kept.write_bytes(kept.read_bytes()[:-1] + b"x")
    else:
        kept.write_bytes((case.path / "voxels.npz").read_bytes())
    assert {f.state for f in verify(case.path)} & {"changed", "missing"}
    with pytest.raises(CaseError, match="is missing" if harm == "gone" else "was changed"):
        reading_of(read_case(case.path), "AB")


def test_a_line_that_names_another_answer_is_no_line_of_ours(tmp_path: Path) -> None:
    case, at = make_case(tmp_path), inside(FAR)
    session = Session(case, "AB")
    what = ask(session, model(), mm(at), within_mm=9.0)
    answers = session.replayer.tools.answers
    elsewhere = replace(what, parameters={**(what.parameters or {}), "seed": list(mm((0, 0, 0)))})
    several = replace(what, text="f" * 64)
    answers["f" * 64] = case.voxels()
    for wrong in (elsewhere, several):
        with pytest.raises(UsageError, match="not of that point"):
            session.preview(wrong)
    unknown = replace(what, parameters=json.loads('{"seed": [0, 0, 0], "reach": 5, "model": "x"}'))
    with pytest.raises(UsageError, match="sha256"):
        session.preview(unknown)


def test_an_answer_on_another_grid_is_none(tmp_path: Path) -> None:
    case = make_case(tmp_path)
    there = case.voxels()
    moved = there.grid.affine.copy()
    moved[2, 3] += 4.0
    elsewhere = replace(there, grid=Grid(there.grid.shape, moved))
    (case.path / "review").mkdir(exist_ok=True)
    with (
        kept_added(case, elsewhere) as name,
        pytest.raises(CaseError, match="on another grid"),
    ):
        read_added(case, name)
    with kept_added(case, there) as name:
        assert (read_added(case, name).voxels == there.voxels).all()


def test_a_line_says_who_was_asked_where() -> None:
    values = {"seed": [1.5, -2, 3], "reach": 40.0, "model": "a\x1b[2J", "sha256": "0" * 64}
    assert told(values | {"background": [[4, 5, 6]]}) == (
        "as a[2J answers at 1.5,-2,3, not 4,5,6 within 40 mm"
    )
    assert told(values).endswith("answers at 1.5,-2,3 within 40 mm")
