"""Disease where lymphoma is, of every size, and every structure in some patient."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from tests.phantom.test_anatomies import made_map
from tmtv_engine.lesion.structures import LABELS, STRUCTURES
from tmtv_engine.phantom.build import Build
from tmtv_engine.phantom.canvas import Canvas
from tmtv_engine.phantom.disease import Disease, Lesion, draw_disease
from tmtv_engine.phantom.draw import draw_tensors
from tmtv_engine.phantom.fit import fit, to_drawn
from tmtv_engine.phantom.lesions import draw_lesions
from tmtv_engine.phantom.organmap import OrganMap
from tmtv_engine.phantom.person import person_of
from tmtv_engine.phantom.places import Places
from tmtv_engine.phantom.shapes import typical
from tmtv_engine.phantom.truth import draw_rois

REGIONS_MM = {"above": (588, 1000), "chest": (330, 588), "loin": (150, 330), "below": (-1000, 150)}


@pytest.fixture(scope="module", autouse=True)
def _one_thread() -> None:
    torch.set_num_threads(1)


def test_stations_are_as_high_as_in_real_patients() -> None:
    """Of 42 real ones: above the lungs 62 %, chest 64, to the kidneys' ends 45, below 40.

    More lie low here: beside the bladder is where a network errs.
    """
    found = [draw_disease(np.random.default_rng(s)) for s in range(3000)]
    ill = [d for d in found if d.lesions]
    share = {
        name: np.mean([any(low <= x.centre[2] < high for x in d.lesions) for d in ill])
        for name, (low, high) in REGIONS_MM.items()
    }
    assert share["above"] == pytest.approx(0.62, abs=0.08)
    assert share["chest"] == pytest.approx(0.64, abs=0.12)
    assert share["loin"] == pytest.approx(0.45, abs=0.12)
    assert share["below"] == pytest.approx(0.40, abs=0.2)


def test_lesions_are_of_every_size_and_heat() -> None:
    lesions = [x for s in range(800) for x in draw_disease(np.random.default_rng(s)).lesions]
    ml = np.array([4 / 3 * np.pi * np.prod(x.radii) / 1000 for x in lesions])
    assert np.percentile(ml, 3) < 0.5
    assert np.percentile(ml, 99) > 150
    suv = np.array([x.suv for x in lesions])
    assert np.percentile(suv, 2) < 2.5
    assert np.percentile(suv, 98) > 25
    assert any(x.necrotic for x in lesions)
    assert any(x.site == "beside bladder" for x in lesions)


def test_places_follow_the_map() -> None:
    organs = OrganMap.of("a", made_map(), (4.0, 4.0, 4.0))
    fitted = fit(organs, np.random.default_rng(0))
    assert fitted is not None
    places, points = Places(typical().organs, organs, fitted), organs.points_mm("bladder")
    assert points is not None
    drawn = to_drawn(fitted, points)
    for seed in range(30):
        r = np.random.default_rng(seed)
        inside = np.array(places.inside("bladder", r))
        assert np.linalg.norm(drawn - inside, axis=1).min() < 1e-6
        beside = np.array(places.beside("bladder", r, 10.0))
        assert 3 < np.linalg.norm(drawn - beside, axis=1).min() < 17


def test_a_node_beside_a_hot_bladder_is_true_and_the_bladder_is_not() -> None:
    person, _ = person_of(5)
    canvas = Canvas((48, 40, 44), (4.0, 4.0, 4.0), 160.0, person.pose, "cpu")
    body = torch.ones(canvas.shape)
    canvas.suv += 0.5
    bladder = canvas.ellipsoid((0.0, -10.0, -40.0), (30.0, 26.0, 24.0))
    canvas.put(bladder, 60.0, structure="bladder")
    node = Lesion("iliac", (42.0, -10.0, -40.0), (12.0, 12.0, 12.0), 9.0, 0.0, 0.0, False, 0.0)
    marks = draw_lesions(canvas, Disease("HL", "I", (node,)), body, torch.Generator())
    rois = draw_rois(marks.labels, marks.own, canvas.suv, canvas.suv, canvas.spacing)
    true = canvas.suv[rois > 0]
    assert 40 < len(true) < 300  # 7 mL are 113 voxels
    assert float(true.max()) < 12
    assert not (canvas.structures[rois > 0] == LABELS["bladder"]).any()


@pytest.mark.parametrize("organ", ["spleen", "marrow"])
def test_diffuse_disease_is_the_whole_organ(organ: str) -> None:
    person, _ = person_of(5)
    canvas = Canvas((40, 30, 36), (12.0, 12.0, 12.0), 420.0, person.pose, "cpu")
    shape = canvas.ellipsoid((0.0, 0.0, 255.0), (60.0, 50.0, 40.0))
    canvas.put(shape, 2.0, structure=organ)
    canvas.keep(organ, shape)
    disease = Disease("HL", "IV", (), ((organ, 8.0),))
    body = torch.ones(canvas.shape)
    marks = draw_lesions(canvas, disease, body, torch.Generator().manual_seed(1))
    assert shape is not None
    assert (marks.labels[shape.box][shape.fill > 0.5] == 1).all()
    assert (canvas.structures == LABELS[organ]).sum() == 0
    assert float(canvas.suv.max()) > 8


def test_every_structure_is_in_some_patient_and_its_uptake_varies() -> None:
    seen: dict[str, list[float]] = {s.name: [] for s in STRUCTURES}
    for seed in range(24):
        drawn = draw_tensors(seed, spacing_mm=12.0, with_ct=False)
        for row in STRUCTURES:
            inside = drawn.suv[drawn.structures == row.label]
            if len(inside):
                seen[row.name].append(float(inside.mean()))
    assert all(seen.values())
    for name in ("brain", "heart", "kidney", "liver", "spleen", "marrow", "bladder", "bowel"):
        assert len(seen[name]) > 12
        assert max(seen[name]) > 1.5 * min(seen[name])


def test_builds_are_drawn_whatever_is_known() -> None:
    known = Build.draw(np.random.default_rng(3), "M")
    unknown = Build.draw(np.random.default_rng(3))
    assert known.sex == "M"
    assert (known.girth, known.blood) == (unknown.girth, unknown.blood)
