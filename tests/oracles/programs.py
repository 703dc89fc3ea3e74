"""What other programs say of the same input, and their figures as they are pinned for CI.

mirp, z-rad (which brings PyQt5) and pingouin (GPL) are no dependencies of ours: `make oracles`
installs them into an environment of their own and asks them again. To pin what they say anew:

    .venv-oracles/bin/python -m tests.oracles.programs
"""

from __future__ import annotations

import json
import os
import tempfile
import warnings
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from pydicom.dataset import Dataset

from tests.support.dicom import pixels, write_series

ASKED = os.environ.get("TMTV_ORACLES") == "1"
live = pytest.mark.skipif(not ASKED, reason="the programs themselves are asked by make oracles")
PLACE = Path(__file__).with_name("figures.json")
Figures = dict[str, Any]


def pinned() -> Figures:
    """What the programs said, and which versions of them."""
    found: Figures = json.loads(PLACE.read_text("utf-8"))
    return found


def _set(**values: object) -> Callable[[Dataset], None]:
    def bend(ds: Dataset) -> None:
        drug = ds.RadiopharmaceuticalInformationSequence[0]
        for keyword, value in values.items():
            setattr(drug if keyword.startswith("Radi") else ds, keyword, value)

    return bend


def _philips(ds: Dataset) -> None:
    ds.Manufacturer, ds.Units = "Philips Medical Systems", "CNTS"
    ds.add_new((0x7053, 0x0010), "LO", "Philips PET Private Group")
    ds.add_new((0x7053, 0x1000), "DS", "0.0003")
    ds.add_new((0x7053, 0x1009), "DS", "1.602563")


VARIANTS: Mapping[str, Callable[[Dataset], None]] = {
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
    "a full start": _set(
        RadiopharmaceuticalStartDateTime="20200101094500", RadiopharmaceuticalStartTime="094500"
    ),
    "series before acquisition": _set(AcquisitionTime="111300", FrameReferenceTime="780000"),
    "Philips counts": _philips,
}
"""Headers of one PET by name, each with what tells its SUV in another way."""


def write_variant(name: str, folder: Path) -> Path:
    """The series of that header as DICOM files; returns their folder."""

    def bend(_: int, ds: Dataset) -> None:
        ds.FrameReferenceTime, ds.ActualFrameDuration = "60000", "120000"  # mirp asks for them
        VARIANTS[name](ds)

    (folder / "dcm").mkdir(parents=True)
    for path in write_series(folder / "raw", pixels() + 1, bend=bend):
        path.rename(folder / "dcm" / f"{path.name}.dcm")
    return folder / "dcm"


def told_of(suv: npt.ArrayLike) -> Figures:
    """Figures that stand for an array of SUV (z, y, x): mean, maximum and a few voxels."""
    array = np.asarray(suv, np.float64)
    some = [float(array[k]) for k in ((0, 0, 0), (3, 7, 2), (6, 10, 12))]
    return {"mean": float(array.mean()), "max": float(array.max()), "voxels": some}


def mirp_suv(folder: Path) -> Figures:
    """mirp's SUV of a series."""
    from mirp.deep_learning_preprocessing import deep_learning_preprocessing

    found: Any = deep_learning_preprocessing(
        image=str(folder),
        image_modality="pt",
        output_slices=False,
        crop_size=None,
        export_images=True,
        image_export_format="numpy",
    )
    while isinstance(found, list | tuple):
        found = found[0]
    return told_of(found)


def zrad_suv(folder: Path) -> Figures:
    """z-rad's SUV of a series."""
    from zrad.image import Image

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return told_of(Image.from_dicom(str(folder), "PET").array)


SUV_PROGRAMS: Mapping[str, Callable[[Path], Figures]] = {"mirp": mirp_suv, "z-rad": zrad_suv}


def two_columns() -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Volumes (mL) of 37 patients, twice."""
    rng = np.random.default_rng(11)
    first = rng.gamma(1.2, 200, 37)
    return first, first * rng.lognormal(0.05, 0.3, 37) + 3


def pingouin_says() -> Figures:
    """pingouin's statistics of `two_columns`."""
    import pandas as pd
    import pingouin as pg

    first, second = two_columns()
    test = pg.ttest(second, first, paired=True).iloc[0]
    ranks = pg.wilcoxon(second, first).iloc[0]
    table = pd.DataFrame(
        {
            "patient": np.tile(np.arange(len(first)), 2),
            "reader": np.repeat(["a", "b"], len(first)),
            "ml": np.concatenate([first, second]),
        }
    )
    rows = pg.intraclass_corr(table, targets="patient", raters="reader", ratings="ml")
    random = rows[rows["Type"].isin(["ICC2", "ICC(A,1)"])].iloc[0]
    return {
        "t": [float(test["T"]), float(test["dof"]), float(test.filter(regex="^p").iloc[0])],
        "wilcoxon": [float(ranks.filter(regex=f"^{k}").iloc[0]) for k in "Wp"],
        "spearman": float(pg.corr(first, second, method="spearman").iloc[0]["r"]),
        "pearson": float(pg.corr(first, second, method="pearson").iloc[0]["r"]),
        "icc": float(random["ICC"]),
        "icc_ci": [float(v) for v in random.filter(regex="^CI").iloc[0]],
    }


def _pin() -> None:
    from importlib.metadata import version

    suv: Figures = {}
    for name in VARIANTS:
        with tempfile.TemporaryDirectory() as folder:
            there = write_variant(name, Path(folder))
            suv[name] = {program: ask(there) for program, ask in SUV_PROGRAMS.items()}
    said = {
        "versions": {name: version(name) for name in (*SUV_PROGRAMS, "pingouin")},
        "suv": suv,
        "pingouin": pingouin_says(),
    }
    PLACE.write_text(json.dumps(said, indent=1) + "\n", "utf-8")


if __name__ == "__main__":
    _pin()
