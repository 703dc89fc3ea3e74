"""Digital patients: the same from the same seed, plausible, and true to their own truth."""

from __future__ import annotations

import dataclasses
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch

from tmtv_engine.image.volume import Grid, Unit, Volume
from tmtv_engine.lesion.lists import from_labels
from tmtv_engine.lesion.methods import parse_method
from tmtv_engine.lesion.thresholds import kept
from tmtv_engine.phantom.canvas import Canvas
from tmtv_engine.phantom.cohort import stream
from tmtv_engine.phantom.dicom import write_patient
from tmtv_engine.phantom.disease import HEALTHY, Disease, Lesion, draw_disease
from tmtv_engine.phantom.draw import draw_patient, draw_tensors
from tmtv_engine.phantom.lesions import draw_lesions
from tmtv_engine.phantom.person import person_of
from tmtv_engine.phantom.truth import tmtv_probability
from tmtv_engine.phantom.vendors import VENDORS
from tmtv_engine.study.find import Study, find_studies
from tmtv_engine.study.load import load_study
from tmtv_engine.study.rois import read_rois


@pytest.fixture(scope="module", autouse=True)
def _one_thread() -> None:
    torch.set_num_threads(1)


def test_a_seed_is_a_patient() -> None:
    one, two, other = (draw_tensors(s, spacing_mm=16.0) for s in (5, 5, 6))
    for name in ("suv", "ct", "rois", "prob", "structures"):
        assert torch.equal(getattr(one, name), getattr(two, name))
    assert not torch.equal(one.suv, other.suv)


def test_the_same_person_on_every_grid() -> None:
    coarse, fine = draw_tensors(11, spacing_mm=16.0), draw_tensors(11, spacing_mm=8.0)
    assert coarse.person.disease == fine.person.disease
    whole = [float(d.suv.sum()) * s**3 for d, s in ((coarse, 16.0), (fine, 8.0))]
    assert whole[0] == pytest.approx(whole[1], rel=0.15)


def test_uptake_and_density_are_those_of_a_body() -> None:
    """The tissue table: brain above liver, lung below it; CT in HU from air to bone."""
    for seed in (2, 3, 4):
        drawn = draw_tensors(seed, spacing_mm=8.0)
        assert drawn.ct is not None
        assert torch.isfinite(drawn.suv).all()
        assert float(drawn.suv.min()) == 0.0
        assert 1.0 < float(drawn.suv.max()) < 250.0
        assert float(drawn.ct.min()) == -1000.0
        assert 200.0 < float(drawn.ct.max()) <= 3000.0
        body = drawn.suv[drawn.ct > -300]
        assert 0.3 < float(body.median()) < 2.5


@pytest.mark.parametrize(("suv", "count"), [(3.9, 0), (4.5, 1)])
def test_what_cannot_be_seen_is_no_lesion(suv: float, count: int) -> None:
    person, _ = person_of(5)
    canvas = Canvas((40, 32, 36), (8.0, 9.0, 10.0), 420.0, person.pose, "cpu")
    canvas.suv += 3.0  # a liver everywhere
    first = Lesion("liver", (0.0, 0.0, 255.0), (20.0, 25.0, 22.0), suv, 0.0, 0.0, False, 0.0)
    lobe = dataclasses.replace(first, centre=(8.0, 4.0, 262.0))  # on the first, yet seen as it
    disease = Disease("HL", "IV", (first, lobe))
    body = torch.ones(canvas.shape)
    marks = draw_lesions(canvas, disease, body, torch.Generator())
    assert marks.number == 2 * count
    assert bool(marks.labels.any()) == bool(count)
    assert float(canvas.suv.max()) == pytest.approx(suv if count else 3.0)


def test_the_map_is_the_mean_of_four_cuts_and_lies_in_the_rois() -> None:
    drawn = next(d for s in range(1, 20) if (d := draw_tensors(s)).rois.any())
    levels = torch.unique(drawn.prob).tolist()
    assert set(levels) <= {0.0, 0.25, 0.5, 0.75, 1.0}
    assert not drawn.prob[drawn.rois == 0].any()
    grid = Grid.axial(drawn.suv.shape, (8.0, 8.0, 8.0))  # type: ignore[arg-type]
    suv = Volume(drawn.suv.numpy(), grid, Unit.SUV)
    lesions = from_labels(Volume(drawn.rois.numpy(), grid, Unit.LABEL), suv)
    mean = np.mean(
        [kept(lesions, parse_method(key)) for key in ("41", "2.5", "4.0", "otsu")], axis=0
    )
    np.testing.assert_array_equal(drawn.prob.numpy().reshape(-1)[lesions.voxels], mean)


