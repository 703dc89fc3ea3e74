"""Reading a whole-body PET with SUV against SimpleITK's series reader, which makes no SUV.

Ours finds the series in the folder, reads it and converts it; theirs lists the series' files
and reads them. They take turns in one run, so that load falls on both; medians are compared.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from tmtv_engine.image.volume import Array, Grid, Unit, Volume
from tmtv_engine.phantom.dicom import write_patient
from tmtv_engine.study.find import Study, find_studies
from tmtv_engine.study.load import load_study

REAL = Path(__file__).resolve().parents[2] / "shared/data/ge_wholebody_STS_001_raw/image"
SHAPE, SPACING_MM = (267, 128, 128), (3.27, 4.6875, 4.6875)


def ours(folder: Path) -> Array:
    """SUV of the one PET below ``folder``."""
    (study,) = find_studies(folder)
    if not isinstance(study, Study):
        raise study.error
    return load_study(study).suv.array


def theirs(folder: Path) -> Array:
    """The same series in its own unit, by SimpleITK."""
    import SimpleITK

    SimpleITK.ProcessObject.SetGlobalWarningDisplay(False)
    reader = SimpleITK.ImageSeriesReader()
    reader.SetFileNames(reader.GetGDCMSeriesFileNames(str(folder)))
    array: Array = SimpleITK.GetArrayFromImage(reader.Execute())
    return array


def seconds(read: Callable[[Path], Array], folder: Path) -> float:
    """Wall time of one reading."""
    start = time.perf_counter()
    read(folder)
    return time.perf_counter() - start


def compare(folder: Path, runs: int) -> float:
    """Print both medians and return ours over theirs; the pixels must be proportional."""
    suv, raw = ours(folder), theirs(folder)
    factor = float(suv.max()) / float(raw.max())
    if not np.allclose(suv, raw * factor, rtol=1e-4, atol=1e-4):
        raise SystemExit("the two readings differ")
    pairs = [(seconds(ours, folder), seconds(theirs, folder)) for _ in range(runs)]
    mine, other = statistics.median(p[0] for p in pairs), statistics.median(p[1] for p in pairs)
    ratio: float = mine / other
    print(
        f"{len(suv)} slices with SUV {mine:.3f} s, SimpleITK {other:.3f} s, ratio {ratio:.2f} (≤ 1)"
    )
    return ratio


def main() -> int:
    """The real GE series where it is there, a digital one of its size otherwise."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=9, help="of each")
    runs = parser.parse_args().runs
    if REAL.is_dir():
        return 0 if compare(REAL, runs) <= 1.0 else 1
    rng = np.random.default_rng(0)
    suv = Volume(rng.random(SHAPE, np.float32) * 9, Grid.axial(SHAPE, SPACING_MM), Unit.SUV)
    with tempfile.TemporaryDirectory() as name:
        write_patient(Path(name), suv)
        return 0 if compare(Path(name) / "PET", runs) <= 1.0 else 1


if __name__ == "__main__":
    sys.exit(main())
