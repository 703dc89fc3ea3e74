"""Real tumours through reading, lesions, cuts and measures, against others' programs."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from tmtv_engine.image.volume import Volume
from tmtv_engine.lesion.hotspots import hotspots
from tmtv_engine.lesion.lists import Lesions, from_labels
from tmtv_engine.lesion.measures import measure, suv_max, suv_peak
from tmtv_engine.lesion.methods import parse_method
from tmtv_engine.lesion.thresholds import kept
from tmtv_engine.study.find import Study, find_studies
from tmtv_engine.study.load import load_study
from tmtv_engine.study.rois import read_rois

PATIENTS = ["001", "002", "003", "008", "014", "015", "019", "024", "028", "032"]
COLUMNS = {"raw": "mask_ml", "41": "mask41_ml", "2.5": "mask2.5_ml", "4.0": "mask4_ml"}


def _lesions(images: Path, roi: Path, name: str) -> tuple[Lesions, Volume]:
    (study,) = find_studies(images)
    assert isinstance(study, Study)
    suv = load_study(study).suv
    return from_labels(read_rois(roi, suv.grid, names=[name]).labels, suv), suv


def _volumes_ml(lesions: Lesions) -> dict[str, float]:
    cuts = {key: kept(lesions, parse_method(key)) for key in COLUMNS}
    return {key: float(measure(lesions, cut).volume_ml[0]) for key, cut in cuts.items()}


@pytest.mark.parametrize("number", PATIENTS)
def test_the_ibsi_patients(shared_data: Path, number: str) -> None:
    """Mask and cuts of `reference_ibsi.csv`, within 2 %."""
    with (shared_data / "reference_ibsi.csv").open(encoding="utf-8") as table:
        expected = next(r for r in csv.DictReader(table) if r["patient"] == f"STS_{number}")
    folder = shared_data / "ibsi_gml" / f"STS_{number}"
    (roi,) = (folder / "PET" / "mask").iterdir()
    lesions, _ = _lesions(folder, roi, expected["rois"])
    assert len(lesions) == 1
    assert suv_max(lesions)[0] == pytest.approx(float(expected["SUVmax"]), abs=0.001)
    for key, volume_ml in _volumes_ml(lesions).items():
        assert volume_ml == pytest.approx(float(expected[COLUMNS[key]]), rel=0.02), key


def test_the_whole_body_scan(shared_data: Path) -> None:
    """GTV_Mass by MIRP: SUVpeak 6.078 the highest anywhere, 5.313 at the SUVmax voxel."""
    folder = shared_data / "ge_wholebody_STS_001_raw"
    lesions, suv = _lesions(folder / "image", folder / "mask" / "1-1.dcm", "GTV_Mass")
    assert suv_max(lesions)[0] == pytest.approx(7.910675, rel=1e-4)
    assert suv_peak(lesions)[0] == pytest.approx(6.078, abs=0.001)
    assert lesions.peak[lesions.suv.argmax()] == pytest.approx(5.313, abs=0.001)
    expected = {"raw": 366.079, "41": 113.0, "2.5": 181.6, "4.0": 55.9}
    assert _volumes_ml(lesions) == pytest.approx(expected, rel=0.002)
    spots = hotspots(suv)
    highest = suv_max(spots)
    for organ in (66.5215, 29.826, 14.053, 7.9107):  # bladder, kidneys, the tumour
        assert abs(highest - organ).min() < 0.01
