"""What a folder of PET slices says, read by pydicom and arithmetic: nothing of ours.

It knows no rule for what is odd. Where it cannot make sense of a folder it says None; a study that
was bent then has nothing but its truth to be compared with.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
from pydicom.dataset import Dataset

from tests.fuzz.world import Float, Truth, affine_of


def reading(files: Sequence[Path], factors: Float | None = None) -> Truth | None:
    """SUV and place of the slices in ``files`` as their headers stand; None where they do not.

    ``factors`` (z,): SUV per unit, where they are known and not to be read.
    """
    try:
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("ignore")
            return _reading([pydicom.dcmread(path, force=True) for path in files], factors)
    except Exception:  # an oracle that cannot read says nothing
        return None


def _reading(slices: list[Dataset], factors: Float | None) -> Truth | None:
    affine = _affine(slices)
    planes = np.stack([_plane(ds) for ds in slices])
    suv = planes * (_factors(slices) if factors is None else factors)[:, None, None]
    return Truth(suv, affine) if np.isfinite(suv).all() else None


def _affine(slices: list[Dataset]) -> Float:
    """Of slices, which are sorted along their normal in place."""
    cosines = [float(v) for v in slices[0].ImageOrientationPatient]
    affine = affine_of(cosines, (0, 0, 0), (1, 1, 1))
    normal = affine[:3, 0]
    slices.sort(key=lambda ds: float(np.dot(normal, _floats(ds.ImagePositionPatient))))
    first, last = (np.array(_floats(slices[k].ImagePositionPatient)) for k in (0, -1))
    step = float(np.dot(last - first, normal)) / (len(slices) - 1)
    row, column = _floats(slices[0].PixelSpacing)
    return affine_of(cosines, first, (step, row, column))


def _floats(values: Any) -> list[float]:
    return [float(v) for v in values]


def _plane(ds: Dataset) -> Float:
    if ds.file_meta.TransferSyntaxUID.is_compressed:
        stored = ds.pixel_array.astype(np.float64)
    else:  # pydicom asks for more than one needs
        kind = "<i2" if ds.PixelRepresentation else "<u2"
        whole = np.frombuffer(ds.PixelData, kind, ds.Rows * ds.Columns)
        stored = whole.astype(np.float64).reshape(ds.Rows, ds.Columns)
    return np.asarray(stored * float(ds.RescaleSlope) + float(ds.get("RescaleIntercept") or 0))


def _factors(slices: Sequence[Dataset]) -> Float:
    """SUV per unit, a slice."""
    head = slices[0]
    count = np.ones(len(slices))
    if head.Units == "GML":
        return count * _per_mass(head)
    if head.Units == "CNTS":
        block = head.private_block(0x7053, "Philips PET Private Group")
        if not float(block[0x09].value):
            return count * float(block[0x00].value)
        count = count * float(block[0x09].value)
    drug = head.RadiopharmaceuticalInformationSequence[0]
    half = float(drug.get("RadionuclideHalfLife") or 6586.2)
    beds = [_moment(ds.get("AcquisitionDate"), ds.get("AcquisitionTime")) for ds in slices]
    if head.DecayCorrection == "ADMIN":
        return np.asarray(
            count * float(head.PatientWeight) * 1000 / float(drug.RadionuclideTotalDose)
        )
    injected = _injected(head, drug)
    series = _moment(head.get("SeriesDate"), head.get("SeriesTime"))
    known = [bed for bed in beds if bed is not None]
    start = series if not known or (series and series <= min(known)) else min(known)
    if start is None:
        raise ValueError("no time")
    reference = float(head.get("FrameReferenceTime") or 0) / 1000
    if known and start == min(known) != series and head.Manufacturer == "SIEMENS" and reference > 0:
        length = float(head.ActualFrameDuration) / 1000
        start += timedelta(seconds=_middle(length, half) - reference)
    if injected > start:
        injected -= timedelta(days=1)
    waits = np.full(len(slices), (start - injected).total_seconds())
    if head.DecayCorrection == "NONE":
        own = [(bed or start) - injected for bed in beds]
        lengths = [float(ds.ActualFrameDuration) / 1000 for ds in slices]
        waits = np.array(
            [
                o.total_seconds() + _middle(length, half)
                for o, length in zip(own, lengths, strict=True)
            ]
        )
    dose = float(drug.RadionuclideTotalDose)
    return np.asarray(count * float(head.PatientWeight) * 1000 / (dose * 2 ** (-waits / half)))


def _per_mass(head: Dataset) -> float:
    """Body weight over what SUVType normalises by (James, Janmahasatian; m and kg)."""
    kind, woman = str(head.get("SUVType") or "BW"), head.PatientSex == "F"
    if kind == "BW":
        return 1.0
    weight, height = float(head.PatientWeight), float(head.PatientSize)
    bmi = weight / height**2
    james = (1.07, 148.0) if woman else (1.10, 120.0)
    masses = {
        "LBM": james[0] * weight - james[1] * (weight / (100 * height)) ** 2,
        "LBMJANMA": 9270 * weight / ((8780 + 244 * bmi) if woman else (6680 + 216 * bmi)),
    }
    return weight / masses[kind]


def _middle(length: float, half: float) -> float:
    rate = np.log(2) / half
    return float(np.log(rate * length / (1 - np.exp(-rate * length))) / rate)


def _injected(head: Dataset, drug: Dataset) -> datetime:
    whole = str(drug.get("RadiopharmaceuticalStartDateTime") or "")
    if whole:
        return datetime.strptime(whole[:14], "%Y%m%d%H%M%S")
    days = [head.get("AcquisitionDate"), head.get("SeriesDate"), "20240315"]
    for day in days:
        found = _moment(day, drug.RadiopharmaceuticalStartTime)
        if found is not None:
            return found
    raise ValueError("no injection")


def _moment(day: Any, time: Any) -> datetime | None:
    if not day or not time:
        return None
    whole, _, part = str(time).partition(".")
    stamp = datetime.strptime(f"{day}{whole:0<6}", "%Y%m%d%H%M%S")
    return stamp + timedelta(seconds=float(f"0.{part}") if part else 0)
