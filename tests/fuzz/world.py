"""Small PET studies whose every voxel is known, as real DICOM on disk.

A world is an ellipse of SUV 1 with two balls of 10 and 6, scanned by one of several scanners. What
is stored are integers; the truth is what they stand for, by arithmetic of this file alone.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from io import BytesIO
from typing import Any

import numpy as np
import numpy.typing as npt
from pydicom import dcmread
from pydicom.config import disable_value_validation
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.sequence import Sequence
from pydicom.uid import ExplicitVRLittleEndian, ImplicitVRLittleEndian, RLELossless

Float = npt.NDArray[np.float64]
PET, CT = "1.2.840.10008.5.1.4.1.1.128", "1.2.840.10008.5.1.4.1.1.2"
SHAPE, SPACING = (12, 26, 30), (5.0, 4.0, 3.0)  # (z, y, x), mm
ORIGIN = (-45.0, -50.0, 310.0)
BALLS = (((4, 12, 10), 3, 10.0), ((8, 13, 20), 2, 6.0))  # centre, radius (voxels), SUV
HALF_LIFE, WEIGHT, DOSE, UPTAKE = 6586.2, 70.0, 3.1e8, 3600.0
BED_S, FRAME_S = 150.0, 120.0
TURN = np.deg2rad(7.0)
LIES = {
    "axial": (1.0, 0.0, 0.0, 0.0, 1.0, 0.0),
    "feet first": (-1.0, 0.0, 0.0, 0.0, 1.0, 0.0),
    "oblique": (1.0, 0.0, 0.0, 0.0, float(np.cos(TURN)), float(np.sin(TURN))),
}
SCANNERS = ("start", "late", "admin", "none", "gml", "counts", "philips", "ge")
SYNTAXES = (ExplicitVRLittleEndian, ImplicitVRLittleEndian, RLELossless)


@dataclass(frozen=True, eq=False)
class Truth:
    """SUV (z, y, x) along the slices' normal and the affine, index → LPS mm."""

    suv: Float
    affine: Float

    @property
    def hot_ml(self) -> float:
        """The volume above SUV 4."""
        return float((self.suv > 4.0).sum() * abs(np.linalg.det(self.affine[:3, :3])) / 1000.0)


@dataclass(frozen=True, eq=False)
class World:
    """A study: its ``files``, bytes by name, and what is true of it."""

    scanner: str
    lies: str
    counted: bool
    truth: Truth
    files: Mapping[str, bytes]


def worlds(seed: int) -> Iterator[World]:
    """Worlds without end, scanner after scanner."""
    chance = random.Random(seed)
    number = 0
    while True:
        scanner = SCANNERS[number % len(SCANNERS)]
        syntax = chance.choices(SYNTAXES, (4, 3, 1))[0]
        lies = chance.choice([*LIES])
        yield world(scanner, lies, syntax, chance.random() < 0.7, chance.random() < 0.3)
        number += 1


@cache
def world(scanner: str, lies: str, syntax: str, counted: bool, with_ct: bool) -> World:
    """One; ``counted``: its headers say how many slices there are."""
    stored, slopes, per_slice = _stored(scanner)
    suv = stored * (slopes * per_slice)[:, None, None]
    truth = Truth(suv, affine_of(LIES[lies], ORIGIN, SPACING))
    files = {}
    for k in range(SHAPE[0]):
        ds = _slice(k, stored, slopes, scanner, lies, syntax, counted)
        files[f"PT{k:03d}.dcm"] = written(ds)
        if with_ct:
            files[f"CT{k:03d}.dcm"] = written(_ct_slice(k, lies))
    return World(scanner, lies, counted, truth, files)


def phantom() -> Float:
    """The SUV of the body and its balls, (z, y, x)."""
    z, y, x = np.indices(SHAPE)
    suv = np.where(((y - 12.5) / 11) ** 2 + ((x - 14.5) / 13) ** 2 < 1, 1.0, 0.0)
    for (cz, cy, cx), radius, value in BALLS:
        suv[(z - cz) ** 2 + (y - cy) ** 2 + (x - cx) ** 2 <= radius**2] = value
    return suv


