"""A rerun answers what is asked, or says which answer lies there; more methods need no network."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.support.cases import make_case, make_volume, snapshot
from tmtv_engine import batch
from tmtv_engine.batch import Outcome, run_batch
from tmtv_engine.batch import one as one_study
from tmtv_engine.batch.recut import recut
from tmtv_engine.case.folder import Case, read_case
from tmtv_engine.errors import InputError
from tmtv_engine.image.nifti import write_nifti
from tmtv_engine.image.volume import Unit, Volume
from tmtv_engine.lesion.methods import parse_method
from tmtv_engine.model.finders import Finder, finder_of
from tmtv_engine.model.registry import Model, load
from tmtv_engine.model.segmenter import Prediction
from tmtv_engine.pipeline import CaseConfig
from tmtv_engine.review.journal import Decision, Journal
from tmtv_engine.review.session import record
from tmtv_engine.review.sign import sign
from tmtv_engine.review.verify import verify
from tmtv_engine.study.found import Study
from tmtv_engine.suv.overrides import Overrides
from tmtv_tui.cli.app import main


def study_at(folder: Path) -> Study:
    suv, _ = make_volume()
    folder.mkdir(parents=True, exist_ok=True)
    write_nifti(suv, folder / "pet.nii.gz")
    return Study("one", "nifti", (folder / "pet.nii.gz",), folder=folder)


def network(name: str = "toy", sha: str = "1", **options: Any) -> Finder:
    """A network that finds two of the three spots; counts how often it is asked."""
    _, labels = make_volume()

    def segment(suv: Volume, ct: Volume | None, /) -> Prediction:
        CALLS.append(name)
        found = np.where((labels.array == 1) | (labels.array == 2), 0.75, 0.0)
        return Prediction(suv.with_array(found.astype(np.float32), Unit.PROBABILITY))

    told = {"name": name, "sha256": sha * 64, "trained_on": "nothing"}
    return finder_of(Model(segment, told), **options)


CALLS: list[str] = []


def one(study: Study, finder: Finder, config: CaseConfig, **options: Any) -> Outcome:
    (found,) = run_batch([study], finder, config, **options)
    return found


def methods(*keys: str) -> tuple[Any, ...]:
    return tuple(parse_method(key) for key in keys)


@pytest.mark.parametrize(
    ("finder", "config", "said"),
    [
        ({"sha": "2"}, {}, r"model toy \(111111111111\), now toy \(222222222222\)"),
        ({"rule": "vote"}, {}, "--rule paper, now vote"),
        ({"split": False}, {}, "without --no-split"),
        ({"min_ml": 1.0}, {}, "min_ml 0.0, now 1.0"),
        ({}, {"overrides": Overrides(weight_kg=40.0)}, "weight_kg none, now 40.0"),
        ({}, {"overrides": Overrides(height_m=1.6, dose_bq=1e8)}, "dose_bq .*; height_m none"),
    ],
)
def test_what_differs_is_named_and_nothing_changes(
    finder: dict[str, Any], config: dict[str, Any], said: str, tmp_path: Path
) -> None:
    study = study_at(tmp_path / "in")
    out = tmp_path / "out"
    assert one(study, network(), CaseConfig(out)).state == "done"
    before = snapshot(out / "one")
    found = one(study, network(**finder), CaseConfig(out, **config))
    assert found.state == "failed"
    with pytest.raises(InputError, match=said):
        raise InputError(found.error.what if found.error else "")
    assert "--fresh" in (found.error.remedy if found.error else "")
    assert found.place == str(tmp_path / "in" / "pet.nii.gz")
    assert snapshot(out / "one") == before
    assert one(study, network(**finder), CaseConfig(out, **config), fresh=True).state == "done"
    assert one(study, network(**finder), CaseConfig(out, **config)).state == "skipped"


def test_a_row_s_own_override_is_compared_too(tmp_path: Path) -> None:
    from dataclasses import replace

    study = replace(study_at(tmp_path / "in"), overrides=Overrides(weight_kg=40.0))
    config = CaseConfig(tmp_path / "out")
    assert one(study, network(), config).state == "done"
    assert one(study, network(), config).state == "skipped"
    other = one(replace(study, overrides=Overrides(weight_kg=41.0)), network(), config)
    assert other.error is not None
    assert "weight_kg 40.0, now 41.0" in other.error.what


def test_a_permission_that_was_not_needed_is_no_difference(tmp_path: Path) -> None:
    study, config = study_at(tmp_path / "in"), CaseConfig(tmp_path / "out")
    assert one(study, network(), config).state == "done"
    more = Overrides(accepted=frozenset({"coarse-voxels"}), allow_tracer=True)
    assert one(study, network(), CaseConfig(config.out, overrides=more)).state == "skipped"
    assert one(study, network(), CaseConfig(config.out, overrides=more), fresh=True).case
    found = one(study, network(), config)
    assert found.error is not None
    assert "accepted coarse-voxels, now none" in found.error.what
    assert "allow_tracer True, now none" in found.error.what


def test_files_that_changed_in_their_place_are_other_files(tmp_path: Path) -> None:
    study, config = study_at(tmp_path / "in"), CaseConfig(tmp_path / "out")
    assert one(study, network(), config).state == "done"
    pet = study.pet[0]
    before = pet.stat()
    os.utime(pet, (1, 1))  # touched, not changed
    assert one(study, network(), config).state == "skipped"
    suv, _ = make_volume()
    write_nifti(suv.with_array(suv.array * 2), pet)
    assert pet.stat().st_mtime_ns != before.st_mtime_ns
    found = one(study, network(), config)
    assert found.error is not None
    assert "other files" in found.error.what
    assert one(study, network(), config, fresh=True).state == "done"


@pytest.mark.parametrize("first", [("41",), ("2.5", "otsu")])
def test_a_recut_is_what_the_network_s_own_run_gives(
    first: tuple[str, ...], tmp_path: Path
) -> None:
    study = study_at(tmp_path / "in")
    wanted = ("41", "2.5", "4.0", "otsu", "prob", "raw", "mv2", "mv3", "a50p", "liver")
    sphere = (-1.0, -12.0, 140.0)
    whole = one(study, network(), CaseConfig(tmp_path / "a", methods(*wanted), liver_mm=sphere))
    assert one(study, network(), CaseConfig(tmp_path / "b", methods(*first))).state == "done"
    CALLS.clear()
    found = one(study, network(), CaseConfig(tmp_path / "b", methods(*wanted), liver_mm=sphere))
    assert CALLS == []
    assert found.state == "done"
    assert found.note.startswith("cut by")
    assert whole.case is not None
    assert found.case is not None
    mine, other = found.case.raw, whole.case.raw
    assert mine["totals"] == other["totals"]
    assert mine["predicted_totals"] == other["totals"]
    assert mine["lesions"] == other["lesions"]
    assert mine["warnings"] == other["warnings"]
    assert mine["provenance"]["made_with"] == other["provenance"]["made_with"]
    assert sorted(mine["provenance"]["methods"]) == sorted(other["provenance"]["methods"])
    assert [f for f in verify(found.case.path) if f.failed] == []
    assert read_case(found.case.path).raw == mine
    rows = (tmp_path / "b" / "summary.csv").read_text().splitlines()
    assert len(rows) == 1 + len(wanted)
    again = one(study, network(), CaseConfig(tmp_path / "b", methods(*wanted), liver_mm=sphere))
    assert again.state == "skipped"


def test_a_recut_keeps_the_reading_and_its_signature(tmp_path: Path) -> None:
    case = make_case(tmp_path, methods=("41", "4.0"))
    record(case, Decision("reject", (1,), reason="bladder"), "AB")
    sign(case, "AB")
    before = read_case(case.path)
    after = recut(before, methods("otsu", "2.5"))
    assert after.record.review.status == "done"
    assert after.record.review.signed == before.record.review.signed
    assert [r.status for r in after.record.lesions] == [r.status for r in before.record.lesions]
    assert list(after.record.totals) == ["41", "4.0", "otsu", "2.5"]
    assert after.record.totals["41"] == before.record.totals["41"]
    assert after.record.totals["2.5"].lesions == 1
    assert after.record.predicted_totals["2.5"].lesions == 2
    assert [f for f in verify(case.path) if f.failed] == []
    record(read_case(case.path), Decision("unsign"), "AB")  # the journal goes on
    assert len(Journal(case.path / "review" / "AB.jsonl").read()) == 3


def test_a_liver_that_was_never_measured_needs_the_image(tmp_path: Path) -> None:
    study = study_at(tmp_path / "in")
    sphere = (-1.0, -12.0, 140.0)
    config = CaseConfig(tmp_path / "out", methods("41"), image=False)
    assert one(study, network(), config).state == "done"
    found = one(study, network(), CaseConfig(config.out, methods("liver"), liver_mm=sphere))
    assert found.error is not None
    assert "no image" in found.error.what
    fresh = CaseConfig(config.out, methods("liver"), liver_mm=sphere)
    assert one(study, network(), fresh, fresh=True).state == "done"
    moved = CaseConfig(config.out, methods("liver"), liver_mm=(-1.0, -12.0, 141.0))
    other = one(study, network(), moved)
    assert other.error is not None
    assert "--liver-sphere -1.0,-12.0,140.0, now -1.0,-12.0,141.0" in other.error.what


def test_fresh_says_which_reading_moves_and_where(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    study_at(tmp_path / "one")
    out = tmp_path / "out"
    asked = ["predict", str(tmp_path / "one"), "--model", "hotspot", "-o", str(out)]
    assert main(asked) == 0
    record(read_case(out / "one"), Decision("reject", (1,)), "AB")
    sign(read_case(out / "one"), "AB")
    capsys.readouterr()
    assert main([*asked, "--fresh", "-q"]) == 0
    told = capsys.readouterr().err.splitlines()
    (kept,) = (out / "aside").iterdir()
    assert told == [
        f"one: the case read by AB (signed) was moved to {kept}",
        f"1 reviewed cases moved to {out / 'aside'}",
    ]
    assert (kept / "review" / "AB.jsonl").is_file()


def test_a_case_that_is_being_read_is_not_made_anew(tmp_path: Path) -> None:
    study, config = study_at(tmp_path / "in"), CaseConfig(tmp_path / "out")
    assert one(study, network(), config).state == "done"
    opened = Decision("open", text=f"pid {os.getpid()}")
    record(read_case(config.out / "one"), opened, "AB")
    found = one(study, network(), config, fresh=True)
    assert found.error is not None
    assert "is being read by AB" in found.error.what
    record(read_case(config.out / "one"), Decision("close", text=f"pid {os.getpid()}"), "AB")
    assert one(study, network(), config, fresh=True).aside


def test_threshold_never_silently_replaces_a_prediction(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    study_at(tmp_path / "one")
    _, labels = make_volume()
    rois = tmp_path / "rois.nii.gz"
    write_nifti(labels, rois)
    out = str(tmp_path / "out")
    assert main(["predict", str(tmp_path / "one"), "--model", "hotspot", "-o", out]) == 0
    before = snapshot(tmp_path / "out" / "one")
    capsys.readouterr()
    asked = ["threshold", str(tmp_path / "one"), str(rois), "-o", out, "--json"]
    assert main(asked) == 1
    told = capsys.readouterr()
    assert "model hotspot, now roi" in told.err
    assert told.out == ""
    assert snapshot(tmp_path / "out" / "one") == before
    assert main([*asked, "--fresh"]) == 0
    told = capsys.readouterr()
    assert "one: an unreviewed case by hotspot was replaced" in told.err
    assert json.loads(told.out)["model"] == {"name": "roi"}
    assert main(asked) == 0  # the same ROIs: it is there
    write_nifti(labels.with_array(np.where(labels.array == 3, 0, labels.array)), rois)
    capsys.readouterr()
    assert main(asked) == 1  # other ROIs are another question
    assert "roi_sha256" in capsys.readouterr().err
    assert main([*asked, "--fresh"]) == 0


def test_a_batch_goes_on_skips_and_remakes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def run_case(study: Any, finder: Any, config: CaseConfig) -> Case:
        if study.case == "bad":
            raise InputError("bad/slice.dcm: broken", "Send it again.")
        return make_case(config.out, study.case)

    monkeypatch.setattr(one_study, "run_case", run_case)
    studies = [Study(c, "nifti", ()) for c in ("a", "bad", "c")]
    finder = Finder(lambda suv, ct: None, {"name": "vnet", "sha256": "0" * 64})  # type: ignore[arg-type,return-value]

    def states(**options: Any) -> list[tuple[str, str]]:
        found = batch.run_batch(studies, finder, CaseConfig(tmp_path), **options)
        return sorted((o.name, o.state) for o in found)

    assert states(jobs=2) == [("a", "done"), ("bad", "failed"), ("c", "done")]
    assert states() == [("a", "skipped"), ("bad", "failed"), ("c", "skipped")]
    assert states(fresh=True) == [("a", "done"), ("bad", "failed"), ("c", "done")]
    assert len((tmp_path / "summary.csv").read_text().splitlines()) == 7


def test_the_model_s_name_alone_is_no_difference_where_its_weights_are_the_same(
    tmp_path: Path,
) -> None:
    study, config = study_at(tmp_path / "in"), CaseConfig(tmp_path / "out")
    assert one(study, network("toy"), config).state == "done"
    assert one(study, network("moved"), config).state == "skipped"
    found = one(study, finder_of(load("hotspot")), config)
    assert found.error is not None
    assert "model toy (111111111111), now hotspot" in found.error.what


def test_a_folder_without_its_case_is_kept_and_told(tmp_path: Path) -> None:
    study, config = study_at(tmp_path / "in"), CaseConfig(tmp_path / "out")
    one(study, network(), config)
    (tmp_path / "out" / "one" / "case.json").unlink()
    (tmp_path / "out" / "one" / "mine.txt").write_text("mine")
    again = one(study, network(), config)
    (kept,) = (tmp_path / "out" / "aside").iterdir()
    assert (kept / "mine.txt").read_text() == "mine"
    assert again.note == f"what had no case.json was moved to {kept}"
    assert not again.aside  # nobody's reading
