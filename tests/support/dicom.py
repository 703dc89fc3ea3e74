"""Small DICOM series as real bytes on disk, bent to whatever a test needs."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np
import numpy.typing as npt
from pydicom.config import disable_value_validation
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.sequence import Sequence
from pydicom.uid import ExplicitVRLittleEndian

from tmtv_engine.notices import Notice

PET, CT = "1.2.840.10008.5.1.4.1.1.128", "1.2.840.10008.5.1.4.1.1.2"
SHAPE, SPACING = (7, 11, 13), (3.0, 4.0, 2.0)  # (z, y, x), mm
FACTOR = 70.0 * 1000 / (2.5e8 * 2 ** (-3600 / 6586.2))
Bend = Callable[[int, Dataset], None]
Change = Callable[[Dataset], None]


def pixels(seed: int = 0) -> npt.NDArray[np.int16]:
    """Counts (z, y, x) without any symmetry."""
    return np.random.default_rng(seed).integers(0, 3000, SHAPE).astype(np.int16)


def write_series(
    folder: Path,
    array: npt.NDArray[np.int16] | None = None,
    *,
    modality: str = "PT",
    study: str = "1.2.3",
    series: str = "1.2.3.4",
    frame: str = "1.2.3.9",
    cosines: tuple[float, ...] = (1, 0, 0, 0, 1, 0),
    origin: tuple[float, float, float] = (-10.0, 20.0, -300.0),
    spacing: tuple[float, float, float] = SPACING,
    bend: Bend | None = None,
) -> list[Path]:
    """One file a slice along the normal of ``cosines``; ``bend(k, dataset)`` changes slice k."""
    array = pixels() if array is None else array
    folder.mkdir(parents=True, exist_ok=True)
    normal = np.cross(cosines[:3], cosines[3:])
    files = []
    for k, image in enumerate(array):
        ds = _pet() if modality == "PT" else _ct()
        ds.StudyInstanceUID, ds.SeriesInstanceUID, ds.FrameOfReferenceUID = study, series, frame
        ds.SOPInstanceUID = f"{series}.{k + 1}"
        ds.InstanceNumber = k + 1
        position = np.array(origin) + k * spacing[0] * normal
        ds.ImagePositionPatient = [f"{v:.5f}" for v in position]
        ds.ImageOrientationPatient = [f"{v:.8f}" for v in cosines]
        ds.PixelSpacing = [str(spacing[1]), str(spacing[2])]
        ds.SliceThickness = str(spacing[0])
        ds.Rows, ds.Columns = image.shape
        ds.PixelData = image.astype("<i2").tobytes()
        path = folder / f"IM{(k * 5) % len(array):03d}"  # names say nothing of the order
        with disable_value_validation():  # scanners write what the standard forbids
            if bend is not None:
                bend(k, ds)
            save(ds, path)
        files.append(path)
    return files


def write_patient(folder: Path, number: int, **more: object) -> list[Path]:
    """A series (`write_series`) of study 1.2.``number``, of the patient of that number."""
    study = f"1.2.{number}"

    def called(k: int, ds: Dataset) -> None:
        ds.PatientID = f"P{number}"

    more.setdefault("bend", called)
    series = f"{study}.{5 if 'modality' in more else 4}"
    return write_series(folder, study=study, series=series, frame=f"{study}.9", **more)  # type: ignore[arg-type]


def only(number: int, change: Change) -> Bend:
    """``change`` in slice ``number`` alone."""
    return lambda k, ds: change(ds) if k == number else None


def tags(**values: object) -> Change:
    """Other values of attributes."""

    def change(ds: Dataset) -> None:
        for keyword, value in values.items():
            setattr(ds, keyword, value)

    return change


def drug(**values: object) -> Change:
    """Other values of attributes of the radiopharmaceutical."""

    def change(ds: Dataset) -> None:
        for keyword, value in values.items():
            setattr(ds.RadiopharmaceuticalInformationSequence[0], keyword, value)

    return change


def items(**values: object) -> Sequence:
    """A sequence of one item with these attributes."""
    item = Dataset()
    for keyword, value in values.items():
        setattr(item, keyword, value)
    return Sequence([item])


def save(dataset: Dataset, path: Path) -> None:
    """Write a dataset as a DICOM file, explicit little endian."""
    if not hasattr(dataset, "file_meta"):
        dataset.file_meta = FileMetaDataset()
        dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset.file_meta.MediaStorageSOPClassUID = dataset.SOPClassUID
    dataset.file_meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID
    dataset.save_as(path, enforce_file_format=True)


def _image() -> Dataset:
    ds = Dataset()
    ds.PatientName, ds.PatientID, ds.PatientSex = "Test^Case", "T1", "F"
    ds.PatientWeight, ds.PatientSize, ds.PatientAge = "70", "1.75", "050Y"
    ds.PatientBirthDate = "19700102"
    ds.StudyDate, ds.StudyTime, ds.SeriesDate, ds.SeriesTime = (
        "20200101",
        "1000",
        "20200101",
        "1100",
    )
    ds.AcquisitionDate, ds.AcquisitionTime = "20200101", "110000"
    ds.SeriesDescription, ds.Manufacturer = "WB AC", "GE MEDICAL SYSTEMS"
    ds.SamplesPerPixel, ds.PhotometricInterpretation = 1, "MONOCHROME2"
    ds.BitsAllocated, ds.BitsStored, ds.HighBit, ds.PixelRepresentation = 16, 16, 15, 1
    ds.RescaleSlope, ds.RescaleIntercept = "1", "0"
    return ds


def _pet() -> Dataset:
    ds = _image()
    ds.SOPClassUID, ds.Modality, ds.Units, ds.DecayCorrection = PET, "PT", "BQML", "START"
    ds.CorrectedImage, ds.SeriesType = ["ATTN", "DECY", "SCAT"], ["WHOLE BODY", "IMAGE"]
    drug = Dataset()
    drug.Radiopharmaceutical = "FDG"
    drug.RadiopharmaceuticalStartTime = "100000"
    drug.RadionuclideTotalDose, drug.RadionuclideHalfLife = "250000000", "6586.2"
    ds.RadiopharmaceuticalInformationSequence = Sequence([drug])
    return ds


def _ct() -> Dataset:
    ds = _image()
    ds.SOPClassUID, ds.Modality, ds.SeriesDescription = CT, "CT", "CT"
    ds.RescaleIntercept = "-1024"
    return ds


def codes(notices: Iterable[Notice]) -> list[str]:
    """The codes of warnings but `coverage`: no small volume reaches from head to thighs."""
    return [n.code for n in notices if n.code != "coverage"]