def factors(scanner: str) -> Float:
    """The SUV of one unit of the rescaled pixels, a slice, (z,)."""
    decayed = DOSE * 2 ** (-UPTAKE / HALF_LIFE)
    one = WEIGHT * 1000 / decayed
    if scanner == "admin":
        one = WEIGHT * 1000 / DOSE
    if scanner in ("gml", "counts"):
        one = 1.0 if scanner == "gml" else 0.0004
    if scanner == "philips":
        one *= 1.6
    if scanner == "none":
        rate = np.log(2) / HALF_LIFE
        middle = np.log(rate * FRAME_S / (1 - np.exp(-rate * FRAME_S))) / rate
        waits = UPTAKE + BED_S * (np.arange(SHAPE[0]) // 6) + middle
        return np.asarray(WEIGHT * 1000 / (DOSE * 2 ** (-waits / HALF_LIFE)), np.float64)
    return np.full(SHAPE[0], one)


def _stored(scanner: str) -> tuple[Float, Float, Float]:
    """Integers (z, y, x), slopes (z,) as they are written, and what one unit is in SUV (z,)."""
    suv, per_unit = phantom(), factors(scanner)
    tops = suv.max(axis=(1, 2))
    slopes = np.array([float(f"{t / f / 30000:.9g}") for t, f in zip(tops, per_unit, strict=True)])
    return np.round(suv / (slopes * per_unit)[:, None, None]), slopes, per_unit


def affine_of(cosines: Any, origin: Any, spacing: Any) -> Float:
    """Index (slice, row, column) → LPS mm."""
    row, column = np.array(cosines[:3], float), np.array(cosines[3:], float)
    affine = np.eye(4)
    affine[:3, 0] = np.cross(row, column) * spacing[0]
    affine[:3, 1], affine[:3, 2] = column * spacing[1], row * spacing[2]
    affine[:3, 3] = origin
    return affine


def _common(k: int, lies: str) -> Dataset:
    ds = Dataset()
    ds.SpecificCharacterSet = "ISO_IR 100"
    ds.PatientName, ds.PatientID, ds.PatientSex = "Fuzz^Case", "F1", "F"
    ds.PatientWeight, ds.PatientSize = str(WEIGHT), "1.7"
    ds.StudyInstanceUID, ds.FrameOfReferenceUID = "1.2.826.7", "1.2.826.7.9"
    ds.StudyDate = ds.SeriesDate = ds.AcquisitionDate = "20240315"
    ds.StudyTime, ds.SeriesTime = "090000", "091500"
    ds.Manufacturer, ds.ImageType = "SIEMENS", ["ORIGINAL", "PRIMARY"]
    ds.SamplesPerPixel, ds.PhotometricInterpretation = 1, "MONOCHROME2"
    ds.BitsAllocated, ds.BitsStored, ds.HighBit, ds.PixelRepresentation = 16, 16, 15, 1
    ds.RescaleIntercept, ds.InstanceNumber = "0", str(k + 1)
    cosines = LIES[lies]
    place = affine_of(cosines, ORIGIN, SPACING) @ (k, 0, 0, 1)
    ds.ImagePositionPatient = [f"{v:.5f}" for v in place[:3]]
    ds.ImageOrientationPatient = [f"{v:.8f}" for v in cosines]
    ds.PixelSpacing, ds.SliceThickness = [str(SPACING[1]), str(SPACING[2])], str(SPACING[0])
    ds.Rows, ds.Columns = SHAPE[1:]
    return ds


def _slice(
    k: int, stored: Float, slopes: Float, scanner: str, lies: str, syntax: str, counted: bool
) -> Dataset:
    ds = _common(k, lies)
    ds.SOPClassUID, ds.Modality = PET, "PT"
    ds.SeriesInstanceUID, ds.SOPInstanceUID = "1.2.826.7.2", f"1.2.826.7.2.{k + 1}"
    ds.SeriesDescription = "PET WB AC"
    ds.Units, ds.DecayCorrection = "BQML", "START"
    ds.CorrectedImage, ds.SeriesType = ["NORM", "ATTN", "SCAT", "DECY"], ["WHOLE BODY", "IMAGE"]
    ds.FrameReferenceTime, ds.ActualFrameDuration = "0", str(int(FRAME_S * 1000))
    late = int(BED_S) * (k // 6)
    ds.AcquisitionTime = f"{9 + (15 * 60 + late) // 3600:02d}{15 + late // 60:02d}{late % 60:02d}"
    ds.RescaleSlope = f"{slopes[k]:.9g}"
    if counted:
        ds.NumberOfSlices, ds.ImageIndex = SHAPE[0], k + 1
    _drug(ds)
    _as_scanner(ds, scanner)
    ds.PixelData = stored[k].astype("<i2").tobytes()
    ds.file_meta = FileMetaDataset()
    ds.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    if syntax == RLELossless:
        ds.compress(RLELossless)
    else:
        ds.file_meta.TransferSyntaxUID = syntax
    return ds


def _drug(ds: Dataset) -> None:
    drug, code = Dataset(), Dataset()
    drug.Radiopharmaceutical = "Fluorodeoxyglucose"
    drug.RadiopharmaceuticalStartTime = "081500.000000"
    drug.RadionuclideTotalDose, drug.RadionuclideHalfLife = f"{DOSE:.0f}", str(HALF_LIFE)
    code.CodeValue, code.CodingSchemeDesignator = "C-111A1", "SRT"
    code.CodeMeaning = "^18^Fluorine"
    drug.RadionuclideCodeSequence = Sequence([code])
    ds.RadiopharmaceuticalInformationSequence = Sequence([drug])


def _as_scanner(ds: Dataset, scanner: str) -> None:
    if scanner == "late":  # reconstructed an hour after the scan
        ds.SeriesTime = "101500"
    if scanner == "ge":
        ds.Manufacturer, ds.SeriesTime = "GE MEDICAL SYSTEMS", "101500"
        block = ds.private_block(0x0009, "GEMS_PETD_01", create=True)
        block.add_new(0x0D, "DT", "20240315091500.00")
    if scanner == "admin":
        ds.DecayCorrection = "ADMIN"
    if scanner == "none":
        ds.DecayCorrection, ds.CorrectedImage = "NONE", ["NORM", "ATTN", "SCAT"]
    if scanner == "gml":
        ds.Units, ds.SUVType = "GML", "BW"
    if scanner in ("counts", "philips"):
        ds.Units, ds.Manufacturer = "CNTS", "Philips Medical Systems"
        block = ds.private_block(0x7053, "Philips PET Private Group", create=True)
        block.add_new(0x00, "DS", "0.0004")
        block.add_new(0x09, "DS", "1.6" if scanner == "philips" else "0")


def _ct_slice(k: int, lies: str) -> Dataset:
    ds = _common(k, lies)
    ds.SOPClassUID, ds.Modality, ds.SeriesDescription = CT, "CT", "CT WB"
    ds.SeriesInstanceUID, ds.SOPInstanceUID = "1.2.826.7.3", f"1.2.826.7.3.{k + 1}"
    ds.RescaleSlope, ds.RescaleIntercept = "1", "-1024"
    ds.PixelData = np.where(phantom()[k] > 0, 1064, 24).astype("<i2").tobytes()
    ds.file_meta = FileMetaDataset()
    ds.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    return ds


def written(ds: Dataset) -> bytes:
    """A file's bytes, also of what is against the standard, as scanners and archives write it."""
    ds.file_meta.MediaStorageSOPClassUID = ds.get("SOPClassUID", PET) or PET
    ds.file_meta.MediaStorageSOPInstanceUID = ds.get("SOPInstanceUID", "1.2") or "1.2"
    file = BytesIO()
    with disable_value_validation():
        ds.save_as(file, enforce_file_format=True)
    return file.getvalue()


def parsed(data: bytes) -> Dataset:
    """The dataset of a file's bytes."""
    return dcmread(BytesIO(data), force=True)
