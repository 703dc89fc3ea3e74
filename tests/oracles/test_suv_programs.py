"""Our SUV factors against mirp and z-rad on variants of a header, written as real DICOM.

Needs the extra ``suv-oracles`` (z-rad brings PyQt5), so CI's usual run skips it:

    pip install -e '.[dev,suv-oracles]' && pytest tests/oracles
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from pydicom.dataset import Dataset

from tests.support.dicom import pixels, write_series
from tmtv_engine.study.find import Study, find_studies
from tmtv_engine.study.load import load_study

mirp = pytest.importorskip("mirp", reason="the extra suv-oracles is not installed")
zrad_image = pytest.importorskip("zrad.image", reason="the extra suv-oracles is not installed")
pytestmark = pytest.mark.filterwarnings("ignore")


def _set(**values: object) -> Callable[[int, Dataset], None]:
    def bend(_: int, ds: Dataset) -> None:
        drug = ds.RadiopharmaceuticalInformationSequence[0]
        for keyword, value in values.items():
            setattr(drug if keyword.startswith("Radi") else ds, keyword, value)

    return bend


def _philips(_: int, ds: Dataset) -> None:
    ds.Manufacturer, ds.Units = "Philips Medical Systems", "CNTS"
    ds.add_new((0x7053, 0x0010), "LO", "Philips PET Private Group")
    ds.add_new((0x7053, 0x1000), "DS", "0.0003")
    ds.add_new((0x7053, 0x1009), "DS", "1.602563")


VARIANTS = {
    "START": _set(),
    "ADMIN": _set(DecayCorrection="ADMIN"),
    "GML": _set(Units="GML", SUVType="BW"),
    "the day before": _set(
        SeriesDate="20200102",
        SeriesTime="001500",
        AcquisitionDate="20200102",
        AcquisitionTime="001500",
        RadiopharmaceuticalStartTime="233000",
    ),
    "a full start": _set(RadiopharmaceuticalStartDateTime="20200101094500"),
    "series before acquisition": _set(AcquisitionTime="111300", FrameReferenceTime="780000"),
    "Philips counts": _philips,
}


@pytest.mark.parametrize("name", sorted(VARIANTS))
def test_we_agree_with_mirp_and_zrad(name: str, tmp_path: Path) -> None:
    def timed(k: int, ds: Dataset) -> None:
        ds.FrameReferenceTime, ds.ActualFrameDuration = "60000", "120000"  # mirp asks for them
        VARIANTS[name](k, ds)

    for path in write_series(tmp_path / "raw", pixels() + 1, bend=timed):
        (tmp_path / "dcm").mkdir(exist_ok=True)
        path.rename(tmp_path / "dcm" / f"{path.name}.dcm")
    (study,) = find_studies(tmp_path / "dcm")
    assert isinstance(study, Study)
    ours = load_study(study).suv.array
    theirs = {"mirp": _mirp(tmp_path / "dcm"), "z-rad": _zrad(tmp_path / "dcm")}
    for program, array in theirs.items():
        np.testing.assert_allclose(ours, array, rtol=1e-4, err_msg=program)


def _mirp(folder: Path) -> np.ndarray:
    from mirp.deep_learning_preprocessing import deep_learning_preprocessing

    found = deep_learning_preprocessing(
        image=str(folder),
        image_modality="pt",
        output_slices=False,
        crop_size=None,
        export_images=True,
        image_export_format="numpy",
    )
    while isinstance(found, list | tuple):
        found = found[0]
    return np.asarray(found)


def _zrad(folder: Path) -> np.ndarray:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return np.asarray(zrad_image.Image.from_dicom(str(folder), "PET").array)
