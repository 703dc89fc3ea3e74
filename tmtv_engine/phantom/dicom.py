"""Digital patients as a scanner would send them: PET, CT and RTSTRUCT in DICOM."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence
from pydicom.uid import UID

from tmtv_engine.export.job import uid_of
from tmtv_engine.export.rtstruct import Roi, save, structure_set
from tmtv_engine.image.volume import Array, Grid, Unit, Volume
from tmtv_engine.phantom.vendors import VENDORS
from tmtv_engine.suv.factor import F18_HALF_LIFE_S

PET_CLASS = "1.2.840.10008.5.1.4.1.1.128"
CT_CLASS = "1.2.840.10008.5.1.4.1.1.2"
DOSE_BQ = 2.5e8
WAITED_S = 3600.0
FRAME_MS = 120000


def write_patient(
    folder: Path,
    suv: Volume,
    ct: Volume | None = None,
    rois: Volume | None = None,
    *,
    vendor: str = "ge",
    seed: int = 0,
    sex: str = "F",
    weight_kg: float = 70.0,
    height_m: float = 1.7,
) -> None:
    """Write PET/, CT/ and RTSTRUCT/ below ``folder``; the same input gives the same bytes.

    The PET is in Bq/mL with a slope a slice (of a vendor that writes counts: counts with the
    private factor), injected an hour before a scan of 1 January 2020.
    """
    patient = Dataset()
    patient.PatientName = f"Digital^Patient {seed:04d}"
    patient.PatientID = f"DIGITAL-{seed:04d}"
    patient.PatientSex, patient.PatientBirthDate = sex, ""
    patient.PatientWeight, patient.PatientSize = f"{weight_kg:g}", f"{height_m:g}"
    patient.StudyInstanceUID = uid_of(seed, vendor, "study")
    patient.StudyDate, patient.StudyTime = "20200101", "100000"
    patient.StudyID, patient.AccessionNumber, patient.ReferringPhysicianName = "1", "", ""
    patient.FrameOfReferenceUID = uid_of(seed, vendor, "frame")
    patient.PositionReferenceIndicator = ""
    made = VENDORS[vendor]
    patient.Manufacturer, patient.ManufacturerModelName = made.manufacturer, made.model
    pet = _pet_header(patient, suv, vendor, seed)
    uids = _write_images(
        folder / "PET", pet, _pet_pixels(suv, made.count_bqml, weight_kg), suv.grid
    )
    if ct is not None:
        pixels = [(np.rint(image).astype(np.int16), 1.0) for image in ct.require(Unit.HU)]
        _write_images(folder / "CT", _ct_header(patient, seed, vendor), pixels, ct.grid)
    if rois is not None and rois.array.any():
        _write_rois(folder / "RTSTRUCT", pet, rois, uids, (seed, vendor))


def _pet_header(patient: Dataset, suv: Volume, vendor: str, seed: int) -> Dataset:
    pet = Dataset()
    pet.update(patient)
    pet.SOPClassUID, pet.Modality = PET_CLASS, "PT"
    pet.SeriesInstanceUID = uid_of(seed, vendor, "PET")
    pet.SeriesNumber, pet.SeriesDescription = "2", "PET WB AC"
    pet.SeriesDate, pet.SeriesTime = "20200101", "110000"
    pet.AcquisitionDate, pet.AcquisitionTime = "20200101", "110000"
    pet.ImageType = ["ORIGINAL", "PRIMARY"]
    pet.BodyPartExamined, pet.DecayFactor = "WHOLEBODY", "1"
    pet.SeriesType, pet.CountsSource = ["WHOLE BODY", "IMAGE"], "EMISSION"
    count_bqml = VENDORS[vendor].count_bqml
    pet.Units = "BQML" if count_bqml is None else "CNTS"
    pet.CorrectedImage = ["NORM", "DTIM", "ATTN", "SCAT", "DECY", "RAN"]
    pet.DecayCorrection, pet.CollimatorType = "START", "NONE"
    pet.FrameReferenceTime, pet.ActualFrameDuration = "0", str(FRAME_MS)
    pet.NumberOfSlices = len(suv.array)
    pet.add_new((0x0054, 0x1105), "LO", "")  # ScatterCorrectionMethod
    drug = Dataset()
    drug.Radiopharmaceutical = "FDG -- fluorodeoxyglucose"
    drug.RadiopharmaceuticalStartTime = "100000"
    drug.RadiopharmaceuticalStartDateTime = "20200101100000"
    drug.RadionuclideTotalDose = f"{DOSE_BQ:.0f}"
    drug.RadionuclideHalfLife = f"{F18_HALF_LIFE_S:g}"
    drug.RadionuclideCodeSequence = Sequence([_code("C-111A1", "SRT", "^18^Fluorine")])
    pet.RadiopharmaceuticalInformationSequence = Sequence([drug])
    pet.PatientOrientationCodeSequence = Sequence([_code("102538003", "SCT", "recumbent")])
    pet.PatientGantryRelationshipCodeSequence = Sequence([_code("102540008", "SCT", "headfirst")])
    if count_bqml is not None:
        pet.add_new((0x7053, 0x0010), "LO", "Philips PET Private Group")
        pet.add_new((0x7053, 0x1009), "DS", f"{count_bqml:g}")
    return pet


def _code(value: str, scheme: str, meaning: str) -> Dataset:
    item = Dataset()
    item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = value, scheme, meaning
    return item


def _pet_pixels(
    suv: Volume, count_bqml: float | None, weight_kg: float
) -> list[tuple[Array, float]]:
    """Stored values and the slope of each slice."""
    decayed = DOSE_BQ * 2.0 ** (-WAITED_S / F18_HALF_LIFE_S)
    activity = suv.require(Unit.SUV).astype(np.float64) * (decayed / (weight_kg * 1000.0))
    if count_bqml is not None:
        activity = activity / count_bqml
    pixels = []
    for image in activity:
        slope = float(f"{max(float(image.max()), 1e-3) / 32767.0:.8e}")
        pixels.append((np.clip(np.rint(image / slope), 0, 32767).astype(np.int16), slope))
    return pixels


def _ct_header(patient: Dataset, seed: int, vendor: str) -> Dataset:
    ct = Dataset()
    ct.update(patient)
    ct.SOPClassUID, ct.Modality = CT_CLASS, "CT"
    ct.SeriesInstanceUID = uid_of(seed, vendor, "CT")
    ct.SeriesNumber, ct.SeriesDescription = "1", "CT WB"
    ct.SeriesDate, ct.SeriesTime = "20200101", "105500"
    ct.AcquisitionDate, ct.AcquisitionTime, ct.AcquisitionNumber = "20200101", "105500", "1"
    ct.PatientPosition, ct.BodyPartExamined = "HFS", "WHOLEBODY"
    ct.ImageType, ct.KVP, ct.RescaleType = ["ORIGINAL", "PRIMARY", "AXIAL"], "120", "HU"
    return ct


def _write_images(
    folder: Path, header: Dataset, pixels: list[tuple[Array, float]], grid: Grid
) -> list[UID]:
    """One file a slice; returns their SOP instance UIDs in the array's order."""
    folder.mkdir(parents=True, exist_ok=True)
    step, row, column = (grid.affine[:3, k] for k in range(3))
    uids = []
    for k, (image, slope) in enumerate(pixels):
        piece = Dataset()
        piece.update(header)
        piece.SOPInstanceUID = uid_of(header.SeriesInstanceUID, k)
        piece.InstanceNumber = piece.ImageIndex = len(pixels) - k
        if header.Modality != "PT":
            del piece.ImageIndex
        piece.ImagePositionPatient = [f"{v:.6f}" for v in grid.to_mm((k, 0, 0))]
        cosines = [*column / np.linalg.norm(column), *row / np.linalg.norm(row)]
        piece.ImageOrientationPatient = [f"{v:.8f}" for v in cosines]
        piece.PixelSpacing = [f"{grid.spacing_mm[1]:.6f}", f"{grid.spacing_mm[2]:.6f}"]
        piece.SliceThickness = f"{np.linalg.norm(step):.6f}"
        piece.RescaleSlope, piece.RescaleIntercept = f"{slope:.8e}", "0"
        piece.Rows, piece.Columns = image.shape
        piece.SamplesPerPixel, piece.PhotometricInterpretation = 1, "MONOCHROME2"
        piece.BitsAllocated, piece.BitsStored, piece.HighBit = 16, 16, 15
        piece.PixelRepresentation, piece.PixelData = 1, image.astype("<i2").tobytes()
        save(piece, folder / f"{k + 1:04d}.dcm")
        uids.append(piece.SOPInstanceUID)
    return uids


def _write_rois(
    folder: Path, pet: Dataset, rois: Volume, uids: list[UID], key: tuple[object, ...]
) -> None:
    """The true ROIs as a reader's RTSTRUCT, one a lesion."""
    labels = rois.require(Unit.LABEL).reshape(-1)
    numbers = [int(v) for v in np.unique(labels) if v]
    drawn = [Roi(k, f"Lesion {k}", np.flatnonzero(labels == k), "MANUAL") for k in numbers]
    sources = []
    for uid in uids:
        source = Dataset()
        source.update(pet)
        source.SOPInstanceUID = uid
        sources.append(source)
    plan = structure_set(sources, drawn, rois.grid)
    plan.SOPInstanceUID, plan.SeriesInstanceUID = uid_of(*key, "ROI"), uid_of(*key, "ROI series")
    plan.SeriesNumber, plan.StructureSetLabel = "3", "TRUE ROIS"
    plan.StructureSetDate = plan.SeriesDate = "20200101"
    plan.StructureSetTime = plan.SeriesTime = "120000"
    folder.mkdir(parents=True, exist_ok=True)
    save(plan, folder / "rois.dcm")