def test_the_map_of_a_lesion_by_hand() -> None:
    """41 % and 4.0 keep two, 2.5 three, Otsu the first alone: 3 · 7.007² beats 4 · 5.49²."""
    suv = np.array([[[10.0, 4.98, 3.0, 1.0, 9.0]]], np.float32)
    rois = np.array([[[1, 1, 1, 1, 0]]], np.int16)
    assert tmtv_probability(suv, rois).tolist() == [[[1.0, 0.75, 0.25, 0.0, 0.0]]]


def test_cohorts_hold_every_subtype_and_stage_and_the_healthy() -> None:
    drawn = [draw_disease(np.random.default_rng(s)) for s in range(2000)]
    healthy = np.mean([not d.lesions for d in drawn])
    assert healthy == pytest.approx(HEALTHY, abs=0.02)
    ill = [d for d in drawn if d.lesions]
    assert {d.subtype for d in ill} == {"HL", "DLBCL", "FL"}
    assert {d.stage for d in ill} == {"I", "II", "III", "IV"}
    assert np.mean([d.subtype == "DLBCL" for d in ill]) == pytest.approx(851 / 2030, abs=0.04)
    assert all(len(d.lesions) <= 60 for d in ill)


def test_people_differ() -> None:
    people = [person_of(s)[0] for s in range(200)]
    assert 0.3 < np.mean([p.build.sex == "F" for p in people]) < 0.66
    assert 0.2 < np.mean([p.build.arms_down for p in people]) < 0.5
    assert min(p.weight_kg for p in people) > 25
    assert max(p.weight_kg for p in people) < 180
    assert all(60 < p.top_mm - p.bottom_mm <= 1500 for p in people)


def test_drawing_ends_when_the_training_is_killed(tmp_path: Path) -> None:
    script = tmp_path / "training.py"
    script.write_text(
        "import multiprocessing, os, signal\n"
        "from tmtv_engine.phantom.cohort import stream\n"
        "if __name__ == '__main__':\n"
        "    next(stream(1_000_003, workers=1, spacing_mm=32.0))\n"
        "    print(multiprocessing.active_children()[0].pid, flush=True)\n"
        "    os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    told = tmp_path / "pid"
    with told.open("w") as handle:
        subprocess.run([sys.executable, str(script)], stdout=handle, timeout=60)
    drawer = int(told.read_text())
    for _ in range(200):
        if not _lives(drawer):
            return
        time.sleep(0.1)
    raise AssertionError("the drawing process has outlived its training")


def _lives(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"


@pytest.mark.parametrize("workers", [0, 2])
def test_the_stream_keeps_its_order(workers: int) -> None:
    patients = stream(1_000_003, workers=workers, spacing_mm=16.0)
    found = [next(patients) for _ in range(3)]
    patients.close()  # type: ignore[attr-defined]
    assert [s.seed for s in found] == [1_000_003, 1_000_004, 1_000_005]
    alone = draw_tensors(1_000_004, spacing_mm=16.0)
    np.testing.assert_array_equal(found[1].suv, alone.suv.numpy())


@pytest.mark.parametrize("vendor", sorted(VENDORS))
def test_dicom_of_every_vendor_reads_back(vendor: str, tmp_path: Path) -> None:
    patient = draw_patient(3, spacing_mm=12.0)
    write_patient(
        tmp_path / "a", patient.suv, patient.ct, patient.rois, vendor=vendor, seed=3, weight_kg=59.0
    )
    (study,) = find_studies(tmp_path / "a")
    assert isinstance(study, Study)
    loaded = load_study(study)
    assert loaded.suv.grid.matches(patient.suv.grid, 1e-3)
    np.testing.assert_allclose(loaded.suv.array, patient.suv.array, atol=2e-3)
    assert loaded.ct is not None
    np.testing.assert_allclose(loaded.ct.array, patient.ct.array, atol=0.5)
    assert {n.code for n in loaded.notices} == {"coarse-voxels"}
    rois = read_rois(tmp_path / "a" / "RTSTRUCT" / "rois.dcm", loaded.suv.grid)
    ids = np.unique(patient.rois.array)[1:]
    assert rois.names == tuple(f"Lesion {i}" for i in ids)
    expected = np.searchsorted(ids, patient.rois.array) + 1
    np.testing.assert_array_equal(rois.labels.array, np.where(patient.rois.array, expected, 0))


def test_the_same_patient_is_the_same_bytes(tmp_path: Path) -> None:
    patient = draw_patient(3, spacing_mm=16.0)
    for name in "ab":
        write_patient(tmp_path / name, patient.suv, patient.ct, patient.rois, seed=3)
    first = {p.relative_to(tmp_path / "a"): p.read_bytes() for p in tmp_path.glob("a/**/*.dcm")}
    second = {p.relative_to(tmp_path / "b"): p.read_bytes() for p in tmp_path.glob("b/**/*.dcm")}
    assert len(first) > 60
    assert first == second
