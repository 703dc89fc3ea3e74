"""The line after reading: hot spots, a network with candidates, ROIs; picture, liver, batch."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.support.cases import make_case, make_loaded, make_volume
from tmtv_engine.case.picture import caption
from tmtv_engine.errors import InputError, UsageError
from tmtv_engine.image.nifti import write_nifti
from tmtv_engine.image.volume import Grid, Unit, Volume
from tmtv_engine.model.finders import Finder, file_finder, finder_of
from tmtv_engine.model.registry import Model, load
from tmtv_engine.model.segmenter import Prediction
from tmtv_engine.notices import Notice, notice
from tmtv_engine.pipeline import CaseConfig, liver_threshold, run_loaded
from tmtv_engine.study.inputs import inputs_sha256


def _run(tmp_path: Path, finder: Finder, suv: Volume) -> dict[str, Any]:
    return run_loaded("one", make_loaded(suv), finder, CaseConfig(tmp_path)).raw


def test_hot_spots_are_accepted_and_warned_about(tmp_path: Path) -> None:
    suv, _ = make_volume()
    record = _run(tmp_path, finder_of(load("hotspot")), suv)
    assert record["model"] == {"name": "hotspot"}
    assert {r["source"] for r in record["lesions"]} == {"hotspot"}
    assert {r["status"] for r in record["lesions"]} == {"accepted"}
    assert {r["floor_suv"] for r in record["lesions"]} == {2.5}
    codes = [w["code"] for w in record["warnings"]]
    assert codes == ["unreviewed-hotspots", "below-floor"]  # 41 % of 6.0 is 2.46


def test_a_ct_that_nobody_would_look_at_is_not_missed(tmp_path: Path) -> None:
    suv, _ = make_volume()

    def segment(suv: Volume, ct: Volume | None, /) -> Prediction:
        return Prediction(suv.with_array(np.zeros(suv.grid.shape, np.float32), Unit.PROBABILITY))

    for takes_ct in (True, False):
        model = Model(segment, {"name": "toy"}, takes_ct=takes_ct)
        codes = [w["code"] for w in _run(tmp_path, finder_of(model), suv)["warnings"]]
        assert ("no-ct" in codes) is takes_ct
    assert not finder_of(load("hotspot")).takes_ct
    assert not file_finder(tmp_path / "rois.nii.gz").takes_ct


def test_a_ct_that_lies_beside_the_pet_is_shown_to_none_that_does_without(tmp_path: Path) -> None:
    suv, _ = make_volume()
    ct = Volume(np.zeros(suv.grid.shape, np.float32), suv.grid, Unit.HU)
    seen: list[Volume | None] = []

    def segment(suv: Volume, ct: Volume | None, /) -> Prediction:
        seen.append(ct)
        return Prediction(suv.with_array(np.zeros(suv.grid.shape, np.float32), Unit.PROBABILITY))

    fits = replace(make_loaded(suv), ct=ct)
    apart = replace(fits, notices=(notice("misregistration", "50 mm"),))
    for must_fit in (True, False):
        finder = finder_of(Model(segment, {"name": "toy"}, ct_must_fit=must_fit))
        for number, loaded in enumerate((fits, apart)):
            run_loaded(f"c{must_fit}{number}", loaded, finder, CaseConfig(tmp_path))
    assert seen == [ct, None, ct, ct]
    assert load("vnet").ct_must_fit


@pytest.mark.parametrize("rule", ["paper", "vote"])
def test_a_network_lists_what_it_missed_as_candidates(tmp_path: Path, rule: Any) -> None:
    suv, labels = make_volume()

    def segment(suv: Volume, ct: Volume | None, /) -> Prediction:
        found = np.where(labels.array == 1, 0.75, 0.0)
        return Prediction(suv.with_array(found, Unit.PROBABILITY))

    model = Model(segment, {"name": "toy"}, warnings=(Notice("toy-model", "a toy"),))
    record = _run(tmp_path, finder_of(model, rule=rule), suv)
    told = [(r["id"], r["source"], r["status"], r["probability"]) for r in record["lesions"]]
    assert told == [
        (1, "model", "accepted", 0.75),
        (2, "hotspot", "candidate", 0.0),
        (3, "hotspot", "candidate", 0.0),
    ]
    assert record["lesions"][0]["voxels"] == int((labels.array == 1).sum())
    assert record["totals"]["4.0"]["lesions"] == 1
    assert "toy-model" in [w["code"] for w in record["warnings"]]
    assert record["model"]["rule"] == rule


def test_a_network_that_finds_nothing_gives_an_empty_case(tmp_path: Path) -> None:
    suv, _ = make_volume()
    cold = suv.with_array(np.ones_like(suv.array))

    def segment(suv: Volume, ct: Volume | None, /) -> Prediction:
        return Prediction(suv.with_array(np.zeros(suv.grid.shape, np.float32), Unit.PROBABILITY))

    record = _run(tmp_path, finder_of(Model(segment, {"name": "toy"})), cold)
    assert record["lesions"] == []
    assert record["totals"]["41"]["tmtv_ml"] == 0
    assert record["totals"]["41"]["suv_max"] is None


def test_without_split_a_component_is_one_lesion_of_any_size(tmp_path: Path) -> None:
    suv, _ = make_volume()
    array = np.where(suv.array > 0, 2.0, 0.0).astype(np.float32)
    array[4:9, 4:9, 4:9], array[12:17, 22:27, 28:33] = 9.0, 8.0  # 30 mm apart in one big component
    warm = suv.with_array(array)

    def segment(suv: Volume, ct: Volume | None, /) -> Prediction:
        return Prediction(suv.with_array((array > 1).astype(np.float32), Unit.PROBABILITY))

    model = Model(segment, {"name": "toy"})
    counts = {}
    for split in (True, False):
        record = _run(tmp_path, finder_of(model, split=split), warm)
        counts[split] = [r["voxels"] for r in record["lesions"]]
        assert record["model"].get("split", True) is split
    assert len(counts[True]) > 1
    assert counts[False] == [sum(counts[True])]


def test_rois_are_lesions_as_drawn_or_components(tmp_path: Path) -> None:
    suv, labels = make_volume()
    mask = tmp_path / "mask.nii.gz"
    write_nifti(labels.with_array((labels.array > 0).astype(np.uint8)), mask)
    drawn = _run(tmp_path, file_finder(mask, mode="labels"), suv)
    assert [r["voxels"] for r in drawn["lesions"]] == [int((labels.array > 0).sum())]
    for mode in ("auto", "components"):
        parted = _run(tmp_path, file_finder(mask, mode=mode), suv)
        assert [r["voxels"] for r in parted["lesions"]] == [229, 287, 99]
        assert {r["source"] for r in parted["lesions"]} == {"roi"}
    several = tmp_path / "labels.nii.gz"
    write_nifti(labels.with_array(np.where(labels.array == 2, 7, labels.array)), several)
    assert len(_run(tmp_path, file_finder(several), suv)["lesions"]) == labels.array.max()


def test_liver_threshold_is_one_and_a_half_means_and_two_sds() -> None:
    rng = np.random.default_rng(0)
    array = rng.normal(2.0, 0.3, (21, 25, 29)).astype(np.float32)
    suv = Volume(array, Grid.axial(array.shape, (2.0, 2.5, 3.0), (10.0, 20.0, 30.0)), Unit.SUV)
    centre = (10 + 14 * 3.0, 20 + 12 * 2.5, 30 + 10 * 2.0)
    index = np.argwhere(np.ones(array.shape, bool))
    near = np.linalg.norm(suv.grid.to_mm(index) - centre, axis=1) <= 15
    values = array.reshape(-1)[near].astype(np.float64)
    expected = 1.5 * values.mean() + 2 * values.std()
    assert liver_threshold(suv, centre) == pytest.approx(expected, rel=1e-12)
    with pytest.raises(InputError, match="inside the PET"):
        liver_threshold(suv, (10.0, 20.0, 30.0))


def test_inputs_hash_depends_on_bytes_not_on_order(tmp_path: Path) -> None:
    files = [tmp_path / "a", tmp_path / "b"]
    for number, path in enumerate(files):
        path.write_bytes(bytes([number]))
    assert inputs_sha256(files) == inputs_sha256(files[::-1])
    before = inputs_sha256(files)
    files[0].write_bytes(b"x")
    assert inputs_sha256(files) != before
    assert inputs_sha256([]) == ""


def test_the_picture_shows_the_totals_and_the_lesions(tmp_path: Path) -> None:
    from PIL import Image

    case = make_case(tmp_path)
    tmtv = case.raw["totals"]["41"]["tmtv_ml"]
    assert f"TMTV    41: {tmtv:.1f} mL in 2 lesions" in caption(case.record)
    with Image.open(case.path / "mip.png") as image:
        colours = {c for _, c in image.convert("RGB").getcolors(1 << 24) or []}
    assert {(200, 20, 30), (0, 110, 190)} <= colours


@pytest.mark.parametrize(
    ("name", "said"), [("nothing-of-that-name", "no such model"), ("nnunet:", "names no folder")]
)
def test_unknown_models_are_wrong_usage(name: str, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        load(name)
