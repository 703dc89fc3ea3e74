"""dciodvfy on what is exported of real scans and of digital patients of each vendor."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.support.exports import errors_of
from tmtv_engine.case.folder import Case
from tmtv_engine.export.objects import write_objects
from tmtv_engine.image.volume import Grid, Unit, Volume
from tmtv_engine.lesion.methods import parse_method
from tmtv_engine.model.finders import file_finder
from tmtv_engine.phantom.dicom import write_patient
from tmtv_engine.phantom.vendors import VENDORS
from tmtv_engine.pipeline import CaseConfig, run_case
from tmtv_engine.study.find import Study, find_studies

OBJECTS = ["mip.dcm", "rtstruct_41.dcm", "rtstruct_raw.dcm", "seg_41.dcm", "seg_raw.dcm", "sr.dcm"]


def measured(pet: Path, roi: Path, out: Path) -> Case:
    """The case of the ROIs in ``roi``, each a lesion."""
    (study,) = find_studies(pet)
    assert isinstance(study, Study)
    methods = (parse_method("41"), parse_method("raw"))
    return run_case(study, file_finder(roi, mode="labels"), CaseConfig(out, methods))


def faultless(case: Case) -> None:
    written = write_objects(case, ["seg", "sr", "rtstruct", "mip"])
    assert sorted(p.name for p in written) == OBJECTS
    assert {p.name: errors_of(p) for p in written} == {p.name: [] for p in written}


@pytest.mark.parametrize("vendor", list(VENDORS))
def test_digital_patients_of_each_vendor(tmp_path: Path, vendor: str) -> None:
    rng = np.random.default_rng(5)
    grid = Grid.axial((9, 21, 17), (3.0, 4.0, 4.0), (-30.0, 12.0, 400.0), "1.2.3")
    labels = np.zeros(grid.shape, np.uint16)
    labels[1:5, 3:9, 2:7], labels[6:8, 12:18, 9:15] = 1, 2
    suv = rng.uniform(0.2, 1.5, grid.shape) + labels * rng.uniform(3, 9, grid.shape)
    rois = Volume(labels, grid, Unit.LABEL)
    write_patient(
        tmp_path / "dicom",
        Volume(suv.astype(np.float32), grid, Unit.SUV),
        None,
        rois,
        vendor=vendor,
    )
    (roi,) = (tmp_path / "dicom" / "RTSTRUCT").iterdir()
    case = measured(tmp_path / "dicom", roi, tmp_path / "out")
    assert [r["voxels"] for r in case.raw["lesions"]] == [120, 72]
    faultless(case)


def test_the_ge_scan(shared_data: Path, tmp_path: Path) -> None:
    scan = shared_data / "ge_wholebody_STS_001_raw"
    if not scan.is_dir():
        pytest.skip("the GE whole-body scan is not there")
    faultless(measured(scan, scan / "mask" / "1-1.dcm", tmp_path))


@pytest.mark.parametrize("number", ["001", pytest.param("015", marks=pytest.mark.slow)])
def test_an_ibsi_patient(shared_data: Path, tmp_path: Path, number: str) -> None:
    patient = shared_data / "ibsi_gml" / f"STS_{number}"
    if not patient.is_dir():
        pytest.skip("the IBSI patients are not there")
    rois = [p for p in patient.rglob("*.dcm") if "mask" in str(p).lower()]
    faultless(measured(patient, rois[0], tmp_path))
